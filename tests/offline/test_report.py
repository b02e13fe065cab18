"""The report: complete, self-contained, escaped, and never half written."""

from __future__ import annotations

import base64
import io
import math
import sys
from dataclasses import replace
from html.parser import HTMLParser

import numpy as np
import pytest
import soundfile

from gramophone.media.errors import InputError
from gramophone.offline.report import figures
from gramophone.offline.report.report import Report, ReportSound, Row, write_report

RATE = 22_050


def tone(hz, seconds, *, rate=RATE, channels=1):
    time = np.arange(round(seconds * rate)) / rate
    return np.stack([0.4 * np.sin(2 * np.pi * hz * time + n) for n in range(channels)])


def a_report(**changes):
    report = Report(
        content=ReportSound("content.wav", tone(440, 1.2, channels=2), RATE),
        style=ReportSound("style.wav", tone(880, 0.5, rate=48_000), 48_000),
        output=ReportSound("output.wav", tone(660, 1.2, channels=2), RATE),
        recipe_name="closed-form",
        recipe_summary="one line about it",
        settings=[
            ("detail", 0.25, "which notes"),
            ("kernels", (1, 3), "lengths"),
            ("seed_each", True, "fresh"),
        ],
        losses=[("magnitudes", n, 0.1 / (n + 1)) for n in range(50)]
        + [("waveform", n, 3.0) for n in range(9)],
        rows=[
            Row("content, unchanged", 1.0, 1.0, 1.0, 1.0, 1.0, 1.0, 1.0, 1.0, 1.0),
            Row("matched equaliser", 0.55, 0.73, 0.73, 0.9, 0.8, 0.7, None, 0.47, 0.61),
            Row("output", 0.123, 1.347, -0.04, 0.9, 0.8, 0.7, 0.6, 0.26, 1.52, highlight=True),
            Row("floor", 0.08, 0.22, free_raw=0.07, free_centred=0.19),
        ],
        seconds={"closed form": 0.5, "magnitudes": 3.2, "waveform": 75.0},
        facts={"seed": "17", "strength": "0.8", "version": "9.9.9"},
    )
    return replace(report, **changes)


class Page(HTMLParser):
    """The page as elements and the text in sight."""

    def __init__(self, html):
        super().__init__()
        self.elements: list[tuple[str, dict[str, str | None]]] = []
        self.words: list[str] = []
        self.inside: list[str] = []
        self.feed(html)
        self.text = " ".join(" ".join(self.words).split())

    def handle_starttag(self, tag, attrs):
        self.elements.append((tag, dict(attrs)))
        if tag in ("style", "script"):
            self.inside.append(tag)

    def handle_endtag(self, tag):
        if self.inside and self.inside[-1] == tag:
            self.inside.pop()

    def handle_data(self, data):
        if not self.inside:
            self.words.append(data)

    def all(self, tag, **attributes):
        wanted = [a for t, a in self.elements if t == tag]
        return [a for a in wanted if all(a.get(key) == value for key, value in attributes.items())]


def written(tmp_path, report):
    path = tmp_path / "report.html"
    write_report(path, report)
    return Page(path.read_text(encoding="utf-8"))


def decoded(uri):
    head, data = uri.split(",", 1)
    samples, rate = soundfile.read(io.BytesIO(base64.b64decode(data, validate=True)), always_2d=True)
    return head, samples.T, rate


def test_it_needs_nothing_but_itself(tmp_path):
    page = written(tmp_path, a_report())
    for tag, attributes in page.elements:
        assert tag not in ("link", "iframe", "object", "embed", "base")
        for name in ("src", "href", "srcset", "poster", "action", "data"):
            value = attributes.get(name)
            assert value is None or value.startswith(("data:", "#")), (tag, name, value[:60])
    html = (tmp_path / "report.html").read_text(encoding="utf-8")
    assert "http:" not in html
    assert "https:" not in html
    assert "@import" not in html
    (policy,) = page.all("meta", **{"http-equiv": "Content-Security-Policy"})
    assert policy["content"].startswith("default-src 'none'")
    assert not [a for _, a in page.elements if any(name.startswith("on") for name in a)]


def test_everything_told_is_shown(tmp_path):
    report = a_report()
    text = written(tmp_path, report).text
    for key, _, help_ in report.settings:
        assert key in text
        assert help_ in text
    for words in ("0.25", "1, 3", "yes", "closed-form", "one line about it", "9.9.9", "17", "0.8"):
        assert words in text
    for row in report.rows:
        assert row.name in text
    for number in (
        "0.55",
        "0.73",
        "0.12",
        "1.35",
        "−0.04",
        "0.08",
        "0.22",
        "0.47",
        "0.61",
        "0.26",
        "1.52",
        "0.07",
        "0.19",
    ):
        assert number in text
    for stage, time in (("closed form", "0.50 s"), ("magnitudes", "3.20 s"), ("waveform", "1 min 15 s")):
        assert stage in text
        assert time in text
    assert "0 = the style’s own statistics, 1 = nothing happened" in text
    assert "not measured" in text


def test_settings_keep_every_digit(tmp_path):
    page = written(tmp_path, a_report(settings=[("learning_rate", 0.0123456789, ""), ("mask", None, "")]))
    assert "0.0123456789" in page.text


NASTY = "<b>&\"x'</script><img src=x onerror=alert(1)>"


def test_whatever_comes_from_outside_is_escaped(tmp_path):
    report = a_report(
        content=ReportSound(NASTY, tone(440, 0.3), RATE),
        style=ReportSound(NASTY, tone(550, 0.3), RATE),
        output=ReportSound(NASTY, tone(660, 0.3), RATE),
        recipe_name=NASTY,
        recipe_summary=NASTY,
        settings=[(NASTY, NASTY, NASTY)],
        losses=[(NASTY, 1, 0.5), (NASTY, 2, 0.25)],
        rows=[Row(NASTY, 0.5, 0.5, 0.5, highlight=True), Row(NASTY + "floor", 0.1, 0.2)],
        seconds={NASTY: 1.0},
        facts={NASTY: NASTY, "seed": NASTY},
    )
    harmless = written(tmp_path, a_report())
    (tmp_path / "report.html").unlink()
    nasty = written(tmp_path, report)
    assert NASTY in nasty.text
    assert len(nasty.all("img")) == len(harmless.all("img")) == 3
    assert len(nasty.all("script")) == 1
    assert not nasty.all("img", src="x")
    assert not [a for _, a in nasty.elements if any(name.startswith("on") for name in a)]


@pytest.mark.parametrize("rates", [(44_100, 44_100, 44_100), (8_000, 96_000, 11_000)])
@pytest.mark.parametrize("channels", [1, 2, 3])
def test_the_sounds_are_the_sounds(tmp_path, rates, channels):
    given = [
        ReportSound(f"sound {n}", tone(300 + 40 * n, 0.7, rate=r, channels=channels), r)
        for n, r in enumerate(rates)
    ]
    page = written(tmp_path, a_report(content=given[0], style=given[1], output=given[2]))
    audio = page.all("audio")
    assert len(audio) == 3
    for element, sound in zip(audio, given, strict=True):
        head, samples, rate = decoded(element["src"])
        assert head == "data:audio/flac;base64"
        assert rate == sound.sample_rate
        assert samples.shape == sound.samples.shape
        assert np.abs(samples - sound.samples).max() < 2.0**-15


def test_a_long_sound_is_compressed_and_its_picture_stays_small(tmp_path):
    rate = 7_000  # not a rate that MP3 has
    rng = np.random.default_rng(0)
    long = np.cumsum(rng.standard_normal((1, 90 * rate)), axis=1)
    long = 0.3 * (long - np.convolve(long[0], np.ones(50) / 50, "same"))
    long /= np.abs(long).max() * 2
    page = written(tmp_path, a_report(content=ReportSound("long", long, rate)))
    head, samples, _ = decoded(page.all("audio")[0]["src"])
    assert head == "data:audio/mpeg;base64"
    assert samples.shape[1] / 8_000 == pytest.approx(90, abs=0.3)
    assert decoded(page.all("audio")[1]["src"])[0] == "data:audio/flac;base64"
    for image in page.all("img"):
        width, height = np.frombuffer(base64.b64decode(image["src"].split(",")[1])[16:24], ">u4")
        assert width <= 900
        assert height == figures.ROWS
    assert "1:00" in page.text


def test_loud_samples_are_clipped_and_never_wrapped(tmp_path):
    page = written(tmp_path, a_report(output=ReportSound("loud", 5 * tone(100, 0.5), RATE)))
    _, samples, _ = decoded(page.all("audio")[2]["src"])
    assert np.abs(samples).max() <= 1.0
    assert samples.max() > 0.99
    assert np.sum(samples * tone(100, 0.5)) > 0


def test_with_everything_missing_it_says_so(tmp_path):
    report = Report(
        content=ReportSound("", np.zeros((1, 10)), 8_000),
        style=ReportSound("s", np.zeros((2, 1)), 44_100),
        output=ReportSound("o", np.zeros((1, 100)), 8_000),
        recipe_name="r",
        recipe_summary="",
    )
    text = written(tmp_path, report).text
    assert "was not measured" in text
    assert "No loss was recorded" in text
    assert "nothing to set" in text
    assert "silent" in text
    assert "None" not in text


@pytest.mark.parametrize(
    "rows",
    [
        [Row("output", math.nan, 0.4, None, free_raw=math.nan, free_centred=0.4, highlight=True)],
        [Row("output", 0.5, 0.4, math.nan, notes=None, highlight=True)],
        [Row("output", 9.0, 30.0, -1.0, -1.0, -1.0, -1.0, -1.0, 9.0, 30.0, highlight=True)],
        [Row("floor", 0.1, 0.2)],
        [Row(f"output {n}", 0.5, 0.4, 0.1, free_raw=0.5, free_centred=0.4) for n in range(40)],
    ],
)
@pytest.mark.parametrize(
    "losses",
    [[("one", 1, 0.5)], [("one", 0, 0.0), ("one", 1, math.nan)], [("one", n, 0.5) for n in range(3)]],
)
def test_odd_numbers_make_a_page_without_odd_words(tmp_path, rows, losses):
    short = {role: ReportSound(role, tone(300, 0.1), RATE) for role in ("content", "style", "output")}
    page = written(tmp_path, a_report(**short, rows=rows, losses=losses, seconds={"other": 0.0}))
    assert "nan" not in page.text
    for row in rows:
        assert row.name in page.text
    for rect in page.all("rect"):
        assert 0 <= float(rect["width"]) <= 1000


def test_an_existing_file_is_kept_unless_told(tmp_path):
    path = tmp_path / "report.html"
    path.write_text("mine")
    with pytest.raises(InputError, match=r"report\.html"):
        write_report(path, a_report())
    assert path.read_text() == "mine"
    write_report(path, a_report(), overwrite=True)
    assert path.read_text(encoding="utf-8").startswith("<!DOCTYPE html>")


@pytest.mark.parametrize("samples", [np.zeros((1, 0)), np.full((1, 50), np.nan)])
def test_nothing_is_left_when_it_fails(tmp_path, samples):
    with pytest.raises(InputError, match="broken"):
        write_report(tmp_path / "report.html", a_report(output=ReportSound("broken", samples, RATE)))
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("missing", ["jinja2", "PIL"])
def test_without_its_packages_it_says_what_to_install(tmp_path, monkeypatch, missing):
    monkeypatch.setitem(sys.modules, missing, None)
    with pytest.raises(InputError, match=r'pip install "gramophone\[report\]"'):
        write_report(tmp_path / "report.html", a_report())
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("hz", [60, 440, 1000, 7000])
def test_a_tone_stands_where_its_frequency_is(hz):
    picture = figures.log_spectrogram(tone(hz, 1.0), RATE, columns=50, highest=11_025)
    row = picture.mean(axis=1).argmax() + 0.5
    seen = figures.LOWEST_HZ * (11_025 / figures.LOWEST_HZ) ** (row / figures.ROWS)
    # Half a bin of the analysis, or half a row of the picture.
    assert seen == pytest.approx(hz, abs=12 + 0.02 * hz)


@pytest.mark.parametrize("seconds", [0.05, 1.0, 40.0])
def test_a_click_stands_where_its_time_is(seconds):
    samples = np.zeros((1, round(seconds * RATE)))
    samples[0, samples.shape[1] // 4] = 1.0
    picture = figures.log_spectrogram(samples, RATE, columns=100)
    loud = picture[:200].sum(axis=0)
    centre = np.sum(loud * (np.arange(100) + 0.5)) / loud.sum()
    assert centre == pytest.approx(25, abs=0.5 + 100 * 0.06 / seconds / 2)


def test_pictures_compare_across_sample_rates():
    rng = np.random.default_rng(1)
    noise = rng.standard_normal((1, 44_100 * 2))
    slow = noise.reshape(1, -1, 2).mean(axis=2)
    high = figures.decibels(figures.log_spectrogram(noise, 44_100, columns=20)).mean(axis=1)
    low = figures.decibels(figures.log_spectrogram(slow, 22_050, columns=20)).mean(axis=1)
    same = slice(60, 180)  # about 160 Hz to 2.4 kHz: the crude resampling above is flat there
    assert np.abs(high[same] - low[same]).mean() < 1.5


def test_what_is_out_of_phase_between_channels_is_seen():
    left = tone(440, 0.5)
    picture = figures.log_spectrogram(np.concatenate([left, -left]), RATE, columns=10)
    assert np.allclose(picture, figures.log_spectrogram(left, RATE, columns=10))


def test_the_loss_curve_goes_through_its_stages_in_order():
    curve = figures.loss_curve(
        [("a", n, 10.0**-n) for n in range(1, 5)] + [("b", n, 1e-3) for n in range(1, 5000)]
    )
    assert curve is not None
    assert [stage.name for stage in curve.stages] == ["a", "b"]
    assert min(stage.width for stage in curve.stages) > 10  # four steps beside five thousand are seen
    positions = [tick.at for tick in curve.step_ticks]
    assert positions == sorted(positions)
    assert 0 <= positions[0] <= positions[-1] <= 100
    a, b = curve.stages
    assert a.start == 0
    assert b.start == pytest.approx(a.width)
    assert b.start + b.width == pytest.approx(100)
    heights = [float(point.split()[1]) for point in a.path[1:].split("L")]
    assert heights == sorted(heights)
    assert np.allclose(np.diff(heights, 2), 0, atol=0.3)  # exponential decay is straight on a log axis
    assert len(b.path.split("L")) < 700
    assert figures.loss_curve([]) is None
