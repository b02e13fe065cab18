"""Tags: title, artist, cover and all the rest, taken from one sound file and written into another.

Between files of one kind everything is copied unchanged. Between kinds, text and pictures are translated (see
`media.tag_names`); `Tags.lost_in` names what the other kind has no place for. Tags that are only true of the old file
(its encoder, its replay gain) are dropped.
"""

import base64
import os
import struct
from contextlib import suppress
from dataclasses import dataclass, field
from io import BytesIO
from pathlib import Path
from typing import Any

from .files import native
from .formats import output_format
from .metadata_chunks import Chunk, append_chunks, container, read_chunks
from .tag_names import (
    AIFF_TEXT,
    INFO,
    Fields,
    add_fields,
    field_name,
    fields_of,
    frame_of_the_file,
    of_the_file,
)

_ID3_CHUNK = {"WAV": b"id3 ", "AIFF": b"ID3 "}
# The blocks of a FLAC file that say more than comments can: foreign data and the cue sheet of a disc.
_APPLICATION, _CUE_SHEET = 2, 5
_PICTURE = "metadata_block_picture"


@dataclass
class Tags:
    """The tags of a file, in a form that fits any other.

    Attributes:
        kind: libsndfile's name of the format it was read from, or "".
        fields: Name in small letters to values.
        pictures: mutagen's `flac.Picture`.
        id3: mutagen's `ID3`, if the file had such a tag.
        chunks: Of a WAV or AIFF file, apart from ID3.
        blocks: Of a FLAC file, apart from comments and pictures: mutagen's blocks.
        fault: Why tags could not be read; else "".
    """

    kind: str = ""
    fields: Fields = field(default_factory=dict)
    pictures: list[Any] = field(default_factory=list)
    id3: Any = None
    chunks: list[Chunk] = field(default_factory=list)
    blocks: list[Any] = field(default_factory=list)
    fault: str = ""

    def lost_in(self, path: str | os.PathLike[str], *, format: str | None = None) -> list[str]:
        """Return the tags that a file of this name (or `format`) has no place for, by their old names."""
        if self.fault:
            return [self.fault]
        kind, _ = output_format(path, format=format)
        lost: list[str] = []
        if kind != self.kind:
            lost += [_chunk_name(chunk) for chunk in self.chunks if not _chunk_fields([chunk])]
            lost += ["cue sheet" if block.code == _CUE_SHEET else "application data" for block in self.blocks]
        if kind in {"FLAC", "OGG"} and self.id3 is not None:
            lost += fields_of(self.id3.values())[1]
        return list(dict.fromkeys(lost))


def read_tags(path: str | os.PathLike[str]) -> Tags:
    """Return the tags of a sound file; none of a file that has none. Damaged tags are no error, but said in `fault`."""
    tags = Tags()
    try:
        _read(Path(path), tags)
    except ModuleNotFoundError:
        return Tags(fault="they need the package mutagen: pip install 'gramophone[tags]'")
    except Exception as error:
        # Written by who knows what: mutagen raises anything from its own errors to those of struct.
        return Tags(fault=f"they cannot be read ({' '.join(str(error).split()) or type(error).__name__})")
    return tags


def _read(path: Path, tags: Tags) -> None:
    import mutagen

    tags.kind = container(path)
    if tags.kind:
        chunks = read_chunks(path)
        tags.chunks = [chunk for chunk in chunks if chunk.name.lower() != b"id3 "]
        for chunk in chunks:
            if chunk.name.lower() == b"id3 ":
                _read_id3(BytesIO(chunk.data), tags)
        _fill(tags, _chunk_fields(tags.chunks))
        return
    opened = mutagen.File(path)
    held = None if opened is None else opened.tags
    if held is None:
        _fill(tags, _other(path))
    elif hasattr(held, "getall"):
        tags.kind = "MP3"
        _read_id3(path, tags)
    elif hasattr(held, "vendor"):
        tags.kind = "FLAC" if hasattr(opened, "metadata_blocks") else "OGG"
        _read_comments(opened, tags)


def _fill(tags: Tags, fields: Fields) -> None:
    for name, values in fields.items():
        if not of_the_file(name):
            tags.fields.setdefault(name, values)


def _read_id3(source: Path | BytesIO, tags: Tags) -> None:
    from mutagen import id3
    from mutagen.flac import Picture

    tag = id3.ID3(source)
    for key in [key for key, frame in tag.items() if frame_of_the_file(frame)]:
        del tag[key]
    tags.id3 = tag
    _fill(tags, fields_of(tag.values())[0])
    for frame in tag.getall("APIC"):
        picture = Picture()
        picture.type, picture.mime, picture.desc, picture.data = (
            frame.type,
            frame.mime,
            frame.desc,
            frame.data,
        )
        tags.pictures.append(picture)


def _read_comments(opened: Any, tags: Tags) -> None:
    from mutagen.flac import Picture

    fields: Fields = {}
    for name, value in opened.tags:
        if name.lower() == _PICTURE:
            with suppress(Exception):
                tags.pictures.append(Picture(base64.b64decode(value)))
        else:
            fields.setdefault(name.lower(), []).append(value)
    _fill(tags, fields)
    tags.pictures += getattr(opened, "pictures", [])
    for block in getattr(opened, "metadata_blocks", []):
        if block.code in (_APPLICATION, _CUE_SHEET):
            tags.blocks.append(block)


def _other(path: Path) -> Fields:
    """Return what else there may be: an APE tag on an MP3 file, or what libsndfile knows of rarer formats."""
    import soundfile
    from mutagen.apev2 import APENoHeaderError, APEv2

    with suppress(APENoHeaderError):
        texts = {name: value for name, value in APEv2(path).items() if value.kind == 0}
        return {field_name(name): list(value) for name, value in texts.items()}
    with soundfile.SoundFile(native(path)) as sound:
        return {name: [value] for name, value in sound.copy_metadata().items() if value}


def _chunk_name(chunk: Chunk) -> str:
    name = chunk.name.decode("latin-1").strip()
    return f"{name} {chunk.data[:4].decode('latin-1')}" if name == "LIST" else name


def _chunk_fields(chunks: list[Chunk]) -> Fields:
    """Return the fields in WAV's INFO lists and in AIFF's text chunks."""
    fields: Fields = {}
    for chunk in chunks:
        if chunk.name in AIFF_TEXT:
            fields.setdefault(AIFF_TEXT[chunk.name], []).append(_text(chunk.data))
        if chunk.name == b"LIST" and chunk.data[:4] == b"INFO":
            place = 4
            while place + 8 <= len(chunk.data):
                name, size = struct.unpack_from("<4sI", chunk.data, place)
                key = field_name(name.decode("latin-1"))
                fields.setdefault(INFO.get(key.upper(), key), []).append(
                    _text(chunk.data[place + 8 : place + 8 + size])
                )
                place += 8 + size + size % 2
    return {name: kept for name, values in fields.items() if (kept := [value for value in values if value])}


def _text(data: bytes) -> str:
    # No standard says in which encoding.
    data = data.split(b"\0")[0]
    try:
        return data.decode("utf-8").strip()
    except UnicodeDecodeError:
        return data.decode("cp1252", "replace").strip()


def write_tags(path: str | os.PathLike[str], tags: Tags, *, kind: str) -> None:
    """Write tags into a sound file that has none yet, in place.

    Args:
        path: A file that is complete but for its tags.
        tags: As `read_tags` returned them.
        kind: libsndfile's name of its format: WAV (also for RF64), AIFF, FLAC, OGG or MP3.

    Raises:
        ValueError: If the tags do not fit into the file, or it is of another format.
    """
    if tags.fault:
        return
    path = Path(path)
    kind = "WAV" if kind == "RF64" else kind
    if kind in _ID3_CHUNK:
        own = list(tags.chunks) if kind == tags.kind else []
        if kind == "WAV" and not own and tags.fields:
            own.append(_info(tags.fields))
        if tags.id3 is not None or kind != tags.kind:
            tag, version = _id3(tags, with_fields=kind != tags.kind)
            if len(tag):
                buffer = BytesIO()
                tag.save(buffer, v2_version=version, padding=lambda _: 0)
                own.append(Chunk(_ID3_CHUNK[kind], buffer.getvalue()))
        if own:
            append_chunks(path, own)
    elif kind == "MP3":
        tag, version = _id3(tags, with_fields=kind != tags.kind or tags.id3 is None)
        if len(tag):
            tag.save(path, v2_version=version)
    else:
        _write_comments(path, tags, kind)


def _id3(tags: Tags, *, with_fields: bool) -> tuple[Any, int]:
    """Return an ID3 tag with all that ID3 can hold, and the version in which to save it."""
    from mutagen import id3

    tag = id3.ID3()
    version = 4
    if tags.id3 is not None:
        for frame in tags.id3.values():
            tag.add(frame)
        tag.unknown_frames, tag._unknown_v2_version = tags.id3.unknown_frames, tags.id3._unknown_v2_version
        if tags.id3.version[:2] == (2, 3):
            version = 3
    if with_fields:
        held = fields_of(tag.values())[0]
        add_fields(tag, {name: values for name, values in tags.fields.items() if name not in held})
    if tags.id3 is None:
        for picture in tags.pictures:
            text = picture.desc
            # Frames are told apart by their text.
            while f"APIC:{text}" in tag:
                text += " "
            tag.add(id3.APIC(encoding=3, mime=picture.mime, type=picture.type, desc=text, data=picture.data))
    if version == 3:
        tag.update_to_v23()
    return tag, version


def _info(fields: Fields) -> Chunk:
    """Return the INFO list, which older programs read, of a few fields."""
    data = b"INFO"
    for key, name in INFO.items():
        if name in fields:
            text = "; ".join(fields[name]).encode("utf-8") + b"\0"
            data += struct.pack("<4sI", key.encode(), len(text)) + text + b"\0" * (len(text) % 2)
    return Chunk(b"LIST", data)


def _write_comments(path: Path, tags: Tags, kind: str) -> None:
    import mutagen

    opened = mutagen.File(path)
    if opened is None:
        raise ValueError(f"{path} is no file for tags")
    if not tags.fields and not tags.pictures and not tags.blocks:
        return
    if opened.tags is None:
        opened.add_tags()
    for name, values in tags.fields.items():
        opened.tags[field_name(name)] = values
    if kind == "FLAC":
        for picture in tags.pictures:
            opened.add_picture(picture)
        if tags.kind == kind:
            opened.metadata_blocks += tags.blocks
    elif tags.pictures:
        opened.tags[_PICTURE] = [
            base64.b64encode(picture.write()).decode("ascii") for picture in tags.pictures
        ]
    opened.save()
