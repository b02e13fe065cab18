"""`gramophone live` on the virtual device, `devices` and `ports`: what a user sees and what is written."""

import json
import os
import signal
import subprocess
import sys
import time
from contextlib import suppress
from pathlib import Path

import numpy as np
import pytest
import soundfile

from gramophone.takes.reader import open_take

pytestmark = pytest.mark.usefixtures("folder")

FIGURES = {
    "sample_rate", "hop", "algorithmic_latency_samples", "buffer_latency_samples", "device_latency_samples",
    "total_latency_samples", "load", "hop_ms_p50", "hop_ms_p99", "hop_ms_max", "deadlines_missed", "xruns",
    "ring_empty", "limiter_active", "engine_restarts", "non_finite_inputs", "seconds", "realtime_priority", "notes",
}  # fmt: skip
FILES = ("--virtual-input", "content.wav", "--virtual-output", "out.wav")
FAST = ("live", "style.wav", *FILES, "--as-fast-as-possible")


def test_as_fast_as_possible(spawn) -> None:
    outcome = spawn(*FAST, "--stats", "figures.json", "--set", "strength=0")
    assert outcome.code == 0, outcome.err
    figures = json.loads(Path("figures.json").read_text())
    assert set(figures) >= FIGURES
    parts = [figures[f"{part}_latency_samples"] for part in ("algorithmic", "buffer", "device")]
    assert figures["total_latency_samples"] == sum(parts)
    assert (figures["deadlines_missed"], figures["ring_empty"], figures["engine_restarts"]) == (0, 0, 0)
    # The budget is printed as it is reported, and adds up.
    words = [line.split() for line in outcome.out.splitlines()]
    printed = {
        line[0]: int(line[1])
        for line in words
        if line and line[0] in ("algorithmic", "buffer", "device", "total")
    }
    assert list(printed.values()) == [*parts, sum(parts)]
    assert "out.wav" in outcome.out
    # At strength 0 it is the input, late by the sum.
    content, rate = soundfile.read("content.wav", dtype="float32", always_2d=True)
    played, played_rate = soundfile.read("out.wav", dtype="float32", always_2d=True)
    late = figures["total_latency_samples"]
    assert (played_rate, soundfile.info("out.wav").subtype) == (rate, "FLOAT")
    assert played.shape == (len(content) + late, content.shape[1])
    np.testing.assert_array_equal(played[late:], content)
    np.testing.assert_array_equal(played[:late], 0.0)


def test_in_real_time_it_takes_as_long_as_the_sound(spawn) -> None:
    start = time.monotonic()
    outcome = spawn("live", "style.wav", *FILES, "--stats", "figures.json")
    assert outcome.code == 0, outcome.err
    figures = json.loads(Path("figures.json").read_text())
    assert figures["seconds"] >= 1.5
    assert time.monotonic() - start >= 1.5
    assert np.abs(soundfile.read("out.wav")[0]).max() > 0.01
    assert "played 0:01" in outcome.out


def test_muted_is_silent_and_duration_ends_it(spawn) -> None:
    more = ("--muted", "--duration", "0.5", "--stats", "figures.json")
    outcome = spawn("live", "style.wav", "content.wav", *FILES, "--as-fast-as-possible", *more)
    assert outcome.code == 0, outcome.err
    assert "out.wav, muted" in outcome.out
    assert json.loads(Path("figures.json").read_text())["seconds"] == pytest.approx(0.5, abs=0.1)
    assert not soundfile.read("out.wav")[0].any()


@pytest.mark.skipif(sys.platform != "linux", reason="made of ALSA's null device")
@pytest.mark.parametrize("told", [(), ("--unmuted",)])
def test_what_may_howl_starts_muted_and_says_so_unless_told_otherwise(
    told: tuple[str, ...], folder: Path
) -> None:
    (folder / ".asoundrc").write_text("pcm.!default { type null }\nctl.!default { type null }\n")
    environment = {
        **os.environ,
        "HOME": str(folder),
        "JACK_DEFAULT_SERVER": "none",
        "JACK_NO_START_SERVER": "1",
    }
    command = [sys.executable, "-m", "gramophone", "live", "style.wav", "-i", "default", "-o", "default"]
    done = subprocess.run(
        [*command, "--duration", "0.2", "--midi", "none", *told],
        env=environment, capture_output=True, text=True, timeout=60, check=False,
    )  # fmt: skip
    if "PortAudio" in done.stderr:
        pytest.skip("no PortAudio")
    assert done.returncode == 0, done.stderr
    assert ("muted" in done.stdout) is not bool(told)
    assert ("howl" in done.stderr) is not bool(told)


@pytest.mark.parametrize("times", [1, 60])
def test_ctrl_c_ends_a_file_early_but_whole_however_often(folder: Path, tune, times: int) -> None:
    soundfile.write("long.wav", np.tile(tune, 40).T, 16000)
    command = [sys.executable, "-m", "gramophone", "live", "style.wav", "--virtual-input", "long.wav"]
    environment = {**os.environ, "PYTHONDONTWRITEBYTECODE": "1"}
    with subprocess.Popen(
        [*command, "--virtual-output", "out.wav", "--record", "take"],
        cwd=folder,
        env={**environment, "PYTHONUNBUFFERED": "1"},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
    ) as process:
        assert process.stdout is not None
        for line in process.stdout:
            if line.startswith("total"):
                break
        time.sleep(1.0)
        # To all of its processes, as a terminal does.
        with suppress(ProcessLookupError):
            for _ in range(times):
                os.killpg(process.pid, signal.SIGINT)
                time.sleep(0.015)
        out, err = process.communicate(timeout=30)
    # One that comes when all is done ends what is left of the program, which is 130 in a shell as well.
    assert process.returncode in (130, -signal.SIGINT), err
    assert "interrupted after" in err
    assert "nothing was written" not in err
    assert "recorded 0:0" in out
    assert open_take(Path("take")).header.wet_sha256
    assert "Traceback" not in err
    assert 8000 < soundfile.info("out.wav").frames < 16000 * 50
    assert not list(folder.glob(".*"))


RECORDED = ("--record", "take", "--styles", ".", "--midi", "none")


@pytest.mark.skipif(os.name != "posix", reason="terminals and signals of POSIX")
@pytest.mark.parametrize("moment", [0.0, 0.1, 0.3, 0.7, 1.2, 1.7])
def test_ctrl_c_in_the_first_seconds_prints_one_line(folder: Path, moment: float) -> None:
    # What Python does before it comes to us is not ours.
    begun = (
        "import signal; from gramophone.app.interruption import leave; signal.signal(2, leave); "
        "print('begun', flush=True); from gramophone.__main__ import main; main()"
    )
    with subprocess.Popen(
        [sys.executable, "-c", begun, "live", "style.wav", *FILES, *RECORDED],
        cwd=folder, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, start_new_session=True,
    ) as process:  # fmt: skip
        assert process.stdout is not None
        assert process.stdout.readline() == "begun\n"
        time.sleep(moment)
        os.killpg(process.pid, signal.SIGINT)
        out, err = process.communicate(timeout=60)
    # Python itself ends by the signal where that came while it ran code that was made from text.
    assert process.returncode in (0, 130, -signal.SIGINT), err
    assert "Traceback" not in out + err
    if process.returncode:
        assert len(err.splitlines()) <= 2, err


@pytest.mark.skipif(os.name != "posix", reason="terminals and signals of POSIX")
@pytest.mark.parametrize("how", ["closed terminal", "SIGHUP", "SIGTERM"])
def test_however_it_is_ended_the_take_is_whole(folder: Path, tune, how: str) -> None:
    import pty

    from gramophone.takes.reader import open_take

    soundfile.write("long.wav", np.tile(tune, 40).T, 16000)
    files = ("--virtual-input", "long.wav", "--virtual-output", "out.wav")
    command = [sys.executable, "-m", "gramophone", "live", "style.wav", *files, *RECORDED]
    # Its own session, whose terminal is the other end.
    pid, terminal = pty.fork()
    if not pid:
        os.execv(command[0], command)
    printed = b""
    while b"total" not in printed:
        printed += os.read(terminal, 4096)
    time.sleep(1.0)
    if how == "closed terminal":
        os.close(terminal)
    else:
        # To all of its processes, as a terminal or a service manager does, and not once only.
        for _ in range(2):
            os.killpg(pid, getattr(signal, how))
        with suppress(OSError):
            while data := os.read(terminal, 4096):
                printed += data
        os.close(terminal)
    _, status = os.waitpid(pid, 0)
    assert os.waitstatus_to_exitcode(status) == (143 if how == "SIGTERM" else 129), printed
    assert b"Traceback" not in printed
    take = open_take(folder / "take")
    assert take.header.frames is not None
    assert take.header.wet_sha256
    assert soundfile.info("out.wav").frames > 0
    assert not list(folder.glob(".*"))


BAD = {
    "a style that is not there": (("live", "missing.wav", *FILES), "missing.wav"),
    "a style that is none": (("live", "text.wav", *FILES), "text.wav"),
    "five styles": (("live", *["style.wav"] * 5, *FILES), "5 styles"),
    "no input": (("live", "style.wav", "--virtual-input", "no.wav", "--virtual-output", "out.wav"), "no.wav"),
    "an input that is none": (("live", "style.wav", "--virtual-input", "text.wav", *FILES[2:]), "text.wav"),
    "only an input": (("live", "style.wav", *FILES[:2]), "both"),
    "only an output": (("live", "style.wav", *FILES[2:]), "both"),
    "no WAV": (("live", "style.wav", *FILES[:3], "out.mp3"), ".wav"),
    "an output that exists": (("live", "style.wav", *FILES[:3], "existing.wav"), "--overwrite"),
    "an output that is the input": (("live", "style.wav", *FILES[:3], "content.wav", "--overwrite"), "content.wav"),
    "an output that is the style": (("live", "style.wav", *FILES[:3], "style.wav", "--overwrite"), "style.wav"),
    "figures over the output": ((*FAST, "--stats", "out.wav"), "out.wav"),
    "a hurry without files": (("live", "style.wav", "--as-fast-as-possible"), "--virtual-input"),
    "files and a device": ((*FAST, "-i", "usb"), "-i and -o"),
    "an unknown device": (("live", "style.wav", "-i", "no such device 7f3a"), "--virtual-input|gramophone devices"),
    "an unknown parameter": ((*FAST, "--set", "loudness=1"), "strength"),
    "a value out of range": ((*FAST, "--set", "strength=2"), "strength"),
    "no value": ((*FAST, "--set", "strength"), "param=value"),
    "a reserved controller": ((*FAST, "--cc", "121=strength"), "121"),
    "no assignment": ((*FAST, "--cc", "strength"), "N=PARAM"),
    "an unknown MIDI port": ((*FAST, "--midi", "no such port 7f3a"), "gramophone ports"),
    "an unknown MIDI system": ((*FAST, "--midi", "virtual", "--midi-api", "pigeon"), "pigeon"),
    "an unknown latency": ((*FAST, "--latency", "soon"), "soon"),
    "a latency out of range": ((*FAST, "--latency", "5"), "latency"),
    "no channels": ((*FAST, "--channels", "0"), "channels"),
    "input channel 0": ((*FAST, "--input-channels", "0"), "--input-channels"),
    "input channels that do not fit": ((*FAST, "--channels", "3", "--input-channels", "1,2"), "input channels"),
    "a rate out of range": ((*FAST, "--samplerate", "10"), "10"),
    "a block out of range": ((*FAST, "--blocksize", "-1"), "-1"),
    "no time": ((*FAST, "--duration", "0"), "duration"),
    "half an iteration": ((*FAST, "--iterations", "0.5"), "--iterations"),
    "an unknown phase": ((*FAST, "--phase", "new-moon"), "new-moon"),
    "a hop of nothing": ((*FAST, "--hop", "0"), "hop"),
}  # fmt: skip


@pytest.mark.parametrize("case", BAD)
def test_bad_input_is_one_line_and_nothing_is_written(case: str, folder: Path, call, listing) -> None:
    (folder / "text.wav").write_text("this is not a sound\n")
    (folder / "existing.wav").write_bytes(b"precious")
    before = listing(folder)
    arguments, says = BAD[case]
    outcome = call(*arguments)
    assert outcome.code == 2, outcome.err
    lines = [line for line in outcome.err.splitlines() if "warning" not in line]
    assert len(lines) == 1, outcome.err
    assert lines[0].startswith("gramophone: error: ")
    assert any(part in lines[0] for part in says.split("|")), lines[0]
    assert listing(folder) == before


def test_without_any_device_the_remedies_are_named() -> None:
    nothing = {**os.environ, "JACK_DEFAULT_SERVER": "none", "JACK_NO_START_SERVER": "1"}

    def run(*arguments: str) -> subprocess.CompletedProcess[str]:
        command = [sys.executable, "-m", "gramophone", *arguments]
        return subprocess.run(command, env=nothing, capture_output=True, text=True, timeout=60, check=False)

    if run("devices").returncode == 0:
        pytest.skip("this machine has a sound card")
    done = run("live", "style.wav")
    assert done.returncode == 2
    assert done.stderr.count("\n") == 1
    # Either there is no device, or no PortAudio to see it with; both ways there are files.
    assert "--virtual-input" in done.stderr
    assert "JACK or PipeWire" in done.stderr or "libportaudio2" in done.stderr


def test_help_names_the_choices_that_there_are(call, monkeypatch: pytest.MonkeyPatch) -> None:
    from gramophone.models.live.prepared_style import WINDOWS
    from gramophone.models.live.stylizer_settings import PHASES

    monkeypatch.setenv("COLUMNS", "200")
    shown = call("live", "--help").out
    assert "|".join(PHASES) in shown
    assert "|".join(WINDOWS) in shown


def test_ports_says_so_where_there_are_none(call) -> None:
    outcome = call("ports")
    assert outcome.code == 0
    assert outcome.out or "MIDI" in outcome.err
