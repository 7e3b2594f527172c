import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.readings import MessageError, Readings
from pipeline.recordings.labelled import (
    Header,
    LabelledReadings,
    LabelledRecording,
    activities_of,
    activity_name,
)

HEADER = Header(
    device="phone",
    format="native",
    clock="epoch",
    convention="android",
    convention_from="assumption",
    created="2026-11-23T15:22:00Z",
    software="har-stream",
)


def recording(labels: list[int], *, activities: tuple[str, ...]) -> LabelledRecording:
    """Return a recording at 50 Hz from 100 s on, in messages of ten samples."""
    times = 100 + np.arange(len(labels)) / 50
    messages = [
        LabelledReadings(
            Readings("phone", times[k : k + 10], np.zeros((len(times[k : k + 10]), 6))),
            np.array(labels[k : k + 10], np.int16),
        )
        for k in range(0, len(labels), 10)
    ]
    return LabelledRecording(HEADER, activities, tuple((part,) for part in messages))


@pytest.mark.parametrize(
    ("text", "name"),
    [
        ("walking", "WALKING"),
        (" going  up-stairs\n", "GOING_UP_STAIRS"),
        ("JUMPING_2", "JUMPING_2"),
        ("läuft schräg", "LÄUFT_SCHRÄG"),
        ("e\u0301tirement", "ÉTIREMENT"),
        ("ходьба", "ХОДЬБА"),
        ("चलना", "चलना"),
        ("散歩 速い", "散歩_速い"),
        ("پیاده\u200cروی", "پیاده\u200cروی"),
        ("going\u2013up", "GOING_UP"),
        ("", None),
        (" \t", None),
    ],
)
def test_names_are_brought_into_one_form(text: str, name: str | None) -> None:
    """Case, blanks and hyphens do not matter, nor how an accent was typed; nothing is none."""
    assert name == activity_name(text)


@pytest.mark.parametrize(
    "text", ["läuft, schnell", "a/b", "A" * 65, "{}", "walking.", "🚶", "a\0b"]
)
def test_what_is_no_name_is_refused(text: str) -> None:
    """A name has letters, of any script, digits and underscores."""
    with pytest.raises(MessageError, match="is no activity") as refused:
        activity_name(text)
    assert "label" == refused.value.reason


@given(st.text())
def test_a_name_is_its_own_name(text: str) -> None:
    """Whatever is taken for a name stays as it is when it is read again."""
    try:
        name = activity_name(text)
    except MessageError:
        return
    assert name == activity_name(name or "")


def test_labels_at_any_time() -> None:
    """At a time the label is that of the last sample; before the first there is none."""
    one = recording([0] * 25 + [-1] * 25 + [1] * 25, activities=("A", "B"))
    times = np.array([99.9, 100.0, 100.49, 100.5, 100.99, 101.0, 101.5, 200.0])
    assert [-1, 0, 0, -1, -1, 1, 1, 1] == one.labels_at(times).tolist()


def test_a_window_has_the_activity_that_all_its_samples_share() -> None:
    """One other sample, or one without a label, and it has none."""
    one = recording([0] * 128 + [1] * 129 + [-1] * 128, activities=("A", "B"))
    starts = {100.0: "A", 100.02: None, 102.56: "B", 102.58: "B", 102.6: None, 105.14: None}
    assert starts == {start: one.done_throughout(start) for start in starts}


def test_samples_and_activities_are_counted() -> None:
    """A recording counts its samples, several name their activities together."""
    one = recording([0] * 25, activities=("WALKING",))
    other = recording([0] * 30, activities=("JUMPING", "WALKING"))
    assert (25, 30) == (one.n_samples, other.n_samples)
    assert ("JUMPING", "WALKING") == activities_of([one, other])
