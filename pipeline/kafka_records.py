"""The records in Kafka: which topics there are, and what headers say of each record.

Beyond one machine samples and results pass through Kafka, every record under the key of its
device. har-bridge writes samples there and reads results; recognizers do the reverse. A value is a
payload of MQTT, unchanged; all else that MQTT says of a message is in headers.
"""

from typing import Final, NamedTuple

SAMPLES_TOPIC: Final = "har.samples"
"""Usual topic of what phones send, with what instructs har-stream about them"""
RESULTS_TOPIC: Final = "har.results"
"""Usual topic of what is published of phones"""

TOPIC_HEADER: Final = "topic"
"""The topic of MQTT, in UTF-8"""
RETAINED_HEADER: Final = "retained"
"""Of a sample: `YES` if the broker had retained the message"""
RETAIN_HEADER: Final = "retain"
"""Of a result: `YES` if the broker is to retain the message"""
ORIGIN_HEADER: Final = "origin"
"""Of a result: ``<run>/<bucket>/<n>``, where it comes among the results of its bucket"""
YES: Final = b"1"

RESULT_LEAVES: Final = frozenset(
    {"activity", "availability", "begins", "episode", "info", "prediction"}
)
"""Last levels of the topics of results, ``har/<device>/<leaf>``"""


class Origin(NamedTuple):
    """Where a result comes among the results of its bucket."""

    bucket: bytes
    """Run and bucket"""
    number: int
    """Counted from 0; a batch that is processed again gives the same numbers"""


def origin_of(header: bytes) -> Origin:
    """Return the origin that a header states.

    Raises:
        ValueError: it states none.
    """
    bucket, _, number = header.rpartition(b"/")
    if b"/" not in bucket or not number.isdigit() or len(number) > 18:
        raise ValueError("the origin is not RUN/BUCKET/N")
    return Origin(bucket, int(number))
