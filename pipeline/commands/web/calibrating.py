"""The calibration of a phone by its page, as har-calibrate does it by the terminal.

Rules: as there, a calibration that would change nothing is not begun, one that would do harm is not
published, and it counts only when the broker has passed it on.
"""

import time
from collections.abc import Callable, Sequence
from typing import Final

import msgspec

from pipeline.calibration_message import encode_calibration
from pipeline.commands.calibrate.command import (
    WHAT_TO_DO,
    NotNeededError,
    check_effect,
    check_need,
    describe,
)
from pipeline.commands.calibrate.measurement import Measurement
from pipeline.commands.calibrate.settings import CalibrateSettings
from pipeline.commands.calibrate.wire import EFFECT_TIMEOUT_S, SILENCE_S, Info
from pipeline.readings import Readings
from pipeline.recognition.placement.calibration import Calibration, CalibrationError

PHASE_TIMEOUT_S: Final[float] = CalibrateSettings.model_fields["timeout"].default
"""For the stand, and again for the walk"""

REMOVED: Final = "The calibration is taken back."
NOT_PASSED_ON: Final = "The broker did not pass it on: may har-web write the topic, and read it?"

Publish = Callable[[bytes], bool]
"""Publishes a payload, retained, as the phone's calibration; returns whether that was taken"""
Answer = Callable[[str, int, str], None]
"""Tells the page the step, the steps walked, and words for the wearer"""


class Calibrating:
    """One phone's calibration, step by step; times are monotonic seconds."""

    def __init__(self, device: str, publish: Publish, answer: Answer) -> None:
        """Begin with none under way."""
        self._device = device
        self._publish, self._answer = publish, answer
        self._info: Info | None = None
        self._measurement: Measurement | None = None
        self._phase_begun = self._last_samples = 0.0
        self._awaited: bytes | None = None  # a publication that is to come back
        self._published_at = 0.0
        self._words = ""  # once that has come back

    def begin(self, info: bytes) -> None:
        """Begin, with the phone's info as published, empty if there is none."""
        self.cancel()
        try:
            self._info = msgspec.json.decode(info, type=Info)
        except msgspec.MsgspecError:
            self._fail("har-stream does not know this phone yet: let it send for some seconds.")
            return
        try:
            check_effect(self._device, self._info)
        except NotNeededError as error:
            self._fail(str(error))
            return
        self._measurement = Measurement(self._info.convention)
        self._phase_begun = self._last_samples = time.monotonic()
        self._answer("stand", 0, WHAT_TO_DO["stand"])

    def cancel(self) -> None:
        """End what is under way; nothing is published."""
        self._measurement = self._awaited = None

    def remove(self) -> None:
        """Take the phone's calibration back."""
        self.cancel()
        self._send(b"", REMOVED)

    def push(self, readings: Sequence[Readings]) -> None:
        """Take samples of the phone."""
        measurement = self._measurement
        if measurement is None:
            return
        phase, n_steps = measurement.phase, measurement.n_steps
        self._last_samples = time.monotonic()
        try:
            measurement.push(readings)
            if measurement.phase == "done":
                self._finish(measurement)
                return
        except (CalibrationError, NotNeededError) as error:
            self._fail(str(error))
            return
        if measurement.phase != phase:
            self._phase_begun = time.monotonic()
        if (measurement.phase, measurement.n_steps) != (phase, n_steps):
            self._answer(measurement.phase, measurement.n_steps, WHAT_TO_DO[measurement.phase])

    def tick(self) -> None:
        """Give up what takes too long."""
        now = time.monotonic()
        if self._awaited is not None and now - self._published_at > EFFECT_TIMEOUT_S:
            self._awaited = None
            self._fail(NOT_PASSED_ON)
        if self._measurement is None:
            return
        if now - self._last_samples > SILENCE_S:
            self._fail(f"No samples came for {SILENCE_S:.0f} seconds.")
        elif now - self._phase_begun > PHASE_TIMEOUT_S:
            try:
                self._measurement.give_up()
            except CalibrationError as error:
                self._fail(str(error))

    def heard(self, payload: bytes) -> None:
        """Hear a calibration of the phone come back from the broker."""
        if payload == self._awaited:
            self._awaited = None
            self._answer("done" if payload else "removed", 0, self._words)

    def _finish(self, measurement: Measurement) -> None:
        """Publish what was measured.

        Raises:
            CalibrationError: the samples do not show how the phone is worn.
            NotNeededError: the phone is recognised better without.
        """
        assert self._info is not None
        if measurement.swings_with_leg:
            check_need(self._device, self._info)
        calibration: Calibration = measurement.result()
        payload = encode_calibration(
            calibration.rotation,
            created=round(time.time(), 3),
            gravity=calibration.gravity,
            forward=calibration.forward,
            n_steps=calibration.n_steps,
        )
        self._measurement = None
        self._send(payload, f"Calibrated. {describe(calibration)}")

    def _send(self, payload: bytes, words: str) -> None:
        self._awaited, self._words = payload, words
        self._published_at = time.monotonic()
        if not self._publish(payload):
            self._awaited = None
            self._fail("The broker does not take it now.")

    def _fail(self, words: str) -> None:
        self._measurement = None
        self._answer("failed", 0, words[:1].upper() + words[1:])
