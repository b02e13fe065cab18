import math
import subprocess
import sys

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gramophone.media.errors import InputError
from gramophone.plugins.knob_ids import chain_parameters, slot_names
from gramophone.plugins.knobs import GAIN, LIMITER, STYLIZER
from gramophone.plugins.live_chain import LIVE_PARAMETERS
from gramophone.plugins.parameter import UNITS, ContractError, Parameter

repeatable = settings(derandomize=True, deadline=None, max_examples=60, database=None)

FREQUENCY = Parameter(
    id="cutoff", name="Cutoff", unit="Hz", low=20.0, high=20_000.0, default=440.0, curve="log"
)
VOICES = Parameter(id="voices", name="Voices", low=1.0, high=7.0, default=3.0, curve="integer")
EVERY = (*LIVE_PARAMETERS, FREQUENCY, VOICES)
every = pytest.mark.parametrize("parameter", EVERY, ids=lambda parameter: parameter.id)


def by_id(identity: str) -> Parameter:
    return next(parameter for parameter in EVERY if parameter.id == identity)


@every
def test_positions_cover_the_range_in_order_and_lead_back(parameter: Parameter) -> None:
    positions = [place / 100.0 for place in range(101)]
    values = [parameter.from_unit(position) for position in positions]
    assert (values[0], values[-1]) == (parameter.low, parameter.high)
    assert values == sorted(values)
    for value in values:
        assert parameter.from_unit(parameter.to_unit(value)) == pytest.approx(value, rel=1e-9, abs=1e-12)
        assert 0.0 <= parameter.to_unit(value) <= 1.0


@every
def test_what_is_shown_can_be_typed_in(parameter: Parameter) -> None:
    for place in range(21):
        value = parameter.from_unit(place / 20.0)
        read = parameter.parse(parameter.show(value))
        assert parameter.show(read) == parameter.show(value)
        assert parameter.parse(repr(value)) == value


@repeatable
@given(parameter=st.sampled_from(EVERY), value=st.floats(allow_nan=True))
def test_clamped_values_are_values_and_stay(parameter: Parameter, value: float) -> None:
    clamped = parameter.clamp(value)
    assert parameter.low <= clamped <= parameter.high
    assert parameter.clamp(clamped) == clamped
    assert parameter.low <= parameter.from_unit(value) <= parameter.high
    if math.isnan(value):
        assert clamped == parameter.default


def test_a_log_curve_has_equal_factors_and_a_toggle_two_halves() -> None:
    assert FREQUENCY.from_unit(0.5) == pytest.approx(math.sqrt(20.0 * 20_000.0))
    freeze = by_id("freeze")
    assert [freeze.from_unit(position) for position in (0.0, 0.49, 0.5, 1.0)] == [0.0, 0.0, 1.0, 1.0]
    assert VOICES.from_unit(0.4) == 3.0


@pytest.mark.parametrize(
    ("identity", "text", "value"),
    [
        ("strength", "0.5", 0.5),
        ("strength", "50%", 0.5),
        ("strength", " 50 % ", 0.5),
        ("gain", "-6 dB", -6.0),
        ("gain", "-6db", -6.0),
        ("gain", "\N{MINUS SIGN}6 dB", -6.0),
        ("gain", "+3", 3.0),
        ("freeze", "on", 1.0),
        ("freeze", "OFF", 0.0),
        ("freeze", "1", 1.0),
        ("adapt", "500 ms", 0.5),
        ("adapt", "2 s", 2.0),
        ("release", "0.1 s", 100.0),
        ("release", "1e2", 100.0),
        ("cutoff", "1.5 kHz", 1500.0),
        ("voices", "4", 4.0),
    ],
)
def test_reads_what_people_write(identity: str, text: str, value: float) -> None:
    assert by_id(identity).parse(text) == pytest.approx(value)


@pytest.mark.parametrize(
    ("identity", "text"),
    [
        ("strength", "50"),
        ("strength", "-0.1"),
        ("strength", ""),
        ("strength", "loud"),
        ("strength", "nan"),
        ("strength", "3 dB"),
        ("gain", "13 dB"),
        ("gain", "50%"),
        ("gain", "0,5"),
        ("freeze", "maybe"),
        ("adapt", "100 ms"),
        ("adapt", "inf"),
        ("voices", "99"),
    ],
)
def test_refuses_with_name_value_and_range(identity: str, text: str) -> None:
    parameter = by_id(identity)
    with pytest.raises(InputError) as caught:
        parameter.parse(text)
    message = str(caught.value)
    assert message.startswith(f"{identity} cannot be {text!r}")
    assert "\n" not in message
    for end in ("on", "off") if parameter.curve == "toggle" else (parameter.low, parameter.high):
        assert (end if isinstance(end, str) else parameter.show(end)) in message


@pytest.mark.parametrize(
    ("wrong", "says"),
    [
        ({"id": "Strength"}, "id 'Strength'"),
        ({"id": "1st"}, "id '1st'"),
        ({"unit": "miles"}, "unit 'miles'"),
        ({"curve": "bent"}, "curve 'bent'"),
        ({"low": 2.0}, "range 2 to 1"),
        ({"high": math.inf}, "endless"),
        ({"low": math.nan}, "endless"),
        ({"curve": "log"}, "log curve cannot start at 0"),
        ({"curve": "toggle", "high": 2.0}, "toggle"),
        ({"default": 3.0}, "default 3"),
        ({"default": math.nan}, "default nan"),
        ({"curve": "toggle", "default": 0.5}, "default 0.5"),
    ],
)
def test_a_parameter_that_makes_no_sense_is_refused(wrong: dict[str, object], says: str) -> None:
    fields = {"id": "depth", "name": "Depth", "low": 0.0, "high": 1.0, "default": 0.0, **wrong}
    with pytest.raises(ContractError, match=says):
        Parameter(**fields)  # type: ignore[arg-type]


def test_knobs_of_the_live_chain_tell_a_performer_what_they_do() -> None:
    ids = [parameter.id for parameter in LIVE_PARAMETERS]
    assert len(set(ids)) == len(ids)
    assert {"strength", "mix", "notes", "adapt", "freeze", "soundcheck", "style_1", "style_4", "gain"} < set(
        ids
    )
    assert {"stylizer_bypass", "gain_bypass", "limiter_bypass", "bypass"} < set(ids)
    for parameter in LIVE_PARAMETERS:
        assert parameter.unit in UNITS
        assert 20 < len(parameter.description) <= 100, parameter.id
        assert "\n" not in parameter.description
        assert parameter.description.endswith(".")


def test_a_second_plugin_of_a_kind_and_equal_ids_get_names_of_their_own() -> None:
    blend = (Parameter(id="mix", name="Mix", low=0.0, high=1.0, default=0.5),)
    slots = slot_names([("stylizer", STYLIZER), ("gain", GAIN), ("echo", blend), ("gain", GAIN)])
    ids = [parameter.id for parameter in chain_parameters(slots)]
    assert len(set(ids)) == len(ids)
    assert {"mix", "echo_mix", "gain", "gain2_gain", "gain2_bypass", "gain_bypass"} < set(ids)
    assert slots[3].parameters["gain"].name == "Gain 2: Gain"


def test_a_chain_has_starting_values_of_its_own() -> None:
    (slot,) = slot_names([("limiter", LIMITER)], {"ceiling": -3.0, "limiter_bypass": 1.0})
    assert slot.parameters["ceiling"].default == -3.0
    assert slot.bypass.default == 1.0
    with pytest.raises(InputError, match=r"no parameter 'celling'.*ceiling"):
        slot_names([("limiter", LIMITER)], {"celling": 0.0})
    with pytest.raises(InputError, match="ceiling cannot start at 7"):
        slot_names([("limiter", LIMITER)], {"ceiling": 7.0})


def test_ids_that_cannot_be_told_apart_are_refused() -> None:
    one = Parameter(id="b_c", name="C", low=0.0, high=1.0, default=0.0)
    two = Parameter(id="c", name="C", low=0.0, high=1.0, default=0.0)
    with pytest.raises(InputError, match="'b_c'"):
        slot_names([("a", (one, two)), ("b", (two,))])


def test_knobs_are_listed_without_numpy_and_torch() -> None:
    code = (
        "import sys; from gramophone.plugins.live_chain import LIVE_PARAMETERS as knobs; print(knobs[0].id)"
    )
    code += "; assert not {'numpy', 'torch'} & set(sys.modules)"
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, timeout=60, check=False
    )
    assert done.stdout == "strength\n", done.stderr
