"""The command har-calibrate: how a phone is worn, measured while its wearer stands and walks.

Here the wearer is told what to do, and the result is published for har-stream to keep. What the
samples mean is decided in `orientation`.
"""

import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Final, Literal, NoReturn

import msgspec
import numpy as np
from numpy.lib.stride_tricks import sliding_window_view
from rich.console import Console
from rich.progress import BarColumn, Progress, TextColumn

from pipeline.calibration_message import encode_calibration
from pipeline.formats import FORMATS
from pipeline.mqtt.connection import Connection
from pipeline.readings import MAX_PAYLOAD_BYTES, Convention, MessageError, Readings, check_device
from pipeline.recognition.placement.calibration import (
    LEAST_STEPS,
    STANDING_SAMPLES,
    Calibration,
    CalibrationError,
    calibrate,
    check_gravity,
    still_windows,
    walk,
)
from pipeline.recognition.placement.frames import FRAMES, angle_deg, nearest_frame
from pipeline.recognition.placement.sign import ACCELERATION_SIGN
from pipeline.recognition.preparation.resampler import Resampler
from pipeline.settings import CalibrateSettings, StreamSettings, from_command_line
from pipeline.subscriptions import Route

INFO_TIMEOUT_S: Final = 5.0
"""For the retained message that tells where a phone's samples are, and that some are of use."""
MAX_AHEAD_S: Final[float] = StreamSettings.model_fields["max_ahead"].default
"""So far samples may be ahead of this machine's clock where har-stream refuses some."""
SILENCE_S: Final = 5.0
"""Without samples for so long, the measurement is given up."""
DELIVERY_TIMEOUT_S: Final = 5.0
EFFECT_TIMEOUT_S: Final = 5.0
"""For what was published to come back from the broker, or har-stream to tell that it uses it."""
LOOK_EVERY_S: Final = 0.2

STILL: Final = 150
"""Samples, 3 s, for which the wearer is asked to stand still."""
ASKED_STEPS: Final = 10
PAUSE: Final = 75
"""Samples, 1.5 s, without a step that end a walk."""

Phase = Literal["stand", "walk", "done"]

WHAT_TO_DO: Final[dict[Phase, str]] = {
    "stand": "Stand still for three seconds",
    "walk": "Now walk ten steps straight ahead",
}


class Info(msgspec.Struct):
    """What har-stream tells of a phone on ``har/<device>/info``."""

    topic: str
    """Where its samples come from"""
    format: str
    convention: Convention = "android"
    convention_by: str = ""
    """``assumed`` if nothing says so"""
    frame: str = ""
    """``calibrated``, or the name of a placement"""
    warnings: tuple[str, ...] = ()
    """Problems, in a word each"""
    advice: tuple[str, ...] = ()
    """What to do about each of them"""

    @property
    def is_refused(self) -> bool:
        """Whether har-stream could use nothing of the phone, and tells why instead of how it is."""
        return "rejected" in self.warnings and not self.convention_by


class Measurement:
    """What has been seen of a wearer who stands and then walks."""

    def __init__(self, convention: Convention) -> None:
        """Begin without samples; accelerations have the signs of ``convention``."""
        self._sign = np.array([ACCELERATION_SIGN[convention]] * 3 + [1.0] * 3)
        self._resampler = Resampler(1)
        self._rows = np.empty((0, 6))
        self._longest = 0  # samples without a pause
        self.phase: Phase = "stand"
        """What the wearer is to do"""
        self.n_steps = 0
        """Steps walked so far"""

    def push(self, readings: Sequence[Readings]) -> None:
        """Take the samples of a message, and see how far the wearer has come.

        Raises:
            CalibrationError: the phone cannot be calibrated as it is.
        """
        pieces, _ = self._resampler.push(0, readings)
        for piece in pieces:
            if piece.rows.shape[1] != 6:
                raise CalibrationError("the phone sends prepared samples, which cannot be turned")
            if piece.origin is not None:  # samples were lost
                self._rows = np.empty((0, 6))
                self.phase = "stand"
            self._rows = np.concatenate([self._rows, piece.rows * self._sign])
            self._longest = max(self._longest, len(self._rows))
        if self.phase == "stand":
            self._see_standing()
        if self.phase == "walk":
            self._see_walking()

    def give_up(self) -> NoReturn:
        """Say what was missing.

        Raises:
            CalibrationError: always.
        """
        if lacks := self._resampler.lacks(0):
            raise CalibrationError(f"the phone does not send {' and '.join(lacks)}")
        if self._longest < STILL:
            raise CalibrationError(
                "no three seconds of samples came without a pause: let the app send 50 or more a "
                "second, and see what har-stream says of the phone"
            )
        if self.phase == "stand":
            raise CalibrationError(
                "you never stood still for three seconds: fasten the phone, then stand still"
            )
        raise CalibrationError(
            f"you never walked {LEAST_STEPS} steps at once ({self.n_steps} counted): walk ten "
            "steps straight ahead, at your usual pace"
        )

    def result(self) -> Calibration:
        """Return the calibration.

        Raises:
            CalibrationError: the samples do not show it; it says what to do.
        """
        return calibrate(self._rows)

    def _see_standing(self) -> None:
        if len(self._rows) < STILL:
            return
        check_gravity(self._rows)
        still = still_windows(self._rows)
        stands = np.flatnonzero(
            sliding_window_view(still, STILL - STANDING_SAMPLES + 1).all(axis=1)
        )
        if len(stands):
            self._rows = self._rows[stands[0] :]
            self.phase = "walk"
        else:
            self._rows = self._rows[1 - STILL :]

    def _see_walking(self) -> None:
        steps = walk(self._rows)
        self.n_steps = len(steps)
        over = len(steps) > 0 and len(self._rows) - steps[-1] > PAUSE
        if len(steps) >= ASKED_STEPS or (len(steps) >= LEAST_STEPS and over):
            self.phase = "done"


class _Guide:
    """What the wearer is told: a bar in a terminal, else a line for each thing to do."""

    def __init__(self, console: Console) -> None:
        self._console = console
        self._bar = Progress(
            TextColumn("{task.description}"), BarColumn(), console=console, transient=True
        )
        self._task = self._bar.add_task("")
        self._told: Phase | None = None

    def __enter__(self) -> "_Guide":
        if self._console.is_terminal:
            self._bar.start()
        return self

    def __exit__(self, *error: object) -> None:
        self._bar.stop()

    def show(self, phase: Phase, n_steps: int) -> None:
        """Tell the wearer what to do and how far it is done."""
        task = WHAT_TO_DO[phase]
        if phase == self._told:
            self._bar.update(self._task, completed=n_steps)
            return
        self._told = phase
        self._bar.reset(
            self._task, description=task, total=ASKED_STEPS if phase == "walk" else None
        )
        if not self._console.is_terminal:
            self._console.print(task)


def read_info(settings: CalibrateSettings) -> Info:
    """Return what har-stream tells of the phone.

    Raises:
        CalibrationError: it does not know the phone, or refuses all that it sends.
        ConnectionError: the broker cannot be reached.
    """
    topic = f"har/{settings.device}/info"
    refused: Info | None = None
    deadline = time.monotonic() + INFO_TIMEOUT_S
    with _connected(settings, topic) as connection:
        while time.monotonic() < deadline:
            for message in connection.take(timeout_s=LOOK_EVERY_S, gather_s=0.0):
                try:
                    info = msgspec.json.decode(message.payload, type=Info)
                except msgspec.MsgspecError as error:
                    raise CalibrationError(f"{topic} says nothing useful: {error}") from error
                if not info.is_refused:
                    return info
                refused = info  # it may have been mended just now
    if refused is not None:
        raise CalibrationError(
            f"har-stream can use nothing of {settings.device}: {'; '.join(refused.advice)}"
        )
    raise CalibrationError(
        f"no har-stream knows {settings.device}: start har-stream, let the phone send to it, "
        "and take the name that stands in har/<device>/activity"
    )


def measure(settings: CalibrateSettings, info: Info, console: Console) -> Calibration:
    """Return how the phone is worn, after telling its wearer what to do.

    Raises:
        CalibrationError: it could not be measured; it says why.
        ConnectionError: the broker cannot be reached.
    """
    measurement = Measurement(info.convention)
    phase, begun = measurement.phase, time.monotonic()
    with _connected(settings, info.topic) as connection, _Guide(console) as guide:
        for messages in _messages(connection, settings.device, info):
            for readings in messages:
                measurement.push(readings)
            if measurement.phase == "done":
                break
            if measurement.phase != phase:
                phase, begun = measurement.phase, time.monotonic()
            elif time.monotonic() - begun > settings.timeout:
                measurement.give_up()
            guide.show(phase, measurement.n_steps)
    return measurement.result()


def _messages(connection: Connection, device: str, info: Info) -> Iterator[list[list[Readings]]]:
    """Yield the readings of each message of one phone, several times a second, also if none came.

    Raises:
        CalibrationError: nothing has come for long, or nothing in the right format.
    """
    if info.format not in FORMATS:
        raise CalibrationError(f"the format of {device} is {info.format!r}: update har-stream here")
    # The level of the topic that names the phone; else the payload does.
    named = device if device in info.topic.split("/") else None
    route = Route(FORMATS[info.format], named, info.topic)
    newest = time.monotonic()
    trouble = "is it sending?"
    while True:
        messages: list[list[Readings]] = []
        for message in connection.take(timeout_s=LOOK_EVERY_S, gather_s=LOOK_EVERY_S):
            try:
                if message.oversize:
                    raise MessageError(
                        "size", f"{message.oversize} bytes; at most {MAX_PAYLOAD_BYTES}"
                    )
                decoded = route.decode(message.payload)
            except MessageError as error:  # on a shared topic it may be another phone's
                trouble = str(error)
                continue
            readings = [
                one for one in decoded if isinstance(one, Readings) and one.device == device
            ]
            ahead_s = _ahead_s(readings)
            if "rejected" in info.warnings and ahead_s > MAX_AHEAD_S:
                trouble = f"they are {ahead_s:.0f} s ahead of this machine's clock"
            elif readings:
                messages.append(readings)
        if messages:
            newest = time.monotonic()
        elif time.monotonic() - newest > SILENCE_S:
            raise CalibrationError(
                f"no samples of {device} on {info.topic} for {SILENCE_S:.0f} s: {trouble}"
            )
        yield messages


def _ahead_s(readings: Sequence[Readings]) -> float:
    """Return by how many seconds samples are ahead of this machine's clock; 0 if none can be."""
    newest = [float(one.times.max()) for one in readings if one.clock == "epoch"]
    return max(newest) - time.time() if newest else 0.0


def publish(settings: CalibrateSettings, payload: bytes) -> None:
    """Publish what har-stream is to keep of the phone, an empty payload to keep nothing.

    Returns when the broker has passed it on: a broker that speaks MQTT 3.1.1 confirms also what it
    drops for want of rights.

    Raises:
        CalibrationError: the broker did not confirm it, or did not pass it on.
        ConnectionError: the broker cannot be reached.
    """
    topic, info_topic = f"har/{settings.device}/calibration", f"har/{settings.device}/info"
    with _connected(settings, topic, info_topic) as connection:
        connection.publish(topic, payload, retain=True)
        if not connection.await_confirmations(0, timeout_s=DELIVERY_TIMEOUT_S):
            raise CalibrationError(f"{connection.address} did not confirm: may we write there?")
        if not _took_effect(connection, topic, payload):
            raise CalibrationError(
                f"the broker did not pass the {'calibration' if payload else 'removal'} on: "
                f"may {settings.username or 'anybody'} write {topic}, and read it?"
            )


def _took_effect(connection: Connection, topic: str, payload: bytes) -> bool:
    """Return whether what was published comes back, or the phone's info changes accordingly.

    The connection is subscribed to both; it has been since before the publication.
    """
    was_calibrated: bool | None = None  # not told yet
    deadline = time.monotonic() + EFFECT_TIMEOUT_S
    while time.monotonic() < deadline:
        for message in connection.take(timeout_s=LOOK_EVERY_S, gather_s=0.0):
            if message.topic == topic:
                if message.payload == payload:
                    return True
                continue
            try:
                frame = msgspec.json.decode(message.payload, type=Info).frame
            except msgspec.MsgspecError:
                continue
            is_calibrated = frame == "calibrated"
            # What is told first was retained, from before: a change alone is an effect.
            changed = was_calibrated is not None and was_calibrated != is_calibrated
            if changed and is_calibrated == bool(payload):
                return True
            was_calibrated = is_calibrated
    return False


@contextmanager
def _connected(settings: CalibrateSettings, *topics: str) -> Iterator[Connection]:
    connection = Connection(settings, name="har-calibrate", subscriptions=topics)
    connection.start(retry=False)
    try:
        yield connection
    finally:
        connection.close(timeout_s=DELIVERY_TIMEOUT_S)


def describe(calibration: Calibration) -> str:
    """Return in two lines what was found."""
    x, y, z = calibration.gravity
    frame, degrees = nearest_frame(calibration.rotation)
    leaning = angle_deg(calibration.gravity, FRAMES[frame].T @ (1.0, 0.0, 0.0))
    return (
        f"{calibration.n_steps} steps; gravity in the phone's axes {x:.2f} {y:.2f} {z:.2f} m/s²\n"
        f"nearest placement: {frame}, {degrees:.0f} degrees off, leaning by {leaning:.0f}"
    )


def run(settings: CalibrateSettings, console: Console) -> None:
    """Calibrate the phone, or take its calibration back.

    Raises:
        CalibrationError: it did not come to that; it says why.
        MessageError: no phone can have such a name.
        ConnectionError: the broker cannot be reached.
    """
    device = settings.device
    check_device(device)
    if settings.remove:
        publish(settings, b"")
        console.print(f"The calibration of {device} is taken back.")
        return
    info = read_info(settings)
    if info.convention_by == "assumed":
        console.print(
            f"{device} counts as an Android phone; if it is an iPhone, first start har-stream "
            f"with --convention {device}=ios."
        )
    for problem, advice in zip(info.warnings, info.advice, strict=False):
        if problem != "wrong-frame":  # that is what is to be mended
            console.print(f"First see to {problem}: {advice}.")
    calibration = measure(settings, info, console)
    payload = encode_calibration(
        calibration.rotation,
        created=round(time.time(), 3),
        gravity=calibration.gravity,
        forward=calibration.forward,
        n_steps=calibration.n_steps,
    )
    publish(settings, payload)
    console.print(describe(calibration))
    console.print(f"{device} is calibrated; --remove takes it back.")


def main() -> None:
    """Run the command."""
    settings = from_command_line(CalibrateSettings)
    console = Console(highlight=False, markup=False, emoji=False, soft_wrap=True)
    try:
        run(settings, console)
    except (CalibrationError, MessageError, ConnectionError) as error:
        sys.exit(f"har-calibrate: {error}")
    except KeyboardInterrupt:
        sys.exit("har-calibrate: interrupted")
