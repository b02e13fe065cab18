"""The sound read from a file is what its header says, or the user gets a warning."""

import io
import os
import struct
import warnings
from pathlib import Path

import numpy as np
import pytest
import soundfile
from hypothesis import given
from hypothesis import strategies as st

from gramophone.media.audiofile import read_audio, read_audio_bytes, read_track
from gramophone.media.errors import InputError, InputWarning
from gramophone.media.inputs import parse_json
from gramophone.realtime.audio.virtual_stream import FileSource

RATE = 44100
KINDS = ("WAV", "RF64", "AIFF", "FLAC", "OGG", "MP3", "AU", "W64", "CAF")
NOISE = np.random.default_rng(0).uniform(-0.5, 0.5, (RATE, 2))


def sound(kind: str, samples: np.ndarray = NOISE, **how: object) -> bytes:
    file = io.BytesIO()
    soundfile.write(file, samples, RATE, format=kind, **how)
    return file.getvalue()


def read(data: bytes) -> tuple[np.ndarray, list[str]]:
    """Return the samples and what was warned of."""
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always", InputWarning)
        samples = read_audio_bytes(data, name="x").samples
    return samples, [str(one.message) for one in caught]


def streamed(kind: str) -> bytes:
    """A file as whoever cannot go back to its header writes it."""
    data = bytearray(sound(kind))
    if kind == "FLAC":
        data[21] &= 0xF0
        data[22:26] = bytes(4)
    return bytes(data)


def with_size(size: int, *, riff: int | None = None) -> bytes:
    data = bytearray(sound("WAV"))
    at = data.index(b"data") + 4
    data[at : at + 4] = struct.pack("<I", size)
    if riff is not None:
        data[4:8] = struct.pack("<I", riff)
    return bytes(data)


ENDLESS = {
    "FLAC of a pipe": streamed("FLAC"),
    "WAV, 0": with_size(0),
    "WAV, 0 in both": with_size(0, riff=0),
    "WAV of ffmpeg": with_size(2**32 - 1, riff=2**32 - 1),
    "WAV of arecord": with_size(2**31),
}


@pytest.mark.parametrize("name", ENDLESS)
def test_a_file_that_does_not_know_its_length_is_read_whole_everywhere(name: str, tmp_path: Path) -> None:
    path = tmp_path / "x.sound"
    path.write_bytes(ENDLESS[name])
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        whole = read_audio(path).samples
        track = read_track(path, tmp_path / "spool").sound
    assert whole.shape == (2, RATE)
    np.testing.assert_allclose(whole.T, NOISE, atol=1e-4)
    np.testing.assert_array_equal(track.read(0, track.length), whole.astype(np.float32))
    for start in (0, 10_000):
        source = FileSource(path, sample_rate=None, channels=2, input_channels=None, start=start)
        np.testing.assert_allclose(source.read(2 * RATE), NOISE[start:], atol=1e-4)
        source.close()


@given(kind=st.sampled_from(KINDS), size=st.integers(0, 300_000), tags=st.integers(1, 2))
def test_a_tag_before_the_sound_takes_nothing_of_it(kind: str, size: int, tags: int) -> None:
    data = sound(kind)
    seven = bytes(size >> shift & 127 for shift in (21, 14, 7, 0))
    there, told = read((b"ID3\4\0\0" + seven + bytes(size)) * tags + data)
    np.testing.assert_array_equal(there, read(data)[0])
    assert told == []


@given(kind=st.sampled_from(KINDS), part=st.floats(0.1, 0.95))
def test_a_file_that_was_cut_off_is_told_of_or_refused(kind: str, part: float) -> None:
    data = sound(kind)
    try:
        there, told = read(data[: int(part * len(data))])
    except InputError:
        return
    assert there.shape[1] < RATE
    assert len(told) == 1


@pytest.mark.parametrize("kind", ["WAV", "RF64", "AIFF", "FLAC", "OGG", "MP3", "AU", "W64"])
def test_more_than_the_header_says_is_told_of(kind: str) -> None:
    more = np.random.default_rng(1).bytes(60_000)
    told = read(sound(kind) + more)[1]
    assert len(told) == 1


@pytest.mark.parametrize("kind", KINDS)
def test_whole_files_are_passed_over_without_a_word(kind: str) -> None:
    assert read(sound(kind))[1] == []


def test_an_mp3_of_variable_bitrate_without_its_length_is_read_whole() -> None:
    # What comes first is soft, so that a guess from the first frames is far too short.
    samples = np.concatenate([0.001 * NOISE, NOISE, 0 * NOISE, NOISE, NOISE])
    data = sound("MP3", samples, bitrate_mode="VARIABLE", compression_level=0.3)
    tag = data.index(b"Xing")
    cut = data[data.index(data[:2], tag) :]
    there, told = read(cut)
    assert abs(there.shape[1] - len(samples)) < 4 * 1152
    assert told == []


@pytest.mark.parametrize(("channels", "rate"), [(17, RATE), (1, 7999), (1, 384_001), (1, 1)])
def test_the_limits_hold_for_every_file(channels: int, rate: int) -> None:
    file = io.BytesIO()
    soundfile.write(file, np.zeros((10, channels)), rate, format="WAV")
    with pytest.raises(InputError, match="give a sound of"):
        read(file.getvalue())


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="there are no named pipes")
@pytest.mark.parametrize("link", [False, True])
def test_pipes_and_devices_are_refused_and_not_waited_for(tmp_path: Path, link: bool) -> None:
    from gramophone.models.style import load_style

    os.mkfifo(tmp_path / "pipe.wav")
    names = {"x.wav": tmp_path / "pipe.wav", "x.style": Path("/dev/zero")}
    for name, target in names.items():
        path = tmp_path / name if link else target
        if link:
            path.symlink_to(target)
        with pytest.raises(InputError, match="not a regular file"):
            load_style(path)


@given(
    st.recursive(
        st.none()
        | st.booleans()
        | st.integers(-(2**63), 2**64 - 1)
        | st.floats(allow_nan=False, allow_infinity=False),
        lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
        max_leaves=20,
    )
)
def test_what_is_json_and_means_something_is_parsed(value: object) -> None:
    import json

    assert parse_json(json.dumps(value)) == value


@pytest.mark.parametrize(
    "text",
    [
        "[" * 100_000,
        '{"a":' * 1000,
        "[" * 65 + "]" * 65,
        "NaN",
        "-Infinity",
        "",
        '"',
    ],
)
def test_json_that_nobody_wrote_is_a_value_error(text: str) -> None:
    with pytest.raises(ValueError, match=r"\A[^\n]+\Z"):
        parse_json(text)


def test_brackets_in_text_are_no_nesting() -> None:
    assert parse_json('["' + "[" * 1000 + '\\"[["]') == ["[" * 1000 + '"[[']


@given(st.integers(2**64, 10**400) | st.integers(-(10**400), -(2**63) - 1))
def test_integers_that_are_too_long_are_floats(number: int) -> None:
    assert parse_json(str(number)) == float(str(number))
