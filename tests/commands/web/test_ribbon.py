import itertools

from hypothesis import given
from hypothesis import strategies as st

from pipeline.commands.web.ribbon import MOST_ENTRIES, RIBBON_S, Ribbon


def drawn(ribbon: Ribbon, since: int = 0) -> list[tuple[float, float, str]]:
    """Return the entries that are longer than nothing, as a page draws them."""
    entries = (entry[:3] for entry in ribbon.since(since))
    return [(start, end, activity) for start, end, activity in entries if end > start]


def test_an_activity_goes_on_as_predictions_come() -> None:
    """Its end is that of the last window."""
    ribbon = Ribbon()
    ribbon.set_activity("WALKING", 100.0, 0.9, 1)
    ribbon.go_on(99.96, 102.5, 2)
    ribbon.go_on(101.26, 103.8, 3)
    assert [(100.0, 103.8, "WALKING", 0.9)] == ribbon.since(0)


def test_the_next_activity_cuts_the_one_before() -> None:
    """It is known later than it began."""
    ribbon = Ribbon()
    ribbon.set_activity("WALKING", 100.0, 0.9, 1)
    ribbon.go_on(107.46, 110.0, 2)
    ribbon.set_activity("STANDING", 107.0, 0.8, 3)
    assert [(100.0, 107.0, "WALKING"), (107.0, 110.0, "STANDING")] == drawn(ribbon)


def test_a_heartbeat_changes_the_probability_alone() -> None:
    """The same activity since the same time is the same entry."""
    ribbon = Ribbon()
    ribbon.set_activity("WALKING", 100.0, 0.9, 1)
    ribbon.set_activity("WALKING", 100.0, 0.7, 2)
    assert [(100.0, 100.0, "WALKING", 0.7)] == ribbon.since(1)


def test_an_activity_that_began_before_others_replaces_them() -> None:
    """Those in between are empty, which a page that has them is told."""
    ribbon = Ribbon()
    ribbon.set_activity("WALKING", 100.0, 0.9, 1)
    ribbon.go_on(102.46, 105.0, 1)
    ribbon.set_activity("transition", 105.0, 0.9, 2)
    ribbon.go_on(104.46, 107.0, 3)
    ribbon.set_activity("STANDING", 104.0, 0.8, 4)
    assert [(100.0, 104.0, "WALKING"), (104.0, 107.0, "STANDING")] == drawn(ribbon)
    assert (105.0, 105.0, "transition") in [entry[:3] for entry in ribbon.since(3)]


def test_only_what_is_new_is_told() -> None:
    """Entries that have not changed after a version are left out."""
    ribbon = Ribbon()
    ribbon.set_activity("WALKING", 100.0, 0.9, 1)
    ribbon.go_on(102.46, 105.0, 2)
    ribbon.set_activity("STANDING", 105.0, 0.8, 3)
    ribbon.go_on(103.46, 106.0, 4)
    assert ["STANDING"] == [entry[2] for entry in ribbon.since(2)]
    assert [] == ribbon.since(4)


def test_where_no_windows_came_nothing_was_known() -> None:
    """Behind a hole the ribbon goes on when the activity is published again."""
    ribbon = Ribbon()
    ribbon.set_activity("WALKING", 100.0, 0.9, 1)
    ribbon.go_on(100.0, 102.5, 2)
    ribbon.go_on(400.0, 402.5, 3)
    assert [(100.0, 102.5, "WALKING")] == drawn(ribbon)
    for version in (4, 6):  # heartbeats
        ribbon.set_activity("WALKING", 100.0, 0.8, version)
        ribbon.go_on(401.3, 403.8, version + 1)
        assert [(100.0, 102.5, "WALKING"), (400.0, 403.8, "WALKING")] == drawn(ribbon)


def test_an_activity_behind_a_hole() -> None:
    """It begins when it says, not where the one before ended."""
    ribbon = Ribbon()
    ribbon.set_activity("WALKING", 100.0, 0.9, 1)
    ribbon.go_on(100.0, 102.5, 2)
    ribbon.go_on(400.0, 402.5, 3)
    ribbon.go_on(401.3, 403.8, 4)
    ribbon.set_activity("WALKING", 400.0, 0.9, 5)
    ribbon.go_on(402.6, 405.1, 6)
    assert [(100.0, 102.5, "WALKING"), (400.0, 405.1, "WALKING")] == drawn(ribbon)


def test_a_phone_that_was_offline() -> None:
    """Of what is retained nobody knows when it ended; what begins with the phone goes on."""
    ribbon = Ribbon()
    ribbon.fall_silent()
    ribbon.set_activity("WALKING", 100.0, 0.9, 1)
    ribbon.go_on(400.0, 402.5, 2)
    assert [] == drawn(ribbon)
    ribbon.fall_silent()
    ribbon.set_activity("unknown", 500.2, 1.0, 3)
    ribbon.go_on(500.0, 502.5, 4)
    assert [(500.2, 502.5, "unknown")] == drawn(ribbon)


def test_one_prediction_may_be_lost() -> None:
    """The window behind it begins within a window's length."""
    ribbon = Ribbon()
    ribbon.set_activity("WALKING", 100.0, 0.9, 1)
    ribbon.go_on(100.0, 102.54, 2)
    ribbon.go_on(105.12 - 0.02, 107.66, 3)
    assert [(100.0, 107.66, "WALKING")] == drawn(ribbon)


def test_a_clock_that_is_set_back() -> None:
    """What was known of times to come is taken back, and the ribbon goes on from there."""
    ribbon = Ribbon()
    ribbon.set_activity("WALKING", 3700.0, 0.9, 1)
    ribbon.go_on(3700.0, 3720.0, 2)
    assert ribbon.go_on(120.0, 122.5, 3)
    ribbon.set_activity("SITTING", 120.0, 0.9, 4)
    assert not ribbon.go_on(121.3, 123.8, 5)
    assert [(120.0, 123.8, "SITTING")] == drawn(ribbon)
    assert (3700.0, 3700.0, "WALKING") in [entry[:3] for entry in ribbon.since(2)]


def test_an_activity_of_times_to_come_does_no_lasting_harm() -> None:
    """The next one stands in its own time."""
    ribbon = Ribbon()
    ribbon.set_activity("WALKING", 1e9, 0.9, 1)
    ribbon.set_activity("SITTING", 100.0, 0.9, 2)
    ribbon.go_on(100.0, 102.5, 3)
    assert [(100.0, 102.5, "SITTING")] == drawn(ribbon)


@given(st.lists(st.tuples(st.floats(0, 1e4), st.booleans()), max_size=60))
def test_whatever_comes_no_two_entries_overlap(changes: list[tuple[float, bool]]) -> None:
    """In any order of activities and predictions, an instant has one activity at most."""
    ribbon = Ribbon()
    for version, (time, is_activity) in enumerate(changes, 1):
        if is_activity:
            ribbon.set_activity(f"A{version}", time, 1.0, version)
        else:
            ribbon.go_on(time - 2.54, time, version)
    entries = sorted(drawn(ribbon))
    assert all(one[1] <= other[0] for one, other in itertools.pairwise(entries))


def test_it_is_bounded() -> None:
    """What is longer ago than ten minutes, or too many, is forgotten."""
    ribbon = Ribbon()
    for number in range(3 * MOST_ENTRIES):
        ribbon.set_activity("WALKING", 10.0 * number, 1.0, number)
        ribbon.go_on(10.0 * number, 10.0 * number + 10, number)
    assert RIBBON_S / 10 + 1 >= len(ribbon.since(-1))
    for number in range(3 * MOST_ENTRIES):
        ribbon.set_activity("WALKING", 1e6 + number / 100, 1.0, number)
    assert MOST_ENTRIES == len(ribbon.since(-1))
