import pytest

from pipeline.readings import MessageError
from pipeline.recognition.slots import Slots


def test_a_phone_keeps_its_slot() -> None:
    """A phone has one slot from when it is admitted, whoever comes or goes."""
    slots = Slots(3)
    for device in "abc":
        slots.admit(device)
    slot = slots.of("b")

    slots.remove(["a"])
    slots.admit("b")
    slots.admit("d")

    assert slot == slots.of("b")
    assert ["b", "c", "d"] == slots.devices
    assert slots.devices == [slots.names[slot] for slot in slots.in_use]
    assert 3 == len(set(slots.in_use.tolist()))


def test_a_phone_too_many() -> None:
    """It is refused while all slots are taken, and admitted when one is free."""
    slots = Slots(1)
    slots.admit("a")
    with pytest.raises(MessageError) as refused:
        slots.admit("b")
    assert "devices" == refused.value.reason

    [slot] = slots.remove(["a"])
    slots.admit("b")

    assert slot == slots.of("b")


def test_other_phones() -> None:
    """Phones may be replaced by others, up to as many as there are slots."""
    slots = Slots(3)
    slots.admit("a")

    replaced = slots.replace(["b", "c"])

    assert ["b", "c"] == slots.devices
    assert [slots.of("b"), slots.of("c")] == replaced.tolist()
    slots.admit("d")
    assert 3 == len(set(slots.in_use.tolist()))
    with pytest.raises(MessageError):
        slots.admit("e")
