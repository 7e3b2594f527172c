"""The state with which a new checkpoint location begins: that of a har-stream, dealt to buckets."""

from pathlib import Path
from typing import Any

from pyspark.sql import SparkSession

from pipeline.commands.spark.errors import SparkJobError
from pipeline.commands.spark.job import buckets_of
from pipeline.event_log import EventLog
from pipeline.recognition.recognizer import StateError
from pipeline.serving.step import Step
from pipeline.state.checkpoint import CheckpointError, StateFolder

logger = EventLog(__name__)


def initial_states(spark: SparkSession, step: Step, path: Path, n_buckets: int) -> list[bytes]:
    """Return the state of each bucket.

    Args:
        spark: tells which bucket a phone is in.
        step: as the buckets will have it.
        path: the folder of the har-stream's state.
        n_buckets: how many there are.

    Raises:
        SparkJobError: there is no such state, a har-stream uses it, or it is of another model.
    """
    state = _loaded(path)
    if state["unconfirmed"]:
        logger.warning(
            "results-left-behind",
            "%(n)d results in %(path)s were never confirmed by the broker: har-stream publishes "
            "them if it is started with that state once more",
            n=len(state["unconfirmed"]),
            path=path,
        )
    buckets = buckets_of(spark, _names(state), n_buckets)
    try:
        states = [
            step.adopt(
                state,
                lambda device, bucket=bucket: buckets[device] == bucket,  # type: ignore[misc]
                state["time"],
            )
            for bucket in range(n_buckets)
        ]
    except StateError as error:
        raise SparkJobError(
            f"from-state = {str(path)!r}: {error}. Or begin anew: leave --from-state out, and "
            "what is under way and what is learnt of wearers begins anew too"
        ) from error
    logger.info(
        "state-adopted", "%(n)d phones of %(path)s go on here", n=len(state["phones"]), path=path
    )
    return states


def _loaded(path: Path) -> dict[str, Any]:
    if not path.is_dir():
        raise SparkJobError(f"from-state = {str(path)!r}: there is no such folder")
    try:
        with StateFolder(path) as folder:  # no har-stream goes on with it meanwhile
            state = folder.load()
    except CheckpointError as error:
        raise SparkJobError(f"from-state: {error}") from error
    if state is None:
        raise SparkJobError(f"from-state = {str(path)!r}: no har-stream has kept a state there")
    return state


def _names(state: dict[str, Any]) -> list[str]:
    """Return the names of all phones that a state has anything of."""
    placements = state["placements"]
    named: set[str] = set(state["core"]["devices"])
    named |= {*state.get("names", {}), *placements["here"]}
    named |= {*placements["proven"], *placements["statements"]}
    for kept in placements["calibrations"].values():
        named |= set(kept)
    return sorted(named)
