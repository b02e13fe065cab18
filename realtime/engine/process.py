"""The life of an engine process: load, get ready, wait to be needed, open the device, play.

Spawned by the host, here as on macOS and Windows; what it needs comes as arguments. It is meant to be replaceable: if
its device goes away, it ends, and the next one, which is ready already, waits for the device.
"""

from __future__ import annotations

import gc
import os
import signal
import sys
import time
import traceback
from collections.abc import Callable, Sequence
from contextlib import ExitStack, suppress
from multiprocessing import parent_process
from typing import TYPE_CHECKING

from ...media.errors import InputError, noted
from ..link.engine_settings import DeviceSettings, EngineSettings
from ..link.shared_memory import EngineState, Link

if TYPE_CHECKING:
    from ..audio.stream_contract import ChainLike, Stream
    from .effect_loader import EffectLoader
    from .effect_watch import EffectWatch

    BuildChain = Callable[[EngineSettings], ChainLike]

#: The exit code of a process whose device went away.
DEVICE_LOST = 3
_RETRY_SECONDS = 1.0
_WATCH_SECONDS = 0.003
_WARM_SECONDS = 0.5


def run_engine(
    link: Link, ids: Sequence[str], settings: EngineSettings, build_chain: BuildChain | None
) -> None:
    """Be an engine process. Whatever goes wrong is written to `link`.

    Args:
        link: to the host
        ids: of the parameters, in the order of the link's cells
        settings: of the engine
        build_chain: makes the chain; None is for the live chain
    """
    # Ctrl-C goes to every process of a terminal; what it means, the host decides.
    with suppress(ValueError):
        signal.signal(signal.SIGINT, signal.SIG_IGN)
    if any(effect.indexes for effect in settings.effects):
        # Plugins of others write there whatever they like; what goes wrong here is told through the link.
        with open(os.devnull, "wb") as nowhere:  # noqa: PTH123
            os.dup2(nowhere.fileno(), 2)
    try:
        _live(link, ids, settings, build_chain or _live_chain)
    except InputError as error:
        _fail(link, str(error), mendable=True)
    except BaseException as error:
        _fail(link, f"{type(error).__name__}: {error}", mendable=False)


def _live(link: Link, ids: Sequence[str], settings: EngineSettings, build_chain: BuildChain) -> None:
    # Nearly all that is loaded now stays; to look for what does not takes a tenth of the time until there is sound.
    gc.disable()
    with noted() as notes:
        chain = build_chain(settings)
    watch = loader = None
    if link.effects is not None and (effects := getattr(chain, "effects", None)) is not None:
        from .effect_watch import EffectWatch

        watch = EffectWatch(link.effects, effects)
    if watch is not None and link.effects is not None and link.errands is not None:
        from .effect_loader import EffectLoader
        from .engine import MAX_BLOCK

        loader = EffectLoader(link.errands, link.effects, watch, block=MAX_BLOCK, channels=settings.channels)
        if not settings.fast:
            # Before any sound: what loads them later must be here already.
            from ...plugins import hosted

            hosted.preload()
    _set_parameters(chain, link, ids)
    ready_for = link.orders.sample_rate
    if ready_for:
        _get_ready(chain, settings, ready_for)
    # A first collection looks at all that the libraries have made: only where nobody waits.
    if not link.orders.play:
        gc.collect()
    gc.freeze()
    gc.enable()
    if loader is not None and ready_for:
        loader.begin(ready_for)
    link.enter(EngineState.READY)
    while not link.orders.play:
        if _unwanted(link):
            return
        if loader is not None and (added := loader.put(chain)):
            ids = added.errand.ids
        time.sleep(_WATCH_SECONDS)
    link.enter(EngineState.OPENING)
    with ExitStack() as stack:
        stream = _open(settings, link, stack)
        if stream is not None:
            notes += stream.notes
            ready = stream.sample_rate == ready_for
            _play(chain, stream, link, ids, settings, notes, ready=ready, watch=watch, loader=loader)
    link.enter(EngineState.FINISHED)


def _play(
    chain: ChainLike,
    stream: Stream,
    link: Link,
    ids: Sequence[str],
    settings: EngineSettings,
    notes: list[str],
    *,
    ready: bool,
    watch: EffectWatch | None = None,
    loader: EffectLoader | None = None,
) -> None:
    from ..audio.stream_contract import DeviceLostError
    from ..link.priority import hold_memory, raise_priority
    from .engine import Engine

    # Meanwhile knobs may have been turned.
    _set_parameters(chain, link, ids)
    if ready:
        chain.reset()
    else:
        _get_ready(chain, settings, stream.sample_rate)
    if not settings.fast:
        # Two threads of Python there are only with the virtual device, whose clock must not wait for a turn.
        sys.setswitchinterval(0.0002)
        hold_memory()
        refused = raise_priority()
        link.status.realtime = refused is None
        if refused is not None:
            notes.append(refused)
    link.report({"notes": notes, "input": stream.input_name, "output": stream.output_name})
    if loader is not None:
        loader.begin(stream.sample_rate)
        loader.playing = True
    engine = Engine(chain, stream, link, ids, settings, watch, loader)
    try:
        engine.run(lambda: _running(link))
    except DeviceLostError:
        # Not by the orderly way: a client of a server that is gone may hang or crash there.
        os._exit(DEVICE_LOST)


def _running(link: Link) -> None:
    link.status.heartbeat = time.monotonic()
    link.enter(EngineState.RUNNING)


def _open(settings: EngineSettings, link: Link, stack: ExitStack) -> Stream | None:
    """Open the device, as often as it takes if it was there before; None if it is not wanted any more."""
    if not isinstance(settings.device, DeviceSettings):
        from ..audio.virtual_stream import VirtualStream

        virtual = VirtualStream(settings, start=link.orders.resume)
        stack.callback(virtual.close)
        return virtual
    from ..audio.portaudio_stream import open_device

    # Of the engine that played before. If the device was away, so was everything that was connected to it.
    connect = link.last_report().get("connections")
    while True:
        try:
            return stack.enter_context(open_device(settings, settings.device, connect=connect))
        except InputError as error:
            if not link.orders.persist:
                raise
            # A device that has come back as another one may be refused for as long as it is there.
            link.report(link.last_report() | {"notes": [str(error)]})
        link.status.heartbeat = time.monotonic()
        link.enter(EngineState.LOST)
        connect = None
        end = time.monotonic() + _RETRY_SECONDS
        while time.monotonic() < end:
            if _unwanted(link):
                return None
            time.sleep(_WATCH_SECONDS)


def _unwanted(link: Link) -> bool:
    parent = parent_process()
    return link.orders.stop or (parent is not None and not parent.is_alive())


def _live_chain(settings: EngineSettings) -> ChainLike:
    """Return the chain that is played: stylizer, gain, limiter."""
    from ...models.live.core import map_thread
    from ...models.live.stylizer import StylizerSettings
    from ...models.style import load_clip
    from ...plugins.live_chain import live_chain
    from ..link.priority import raise_behind

    if not settings.fast:
        map_thread().submit(raise_behind)
    styles = [load_clip(path) for path in settings.styles]
    stylizer = StylizerSettings(**dict(settings.stylizer))  # type: ignore[arg-type]
    return live_chain(styles, stylizer, effects=settings.effects)


def _set_parameters(chain: ChainLike, link: Link, ids: Sequence[str]) -> None:
    for name in {parameter.id for parameter in chain.parameters}.intersection(ids):
        chain.set(name, link.parameters[ids.index(name)])


def _get_ready(chain: ChainLike, settings: EngineSettings, sample_rate: int) -> None:
    """Prepare the chain, and run it in so that its first block takes no longer than any other."""
    import numpy as np

    from ...dsp.dry_path import load_dry_path
    from .engine import MAX_BLOCK

    load_dry_path()
    chain.prepare(sample_rate=sample_rate, block=MAX_BLOCK, channels=settings.channels)
    noise = 0.1 * np.random.default_rng(0).standard_normal((settings.channels, MAX_BLOCK))
    block = noise.astype(np.float32)
    end = time.monotonic() + (0.0 if settings.fast else _WARM_SECONDS)
    moved = 0
    # Both clocks count: the machine may be slow, and the first hops are what is to be left behind.
    with suppress(Exception):
        while time.monotonic() < end and moved < sample_rate:
            for size in (MAX_BLOCK, 64, 1, 200):
                chain.process(block[:, :size])
                moved += size
    chain.reset()


def _fail(link: Link, message: str, *, mendable: bool) -> None:
    told = link.last_report()
    told["error"] = " ".join(message.split())
    told["trace"] = "" if mendable else traceback.format_exc()[-8000:]
    link.report(told)
    link.status.input_error = mendable
    link.enter(EngineState.FAILED)
