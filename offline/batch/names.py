"""What the outputs of a batch are called: `<content>--<style>.<extension>`, each name once."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from pathlib import PurePosixPath

from ...media.addresses import is_address, name_of
from ...media.escaping import shortened

# A name of 255 bytes is the longest that file systems take; the rest is for the extension.
_LONGEST = 120
# What Windows and macOS do not take in a name, or take for something else.
_FORBIDDEN = frozenset('<>:"/\\|?*')


def labels(sources: Sequence[str]) -> list[str]:
    """Return a short label for each source (file names or addresses, none twice): its name without extension.

    Where several have one name, they are told apart by their extensions, else by their folders, else by a number.
    Small and capital letters are taken for the same, as many file systems do.
    """
    found: list[str] = [""] * len(sources)
    open_groups: dict[str, list[int]] = defaultdict(list)
    for index, source in enumerate(sources):
        open_groups[_stem(source).casefold()].append(index)
    taken: set[str] = set()
    # Names that nobody else has go first: they shall not depend on the others.
    for group in sorted(open_groups.values(), key=len):
        for ways in (_stem, _with_extension, _with_folder):
            names = [ways(sources[index]) for index in group]
            folded = {name.casefold() for name in names}
            if len(folded) == len(group) and not folded & taken:
                break
        else:
            names = _numbered([_stem(sources[index]) for index in group], taken)
        for index, name in zip(group, names, strict=True):
            found[index] = name
            taken.add(name.casefold())
    return found


def clashing(sources: Sequence[str], found: Sequence[str]) -> list[str]:
    """Return the sources whose label is not simply their name, in order."""
    return [source for source, label in zip(sources, found, strict=True) if label != _stem(source)]


def outputs(contents: Sequence[str], styles: Sequence[str], extension: str) -> list[str]:
    """Return the name of every pair's output, contents outermost; the labels in each sequence are unique.

    Raises nothing: where two pairs would have one name ("a--b" in "c", "a" in "b--c"), the later one is numbered.
    """
    pairs = [f"{content}--{style}" for content in contents for style in styles]
    taken: set[str] = set()
    names: list[str] = []
    for pair in pairs:
        names += _numbered([pair], taken)
        taken.add(names[-1].casefold())
    return [f"{name}.{extension}" for name in names]


def _numbered(names: Sequence[str], taken: set[str]) -> list[str]:
    done: list[str] = []
    used = set(taken)
    for name in names:
        number, free = 1, name
        while free.casefold() in used:
            number += 1
            free = f"{name}-{number}"
        used.add(free.casefold())
        done.append(free)
    return done


def _clean(text: str) -> str:
    plain = "".join("_" if letter in _FORBIDDEN or not letter.isprintable() else letter for letter in text)
    return shortened(plain, _LONGEST).strip() or "sound"


def _parts(source: str) -> PurePosixPath:
    name = name_of(source)
    path = source.partition("::")[0].partition("?")[0] if is_address(source) else source.replace("\\", "/")
    return PurePosixPath(path).with_name(name) if name else PurePosixPath("sound")


def _stem(source: str) -> str:
    return _clean(_parts(source).stem)


def _with_extension(source: str) -> str:
    path = _parts(source)
    return _clean(f"{path.stem}-{path.suffix[1:]}")


def _with_folder(source: str) -> str:
    path = _parts(source)
    return _clean(f"{path.parent.name}-{path.stem}")
