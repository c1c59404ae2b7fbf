"""Words of messages: counts with their noun, and the names that a wrong one is near to."""

from collections.abc import Iterable, Mapping


def counted(number: int, noun: str, plural: str | None = None) -> str:
    """Return a number with its noun, singular or plural.

    Parameters
    ----------
    number : int
    noun : str
        Singular; it may be several words.
    plural : str, optional
        By default the noun with an s.

    Examples
    --------
    >>> counted(1, "other file"), counted(1200, "speaker"), counted(0, "copy", "copies")
    ('1 other file', '1,200 speakers', '0 copies')
    """
    return f"{number:,} {noun if number == 1 else plural or noun + 's'}"


def near(wrong: str, known: Iterable[str], titles: Mapping[str, str] | None = None) -> str:
    """Return the known names that a wrong one is near to, as the middle of a message; "" where there are none.

    Parameters
    ----------
    wrong : str
    known : iterable of str
    titles : mapping of str to str, optional
        Name to title; a name is near too where its title holds the wrong one.

    Examples
    --------
    >>> near("a55", ["a5", "svm"]), near("zzz", ["svm"])
    ('; did you mean a5', '')
    """
    import difflib

    names, low = list(known), wrong.lower()
    alike = [name for name in names if low and low in (titles or {}).get(name, "").lower()]
    alike += difflib.get_close_matches(low, names)
    alike += [name for name in names if len(low) > 2 and low in name.lower()]
    found = list(dict.fromkeys(alike))
    return f"; did you mean {' or '.join(found)}" if 0 < len(found) < 5 else ""
