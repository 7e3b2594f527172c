from threading import Event

from pipeline.commands.bridge.partition_times import CATCH_UP_S, EVERY_S, PartitionTimes


class PretendedInflow:
    """A connection that is ready, and by which nothing is held back, unless a test says so."""

    def __init__(self) -> None:
        """Begin ready."""
        self.ready = Event()
        self.ready.set()
        self.is_held_back = False

    def was_held_back(self) -> bool:
        """Return what the test says."""
        return self.is_held_back


def written(inflow: PretendedInflow, times: list[float]) -> int:
    """Return how often the time is written, if it is looked at so often."""
    n_written = 0

    def write() -> None:
        nonlocal n_written
        n_written += 1

    partition_times = PartitionTimes(inflow, write)
    for now in times:
        partition_times.keep(now)
    return n_written


def test_the_time_is_written_now_and_then() -> None:
    """However often the loop turns."""
    turns = [100.0 + turn * 0.01 for turn in range(1_000)]
    assert 10.0 / EVERY_S == written(PretendedInflow(), turns)


def test_nothing_is_written_while_messages_may_wait_elsewhere() -> None:
    """Without a connection, or while the broker holds some back, and a while after."""
    held_back, cut = PretendedInflow(), PretendedInflow()
    held_back.is_held_back = True
    cut.ready.clear()
    for inflow in (held_back, cut):
        assert 0 == written(inflow, [100.0, 105.0, 110.0])
    n_written = 0

    def write() -> None:
        nonlocal n_written
        n_written += 1

    partition_times = PartitionTimes(held_back, write)
    partition_times.keep(100.0)
    held_back.is_held_back = False
    partition_times.keep(100.0 + CATCH_UP_S - 0.1)
    assert 0 == n_written
    partition_times.keep(100.0 + CATCH_UP_S + EVERY_S)
    assert 1 == n_written
