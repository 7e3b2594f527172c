from hypothesis import given
from hypothesis import strategies as st

from pipeline.log_intervals import MOST_REMEMBERED, LogIntervals


def test_each_origin_by_itself() -> None:
    """Of each kind about each origin there is one in an interval."""
    intervals = LogIntervals(10.0)
    said = [
        (kind, origin, now)
        for now in (0.0, 5.0, 9.9, 10.0, 12.0)
        for kind in ("json", "size")
        for origin in ("noisy", "calm")
        if intervals.are_over(kind, origin, now)
    ]
    assert [now for _, _, now in said] == [0.0] * 4 + [10.0] * 4
    assert {("json", "noisy"), ("json", "calm"), ("size", "noisy"), ("size", "calm")} == {
        (kind, origin) for kind, origin, _ in said
    }


@given(st.lists(st.integers(0, 3 * MOST_REMEMBERED), max_size=100))
def test_made_up_origins(origins: list[int]) -> None:
    """However many there are, few are remembered, and a new one is always heard."""
    intervals = LogIntervals(10.0)
    for number in range(MOST_REMEMBERED + 10):
        assert intervals.are_over("json", f"first-{number}", 0.0)
    assert len(intervals._logged) == MOST_REMEMBERED
    heard = {n for n in origins if intervals.are_over("json", f"{n}", 1.0)}
    assert heard == set(origins)
