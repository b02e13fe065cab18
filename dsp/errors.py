"""The one kind of error that is the user's to mend."""


class InputError(ValueError):
    """Something the user gave cannot be used.

    The message is a single line that names the file, device or setting, says what is wrong with it and
    what to do. The command line prints it and exits with code 2; callers of the API may catch it as a
    ``ValueError``.
    """
