"""Plugins of others for the tests, and plugins of ours that go wrong. Sent to the engine process by name."""

import importlib.util
import os
import shutil
import subprocess
import time
from pathlib import Path

import numpy as np
import pytest

from gramophone.plugins.effects import Effect
from gramophone.plugins.hosted import open_plugin
from gramophone.plugins.parameter import Parameter
from gramophone.plugins.plugin import Plugin

ZAM = "/usr/lib/vst3/{}.vst3"
CALF_REVERB = "http://calf.sourceforge.net/plugins/Reverb"


def need_plugins() -> None:
    """Skip a test where the plugins that it plays through are not installed; fail it where the variable CI is set."""
    missing = [path for path in (ZAM.format("ZaMaximX2"), "/usr/lib/lv2/calf.lv2") if not Path(path).exists()]
    if not missing and importlib.util.find_spec("minihost"):
        return
    message = f"{', '.join(missing) or 'minihost'} is missing: `make effects`, and pip install '.[host]'"
    if os.environ.get("CI"):
        pytest.fail(message)
    pytest.skip(message)


def crashing_vst3(folder: Path) -> Path:
    """Make a VST3 that ends the process that loads it; skip where there is no compiler."""
    compiler = shutil.which("cc")
    if compiler is None:
        pytest.skip("no C compiler (on Debian: apt-get install gcc)")
    binary = folder / "Crash.vst3" / "Contents" / f"{os.uname().machine}-linux" / "Crash.so"
    binary.parent.mkdir(parents=True)
    source = folder / "crash.c"
    source.write_text("#include <stdlib.h>\nint ModuleEntry(void *handle) { abort(); }\n")
    subprocess.run([compiler, "-shared", "-fPIC", "-o", binary, source], check=True)
    return folder / "Crash.vst3"


TURNED = 0.8


def changed_state(effect: Effect) -> bytes:
    """The state of an effect with its first parameter at `TURNED`."""
    plugin = open_plugin(effect.reference, sample_rate=48_000, block=64, channels=2)
    plugin.set_param(effect.indexes[0], TURNED)
    # It hears of a parameter with the sound.
    sound = np.zeros((plugin.num_input_channels, 64), dtype=np.float32)
    plugin.process(sound, np.zeros((plugin.num_output_channels, 64), dtype=np.float32))
    state: bytes = plugin.get_state()
    plugin.close()
    return state


_MANIFEST = """@prefix lv2: <http://lv2plug.in/ns/lv2core#> .
@prefix rdfs: <http://www.w3.org/2000/01/rdf-schema#> .
<urn:test:crash> a lv2:Plugin ; lv2:binary <crash.so> ; rdfs:seeAlso <crash.ttl> .
"""
_PORT = '[ a lv2:{}Port , lv2:{}Port ; lv2:index {} ; lv2:symbol "p{}" ; lv2:name "{}" {}]'
_LV2 = """
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
static float *ports[3];
typedef struct { const char *uri; void *(*make)(const void *, double, const char *, const void *const *);
  void (*connect)(void *, unsigned, void *); void (*on)(void *); void (*run)(void *, unsigned);
  void (*off)(void *); void (*end)(void *); const void *(*more)(const char *); } Plugin;
static void *make(const void *p, double rate, const char *path, const void *const *f) { return ports; }
static void connect(void *self, unsigned port, void *data) { ports[port] = data; }
static void nothing(void *self) {}
static void run(void *self, unsigned count) {
  if (*ports[2] > 0.5f) *(volatile int *)8 = 1;
  memmove(ports[1], ports[0], count * sizeof(float));
}
static const void *more(const char *uri) { return NULL; }
static const Plugin plugin = {"urn:test:crash", make, connect, nothing, run, nothing, nothing, more};
const Plugin *lv2_descriptor(unsigned index) { return index ? NULL : &plugin; }
"""


def crashing_lv2(folder: Path) -> Path:
    """Make an LV2 that writes to nowhere as soon as its knob is up; skip where there is no compiler."""
    compiler = shutil.which("cc")
    if compiler is None:
        pytest.skip("no C compiler (on Debian: apt-get install gcc)")
    bundle = folder / "crash.lv2"
    bundle.mkdir()
    (bundle / "manifest.ttl").write_text(_MANIFEST)
    ports = (
        _PORT.format("Input", "Audio", 0, 0, "In", ""),
        _PORT.format("Output", "Audio", 1, 1, "Out", ""),
        _PORT.format(
            "Input", "Control", 2, 2, "Go", "; lv2:default 0.0 ; lv2:minimum 0.0 ; lv2:maximum 1.0 "
        ),
    )
    (bundle / "crash.ttl").write_text(
        "@prefix lv2: <http://lv2plug.in/ns/lv2core#> .\n@prefix doap: <http://usefulinc.com/ns/doap#> .\n"
        f'<urn:test:crash> a lv2:Plugin ; doap:name "Crash" ; lv2:port {" , ".join(ports)} .\n'
    )
    (folder / "crash.c").write_text(_LV2)
    subprocess.run([compiler, "-shared", "-fPIC", "-o", bundle / "crash.so", folder / "crash.c"], check=True)
    return bundle


def bad(kind: str) -> Effect:
    """An effect of ours that does something bad as soon as its knob `<kind>.go` is on."""
    return Effect(
        key=kind,
        reference=f"python:tests.effects:{kind.capitalize()}",
        title=kind.capitalize(),
        before=False,
        parameters=(go(kind),),
    )


def go(kind: str) -> Parameter:
    return Parameter(id=f"{kind}.go", name="Go", low=0.0, high=1.0, default=0.0, curve="toggle")


class Bad(Plugin):
    """Passes sound on until it is told to go wrong."""

    def __init__(self) -> None:
        self.name = type(self).__name__.lower()  # type: ignore[misc]
        self.parameters = (go(self.name),)  # type: ignore[misc]
        super().__init__()

    def prepare(self, *, sample_rate, block, channels):
        pass

    def reset(self):
        pass

    def process(self, block):
        return self.fail(block) if self.get(f"{self.name}.go") else block

    def fail(self, block):
        raise NotImplementedError


class Raises(Bad):
    def fail(self, block):
        del block
        raise ValueError("it does not like this sound")


class Nans(Bad):
    def fail(self, block):
        return np.full_like(block, np.nan)


class Sleeps(Bad):
    def fail(self, block):
        time.sleep(0.7)
        return block


class Kills(Bad):
    def fail(self, block):
        os.kill(os.getpid(), 9)
        return block


class Hangs(Bad):
    def fail(self, block):
        del block
        while True:
            time.sleep(1.0)
