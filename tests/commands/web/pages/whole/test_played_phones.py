"""Phones that are played to a running system, as a newcomer sees them on the dashboard."""

import os
import pty
import re
import signal
import subprocess
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from tests.brokers import find_free_port
from tests.processes import STOP_TIMEOUT_S, command_line, environment_with

if TYPE_CHECKING:
    from tests.commands.web.pages.whole.conftest import Whole
    from tests.processes import Running

pytestmark = [pytest.mark.browser, pytest.mark.broker]

Open = Callable[..., Any]
COLOURS = re.compile(r"\x1b\[[\d;?]*[A-Za-z]")
KNOWN_SHARE = """canvas => {
    const {width, height} = canvas;
    const pixels = canvas.getContext("2d").getImageData(0, height / 2 | 0, width, 1).data;
    return pixels.filter((value, place) => place % 4 === 3 && value > 200).length / width;
}"""
"""The share of a ribbon's width that is painted in full, where an activity or unknown was"""


class Terminal:
    """A command in a terminal of its own, and all that it has written there."""

    def __init__(self, folder: Path, name: str, *flags: str) -> None:
        """Start it."""
        ours, theirs = pty.openpty()
        self.process = subprocess.Popen(
            [*command_line(name), *flags],
            cwd=folder,
            env=environment_with({"HOME": str(folder), "TERM": "xterm", "HAR_MAX_BEHIND": "60"}),
            stdin=theirs,
            stdout=theirs,
            stderr=theirs,
            start_new_session=True,
        )
        os.close(theirs)
        self._written = ""
        self._descriptor = ours
        self._reader = threading.Thread(target=self._read)
        self._reader.start()

    @property
    def text(self) -> str:
        """What it has written, without colours."""
        return COLOURS.sub("", self._written)

    def _read(self) -> None:
        try:
            while part := os.read(self._descriptor, 65_536):
                self._written += part.decode(errors="replace")
        except OSError:  # the last that had it open has ended
            return

    def end(self) -> int:
        """Type Ctrl-C, and return the exit code."""
        if self.process.poll() is None:
            self.process.send_signal(signal.SIGINT)
        code = self.process.wait(STOP_TIMEOUT_S)
        self._reader.join(STOP_TIMEOUT_S)
        os.close(self._descriptor)
        return code


@pytest.fixture
def in_terminal(tmp_path: Path) -> Iterator[Callable[..., Terminal]]:
    """A function that starts a command in a terminal; it has ended after the test."""
    started: list[Terminal] = []

    def start(name: str, *flags: str) -> Terminal:
        started.append(Terminal(tmp_path, name, *flags))
        return started[-1]

    yield start
    for one in started:
        if one.process.poll() is None:
            one.process.kill()
            one.end()


@pytest.mark.parametrize(("recording", "n_phones"), [("simulated", 6), ("uci-har", 9)])
def test_the_demo(
    in_terminal: Callable[..., Terminal],
    open_page: Open,
    eventually: Open,
    request: pytest.FixtureRequest,
    recording: str,
    n_phones: int,
) -> None:
    """Phones appear, do things, fill ribbons and are judged; at the end the page has it all."""
    if recording == "uci-har":
        request.getfixturevalue("data_dir")
    port = find_free_port()
    flags = ["--recording", recording, "--duration", "15", "--speed", "6"]
    demo = in_terminal("har-demo", *flags, "--web", "--listen", f"127.0.0.1:{port}")
    url = f"http://127.0.0.1:{port}"
    eventually(lambda: f"Dashboard: {url}/" in demo.text)
    assert "Playing" not in demo.text.partition("Dashboard:")[0]
    page = open_page(url)
    cards = page.locator(".card")
    eventually(lambda: cards.count() == n_phones, 60.0)
    assert 0 == page.locator(".card .mark:not(:empty)").count()
    names = page.locator(".card .activity")
    eventually(lambda: "Unknown" not in names.all_inner_texts())
    ribbon = page.locator(".card canvas.ribbon").first
    known = ribbon.evaluate(KNOWN_SHARE)
    eventually(lambda: ribbon.evaluate(KNOWN_SHARE) > known + 0.02)

    eventually(lambda: "The pages stay until Ctrl-C" in demo.text, 60.0)
    received, expected = re.findall(r"windows +(\d+) received of (\d+) expected", demo.text)[0]
    accuracy, n_labelled = re.findall(r"accuracy +([\d.]+) over ([\d,]+) lab", demo.text)[0]
    assert received == expected
    of_phones = page.locator(".truth")

    def judged() -> list[tuple[float, int]]:
        found = re.findall(
            r"([\d.]+) % right of (\d+) labelled", "\n".join(of_phones.all_inner_texts())
        )
        return [(float(share), int(number)) for share, number in found]

    n_windows = int(n_labelled.replace(",", ""))
    eventually(lambda: n_windows == sum(number for _, number in judged()))
    right = sum(share / 100 * number for share, number in judged())
    assert pytest.approx(float(accuracy), abs=1e-3) == right / n_windows
    eventually(lambda: ribbon.evaluate(KNOWN_SHARE) > 0.8 * 15 * 6 / 600)

    page.locator(".card .link").first.click()
    matrix = page.locator("table.confusion tbody td")
    matrix.first.wait_for()
    counts = [int(text) for text in matrix.all_inner_texts()]
    assert 0 < sum(counts) <= n_windows
    words = page.locator("#truth-title + p").inner_text()
    assert words.startswith(tuple("0123456789"))
    assert f"{sum(counts):,} labelled windows" in words
    page.go_back()
    page.wait_for_timeout(12_000)  # a silent phone would be offline
    states = page.locator(".card .state").all_inner_texts()
    assert {"Online"} == {state.split(" ")[0] for state in states}
    assert n_windows == sum(number for _, number in judged())  # each recording counts once
    assert 0 == demo.end(), demo.text[-2000:]
    page.locator("#notices", has_text="The server is away").wait_for()


def test_a_phone_that_falls_silent(
    whole: "Whole", open_page: Open, start_command: "Callable[..., Running]"
) -> None:
    """It turns offline, and is marked as one to look at; the others are as before."""
    page = open_page(whole.url)
    flags = ["--recording", "simulated", "--activity", "WALKING", "--labels"]
    going_on = start_command("har-replay", *whole.broker.flags, *flags, "--duration", "600")
    cards = page.locator(".card")
    page.locator(".card .state", has_text="Online").nth(5).wait_for()
    assert 6 == cards.count()
    assert 0 == page.locator(".card.offline").count()
    page.locator(".card .activity", has_text="Walking").nth(5).wait_for()
    going_on.end()
    page.locator(".card.offline .state", has_text="Offline").nth(5).wait_for()
    page.locator("#summary", has_text="6 phones · 0 online").wait_for()
    page.check("#only-warnings")
    assert 6 == cards.count()
