"""Replace the part of a text file between two marks, such as a table that a command writes into a README."""

from pathlib import Path

from ser_core._utils.atomic import write_atomically
from ser_core._utils.errors import SerError


def replace_between(path: str | Path, opening: str, closing: str, content: str, what: str) -> bool:
    """Replace the lines between two marks of a file.

    Parameters
    ----------
    path : path
        file in UTF-8
    opening, closing : str
        the marks, each once and on a line of its own
    content : str
        the new text between them
    what : str
        its name in the error, such as "the results"

    Returns
    -------
    bool
        whether the file changed

    Raises
    ------
    SerError
        for a file without the two marks
    """
    file = Path(path)
    text = file.read_text(encoding="utf-8")
    if text.count(opening) != 1 or text.count(closing) != 1 or text.index(opening) > text.index(closing):
        raise SerError(f"{file}: put one line {opening} and, below it, one line {closing} where {what} belong")
    new = f"{text.split(opening)[0]}{opening}\n\n{content}\n{closing}{text.split(closing)[1]}"
    if new != text:
        write_atomically(file, new.encode())
    return new != text
