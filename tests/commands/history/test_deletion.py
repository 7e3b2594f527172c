from collections.abc import Callable
from pathlib import Path

import pytest
from sqlalchemy import Engine

from pipeline.commands.history import deletion
from pipeline.commands.history.address import DatabaseAddress
from pipeline.commands.history.deletion import Retention, devices_in, forget
from pipeline.commands.history.records import PredictionRow
from pipeline.commands.history.schema import EPISODES, PREDICTIONS
from pipeline.commands.history.versions import prepare
from pipeline.commands.history.writing import RowWriter
from tests.commands.history.published import MONDAY, content, episode, prediction, rows_of

DAY_S = 86_400
DEVICES = ["A", "b", "phone 7", "phöne"]


@pytest.fixture(autouse=True)
def small_portions(monkeypatch: pytest.MonkeyPatch) -> None:
    """Rows are deleted three at a time."""
    monkeypatch.setattr(deletion, "PORTION", 3)


@pytest.fixture
def fill(engine: Engine) -> Callable[[], None]:
    """A function that writes ten days of two phones, a prediction and an episode a day."""

    def fill() -> None:
        messages = [
            made(device, MONDAY - day * DAY_S)
            for device in ("a", "b")
            for day in range(10)
            for made in (prediction, episode)
        ]
        RowWriter(engine).write(rows_of(*messages))

    return fill


def test_what_is_too_old_is_deleted(engine: Engine, fill: Callable[[], None]) -> None:
    """Predictions by their age and episodes by theirs, of all phones; what is younger stays."""
    fill()
    retention = Retention(engine, keep_s=8 * DAY_S, keep_predictions_s=2 * DAY_S)
    n_portions = sum(1 for _ in retention.portions(MONDAY + 1))
    left = content(engine)
    assert 2 * 2 == sum(isinstance(row, PredictionRow) for row in left)
    assert 2 * 8 == sum(not isinstance(row, PredictionRow) for row in left)
    assert 40 - len(left) == retention.n_deleted
    assert 2 + 2 * (8 // 3 + 1) + 2 == n_portions


def test_what_is_kept_for_ever(engine: Engine, fill: Callable[[], None]) -> None:
    """Without an age nothing is deleted; predictions may have one alone."""
    fill()
    assert not Retention(engine, keep_s=None, keep_predictions_s=None).is_needed
    for _ in Retention(engine, keep_s=None, keep_predictions_s=0).portions(MONDAY + DAY_S):
        pass
    assert 20 == len(content(engine))


def test_others_write_between_two_portions(engine: Engine, fill: Callable[[], None]) -> None:
    """No transaction is open while rows are not being deleted."""
    fill()
    writer = RowWriter(engine)
    for k, _ in enumerate(
        Retention(engine, keep_s=0, keep_predictions_s=0).portions(MONDAY + DAY_S)
    ):
        start = MONDAY + 2 * DAY_S + k
        assert [] == writer.write(rows_of(episode("new", start, start + 1)))
    assert {"new"} == {row.device for row in content(engine)}


def test_a_phone_is_forgotten(engine: Engine, fill: Callable[[], None]) -> None:
    """All of its rows are deleted, none of another's."""
    fill()
    assert 20 == forget(engine, "a")
    assert {"b"} == {row.device for row in content(engine)}
    assert 20 == len(content(engine))
    assert 0 == forget(engine, "a")


def test_nothing_of_a_forgotten_phone_is_in_the_file(tmp_path: Path) -> None:
    """Its bytes are overwritten, not only given free."""
    file = tmp_path / "h.sqlite"
    engine = DatabaseAddress(str(file)).open(to_write=True)
    prepare(engine)
    messages = [prediction("somebody", MONDAY + k) for k in range(30)]
    RowWriter(engine).write(rows_of(*messages, episode("other")))
    assert b"somebody" in b"".join(path.read_bytes() for path in tmp_path.iterdir())
    assert 30 == forget(engine, "somebody")
    kept = b"".join(path.read_bytes() for path in tmp_path.iterdir())
    assert b"somebody" not in kept
    assert b"other" in kept


def test_phones_are_found_in_order(engine: Engine) -> None:
    """Each once, of either table."""
    RowWriter(engine).write(
        rows_of(*(episode(name) for name in DEVICES[::-1]), episode("b", 5.0, 6.0))
    )
    with engine.connect() as connection:
        assert sorted(DEVICES) == sorted(devices_in(connection, EPISODES))
        assert [] == list(devices_in(connection, PREDICTIONS))
