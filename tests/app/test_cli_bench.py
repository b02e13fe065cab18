"""`gramophone bench live` at its shortest: what it writes, and that what it reports is what it measured."""

import json
from pathlib import Path

import pytest

from gramophone.app.bench.midi import write_tune

LATENCY = {
    "sample_rate", "hop", "algorithmic_latency_samples", "buffer_latency_samples", "device_latency_samples",
    "total_latency_samples", "measured_latency_samples", "algorithmic_latency_ms", "total_latency_ms",
}  # fmt: skip
COST = {
    "seconds", "sample_rate", "hop", "load", "hop_ms", "hop_ms_p50", "hop_ms_p99", "hop_ms_max", "p99_share_of_hop",
    "deadlines_missed", "xruns", "ring_empty",
}  # fmt: skip


def test_figures_are_shown_and_written_and_the_latency_is_what_is_measured(spawn, tmp_path: Path) -> None:
    path = tmp_path / "figures.json"
    outcome = spawn("bench", "live", "--seconds", "1", "--jack-seconds", "0", "--stats", path)
    assert outcome.code == 0, outcome.err
    figures = json.loads(path.read_text())
    assert set(figures) == {"machine", "latency", "cost", "dropouts", "message"}
    seen = {(row["sample_rate"], row["hop"]) for row in figures["latency"]}
    assert seen == {(rate, hop) for rate in (48_000, 44_100) for hop in (256, 128)}
    for row in figures["latency"]:
        assert set(row) >= LATENCY
        assert row["measured_latency_samples"] == row["total_latency_samples"]
        assert row["algorithmic_latency_ms"] <= 12.0
        assert f" {row['measured_latency_samples']} " in outcome.out
    cost = figures["cost"]
    assert set(cost) >= COST
    # A second of sound, and the tail.
    assert 1.0 <= cost["seconds"] < 1.2
    assert 0.0 < cost["hop_ms_p50"] <= cost["hop_ms_p99"] <= cost["hop_ms_max"]
    for part in ("dropouts", "message"):
        assert figures[part] == {"left_out": "--jack-seconds 0"}
    assert "left out: --jack-seconds 0" in outcome.out


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (("--seconds", "0"), "--seconds"),
        (("--jack-seconds", "-1"), "--jack-seconds"),
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


def test_the_tune_is_a_midi_file_of_its_length(tmp_path: Path) -> None:
    path = tmp_path / "tune.mid"
    write_tune(path, seconds=5.0)
    data = path.read_bytes()
    assert data[:4] == b"MThd"
    assert data[14:18] == b"MTrk"
    assert int.from_bytes(data[18:22], "big") == len(data) - 22
    assert data.endswith(b"\xff\x2f\x00")
