"""The engine processes behind a host. No public way leads to them, and tests have to kill them."""

from gramophone.realtime.engine.supervisor import Supervisor, Worker
from gramophone.realtime.host import Host
from gramophone.realtime.link.shared_memory import EngineState
from tests.waiting import wait_until


def supervisor(host: Host) -> Supervisor:
    """The supervisor of a host that has started."""
    assert host._supervisor is not None, "the host has not started"
    return host._supervisor


def playing(host: Host) -> Worker:
    """The engine that plays."""
    worker = supervisor(host)._active
    assert worker is not None, "no engine plays"
    return worker


def standby(host: Host) -> Worker:
    """The engine that stands by, as soon as it could take over."""
    workers: list[Worker] = []

    def ready() -> bool:
        worker = supervisor(host)._standby
        workers[:] = [] if worker is None else [worker]
        return worker is not None and worker.link.state == EngineState.READY

    wait_until(ready)
    return workers[0]
