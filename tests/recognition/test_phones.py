import pytest

from pipeline.readings import MessageError
from pipeline.recognition.phones import Phones


def test_a_phone_keeps_its_slot() -> None:
    """A phone has one slot from when it is admitted, whoever comes or goes."""
    phones = Phones(3)
    for device in "abc":
        phones.admit(device)
    slot = phones.slot("b")

    phones.remove(["a"])
    phones.admit("b")
    phones.admit("d")

    assert slot == phones.slot("b")
    assert ["b", "c", "d"] == phones.devices
    assert phones.devices == [phones.names[slot] for slot in phones.slots]
    assert 3 == len(set(phones.slots.tolist()))


def test_a_phone_too_many() -> None:
    """It is refused while all slots are taken, and admitted when one is free."""
    phones = Phones(1)
    phones.admit("a")
    with pytest.raises(MessageError) as refused:
        phones.admit("b")
    assert "devices" == refused.value.reason

    [slot] = phones.remove(["a"])
    phones.admit("b")

    assert slot == phones.slot("b")


def test_other_phones() -> None:
    """Phones may be replaced by others, up to as many as there are slots."""
    phones = Phones(3)
    phones.admit("a")

    slots = phones.replace(["b", "c"])

    assert ["b", "c"] == phones.devices
    assert [phones.slot("b"), phones.slot("c")] == slots.tolist()
    phones.admit("d")
    assert 3 == len(set(phones.slots.tolist()))
    with pytest.raises(MessageError):
        phones.admit("e")
