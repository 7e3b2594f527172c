"""har-bridge: joins both brokers and the two ways between them, and runs until a signal.

One loop serves both ways, so that nothing of one happens in the middle of the other; the clients'
own threads receive and send meanwhile.
"""

import gc
import signal
import threading
import time
from collections.abc import Callable
from functools import partial
from types import FrameType
from typing import Final

from confluent_kafka import Consumer, KafkaError, KafkaException, Producer

from pipeline.commands.bridge.counts import BridgeCounts
from pipeline.commands.bridge.kafka_clients import KafkaClients
from pipeline.commands.bridge.kafka_config import BridgeError, KafkaConfig
from pipeline.commands.bridge.metrics import bridge_families
from pipeline.commands.bridge.partition_times import PartitionTimes
from pipeline.commands.bridge.record_keys import INSTRUCTION_TOPICS, RecordKeys
from pipeline.commands.bridge.results import ResultsToMqtt
from pipeline.commands.bridge.samples import SamplesToKafka
from pipeline.commands.bridge.settings import BridgeSettings
from pipeline.commands.bridge.topics import OF_RESULTS, OF_SAMPLES, Topic, ensure, names
from pipeline.commands.monitoring.broker import broker_checks
from pipeline.commands.monitoring.health import Check
from pipeline.commands.monitoring.monitor import Monitor
from pipeline.event_log import EventLog
from pipeline.mqtt.connection import Connection
from pipeline.mqtt.events import Session
from pipeline.subscriptions import SubscriptionError, subscriptions_of, unasked

logger = EventLog(__name__)

STATUS_TOPIC: Final = "har/bridge/{}"
"""Retained ``online`` while a bridge of this name takes samples, else ``offline``"""
CLOSE_TIMEOUT_S: Final = 5.0
IDLE_S: Final = 0.02
"""How long each way is waited for while nothing comes"""


def run(settings: BridgeSettings, monitor: Monitor) -> None:
    """Carry messages and records until a signal.

    Raises:
        BridgeError: Kafka cannot be used as it is, or a setting does not fit.
        ConnectionError: the broker cannot be reached, and that will not pass.
    """
    stopping = threading.Event()
    config = KafkaConfig(settings.kafka_config)
    clients = KafkaClients(settings, config)
    counts = BridgeCounts()
    connection, keys = _connection(settings)

    def stop(signum: int, frame: FrameType | None) -> None:
        stopping.set()
        connection.wake()

    signal.signal(signal.SIGTERM, stop)
    signal.signal(signal.SIGINT, stop)
    samples = results = None
    if settings.takes_samples:
        samples = SamplesToKafka(
            connection,
            settings.samples_topic,
            make_producer=partial(_producer, settings, clients, config),
            keys=keys,
            counts=counts,
            reachability=clients.reachability,
            config=config,
        )
    if settings.takes_results:
        results = ResultsToMqtt(
            connection,
            settings.results_topic,
            make_consumer=partial(_consumer, settings, clients, config),
            most_bytes=settings.max_packet,
            counts=counts,
            reachability=clients.reachability,
            config=config,
        )
    checks: dict[str, Check] = {**broker_checks(connection), "kafka": clients.reachability.why_away}
    if samples is not None:
        checks["records"] = samples.why_not_taken
    monitor.begin(
        partial(bridge_families, counts, connection, clients.reachability, samples), checks
    )
    if not settings.retry:
        _try_kafka(clients, config, ",".join(settings.kafka))
    connection.start(retry=settings.retry)
    logger.info(
        "bridge-started",
        "between %(broker)s and Kafka at %(kafka)s",
        broker=connection.address,
        kafka=",".join(settings.kafka),
    )
    times = None if samples is None else PartitionTimes(connection, samples.write_time)
    gc.freeze()  # these objects stay: do not traverse them again and again
    is_busy = False
    while not stopping.is_set():
        monitor.turn()
        wait_s = 0.0 if is_busy else IDLE_S
        is_busy = False
        if samples is not None and times is not None:
            is_busy |= samples.turn(timeout_s=wait_s)
            times.keep(time.monotonic())
            wait_s = 0.0
        else:
            connection.take(timeout_s=0.0, gather_s=0.0)  # which tells if it has ended
        if results is not None:
            is_busy |= results.turn(timeout_s=wait_s)
    if samples is not None:
        samples.finish(timeout_s=CLOSE_TIMEOUT_S)
    if results is not None:
        results.finish(timeout_s=CLOSE_TIMEOUT_S)
    connection.close(timeout_s=CLOSE_TIMEOUT_S)
    logger.info("bridge-stopped", "stopped: %(counts)s", counts=counts)


def _connection(settings: BridgeSettings) -> tuple[Connection, RecordKeys]:
    """Return the connection to the broker, and the keys of what comes over it.

    Raises:
        BridgeError: a subscription is none.
    """
    try:
        subscriptions = subscriptions_of(
            settings.subscribe, with_defaults=settings.default_subscriptions
        )
    except SubscriptionError as error:
        raise BridgeError(str(error)) from error
    keys = RecordKeys(subscriptions)
    if not settings.takes_samples:
        return Connection(settings, name=settings.client_id, subscriptions=()), keys
    topics = [subscription.filter for subscription in subscriptions]
    connection = Connection(
        settings,
        name=settings.client_id,
        subscriptions=[*topics, *INSTRUCTION_TOPICS],
        optional=INSTRUCTION_TOPICS,
        unasked=[
            *unasked(settings.subscribe, with_defaults=settings.default_subscriptions),
            *INSTRUCTION_TOPICS[1:],
        ],
        status_topic=STATUS_TOPIC.format(settings.client_id),  # by which a namesake is known
        session=Session(
            settings.client_id,
            settings.session_expiry,
            expected=False,  # nothing here outlives the program by which it could be known
            taken="has it our --client-id?",
        ),
        most_waiting=settings.max_waiting,
    )
    return connection, keys


def _try_kafka(clients: KafkaClients, config: KafkaConfig, address: str) -> None:
    """See whether Kafka answers.

    Raises:
        BridgeError: it does not.
    """
    try:
        names(clients.admin(), timeout_s=CLOSE_TIMEOUT_S)
    except KafkaException as exception:
        raise BridgeError(
            f"no connection to Kafka at {address}: {config.explain(exception.args[0].str())}"
        ) from None


def _producer(settings: BridgeSettings, clients: KafkaClients, config: KafkaConfig) -> Producer:
    topic = Topic(settings.samples_topic, settings.partitions, OF_SAMPLES)
    most_bytes = ensure(clients.admin(), topic, config)
    return clients.producer(most_bytes=most_bytes)


def _consumer(
    settings: BridgeSettings,
    clients: KafkaClients,
    config: KafkaConfig,
    on_commit: Callable[[KafkaError | None, object], None],
) -> Consumer:
    topic = Topic(settings.results_topic, settings.partitions, OF_RESULTS)
    ensure(clients.admin(), topic, config)
    return clients.consumer(on_commit)
