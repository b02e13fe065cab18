"""`gramophone bench live` at its shortest: what it writes, and that what it reports is what it measured."""

import json
from pathlib import Path

import pytest


def test_figures_are_shown_and_written_and_the_latency_is_what_is_measured(spawn, tmp_path: Path) -> None:
    path = tmp_path / "figures.json"
    outcome = spawn("bench", "live", "--seconds", "1", "--stats", path)
    assert outcome.code == 0, outcome.err
    figures = json.loads(path.read_text())
    assert figures["measured_latency_samples"] == figures["total_latency_samples"]
    assert f" {figures['measured_latency_samples']} samples" in outcome.out
    # A second of sound, and the tail.
    assert 1.0 <= figures["seconds"] < 1.2
    assert 0.0 < figures["hop_ms_p50"] <= figures["hop_ms_p99"] <= figures["hop_ms_max"]
    assert f"{100 * figures['load']:.1f} % of one core" in outcome.out


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (("--seconds", "0"), "--seconds"),
        (("--stats", "existing.json"), "--overwrite"),
    ],
)
def test_bad_input_is_one_line(arguments: tuple[str, ...], says: str, folder: Path, call) -> None:
    (folder / "existing.json").write_text("precious")
    outcome = call("bench", "live", *arguments)
    assert outcome.code == 2
    assert outcome.err.startswith("gramophone: error: ")
    assert outcome.err.count("\n") == 1
    assert says in outcome.err
    assert (folder / "existing.json").read_text() == "precious"
