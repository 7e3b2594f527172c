import json
import math
import re
import time
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
import pytest

from pipeline.formats import browser as browser_format
from pipeline.formats import native
from pipeline.readings import MessageError, Readings
from pipeline.vocabulary import ACTIVITIES
from tests.made_web_server import MadeWebServer, Visitor, serving
from tests.sensors import Sensors

pytestmark = pytest.mark.browser

Open = Callable[..., Any]
MANY = [*ACTIVITIES, "RUNNING"]
HIDE = """state => {
    Object.defineProperty(document, "hidden", {value: state, configurable: true});
    document.dispatchEvent(new Event("visibilitychange"));
}"""


def greet(visitor: Visitor) -> None:
    """Tell a phone page which activities there are."""
    visitor.say({"type": "hello", "now": time.time(), "role": "all", "activities": MANY})


@pytest.fixture
def server() -> Iterator[MadeWebServer]:
    """A server that takes what phones send, and answers as a test says."""
    with serving(greet) as running:
        yield running


@pytest.fixture
def open_phone(server: MadeWebServer, open_page: Open) -> Open:
    """A function that opens the phone page of `pocket`, with or without motion sensors."""

    def open_one(*, sensors: bool = True, **options: Any) -> Any:
        page = open_page(server.url + "/phone", viewport={"width": 390, "height": 844}, **options)
        if sensors:
            page.sensors = Sensors(page)
        page.fill("#name", "pocket")
        page.keyboard.press("Enter")
        page.locator(".labels button").first.wait_for()
        return page

    return open_one


def messages_in(server: MadeWebServer) -> list[bytes]:
    """Return the messages of samples that have come in the compact form."""
    return [frame["payload"] for frame in server.received if frame["type"] == "samples"]


def readings_of(message: bytes) -> Readings:
    """Return what har-stream reads of a message."""
    (readings,) = native.decode(message, "pocket")
    return readings


def samples_in(server: MadeWebServer) -> list[dict[str, float]]:
    """Return all samples that have come, in the order in which they came."""
    sent = [readings_of(message) for message in messages_in(server)]
    return [
        {"t": t, "agx": row[0]}
        for readings in sent
        for t, row in zip(readings.times.tolist(), readings.values.tolist(), strict=True)
    ]


def test_har_stream_reads_what_the_page_sends(
    server: MadeWebServer, open_phone: Open, eventually: Open
) -> None:
    """Samples come in har-stream's compact form, with right axes, units, signs and times."""
    page = open_phone()
    acc, gyro = (1.0, 2.0, 9.5), (0.5, -1.0, 1.5)
    page.sensors.set(acc, gyro)
    begun = time.time()
    page.click("#start")
    eventually(lambda: len(samples_in(server)) > 60)
    messages = messages_in(server)
    readings = readings_of(messages[-1])
    assert "android" == readings.convention
    assert len(messages[-1]) < 200 + 32 * len(readings.times)
    # Chromium rounds to 0.1 m/s² and 0.1 degrees a second.
    np.testing.assert_allclose(readings.values[-1], (*acc, *gyro), atol=2e-3)
    times = [sample["t"] for sample in samples_in(server)]
    assert times == sorted(set(times))
    assert begun - 1 < times[0] <= times[-1] < time.time() + 1
    seconds = times[-1] - times[0]
    assert 30 < (len(times) - 1) / seconds < 70
    assert len(messages) < 6 * seconds + 2
    page.locator("#rate", has_text=re.compile(r"\d\d Hz")).wait_for()


def test_the_activity_is_shown_large(server: MadeWebServer, open_phone: Open) -> None:
    """The recognised activity is shown as it comes back, once the phone is the sensor."""
    page = open_phone()
    page.locator("#activity", has_text="Not started").wait_for()
    page.click("#start")
    page.locator("#activity", has_text="Wait").wait_for()
    answer = {"activity": "WALKING_UPSTAIRS", "since": time.time() - 5, "probability": 0.96}
    server.say({"type": "answer", "recognised": time.time(), **answer})
    page.locator("#activity", has_text="Walking upstairs").wait_for()
    page.locator("#since", has_text="96 % sure").wait_for()
    page.locator("#answer", has_text=re.compile(r"\d s ago")).wait_for()
    size = page.locator("#activity").evaluate("node => parseFloat(getComputedStyle(node).fontSize)")
    assert size > 32
    page.click("#start")
    page.locator("#activity", has_text="Not started").wait_for()


def test_how_long_goes_by_the_phones_own_clock(server: MadeWebServer, open_phone: Open) -> None:
    """Samples have its times, so has what is recognised, also if the server's clock is another."""
    page = open_phone()
    page.click("#start")
    server.say({"type": "hello", "now": time.time() + 3600, "role": "all", "activities": MANY})
    answer = {"activity": "SITTING", "since": time.time() - 5, "probability": 0.9}
    server.say({"type": "answer", "recognised": time.time(), **answer})
    page.locator("#since", has_text=re.compile(r"^for \d s · 90 % sure")).wait_for()


def test_an_old_answer_is_not_of_now(server: MadeWebServer, open_phone: Open) -> None:
    """While no answers come, the page says of when the last one is."""
    page = open_phone()
    page.click("#start")
    answer = {"activity": "SITTING", "since": time.time() - 5, "probability": 0.9}
    server.say({"type": "answer", "recognised": time.time(), **answer})
    page.locator("#since", has_text="90 % sure").wait_for()
    page.evaluate("{ const now = Date.now; Date.now = () => now() + 60_000; }")
    page.locator("#since", has_text=re.compile(r"^for \d s, as of \d\d:\d\d:\d\d$")).wait_for()


def test_activities_of_another_model(server: MadeWebServer, open_phone: Open) -> None:
    """They get their buttons when the server learns of them."""
    page = open_phone(sensors=False)
    server.say({"type": "answer", "activities": [*MANY, "CYCLING"]})
    page.locator(".labels button", has_text="Cycling").wait_for()


def test_nothing_is_lost_while_the_server_is_away(
    server: MadeWebServer, open_phone: Open, eventually: Open
) -> None:
    """Samples are kept while the connection is away, and come when it is back."""
    page = open_phone()
    page.click("#start")
    eventually(lambda: len(samples_in(server)) > 30)
    server.say({"type": "answer", "received": 30, "until": samples_in(server)[29]["t"]})
    page.locator("#sent", has_text="30").wait_for()
    server.stop()
    page.locator("#problems", has_text="The connection to the server is away").wait_for()
    away_until = time.time() + 1.5
    page.wait_for_timeout(1500)
    server.start()
    eventually(lambda: samples_in(server)[-1]["t"] > away_until)
    times = sorted({sample["t"] for sample in samples_in(server)})
    assert max(np.diff(times)) < 1.0  # it was away for longer; a busy machine may pause the page
    page.locator("#problems", has_text="is away").wait_for(state="detached")


def test_labels_are_one_tap(server: MadeWebServer, open_phone: Open) -> None:
    """A tap labels what follows; there is a button for each activity, and one for none."""
    page = open_phone(sensors=False)
    assert len(MANY) + 1 == page.locator(".labels button").count()
    page.click("text='Running'")
    label = server.await_frame(lambda frame: frame["type"] == "label")
    assert "RUNNING" == label["activity"]
    assert abs(label["time"] - time.time()) < 5
    assert "true" == page.locator("button:has-text('Running')").get_attribute("aria-pressed")
    page.click("text='No label'")
    server.await_frame(lambda frame: frame["type"] == "label" and frame["activity"] is None)


def test_labels_wait_for_the_connection(server: MadeWebServer, open_phone: Open) -> None:
    """A label that is given while the server is away comes later, with its own time."""
    page = open_phone(sensors=False)
    server.stop()
    page.locator("#problems", has_text="is away").wait_for()
    page.click("text='Sitting'")
    tapped = time.time()
    page.locator("#label-state", has_text="it is sent later").wait_for()
    server.start()
    label = server.await_frame(lambda frame: frame["type"] == "label")
    assert abs(label["time"] - tapped) < 1
    page.locator("#label-state", has_text=re.compile(r"labelled from [\d:]+$")).wait_for()


def test_labels_are_sent_until_they_are_confirmed(
    server: MadeWebServer, open_phone: Open, eventually: Open
) -> None:
    """One that went away with its connection comes again, and a confirmed one does not."""
    page = open_phone(sensors=False)
    labels = lambda: [f["activity"] for f in server.received if f["type"] == "label"]  # noqa: E731
    page.click("text='Sitting'")
    label = server.await_frame(lambda frame: frame["type"] == "label")
    server.say({"type": "answer", "label": {"activity": "SITTING", "time": label["time"]}})
    page.click("text='Standing'")
    eventually(lambda: labels() == ["SITTING", "STANDING"])
    server.stop()
    page.locator("#problems", has_text="is away").wait_for()
    server.start()
    eventually(lambda: labels() == ["SITTING", "STANDING", "STANDING"])


def test_calibration_step_by_step(server: MadeWebServer, open_phone: Open) -> None:
    """The page says what to do at each step, and how it ended."""
    page = open_phone(sensors=False)
    current = page.locator("#steps [aria-current]")
    page.click("#calibrate")
    server.await_frame(lambda frame: frame == {"type": "calibrate", "step": "begin"})
    current.filter(has_text="stand still").wait_for()
    server.say({"type": "answer", "calibration": {"step": "walk", "steps": 4}})
    current.filter(has_text="Walk ten steps").wait_for()
    page.locator("#calibration-state", has_text="4 steps").wait_for()
    done = {"step": "done", "words": "12 steps; nearest placement: portrait."}
    server.say({"type": "answer", "calibration": done})
    page.locator("#calibration-state", has_text="nearest placement: portrait").wait_for()
    assert 0 == current.count()
    page.click("#calibrate")
    current.wait_for()
    page.click("text='Cancel'")
    server.await_frame(lambda frame: frame == {"type": "calibrate", "step": "cancel"})
    page.click("#take-back")
    server.await_frame(lambda frame: frame == {"type": "calibrate", "step": "remove"})


@pytest.mark.parametrize(
    ("script", "words"),
    [
        ("Object.defineProperty(window, 'isSecureContext', {value: false})", "https"),
        ("delete window.DeviceMotionEvent", "knows no motion sensors"),
        ("DeviceMotionEvent.requestPermission = async () => 'denied'", "permission was refused"),
        ("DeviceMotionEvent.requestPermission = () => Promise.reject(1)", "permission was refused"),
    ],
)
def test_what_hinders_is_said(open_phone: Open, script: str, words: str) -> None:
    """What keeps the sensors from the page is said in words, and it does not pretend to measure."""
    page = open_phone(sensors=False, script=script)
    page.click("#start")
    page.locator("#problems", has_text=words).wait_for()
    assert "Start" == page.locator("#start").inner_text()


def test_permission_is_asked_in_the_tap(server: MadeWebServer, open_phone: Open) -> None:
    """Where iOS wants a permission, it is asked once, in the tap, and measuring begins."""
    script = """DeviceMotionEvent.requestPermission = async () => {
        window.asked = (window.asked ?? 0) + Number(navigator.userActivation.isActive);
        return "granted";
    }"""
    page = open_phone(script=script)
    page.click("#start")
    server.await_frame(lambda frame: frame["type"] == "samples")
    assert 1 == page.evaluate("asked")


def test_no_sensors_are_missed(open_phone: Open) -> None:
    """A device whose browser sends no event with numbers is told so."""
    page = open_phone(
        sensors=False,
        script="addEventListener('devicemotion', (event) => "
        "event.stopImmediatePropagation(), true)",
    )
    page.click("#start")
    page.locator("#problems", has_text="No sample has come").wait_for()


@pytest.mark.parametrize(("agent", "convention"), [("iPhone", "ios"), ("Android", "android")])
def test_the_sign_goes_by_the_phone(
    server: MadeWebServer, open_phone: Open, eventually: Open, agent: str, convention: str
) -> None:
    """Values come as the browser gives them, and the message says whose sign they have."""
    page = open_phone(user_agent=f"Mozilla/5.0 ({agent}; like a browser)")
    page.sensors.set((0.0, 0.0, -9.8), (0.0, 0.0, 0.0))
    page.click("#start")
    eventually(lambda: len(samples_in(server)) > 20)
    readings = readings_of(messages_in(server)[-1])
    assert convention == readings.convention
    assert -9.8 == pytest.approx(readings.values[-1, 2], abs=1e-6)


def test_no_gyroscope_is_said(server: MadeWebServer, open_phone: Open) -> None:
    """A phone without a gyroscope is told that both sensors are needed, and so is har-stream."""
    page = open_phone(
        sensors=False,
        script="""setInterval(() => dispatchEvent(new DeviceMotionEvent(
        "devicemotion", {accelerationIncludingGravity: {x: 0.13, y: 0, z: 9.81}, interval: 20},
    )), 20)""",
    )
    page.click("#start")
    page.locator("#problems", has_text="no gyroscope").wait_for()
    frame = server.await_frame(lambda frame: frame["type"] == "samples")
    with pytest.raises(MessageError, match="no gyroscope"):
        browser_format.decode(json.dumps(frame["payload"]).encode(), "pocket")


def test_a_hidden_page_says_that_it_stopped(open_phone: Open, eventually: Open) -> None:
    """After a page was hidden it says from when to when nothing was measured."""
    page = open_phone()
    page.click("#start")
    page.locator("#start[aria-pressed=true]").wait_for()  # a tap is answered later
    page.evaluate(HIDE, True)
    page.wait_for_timeout(1100)
    page.evaluate(HIDE, False)
    page.locator("#problems", has_text=re.compile(r"hidden from [\d:]+ to [\d:]+")).wait_for()


def test_a_screen_that_may_sleep_is_said(open_phone: Open) -> None:
    """Where the browser cannot keep the screen awake, the page says what to set instead."""
    page = open_phone(script="delete Navigator.prototype.wakeLock")
    page.click("#start")
    page.locator("#screen", has_text="set its lock to never").wait_for()


def test_the_servers_problem_is_shown_until_it_is_over(
    server: MadeWebServer, open_phone: Open
) -> None:
    """What the server cannot do is said, and goes away."""
    page = open_phone(sensors=False)
    server.say({"type": "answer", "problem": "The broker is away."})
    page.locator("#problems", has_text="The broker is away.").wait_for()
    server.say({"type": "answer", "problem": None})
    page.locator("#problems", has_text="The broker is away.").wait_for(state="detached")


def test_motion_is_not_distorted(server: MadeWebServer, open_phone: Open, eventually: Open) -> None:
    """A slow swing of the phone comes as that swing."""
    page = open_phone()
    page.click("#start")
    page.sensors.play(lambda t: ((3 * math.sin(2 * t), 0.0, 9.8), (0.0, math.cos(2 * t), 0.0)), 3.0)
    eventually(lambda: len(samples_in(server)) > 120)
    x = [sample["agx"] for sample in samples_in(server)]
    assert max(x) > 2.5
    assert min(x) < -2.5
