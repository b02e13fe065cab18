"""Errors that the user can mend, and warnings for the user."""

import warnings
from collections.abc import Iterator
from contextlib import contextmanager


class InputError(ValueError):
    """Something the user gave cannot be used.

    The message is a single line that names the file, device or setting, says what is wrong with it and
    what to do. The command line prints it and exits with code 2; callers of the API may catch it as a
    `ValueError`.
    """


class InputWarning(UserWarning):
    """Something of the user's is used, but maybe not as intended. The message is a single line."""


@contextmanager
def noted() -> Iterator[list[str]]:
    """Yield a list that collects the InputWarnings of the block, each once; other warnings are not touched.

    Not for several threads at once.
    """
    told: list[str] = []
    try:
        with warnings.catch_warnings(record=True) as caught:
            warnings.simplefilter("always", InputWarning)
            yield told
    finally:
        for one in caught:
            if not issubclass(one.category, InputWarning):
                warnings.warn_explicit(one.message, one.category, one.filename, one.lineno)
            elif str(one.message) not in told:
                told.append(str(one.message))
