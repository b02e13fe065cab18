"""Remote inputs and outputs of a command: downloaded before it, uploaded after it, with a progress bar."""

import shutil
import tempfile
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from functools import partial
from pathlib import Path

from ..media import addresses
from ..media.errors import InputError
from ..media.files import check_writable, shown
from . import console


@contextmanager
def local_files(
    inputs: tuple[str, ...], output: str, *, overwrite: bool
) -> Iterator[tuple[tuple[Path, ...], Path]]:
    """Yield the files that stand for inputs and an output, each of which may be a name or an address.

    The output is brought to its address when the block ends without an exception; a path is only yielded.

    Raises:
        InputError: If an input cannot be fetched, or the output not delivered (it is kept on this machine then), or
            its place is taken (without `overwrite`). Where it can be known, before anything is fetched.
    """
    path = addresses.as_local(output)
    if path is None:
        _check_address(inputs, output, overwrite=overwrite)
    elif any(addresses.as_local(name) is None for name in inputs):
        check_writable(path, overwrite=overwrite)
    with ExitStack() as stack:
        with console.Display() as display:
            sources = tuple(
                stack.enter_context(
                    addresses.local_copy(
                        name, meter=partial(display.part, f"reading {addresses.shown_address(name)}")
                    )
                )
                for name in inputs
            )
        if path is not None:
            yield sources, path
        else:
            with _delivered(output, overwrite=overwrite) as made:
                yield sources, made


def _check_address(inputs: tuple[str, ...], output: str, *, overwrite: bool) -> None:
    name = addresses.shown_address(output)
    if output in inputs:
        raise InputError(f"{name} is also an input, and would be lost; choose another output")
    addresses.check_writable_address(output)
    if not overwrite and addresses.size(output) is not None:
        raise InputError(f"{name} already exists; choose another name or add --overwrite")


@contextmanager
def _delivered(address: str, *, overwrite: bool) -> Iterator[Path]:
    """Yield a file to write, in a folder of its own, and upload it when the block ends without an exception."""
    folder = Path(tempfile.mkdtemp(prefix="gramophone-"))
    made = folder / addresses.name_of(address)
    try:
        with addresses.called(made, address):
            yield made
        title = f"writing {addresses.shown_address(address)}"
        try:
            with console.Display() as display:
                addresses.upload(made, address, overwrite=overwrite, meter=partial(display.part, title))
        except InputError as error:
            # It has taken minutes to make, so it is kept.
            kept = Path(tempfile.mkdtemp(prefix="gramophone-"), made.name)
            made.replace(kept)
            raise InputError(f"{error}; the finished file is {shown(kept)}") from error
    finally:
        # Unfinished work stays; a message has said where.
        if not any(folder.glob("*.work")):
            shutil.rmtree(folder, ignore_errors=True)
