"""Translates the names of tags between formats: ID3 frames and WAV's INFO to Vorbis comments and back.

The common ground are fields: a name in small letters, as Vorbis comments have them (Xiph.org 2005, Ogg Vorbis I
format specification: comment field), with one or several values. The pairs follow what MusicBrainz Picard documents
(Appendix B: Tag mapping), since most players read tags by it.
"""

import re
from collections.abc import Iterable
from typing import Any

Fields = dict[str, list[str]]

_TEXT = {
    "TIT2": "title", "TPE1": "artist", "TALB": "album", "TPE2": "albumartist", "TDRC": "date",
    "TDOR": "originaldate", "TCON": "genre", "TCOM": "composer", "TEXT": "lyricist", "TPE3": "conductor",
    "TPE4": "remixer", "TIT1": "grouping", "TIT3": "subtitle", "TBPM": "bpm", "TKEY": "key", "TCOP": "copyright",
    "TENC": "encodedby", "TPUB": "label", "TSRC": "isrc", "TMOO": "mood", "TLAN": "language", "TMED": "media",
    "TSOP": "artistsort", "TSOA": "albumsort", "TSOT": "titlesort", "TSO2": "albumartistsort",
    "TSOC": "composersort", "TSST": "discsubtitle", "TCMP": "compilation", "MVNM": "movementname",
}  # fmt: skip
_FRAMES = {field: frame for frame, field in _TEXT.items()}
# A number and a total in one frame: "3/12".
_NUMBERS = {
    "TRCK": ("tracknumber", "tracktotal"),
    "TPOS": ("discnumber", "disctotal"),
    "MVIN": ("movement", "movementtotal"),
}
_TOTALS = {"totaltracks": "tracktotal", "totaldiscs": "disctotal"}
# Who did what, in TIPL, by the words that ID3 uses there.
_ROLES = {
    "arranger": "arranger",
    "engineer": "engineer",
    "producer": "producer",
    "mix": "mixer",
    "DJ-mix": "djmixer",
}
_WORDS = {field: word for word, field in _ROLES.items()}
_MUSICBRAINZ = {
    "MusicBrainz Album Id": "musicbrainz_albumid",
    "MusicBrainz Artist Id": "musicbrainz_artistid",
    "MusicBrainz Album Artist Id": "musicbrainz_albumartistid",
    "MusicBrainz Release Group Id": "musicbrainz_releasegroupid",
    "MusicBrainz Release Track Id": "musicbrainz_releasetrackid",
    "MusicBrainz Work Id": "musicbrainz_workid",
}
_DESCRIPTIONS = {field: text for text, field in _MUSICBRAINZ.items()}
_RECORDING = "http://musicbrainz.org"

INFO = {
    "INAM": "title", "IART": "artist", "IPRD": "album", "ICMT": "comment", "ICRD": "date", "IGNR": "genre",
    "ITRK": "tracknumber", "ICOP": "copyright", "IENG": "engineer", "IMUS": "composer", "ILNG": "language",
    "ITCH": "encodedby", "IKEY": "keywords", "ISBJ": "subject",
}  # fmt: skip
AIFF_TEXT = {b"NAME": "title", b"AUTH": "artist", b"(c) ": "copyright", b"ANNO": "comment"}

# Tags that are only true of the old file: its loudness, encoder and gaps.
_OF_THE_FILE = re.compile(
    r"replaygain_.*|r128_.*|itun(smpb|norm|pgap)|encoder|encodersettings|encoder_options|encoded_with|"
    r"software|isft|acoustid_fingerprint|mp3gain_.*"
)
_FRAMES_OF_THE_FILE = frozenset(
    {"TSSE", "TFLT", "TSIZ", "RVA2", "RVAD", "EQU2", "ASPI", "SEEK", "MLLT", "AENC", "ENCR", "TDLY"}
)


def of_the_file(name: str) -> bool:
    """Return whether a field describes the old file, and would be false of another."""
    return _OF_THE_FILE.fullmatch(name.lower()) is not None


def frame_of_the_file(frame: Any) -> bool:
    """Return whether an ID3 frame describes the old file, and would be false of another."""
    described = frame.FrameID in {"TXXX", "COMM"} and of_the_file(str(frame.desc))
    return frame.FrameID in _FRAMES_OF_THE_FILE or described


def field_name(text: str) -> str:
    """Return a name as Vorbis comments allow it: printable ASCII without the equals sign."""
    return "".join(c if " " <= c <= "}" and c != "=" else "_" for c in text).lower() or "_"


def fields_of(frames: Iterable[Any]) -> tuple[Fields, list[str]]:
    """Return the fields of ID3 frames, and the ids of those that no field can hold (pictures are left out)."""
    fields: Fields = {}
    left: list[str] = []
    for frame in frames:
        if frame.FrameID == "APIC":
            continue
        pairs = list(_pairs(frame))
        if not pairs and frame.FrameID not in left:
            left.append(frame.FrameID)
        for name, value in pairs:
            if value and value not in fields.setdefault(name, []):
                fields[name].append(value)
    return {name: values for name, values in fields.items() if values}, left


def _pairs(frame: Any) -> Iterable[tuple[str, str]]:
    """Yield name and value of every field that a frame holds."""
    kind = frame.FrameID
    if kind in _NUMBERS:
        for value in map(str, frame.text):
            number, _, total = value.partition("/")
            yield from zip(_NUMBERS[kind], (number, total), strict=True)
    elif kind in {"TIPL", "TMCL", "IPLS"}:
        for role, person in frame.people:
            if role in _ROLES:
                yield _ROLES[role], person
            else:
                yield "performer", f"{person} ({role})" if role else person
    elif kind == "TCON":
        yield from (("genre", genre) for genre in frame.genres)
    elif kind == "TXXX":
        name = _MUSICBRAINZ.get(frame.desc, frame.desc)
        yield from ((field_name(name), str(value)) for value in frame.text)
    elif kind in {"COMM", "USLT"}:
        name = "comment" if kind == "COMM" else "lyrics"
        values = frame.text if kind == "COMM" else [frame.text]
        yield from ((field_name(f"{name}:{frame.desc}" if frame.desc else name), str(v)) for v in values)
    elif kind == "WXXX":
        yield field_name(f"website:{frame.desc}" if frame.desc else "website"), frame.url
    elif kind == "UFID" and frame.owner == _RECORDING:
        yield "musicbrainz_trackid", frame.data.decode("ascii", "replace")
    elif kind.startswith("W"):
        yield kind.lower(), frame.url
    elif hasattr(frame, "text"):
        values = frame.text if isinstance(frame.text, list) else [frame.text]
        yield from ((_TEXT.get(kind, kind.lower()), str(value)) for value in values)


def add_fields(tag: Any, fields: Fields) -> None:
    """Add fields to an ID3 tag."""
    from mutagen import id3

    rest = {_TOTALS.get(name, name): values for name, values in fields.items()}
    for kind, (number, total) in _NUMBERS.items():
        numbers, totals = rest.pop(number, []), rest.pop(total, [])
        if numbers or totals:
            first = numbers[0] if numbers else ""
            text = f"{first}/{totals[0]}" if totals and "/" not in first else first
            tag.add(id3.Frames[kind](encoding=3, text=[text]))
    people: dict[str, list[list[str]]] = {"TIPL": [], "TMCL": []}
    for name, values in rest.items():
        if name in _WORDS:
            people["TIPL"] += [[_WORDS[name], value] for value in values]
        elif name == "performer":
            for value in values:
                found = re.fullmatch(r"(.*) \((.*)\)", value)
                people["TMCL"].append([found[2], found[1]] if found else ["", value])
        else:
            for frame in _frames(id3, name, values):
                tag.add(frame)
    for kind, pairs in people.items():
        if pairs:
            tag.add(id3.Frames[kind](encoding=3, people=pairs))


def _frames(id3: Any, name: str, values: list[str]) -> list[Any]:
    """Return the frames for one field."""
    first, _, desc = name.partition(":")
    kind = _FRAMES.get(name, name.upper())
    if first == "comment":
        return [id3.COMM(encoding=3, lang="XXX", desc=desc, text=values)]
    if first == "lyrics":
        return [id3.USLT(encoding=3, lang="XXX", desc=desc, text="\n".join(values))]
    if first == "website":
        return [id3.WXXX(encoding=3, desc=desc, url=values[0])]
    if name == "musicbrainz_trackid":
        return [id3.UFID(owner=_RECORDING, data=values[0].encode("ascii", "replace"))]
    # Only names that are a frame's by the table, or a frame's own id: "text" is no field for TEXT.
    frame = id3.Frames.get(kind)
    if frame is not None and (name in _FRAMES or kind not in _TEXT):
        if issubclass(frame, id3.UrlFrame):
            return [frame(url=values[0])]
        if issubclass(frame, id3.TextFrame) and kind != "TXXX":
            return [frame(encoding=3, text=values)]
    return [id3.TXXX(encoding=3, desc=_DESCRIPTIONS.get(name, name), text=values)]
