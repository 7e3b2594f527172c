"""Whether a har-stream is ready: it has its samples, keeps up, and its results arrive."""

from pipeline.commands.monitoring.broker import broker_checks
from pipeline.commands.monitoring.health import Checks
from pipeline.commands.stream.durability import Durability
from pipeline.commands.stream.workload import Load
from pipeline.mqtt.connection import Connection


def readiness(connection: Connection, load: Load, durability: Durability | None) -> Checks:
    """Return the checks, which may be made on any thread."""

    def queue() -> str | None:
        return f"{connection.waiting} messages wait to be processed" if load.too_much else None

    checks = {**broker_checks(connection), "models": lambda: None, "queue": queue}
    if durability is not None:
        checks["checkpoint"] = durability.why_not_kept
    return checks
