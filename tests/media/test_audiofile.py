import io
import os
import subprocess
import sys
import textwrap
from pathlib import Path

import numpy as np
import pytest
import soundfile
from hypothesis import given, settings
from hypothesis import strategies as st

import gramophone.media.audiofile
from gramophone.media.audiofile import (
    Audio,
    encode_flac,
    is_silent,
    output_format,
    read_audio,
    read_audio_bytes,
    resample,
    write_audio,
)
from gramophone.media.errors import InputError
from gramophone.media.spool import Held

pytestmark = pytest.mark.filterwarnings("ignore::gramophone.media.errors.InputWarning")

RATE = 44100
EXTENSIONS = ["wav", "flac", "ogg", "mp3", "aif", "aiff"]


def sine(frequency: float, seconds: float, rate: int = RATE, channels: int = 1) -> np.ndarray:
    time = np.arange(int(seconds * rate)) / rate
    return 0.5 * np.stack([np.sin(2 * np.pi * frequency * (1 + k) * time) for k in range(channels)])


def assert_one_line(error: pytest.ExceptionInfo[InputError], name: object) -> None:
    assert "\n" not in str(error.value)
    assert str(name) in str(error.value)


# ---- writing and reading


@pytest.mark.parametrize("extension", EXTENSIONS)
@pytest.mark.parametrize("channels", [1, 2])
def test_every_format_keeps_rate_channels_length_and_sound(
    tmp_path: Path, extension: str, channels: int
) -> None:
    path = tmp_path / f"out.{extension}"
    samples = sine(440.0, 0.5, channels=channels)
    write_audio(path, samples, RATE)
    audio = read_audio(path)
    assert (audio.format, audio.subtype) == output_format(path)
    assert audio.sample_rate == RATE
    assert audio.samples.dtype == np.float64
    assert audio.samples.shape == samples.shape
    tolerance = 0.03 if extension in ("ogg", "mp3") else 2.0**-24
    assert np.abs(audio.samples - samples)[:, 2000:-2000].max() <= tolerance
    assert [entry.name for entry in tmp_path.iterdir()] == [path.name]


@pytest.mark.parametrize("extension", ["wav", "flac", "aiff"])
@pytest.mark.parametrize("bits", [16, 24])
def test_reading_and_writing_again_changes_no_sample(tmp_path: Path, extension: str, bits: int) -> None:
    half = 2 ** (bits - 1)
    rng = np.random.default_rng(bits)
    integers = rng.integers(-half, half, size=(5000, 2))
    integers[:4, 0] = [-half, half - 1, 0, -1]
    first, second = tmp_path / f"first.{extension}", tmp_path / f"second.{extension}"
    soundfile.write(first, (integers << (32 - bits)).astype(np.int32), RATE, subtype=f"PCM_{bits}")
    audio = read_audio(first)
    np.testing.assert_array_equal(audio.samples.T * half, integers)
    write_audio(second, audio.samples, RATE)
    np.testing.assert_array_equal(read_audio(second).samples, audio.samples)


@pytest.mark.parametrize("subtype", ["PCM_16", "PCM_24", "PCM_32", "PCM_U8", "ULAW", "ALAW"])
def test_integers_clip_and_never_wrap(tmp_path: Path, subtype: str) -> None:
    path = tmp_path / "loud.wav"
    write_audio(path, np.array([[3.0, -3.0, 1.0, -1.0, 1e30, -1e30]]), RATE, subtype=subtype)
    read = read_audio(path).samples[0]
    step = 2.0**-5 if "LAW" in subtype else 2.0 ** -(gramophone.media.audiofile._INTEGER_BITS[subtype] - 1)
    assert np.all(np.sign(read) == [1, -1, 1, -1, 1, -1])
    assert np.all(np.abs(read) >= 1.0 - step)
    assert np.all(np.abs(read) <= 1.0)


@pytest.mark.parametrize("extension", ["ogg", "mp3"])
def test_lossy_formats_get_a_clipped_signal(tmp_path: Path, extension: str) -> None:
    path = tmp_path / f"loud.{extension}"
    write_audio(path, 100.0 * sine(440.0, 0.5), RATE)
    assert 0.8 < np.abs(read_audio(path).samples).max() < 1.6


def test_float_subtypes_hold_what_is_beyond_full_scale(tmp_path: Path) -> None:
    samples = np.array([[3.25, -7.5, 1e-9]])
    for subtype, exact in [("FLOAT", samples.astype(np.float32)), ("double", samples)]:
        write_audio(tmp_path / "x.wav", samples, RATE, subtype=subtype, overwrite=True)
        np.testing.assert_array_equal(read_audio(tmp_path / "x.wav").samples, exact)


def test_32_bit_integers_survive(tmp_path: Path) -> None:
    integers = np.random.default_rng(1).integers(-(2**31), 2**31, size=(1000, 1)).astype(np.int32)
    soundfile.write(tmp_path / "a.wav", integers, RATE, subtype="PCM_32")
    audio = read_audio(tmp_path / "a.wav")
    np.testing.assert_array_equal(audio.samples[0] * 2.0**31, integers[:, 0])
    write_audio(tmp_path / "b.wav", audio.samples, RATE, subtype="PCM_32")
    np.testing.assert_array_equal(read_audio(tmp_path / "b.wav").samples, audio.samples)


@pytest.mark.parametrize("extension", EXTENSIONS)
def test_one_sample_is_a_file(tmp_path: Path, extension: str) -> None:
    path = tmp_path / f"short.{extension}"
    write_audio(path, np.array([[0.5]]), RATE)
    assert read_audio(path).samples.shape[0] == 1


@pytest.mark.slow
def test_long_ogg_is_written_in_blocks(tmp_path: Path) -> None:
    # In one call of this length, libsndfile's Vorbis encoder ends the process with a segmentation fault.
    write_audio(tmp_path / "long.ogg", np.zeros((2, 8_000_000)), RATE)
    assert read_audio(tmp_path / "long.ogg").samples.shape == (2, 8_000_000)


def test_wav_too_large_for_its_header_becomes_rf64(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(gramophone.media.audiofile, "_LARGEST_32_BIT", 1000)
    samples = np.round(sine(440.0, 0.1) * 2**23) / 2**23
    write_audio(tmp_path / "big.wav", samples, RATE)
    audio = read_audio(tmp_path / "big.wav")
    assert (audio.format, audio.subtype) == ("RF64", "PCM_24")
    np.testing.assert_array_equal(audio.samples, samples)
    write_audio(tmp_path / "big.flac", samples, RATE)
    with pytest.raises(InputError, match=r"at most 4 GiB; use .flac"):
        write_audio(tmp_path / "big.aiff", samples, RATE)


def test_extension_may_be_in_capitals(tmp_path: Path) -> None:
    assert output_format(tmp_path / "A.WAV") == ("WAV", "PCM_24")


# ---- what cannot be written


@pytest.mark.parametrize("name", ["out", "out.", "out.txt", "out.raw", ".wav"])
def test_unknown_extension_is_refused(tmp_path: Path, name: str) -> None:
    with pytest.raises(InputError, match=r"extension must be one of .wav, .flac") as error:
        write_audio(tmp_path / name, np.zeros((1, 10)), RATE)
    assert_one_line(error, name)
    assert not any(tmp_path.iterdir())


@pytest.mark.parametrize(
    ("name", "channels", "rate", "advice"),
    [
        ("x.mp3", 1, 96000, "44100, 48000 Hz; use .wav"),
        ("x.mp3", 6, 44100, "1 or 2 channels"),
        ("x.flac", 9, 44100, "up to 8 channels"),
        ("x.flac", 1, 700_000, "655350 Hz"),
        ("x.ogg", 1, 400_000, "200000 Hz"),
        ("x.ogg", 300, 44100, "255 channels"),
        ("x.wav", 2000, 44100, "1024 channels"),
        ("x.wav", 1, 0, "positive"),
        ("x.aiff", 1, -8000, "positive"),
    ],
)
def test_limits_of_formats_are_explained(
    tmp_path: Path, name: str, channels: int, rate: int, advice: str
) -> None:
    with pytest.raises(InputError, match=advice) as error:
        write_audio(tmp_path / name, np.zeros((channels, 100)), rate)
    assert_one_line(error, name)
    assert not any(tmp_path.iterdir())


@pytest.mark.parametrize("rate", [8000, 11025, 12000, 16000, 22050, 24000, 32000, 44100, 48000])
@pytest.mark.parametrize("extension", ["mp3", "ogg", "flac"])
def test_promised_rates_work(tmp_path: Path, extension: str, rate: int) -> None:
    path = tmp_path / f"x.{extension}"
    write_audio(path, sine(440.0, 0.2, rate), rate)
    assert read_audio(path).sample_rate == rate


@pytest.mark.parametrize(
    ("extension", "channels", "rate"),
    [("flac", 8, 655_350), ("flac", 1, 1), ("ogg", 1, 1), ("ogg", 1, 200_000), ("ogg", 255, 44100)],
)
def test_limits_that_are_named_are_reached(tmp_path: Path, extension: str, channels: int, rate: int) -> None:
    write_audio(tmp_path / f"x.{extension}", np.zeros((channels, 100)), rate)


def test_unknown_subtype_is_refused_with_the_known_ones(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"FLAC has no subtype FLOAT; use one of .*PCM_24"):
        write_audio(tmp_path / "x.flac", np.zeros((1, 10)), RATE, subtype="FLOAT")
    with pytest.raises(InputError, match="no subtype NONSENSE"):
        write_audio(tmp_path / "x.wav", np.zeros((1, 10)), RATE, subtype="nonsense")


@pytest.mark.parametrize("bad", [np.nan, np.inf, -np.inf])
def test_values_that_are_not_finite_are_refused(tmp_path: Path, bad: float) -> None:
    with pytest.raises(InputError, match="not all finite"):
        write_audio(tmp_path / "x.wav", np.array([[0.0, bad]]), RATE)
    with pytest.raises(InputError, match="not all finite"):
        encode_flac(np.array([[0.0, bad]]), RATE)
    assert not any(tmp_path.iterdir())


@pytest.mark.parametrize("shape", [(1, 0), (0, 10)])
def test_no_samples_are_refused(tmp_path: Path, shape: tuple[int, int]) -> None:
    with pytest.raises(InputError, match="no samples"):
        write_audio(tmp_path / "x.wav", np.zeros(shape), RATE)


def test_existing_file_is_kept_unless_overwriting(tmp_path: Path) -> None:
    path = tmp_path / "x.wav"
    write_audio(path, np.zeros((1, 10)), RATE)
    with pytest.raises(InputError, match="already exists"):
        write_audio(path, np.ones((1, 20)), RATE)
    assert read_audio(path).samples.shape == (1, 10)
    write_audio(path, np.ones((1, 20)), RATE, overwrite=True)
    assert read_audio(path).samples.shape == (1, 20)


# ---- a full disk

FULL_DISK = """
    import resource, signal, sys
    from pathlib import Path
    import numpy as np
    from gramophone.media.audiofile import write_audio
    from gramophone.media.errors import InputError

    signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    folder = Path(sys.argv[1])
    noise = np.random.default_rng(0).uniform(-1.0, 1.0, (2, 100_000))
    for name in ["x.wav", "x.flac", "x.ogg", "x.mp3", "x.aiff"]:
        # 10: not even the header; the last ones: only the very end of the file finds no room.
        write_audio(folder / name, noise, 44100)
        whole = (folder / name).stat().st_size
        (folder / name).unlink()
        for limit in [0, 10, 5000, whole // 2, whole - 5000, whole - 1, whole]:
            resource.setrlimit(resource.RLIMIT_FSIZE, (limit, resource.RLIM_INFINITY))
            try:
                write_audio(folder / name, noise, 44100)
                print(name, limit == whole, "written")
            except InputError as error:
                print(name, limit < whole, error)
            finally:
                resource.setrlimit(resource.RLIMIT_FSIZE, (resource.RLIM_INFINITY, resource.RLIM_INFINITY))
            left = sorted(entry.name for entry in folder.iterdir())
            print(name, left == ([name] if limit == whole else []), left)
        (folder / name).unlink()
"""


@pytest.mark.skipif(sys.platform == "win32", reason="needs RLIMIT_FSIZE")
def test_file_that_finds_no_room_is_an_error_and_leaves_nothing(tmp_path: Path) -> None:
    done = subprocess.run(
        [sys.executable, "-c", textwrap.dedent(FULL_DISK), str(tmp_path)],
        capture_output=True,
        text=True,
        check=False,
        cwd=Path(__file__).parents[2],
    )
    assert (done.returncode, done.stderr) == (0, "")
    lines = done.stdout.splitlines()
    assert len(lines) == 5 * 7 * 2
    for line in lines:
        name, as_expected, message = line.split(" ", 2)
        assert as_expected == "True", line
        if message.startswith("cannot write"):
            assert message.startswith(f"cannot write {tmp_path / name}: the file grew past")


@pytest.mark.skipif(sys.platform == "win32", reason="needs a mount")
@pytest.mark.parametrize("extension", EXTENSIONS)
def test_full_disk_is_an_error_and_leaves_nothing(tmp_path: Path, extension: str) -> None:
    disk = tmp_path / "disk"
    disk.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", "size=64k", "tmpfs", str(disk)]
    try:
        mounted = subprocess.run(mount, capture_output=True, check=False).returncode == 0
    except FileNotFoundError:
        mounted = False
    if not mounted:
        pytest.skip("mounting a small disk is not allowed here")
    try:
        noise = np.random.default_rng(0).uniform(-1.0, 1.0, (2, 400_000))
        with pytest.raises(InputError, match="the disk is full; free some space") as error:
            write_audio(disk / f"x.{extension}", noise, RATE)
        assert_one_line(error, disk)
        assert not any(disk.iterdir())
    finally:
        subprocess.run(["umount", str(disk)], check=True)


def test_interrupt_while_libsndfile_writes_is_not_lost() -> None:
    class Interrupted(io.BytesIO):
        def write(self, data: object) -> int:
            raise KeyboardInterrupt(data)

    with pytest.raises(KeyboardInterrupt):
        gramophone.media.audiofile._write(
            Interrupted(), Held(np.zeros((1, 100_000))), RATE, "FLAC", "PCM_24", "x"
        )


# ---- what cannot be read


def test_missing_file_and_folder_are_named(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="does not exist") as error:
        read_audio(tmp_path / "no.wav")
    assert_one_line(error, tmp_path / "no.wav")
    with pytest.raises(InputError, match="is a folder") as error:
        read_audio(tmp_path)
    assert_one_line(error, tmp_path)
    (tmp_path / "file").write_bytes(b"")
    for odd in (tmp_path / "file" / "x.wav", "nul\0.wav", tmp_path / ("n" * 300), os.devnull):
        with pytest.raises(InputError) as error:
            read_audio(odd)
        assert_one_line(error, "")


@pytest.mark.parametrize(
    "content",
    [
        b"hello, this is not sound\n" * 100,
        b"RIFF",
        b"RIFF\x00\x00\x00\x00WAVE",
        b"fLaC",
        b"OggS",
        b"ID3",
        b"\x00",
    ],
)
@pytest.mark.parametrize("name", ["x.wav", "x.raw", "x.mp3", "x"])
def test_file_that_is_no_sound_is_refused(
    tmp_path: Path, name: str, content: bytes, capfd: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / name
    path.write_bytes(content)
    with pytest.raises(InputError) as error:
        read_audio(path)
    assert_one_line(error, path)
    assert capfd.readouterr().err == ""


def test_empty_file_is_refused(tmp_path: Path) -> None:
    (tmp_path / "x.wav").write_bytes(b"")
    with pytest.raises(InputError, match="is empty"):
        read_audio(tmp_path / "x.wav")


def test_file_without_samples_is_refused(tmp_path: Path) -> None:
    soundfile.write(tmp_path / "x.wav", np.zeros((0, 2)), RATE)
    with pytest.raises(InputError, match="holds no samples"):
        read_audio(tmp_path / "x.wav")


@pytest.mark.parametrize("bad", [np.nan, np.inf])
def test_file_with_values_that_are_not_finite_is_refused(tmp_path: Path, bad: float) -> None:
    soundfile.write(tmp_path / "x.wav", np.array([0.0, bad]), RATE, subtype="FLOAT")
    with pytest.raises(InputError, match="not finite"):
        read_audio(tmp_path / "x.wav")


def read_or_message(data: bytes) -> Audio | str:
    """Read a damaged file; anything raised but a proper InputError fails the test."""
    try:
        return read_audio_bytes(data, name="damaged file")
    except InputError as error:
        message = str(error)
    assert message.startswith("damaged file ")
    assert "\n" not in message
    return message


@pytest.mark.parametrize("extension", EXTENSIONS)
def test_truncated_file_gives_what_is_there_or_an_input_error(
    tmp_path: Path, extension: str, capfd: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / f"x.{extension}"
    samples = np.random.default_rng(0).uniform(-0.5, 0.5, (2, 200_000))
    write_audio(path, samples, RATE)
    data = path.read_bytes()
    for size in (20, 100, 1000, len(data) // 2, len(data) - 1):
        audio = read_or_message(data[:size])
        assert isinstance(audio, str) or 0 < audio.samples.shape[1] <= samples.shape[1] + 4000
    assert "Traceback" not in capfd.readouterr().err


def test_header_that_promises_too_much_takes_no_memory(tmp_path: Path) -> None:
    write_audio(tmp_path / "x.wav", np.zeros((1, 100)), RATE)
    data = bytearray((tmp_path / "x.wav").read_bytes())
    at = data.index(b"data") + 4
    data[at : at + 4] = b"\xf0\xff\xff\x7f"
    assert read_audio_bytes(bytes(data), name="x").samples.shape[1] <= 101


@settings(derandomize=True, deadline=None, max_examples=150, database=None)
@given(
    kind=st.sampled_from(["WAV", "FLAC", "OGG", "MP3", "AIFF"]),
    position=st.floats(0.0, 1.0, exclude_max=True),
    junk=st.binary(min_size=1, max_size=8),
)
def test_damaged_file_never_raises_anything_else(kind: str, position: float, junk: bytes) -> None:
    file = io.BytesIO()
    soundfile.write(file, sine(440.0, 0.1).T, 44100, format=kind)
    data = bytearray(file.getvalue())
    at = int(position**3 * len(data))
    data[at : at + len(junk)] = junk
    read_or_message(bytes(data))


@pytest.mark.parametrize("kind", ["AU", "CAF", "W64", "RF64", "WAVEX"])
def test_other_formats_of_libsndfile_are_read(kind: str) -> None:
    file = io.BytesIO()
    samples = sine(440.0, 0.1, channels=2)
    soundfile.write(file, samples.T, RATE, format=kind, subtype="DOUBLE")
    np.testing.assert_array_equal(read_audio_bytes(file.getvalue(), name="x").samples, samples)


# ---- in memory


@settings(derandomize=True, deadline=None, max_examples=30, database=None)
@given(
    channels=st.integers(1, 8),
    count=st.integers(1, 5000),
    rate=st.one_of(st.integers(8_000, 65_535), st.integers(800, 38_400).map(lambda tens: 10 * tens)),
    seed=st.integers(0, 99),
)
def test_flac_in_memory_is_exact_to_24_bits(channels: int, count: int, rate: int, seed: int) -> None:
    integers = np.random.default_rng(seed).integers(-(2**23), 2**23, size=(channels, count))
    audio = read_audio_bytes(encode_flac(integers / 2**23, rate), name="x")
    np.testing.assert_array_equal(audio.samples * 2**23, integers)
    assert (audio.sample_rate, audio.format, audio.subtype) == (rate, "FLAC", "PCM_24")


@pytest.mark.parametrize(("channels", "rate"), [(9, 44100), (1, 655_360), (1, 65_537)])
def test_flac_in_memory_has_the_limits_of_flac(channels: int, rate: int) -> None:
    with pytest.raises(
        InputError, match="up to 8 channels at 1 to 65535 Hz, or a multiple of 10 up to 655350 Hz"
    ):
        encode_flac(np.zeros((channels, 10)), rate)


# ---- resampling


@settings(derandomize=True, deadline=None, max_examples=60, database=None)
@given(
    count=st.integers(0, 3000),
    channels=st.integers(1, 3),
    rates=st.tuples(*[st.sampled_from([8000, 11025, 22050, 44100, 48000, 96000, 192000])] * 2),
)
def test_resampling_keeps_the_duration(count: int, channels: int, rates: tuple[int, int]) -> None:
    out = resample(np.ones((channels, count)), *rates)
    assert out.shape == (channels, -(-count * rates[1] // rates[0]))
    assert np.isfinite(out).all()


@pytest.mark.parametrize(("there", "frequency"), [(48000, 5000.0), (22050, 5000.0), (96000, 15000.0)])
def test_tone_is_kept_in_place(there: int, frequency: float) -> None:
    out = resample(sine(frequency, 0.5), RATE, there)
    expected = sine(frequency, 0.5, there)
    middle = slice(there // 10, there // 5 * 2)
    assert np.abs(out[:, middle] - expected[:, middle]).max() < 1e-5


def test_tone_above_the_new_nyquist_is_removed() -> None:
    out = resample(sine(15000.0, 0.5), RATE, 22050)
    assert np.abs(out[:, 2000:-2000]).max() < 1e-5


def test_same_rate_returns_the_input_itself() -> None:
    samples = sine(440.0, 0.1)
    assert resample(samples, RATE, RATE) is samples


def test_channels_do_not_mix() -> None:
    samples = np.concatenate([sine(440.0, 0.1), np.zeros((1, 4410))])
    out = resample(samples, RATE, 48000)
    assert np.abs(out[0]).max() > 0.4
    assert not out[1].any()


def test_impossible_rates_are_refused() -> None:
    with pytest.raises(ValueError, match="positive"):
        resample(np.zeros((1, 10)), 0, 44100)


# ---- silence


def test_silence_is_below_minus_90_decibels() -> None:
    assert is_silent(np.zeros((2, 100)))
    assert is_silent(np.zeros((1, 0)))
    assert is_silent(np.array([[0.0, -3.1e-5]]))
    assert not is_silent(np.array([[0.0, -3.2e-5]]))
