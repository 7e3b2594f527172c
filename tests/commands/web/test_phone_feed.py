import json
from collections.abc import Callable
from typing import Any, cast

import msgspec

from pipeline.commands.web.bus import Bus
from pipeline.commands.web.live import Live
from pipeline.commands.web.phone_feed import TOO_MUCH, LabelNow, PhoneFeed, Samples


class FullBus:
    """The broker's side, which takes what a test lets it take."""

    def __init__(self) -> None:
        """Begin with room."""
        self.has_room = True
        self.confirm: list[Callable[[], None]] = []

    def publish(self, _topic: str, _payload: bytes, **options: Any) -> bool:  # noqa: ANN401
        """Take a message if there is room."""
        if self.has_room:
            self.confirm.append(options["on_confirmed"])
        return self.has_room


def samples(*times: float) -> Samples:
    """Return samples of a phone at rest, as its page sends them."""
    rows = [{"t": t, "agx": 0, "agy": 0, "agz": 9.8, "rx": 0, "ry": 0, "rz": 0} for t in times]
    payload = {"v": 1, "unit": "m/s2", "gyro_unit": "deg/s", "samples": rows}
    return Samples(msgspec.Raw(msgspec.json.encode(payload)))


def started() -> tuple[PhoneFeed, FullBus, Live]:
    """Return a phone's feed, with broker and har-stream there."""
    live, bus = Live([]), FullBus()
    live.fleet.set_link(1, is_up=True)
    live.fleet.set_stream("online")
    return PhoneFeed(live, cast("Bus", bus), "anna"), bus, live


def told(feed: PhoneFeed) -> dict[str, Any]:
    """Return what the page is told next."""
    feed.pulse()
    found: dict[str, Any] = {}
    for frame in feed.frames():
        found |= json.loads(frame)
    return found


def test_samples_that_were_not_taken_are_not_confirmed() -> None:
    """Later ones do not stand for them; they come again, and then all are confirmed."""
    feed, bus, _ = started()
    feed.take(samples(1.0, 1.1))
    bus.has_room = False
    feed.take(samples(1.2, 1.3))
    bus.confirm.pop()()
    assert {"type": "answer", "problem": TOO_MUCH, "received": 2, "until": 1.1} == told(feed)
    bus.has_room = True
    feed.take(samples(1.4, 1.5))
    bus.confirm.pop()()
    assert {"type": "answer", "problem": None, "received": 4} == told(feed)
    feed.take(samples(1.2, 1.3, 1.4, 1.5))
    bus.confirm.pop()()
    assert {"type": "answer", "received": 8, "until": 1.5} == told(feed)


def test_a_label_that_was_not_taken() -> None:
    """The page is told, and told when there is room again: then it sends again."""
    feed, bus, _ = started()
    bus.has_room = False
    feed.take(LabelNow("SITTING", 1.0))
    assert TOO_MUCH == told(feed)["problem"]
    bus.has_room = True
    feed.take(LabelNow("SITTING", 1.0))
    bus.confirm.pop()()
    expected = {"problem": None, "label": {"activity": "SITTING", "time": 1.0}}
    assert {"type": "answer"} | expected == told(feed)


def test_each_window_that_is_recognised_is_told() -> None:
    """Not those from before the page came."""
    _, bus, live = started()

    def predict(end: float, **probabilities: float) -> None:
        window = {"start": end - 2.5, "end": end, "activity": "WALKING", "probability": 0.9}
        payload = msgspec.json.encode(window | {"probabilities": probabilities})
        live.fleet.take("anna", "prediction", payload, received=0.0, now=0.0)

    predict(10.0, WALKING=0.9)
    feed = PhoneFeed(live, cast("Bus", bus), "anna")
    assert {} == told(feed)
    predict(11.0, WALKING=0.9)
    assert {"type": "answer", "recognised": 11.0} == told(feed)
    assert {} == told(feed)
    predict(12.0, WALKING=0.9, CYCLING=0.1)
    assert ["WALKING", "CYCLING"] == told(feed)["activities"]
