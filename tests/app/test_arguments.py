"""The public functions with any arguments: they work, or one line names the wrong argument."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

import gramophone

RATE = 16000


class Contrary:
    """An object that answers nothing."""

    def __repr__(self) -> str:
        raise RuntimeError("no")

    def __array__(self, *_: object, **__: object) -> np.ndarray:
        raise RuntimeError("no")


ODD = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(max_value=0) | st.integers(min_value=2**31) | st.just(10**5000),
    st.floats(),
    st.complex_numbers(),
    st.fractions() | st.decimals(),
    st.text(max_size=8) | st.just("a\nb\x1b[31m"),
    st.binary(max_size=8),
    st.lists(st.integers() | st.text(max_size=3), max_size=3),
    st.dictionaries(st.integers() | st.text(max_size=3), st.integers(), max_size=2),
    st.sampled_from(
        [
            np.float32(0.5),
            np.int64(-3),
            np.array(2),
            np.zeros((4000, 2)),
            np.zeros((2, 3, 4)),
            np.zeros(0),
            np.zeros(4000, dtype=complex),
            np.full(4000, np.longdouble("1e4000")),
            np.array(["a", None], dtype=object),
            torch.zeros(4000, requires_grad=True),
            [[1.0], [1.0, 2.0]],
            object(),
            int,
            len,
            Contrary(),
        ]
    ),
)


@pytest.fixture(autouse=True)
def elsewhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Some of the names are names that a file can have."""
    monkeypatch.chdir(tmp_path)


@pytest.fixture(scope="module")
def good(tune: np.ndarray, water: np.ndarray) -> dict[str, Any]:
    style = gramophone.Style.from_audio(water, 22050, name="water")
    content = tune[:, : RATE // 4]
    return {
        "stylize": (
            gramophone.stylize,
            {
                "content": content,
                "sample_rate": RATE,
                "style": style,
                "recipe": "transport",
                # Nothing is computed: it is about what comes before.
                "strength": 0.0,
                "notes": None,
                "steps": None,
                "seed": 0,
                "device": "cpu",
                "settings": None,
                "local": None,
                "progress": None,
            },
        ),
        "style_distance": (
            gramophone.style_distance,
            {"content": content, "style": style, "output": content, "sample_rate": RATE},
        ),
        "transposition_free_distance": (
            gramophone.transposition_free_distance,
            {"content": content, "style": style, "output": content, "sample_rate": RATE},
        ),
        "content_kept": (
            gramophone.content_kept,
            {"content": content, "output": content, "sample_rate": RATE},
        ),
        "from_audio": (
            gramophone.Style.from_audio,
            {"samples": content, "sample_rate": RATE, "name": "clip", "author": "", "licence": ""},
        ),
        "load_style": (gramophone.load_style, {"path": "nothing.style"}),
        "save": (style.save, {"path": "nowhere/nothing.style"}),
        "at": (style.at, {"sample_rate": RATE}),
    }


CALLS = [
    *(
        ("stylize", argument)
        for argument in [
            "content",
            "sample_rate",
            "style",
            "recipe",
            "strength",
            "notes",
            "steps",
            "seed",
            "device",
            "settings",
            "local",
            "progress",
        ]
    ),
    *(("style_distance", argument) for argument in ("content", "style", "output", "sample_rate")),
    *(
        ("transposition_free_distance", argument)
        for argument in ("content", "style", "output", "sample_rate")
    ),
    *(("content_kept", argument) for argument in ("content", "output", "sample_rate")),
    *(("from_audio", argument) for argument in ("samples", "sample_rate", "name", "author", "licence")),
    ("load_style", "path"),
    ("save", "path"),
    ("at", "sample_rate"),
]


@pytest.mark.parametrize(("function", "argument"), CALLS)
@given(value=ODD)
@settings(max_examples=25, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_it_works_or_one_line_names_the_argument(
    function: str, argument: str, value: object, good: dict[str, Any]
) -> None:
    call: Callable[..., object]
    call, arguments = good[function]
    try:
        call(**{**arguments, argument: value})
    except gramophone.InputError as error:
        message = str(error)
        assert message.isprintable()
        assert len(message) < 500
        if isinstance(value, type | Contrary | torch.Tensor | complex | bytes):
            # A clip goes by the name that it was given.
            assert ("clip" if argument == "samples" else argument) in message


@pytest.mark.parametrize("channels", [1, 2, 6])
def test_a_transposed_sound_is_told_what_shape_is_wanted(channels: int, good: dict[str, Any]) -> None:
    turned = np.ones((RATE, channels))
    for function, argument in CALLS:
        if argument in ("content", "output", "samples"):
            call, arguments = good[function]
            with pytest.raises(gramophone.InputError, match=r"\[channels, samples\].*transpose"):
                call(**{**arguments, argument: turned})


@pytest.mark.parametrize("rate", [RATE, np.int32(RATE), float(RATE), np.float64(RATE), np.uint16(RATE)])
def test_a_rate_may_be_a_whole_number_of_any_type(rate: object, good: dict[str, Any]) -> None:
    call, arguments = good["stylize"]
    np.testing.assert_array_equal(call(**{**arguments, "sample_rate": rate}), arguments["content"])


@pytest.mark.parametrize("wrong", ["44100", None, True, 0, -1, 0.5, np.nan, np.inf, 2**40, [44100]])
def test_a_wrong_rate_or_seed_is_named_with_its_value(wrong: object, good: dict[str, Any]) -> None:
    for argument in ("sample_rate", "seed"):
        if argument == "seed" and wrong in (0, 2**40):
            continue
        call, arguments = good["stylize"]
        with pytest.raises(ValueError, match=rf"{argument} must be a whole number") as caught:
            call(**{**arguments, argument: wrong})
        assert repr(wrong) in str(caught.value)
