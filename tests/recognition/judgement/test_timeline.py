from itertools import pairwise
from typing import Final

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pipeline.recognition.judgement.timeline import TIMELINE_DELAY_S
from pipeline.vocabulary import SAMPLING_RATE_HZ, WINDOW_LENGTH
from tests.recognition.judgement.drawings import HOPS, Phone

FILTER_DELAY_S: Final = 0.04
DRAWINGS: Final = st.text("wwwwttsslu.0!", min_size=1, max_size=60)


def test_episodes_of_a_drawing() -> None:
    """Each bout becomes an episode, with the mean of its probabilities."""
    phone = Phone()
    phone.push("w" * 20 + "s" * 30 + "l" * 25)
    assert "wsl" == phone.interrupt()
    assert all(0.9 < episode.probability <= 1 for episode in phone.episodes)


def test_later_windows_correct_the_timeline() -> None:
    """What was shown for a second but proved wrong is not in the timeline."""
    phone = Phone()
    shown = phone.push("w" * 20 + "lll" + "w" * 20)
    assert "l" in shown
    assert "w" == phone.interrupt()


@given(drawing=DRAWINGS, hop=HOPS, stretch=st.integers(1, 8), settling=st.integers(0, 4))
@settings(max_examples=60)
def test_episodes_tile_time(drawing: str, hop: int, stretch: int, settling: int) -> None:
    """From the first window's start to the last one's end there is just one episode at any time.

    Each is another than the one before, and final at most 5 s after its end.
    """
    phone = Phone(hop=hop)
    phone.push("~" * settling)
    first = phone.start
    for letter in "".join(letter * stretch for letter in drawing):
        n_before = len(phone.episodes)
        phone.push(letter)
        known_at = phone.start - phone.hop_s + (WINDOW_LENGTH - 1) / SAMPLING_RATE_HZ
        for episode in phone.episodes[n_before:]:
            assert known_at + FILTER_DELAY_S - episode.end <= TIMELINE_DELAY_S + 1e-6
    last = phone.start - phone.hop_s + (WINDOW_LENGTH - 1) / SAMPLING_RATE_HZ
    timeline = phone.interrupt()

    episodes = phone.episodes
    assert first == episodes[0].start
    assert last == episodes[-1].end
    assert [episode.end for episode in episodes[:-1]] == [e.start for e in episodes[1:]]
    assert all(episode.start < episode.end for episode in episodes)
    assert all(0 < episode.probability <= 1 for episode in episodes)
    assert all(a != b for a, b in pairwise(timeline))


def test_a_gap_separates_episodes() -> None:
    """What was open is closed at the last window's end, and the next stretch begins anew."""
    phone = Phone()
    phone.push("w" * 5)
    end = phone.start - phone.hop_s + (WINDOW_LENGTH - 1) / SAMPLING_RATE_HZ
    assert "w" == phone.interrupt()
    phone.start += 60.0
    again = phone.start
    assert "t" == phone.push("t")
    assert "wt" == phone.interrupt()
    assert [end, again] == [phone.episodes[0].end, phone.episodes[1].start]


def test_a_gap_without_windows_closes_nothing() -> None:
    """There is no episode of a phone that said nothing since the last gap."""
    phone = Phone()
    phone.push("~~")
    assert "" == phone.interrupt()
    phone.push("ww")
    phone.interrupt()
    assert [] == phone.decider.interrupt([0])


@pytest.mark.parametrize("hop", [1, 128])
def test_the_longest_and_the_shortest_hop(hop: int) -> None:
    """Whatever the hop, two long bouts give two episodes."""
    phone = Phone(hop=hop)
    phone.push("w" * (1280 // hop) + "t" * (1280 // hop))
    assert "wt" == phone.interrupt()
