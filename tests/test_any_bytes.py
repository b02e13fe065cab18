"""Files of any bytes, mutated from real ones: sound or one line, in bounded memory and time."""

import io
import json
import multiprocessing
import resource
import struct
import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import soundfile
from hypothesis import given
from hypothesis import settings as examples
from hypothesis import strategies as st

RATE = 44100
# What a file may take beyond what is loaded anyway, in bytes.
MOST = 200 * 2**20


def noise(seconds: float = 0.1, channels: int = 2, rate: int = RATE) -> np.ndarray:
    return np.random.default_rng(0).uniform(-0.5, 0.5, (round(seconds * rate), channels))


def sound(kind: str, samples: np.ndarray, rate: int = RATE, subtype: str | None = None) -> bytes:
    file = io.BytesIO()
    soundfile.write(file, samples, rate, format=kind, subtype=subtype)
    return file.getvalue()


def unfolding(rate: int, seconds: float, channels: int) -> bytes:
    """A FLAC file of a burst and then nothing: hours take some hundred kilobytes."""
    file = io.BytesIO()
    left = round(rate * seconds)
    with soundfile.SoundFile(file, "w", rate, channels, format="FLAC", subtype="PCM_16") as written:
        burst = np.zeros((min(left, 2**18), channels))
        burst[:5000] = noise(5000 / RATE, channels)[: len(burst)]
        written.write(burst)
        left -= len(burst)
        while left > 0:
            written.write(np.zeros((min(left, 2**18), channels)))
            left -= 2**18
    return file.getvalue()


def style(clip: bytes | None = None, **described: object) -> bytes:
    """A style file with another clip or description."""
    import torch
    from safetensors.torch import load, save

    from gramophone.models.style import FORMAT, Style

    data = Style.from_audio(noise(0.2).T, RATE, name="noise").encode()
    header = json.loads(data[8 : 8 + int.from_bytes(data[:8], "little")])["__metadata__"]
    tensors = load(data)
    if clip is not None:
        tensors["clip_flac"] = torch.from_numpy(np.frombuffer(clip, np.uint8).copy())
    return save(tensors, {FORMAT: json.dumps(json.loads(header[FORMAT]) | described)})


def written(text: object) -> bytes:
    return json.dumps(text, indent=1).encode()


def tagged(data: bytes, size: int) -> bytes:
    seven = [size >> shift & 127 for shift in (21, 14, 7, 0)]
    return b"ID3\4\0\0" + bytes(seven) + bytes(size) + data


PRESET = {"format": "gramophone preset", "version": 1, "values": {"strength": 0.5}, "styles": {"rain": 1.0}}
HEADER = {"format": "gramophone-take", "version": 1, "sample_rate": RATE, "channels": 2, "exact": [[0, 5]]}
SESSION = {"format": "gramophone session", "version": 1, "values": {"gain": 0.0}, "styles": ["rain.wav"]}
MAP = {"format": "gramophone MIDI map", "version": 1, "knobs": [{"cc": 1, "parameter": "mix"}], "pads": []}
MOVE = b'{"frame": 0, "id": "strength", "value": 1}\n{"frame": 5, "slot": 0, "style": ""}\n'


def seeds() -> dict[str, list[bytes]]:
    flac = bytearray(sound("FLAC", noise()))
    flac[21] &= 0xF0
    flac[22:26] = bytes(4)
    sounds = [
        sound(kind, noise()) for kind in ("WAV", "FLAC", "OGG", "MP3", "AIFF", "CAF", "W64", "RF64", "AU")
    ]
    return {
        "sound": [*sounds, bytes(flac), tagged(sounds[0], 5000), sound("WAV", noise(), subtype="DOUBLE")],
        "style": [style()],
        "preset": [written(PRESET)],
        "take": [written(HEADER)],
        "moves": [MOVE],
        "session": [written(SESSION)],
        "map": [written(MAP)],
    }


def readers() -> dict[str, Callable[[Path], object]]:
    from gramophone.app.session import session_state
    from gramophone.media.decoding import read_audio
    from gramophone.media.tags import read_tags
    from gramophone.models.style import load_style
    from gramophone.plugins.preset import FORMAT, known_values, read_json
    from gramophone.realtime.control.midi_map import read_map
    from gramophone.takes.automation import read_lines
    from gramophone.takes.header import read_header
    from gramophone.takes.reader import PARAMETERS

    def session(path: Path) -> object:
        return session_state._parse(read_json(path, session_state.FORMAT), PARAMETERS)

    return {
        "sound": lambda path: (read_tags(path), read_audio(path)),
        "style": load_style,
        "clip": load_style,
        "preset": lambda path: known_values(read_json(path, FORMAT).get("values"), PARAMETERS),
        "take": lambda path: read_header(path, path.read_bytes(), PARAMETERS),
        "moves": lambda path: read_lines(path.read_bytes(), PARAMETERS, name=str(path)),
        "session": session,
        "map": lambda path: read_map(path, PARAMETERS),
    }


def read(kind: str, data: bytes, folder: Path) -> str:
    """Read a file; return what was wrong with it, "" where nothing was. Anything but one line is an error."""
    from gramophone.media.errors import InputError

    path = folder / f"file.{'style' if kind == 'style' else 'bin'}"
    path.write_bytes(data)
    problem = ""
    try:
        readers()[kind](path)
    except InputError as error:
        problem = str(error)
    assert "\n" not in problem
    assert len(problem) < 1000
    return problem


def peak() -> int:
    """The most memory that this process ever had, bytes."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024


numbers = st.sampled_from(
    [b"9" * 400, b"-" + b"9" * 400, b"1e999", b"[" * 100_000, b'"' + b"n" * 5000 + b'"', b"NaN"]
)


@st.composite
def damaged(draw: st.DrawFn, found: dict[str, list[bytes]]) -> tuple[str, bytes]:
    kind = draw(st.sampled_from(sorted(found)))
    data = bytearray(draw(st.sampled_from(found[kind])))
    for _ in range(draw(st.integers(0, 3))):
        # Most of what can go wrong is near the beginning.
        at = int(draw(st.floats(0.0, 1.0, exclude_max=True)) ** 3 * max(1, len(data)))
        how = draw(st.sampled_from(["bytes", "size", "cut", "insert", "number", "double"]))
        if how == "bytes":
            junk = draw(st.binary(min_size=1, max_size=16))
            data[at : at + len(junk)] = junk
        elif how == "size":
            order = draw(st.sampled_from("<>"))
            data[at : at + 4] = struct.pack(
                order + "I", draw(st.sampled_from([0, 1, 2**16, 2**31 - 1, 2**32 - 1]))
            )
        elif how == "cut":
            del data[at:]
        elif how == "insert":
            data[at:at] = draw(st.binary(max_size=64))
        elif how == "number" and kind != "sound":
            digit = next((place for place in range(at, len(data)) if 48 <= data[place] < 58), at)
            data[digit : digit + 1] = draw(numbers)
        elif how == "double":
            data = data * 2
    return kind, bytes(data)


def try_all(folder: Path, answers: "multiprocessing.Queue[tuple[str, int]]") -> None:
    """The child: tries everything, and says what went wrong and how much memory it took."""
    import warnings

    warnings.simplefilter("ignore")
    try:
        found = seeds()
        for kind, files in found.items():
            for data in files:
                assert read(kind, data, folder) == "", kind
        before = peak()

        @examples(derandomize=True, deadline=None, max_examples=600, database=None)
        @given(damaged(found))
        def any_bytes(case: tuple[str, bytes]) -> None:
            read(*case, folder)

        any_bytes()
        answers.put(("", peak() - before))
        for clip, problem in (
            (unfolding(48_000, 3600.0, 2), ""),
            (unfolding(RATE, 1200.0, 1), ""),
            (unfolding(1, 50_000.0, 1), "sample rate of 1 Hz"),
        ):
            assert problem in read("style", style(clip, layout=None), folder)
            assert problem in read("clip", clip, folder)
        answers.put(("", peak() - before))
    except BaseException as error:
        answers.put((f"{type(error).__name__}: {error}"[:2000], 0))


@pytest.mark.skipif(sys.platform == "win32", reason="asks the system for the most memory that was taken")
def test_any_bytes_are_sound_or_one_line_in_bounded_memory(tmp_path: Path) -> None:
    context = multiprocessing.get_context("spawn")
    answers = context.Queue()
    child = context.Process(target=try_all, args=(tmp_path, answers))
    child.start()
    try:
        for _ in range(2):
            problem, taken = answers.get(timeout=300)
            assert not problem
            assert taken < MOST
    finally:
        child.kill()
        child.join()
