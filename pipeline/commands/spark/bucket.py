"""A bucket of phones on an executor: its records and its state in, its results and state out.

Spark calls `Bucket` once a batch for each bucket that has records. All records of the batch are put
into Kafka's order first, so results depend neither on how Spark split them nor on the batches.
Models are loaded once a process, by `step_of`: an imported module lives as long as that.
"""

from collections.abc import Iterator
from functools import cache
from typing import Any, Final

import pandas as pd
from pyspark.sql.streaming import StatefulProcessor, StatefulProcessorHandle

from pipeline.commands import log
from pipeline.commands.spark.serving import LOG_TEXT, Serving
from pipeline.serving.step import Record, Step, Stepped

STATE: Final = "state BINARY"
"""A bucket's state in Spark is that of `Step`."""
RESULTS: Final = (
    "topic STRING, payload BINARY, retain BOOLEAN, origin STRING, number STRING, n LONG"
)
"""Rows of a batch: results, and its numbers (`batch_report`), which have no topic"""


@cache
def step_of(serving: Serving) -> Step:
    """Return the step, made once a process.

    Raises:
        OtherModelError: the models here are not those of the driver.
    """
    log.configure(serving.log_format, serving.log_level, LOG_TEXT)
    return serving.step(serving.load())


class Bucket(StatefulProcessor):
    """What Spark calls for each bucket that has records in a batch."""

    def __init__(self, serving: Serving, run: str) -> None:
        """Serve phones so; ``run`` is the name of all that one checkpoint location holds."""
        self._serving = serving
        self._run = run

    def init(self, handle: StatefulProcessorHandle) -> None:
        """Take hold of the buckets' state."""
        self._state = handle.getValueState("bucket", STATE)

    def handleInitialState(self, key: Any, initial: pd.DataFrame, timers: Any) -> None:  # noqa: ANN401, N802 # Spark's
        """Begin a bucket with the state of phones that were served elsewhere."""
        self._state.update((initial["state"].iloc[0],))

    def handleInputRows(  # noqa: N802 # Spark's name
        self,
        key: Any,  # noqa: ANN401 # Spark's
        rows: Iterator[pd.DataFrame],
        timers: Any,  # noqa: ANN401 # Spark's
    ) -> Iterator[pd.DataFrame]:
        """Yield the results of a bucket's records, and the numbers of its batch."""
        records = records_of(pd.concat(list(rows)))
        (state,) = self._state.get() or (None,)
        stepped = step_of(self._serving)(state, records)
        self._state.update((stepped.state,))
        (bucket,) = key
        yield rows_of(stepped, len(records), f"{self._run}/{bucket}")

    def close(self) -> None:
        """Leave; nothing is open."""


def records_of(batch: pd.DataFrame) -> list[Record]:
    """Return the records of a batch, each partition in its order."""
    ordered = batch.sort_values(["partition", "offset"])
    return [
        Record(topic, bytes(payload), time_ms / 1000, partition, retained)
        for topic, payload, time_ms, partition, retained in zip(
            ordered["topic"].tolist(),
            ordered["payload"].tolist(),
            ordered["time_ms"].tolist(),
            ordered["partition"].tolist(),
            ordered["retained"].tolist(),
            strict=True,
        )
    ]


def rows_of(stepped: Stepped, n_records: int, origin: str) -> pd.DataFrame:
    """Return the rows of a batch; there is always one, as Spark 4.2 fails on a frame without.

    Args:
        stepped: what the records led to.
        n_records: how many there were.
        origin: run and bucket, to which the number of each result is added.
    """
    results = [
        (one.topic, one.payload, one.retain, f"{origin}/{number}", None, None)
        for number, one in enumerate(stepped.publications, stepped.first_number)
    ]
    numbers = {
        "records": n_records,
        "results": len(results),
        "windows": stepped.n_windows,
        "phones": stepped.n_phones,
        "state-bytes": len(stepped.state),
        "failures": stepped.n_failed,
    } | {f"rejected-{reason}": n for reason, n in stepped.n_rejected.items()}
    counts = [(None, None, None, None, name, n) for name, n in numbers.items()]
    names = [column.split()[0] for column in RESULTS.split(", ")]
    return pd.DataFrame([*results, *counts], columns=names).astype({"n": "Int64"})
