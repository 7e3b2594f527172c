import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.readings import MessageError
from pipeline.recordings.activity_names import activity_name


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
