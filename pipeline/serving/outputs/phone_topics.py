"""The topics of a phone, and the JSON on them, but for `phone_info` and `homeassistant`.

When a message is published is decided elsewhere.
"""

from collections.abc import Sequence
from itertools import accumulate
from typing import Final

import msgspec
import numpy as np

from pipeline.messages import Publication
from pipeline.recognition.results import Change, Episode, Prediction
from pipeline.result_messages import EpisodePayload, PredictionPayload
from pipeline.vocabulary import UNKNOWN

TIME_DECIMALS: Final = 6
PROBABILITY_DECIMALS: Final = 7


class _Change(msgspec.Struct):
    device: str
    activity: str
    since: float
    probability: float


_encode = msgspec.json.Encoder().encode


def predictions(of_windows: Sequence[Prediction]) -> list[Publication]:
    """Return what is published of windows."""
    publications = []
    for window, probabilities in zip(of_windows, _rounded(of_windows), strict=True):
        payload = PredictionPayload(
            window.device,
            round(window.start, TIME_DECIMALS),
            round(window.end, TIME_DECIMALS),
            window.activity,
            probabilities[window.label],
            dict(zip(window.activities, probabilities, strict=True)),
            window.model,
            window.settling,
        )
        publications.append(Publication(f"har/{window.device}/prediction", _encode(payload)))
    return publications


def _rounded(of_windows: Sequence[Prediction]) -> list[list[float]]:
    """Return the probabilities of each window as `round` would round them one by one.

    In one array that takes a tenth of the time, and is exact: a float32 times 10^7 fits a float64.
    """
    lengths = [len(window.probabilities) for window in of_windows]
    if not lengths:
        return []
    all_in_one = np.concatenate([window.probabilities for window in of_windows])
    scale = 10.0**PROBABILITY_DECIMALS
    rounded = (np.rint(all_in_one.astype(np.float64) * scale) / scale).tolist()
    ends = list(accumulate(lengths))
    return [rounded[end - n : end] for end, n in zip(ends, lengths, strict=True)]


def activity(device: str, change: Change) -> Publication:
    """Return what is published of the activity now, retained."""
    payload = _Change(
        device,
        change.activity,
        round(change.since, TIME_DECIMALS),
        round(change.probability, PROBABILITY_DECIMALS),
    )
    return activity_of(device, _encode(payload))


def unknown(device: str, since: float) -> Publication:
    """Return what is published of an unknown activity now, retained."""
    payload = _Change(device, UNKNOWN, round(since, TIME_DECIMALS), 1.0)
    return activity_of(device, _encode(payload))


def activity_of(device: str, payload: bytes) -> Publication:
    """Return the message of an activity now with this payload, retained."""
    return Publication(f"har/{device}/activity", payload, retain=True)


def begins(device: str, name: str) -> Publication:
    """Return what is published of an activity that begins, by its name, not retained."""
    return Publication(f"har/{device}/begins", name.encode())


def activity_in(publication: Publication) -> str:
    """Return the name in what was published of an activity now."""
    return msgspec.json.decode(publication.payload, type=_Change).activity


def is_of_now(publication: Publication) -> bool:
    """Return whether a message is of no use, or does harm, some time later."""
    return publication.topic.endswith("/begins")


def episode(device: str, finished: Episode) -> Publication:
    """Return what is published of a finished episode."""
    payload = EpisodePayload(
        device,
        finished.activity,
        round(finished.start, TIME_DECIMALS),
        round(finished.end, TIME_DECIMALS),
        round(finished.probability, PROBABILITY_DECIMALS),
    )
    return Publication(f"har/{device}/episode", _encode(payload))


def availability(device: str, *, online: bool) -> Publication:
    """Return what is published of whether a phone sends, retained."""
    state = b"online" if online else b"offline"
    return Publication(f"har/{device}/availability", state, retain=True)


def cleared(device: str, *, activity: bool, info: bool) -> list[Publication]:
    """Return what clears the retained messages of a phone that is forgotten."""
    leaves = ["availability", *["activity"] * activity, *["info"] * info]
    return [Publication(f"har/{device}/{leaf}", b"", retain=True) for leaf in leaves]
