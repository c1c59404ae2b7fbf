"""The exceptions for input that cannot be used, for what this machine lacks, and for a disk that takes no more."""

LONGEST = 2_000
"""Letters of a message; of a longer one the middle is left out."""


def one_line(text: object) -> str:
    r"""Return a message on one line: what would break it, as in names and cells of others, is escaped.

    Examples
    --------
    >>> print(one_line("a\u2028b.wav: no such file"))
    a\u2028b.wav: no such file
    """
    line = str(text)
    if not line.isprintable():
        line = "".join(
            letter
            if letter.isprintable() or "\udc80" <= letter <= "\udcff"
            else letter.encode("unicode_escape").decode()
            for letter in line
        )
    return line if len(line) <= LONGEST else f"{line[: LONGEST // 2]} ... {line[-LONGEST // 2 :]}"


class SerError(Exception):
    """Report bad input, or a state that only the user can change.

    The message is one line (:func:`one_line`): what is wrong, where, and what to do. The shell command prints it
    without a traceback and ends with exit code 1.
    """

    def __str__(self) -> str:
        return one_line(super().__str__())


class UnavailableError(SerError):
    """Weights or a library that this machine does not have and that nothing can replace."""


class StorageError(SerError):
    """A file that cannot be written: the disk is full, or the folder is read-only. Nothing else would be written."""


class SerWarning(UserWarning):
    """Something that the user should know, in one line; the command continues. The shell prints it like an error."""

    def __str__(self) -> str:
        return one_line(super().__str__())
