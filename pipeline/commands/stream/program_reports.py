"""Reports of har-stream on itself: ``har/info``, ``har/load``, and whether it is degraded."""

from collections.abc import Mapping

import msgspec

from pipeline.commands.program_info import ProgramInfo
from pipeline.commands.stream.durability import Durability
from pipeline.commands.stream.machine_clock import MachineClock
from pipeline.commands.stream.workload import Load
from pipeline.mqtt.connection import Connection
from pipeline.program_topics import LOAD_TOPIC
from pipeline.serving.phones import Phones
from pipeline.serving.rejections import Rejections


class ProgramReports:
    """Publishes what other programs and its operator must know of the program."""

    def __init__(
        self,
        connection: Connection,
        program: ProgramInfo,
        *,
        phones: Phones,
        load: Load,
        rejections: Rejections,
        clock: MachineClock,
        durability: Durability | None,
    ) -> None:
        """Begin unintroduced."""
        self._connection = connection
        self._program = program
        self._phones = phones
        self._load = load
        self._rejections = rejections
        self._clock = clock
        self._durability = durability
        self._is_introduced = False
        """``har/info`` was published over this connection"""

    def introduce(self) -> None:
        """Publish ``har/info``, once over each connection.

        A broker that was started anew may have forgotten what it retained.
        """
        if not self._is_introduced:
            self._connection.publish_all([self._program.publication])
            self._is_introduced = True

    def disconnect(self) -> None:
        """Note that there is no connection."""
        self._is_introduced = False

    def publish_load(self, now: float, *, dropped: Mapping[str, int], n_dropped: int) -> None:
        """Publish how much waits, how old results are, and what is wrong with the program.

        Args:
            now: the time in monotonic seconds.
            dropped: messages that were dropped since the last call, by topic: there were too many.
            n_dropped: how many were dropped since the start.
        """
        self._load.drop(dropped)
        waiting = self._connection.waiting
        self._load.watch(waiting)
        faults = self._faults()
        has_changed = self._connection.show_status("degraded" if faults else "online")
        if not (has_changed or self._load.is_due(now)):
            return
        report = self._load.report(now, limited=self._connection.take_limited()) | {
            "phones": len(self._phones),
            "waiting": waiting,
            "unconfirmed": len(self._connection.unconfirmed),
            "dropped": n_dropped,
            "rejected": self._rejections.total,
        }
        if self._durability is not None:
            report["unsaved"] = self._durability.unsaved
        if self._connection.refused:
            report["refused"] = self._connection.refused
        report["troubles"] = faults
        self._connection.publish(LOAD_TOPIC, msgspec.json.encode(report), retain=True)

    def _faults(self) -> list[str]:
        """Return what the program's operator should mend, a sentence each."""
        faults: list[str] = []
        if self._durability is not None and self._durability.failure is not None:
            faults.append(self._durability.failure)
        if self._connection.refused:
            topics = ", ".join(self._connection.refused)
            faults.append(f"the broker does not let us read {topics}")
        if self._clock.is_known_wrong:
            faults.append("this machine's clock is wrong")
        return faults
