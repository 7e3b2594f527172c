"""The metrics of har-record: what it keeps, and what it cannot."""

from collections.abc import Iterator, Mapping

from pipeline.commands.monitoring.broker import broker_families
from pipeline.commands.monitoring.families import Family, counter, gauge
from pipeline.commands.record.recorder import Recorder
from pipeline.mqtt.connection import Connection
from pipeline.readings import REASONS, Reason


def record_families(
    recorder: Recorder,
    rejected: Mapping[Reason, int],
    connection: Connection,
    *,
    silence_s: float,
) -> Iterator[Family]:
    """Yield all of them, as of now.

    Args:
        recorder: counts what was kept.
        rejected: messages that could not be, by reason.
        connection: to the broker.
        silence_s: seconds since samples came, or since the start.
    """
    yield from broker_families(connection)
    yield counter(
        "har_record_messages_total", "Messages of the phone that were read", recorder.n_messages
    )
    yield counter(
        "har_record_samples_total",
        "Samples that were kept, each sensor's by itself",
        recorder.n_samples,
    )
    yield counter(
        "har_record_rejected_messages_total",
        "Messages that could not be kept, by reason",
        {reason: rejected.get(reason, 0) for reason in REASONS},
        "reason",
    )
    yield counter("har_record_files_total", "Recordings that have ended", len(recorder.files))
    yield counter(
        "har_record_file_bytes_total",
        "Size of the recordings that have ended",
        recorder.n_file_bytes,
    )
    yield gauge(
        "har_record_silence_seconds",
        "Time since samples came; since the start if none have",
        silence_s,
    )
