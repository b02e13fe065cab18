"""The rules of a slot's memory: in any order of events, no slot ever holds half a style."""

import multiprocessing
import threading
import time

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from gramophone.models.live.prepared_style import live_clip, make_layout
from gramophone.models.live.slots import most_bytes, most_samples, pack
from gramophone.models.live.stylizer import MAX_STYLES, Stylizer
from gramophone.models.style import Style
from gramophone.realtime.link.changes import ChangeKind
from gramophone.realtime.link.slot_mailbox import SlotFeed, SlotMailbox

RATE = 8000
CONTEXT = multiprocessing.get_context("spawn")
LAYOUT = make_layout(RATE)
HOP = LAYOUT.hop
BLOCK = 0.1 * np.random.default_rng(0).standard_normal((1, HOP)).astype(np.float32)


def style(number: int) -> Style:
    """Noise; the last one is long."""
    noise = np.random.default_rng(number).standard_normal((1, (1, 1, 2, 28)[number] * RATE))
    return Style.from_audio(0.1 * noise, RATE, name=str(number))


STYLES = [live_clip(style(number).at(RATE), LAYOUT) for number in range(4)]
MOST = most_bytes(LAYOUT, most_samples(RATE))
LONG = len(STYLES) - 1
#: What may be offered, by number; the last one is no style.
PACKED = [*(pack(prepared, LAYOUT, most=MOST) for prepared in STYLES), np.zeros(4096, dtype=np.uint8)]
BROKEN = len(STYLES)
# One for each engine process of the same host.
CHAINS = [Stylizer([style(0)], sample_rate=RATE, channels=1, slots=MAX_STYLES) for _ in range(2)]


def held(chain: Stylizer, slot: int) -> int:
    """Return which style a slot holds, to the last bit."""
    there = chain._core.styles[slot]._asdict()
    for number, whole in enumerate(STYLES):
        if all(np.array_equal(part, getattr(whole, name)) for name, part in there.items()):
            return number
    raise AssertionError("a mixture of styles")


def new_mailbox() -> SlotMailbox:
    mailbox = SlotMailbox.new(CONTEXT, RATE)
    mailbox.forget(RATE)
    return mailbox


class Engine:
    """A chain that begins with the first style in every slot, only one of which is heard, and its end of a mailbox."""

    def __init__(
        self, mailbox: SlotMailbox, chain: Stylizer, weights: list[float], *, rate: int = RATE
    ) -> None:
        self.chain = chain
        self.set_weights(weights)
        for slot in range(MAX_STYLES):
            chain.open(slot, PACKED[0])
        chain.reset()
        self.fed = 0
        #: what it has noted last of each slot: a serial number, 0 where it has emptied it
        self.noted: dict[int, int] = {}
        self.feed = SlotFeed(mailbox, chain, rate, self._note)
        self.feed.catch_up()
        chain.reset()

    def _note(self, event: int, value: float) -> None:
        self.noted[ChangeKind.SLOT - event] = int(value)

    def set_weights(self, weights: list[float]) -> None:
        for slot, weight in enumerate(weights):
            self.chain.set(f"style_{slot + 1}", weight)

    def play(self, hops: int = 1) -> None:
        for _ in range(hops):
            heard = [slot for slot in range(MAX_STYLES) if self.chain._core.kept.shares[slot] > 0.0]
            noted = dict(self.noted)
            self.feed.step()
            # What is heard is left alone.
            assert all(self.chain.filled[slot] and self.noted.get(slot) == noted.get(slot) for slot in heard)
            self.chain.feed(BLOCK)
            self.fed += HOP


class Host:
    """Keeps to the rule: a slot's memory is written only when the engine has emptied the slot."""

    def __init__(self, mailbox: SlotMailbox) -> None:
        self.mailbox = mailbox
        #: numbers of styles by the serial number under which they were offered
        self.offered: dict[int, int] = {}
        self.begun: dict[int, int] = {}

    def begin(self, slot: int, number: int) -> bool:
        """Write the first half of a style to a slot's memory, if that is allowed."""
        if slot in self.begun or not self.mailbox.withdraw(slot):
            return False
        packed = PACKED[number]
        self.mailbox.bytes(slot)[: packed.size // 2] = packed[: packed.size // 2]
        self.begun[slot] = number
        return True

    def finish(self, slot: int) -> None:
        """Write the other half and offer it."""
        number = self.begun.pop(slot, None)
        if number is None:
            return
        packed = PACKED[number]
        self.mailbox.bytes(slot)[packed.size // 2 : packed.size] = packed[packed.size // 2 :]
        serial = len(self.offered) + 1
        self.offered[serial] = number
        self.mailbox.offer(slot, serial, packed.size)

    def check(self, engine: Engine) -> None:
        """Every slot that is in use holds what the engine has noted, and the host sees the same."""
        for slot in range(MAX_STYLES):
            serial = engine.noted.get(slot)
            if serial == 0:
                assert not engine.chain.filled[slot]
            else:
                assert engine.chain.filled[slot]
                assert held(engine.chain, slot) == (0 if serial is None else self.offered[serial])
            for number in self.offered:
                if self.mailbox.taken(slot, number):
                    refused = self.mailbox.refused(slot)
                    assert refused == (self.offered[number] == BROKEN)
                    assert refused or serial == number


# Few slots, so that much happens to each.
SLOTS = st.integers(0, 2)
MOVES = st.one_of(
    st.tuples(st.just("load"), SLOTS, st.sampled_from([1, 2, LONG])),
    st.tuples(st.just("begin"), SLOTS, st.sampled_from([1, 2, LONG, BROKEN])),
    st.tuples(st.just("finish"), SLOTS, st.just(0)),
    st.tuples(st.just("play"), st.integers(1, 8), st.just(0)),
    st.tuples(st.just("knob"), SLOTS, st.integers(0, 1)),
    st.tuples(st.just("take over"), st.just(0), st.just(0)),
)


@settings(max_examples=25)
@given(moves=st.lists(MOVES, min_size=5, max_size=40))
def test_whatever_the_order_of_things_a_slot_holds_one_whole_style(moves: list[tuple[str, int, int]]) -> None:
    mailbox = new_mailbox()
    host = Host(mailbox)
    weights = [1.0, 0.0, 0.0, 0.0]
    engines = 0
    engine = Engine(mailbox, CHAINS[0], weights)
    for kind, first, second in moves:
        if kind in ("begin", "load"):
            # Withdrawn, so that it can be emptied.
            host.begin(first, second)
            engine.play(1)
        if (kind in ("begin", "load") and host.begin(first, second) and kind == "load") or kind == "finish":
            host.finish(first)
        elif kind == "play":
            engine.play(first)
        elif kind == "knob":
            weights[first] = float(second)
            engine.set_weights(weights)
        elif kind == "take over":
            engines += 1
            engine = Engine(mailbox, CHAINS[engines % 2], weights)
        host.check(engine)
    for slot in range(MAX_STYLES):
        host.finish(slot)
    # Once a slot has fallen silent, it gets what was offered.
    for loud in (3, 0):
        engine.set_weights([float(slot == loud) for slot in range(MAX_STYLES)])
        engine.play(60)
        host.check(engine)
    assert all(mailbox.due(slot) is None for slot in range(MAX_STYLES))


def test_two_threads_at_their_own_pace() -> None:
    mailbox = new_mailbox()
    host, engine = Host(mailbox), Engine(mailbox, CHAINS[0], [1.0, 0.0, 0.0, 0.0])
    numbers = [1, LONG, 2, BROKEN, LONG, 1] * 3
    end = time.monotonic() + 60.0

    def load() -> None:
        for serial, number in enumerate(numbers, 1):
            while not host.begin(2, number) and time.monotonic() < end:
                time.sleep(0.0)
            host.finish(2)
            while not mailbox.taken(2, serial) and time.monotonic() < end:
                time.sleep(0.0)

    loader = threading.Thread(target=load)
    loader.start()
    taken: list[int] = []
    while len(taken) < len(numbers) and time.monotonic() < end:
        engine.play()
        serial = len(taken) + 1
        if mailbox.taken(2, serial):
            taken.append(-serial if mailbox.refused(2) else serial)
            # It may be withdrawn by now; it was whole when it was taken, and still is in the slot.
            assert mailbox.refused(2) or held(engine.chain, 2) == host.offered[serial]
    loader.join()
    assert taken == [n if number != BROKEN else -n for n, number in enumerate(numbers, 1)]


def test_a_style_is_played_from_where_the_loader_put_it() -> None:
    mailbox = new_mailbox()
    host, engine = Host(mailbox), Engine(mailbox, CHAINS[0], [1.0, 0.0, 0.0, 0.0])
    assert not host.begin(1, LONG)
    engine.play()
    assert host.begin(1, LONG)
    engine.play(3)
    # Half of it is there, but it has not been offered.
    assert engine.noted == {1: 0}
    host.finish(1)
    engine.play()
    assert engine.noted == {1: 1}
    clip = engine.chain._core.styles[1].clip
    assert np.shares_memory(clip, mailbox.bytes(1))
    assert not any(np.shares_memory(clip, array) for array in engine.chain._core.styles[0])
    # Nobody may write there while it is heard.
    engine.set_weights([0.0, 1.0, 0.0, 0.0])
    engine.play(60)
    assert not host.begin(1, 2)
    engine.play(60)
    assert not host.begin(1, 2)
    engine.set_weights([1.0, 0.0, 0.0, 0.0])
    engine.play(60)
    assert host.begin(1, 2)


def test_who_takes_over_has_at_once_all_that_was_offered_heard_or_not() -> None:
    mailbox = new_mailbox()
    host, engine = Host(mailbox), Engine(mailbox, CHAINS[0], [1.0, 0.0, 0.0, 0.0])
    engine.set_weights([0.0, 0.0, 0.0, 1.0])
    engine.play(60)
    for slot in (0, 1, 2):
        host.begin(slot, 2)
    engine.play()
    # One that the last engine has not taken, one that it has, one that is of no use, one that is only on its way.
    for slot, number in ((1, 2), (0, LONG), (2, BROKEN)):
        assert host.begin(slot, number)
        host.finish(slot)
        if slot == 1:
            engine.play()
            assert mailbox.taken(1, 1)
    engine.set_weights([1.0, 0.0, 0.0, 0.0])
    host.begin(3, 1)
    engine = Engine(mailbox, CHAINS[1], [1.0, 1.0, 1.0, 1.0])
    assert engine.noted == {0: 2, 1: 1, 3: 0}
    assert [mailbox.taken(slot, serial) for slot, serial in ((0, 2), (1, 1), (2, 3))] == [True] * 3
    assert mailbox.refused(2)
    assert [held(engine.chain, slot) for slot in range(3)] == [LONG, 2, 0]
    assert engine.chain.filled == (True, True, True, False)
    # And does not do it again.
    engine.play(5)
    assert engine.noted == {0: 2, 1: 1, 3: 0}


def test_at_another_rate_an_engine_keeps_what_it_began_with_until_something_is_offered_for_that_rate() -> (
    None
):
    mailbox = new_mailbox()
    host, engine = Host(mailbox), Engine(mailbox, CHAINS[0], [1.0, 0.0, 0.0, 0.0])
    for slot in (1, 2):
        host.begin(slot, 2)
    engine.play()
    assert host.begin(1, 2)
    host.finish(1)
    engine.play()
    assert held(engine.chain, 1) == 2
    # One slot has a style, another is withdrawn, a third one just now: all of this is not for the next engine.
    engine = Engine(mailbox, CHAINS[1], [1.0, 0.0, 0.0, 0.0], rate=2 * RATE)
    assert not host.begin(3, 2)
    engine.play(5)
    assert engine.noted == {}
    mailbox.forget(2 * RATE)
    engine.play(5)
    assert (engine.noted, engine.chain.filled) == ({}, (True,) * MAX_STYLES)
    host.begin(3, 2)
    engine.play()
    assert engine.noted == {3: 0}


def test_who_takes_over_while_a_slot_is_withdrawn_has_nothing_there_heard_or_not() -> None:
    mailbox = new_mailbox()
    host, engine = Host(mailbox), Engine(mailbox, CHAINS[0], [1.0, 1.0, 0.0, 0.0])
    engine.play(60)
    assert not host.begin(1, 2)
    engine = Engine(mailbox, CHAINS[1], [1.0, 1.0, 0.0, 0.0])
    assert (engine.noted, engine.chain.filled) == ({1: 0}, (True, False, True, True))
    assert host.begin(1, 2)


def test_a_chain_without_slots_takes_nothing_and_says_so() -> None:
    mailbox = SlotMailbox.new(CONTEXT, RATE)
    assert (mailbox.possible, mailbox.sample_rate) == (None, 0)
    mailbox.offer(0, 1, 100)
    feed = SlotFeed(mailbox, None, RATE, lambda *_: None)
    feed.catch_up()
    feed.step()
    assert (mailbox.possible, mailbox.sample_rate, mailbox.taken(0, 1)) == (False, RATE, False)
    mailbox.forget(RATE)
    Engine(mailbox, CHAINS[0], [1.0, 0.0, 0.0, 0.0])
    assert mailbox.possible
