from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st
from sqlalchemy import Engine

from pipeline.commands.history.address import DatabaseAddress
from pipeline.commands.history.reading import (
    History,
    KeptEpisode,
    KeptPhone,
    without_overlaps,
)
from pipeline.commands.history.writing import RowWriter
from tests.commands.history.published import MONDAY, PROBABILITIES, episode, prediction, rows_of


def kept(start: float, end: float, activity: str = "WALKING") -> KeptEpisode:
    """Return an episode of a phone."""
    return KeptEpisode("phone-7", start, end, activity, 0.9)


@given(
    spans=st.lists(st.tuples(st.integers(0, 100), st.integers(0, 50)), unique_by=lambda x: x[0]),
    begin=st.integers(0, 60),
    length=st.integers(1, 60),
)
def test_no_instant_counts_twice(spans: list[tuple[int, int]], begin: int, length: int) -> None:
    """At each instant there is that episode which began last of those that are not over."""
    end = begin + length
    episodes = [kept(start, start + n, f"A{start}") for start, n in sorted(spans)]
    cut = without_overlaps(episodes, begin, end)
    assert all(before.end <= after.start for before, after in pairwise(cut))
    assert all(begin <= one.start < one.end <= end for one in cut)
    for second in range(begin, end):
        there = [one for one in episodes if one.start <= second < one.end]
        expected = [one.activity for one in there[-1:]]
        shown = [one.activity for one in cut if one.start <= second < one.end]
        assert expected == shown


def test_a_day_has_what_there_is_of_it(engine: Engine, address: DatabaseAddress) -> None:
    """Episodes are cut at its ends; those of other days and phones are not there."""
    RowWriter(engine).write(
        rows_of(
            episode(start=MONDAY - 100, end=MONDAY - 50, activity="LAYING"),
            episode(start=MONDAY - 50, end=MONDAY + 60),
            episode(start=MONDAY + 60, end=MONDAY + 90.123456, activity="SITTING"),
            episode(start=MONDAY + 80_000, end=MONDAY + 90_000, activity="STANDING"),
            episode("other", start=MONDAY, end=MONDAY + 3600),
        )
    )
    with History(address) as history:
        assert [
            kept(MONDAY, MONDAY + 60),
            kept(MONDAY + 60, MONDAY + 90.123456, "SITTING"),
            kept(MONDAY + 80_000, MONDAY + 86_400, "STANDING"),
        ] == history.episodes("phone-7", MONDAY, MONDAY + 86_400)
        minutes = history.minutes("phone-7", MONDAY, MONDAY + 86_400)
        assert {"WALKING": 1.0, "STANDING": pytest.approx(6400 / 60)} == {
            name: minutes[name] for name in ("WALKING", "STANDING")
        }
        assert [] == history.episodes("nobody", MONDAY, MONDAY + 86_400)
        assert {} == history.minutes("nobody", MONDAY, MONDAY + 86_400)


def test_an_episode_of_weeks_is_there_every_day(engine: Engine, address: DatabaseAddress) -> None:
    """However long ago it began, and however many ended before."""
    week_s = 7 * 86_400
    long = episode(start=MONDAY, end=MONDAY + 10 * week_s, activity="LAYING")
    before = [episode(start=MONDAY - 100 * k, end=MONDAY - 100 * k + 99) for k in range(1, 10)]
    RowWriter(engine).write(rows_of(long, *before))
    with History(address) as history:
        for begin in (MONDAY, MONDAY + week_s, MONDAY + 9 * week_s):
            assert [kept(begin, begin + 100, "LAYING")] == history.episodes(
                "phone-7", begin, begin + 100
            )
        assert [] == history.episodes("phone-7", MONDAY + 10 * week_s, MONDAY + 11 * week_s)
        assert 10 == len(history.episodes("phone-7", 0.0, MONDAY + 20 * week_s))


def test_predictions_are_as_they_were_published(engine: Engine, address: DatabaseAddress) -> None:
    """With the probabilities by name, each model's in its order."""
    names = ["SITTING", "WALKING"]
    RowWriter(engine).write(
        rows_of(
            prediction(start=MONDAY + 0.000001, settling=True),
            prediction(start=MONDAY + 5, model="b@2", probabilities=dict.fromkeys(names, 0.5)),
            prediction(start=MONDAY + 10),
        )
    )
    with History(address) as history:
        first, second = history.predictions("phone-7", MONDAY, MONDAY + 10)
    assert (MONDAY + 0.000001, True, PROBABILITIES) == (
        first.start,
        first.settling,
        first.probabilities,
    )
    assert ("b@2", names, False) == (second.model, list(second.probabilities), second.settling)


def test_phones_and_their_first_and_last_times(engine: Engine, address: DatabaseAddress) -> None:
    """By name, with predictions or episodes or both."""
    RowWriter(engine).write(
        rows_of(
            episode("b", MONDAY, MONDAY + 60),
            prediction("b", MONDAY + 70),
            prediction("a", MONDAY),
        )
    )
    with History(address) as history:
        assert [
            KeptPhone("a", MONDAY, MONDAY + 2.54),
            KeptPhone("b", MONDAY, MONDAY + 72.54),
        ] == history.phones()
        assert (True, True, False) == tuple(map(history.knows, ("a", "b", "c")))
