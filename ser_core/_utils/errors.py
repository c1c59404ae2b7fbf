"""The one exception for input that cannot be used."""


class SerError(Exception):
    """Bad input or a state that only the user can mend.

    The message is one line that says what is wrong, where, and what to do. The shell command prints it without a
    traceback and ends with exit code 1.
    """
