"""What a running har-bridge counts: for its last line, and for whoever watches it."""

from collections import Counter
from dataclasses import dataclass, field
from typing import Final, Literal, get_args

Refusal = Literal["size", "record"]
"""Why a message is not taken to Kafka: it is too large, or Kafka refuses it for something else"""
REFUSALS: Final[tuple[Refusal, ...]] = get_args(Refusal)

Flaw = Literal["topic", "device", "key", "origin", "size", "value"]
"""What is wrong with a record that is no result"""
FLAWS: Final[tuple[Flaw, ...]] = get_args(Flaw)


@dataclass
class BridgeCounts:
    """Counts since the start. They never go down."""

    samples: int = 0
    """Messages that Kafka has confirmed"""
    repeated_samples: int = 0
    """Messages that the broker sent again though they were on their way, and that go once"""
    refused_samples: Counter[Refusal] = field(default_factory=Counter)
    """Messages that are not taken to Kafka, and are acknowledged"""
    dropped_samples: int = 0
    """Messages at QoS 0 that were too many while Kafka was away"""
    results: int = 0
    """Records that were published"""
    repeated_results: int = 0
    """Records that repeat one before, and are not published"""
    rejected_results: Counter[Flaw] = field(default_factory=Counter)
    """Records that are no results, and are not published"""
    producers: int = 0
    """Producers of records that were made; each after the first took the place of a failed one"""
    commits: int = 0
    """Times that Kafka was told how far results are published"""

    def __str__(self) -> str:
        """Return the counts for people."""
        refused, rejected = self.refused_samples.total(), self.rejected_results.total()
        return (
            f"{self.samples} messages to Kafka "
            f"({refused} refused, {self.dropped_samples} dropped), "
            f"{self.results} results to MQTT "
            f"({self.repeated_results} repeats, {rejected} rejected)"
        )
