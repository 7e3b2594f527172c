"""One running har-spark: what is checked before the job starts, and the watch over it."""

import json
import re
import signal
from functools import partial
from types import FrameType
from typing import Final

from py4j.protocol import Py4JJavaError
from pyspark.errors import StreamingQueryException
from pyspark.sql.streaming.query import StreamingQuery

from pipeline.commands.idle_settings import idle_settings
from pipeline.commands.monitoring.monitor import Monitor
from pipeline.commands.spark import job
from pipeline.commands.spark.batch_report import BatchReport
from pipeline.commands.spark.bucket import Bucket
from pipeline.commands.spark.errors import SparkJobError
from pipeline.commands.spark.initial_state import initial_states
from pipeline.commands.spark.java_errors import java_reason
from pipeline.commands.spark.kept_terms import KeptTerms, Terms
from pipeline.commands.spark.metrics import spark_families
from pipeline.commands.spark.serving import Serving
from pipeline.commands.spark.session import session
from pipeline.commands.spark.settings import SparkSettings
from pipeline.commands.spark.topics import check_topics, connection
from pipeline.event_log import EventLog
from pipeline.models.card import ModelError
from pipeline.models.loading import load_models
from pipeline.recognition.placement.by_device import PlacementError
from pipeline.serving.step import Step
from pipeline.subscriptions import SubscriptionError

logger = EventLog(__name__)

LOOK_S: Final = 0.2
"""How often the job is looked at"""

_DAMAGED: Final = (
    "files of the checkpoint location are missing or damaged: put all of it back as it was at one "
    "time, or begin anew: name a new --checkpoint-location"
)
_MENDABLE: Final = (
    (r"(?:OtherModelError|ModelError): (.*)", r"an executor cannot begin: \1"),
    (
        r"(?:CheckpointError|StateError): (.*)",
        r"the state in the checkpoint cannot be used: \1; begin anew: name a new "
        "--checkpoint-location",
    ),
    (
        r"CANNOT_LOAD_STATE_STORE|MISSING_STATE_DIRECTORY"
        r"|terminated with exception: .*(?:end-of-input|Incomplete log file|malformed)",
        _DAMAGED,
    ),
    (
        r"CONCURRENT_STREAM_LOG_UPDATE|batch \d+ doesn't exist",
        "another har-spark uses this checkpoint location: let only one run",
    ),
    (
        "UnknownTopicOrPartition",
        "a topic was deleted from Kafka: create it; if it was that of samples, begin anew: name "
        "a new --checkpoint-location",
    ),
    (
        "RecordTooLarge",
        "Kafka takes no record as long as a result: raise max.message.bytes of the results' topic, "
        "and start har-spark again",
    ),
    (
        r"may have been lost|OffsetOutOfRange|partition.*missing",
        "samples were deleted from Kafka before they were read: let it keep them for longer, and "
        "begin anew: name a new --checkpoint-location",
    ),
    (
        r"org\.apache\.kafka\S*TimeoutException",
        "Kafka does not answer any more; what was done is kept: start har-spark again",
    ),
)
"""What of Spark's errors the operator can mend, and what to say then"""


def run(settings: SparkSettings, monitor: Monitor) -> None:
    """Run the job until a signal, and let the monitor see it.

    Raises:
        SparkJobError: it cannot be started or go on, and the operator can mend it.
    """
    serving, step = _serving(settings)
    terms = Terms(
        models=serving.models,
        hop=settings.hop,
        filter_start=settings.filter_start,
        lateness=settings.lateness,
        buckets=settings.buckets,
        samples_topic=settings.samples_topic,
    )
    spark = session(settings)
    try:
        kafka = connection(spark, settings)
        check_topics(spark, settings, kafka)
        kept = KeptTerms(spark, settings.checkpoint_location)
        name = kept.settle(terms)
        initial = None
        if settings.from_state is not None and not kept.has_committed:
            initial = initial_states(spark, step, settings.from_state, settings.buckets)
        try:
            query = job.start(spark, settings, Bucket(serving, name), kafka, initial)
        except Py4JJavaError as error:
            raise SparkJobError(
                f"the job cannot go on from {settings.checkpoint_location}: {java_reason(error)}: "
                f"{_DAMAGED}"
            ) from error
        logger.info(
            "job-started",
            "models %(models)s, %(buckets)d buckets, checkpoint %(location)s, run %(run)s",
            models=" and ".join(serving.models),
            buckets=settings.buckets,
            location=settings.checkpoint_location,
            run=name,
        )
        _watch(query, monitor)
    finally:
        spark.stop()


def _serving(settings: SparkSettings) -> tuple[Serving, Step]:
    """Return how phones are served, and the step of it, by which wrong settings are told now.

    Raises:
        SparkJobError: a model or another setting cannot be used.
    """
    try:
        models = load_models(
            settings.model, batch_size=settings.batch_size, threads=settings.threads
        )
        for model in models:
            model.check_answers()
        serving = Serving.of(settings, models)
        step = serving.step(models)
    except (ModelError, SubscriptionError, PlacementError) as error:
        raise SparkJobError(str(error)) from error
    for sentence in idle_settings(settings, models):
        logger.warning("setting-idle", "%(note)s", note=sentence)
    return serving, step


def _watch(query: StreamingQuery, monitor: Monitor) -> None:
    """Report what the job does; end it at SIGTERM or SIGINT, when the batch under way is done."""
    stopping = False

    def stop(signum: int, frame: FrameType | None) -> None:
        nonlocal stopping
        stopping = True

    signal.signal(signal.SIGTERM, stop)
    signal.signal(signal.SIGINT, stop)
    report = BatchReport()
    monitor.begin(partial(spark_families, report), {"batches": report.why_late})
    last = None
    while True:
        monitor.turn()
        try:
            has_ended = query.awaitTermination(LOOK_S)
        except StreamingQueryException as error:
            raise_if_mendable(error)
            raise
        if (batch := query.lastProgress) is not None:
            report.note(json.loads(batch.json))
        if has_ended:
            return
        if stopping:
            monitor.stopping()
            last = report.n_batches if last is None else last
            if report.n_batches > last or not query.status["isTriggerActive"]:
                query.stop()
                logger.info("job-stopped", "stopped after %(n)d batches", n=report.n_batches)
                return


def raise_if_mendable(error: StreamingQueryException) -> None:
    """Say what the operator can do about an error of the job, if there is anything.

    Raises:
        SparkJobError: there is.
    """
    for pattern, advice in _MENDABLE:
        if (found := re.search(pattern, str(error))) is not None:
            raise SparkJobError(found.expand(advice)) from error
