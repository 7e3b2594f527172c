"""What is due of all phones now and then, a part of them at a time."""

from collections.abc import Sequence
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from pipeline.formats import FORMATS
from pipeline.serving.phone import Phone
from pipeline.serving.rules import Rules
from pipeline.serving.upkeep import Upkeep
from pipeline.subscriptions import Route

RULES = Rules(
    max_devices=100,
    max_ahead_s=3_600.0,
    max_behind_s=60.0,
    offline_after_s=10.0,
    forget_after_s=60.0,
    heartbeat_s=10.0,
)


class Looked:
    """Notes which phones were looked after, and which ended."""

    def __init__(self, n_phones: int) -> None:
        """Let so many phones be there, heard at the time 0."""
        route = Route(FORMATS["native"], "p", "har/p/samples")
        self.phones = {
            f"p{n}": Phone(route, admitted=0.0, last_message=0.0) for n in range(n_phones)
        }
        self.time_s = 0.0
        self.looked_after: list[str] = []
        self.ended: list[str] = []
        itself: Any = self
        self.upkeep = Upkeep(
            RULES,
            phones=itself.phones,
            presence=itself,
            deliveries=itself,
            infos=itself,
            silence=itself,
        )
        for phone in self.phones.values():
            phone.online = True

    def publish_due(self, device: str, phone: Phone, now: float) -> None:
        """Note a phone that is looked after."""
        self.looked_after.append(device)

    def keep_up(self, device: str, now: float) -> None:
        """Publish nothing."""

    def finish(self, devices: Sequence[str]) -> None:
        """Have no results."""

    def end(self, devices: Sequence[str]) -> None:
        """Note phones that have fallen silent."""
        self.ended += devices

    def forget(self, devices: Sequence[str]) -> None:
        """Forget phones."""
        for device in devices:
            del self.phones[device]

    def now(self, phone: Phone) -> float:
        """Return the time."""
        return self.time_s

    def silent_s(self, phone: Phone, since: float, until: float) -> float:
        """Return for how long a phone has been silent."""
        return until - since


@given(st.integers(0, 23), st.lists(st.floats(0, 1), max_size=60))
def test_all_phones_get_their_turn(n_phones: int, parts: list[float]) -> None:
    """Parts that add up to a whole reach each, and none has two turns more than another."""
    looked = Looked(n_phones)
    for part in parts:
        looked.upkeep.keep_part(part)
    times = [looked.looked_after.count(device) for device in looked.phones]
    least = int(sum(parts)) if n_phones else 0
    assert all(n >= least for n in times)
    assert max(times, default=0) - min(times, default=0) <= 1


@given(st.lists(st.floats(0.01, 1), min_size=1, max_size=9))
def test_silent_phones_end_and_are_forgotten_in_parts(parts: list[float]) -> None:
    """Each ends once and is forgotten once, whatever part of them is looked at."""
    looked = Looked(7)
    looked.time_s = 11.0
    for part in [*parts, 1.0, 1.0]:
        looked.upkeep.keep_part(part)
    assert sorted(looked.ended) == sorted(looked.phones)
    looked.phones["p3"].last_message = 50.0
    looked.time_s = 61.0
    for part in [*parts, 1.0, 1.0]:
        looked.upkeep.keep_part(part)
    assert list(looked.phones) == ["p3"]
