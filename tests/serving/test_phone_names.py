import pytest

from pipeline.readings import MessageError
from pipeline.serving.phone_names import PhoneNames


def test_names() -> None:
    """A phone has the name that was set last, until it is taken back."""
    names = PhoneNames(2, is_admitted=lambda _: False)
    assert names.of("a") is None
    assert not names.set("a", None)
    assert names.set("a", "Anna's")
    assert not names.set("a", "Anna's")
    assert names.set("a", "Berta's")
    assert "Berta's" == names.of("a")
    assert names.set("a", None)
    assert names.of("a") is None


def test_the_state() -> None:
    """What was set is there again."""
    names, others = (PhoneNames(2, is_admitted=lambda _: True) for _ in range(2))
    names.set("a", "Anna's")
    others.restore(names.state())
    assert "Anna's" == others.of("a")


def test_room() -> None:
    """Made-up phones fill the room, and go again for those that are there."""
    names = PhoneNames(2, is_admitted=lambda device: device.startswith("here"))
    names.set("made-up-1", "1")
    names.set("here-1", "2")
    with pytest.raises(MessageError, match="2 phones have names already") as raised:
        names.set("made-up-2", "3")
    assert "devices" == raised.value.reason
    names.set("here-2", "4")
    assert {"here-1": "2", "here-2": "4"} == names.state()


def test_no_phone_is_called_so() -> None:
    """A name is not given to what can be no phone."""
    with pytest.raises(MessageError):
        PhoneNames(2, is_admitted=lambda _: False).set("$a", "Anna's")
