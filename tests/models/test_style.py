import json
from pathlib import Path

import numpy as np
import pytest
import soundfile
from safetensors.torch import load, save

from gramophone.media.errors import InputError
from gramophone.models.style import FORMAT, MAX_SECONDS, Style, kept_clip, load_style

RATE = 44100


def clip(seconds: float = 1.0, channels: int = 2, rate: int = RATE) -> np.ndarray:
    return 0.2 * np.random.default_rng(0).standard_normal((channels, round(seconds * rate)))


def make(**changes: object) -> Style:
    return Style.from_audio(clip(), RATE, name="hiss", **changes)  # type: ignore[arg-type]


def test_a_saved_style_comes_back(tmp_path: Path) -> None:
    style = make(author="A. Nother", licence="CC0")
    style.save(tmp_path / "hiss.style")
    back = load_style(tmp_path / "hiss.style")
    assert (back.name, back.author, back.licence) == ("hiss", "A. Nother", "CC0")
    assert (back.sample_rate, back.loudness, back.source_hash) == (RATE, style.loudness, style.source_hash)
    np.testing.assert_allclose(back.samples, style.samples, atol=2.0**-23)
    for mine, theirs in zip(vars(back.bands).values(), vars(style.bands).values(), strict=True):
        assert bool((mine == theirs).all())


@pytest.mark.parametrize("channels", [1, 8, 9, 16])
def test_a_style_of_any_number_of_channels_comes_back(tmp_path: Path, channels: int) -> None:
    style = Style.from_audio(clip(channels=channels), RATE, name="many")
    style.save(tmp_path / "many.style")
    found = load_style(tmp_path / "many.style")
    assert found.samples.shape == style.samples.shape
    assert np.abs(found.samples - style.samples).max() <= 2.0**-24
    np.testing.assert_array_equal(kept_clip(style.samples, RATE, name="many"), found.samples)


def test_the_same_clip_gives_the_same_bytes(tmp_path: Path) -> None:
    for name in ("a.style", "b.style"):
        make().save(tmp_path / name)
    assert (tmp_path / "a.style").read_bytes() == (tmp_path / "b.style").read_bytes()


def test_samples_beyond_full_scale_survive(tmp_path: Path) -> None:
    loud = Style.from_audio(8.0 * clip(), RATE, name="loud")
    loud.save(tmp_path / "loud.style")
    np.testing.assert_allclose(load_style(tmp_path / "loud.style").samples, loud.samples, atol=8e-6)


def test_a_sound_file_is_a_style_and_is_named_after_it(tmp_path: Path) -> None:
    soundfile.write(tmp_path / "rain.wav", clip().T, RATE)
    style = load_style(tmp_path / "rain.wav")
    assert style.name == "rain"
    assert style.at(22050).shape == (2, 22050)


def test_no_more_than_thirty_seconds_are_kept() -> None:
    style = Style.from_audio(clip(MAX_SECONDS + 5.0, 1, 8000), 8000, name="long")
    assert style.samples.shape[-1] == MAX_SECONDS * 8000


def test_nothing_is_overwritten_unasked(tmp_path: Path) -> None:
    make().save(tmp_path / "a.style")
    with pytest.raises(InputError, match="already exists"):
        make().save(tmp_path / "a.style")
    make().save(tmp_path / "a.style", overwrite=True)


@pytest.mark.parametrize(
    ("samples", "message"),
    [
        (np.zeros((1, RATE)), "silent"),
        (np.full((1, RATE), 0.5), "silent between 20 Hz and 20 kHz"),
        (clip(0.01), "shorter than one frame"),
        (np.full((1, RATE), np.nan), "not finite numbers"),
    ],
)
def test_clips_without_a_style_are_refused(samples: np.ndarray, message: str) -> None:
    with pytest.raises(InputError, match=message):
        Style.from_audio(samples, RATE, name="clip.wav")


def changed(data: bytes, entries: dict[str, object], drop: str = "", kind: str = FORMAT) -> bytes:
    header = json.loads(data[8 : 8 + int.from_bytes(data[:8], "little")])["__metadata__"]
    described = json.loads(header[FORMAT]) | entries
    tensors = {key: value for key, value in load(data).items() if key != drop}
    return save(tensors, {kind: json.dumps(described)})


def test_damaged_foreign_and_newer_files_are_refused_with_their_name(tmp_path: Path) -> None:
    make().save(tmp_path / "good.style")
    data = (tmp_path / "good.style").read_bytes()
    faults = {
        "empty": b"",
        "short": data[:5],
        "truncated": data[: len(data) // 2],
        "text": b"not a style at all, but long enough to be read as one",
        "foreign": changed(data, {}, kind="something-else"),
        "unversioned": changed(data, {"version": "one"}),
        "clipless": changed(data, {}, drop="clip_flac"),
        "meanless": changed(data, {}, drop="mean"),
        "endless": changed(data, {"clip_gain": float("nan")}),
        "header": (2**40).to_bytes(8, "little") + data[8:],
    }
    for name, content in faults.items():
        path = tmp_path / f"{name}.style"
        path.write_bytes(content)
        with pytest.raises(InputError, match=f"{name}.style is not a Gramophone style"):
            load_style(path)
    (tmp_path / "newer.style").write_bytes(changed(data, {"version": 99}))
    with pytest.raises(InputError, match="newer"):
        load_style(tmp_path / "newer.style")
    with pytest.raises(InputError, match="does not exist"):
        load_style(tmp_path / "missing.style")


def test_another_layout_is_computed_again_from_the_clip(tmp_path: Path) -> None:
    style = make()
    style.save(tmp_path / "good.style")
    data = (tmp_path / "good.style").read_bytes()
    (tmp_path / "other.style").write_bytes(changed(data, {"layout": {"sample_rate": 48000}}, drop="mean"))
    other = load_style(tmp_path / "other.style")
    np.testing.assert_allclose(other.bands.mean, style.bands.mean, atol=1e-4)
