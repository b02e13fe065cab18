"""The styles of a session: their sources, a name for each, and which of them are listed."""

from __future__ import annotations

from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING

from ...media.errors import InputError
from ...media.files import shown
from ...media.inputs import check_regular

if TYPE_CHECKING:
    from ...models.style import Style

#: Suffixes of styles in a folder; other files are ignored.
SUFFIXES = frozenset(
    {".style", ".wav", ".flac", ".ogg", ".mp3", ".aif", ".aiff", ".opus", ".m4a", ".w64", ".caf"}
)
#: The most styles that a folder shows.
MOST_IN_FOLDER = 1000

# Bytes, so that there is room for a number and the suffix.
_LONGEST_NAME = 240
# What some system does not allow in the name of a file.
_FORBIDDEN = frozenset('/\\:*?"<>|')


class StyleLibrary:
    """Sources by key and keys by name; not safe for several threads at once."""

    def __init__(self) -> None:
        self.sources: dict[str, Path | Style] = {}
        self.names: dict[str, str] = {}
        #: keys of what is shown, in order
        self.listed: dict[str, None] = {}
        self.folder: Path | None = None
        #: where captures are saved while no folder has been chosen
        self.captures = Path()

    def key(self, source: Path | Style) -> str:
        """Return the key of a style, and give it a unique name."""
        if isinstance(source, Path):
            source = source.absolute()
            key, name = str(source), source.stem
        else:
            # Kept below, so that no other style can have this number.
            key, name = f"style {id(source)}", source.name
        if key not in self.sources:
            self.sources[key] = source
            taken = set(self.names.values())
            number, plain = 1, name
            while name in taken:
                number += 1
                name = f"{plain} ({number})"
            self.names[key] = name
        return key

    def path(self, key: str) -> Path | None:
        """Return the file of a style; None if it has none or is not known."""
        source = self.sources.get(key)
        return source if isinstance(source, Path) else None

    def show(self, key: str) -> None:
        """Add a style to the end of the list."""
        self.listed.setdefault(key)

    def list_folder(self, path: Path) -> tuple[Path, ...]:
        """List the styles of a folder instead of the present list, in alphabetical order; return their files.

        Raises:
            InputError: there is no such folder, or it cannot be read
        """
        try:
            found = sorted(
                one
                for one in path.iterdir()
                if one.suffix.lower() in SUFFIXES and not one.name.startswith(".") and one.is_file()
            )[:MOST_IN_FOLDER]
        except OSError as error:
            raise InputError(
                f"{shown(path)} is no folder of styles ({error.strerror}); choose another"
            ) from None
        self.folder = path
        self.listed = {self.key(one): None for one in found}
        return tuple(found)

    def find(self, name: str | Path) -> str:
        """Return the key of a style by its name or path; InputError if there is none."""
        if isinstance(name, str):
            for key, known in self.names.items():
                if known == name:
                    return key
        try:
            check_regular(name)
        except InputError:
            raise InputError(
                f"there is no style {shown(str(name))}; give a name of the list, or a file"
            ) from None
        return self.key(Path(name))

    def new_file(self, name: str | None) -> Path:
        """Return a new file name for a captured style.

        Args:
            name: wanted; None is made of date and time

        Raises:
            InputError: it cannot be the name of a file, or the folder cannot be made
        """
        plain = (f"capture-{datetime.now().astimezone():%Y%m%d-%H%M%S}" if name is None else name).strip()
        allowed = plain.isprintable() and not plain.startswith(".") and not _FORBIDDEN & set(plain)
        if not (allowed and 0 < len(plain.encode()) <= _LONGEST_NAME):
            raise InputError(
                f"{name!r} cannot be the name of a style; use letters, digits, spaces and dashes"
            )
        folder = self.folder or self.captures
        try:
            folder.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise InputError(
                f"{shown(folder)} cannot be made ({error.strerror}); choose another folder"
            ) from None
        number, path = 1, folder / f"{plain}.style"
        # One that has not been written yet is known already.
        while path.exists() or str(path.absolute()) in self.sources:
            number += 1
            path = folder / f"{plain}-{number}.style"
        return path
