"""The work folder of a render and its finished stages, so that interrupted work can go on."""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Mapping
from pathlib import Path

from ...media.errors import InputError
from ...media.files import shown
from ...media.inputs import parse_json, read_bytes
from ...media.spool import Spool

MANIFEST = "gramophone-work.json"
_LARGEST = 2**20

# Stages that cost next to nothing.
PREPARATION = frozenset({"content", "sounding"})


class Checkpoint:
    """A folder of spools, and a manifest of the finished stages.

    A stage enters the manifest once its sound is complete in the folder, so everything in the manifest is whole after
    any interruption.

    Args:
        folder: made if it is missing
        key: everything that the stages depend on: settings, content and style
        resume: whether to use finished stages with the same key; otherwise the work begins anew

    Attributes:
        resumed: stages that were found finished
        stale: whether there was finished work with another key
    """

    def __init__(self, folder: Path, key: Mapping[str, object], *, resume: bool = False) -> None:
        self.folder = folder
        self.resumed: list[str] = []
        self.stale = False
        # As it will be read back, for the comparison.
        self._key = json.loads(json.dumps(key))
        self._manifest = folder / MANIFEST
        self._stages: list[str] = []
        if (
            folder.exists()
            and not self._manifest.is_file()
            and (not folder.is_dir() or any(folder.iterdir()))
        ):
            raise InputError(
                f"{shown(folder)} is needed for the work and holds something else: move it, or choose another output"
            )
        if resume:
            self._take_up()
        if not self.resumed:
            self._begin()

    def _take_up(self) -> None:
        try:
            known = parse_json(read_bytes(self._manifest, most=_LARGEST, what="record"))
            stages = [str(stage) for stage in known["stages"]]
        except (ValueError, KeyError, TypeError):
            return
        self.stale = known.get("key") != self._key and bool(stages)
        if not self.stale:
            self._stages = self.resumed = stages

    def _begin(self) -> None:
        try:
            shutil.rmtree(self.folder, ignore_errors=True)
            self.folder.mkdir(exist_ok=True)
            self._note()
        except OSError as error:
            reason = (error.strerror or str(error)).lower()
            raise InputError(
                f"cannot work in {shown(self.folder)}: {reason}; choose another output"
            ) from error

    def find(self, stage: str) -> Spool | None:
        """Return the sound of a finished stage; None if it is not finished, or was dropped."""
        return Spool.open(self._path(stage)) if stage in self._stages else None

    def keep(self, stage: str, sound: Spool) -> Spool:
        """Store the sound of a stage under its name, and note that the stage is finished."""
        with sound.path.open("rb+") as file:
            os.fsync(file.fileno())
        path = self._path(stage)
        sound.path.replace(path)
        self._stages = [*(s for s in self._stages if s != stage), stage]
        self._note()
        return Spool.open(path)

    def drop(self, stage: str) -> None:
        """Remove the sound of a stage that is no longer needed."""
        if stage in self._stages:
            self._stages.remove(stage)
            self._note()
            self._path(stage).unlink(missing_ok=True)

    def clear(self, *names: str) -> None:
        """Remove temporary spools, by their names."""
        for name in names:
            (self.folder / f"{name}.spool").unlink(missing_ok=True)

    def remove(self) -> None:
        """Remove the folder and all in it."""
        shutil.rmtree(self.folder, ignore_errors=True)

    @property
    def worth_keeping(self) -> bool:
        """Whether a stage is finished that took noticeable time."""
        return any(stage not in PREPARATION for stage in self._stages)

    def tidy(self) -> None:
        """Remove all files but those of finished stages."""
        known = {self._manifest, *map(self._path, self._stages)}
        for path in self.folder.iterdir():
            if path not in known:
                path.unlink(missing_ok=True)

    @property
    def stages(self) -> list[str]:
        """Finished stages whose sounds are there."""
        return list(self._stages)

    def _path(self, stage: str) -> Path:
        return self.folder / f"{stage.replace(' ', '-')}.spool"

    def _note(self) -> None:
        beside = self._manifest.with_suffix(".part")
        beside.write_text(json.dumps({"key": self._key, "stages": self._stages}, indent=1), encoding="utf-8")
        beside.replace(self._manifest)
