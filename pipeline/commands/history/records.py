"""What is kept of a message: a prediction or an episode, as one row.

Rules: a message that har-stream does not publish so is rejected whole, with a reason of a small
fixed set. The device's name is that of the topic, which the broker's rights can police. Times are
in whole microseconds, which is how exactly har-stream publishes them: so a time that comes again is
the same number, and is read back as the very number that was published.
"""

import re
from typing import Final

import msgspec
import numpy as np

from pipeline.messages import Message
from pipeline.readings import LATEST_TIME_S, MessageError, check_device, reading_json
from pipeline.result_messages import EpisodePayload, PredictionPayload

TOPICS: Final = ("har/+/prediction", "har/+/episode")
PREDICTION: Final = "prediction"
MICROSECONDS: Final = 1_000_000
"""In a second"""
MOST_BYTES: Final = 8_192
"""Of a payload; har-stream's have some hundreds"""
MOST_ACTIVITIES: Final = 64
"""That a model may tell apart"""
LONGEST_WINDOW_S: Final = 60.0
"""More than twenty times what any model takes"""
LONGEST_NAME: Final = 128
"""Characters of an activity's or a model's name"""
PROBABILITY_DECIMALS: Final = 7
"""As har-stream publishes them; more than that a float32 does not hold"""
_TOPIC: Final = re.compile(r"har/(?P<device>[^/]*)/(?P<kind>prediction|episode)")


class PredictionRow(msgspec.Struct, frozen=True):
    """A window's prediction."""

    device: str
    start: int
    """Microseconds since 1970, of the window's first sample"""
    end: int
    """Microseconds since 1970, of the window's last sample"""
    activity: str
    probability: float
    probabilities: bytes
    """As `packed` has them, in the order of `activities`"""
    settling: bool
    model: str
    activities: tuple[str, ...]
    """The model's, by name"""


class EpisodeRow(msgspec.Struct, frozen=True):
    """A finished period of one activity."""

    device: str
    start: int
    """Microseconds since 1970"""
    end: int
    """Microseconds since 1970"""
    activity: str
    probability: float


Row = PredictionRow | EpisodeRow


_decode_prediction = msgspec.json.Decoder(PredictionPayload).decode
_decode_episode = msgspec.json.Decoder(EpisodePayload).decode


def row_of(message: Message) -> Row:
    """Return what is kept of a message.

    Raises:
        MessageError: it is none that har-stream publishes.
    """
    n_bytes = message.oversize or len(message.payload)
    if n_bytes > MOST_BYTES:
        raise MessageError("size", f"{n_bytes} bytes; at most {MOST_BYTES}")
    topic = _TOPIC.fullmatch(message.topic)
    if topic is None:
        raise MessageError("device", "no topic of a phone's results")
    device = topic["device"]
    check_device(device)
    if topic["kind"] == PREDICTION:
        return _prediction(device, message.payload)
    return _episode(device, message.payload)


def _prediction(device: str, payload: bytes) -> PredictionRow:
    with reading_json():
        published = _decode_prediction(payload)
    _check_device_of(device, published.device)
    _check_times(published.start, published.end)
    if published.end - published.start > LONGEST_WINDOW_S:
        raise MessageError("time", f"a window of {published.end - published.start:g} s")
    activities = tuple(published.probabilities)
    if not 1 <= len(activities) <= MOST_ACTIVITIES:
        raise MessageError("length", f"{len(activities)} activities; 1 to {MOST_ACTIVITIES} may be")
    for name in (*activities, published.model):
        check_name(name)
    if published.activity not in published.probabilities:
        raise MessageError("field", "the activity is none of those with a probability")
    values = list(published.probabilities.values())
    for probability in (published.probability, *values):
        _check_probability(probability)
    return PredictionRow(
        device,
        microseconds(published.start),
        microseconds(published.end),
        published.activity,
        published.probability,
        packed(values),
        published.settling,
        published.model,
        activities,
    )


def _episode(device: str, payload: bytes) -> EpisodeRow:
    with reading_json():
        published = _decode_episode(payload)
    _check_device_of(device, published.device)
    _check_times(published.start, published.end)
    check_name(published.activity)
    _check_probability(published.probability)
    return EpisodeRow(
        device,
        microseconds(published.start),
        microseconds(published.end),
        published.activity,
        published.probability,
    )


def microseconds(time_s: float) -> int:
    """Return epoch seconds as the nearest whole microseconds."""
    return round(time_s * MICROSECONDS)


def seconds(time: int) -> float:
    """Return microseconds as epoch seconds: the float that was published, to the last bit."""
    return time / MICROSECONDS


def packed(probabilities: list[float]) -> bytes:
    """Return probabilities as float32, little-endian: 4 bytes each in place of some 25 of JSON.

    They are a model's output, float32 rounded to `PROBABILITY_DECIMALS`; so nothing is lost.
    """
    return np.array(probabilities, "<f4").tobytes()


def unpacked(data: bytes) -> list[float]:
    """Return what `packed` was given."""
    return [round(p, PROBABILITY_DECIMALS) for p in np.frombuffer(data, "<f4").tolist()]


def _check_device_of(device: str, named: str) -> None:
    if named != device:
        raise MessageError("device", f"names {named[:64]!r}, its topic another device")


def _check_times(start: float, end: float) -> None:
    """Reject times that are none; NaN is neither within bounds nor beyond them."""
    if not (0 <= start < LATEST_TIME_S and 0 <= end < LATEST_TIME_S):
        raise MessageError("time", f"times must be in seconds, since 1970: {start:g} to {end:g}")
    if end < start:
        raise MessageError("time", f"ends {start - end:g} s before its start")


def check_name(name: str) -> None:
    """Reject what is no name: a database takes no NUL, a terminal no control characters."""
    if not (1 <= len(name) <= LONGEST_NAME and name.isprintable()):
        raise MessageError("field", f"a name has 1 to {LONGEST_NAME} printable characters")


def _check_probability(probability: float) -> None:
    if not 0 <= probability <= 1:
        raise MessageError("magnitude", f"a probability of {probability:g}")
