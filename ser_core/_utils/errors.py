"""The exception for input that cannot be used, and the one for what is unavailable on this machine."""


class SerError(Exception):
    """Report bad input, or a state that only the user can change.

    The message is one line: what is wrong, where, and what to do. The shell command prints it without a traceback and
    ends with exit code 1.
    """


class UnavailableError(SerError):
    """Weights or a library that this machine does not have and that nothing can replace."""
