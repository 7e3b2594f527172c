"""The command har-stream: joins model, state, broker and `Stream`, and runs until a signal."""

import gc
import signal
import sys
import time
from types import FrameType

from pipeline.commands import log
from pipeline.commands.idle_settings import idle_settings
from pipeline.commands.monitoring.monitor import Monitor, MonitorError
from pipeline.commands.stream.durability import DELIVERY_TIMEOUT_S
from pipeline.commands.stream.owners import Owners
from pipeline.commands.stream.settings import StreamSettings
from pipeline.commands.stream.stream import Stream
from pipeline.event_log import EventLog
from pipeline.formats import FORMATS
from pipeline.home_assistant import BIRTH_TOPIC
from pipeline.models.card import ModelError
from pipeline.models.classifier import Classifier
from pipeline.models.loading import load_models
from pipeline.mqtt.connection import Connection
from pipeline.mqtt.events import Session
from pipeline.program_topics import STATUS_TOPIC
from pipeline.recognition.placement.by_device import PlacementError
from pipeline.recognition.placement.placements import Placements
from pipeline.recognition.recognizer import StateError
from pipeline.serving.outputs.homeassistant import ANNOUNCEMENTS
from pipeline.serving.routes import CALIBRATION_TOPIC, OPTIONS_TOPIC
from pipeline.settings import from_command_line
from pipeline.state.acknowledgements import Keeper
from pipeline.state.checkpoint import RESET, CheckpointError, StateFolder
from pipeline.subscriptions import SubscriptionError, subscriptions_of, unasked

logger = EventLog(__name__)


def list_formats() -> None:
    """Print the formats that a subscription can name."""
    print("format          usual topic         messages")
    for format in FORMATS.values():
        print(f"{format.name:<15} {format.topic:<19} {format.summary}")


def _load_models(settings: StreamSettings) -> list[Classifier]:
    """Return the model for all phones, or that for the waist and that for elsewhere.

    Raises:
        ModelError: one cannot be used.
    """
    classifiers = load_models(
        settings.model, threads=settings.threads, batch_size=settings.batch_size
    )
    for classifier in classifiers:
        classifier.check_answers()
    return classifiers


@log.command
def main() -> None:
    """Run the command."""
    if "--list-formats" in sys.argv:  # without a broker
        list_formats()
        return
    settings = from_command_line(StreamSettings)
    log.configure(
        settings.log_format,
        settings.log_level.upper(),
        "%(asctime)s %(levelname)s %(message)s",
    )
    try:
        with Monitor(settings, command="har-stream") as monitor:
            _run(settings, monitor)
    except MonitorError as error:
        sys.exit(f"har-stream: {error}")


def _run(settings: StreamSettings, monitor: Monitor) -> None:
    """Load what is needed, and run until a signal."""
    try:
        classifiers = _load_models(settings)
        subscriptions = subscriptions_of(
            settings.subscribe, with_defaults=settings.default_subscriptions
        )
        placements = Placements(
            settings.convention,
            settings.frame,
            settings.placement,
            max_devices=settings.max_devices,
        )
        folder = None if settings.state is None else StateFolder(settings.state)
        if folder is not None and settings.reset_state:
            folder.discard()
        state = None if folder is None else folder.load()
    except (ModelError, SubscriptionError, PlacementError, CheckpointError) as error:
        sys.exit(f"har-stream: {error}")
    for sentence in idle_settings(settings, classifiers):
        logger.warning("setting-idle", "%(note)s", note=sentence)
    topics = [subscription.filter for subscription in subscriptions]
    topics += [OPTIONS_TOPIC, CALIBRATION_TOPIC]
    if settings.home_assistant:
        topics += [BIRTH_TOPIC, ANNOUNCEMENTS]

    def topic_of(device: str) -> str | None:
        return stream.topic_of(device)

    owners = Owners(subscriptions, most=settings.max_devices, topic_of=topic_of)
    session = None
    if folder is not None:
        session = Session(
            folder.client_id,
            settings.session_expiry,
            expected=state is not None,
            away_s=0.0 if state is None else max(0.0, time.time() - state["time"]),
        )
    connection = Connection(
        settings,
        name="har-stream",
        subscriptions=topics,
        optional=topics[len(subscriptions) :],
        unasked=[
            *unasked(settings.subscribe, with_defaults=settings.default_subscriptions),
            OPTIONS_TOPIC,
        ],
        status_topic=STATUS_TOPIC,
        session=session,
        most_waiting=settings.max_waiting,
        owner_of=owners.of,
    )
    keeper = None if folder is None else Keeper(folder, period_s=settings.checkpoint)
    stream = Stream(
        settings,
        classifiers,
        connection,
        subscriptions=subscriptions,
        placements=placements,
        monitor=monitor,
        keeper=keeper,
    )
    if keeper is not None and state is not None:
        try:
            stream.restore(state)
        except StateError as error:
            sys.exit(f"har-stream: {settings.state}: {error}; {RESET}")
        keeper.restore(state)
        logger.info(
            "state-restored",
            "going on from %(path)s, %(n_phones)d phones",
            path=settings.state,
            n_phones=len(state["phones"]),
        )

    def stop(signum: int, frame: FrameType | None) -> None:
        stream.stop()

    signal.signal(signal.SIGTERM, stop)
    signal.signal(signal.SIGINT, stop)
    gc.freeze()  # these objects stay: do not traverse them again and again
    models = " at the waist, else ".join(classifier.identity for classifier in classifiers)
    logger.info(
        "models-loaded", "model %(models)s, hop %(hop)d samples", models=models, hop=settings.hop
    )
    stream.be_watched()
    try:
        connection.start(retry=settings.retry)
        stream.run()
    except ConnectionError as error:
        sys.exit(f"har-stream: {error}")
    delivered = connection.close(timeout_s=DELIVERY_TIMEOUT_S)
    logger.info("stream-stopped", "stopped: %(counts)s", counts=stream.summary())
    if not delivered:
        logger.warning("results-unconfirmed", "the broker did not confirm everything that was sent")
