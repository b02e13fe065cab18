"""The page of `make gallery`: one file, in which every sound can be played."""

import base64
import io
from html.parser import HTMLParser

import numpy as np
import pytest
import soundfile

from benchmarks.listening import EXCERPT, PairOfPage, Player, encoded, page
from tests.sounds import beats, noise

RATE = 44_100


class Found(HTMLParser):
    """Players, texts, and everything that the page would load."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.players: list[dict[str, str | None]] = []
        self.loads: list[str] = []
        self.words = ""
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        given = dict(attrs)
        if tag == "audio":
            self.players.append(given)
        self.loads += [given[key] or "" for key in ("src", "href") if key in given]

    def handle_data(self, data: str) -> None:
        self.words += data


def test_one_file_holds_every_sound() -> None:
    sounds = {"content": beats(EXCERPT + 2.0, 2.0), "style": noise(EXCERPT + 2.0, 1, channels=2)}
    players = [Player(role, role, f"<{role}>", encoded(samples)) for role, samples in sounds.items()]
    found = Found(page([PairOfPage("beats & noise", "a note", players)]))
    assert len(found.players) == 2
    assert all(address.startswith("data:audio/mpeg;base64,") for address in found.loads)
    assert "beats & noise" in found.words
    assert "<content>" in found.words
    for player, samples in zip(found.players, sounds.values(), strict=True):
        assert "controls" in player
        data = base64.b64decode((player["src"] or "").partition(",")[2])
        played, rate = soundfile.read(io.BytesIO(data), always_2d=True)
        assert (rate, played.shape[1]) == (RATE, samples.shape[0])
        assert len(played) / rate == pytest.approx(EXCERPT, abs=0.1)
        assert 0.05 < np.abs(played).max() <= 1.0
