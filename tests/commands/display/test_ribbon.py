from zoneinfo import ZoneInfo

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from pipeline.commands.display.legend import Legend
from pipeline.commands.display.ribbon import cells, ribbon, ribbons, scale
from pipeline.commands.display.times import Times
from tests.commands.display.periods import periods

LEGEND = Legend([])
DAY = periods(("WALKING", 0.0, 4.0), ("SITTING", 4.0, 7.0), ("LAYING", 8.0, 10.0))


def test_cells_have_what_they_have_longest() -> None:
    """A cell shows the activity of most of its recognised time, and nothing where there is none."""
    found = cells(periods(("A", 0.0, 1.6), ("B", 1.6, 2.3)), 0.0, 4.0, 4)
    assert ["A", "A", "B", None] == found


def test_a_ribbon_of_letters() -> None:
    """Without colour a ribbon is made of letters, and points where nothing is known."""
    assert "WWWWSSS.LL" == ribbon(DAY, 0.0, 10.0, LEGEND, width=10, coloured=False).plain


def test_a_ribbon_of_colours() -> None:
    """With colour a character is two cells, and each run has its letter once."""
    text = ribbon(DAY, 0.0, 10.0, LEGEND, width=5, coloured=True)
    assert "W S▌L" == text.plain
    assert {"#0072b2", "#009e73", "#56b4e9"} == {
        str(colour.name)
        for span in text.spans
        if not isinstance(span.style, str) and (colour := span.style.bgcolor or span.style.color)
    }


@given(
    st.lists(st.tuples(st.sampled_from("ABC"), st.floats(-5, 15), st.floats(0, 9)), max_size=9),
    st.integers(1, 60),
    st.booleans(),
)
def test_a_ribbon_is_as_wide_as_asked_for(
    drawn: list[tuple[str, float, float]], width: int, coloured: bool
) -> None:
    """Whatever there is, also outside of its time, a ribbon has so many characters."""
    spans = periods(*((name, start, start + length) for name, start, length in drawn))
    text = ribbon(spans, 0.0, 10.0, Legend("ABC"), width=width, coloured=coloured)
    assert width == len(text.plain)


@pytest.mark.parametrize(
    ("length_s", "expected"),
    [
        (10.0, "|0:00:00            |0:00:05"),
        (60.0, "|0:00:00  |0:00:15  |0:00:30  |0:00:45"),
        (480.0, "|0:00:00  |0:02:00  |0:04:00  |0:06:00"),
        (86_400.0, "|0:00:00  |6:00:00  |12:00:00 |18:00:00"),
    ],
)
def test_a_scale_of_round_times(length_s: float, expected: str) -> None:
    """Marks are at round times, and no two labels overlap."""
    times = Times(0.0, length_s, is_dated=False)
    assert expected == scale(times, 0.0, length_s, width=40)


def test_a_scale_of_local_times() -> None:
    """Marks of a dated time are at round local times, also in a zone of half hours."""
    first = 1_698_501_144.0  # 19:22:24 in Delhi
    times = Times(first, first + 7200, is_dated=True, zone=ZoneInfo("Asia/Kolkata"))
    marks = scale(times, first, first + 7200, width=40)
    assert "  |19:30    |20:00    |20:30    |21:00" == marks


@given(st.floats(0, 2e9), st.floats(0, 2e5), st.integers(20, 200), st.booleans())
@example(first=1.25, length_s=1.0, width=20, dated=True)
def test_a_scale_fits_its_ribbon(first: float, length_s: float, width: int, dated: bool) -> None:
    """No scale is wider than the ribbon above it."""
    times = Times(first, first + length_s, is_dated=dated, zone=ZoneInfo("Europe/Berlin"))
    assert len(scale(times, first, first + length_s, width=width)) <= width


def test_many_days() -> None:
    """More than a day and a half has a ribbon for each day that has anything."""
    day = 86_400.0
    spans = periods(("WALKING", 0.0, day), ("SITTING", 4 * day, 4.5 * day))
    times = Times(0.0, 5 * day, is_dated=False)
    lines = [text.plain for text in ribbons(spans, times, LEGEND, width=20, coloured=False)]
    assert [20 * "W", "(2 days with nothing)", 10 * "S" + 10 * "."] == [
        lines[0], *[line for line in lines if "nothing" in line], lines[-2],
    ]  # fmt: skip
