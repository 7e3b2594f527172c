"""The time from motion to the large word on the phone page: the whole chain, in Chromium.

Mosquitto, har-stream and har-web run as people run them. Pages get motion events of somebody who
walks and lies in turn. The time of a change counts from the last sample of the window by which
har-stream decided, which the page measured, until the word in the page is another.
"""

import json
import tempfile
import time
from collections import defaultdict
from collections.abc import Sequence
from contextlib import ExitStack
from pathlib import Path
from statistics import median, quantiles
from typing import Any, Final

import numpy as np

from pipeline.mqtt.connection import Connection
from pipeline.recordings import simulated
from pipeline.settings import BrokerSettings
from tests.benchmarks.commands import await_text, command, mosquitto_process, start, stop
from tests.benchmarks.figures import Figure, NotMeasuredError, Options, run_alone
from tests.brokers import find_free_port
from tests.browsers import chromium, missing
from tests.sensors import dispatch

PAGES: Final = 4
SHOWN_S: Final = 90.0
FULL_SHOWN_S: Final = 900.0
TURN_S: Final = 12
"""Of each activity"""
LEAST_CHANGES: Final = 10
LIMIT_MS: Final = 1_000.0
"""Of the p99: a window ends every 1.28 s, so an answer comes before the next one does"""

WAITING: Final = "Wait …"
"""Before the first word"""

OBSERVED: Final = """() => {
    const node = document.getElementById("activity");
    globalThis.words = [];
    new MutationObserver(() => globalThis.words.push([node.textContent, Date.now() / 1000]))
        .observe(node, {childList: true, characterData: true, subtree: true});
}"""


def measure(options: Options) -> list[Figure]:
    """Return the figures.

    Raises:
        NotMeasuredError: a program is missing, or does not do what it is to.
    """
    if (reason := missing()) is not None:
        raise NotMeasuredError(reason)
    seconds = FULL_SHOWN_S if options.full else SHOWN_S
    with tempfile.TemporaryDirectory() as name, ExitStack() as stack:
        folder = Path(name)
        port, _ = stack.enter_context(mosquitto_process(folder))
        broker = ["--broker", "127.0.0.1", "--port", str(port)]
        page_port = find_free_port()
        for program, flags in (
            ("har-stream", []),
            ("har-web", ["--listen", f"127.0.0.1:{page_port}"]),
        ):
            log = f"{program}.log"
            process = start([*command(program), *broker, *flags], folder, log=log)
            stack.callback(stop, process)
            await_text(folder / log, "connected to", process, folder / log)
        settings = BrokerSettings.model_validate({"broker": "127.0.0.1", "port": port})
        topics = ["har/+/prediction", "har/+/activity"]
        connection = Connection(settings, name="watch", subscriptions=topics)
        connection.start(retry=False)
        stack.callback(connection.close, timeout_s=2.0)
        browser = stack.enter_context(chromium())
        shown = _shown(browser, page_port, seconds)
        messages = []
        while connection.waiting:
            messages += connection.take(timeout_s=1.0, gather_s=0.0)
        decided = _decided([(message.topic, json.loads(message.payload)) for message in messages])
    times_ms = [ms for device, words in shown.items() for ms in _times_ms(decided[device], words)]
    if len(times_ms) < LEAST_CHANGES:
        raise NotMeasuredError(f"only {len(times_ms)} changes of activity were seen")
    detail = f"{len(times_ms)} changes; {PAGES} pages, {seconds:g} s"
    p50, p99 = median(times_ms), quantiles(times_ms, n=100, method="inclusive")[-1]
    return [
        Figure("web_latency", "motion to the large word, p50", p50, "ms", detail=detail),
        Figure(
            "web_latency", "motion to the large word, p99", p99, "ms", limit=LIMIT_MS,
            detail=detail,
        ),
    ]  # fmt: skip


def _shown(browser: Any, port: int, seconds: float) -> dict[str, list[tuple[str, float]]]:  # noqa: ANN401
    """Return which words pages showed from when on, in epoch seconds, by device."""
    pages = {}
    rows = np.vstack([_rows("WALKING"), _rows("LAYING")])
    for number in range(PAGES):
        page = browser.new_page(viewport={"width": 390, "height": 844})
        page.goto(f"http://127.0.0.1:{port}/phone?device=phone-{number}")
        page.locator(".labels button").first.wait_for()
        page.click("#start")
        page.evaluate(OBSERVED)
        # Each begins elsewhere, so that they do not all change at once.
        dispatch(page, np.roll(rows, number * len(rows) // PAGES, axis=0).tolist())
        pages[f"phone-{number}"] = page
    time.sleep(seconds)
    return {
        device: [(word, at) for word, at in page.evaluate("words") if word != WAITING]
        for device, page in pages.items()
    }


def _rows(activity: str) -> np.ndarray[tuple[int, int], np.dtype[np.float64]]:
    [recording] = simulated.recordings(1, seconds=TURN_S, activity=activity)
    samples = recording.stretches[0].samples
    return np.hstack([samples[:, :3], np.degrees(samples[:, 3:])]).round(2)


def _decided(messages: Sequence[tuple[str, Any]]) -> dict[str, list[tuple[str, float]]]:
    """Return each device's changes of activity, with the end of the window that decided it."""
    ends: dict[str, float] = {}
    changes: defaultdict[str, list[tuple[str, float]]] = defaultdict(list)
    for topic, content in messages:
        _, device, leaf = topic.split("/")
        if leaf == "prediction":
            ends[device] = content["end"]
        elif device in ends:
            title = TITLES.get(content["activity"], content["activity"])
            words = title.replace("_", " ").capitalize()
            if not changes[device] or changes[device][-1][0] != words:
                changes[device].append((words, ends[device]))
    return changes


TITLES: Final = {"transition": "in transition"}
"""What pages call an activity, where that is not its name"""


def _times_ms(
    changes: Sequence[tuple[str, float]], words: Sequence[tuple[str, float]]
) -> list[float]:
    """Return how long after the end of its window each change was shown.

    Raises:
        NotMeasuredError: the page showed other words than were published.
    """
    names = [activity for activity, _ in changes]
    if names != [word for word, _ in words][: len(names)]:
        raise NotMeasuredError(f"published {names}, shown {words}")
    return [1000 * (at - end) for (_, end), (_, at) in zip(changes, words, strict=False)]


def main() -> None:
    """Run this benchmark alone."""
    run_alone(measure, "From motion to the large word on the phone page")


if __name__ == "__main__":
    main()
