from pathlib import Path

import pytest
import soundfile

pytestmark = pytest.mark.usefixtures("folder")

QUICK = (
    "--recipe", "transport", "--set", "phase_iterations=1", "--set", "rounds=1",
    "--set", "n_fft=512", "--set", "hop=128",
)  # fmt: skip


def test_a_texture_has_the_styles_rate_and_channels_and_the_length_asked_for(call) -> None:
    outcome = call("texture", "style.wav", "-o", "more.flac", "--seconds", "2.5", *QUICK)
    assert outcome.code == 0, outcome.err
    assert outcome.out.startswith("more.flac: 2.5 s in ")
    style, made = soundfile.info("style.wav"), soundfile.info("more.flac")
    assert (made.samplerate, made.channels) == (style.samplerate, style.channels)
    assert made.frames == round(2.5 * style.samplerate)
    assert not list(Path().glob(".*"))


def test_seeds_are_takes(call) -> None:
    files = []
    for name, seed in (("a.wav", 1), ("b.wav", 1), ("c.wav", 2)):
        assert call("texture", "style.wav", "-o", name, "--seconds", 1, "--seed", seed, *QUICK).code == 0
        files.append(Path(name).read_bytes())
    assert files[0] == files[1]
    assert files[0] != files[2]


def test_the_random_networks_make_texture_too(call) -> None:
    args = ("--recipe", "antognini2018", "--steps", 2, "--set", "filters=8", "--set", "kernels=2,4")
    outcome = call(
        "texture", "style.wav", "-o", "net.wav", "--seconds", 1, *args, "--set", "phase_iterations=2"
    )
    assert outcome.code == 0, outcome.err


@pytest.mark.parametrize(
    ("args", "message"),
    [
        (("style.wav", "-o", "style.wav"), "is also an input"),
        (("none.wav", "-o", "out.wav"), "none.wav does not exist"),
        (("style.wav", "-o", "out.txt"), "extension"),
        (("style.wav", "-o", "out.wav", "--seconds", "0"), "--seconds 0 is out of range"),
        (("style.wav", "-o", "out.wav", "--seconds", "nan"), "out of range"),
        (("style.wav", "-o", "out.wav", "--recipe", "ulyanov2016"), "needs a content"),
        (("style.wav", "-o", "out.wav", "--recipe", "soup"), "unknown recipe"),
        (("style.wav", "-o", "out.wav", "--set", "steps"), "--set key=value"),
        (("style.wav", "-o", "out.wav", "--device", "abacus"), "--device abacus"),
    ],
)
def test_mistakes_are_told_in_one_line_and_nothing_is_written(args, message: str, call, listing) -> None:
    before = listing(Path())
    outcome = call("texture", *args)
    assert outcome.code == 2
    assert message in outcome.err
    assert outcome.err.count("\n") == 1
    assert listing(Path()) == before


def test_random_weights_are_warned_of_and_missing_ones_refused(call, tune, water) -> None:
    # The deep network takes its time on one core.
    soundfile.write("brief.wav", tune[:, :3200].T, 16000)
    soundfile.write("drop.wav", water[:, :6000].T, 22050)
    tiny = [f"--set={part}" for part in ("sample_rate=8000", "n_fft=64", "hop=16", "phase_iterations=1")]
    args = ("render", "brief.wav", "drop.wav", "--recipe", "gatys2016", "--steps", 1, *tiny)
    outcome = call(*args, "-o", "out.wav")
    assert outcome.code == 0, outcome.err
    assert "warning: recipe gatys2016: VGG-19 has random weights" in outcome.err
    outcome = call(*args, "-o", "other.wav", "--set", "weights=vgg19.pth")
    assert outcome.code == 2
    assert "vgg19.pth cannot be read" in outcome.err
    assert "random weights" not in outcome.err
    assert not Path("other.wav").exists()
