"""Results that come again, because a recognizer was killed and has processed its batch again.

Rules: a result that states its origin repeats one before if as high a number of its bucket has been
seen in its partition: a batch that is processed again gives the same numbers, in the same order.
One that states none is a repeat if topic and payload are those of one before, where no two results
are alike: predictions and episodes, which are told apart by device and start. Should another model
have seen the same samples, the payload differs, and both are published.

The memory is bounded, and empty after a start: what is not remembered is published again.
"""

from collections import OrderedDict
from typing import Final

from pipeline.commands.bridge.result_records import Result
from pipeline.kafka_records import Origin
from pipeline.messages import Publication

MOST_BUCKETS: Final = 65_536
"""Buckets in partitions whose highest number is remembered"""
MOST_RESULTS: Final = 100_000
"""Results without an origin that are remembered: those of several batches"""


class Repeats:
    """What was published lately."""

    def __init__(
        self, *, most_buckets: int = MOST_BUCKETS, most_results: int = MOST_RESULTS
    ) -> None:
        """Begin with nothing; the longest unseen is forgotten when there would be more."""
        self._most_buckets, self._most_results = most_buckets, most_results
        self._numbers: OrderedDict[tuple[int, bytes], int] = OrderedDict()
        """The highest number, by partition and bucket"""
        self._results: OrderedDict[int, None] = OrderedDict()
        """Hashes of topic and payload"""

    def has_seen(self, result: Result, partition: int) -> bool:
        """Return whether a result of a partition is a repeat, and remember it if not."""
        if result.origin is not None:
            return self._has_number(partition, result.origin)
        return result.is_unrepeated and self._has_alike(result.publication)

    def _has_number(self, partition: int, origin: Origin) -> bool:
        place = partition, origin.bucket
        highest = self._numbers.get(place, -1)
        self._numbers[place] = max(highest, origin.number)
        self._numbers.move_to_end(place)
        if len(self._numbers) > self._most_buckets:
            self._numbers.popitem(last=False)
        return origin.number <= highest

    def _has_alike(self, publication: Publication) -> bool:
        alike = hash((publication.topic, publication.payload))
        is_known = alike in self._results
        self._results[alike] = None
        self._results.move_to_end(alike)
        if len(self._results) > self._most_results:
            self._results.popitem(last=False)
        return is_known
