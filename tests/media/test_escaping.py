import os
import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gramophone.media.escaping import escaped, shortened
from gramophone.media.files import shown

# Any characters, and any bytes as Python has them of the names of files.
TEXTS = st.text() | st.binary().map(os.fsdecode)


@given(text=TEXTS)
def test_nothing_that_is_shown_can_steer_or_mislead(text: str) -> None:
    for made in (escaped(text), shown(text)):
        kinds = {unicodedata.category(letter) for letter in made.replace("\u200c", "").replace("\u200d", "")}
        assert not kinds & {"Cc", "Cf", "Cs", "Zl", "Zp"}
        made.encode("utf-8")
    assert escaped(escaped(text)) == escaped(text)
    assert "\n" not in escaped(text.replace("\n", "x"), keep="\n")


@pytest.mark.parametrize(
    "text", ["", "song [2].wav", "Größe", "cafe\u0301", "a\xa0b", "می‌خواهم", "漢字", "👩‍🚀"]
)
def test_writing_stays_as_it_is(text: str) -> None:
    assert escaped(text) == text == shown(text)


@pytest.mark.parametrize(
    ("text", "made"),
    [
        ("\x1b[31m", r"\x1b[31m"),
        ("a\u202eb", r"a\u202eb"),
        (os.fsdecode(b"x\xe0"), r"x\udce0"),
        ("\x9b", r"\x9b"),
    ],
)
def test_what_steers_is_seen(text: str, made: str) -> None:
    assert escaped(text) == made


@given(text=TEXTS, most=st.integers(0, 30))
def test_what_is_shortened_fits_and_is_text(text: str, most: int) -> None:
    made = shortened(text, most)
    assert len(made.encode("utf-8")) <= most
    assert not text.isprintable() or text.startswith(made)
