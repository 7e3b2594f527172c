from pipeline.commands.history.batch import IDLE_S, LEAST_ROWS, LONGEST_S, MOST_ROWS, QUIET_S, Batch
from tests.commands.history.published import episode, prediction, rows_of


def batch_of(n: int, now: float = 0.0) -> Batch:
    """Return a batch of so many rows that was begun then."""
    batch = Batch()
    for k in range(n):
        [row] = rows_of(prediction(start=float(k)))
        batch.add((k + 1, 0.0), row, now)
    return batch


def test_an_empty_batch_is_never_written() -> None:
    """Without a message there is nothing to write, however long that takes."""
    assert not Batch().is_due(1e9, is_quiet=True)
    assert IDLE_S == Batch().patience_s(1e9)


def test_a_batch_is_written_after_a_second() -> None:
    """However small it is."""
    batch = batch_of(1, now=5.0)
    assert not batch.is_due(5.0 + 0.9 * LONGEST_S, is_quiet=True)
    assert batch.is_due(5.0 + LONGEST_S, is_quiet=False)
    assert 0.0 == batch.patience_s(7.0)


def test_a_large_batch_is_written_at_once() -> None:
    """However young it is."""
    assert batch_of(MOST_ROWS).is_due(0.0, is_quiet=False)
    assert not batch_of(MOST_ROWS - 1).is_due(0.0, is_quiet=False)


def test_a_batch_that_may_be_all_that_the_broker_sends_is_written() -> None:
    """When nothing is added for a moment; a few rows are not taken for that."""
    batch = batch_of(LEAST_ROWS)
    assert QUIET_S == batch.patience_s(0.1)
    assert batch.is_due(0.1, is_quiet=True)
    assert not batch.is_due(0.1, is_quiet=False)
    assert not batch_of(LEAST_ROWS - 1).is_due(0.1, is_quiet=True)


def test_of_one_device_and_start_the_last_is_written() -> None:
    """A prediction and an episode of one start are two; rejected messages have no row."""
    batch = Batch()
    rows = rows_of(
        prediction(activity="WALKING"), prediction(activity="SITTING"), episode(), episode("b")
    )
    for k, row in enumerate(rows):
        batch.add((k + 1, 0.0), row, 0.0)
    batch.add((9, 0.0), None, 0.0)
    assert rows[1:] == batch.rows
    assert [1, 2, 3, 4, 9] == [mid for mid, _ in batch.receipts]
