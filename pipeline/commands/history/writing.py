"""Rows into the database: each once, however often it comes.

Rules: a row is known by its device and start. One that comes again changes nothing; one that comes
otherwise, because another model has seen the same samples, takes the place of the former. What the
database itself does not take of a batch is found out row by row, so that no row holds up others.
"""

import json
from collections.abc import Callable, Mapping, Sequence
from typing import Final

from sqlalchemy import Connection, Engine, Table, or_, select
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.exc import DataError, IntegrityError

from pipeline.commands.history.address import POSTGRESQL
from pipeline.commands.history.records import PredictionRow, Row
from pipeline.commands.history.schema import EPISODES, MODELS, PREDICTIONS
from pipeline.readings import MessageError

MOST_MODELS: Final = 1_000
"""That are told apart; who sends more makes them up"""

Insert = postgresql.Insert | sqlite.Insert
Rejected = tuple[Row, MessageError]
_Model = tuple[str, tuple[str, ...]]
"""Name and activities"""


class RowWriter:
    """Writes rows into a database."""

    def __init__(self, engine: Engine) -> None:
        """Take a database whose tables are there."""
        self._engine = engine
        insert = postgresql.insert if engine.dialect.name == POSTGRESQL else sqlite.insert
        self._insert_model = insert(MODELS).on_conflict_do_nothing()
        self._insert_prediction = _insert_or_replace(insert, PREDICTIONS)
        self._insert_episode = _insert_or_replace(insert, EPISODES)
        self._models: Mapping[_Model, int] = {}
        """Numbers of the models that are in the database for sure"""

    def write(self, rows: Sequence[Row]) -> list[Rejected]:
        """Return, once all else is committed, what the database does not take.

        Raises:
            DBAPIError: nothing is committed, or it is not known whether it is.
        """
        try:
            with self._engine.begin() as connection:
                models, rejected = self._write(connection, rows)
        except (DataError, IntegrityError):
            with self._engine.begin() as connection:
                models, rejected = self._write_singly(connection, rows)
        self._models = models
        return rejected

    def _write(
        self, connection: Connection, rows: Sequence[Row]
    ) -> tuple[Mapping[_Model, int], list[Rejected]]:
        """Write rows at once; return the known models, and what is rejected."""
        predictions = [row for row in rows if isinstance(row, PredictionRow)]
        models = self._with_models(connection, predictions)
        rejected: list[Rejected] = [
            (row, MessageError("length", f"over {MOST_MODELS} models"))
            for row in predictions
            if (row.model, row.activities) not in models
        ]
        values = [
            {
                "device": row.device,
                "start": row.start,
                "end": row.end,
                "activity": row.activity,
                "probability": row.probability,
                "probabilities": row.probabilities,
                "settling": row.settling,
                "model_id": models[row.model, row.activities],
            }
            for row in predictions
            if (row.model, row.activities) in models
        ]
        if values:
            connection.execute(self._insert_prediction, values)
        values = [
            {
                "device": row.device,
                "start": row.start,
                "end": row.end,
                "activity": row.activity,
                "probability": row.probability,
            }
            for row in rows
            if not isinstance(row, PredictionRow)
        ]
        if values:
            connection.execute(self._insert_episode, values)
        return models, rejected

    def _write_singly(
        self, connection: Connection, rows: Sequence[Row]
    ) -> tuple[Mapping[_Model, int], list[Rejected]]:
        """Write rows one by one; return the known models, and what is rejected."""
        models, rejected = self._models, []
        for row in rows:
            try:
                with connection.begin_nested():
                    models, unknown = self._write(connection, [row])
                    rejected += unknown
            except (DataError, IntegrityError) as error:
                said = str(error.orig or error)
                rejected.append(
                    (row, MessageError("format", f"the database does not take it: {said}"))
                )
        return models, rejected

    def _with_models(
        self, connection: Connection, predictions: Sequence[PredictionRow]
    ) -> Mapping[_Model, int]:
        """Return the numbers of all models that are known, with those of these rows."""
        needed = {(row.model, row.activities) for row in predictions}
        if needed <= self._models.keys():
            return self._models
        known = _models_in(connection)
        new = sorted(needed - known.keys())[: max(0, MOST_MODELS - len(known))]
        if not new:
            return known
        values = [{"model": model, "activities": _json(names)} for model, names in new]
        connection.execute(self._insert_model, values)
        return _models_in(connection)


def _models_in(connection: Connection) -> dict[_Model, int]:
    return {
        (row.model, tuple(json.loads(row.activities))): row.id
        for row in connection.execute(select(MODELS))
    }


def _json(names: Sequence[str]) -> str:
    return json.dumps(names, ensure_ascii=False)


def _insert_or_replace(insert: Callable[[Table], Insert], table: Table) -> Insert:
    """Return the statement that writes a row, unless just that row is there."""
    statement = insert(table)
    others = {
        column.name: statement.excluded[column.name]
        for column in table.columns
        if not column.primary_key
    }
    differs = or_(*(table.c[name].is_distinct_from(new) for name, new in others.items()))
    return statement.on_conflict_do_update(
        index_elements=list(table.primary_key.columns), set_=others, where=differs
    )
