"""The exceptions for input that cannot be used, for what this machine lacks, and for a disk that takes no more."""


class SerError(Exception):
    """Report bad input, or a state that only the user can change.

    The message is one line: what is wrong, where, and what to do. The shell command prints it without a traceback and
    ends with exit code 1.
    """


class UnavailableError(SerError):
    """Weights or a library that this machine does not have and that nothing can replace."""


class StorageError(SerError):
    """A file that cannot be written: the disk is full, or the folder is read-only. Nothing else would be written."""


class SerWarning(UserWarning):
    """Something that the user should know, in one line; the command goes on. The shell prints it like an error."""
