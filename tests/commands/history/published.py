"""What har-stream publishes, made up, and what of it a database holds."""

import json
from collections.abc import Mapping

from sqlalchemy import Engine, select

from pipeline.commands.history.records import EpisodeRow, PredictionRow, Row, row_of
from pipeline.commands.history.schema import EPISODES, MODELS, PREDICTIONS
from pipeline.messages import Message

MONDAY = 1_795_392_000.0
"""Monday, 23 November 2026, 00:00 UTC"""
PROBABILITIES = {"WALKING": 0.9, "SITTING": 0.0999999, "LAYING": 1e-7}


def prediction(device: str = "phone-7", start: float = MONDAY, **keys: object) -> Message:
    """Return the message of a prediction."""
    payload = {
        "device": device,
        "start": start,
        "end": round(start + 2.54, 6),
        "activity": "WALKING",
        "probability": 0.9,
        "probabilities": PROBABILITIES,
        "model": "cnn-lstm@1a2b3c4d",
    }
    return message(f"har/{device}/prediction", payload | keys)


def episode(
    device: str = "phone-7",
    start: float = MONDAY,
    end: float = MONDAY + 60,
    activity: str = "WALKING",
    **keys: object,
) -> Message:
    """Return the message of an episode."""
    payload = {"device": device, "activity": activity, "start": start, "end": end}
    return message(f"har/{device}/episode", payload | {"probability": 0.9} | keys)


def message(topic: str, payload: Mapping[str, object] | bytes) -> Message:
    """Return a message as the broker delivers it."""
    data = payload if isinstance(payload, bytes) else json.dumps(payload).encode()
    return Message(topic, data, 0.0, 1)


def rows_of(*messages: Message) -> list[Row]:
    """Return what is kept of messages."""
    return [row_of(one) for one in messages]


def content(engine: Engine) -> set[Row]:
    """Return all rows of a database."""
    joined = select(PREDICTIONS, MODELS.c.model, MODELS.c.activities).join(MODELS)
    with engine.connect() as connection:
        predictions = [
            PredictionRow(
                row.device, row.start, row.end, row.activity, row.probability,
                row.probabilities, row.settling, row.model, tuple(json.loads(row.activities)),
            )
            for row in connection.execute(joined)
        ]  # fmt: skip
        episodes = [
            EpisodeRow(row.device, row.start, row.end, row.activity, row.probability)
            for row in connection.execute(select(EPISODES))
        ]
    rows = {*predictions, *episodes}
    assert len(rows) == len(predictions) + len(episodes)
    return rows
