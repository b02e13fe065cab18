"""The rules of the slots, against an engine that is as strict as the real one, in simulated time."""

from hypothesis import given, settings
from hypothesis import strategies as st

from gramophone.realtime.styles.slot_policy import EMPTY, LOADING, READY, SlotPolicy

SLOTS = 4
TICK = 0.005
STYLES = "abcdefgh"


class Trial:
    """A policy, and loads that take their time; fails where a slot is loaded to that could be heard."""

    def __init__(self, first: str, patience: int = 3) -> None:
        self.weights = [1.0] * SLOTS
        self.policy = SlotPolicy(
            list(first), SLOTS, get=self.weights.__getitem__, put=self.weights.__setitem__
        )
        self.patience = patience
        self.loads: dict[int, int] = {}
        self.now = 0.0
        self.number = 0

    def heard(self) -> list[float]:
        return [self.policy.weight(place) for place in range(SLOTS)]

    def step(self) -> None:
        wanted = self.policy.step(self.now)
        self.now += TICK
        # However the weights move, something always sounds, and a slot that is being loaded never.
        assert any(self.heard())
        assert all(0.0 <= weight <= 1.0 for weight in self.weights)
        for place, slot in enumerate(self.policy.slots):
            assert slot.state != LOADING or self.weights[place] == 0.0
        for place in list(self.loads):
            self.loads[place] -= 1
            if self.loads[place] == 0:
                del self.loads[place]
                self.number += 1
                self.policy.loaded(place, self.number)
        if wanted is not None:
            place, key = wanted
            assert self.policy.weight(place) == 0.0
            self.policy.begin(place, key)
            self.loads[place] = self.patience

    def wanted(self) -> tuple[int, str]:
        """What is to be loaded next: the slot and the style."""
        found = self.policy.step(self.now)
        assert found is not None, "nothing is to be loaded"
        return found

    def settle(self) -> tuple[str, ...]:
        for _ in range(3000):
            self.step()
            if arrived := self.policy.arrived():
                return arrived
        raise AssertionError(f"it never arrives: {self.policy.slots}, {self.weights}")


wishes = st.dictionaries(st.sampled_from(STYLES), st.floats(0.01, 1.0), min_size=1, max_size=SLOTS)


@settings(max_examples=200)
@given(
    first=st.sampled_from(["a", "ab", "abc", "abcd"]),
    asked=st.lists(
        st.tuples(wishes, st.sampled_from([0.0, 0.03, 0.5]), st.integers(0, 60)), min_size=1, max_size=8
    ),
    turned=st.lists(st.tuples(st.integers(0, 200), st.integers(0, 3), st.floats(0.0, 1.0)), max_size=5),
    restarts=st.sets(st.integers(0, 200), max_size=3),
)
def test_whatever_is_wanted_and_whenever_it_arrives_in_the_end_and_nothing_else_sounds(
    first, asked, turned, restarts
):
    trial = Trial(first)
    ticks = 0
    for wish, seconds, pause in asked:
        trial.policy.want(wish, seconds)
        for _ in range(pause):
            trial.step()
            trial.policy.arrived()
            ticks += 1
            if ticks in restarts:
                # What has not arrived is still wanted; what was heard comes back.
                trial.loads.clear()
                trial.policy.restart(list(first))
            for at, place, value in turned:
                # A performer turns the knobs of slots that sound, meanwhile.
                if at == ticks and trial.policy.weight(place) > 0.0:
                    trial.weights[place] = max(value, 0.01)
    trial.policy.want(asked[-1][0], asked[-1][1])
    wish = asked[-1][0]
    assert set(trial.settle()) == set(wish)
    sounding = {
        slot.key: trial.weights[place]
        for place, slot in enumerate(trial.policy.slots)
        if trial.heard()[place]
    }
    assert sounding == wish


def test_weights_move_in_straight_lines_that_add_up():
    trial = Trial("ab")
    trial.weights[1] = 0.0
    trial.policy.want({"b": 1.0}, 0.1)
    trial.step()
    ways = []
    while trial.policy.busy:
        ways.append(tuple(trial.weights[:2]))
        trial.step()
        trial.policy.arrived()
    assert len(ways) >= 18
    for one, other in ways:
        assert abs(one + other - 1.0) < 1e-9
    assert [way[1] for way in ways] == sorted(way[1] for way in ways)
    assert trial.weights == [0.0, 1.0, 0.0, 0.0]


def test_what_was_not_heard_for_the_longest_goes_first():
    trial = Trial("abcd")
    for key in "bcda":
        trial.policy.want({key: 1.0}, 0.0)
        trial.settle()
    trial.policy.want({"e": 1.0}, 0.0)
    trial.settle()
    assert [slot.key for slot in trial.policy.slots] == ["a", "e", "c", "d"]


def test_a_style_that_cannot_be_had_is_done_without():
    trial = Trial("a")
    trial.policy.want({"x": 1.0, "b": 0.5}, 0.0)
    place, key = trial.wanted()
    assert key == "x"
    trial.policy.begin(place, key)
    trial.policy.failed(place)
    assert trial.policy.slots[place].state == EMPTY
    assert trial.settle() == ("b",)
    trial.policy.want({"x": 1.0}, 0.0)
    place, _ = trial.wanted()
    trial.policy.begin(place, "x")
    trial.policy.failed(place)
    assert not trial.policy.busy
    kept = trial.policy.holds("b")
    assert kept is not None
    assert trial.heard()[kept] == 0.5
    assert trial.policy.slots[kept].state == READY


def test_what_could_not_be_had_may_have_emptied_its_slot():
    trial = Trial("abcd")
    trial.policy.want({"b": 1.0}, 0.0)
    trial.settle()
    trial.policy.want({"x": 1.0}, 0.0)
    place, _ = trial.wanted()
    held = trial.policy.slots[place].key
    trial.policy.begin(place, "x")
    trial.policy.failed(place)
    # It is still there, unless its slot had been emptied for the one that failed.
    assert held in ("a", "c", "d")
    assert trial.policy.holds(held) == place
    trial.policy.want({"x": 1.0}, 0.0)
    place, _ = trial.wanted()
    trial.policy.begin(place, "x")
    trial.policy.failed(place, emptied=True)
    assert trial.policy.holds(held) is None
    trial.policy.want({held: 1.0}, 0.0)
    assert trial.settle() == (held,)


def test_what_was_heard_is_heard_again_after_a_restart():
    trial = Trial("ab")
    trial.policy.want({"c": 0.5, "b": 0.25}, 0.03)
    trial.settle()
    trial.loads.clear()
    trial.policy.restart(["a", "b"])
    assert set(trial.settle()) >= {"b", "c"}
    heard = {
        slot.key: weight for slot, weight in zip(trial.policy.slots, trial.heard(), strict=True) if weight
    }
    assert heard == {"b": 0.25, "c": 0.5}
