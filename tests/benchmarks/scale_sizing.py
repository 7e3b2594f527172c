"""What fleets need, by arithmetic from what was measured in the same run; nothing of it was tried.

Cores, memory and network grow with the messages. The prices are round ones of large clouds; put in
your own.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

from tests.benchmarks.figures import Figure

FLEETS: Final = (100_000, 1_000_000)
MESSAGES_S: Final = 2.0
"""Of each phone"""
HEAD_ROOM: Final = 2.0
"""Times the cores, to catch up after a failure and for uneven load"""
REPLICAS: Final = 3
"""Of what Kafka keeps"""
KEPT_S: Final = 86_400.0
"""How long Kafka keeps samples"""
CORE_MEMORY_GIB: Final = 3.0
"""Of an executor: JVM, RocksDB and Python worker"""
HOURS_A_YEAR: Final = 8_766.0
CORE_HOUR_USD: Final = 0.04
GIB_HOUR_USD: Final = 0.005
DISK_GB_MONTH_USD: Final = 0.08
TRAFFIC_GB_USD: Final = 0.01
"""Between zones; each replica but the first crosses one, and so does half of what is read"""


@dataclass(frozen=True)
class Measured:
    """What a message and a phone cost."""

    spark_core_s: float
    """CPU seconds of har-spark a message"""
    kafka_core_s: float
    """CPU seconds of one Kafka node a message that is written, read and answered"""
    kept_bytes: float
    """Bytes of a message as Kafka keeps it"""
    state_bytes: float
    """Bytes of a phone's state"""
    group_core_s: float
    """CPU seconds of a plain consumer group a message"""


def sizing(measured: Measured) -> Iterator[Figure]:
    """Yield what each fleet needs."""
    for n_phones in FLEETS:
        messages_s = n_phones * MESSAGES_S
        spark = messages_s * measured.spark_core_s * HEAD_ROOM
        group = messages_s * measured.group_core_s * HEAD_ROOM
        kafka = messages_s * measured.kafka_core_s * REPLICAS * HEAD_ROOM
        in_mb_s = messages_s * measured.kept_bytes / 1e6
        disk_gb = in_mb_s * KEPT_S * REPLICAS / 1e3
        state_gb = n_phones * measured.state_bytes / 1e9
        memory_gib = spark * CORE_MEMORY_GIB
        name = f"{n_phones:,} phones"
        yield Figure(
            "scale",
            f"{name}: cores for har-spark",
            spark,
            "cores",
            detail=f"{HEAD_ROOM:g} times the load; as a consumer group {group:.0f}; "
            f"Kafka {kafka:.0f} on {REPLICAS} nodes or more",
        )
        yield Figure(
            "scale",
            f"{name}: memory of executors",
            memory_gib,
            "GiB",
            detail=f"{CORE_MEMORY_GIB:g} a core; of state {state_gb:.1f} GB",
        )
        yield Figure(
            "scale",
            f"{name}: into Kafka",
            in_mb_s,
            "MB/s",
            detail=f"{disk_gb / 1e3:.1f} TB on disks: {REPLICAS} copies of {KEPT_S / 3600:.0f} h",
        )
        yield Figure(
            "scale",
            f"{name}: a phone-year",
            _year_usd(spark + kafka, memory_gib, disk_gb, in_mb_s) / n_phones,
            "USD",
            detail=f"at {CORE_HOUR_USD:g} a core-hour, {GIB_HOUR_USD:g} a GiB-hour, "
            f"{DISK_GB_MONTH_USD:g} a GB-month, {TRAFFIC_GB_USD:g} a GB between zones; MQTT broker "
            "not counted",
        )


def _year_usd(cores: float, memory_gib: float, disk_gb: float, in_mb_s: float) -> float:
    crossing_gb = in_mb_s * 3600 / 1e3 * HOURS_A_YEAR * (REPLICAS - 1 + 0.5)
    return (
        HOURS_A_YEAR * (cores * CORE_HOUR_USD + memory_gib * GIB_HOUR_USD)
        + 12 * disk_gb * DISK_GB_MONTH_USD
        + crossing_gb * TRAFFIC_GB_USD
    )
