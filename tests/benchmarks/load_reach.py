"""The goals of one model's load: what was reached of each, as a table.

All of it was measured on two cores, with broker, generator and probe beside har-stream.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Final

from tests.benchmarks.figures import Figure
from tests.benchmarks.load_consumers import PLAIN
from tests.benchmarks.load_plan import COMPACT, JSON
from tests.benchmarks.load_trial import Trial

Case = tuple[int, str]
"""QoS and form of the messages"""
PHONES: Final[Mapping[Case, float]] = {
    (1, JSON): 9000,
    (1, COMPACT): 12_000,
    (0, JSON): 10_000,
    (0, COMPACT): 14_000,
}
"""Phones at least"""
MESSAGE_US: Final[Mapping[Case, float]] = {(1, JSON): 45.0, (1, COMPACT): 32.0}
"""CPU time a message at most"""
AGAINST_PLAIN: Final[Mapping[Case, float]] = {(1, JSON): 5.0, (1, COMPACT): 7.0}
"""Times the plain consumer's phones a CPU second at least; that one reads JSON"""
AGAINST_LEAST: Final[Mapping[Case, float]] = {(1, JSON): 1.1, (0, JSON): 1.4}
"""Times the CPU time of paho and onnxruntime alone at most"""
MEMORY_KIB: Final = 12.0
"""Memory a phone at most"""
_NAMES: Final = {JSON: "JSON", COMPACT: "compact"}


@dataclass(frozen=True)
class Reached:
    """What one QoS and form came to."""

    held: Trial
    """The largest load"""
    memory_kib: float | None
    """A phone's"""
    least_us: float
    """CPU time a message of paho and onnxruntime alone"""
    floor_us: float
    """CPU time a message that no program goes below"""


def reach_figures(
    reached: Mapping[Case, Reached], peers: Mapping[tuple[str, int], Trial]
) -> list[Figure]:
    """Return the table; ``peers`` are their largest loads, by name and QoS."""
    return list(_figures(reached, peers))


def _figures(
    reached: Mapping[Case, Reached], peers: Mapping[tuple[str, int], Trial]
) -> Iterator[Figure]:
    for case, one in reached.items():
        p99_ms = one.held.arrived.percentile_ms(99)
        yield Figure(
            "load",
            f"reach, phones{_of(case)}",
            one.held.load.phones,
            "phones",
            limit=PHONES.get(case),
            at_least=True,
            detail=f"held {one.held.load.hold_s:g} s, p99 {p99_ms:.0f} ms, nothing lost",
        )
    for case, one in reached.items():
        yield Figure(
            "load",
            f"reach, CPU a message{_of(case)}",
            one.held.message_us,
            "µs",
            limit=MESSAGE_US.get(case),
        )
    for (name, qos), peer in peers.items():
        for case, one in reached.items():
            if case[0] == qos:
                yield _against_peer(case, one, name, peer)
    for case, one in reached.items():
        yield Figure(
            "load",
            f"reach, against the least{_of(case)}",
            one.held.message_us / one.least_us,
            "times",
            limit=AGAINST_LEAST.get(case),
            detail=f"CPU a message; paho and onnxruntime alone {one.least_us:.1f} µs",
        )
    for case, one in reached.items():
        yield Figure(
            "load",
            f"reach, against the floor{_of(case)}",
            one.held.message_us / one.floor_us,
            "times",
            detail=f"CPU a message; the floor {one.floor_us:.1f} µs",
        )
    for case, one in reached.items():
        if one.memory_kib is not None:
            yield Figure(
                "load", f"reach, memory a phone{_of(case)}", one.memory_kib, "KiB", limit=MEMORY_KIB
            )


def _against_peer(case: Case, one: Reached, name: str, peer: Trial) -> Figure:
    ours, theirs = one.held.phones_a_cpu_second, peer.phones_a_cpu_second
    return Figure(
        "load",
        f"reach, against {name}{_of(case)}",
        ours / theirs,
        "times",
        limit=AGAINST_PLAIN.get(case) if name == PLAIN.name else None,
        at_least=True,
        detail=f"phones a CPU second; {ours:,.0f} with {one.held.load.phones:,}, {name} "
        f"{theirs:,.0f} with {peer.load.phones:,}, JSON",
        parts={"ours": ours, "theirs": theirs},
    )


def _of(case: Case) -> str:
    qos, form = case
    return f", QoS {qos}, {_NAMES[form]}"
