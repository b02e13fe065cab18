"""`gramophone learn` and what a session makes of it, through the ports of a real JACK server."""

import json
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

PATIENCE = 60.0


def test_controls_are_learnt_in_a_terminal(jack: Any, knobs: Any, tmp_path: Path) -> None:
    path = tmp_path / "map.json"
    command = [sys.executable, "-u", "-m", "gramophone", "learn", "strength", "capture", "--map", path]
    process = jack.spawn(*command, "--midi", "knobs", "--midi-api", "jack", stderr=subprocess.STDOUT)
    moves = {"strength: move": [[0xB0, 5, 9], [0xB0, 37, 3]], "capture: move": [[0x99, 36, 90]]}
    printed = ""
    for line in process.stdout:
        printed += line
        for said, messages in moves.items():
            if said in line:
                for message in messages:
                    knobs.send_message(message)
                    time.sleep(0.002)
    assert process.wait(PATIENCE) == 0, printed
    written = json.loads(path.read_text())
    learnt = [knob for knob in written["knobs"] if knob["parameter"] == "strength" and knob["cc"] == 5]
    assert [knob.get("fine") for knob in learnt] in ([37], [None]), printed
    assert written["pads"] == [{"note": 36, "press": "capture", "hold": False}]
    shown = jack.run(sys.executable, "-m", "gramophone", "learn", "--show", "--map", path)
    assert "CC 5" in shown
    assert "note 36" in shown


def test_what_cannot_be_learnt_is_one_line() -> None:
    command = [sys.executable, "-m", "gramophone", "learn", "loudness"]
    done = subprocess.run(command, capture_output=True, text=True, timeout=PATIENCE, check=False)
    assert done.returncode == 2
    assert done.stderr.count("\n") == 1
    assert "loudness" in done.stderr
