"""What nobody hears of a style, the streaming stylizer does not take, and what it makes itself it takes out again."""

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from gramophone.models.live.stylizer import PHASES, Stylizer, StylizerSettings
from gramophone.models.style import Style
from tests.inaudible import Inaudible, assert_no_more_than, inaudible, struck


@settings(max_examples=14)
@given(
    ours=inaudible,
    theirs=st.lists(inaudible, min_size=1, max_size=2),
    rate=st.sampled_from([44_100, 48_000, 48_000, 96_000]),
    window=st.sampled_from(["low-delay", "full"]),
    phase=st.sampled_from(PHASES),
    strength=st.sampled_from([0.02, 0.5, 1.0, 1.0]),
    notes=st.sampled_from([0.0, 1.0, 1.0]),
    mix=st.sampled_from([0.5, 1.0, 1.0]),
    seed=st.integers(0, 99),
)
def test_an_output_has_no_more_that_is_not_heard_than_its_content(
    ours: Inaudible,
    theirs: list[Inaudible],
    rate: int,
    window: str,
    phase: str,
    strength: float,
    notes: float,
    mix: float,
    seed: int,
) -> None:
    content = ours.with_(struck(2.0, rate, seed=seed, channels=2), rate).astype(np.float32)
    styles = [
        Style.from_audio(one.with_(struck(1.5, rate, seed=seed + 1 + number), rate), rate, name="style")
        for number, one in enumerate(theirs)
    ]
    made = Stylizer(
        styles, sample_rate=rate, channels=2, settings=StylizerSettings(window=window, phase=phase)
    )
    for name, value in {"strength": strength, "notes": notes, "mix": mix}.items():
        made.set(name, value)
    made.reset()
    output = np.concatenate([made.feed(content), made.flush()], axis=1)[:, made.latency_samples :]
    # In the first moments the level of the input is not known yet, and the last limiter may have to hold it.
    later = slice(rate // 2, None)
    assert_no_more_than(content[:, later].astype(float), output[:, later].astype(float), rate)
