"""The command har-calibrate: instructs the wearer, measures, and publishes the calibration.

A calibration makes a phone one at the waist, unless it is set or stated to be elsewhere. So none is
measured where it would change nothing; and where the phone swings with a leg, it is published only
if no model knows better: one that takes the wearer's frame, which it learns from any walk.
"""

import logging
import sys
import time
from typing import Final

from rich.console import Console
from rich.progress import BarColumn, Progress, TextColumn

from pipeline.calibration_message import encode_calibration
from pipeline.commands import log
from pipeline.commands.calibrate.measurement import ASKED_STEPS, Measurement, Phase
from pipeline.commands.calibrate.settings import CalibrateSettings
from pipeline.commands.calibrate.wire import Info, connected, messages_of, publish, read_info
from pipeline.readings import MessageError, check_device
from pipeline.recognition.placement.calibration import Calibration, CalibrationError
from pipeline.recognition.placement.frames import FRAMES, angle_deg, nearest_frame
from pipeline.settings import from_command_line

WHAT_TO_DO: Final[dict[Phase, str]] = {
    "stand": "Stand still for three seconds",
    "walk": "Now walk ten steps straight ahead",
}


ON_A_LEG: Final = (
    "swings with a leg, as in a trouser pocket; a calibration is for phones at the waist, and with "
    "one sitting is mostly taken for lying"
)
EXIT_NOT_NEEDED: Final = 3
"""Of the command that measured a phone which needs no calibration; 1 if it failed"""


class NotNeededError(Exception):
    """A calibration would change nothing, or the phone is recognised better without."""


class _Guide:
    """Instructions to the wearer: a bar in a terminal, else a line for each phase."""

    def __init__(self, console: Console) -> None:
        self._console = console
        self._bar = Progress(
            TextColumn("{task.description}"), BarColumn(), console=console, transient=True
        )
        self._task = self._bar.add_task("")
        self._shown: Phase | None = None

    def __enter__(self) -> "_Guide":
        if self._console.is_terminal:
            self._bar.start()
        return self

    def __exit__(self, *error: object) -> None:
        self._bar.stop()

    def show(self, phase: Phase, n_steps: int) -> None:
        """Show the wearer what to do, and the progress."""
        task = WHAT_TO_DO[phase]
        if phase == self._shown:
            self._bar.update(self._task, completed=n_steps)
            return
        self._shown = phase
        self._bar.reset(
            self._task, description=task, total=ASKED_STEPS if phase == "walk" else None
        )
        if not self._console.is_terminal:
            self._console.print(task)


def measure(settings: CalibrateSettings, info: Info, console: Console) -> Measurement:
    """Return the samples of a wearer who stood and walked, after telling them what to do.

    Raises:
        CalibrationError: it could not be measured; it says why.
        ConnectionError: the broker cannot be reached.
    """
    measurement = Measurement(info.convention)
    phase, begun = measurement.phase, time.monotonic()
    with connected(settings, info.topic) as connection, _Guide(console) as guide:
        for messages in messages_of(connection, settings.device, info):
            for readings in messages:
                measurement.push(readings)
            if measurement.phase == "done":
                break
            if measurement.phase != phase:
                phase, begun = measurement.phase, time.monotonic()
            elif time.monotonic() - begun > settings.timeout:
                measurement.give_up()
            guide.show(phase, measurement.n_steps)
    return measurement


def check_effect(device: str, info: Info) -> None:
    """Check whether a calibration would change anything for a phone.

    Raises:
        NotNeededError: it would not; why, and what to do.
    """
    if info.calibration != "none":
        return
    if (info.placement, info.placement_by) == ("any", "set"):
        why = (
            "is set to be worn anywhere, by --placement. If it is worn at the waist, start "
            f"har-stream with --placement {device}=waist"
        )
    elif (info.placement, info.placement_by) == ("any", "stated"):
        why = (
            "states in its messages that it is not worn at the waist. If it is, mend that in the "
            f"app, or start har-stream with --placement {device}=waist"
        )
    else:
        why = (
            "has this model wherever it is worn, by --model. If it is worn at the waist, start "
            "har-stream without --model"
        )
    raise NotNeededError(
        f"A calibration of {device} changes nothing: its model, {info.model}, is for phones any "
        f"way round. Nothing was published. {device} {why}."
    )


def check_need(device: str, info: Info) -> None:
    """Check whether a calibration is of use to a phone that swings with a leg.

    Raises:
        NotNeededError: without one its model learns the wearer's upright; what to do.
    """
    if info.calibration != "waist-only" and not info.upright:
        return
    remedy = "Without one its model learns the wearer's upright, from ten steps."
    if info.frame == "calibrated":
        remedy += " Take back the one that it has, with --remove."
    raise NotNeededError(
        f"{device} {ON_A_LEG}. {remedy} Nothing was published. If the phone is worn at the waist, "
        "fasten it and begin again."
    )


def describe(calibration: Calibration) -> str:
    """Return the calibration in two lines, for people."""
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
        CalibrationError: that failed; it says why.
        NotNeededError: it would change nothing, or the phone is recognised better without.
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
    check_effect(device, info)
    if info.convention_by == "assumed":
        console.print(
            f"{device} counts as an Android phone; if it is an iPhone, first start har-stream "
            f"with --convention {device}=ios."
        )
    for problem, advice in zip(info.warnings, info.advice, strict=False):
        if problem != "wrong-frame":  # that is what is to be mended
            console.print(f"First see to {problem}: {advice}.")
    try:
        measurement = measure(settings, info, console)
        if measurement.swings_with_leg:
            check_need(device, info)
            console.print(f"{device} {ON_A_LEG}.")
        calibration = measurement.result()
    except CalibrationError as error:
        if not info.upright:
            raise
        raise CalibrationError(f"{error}; or leave it: its model needs no calibration") from error
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


@log.command
def main() -> None:
    """Run the command."""
    settings = from_command_line(CalibrateSettings)
    log.configure(settings.log_format, logging.WARNING, "%(message)s")
    console = Console(highlight=False, markup=False, emoji=False, soft_wrap=True)
    try:
        run(settings, console)
    except NotNeededError as outcome:
        console.print(str(outcome))
        sys.exit(EXIT_NOT_NEEDED)
    except (CalibrationError, MessageError, ConnectionError) as error:
        sys.exit(f"har-calibrate: {error}")
    except KeyboardInterrupt:
        sys.exit("har-calibrate: interrupted")
