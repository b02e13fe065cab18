"""What OSC and the desk do with effects: add one while the session plays."""

from __future__ import annotations

import threading
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any

from ...media.errors import InputError
from ...media.files import shown
from ...plugins.effects import kept_state

if TYPE_CHECKING:
    from ...plugins.effects import KeptState
    from ...realtime.host import Host
    from .control_router import ControlRouter


class EffectShelf:
    """Adds effects to the chain of one session, in a thread of its own, since a plugin may take long to load.

    Args:
        host: whose chain it is
        router: the controls that then have further knobs
    """

    def __init__(self, host: Host, router: ControlRouter) -> None:
        self._host = host
        self._router = router
        router.surface.effects = self
        self._busy = threading.Lock()
        #: the name of the effect that is being loaded; "" for none
        self.loading = ""

    def add(self, name: str, *, before: bool = False) -> None:
        """Add an effect soon; what comes of it is a line of the surface's news.

        Args:
            name: as for `plugins.found.find`
            before: whether the sound passes it before the stylizer

        Raises:
            InputError: another one is being loaded
        """
        if not self._busy.acquire(blocking=False):
            raise InputError(
                f"{self.loading or 'another effect'} is being loaded; try again when it is there"
            )
        self.loading = name
        try:
            threading.Thread(
                target=self._work, args=(name, before), name="adding an effect", daemon=True
            ).start()
        except BaseException:
            self._busy.release()
            raise

    def _work(self, name: str, before: bool) -> None:
        surface = self._router.surface
        try:
            surface.notify(f"loading {name}")
            surface.notify(f"added {self._add(name, before)}")
        except InputError as error:
            surface.notify(f"error: {error}")
        except Exception as error:
            surface.notify(f"error: {name} cannot be added: {type(error).__name__}: {error}")
        finally:
            self.loading = ""
            self._busy.release()

    def _add(self, name: str, before: bool) -> str:
        from ...plugins.effects import BUILT_IN
        from ...plugins.found import find, find_effect, is_installed

        reference, _ = find(name)
        if reference not in BUILT_IN and not is_installed(reference):
            # Whoever may turn knobs, perhaps over the network, is not to run any file.
            raise InputError(f"{name} is not in the folders of plugins; name it at the start, or install it")
        now, settings = self._host.snapshot(), self._host.settings
        effect = find_effect(
            name,
            before=before,
            taken=[one.key for one in settings.effects],
            sample_rate=now.sample_rate or 48_000,
            channels=settings.channels,
        )
        try:
            self._host.add_effect(effect)
        finally:
            # Also one that has failed has its knobs, which do nothing.
            self._router.renew()
        return effect.title

    def states(self) -> dict[str, KeptState]:
        """See `realtime.control.control_surface.Effects.states`."""
        kept = ((one.key, kept_state(one)) for one in self._host.settings.effects)
        return {key: state for key, state in kept if state is not None}

    def restore(self, states: Mapping[str, KeptState]) -> list[str]:
        """See `realtime.control.control_surface.Effects.restore`."""
        lines = []
        for one in self._host.settings.effects:
            kept = states.get(one.key)
            if kept is None:
                continue
            if kept.reference != one.reference:
                lines.append(f"its state of {one.key} is that of another plugin, {shown(kept.reference)}")
                continue
            try:
                self._host.set_effect_state(one.key, kept.data())
            except ValueError:
                lines.append(f"its state of {one.key} is damaged; save it again")
            except InputError as error:
                lines.append(str(error))
        return lines

    def lists(self) -> list[dict[str, Any]]:
        """Return what is being loaded, for the desk."""
        return [{"type": "effects", "loading": self.loading}]

    def handle(self, asked: dict[str, Any]) -> Callable[[], object] | None:
        """See `CommandHandler.handle`."""
        if asked.get("do") == "add":
            name = asked.get("name")
            if not isinstance(name, str) or not name.strip():
                raise InputError("which effect is to be added is not said; give its name or path")
            self.add(name.strip(), before=asked.get("before") is True)
        return None
