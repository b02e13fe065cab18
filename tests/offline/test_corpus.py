"""Styles from many files."""

import itertools
from pathlib import Path

import numpy as np
import pytest
import soundfile

from gramophone.app.demo_sounds import bubbling_water, plucked_strings
from gramophone.media.errors import InputError
from gramophone.models import corpus
from gramophone.models.style import Corpus, Style, load_style
from gramophone.offline.corpus.collection import Collection
from gramophone.offline.corpus.survey import Surveyed, SurveyTask, identity

RATE = 44100


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A minute and a half: strings and water, noise at another rate, of one and of two channels."""
    made = tmp_path_factory.mktemp("corpus")
    strings, water = plucked_strings(RATE), bubbling_water(RATE)
    for number in range(4):
        soundfile.write(made / f"strings{number}.wav", np.roll(strings, number * 9999).T * 0.5**number, RATE)
        soundfile.write(made / f"water{number}.flac", np.roll(water, number * 7777).T[:, :1], RATE)
    noise = 0.1 * np.random.default_rng(0).standard_normal(22050 * 5)
    soundfile.write(made / "noise.wav", noise, 22050)
    return made


def survey(path: Path) -> Surveyed:
    return SurveyTask(str(path), str(path), identity(path)).perform()


@pytest.fixture(scope="module")
def surveyed(folder: Path) -> list[Surveyed]:
    return [survey(path) for path in sorted(folder.iterdir())]


def collected(files: list[Surveyed]) -> Collection:
    collection = Collection()
    for file in files:
        collection.add(file)
    return collection


@pytest.fixture(scope="module")
def style(surveyed: list[Surveyed]) -> Style:
    return collected(surveyed).style(name="many")


def test_a_style_of_many_files_comes_back(style: Style, surveyed: list[Surveyed], tmp_path: Path) -> None:
    seconds = sum(file.seconds for file in surveyed)
    assert style.corpus == Corpus(9, round(seconds, 3))
    assert 25.0 < style.samples.shape[1] / style.sample_rate <= 30.0
    style.save(tmp_path / "many.style")
    back = load_style(tmp_path / "many.style")
    assert back.corpus == style.corpus
    assert back.source_hash == style.source_hash
    for mine, theirs in zip(vars(back.bands).values(), vars(style.bands).values(), strict=True):
        np.testing.assert_array_equal(mine, theirs)


def test_the_order_of_the_files_does_not_matter(style: Style, surveyed: list[Surveyed]) -> None:
    assert collected(surveyed[::-1]).style(name="many").encode() == style.encode()


def test_work_goes_on_where_it_was(style: Style, surveyed: list[Surveyed], tmp_path: Path) -> None:
    begun = collected(surveyed[:5])
    known = dict(begun.files)
    # What a network did not give today it may give tomorrow.
    begun.add(Surveyed("away", "s3://away", "away", "the connection was lost"))
    begun.save(tmp_path / "part")
    again = Collection.load(tmp_path / "part")
    assert again.files == known
    for file in surveyed[5:]:
        again.add(file)
    assert again.style(name="many").encode() == style.encode()


def test_statistics_are_those_of_a_clip_where_all_is_one_clip(tmp_path: Path) -> None:
    water = bubbling_water(RATE)
    soundfile.write(tmp_path / "water.wav", water.T, RATE, subtype="FLOAT")
    many = collected([survey(tmp_path / "water.wav")]).style(name="water")
    one = Style.from_audio(water, RATE, name="water")
    np.testing.assert_allclose(many.bands.mean, one.bands.mean, atol=0.02)
    np.testing.assert_allclose(many.bands.rest, one.bands.rest, atol=0.02)
    error = np.linalg.norm(many.bands.covariance - one.bands.covariance)
    assert error < 0.02 * np.linalg.norm(one.bands.covariance)
    # Everything is in the clip, in its order.
    likeness = np.corrcoef(many.at(RATE)[0, RATE : 2 * RATE], one.at(RATE)[0, RATE : 2 * RATE])[0, 1]
    assert likeness > 0.999


def test_the_clip_is_nearer_to_the_corpus_than_any_piece_of_it(style: Style, folder: Path) -> None:
    def away(one: Style) -> float:
        return float(np.linalg.norm(one.bands.covariance - style.bands.covariance))

    own = Style.from_audio(style.samples, style.sample_rate, name="clip")
    pieces = [Style.from_audio(soundfile.read(p)[0].T, 44100, name="p") for p in folder.glob("[sw]*")]
    assert away(own) < 0.5 * min(map(away, pieces))


def test_what_is_unfit_is_left_out_and_told(surveyed: list[Surveyed], folder: Path, tmp_path: Path) -> None:
    water = soundfile.read(folder / "water0.flac")[0]
    soundfile.write(tmp_path / "copy.wav", water, RATE)
    soundfile.write(tmp_path / "clipped.wav", np.clip(8.0 * water / np.abs(water).max(), -1.0, 1.0), RATE)
    soundfile.write(tmp_path / "silent.wav", np.zeros(RATE), RATE)
    soundfile.write(tmp_path / "deep.wav", np.full(RATE, 0.5), RATE)
    soundfile.write(tmp_path / "short.wav", water[:999], RATE)
    (tmp_path / "broken.wav").write_bytes(b"RIFF")
    collection = collected(surveyed)
    before = collection.survey
    why = {path.stem: collection.add(survey(path)).why for path in sorted(tmp_path.iterdir())}
    assert why["copy"] == f"it is the same sound as {folder / 'water0.flac'}"
    assert "full scale" in why["clipped"]
    assert why["silent"] == "it is silent"
    assert "silent between" in why["deep"]
    assert "46 ms" in why["short"]
    assert "not a readable sound file" in why["broken"]
    assert collection.survey is before


def test_rests_are_left_out(tmp_path: Path) -> None:
    water = bubbling_water(RATE)[:1, : 4 * RATE]
    soundfile.write(
        tmp_path / "rests.wav", np.concatenate([water, np.zeros((1, 5 * RATE)), water], axis=1).T, RATE
    )
    found = survey(tmp_path / "rests.wav")
    assert found.seconds + found.rests == pytest.approx(13.0)
    assert 1.9 < found.rests <= 5.0


def test_nothing_usable_is_one_line(tmp_path: Path) -> None:
    soundfile.write(tmp_path / "silent.wav", np.zeros(RATE), RATE)
    with pytest.raises(InputError, match="none of the files"):
        collected([survey(tmp_path / "silent.wav")]).style(name="no")


def test_what_is_remembered_does_not_grow_and_does_not_depend_on_the_order(
    surveyed: list[Surveyed], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(corpus, "MOST_STRETCHES", 10)
    found = []
    for order in itertools.islice(itertools.permutations(surveyed[:5]), 0, 120, 17):
        survey = collected(list(order)).survey
        assert len(survey.starts) == 10
        found.append(
            {(file.tobytes(), int(start)) for file, start in zip(survey.files, survey.starts, strict=True)}
        )
    assert all(one == found[0] for one in found)


def test_other_files_are_not_taken_for_unfinished_work(surveyed: list[Surveyed], tmp_path: Path) -> None:
    path = tmp_path / "part"
    collected(surveyed[:2]).save(path)
    whole = path.read_bytes()
    for data in (b"", whole[:1000], whole[:-8], whole.replace(b'"version', b'"virsion')):
        path.write_bytes(data)
        with pytest.raises(InputError, match="cannot be used to go on"):
            Collection.load(path)
