"""A phone's browser as the sensor of a running system: from motion to the word, and back."""

import re
import signal
import time
from collections.abc import Callable
from itertools import pairwise
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest

from pipeline.recordings import parquet
from tests.client import MqttClient
from tests.sensors import dispatch

if TYPE_CHECKING:
    from tests.commands.web.pages.whole.conftest import Rows, Whole
    from tests.processes import Running

    MotionOf = Callable[[str, str], Rows]

pytestmark = [pytest.mark.browser, pytest.mark.broker]

Open = Callable[..., Any]
NO_BROKER = "no connection to the broker"


def shown(page: Any) -> str:
    """Return the large word of a phone's page."""
    return str(page.locator("#activity").inner_text())


def number_sent(page: Any) -> int:
    """Return how many samples the page says that the broker has confirmed."""
    found = re.match(r"[\d,]+", page.locator("#sent").inner_text())
    return 0 if found is None else int(found[0].replace(",", ""))


def check_walking(
    page: Any, dashboard: Any, await_that: Callable[[Callable[[], object]], None]
) -> None:
    """Check what both pages show of who walks, with ``await_that`` for what is yet to come."""
    await_that(lambda: shown(page) == "Walking")
    hero = dashboard.locator("#opened .hero")
    await_that(lambda: hero.locator(".activity").inner_text() == "Walking")
    await_that(lambda: number_sent(page) > 500 and "% sure" in page.locator("#since").inner_text())
    # That ten steps are needed is said until they are made.
    notices = page.locator("#problems .notice:not(.hint)")
    await_that(lambda: notices.all_inner_texts() == [])
    ribbon = dashboard.locator("#opened canvas.ribbon")
    await_that(lambda: "walking" in ribbon.get_attribute("aria-label"))
    facts = hero.inner_text()
    rate, latency = re.search(r"(\d+) Hz", facts), re.search(r"answer in [\d.]+ m?s", facts)
    assert rate is not None, facts
    assert latency is not None, facts
    assert 40 <= int(rate[1]) <= 65
    known = dashboard.locator("#opened .info").inner_text()
    assert "native" in known
    assert "cnn-lstm-any" in known  # for a phone of which nobody knows how it is worn


def test_walking_with_sensors(
    whole: "Whole",
    open_phone: Open,
    open_page: Open,
    motion_of: "MotionOf",
    perform: Open,
    device: str,
) -> None:
    """Who walks with the page in front is told so, and the dashboard says the same of the phone."""
    rows = motion_of("made-up", "WALKING")
    dashboard = open_page(f"{whole.url}/#/phone/{device}")
    page = open_phone(device)
    check_walking(page, dashboard, lambda holds: perform(page, rows, holds))


@pytest.mark.parametrize("source", ["waist", "pocket"])
def test_real_walking(
    whole: "Whole",
    open_phone: Open,
    open_page: Open,
    motion_of: "MotionOf",
    eventually: Open,
    device: str,
    source: str,
) -> None:
    """So it is with what phones of people measured, at the waist and in a trouser pocket."""
    rows = motion_of(source, "WALKING")
    dashboard = open_page(f"{whole.url}/#/phone/{device}")
    page = open_phone(device, sensors=False)
    dispatch(page, np.hstack([rows[:, :3], np.degrees(rows[:, 3:])]).tolist())
    check_walking(page, dashboard, lambda holds: eventually(holds, 60.0))


def test_label_buttons_end_in_a_recording(
    whole: "Whole",
    open_phone: Open,
    motion_of: "MotionOf",
    perform: Open,
    start_command: "Callable[..., Running]",
    device: str,
    tmp_path: Path,
) -> None:
    """har-record keeps all that the page sends, with the label of each tap from then on."""
    recorder = start_command("har-record", *whole.broker.flags, "--device", device)
    recorder.await_log(f"Recording {device}")
    rows = motion_of("made-up", "WALKING")
    page = open_phone(device)
    perform(page, rows, lambda: number_sent(page) > 100)
    taps = []
    for button in ("Walking", "Sitting", "No label"):
        page.click(f".labels button:has-text('{button}') >> nth=0")
        taps.append(time.time())
        more = number_sent(page) + 100
        perform(page, rows, lambda more=more: number_sent(page) > more)
    page.click("#start")
    page.locator("#sent:not(:has-text('waiting'))").wait_for()
    page.wait_for_timeout(500)
    sent = number_sent(page)
    assert 0 == recorder.end()
    [path] = (tmp_path / "recordings").glob("*.parquet")
    kept = parquet.read(path)
    assert sent == kept.n_samples
    labelled = [
        (t, None if number < 0 else kept.activities[number])
        for message in kept.messages
        for part in message
        for t, number in zip(part.readings.times.tolist(), part.labels.tolist(), strict=True)
    ]
    changes = [
        (after[1], after[0]) for before, after in pairwise(labelled) if before[1] != after[1]
    ]
    assert ["WALKING", "SITTING", None] == [activity for activity, _ in changes]
    np.testing.assert_allclose([at for _, at in changes], taps, atol=0.3)
    assert labelled[0][1] is None


def test_calibration_step_by_step(
    whole: "Whole",
    open_phone: Open,
    open_page: Open,
    motion_of: "MotionOf",
    perform: Open,
    device: str,
) -> None:
    """Who stands and walks as the page says is calibrated, and gets the model for the waist."""
    standing, walking = (motion_of("made-up", name) for name in ("STANDING", "WALKING"))
    with MqttClient(whole.broker, f"har/{device}/calibration", f"har/{device}/info") as client:
        page = open_phone(device)
        perform(page, standing, lambda: number_sent(page) > 300)
        client.await_message(f"har/{device}/info")
        page.click("#calibrate")
        step = page.locator("#steps [aria-current]")
        assert "stand still" in step.inner_text()
        perform(page, standing, lambda: "Walk ten steps" in step.inner_text())
        state = page.locator("#calibration-state")
        counts: list[int] = []

        def is_done() -> bool:
            words = state.inner_text()
            if found := re.fullmatch(r"(\d+) steps", words):
                counts.append(int(found[1]))
            return words.startswith(("Calibrated.", "That did not work"))

        perform(page, walking, is_done)
        assert "Calibrated." in state.inner_text()
        assert max(counts) > 3
        client.await_message(f"har/{device}/calibration")
        dashboard = open_page(f"{whole.url}/#/phone/{device}")
        known = dashboard.locator("#opened .info")
        perform(page, walking, lambda: "calibrated" in known.inner_text().lower())
        page.click("#take-back")
        page.locator("#calibration-state", has_text="taken back").wait_for()
        client.await_message(f"har/{device}/calibration", b"")


def test_the_broker_goes_away(
    whole: "Whole",
    open_phone: Open,
    open_page: Open,
    motion_of: "MotionOf",
    perform: Open,
    device: str,
) -> None:
    """Killed, it is said in words on both pages; it comes back, and the phone goes on.

    What comes before har-stream is back, which has no state here, nobody has subscribed to.
    """
    rows = motion_of("made-up", "WALKING")
    dashboard = open_page(whole.url)
    page = open_phone(device)
    perform(page, rows, lambda: shown(page) == "Walking")
    with MqttClient(whole.broker, f"har/{device}/prediction") as client:
        perform(page, rows, lambda: len(client.received) > 1)
        whole.broker.stop(signal.SIGKILL)
        notices, problems = dashboard.locator("#notices"), page.locator("#problems")
        perform(page, rows, lambda: "The broker is away" in notices.inner_text())
        perform(page, rows, lambda: NO_BROKER in problems.inner_text())
        sent = number_sent(page)
        perform(page, rows, lambda: "waiting" in page.locator("#sent").inner_text())
        whole.broker.start()
        perform(page, rows, lambda: notices.inner_text() == "")
        perform(page, rows, lambda: NO_BROKER not in problems.inner_text())
        before = len(client.received)
        perform(page, rows, lambda: number_sent(page) > sent + 400)
        perform(page, rows, lambda: len(client.received) > before + 2)
        perform(page, rows, lambda: shown(page) == "Walking")
    assert "Walking" == dashboard.locator(".card .activity").inner_text()
