"""How smooth the dashboard is: frames a second with very many phones, in headless Chromium.

``python -m tests.benchmarks.web_pages`` prints them. The phones are made up; ten times a second
their server tells what is new, as har-web does.
"""

import asyncio
import time
from dataclasses import dataclass
from typing import Any, Final

import numpy as np

from tests.benchmarks.figures import Figure, NotMeasuredError, Options, run_alone
from tests.browsers import chromium, missing
from tests.made_fleet import MadeFleet
from tests.made_web_server import Visitor, serving

N_PHONES: Final = 500
UPDATE_S: Final = 0.1
SHOWN_S: Final = 10.0
SETTLING_S: Final = 2.0
LEAST_FRAMES_PER_S: Final = 30.0

TIMESTAMPS: Final = """seconds => new Promise((resolve) => {
    const times = [];
    const scroller = document.scrollingElement;
    const frame = (time) => {
        times.push(time);
        if (SCROLL) scroller.scrollTop = (scroller.scrollTop + 8) % (scroller.scrollHeight / 2);
        if (time - times[0] < 1000 * seconds) requestAnimationFrame(frame);
        else resolve(times);
    };
    requestAnimationFrame(frame);
})"""
"""The times of animation frames, in milliseconds"""


@dataclass(frozen=True)
class Smoothness:
    """The animation frames of some seconds."""

    frames_per_s: float
    slowest_frames_per_s: float
    """In the slowest second"""
    longest_ms: float
    """Between two frames"""
    cpu_ms: float
    """Of all of the browser's processes, for a frame: its cost, however busy the machine"""


def smoothness(times_ms: list[float], cpu_s: float) -> Smoothness:
    """Return how smooth frames at these times are, which took so much of the processors."""
    times = np.array(times_ms)
    seconds = (times - times[0]) // 1000
    whole = [int(np.sum(seconds == second)) for second in range(int(seconds[-1]))]
    return Smoothness(
        1000 * (len(times) - 1) / (times[-1] - times[0]),
        float(min(whole)),
        float(np.diff(times).max()),
        1000 * cpu_s / (len(times) - 1),
    )


def greet(fleet: MadeFleet, visitor: Visitor) -> None:
    """Tell a page of all phones, and then ten times a second what is new."""

    async def go_on() -> None:
        before = time.time()
        while True:
            await asyncio.sleep(UPDATE_S)
            now = time.time()
            visitor.say(fleet.changes(before, now, visitor.watched))
            before = now

    visitor.say(fleet.hello(time.time()))
    visitor.say(fleet.first(time.time()))
    visitor.run(go_on())


def cpu_seconds(browser: Any) -> float:  # noqa: ANN401 (Playwright's browser)
    """Return how much the browser's processes have used of the processors."""
    session = browser.new_browser_cdp_session()
    processes = session.send("SystemInfo.getProcessInfo")["processInfo"]
    session.detach()
    return float(sum(process["cpuTime"] for process in processes))


def measure_view(browser: Any, view: str, *, scrolls: bool, seconds: float) -> Smoothness:  # noqa: ANN401
    """Return how smooth the dashboard is with `N_PHONES` phones in a view, tiles or cards."""
    fleet = MadeFleet([f"phone-{number:03d}" for number in range(N_PHONES)], time.time())
    with serving(lambda visitor: greet(fleet, visitor)) as server:
        page = browser.new_page(viewport={"width": 1280, "height": 900})
        page.goto(server.url)
        page.locator(".card").first.wait_for()
        page.select_option("#view", view)
        page.wait_for_timeout(1000 * SETTLING_S)
        script = TIMESTAMPS.replace("SCROLL", str(scrolls).lower())
        before = cpu_seconds(browser)
        times: list[float] = page.evaluate(script, seconds)
        used = cpu_seconds(browser) - before
        page.close()
    return smoothness(times, used)


def measure(options: Options) -> list[Figure]:
    """Return the frames a second, of tiles and cards, at rest and scrolling.

    Raises:
        NotMeasuredError: there is no browser.
    """
    if (reason := missing()) is not None:
        raise NotMeasuredError(reason)
    seconds = min(options.seconds, SHOWN_S)
    figures = []
    with chromium() as browser:
        for view in ("tiles", "cards"):
            for scrolls in (False, True):
                found = measure_view(browser, view, scrolls=scrolls, seconds=seconds)
                moving = "scrolling" if scrolls else "at rest"
                figures.append(
                    Figure(
                        "web_pages", f"{N_PHONES} phones, {view}, {moving}", found.frames_per_s,
                        "frames/s", limit=LEAST_FRAMES_PER_S, at_least=True,
                        detail=f"{found.slowest_frames_per_s:.0f} in the slowest second; longest "
                        f"{found.longest_ms:.0f} ms; {found.cpu_ms:.1f} ms of CPU a frame; "
                        f"{seconds:g} s",
                    )
                )  # fmt: skip
    return figures


def main() -> None:
    """Run this benchmark alone."""
    run_alone(measure, "The dashboard in headless Chromium")


if __name__ == "__main__":
    main()
