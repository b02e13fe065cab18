import base64
import itertools
import struct
import sys
from pathlib import Path

import mutagen
import numpy as np
import pytest
import soundfile
from mutagen import id3
from mutagen.flac import FLAC, Picture

from gramophone.media.audiofile import read_audio, write_audio
from gramophone.media.metadata_chunks import Chunk, append_chunks, read_chunks
from gramophone.media.tag_names import add_fields, fields_of
from gramophone.media.tags import Tags, read_tags, write_tags

RATE = 16000
KINDS = ("wav", "flac", "ogg", "mp3", "aiff")
COVER = b"\x89PNG\r\n\x1a\n" + bytes(range(256)) * 40
FIELDS = {
    "title": ["Die Forelle, D 550 – Ångström"],
    "artist": ["First", "Second"],
    "album": ["Lieder"],
    "albumartist": ["Various"],
    "date": ["1817-05-02"],
    "genre": ["Lied", "Art song"],
    "composer": ["Franz Schubert"],
    "comment": ["one line\nand another"],
    "tracknumber": ["3"],
    "tracktotal": ["12"],
    "discnumber": ["1"],
    "isrc": ["DEA123456789"],
    "performer": ["Anna (piano)", "Bela (voice)"],
    "producer": ["Clara"],
    "musicbrainz_albumid": ["a-b-c"],
    "musicbrainz_trackid": ["d-e-f"],
    "lyrics": ["In einem Bächlein helle"],
    "my own name": ["kept as well"],
}


@pytest.fixture(scope="module")
def tone() -> np.ndarray:
    return 0.5 * np.sin(np.arange(RATE) * 0.05)[None]


def picture(kind: int = 3, text: str = "front") -> Picture:
    made = Picture()
    made.type, made.mime, made.desc, made.data = kind, "image/png", text, COVER
    return made


def tagged(path: Path, tone: np.ndarray) -> Path:
    """A file of any kind with all of FIELDS and two pictures in it."""
    write_audio(path, tone, RATE, tags=Tags(fields=FIELDS, pictures=[picture(), picture(4, "front")]))
    return path


def seen(path: Path) -> tuple[dict[str, list[str]], list[tuple[int, bytes]]]:
    tags = read_tags(path)
    assert not tags.fault
    fields = {name: sorted(values) for name, values in tags.fields.items()}
    return fields, sorted((one.type, one.data) for one in tags.pictures)


@pytest.mark.parametrize(("source", "target"), list(itertools.product(KINDS, KINDS)))
def test_everything_goes_from_any_kind_to_any_other(
    source: str, target: str, tone: np.ndarray, tmp_path: Path
) -> None:
    first, second = tagged(tmp_path / f"first.{source}", tone), tmp_path / f"second.{target}"
    tags = read_tags(first)
    write_audio(second, tone, RATE, tags=tags)
    assert tags.lost_in(second) == []
    assert seen(second) == (
        {name: sorted(values) for name, values in FIELDS.items()},
        [(3, COVER), (4, COVER)],
    )
    # The sound is what it is without tags.
    plain = tmp_path / f"plain.{target}"
    write_audio(plain, tone, RATE)
    np.testing.assert_array_equal(read_audio(second).samples, read_audio(plain).samples)


def test_other_programs_find_the_tags_where_they_look(tone: np.ndarray, tmp_path: Path) -> None:
    for kind in KINDS:
        path = tagged(tmp_path / f"sound.{kind}", tone)
        held = mutagen.File(path).tags
        title = held["TIT2"].text if hasattr(held, "getall") else held["title"]
        assert title == FIELDS["title"], kind
    # libsndfile reads INFO, and no ID3.
    with soundfile.SoundFile(tmp_path / "sound.wav") as sound:
        assert (sound.title, sound.album, sound.tracknumber) == (FIELDS["title"][0], "Lieder", "3")
    track = mutagen.File(tmp_path / "sound.mp3")["TRCK"]
    assert track.text == ["3/12"]


@pytest.mark.parametrize("kind", KINDS)
def test_a_file_without_tags_gets_none(kind: str, tone: np.ndarray, tmp_path: Path) -> None:
    write_audio(tmp_path / f"plain.{kind}", tone, RATE)
    tags = read_tags(tmp_path / f"plain.{kind}")
    write_audio(tmp_path / f"again.{kind}", tone, RATE, tags=tags)
    assert (tags.fields, tags.pictures, tags.fault) == ({}, [], "")
    assert (tmp_path / f"again.{kind}").read_bytes()[:4] == (tmp_path / f"plain.{kind}").read_bytes()[:4]
    assert seen(tmp_path / f"again.{kind}") == ({}, [])


def test_what_only_the_old_file_is_stays_behind(tone: np.ndarray, tmp_path: Path) -> None:
    path = tmp_path / "old.flac"
    false = {"replaygain_track_gain": ["-6 dB"], "encoder": ["Other 1.0"], "title": ["T"]}
    write_audio(path, tone, RATE)
    held = FLAC(path)
    held.update(false)
    held.save()
    assert read_tags(path).fields == {"title": ["T"]}
    path = tmp_path / "old.mp3"
    write_audio(path, tone, RATE)
    tag = id3.ID3()
    for frame in (
        id3.TSSE(encoding=3, text=["LAME"]),
        id3.COMM(encoding=3, lang="eng", desc="iTunNORM", text=[" 0000"]),
        id3.TXXX(encoding=3, desc="REPLAYGAIN_TRACK_PEAK", text=["0.9"]),
        id3.TIT2(encoding=3, text=["T"]),
    ):
        tag.add(frame)
    tag.save(path)
    assert read_tags(path).fields == {"title": ["T"]}
    assert list(read_tags(path).id3) == ["TIT2"]


def test_between_files_of_one_kind_nothing_is_lost(tone: np.ndarray, tmp_path: Path) -> None:
    wav, mp3 = tmp_path / "a.wav", tmp_path / "a.mp3"
    write_audio(wav, tone, RATE)
    cue = struct.pack("<I6I", 1, 1, 500, 0x61746164, 0, 0, 500)
    chunks = [Chunk(b"bext", bytes(603)), Chunk(b"cue ", cue), Chunk(b"iXML", b"<BWFXML/>")]
    append_chunks(wav, chunks)
    tags = read_tags(wav)
    write_audio(tmp_path / "b.wav", tone, RATE, tags=tags)
    assert read_chunks(tmp_path / "b.wav") == chunks
    assert tags.lost_in("b.flac") == ["bext", "cue", "iXML"]
    assert tags.lost_in("b.wav") == []
    np.testing.assert_array_equal(read_audio(tmp_path / "b.wav").samples, read_audio(wav).samples)

    write_audio(mp3, tone, RATE)
    tag = id3.ID3()
    tag.add(id3.PRIV(owner="somebody", data=b"\0\1"))
    tag.add(id3.POPM(email="somebody", rating=200, count=3))
    tag.add(id3.TIT2(encoding=1, text=["T"]))
    tag.save(mp3, v2_version=3)
    tags = read_tags(mp3)
    write_audio(tmp_path / "b.mp3", tone, RATE, tags=tags)
    copied = id3.ID3(tmp_path / "b.mp3")
    assert copied.version == (2, 3, 0)
    assert sorted(copied) == sorted(tag)
    assert sorted(tags.lost_in("b.ogg")) == ["POPM", "PRIV"]

    flac = tmp_path / "a.flac"
    write_audio(flac, tone, RATE)
    held = FLAC(flac)
    held.add_picture(picture())
    block = mutagen.flac.CueSheet(None)
    block.tracks.append(mutagen.flac.CueSheetTrack(170, RATE))
    held.metadata_blocks.append(block)
    held.save()
    tags = read_tags(flac)
    write_audio(tmp_path / "b.flac", tone, RATE, tags=tags)
    assert FLAC(tmp_path / "b.flac").cuesheet == FLAC(flac).cuesheet
    assert tags.lost_in("b.wav") == ["cue sheet"]


def test_wav_info_and_aiff_text_are_read(tone: np.ndarray, tmp_path: Path) -> None:
    for name in ("info.wav", "text.aiff", "other.caf"):
        with soundfile.SoundFile(
            tmp_path / name, "w", RATE, 1, format=name[-3:].upper().replace("IFF", "AIFF")
        ) as sound:
            sound.title, sound.artist, sound.comment = "The title", "The artist", "A comment"
            sound.write(tone.T)
        fields = read_tags(tmp_path / name).fields
        assert fields["title"] == ["The title"], name
        assert fields["artist"] == ["The artist"], name
        assert fields["comment"] == ["A comment"], name
    latin = tmp_path / "latin.wav"
    write_audio(latin, tone, RATE)
    append_chunks(latin, [Chunk(b"LIST", b"INFOINAM" + struct.pack("<I", 6) + b"Stra\xdfe")])
    assert read_tags(latin).fields == {"title": ["Straße"]}


def test_chunks_go_behind_samples_of_rf64_too(tone: np.ndarray, tmp_path: Path) -> None:
    path = tmp_path / "long.wav"
    soundfile.write(path, tone.T, RATE, format="RF64", subtype="PCM_16")
    write_tags(path, Tags(fields={"title": ["T"]}), kind="RF64")
    assert read_tags(path).fields == {"title": ["T"]}
    assert soundfile.info(path).frames == tone.shape[1]
    assert struct.unpack("<Q", path.read_bytes()[20:28])[0] == path.stat().st_size - 8


@pytest.mark.parametrize("damage", ["cut", "zeros", "noise"])
@pytest.mark.parametrize("kind", KINDS)
def test_damaged_tags_cost_no_sound(kind: str, damage: str, tone: np.ndarray, tmp_path: Path) -> None:
    path = tagged(tmp_path / f"a.{kind}", tone)
    data = bytearray(path.read_bytes())
    middle = data.find(COVER[:8]) if COVER[:8] in data else len(data) // 2
    if damage == "cut":
        del data[middle:]
    else:
        rng = np.random.default_rng(0)
        data[middle - 60 : middle] = bytes(60) if damage == "zeros" else rng.bytes(60)
    path.write_bytes(data)
    tags = read_tags(path)
    write_audio(tmp_path / "out.flac", tone, RATE, tags=tags)
    assert soundfile.info(tmp_path / "out.flac").frames == tone.shape[1]


def test_tags_that_do_not_fit_are_left_out_and_said(tone: np.ndarray, tmp_path: Path) -> None:
    huge = picture()
    # A block of FLAC has 24 bits for its size.
    huge.data = bytes(2**24)
    tags = Tags(fields={"title": ["T"]}, pictures=[huge])
    write_audio(tmp_path / "out.flac", tone, RATE, tags=tags)
    assert soundfile.info(tmp_path / "out.flac").frames == tone.shape[1]
    assert "do not fit" in tags.lost_in("out.flac")[0]


def test_fields_survive_id3_and_back() -> None:
    tag = id3.ID3()
    add_fields(tag, FIELDS)
    fields, left = fields_of(tag.values())
    assert fields == FIELDS
    assert left == []


def test_a_cover_in_a_comment_of_ogg_is_a_cover(tone: np.ndarray, tmp_path: Path) -> None:
    path = tmp_path / "a.ogg"
    write_audio(path, tone, RATE)
    held = mutagen.File(path)
    held["metadata_block_picture"] = [base64.b64encode(picture().write()).decode(), "damaged"]
    held.save()
    tags = read_tags(path)
    assert [one.data for one in tags.pictures] == [COVER]
    assert tags.fields == {}


def test_without_mutagen_a_line_says_what_tags_need(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "sound.flac"
    soundfile.write(path, np.zeros(100), RATE)
    # None stands for a package that is not installed.
    for name in [name for name in sys.modules if name.partition(".")[0] == "mutagen"]:
        monkeypatch.setitem(sys.modules, name, None)
    tags = read_tags(path)
    assert "pip install 'gramophone[tags]'" in tags.fault
    write_audio(tmp_path / "out.wav", np.zeros((1, 100)), RATE, tags=tags)
    assert read_audio(tmp_path / "out.wav").samples.shape == (1, 100)
