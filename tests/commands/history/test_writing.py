import random
from dataclasses import dataclass

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from msgspec import structs
from sqlalchemy import Engine, delete

from pipeline.commands.history import writing
from pipeline.commands.history.records import PredictionRow, Row
from pipeline.commands.history.schema import EPISODES, MODELS, PREDICTIONS
from pipeline.commands.history.writing import RowWriter
from tests.commands.history.published import MONDAY, content, episode, prediction, rows_of


def empty(engine: Engine) -> None:
    """Delete all rows."""
    with engine.begin() as connection:
        for table in (PREDICTIONS, EPISODES, MODELS):
            connection.execute(delete(table))


@dataclass
class Traffic:
    """Batches of rows in which nothing is missing."""

    rows: set[Row]
    batches: list[list[Row]]


@st.composite
def traffic(draw: st.DrawFn) -> Traffic:
    """Return rows in any order, any of them again and again, cut into batches anywhere."""
    devices = draw(st.lists(st.sampled_from(["a", "phöne 7", "电话", "'; --"]), min_size=1))
    rows: dict[tuple[bool, str, float], Row] = {}
    for device in devices:
        start = MONDAY + draw(st.integers(0, 5))
        is_window = draw(st.booleans())
        activity = draw(st.sampled_from(["WALKING", "SITTING"]))
        made = (
            prediction(device, start, activity=activity)
            if is_window
            else episode(device, start, start + 5, activity)
        )
        [row] = rows_of(made)
        rows.setdefault((is_window, device, start), row)  # one device and start is one row
    sent = [*rows.values(), *draw(st.lists(st.sampled_from([*rows.values()]), max_size=20))]
    random.Random(draw(st.integers())).shuffle(sent)
    cuts = sorted(draw(st.lists(st.integers(0, len(sent)), max_size=4)))
    parts = zip([0, *cuts], [*cuts, len(sent)], strict=True)
    return Traffic({*rows.values()}, [sent[begin:end] for begin, end in parts])


@settings(max_examples=40)
@given(sent=traffic())
def test_any_order_and_repetition_gives_the_same_tables(engine: Engine, sent: Traffic) -> None:
    """Whichever batches the messages came in, each row is there once, and no other."""
    empty(engine)
    writer = RowWriter(engine)
    for batch in sent.batches:
        assert [] == writer.write(batch)
    assert sent.rows == content(engine)


def test_a_row_of_another_model_takes_the_place_of_the_former(engine: Engine) -> None:
    """Of one device and start there is one row, the last that came."""
    writer = RowWriter(engine)
    for model in ("old@1", "new@2"):
        writer.write(rows_of(prediction(model=model, activity="SITTING")))
        writer.write(rows_of(episode(activity=model)))
    assert {
        *rows_of(prediction(model="new@2", activity="SITTING"), episode(activity="new@2"))
    } == content(engine)


def test_what_the_database_does_not_take_holds_up_nothing_else(engine: Engine) -> None:
    """Such a row is rejected, also from the middle of a batch, and all others are written."""
    good = rows_of(prediction("a"), episode("a"), episode("b"), prediction("c"))
    bad: list[Row] = [
        structs.replace(row, activity=None) for row in rows_of(prediction(), episode())
    ]
    writer = RowWriter(engine)
    rejected = writer.write([*good[:2], *bad, *good[2:]])
    assert bad == [row for row, _ in rejected]
    assert {"format"} == {why.reason for _, why in rejected}
    assert {*good} == content(engine)
    assert [] == writer.write(rows_of(episode("d")))


def test_models_that_are_made_up_do_not_fill_the_memory(
    engine: Engine, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Beyond a number of models predictions are rejected; those of known ones are written."""
    monkeypatch.setattr(writing, "MOST_MODELS", 3)
    writer = RowWriter(engine)
    rows = rows_of(*(prediction(f"phone-{k}", model=f"m@{k}") for k in range(5)))
    rejected = writer.write(rows)
    assert ["m@3", "m@4"] == [row.model for row, _ in rejected if isinstance(row, PredictionRow)]
    assert {"length"} == {why.reason for _, why in rejected}
    assert [] == writer.write(rows_of(prediction("late", model="m@2"), episode()))
    assert 5 == len(content(engine))


def test_a_model_is_known_after_a_failure(engine: Engine) -> None:
    """Numbers of models that were never committed are not used."""
    writer = RowWriter(engine)
    new = rows_of(prediction(model="new@1"))
    [bad] = [structs.replace(row, activity=None) for row in rows_of(episode())]
    assert [bad] == [row for row, _ in writer.write([bad, *new])]
    other = RowWriter(engine)
    empty(engine)
    assert [] == other.write(new)
    assert {*new} == content(engine)
