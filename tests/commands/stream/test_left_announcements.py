from typing import cast

from pipeline.commands.stream.left_announcements import LeftAnnouncements
from pipeline.messages import Message
from pipeline.serving.outputs.homeassistant import discovery
from pipeline.serving.phones import Phones


class LeftPhones:
    """What is left of an earlier har-stream's announcements."""

    def __init__(self, *, most: int = 10) -> None:
        """Begin without a phone."""
        self.admitted: dict[str, object] = {}
        phones = cast(Phones, self.admitted)
        self.left = LeftAnnouncements(phones, most=most, forget_after_s=100.0)

    def note(self, device: str, at: float, *, retained: bool = True) -> None:
        """Let the broker send a phone's announcement."""
        announced = discovery(device, ["WALKING"], name=None, heartbeat_s=10.0)
        self.left.note(Message(announced.topic, announced.payload, at, retained=retained))


def test_a_phone_that_does_not_come_again() -> None:
    """It is taken away once, as late as a phone is forgotten."""
    phones = LeftPhones()
    phones.note("a", 0.0)
    phones.note("b", 50.0)
    phones.note("a", 60.0)
    assert [] == phones.left.take_forgotten(100.0)
    assert ["a"] == phones.left.take_forgotten(100.1)
    assert ["b"] == phones.left.take_forgotten(200.0)
    assert [] == phones.left.take_forgotten(1000.0)


def test_a_phone_that_comes_again() -> None:
    """It is forgotten as all others are, whether it came before its announcement or after."""
    phones = LeftPhones()
    phones.note("a", 0.0)
    phones.admitted |= {"a": object(), "b": object()}
    phones.note("b", 0.0)
    assert [] == phones.left.take_forgotten(1000.0)


def test_what_is_not_left() -> None:
    """What is announced just now, by whomever, is not left, nor what is none of ours."""
    phones = LeftPhones()
    phones.note("a", 0.0, retained=False)
    phones.left.note(Message("homeassistant/device/lamp/config", b"{}", 0.0, retained=True))
    assert [] == phones.left.take_forgotten(1000.0)


def test_a_new_connection() -> None:
    """While there is none nothing can come, so the time begins anew."""
    phones = LeftPhones()
    phones.note("a", 0.0)
    phones.left.disconnect()
    phones.note("a", 90.0)
    assert [] == phones.left.take_forgotten(110.0)
    assert ["a"] == phones.left.take_forgotten(191.0)


def test_not_too_many() -> None:
    """Made-up announcements do not fill the memory."""
    phones = LeftPhones(most=2)
    for device in "abc":
        phones.note(device, 0.0)
    assert ["a", "b"] == phones.left.take_forgotten(1000.0)
