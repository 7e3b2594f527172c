from hypothesis import given
from hypothesis import strategies as st

from pipeline.commands.bridge.repeats import Repeats
from pipeline.commands.bridge.result_records import result_of
from tests.commands.bridge.made_records import MadeRecord, result


def seen(repeats: Repeats, record: MadeRecord, partition: int = 0) -> bool:
    """Return whether a record is a repeat."""
    return repeats.has_seen(result_of(record, most_bytes=10_000), partition)


@given(st.lists(st.tuples(st.integers(1, 6), st.integers(0, 6)), max_size=20))
def test_a_batch_that_is_processed_again(batches: list[tuple[int, int]]) -> None:
    """However far a batch came before it was processed again, each result is published once.

    Each batch has some results, and writes some of them before it is processed once more.
    """
    written: list[int] = []
    n_results = 0
    for size, n_before in batches:
        batch = list(range(n_results, n_results + size))
        written += [*batch[:n_before], *batch]
        n_results += size
    repeats = Repeats()
    published = [n for n in written if not seen(repeats, result(origin=f"run/0/{n}"))]
    assert list(range(n_results)) == published


def test_buckets_and_runs_and_partitions_are_told_apart() -> None:
    """Each counts by itself; a lower number of another one is no repeat."""
    repeats = Repeats()
    assert not seen(repeats, result(origin="run/0/7"))
    assert not seen(repeats, result(origin="run/1/3"))
    assert not seen(repeats, result(origin="other/0/3"))
    assert not seen(repeats, result(origin="run/0/3"), partition=1)
    assert seen(repeats, result(origin="run/0/7"))
    assert seen(repeats, result(origin="run/0/3"))
    assert not seen(repeats, result(origin="run/0/8"))


def test_without_an_origin() -> None:
    """Predictions and episodes are known again; an activity may well be as it was before."""
    repeats = Repeats()
    for leaf in ("prediction", "episode"):
        assert not seen(repeats, result("p", leaf, b'{"start": 1}'))
        assert seen(repeats, result("p", leaf, b'{"start": 1}'))
        assert not seen(repeats, result("q", leaf, b'{"start": 1}'))
        assert not seen(repeats, result("p", leaf, b'{"start": 1, "model": "another"}'))
    for leaf in ("activity", "info", "begins", "availability"):
        assert not seen(repeats, result("p", leaf, b"x"))
        assert not seen(repeats, result("p", leaf, b"x"))


def test_the_memory_is_bounded() -> None:
    """The longest unseen is forgotten, and nothing else."""
    repeats = Repeats(most_buckets=2, most_results=3)
    for bucket in (0, 1, 0, 2):  # 1 is forgotten
        seen(repeats, result(origin=f"run/{bucket}/{bucket + 5}"))
    assert seen(repeats, result(origin="run/0/5"))
    assert seen(repeats, result(origin="run/2/7"))
    assert not seen(repeats, result(origin="run/1/6"))
    for start in (0, 1, 2, 0, 3):  # 1 is forgotten
        seen(repeats, result(payload=b"%d" % start))
    assert seen(repeats, result(payload=b"0"))
    assert seen(repeats, result(payload=b"3"))
    assert not seen(repeats, result(payload=b"1"))
