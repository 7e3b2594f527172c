"""A real browser for tests of the pages: Chromium by Playwright, and axe-core within it.

Both are skipped, with a reason, where they cannot be had.
"""

import importlib.util
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from importlib.resources import files
from typing import Any, Final
from urllib.parse import urlsplit

import pytest

CHROMIUM: Final = ("chromium", "chromium-browser", "google-chrome")
FLAGS: Final = ("--no-sandbox", "--disable-dev-shm-usage")
"""Containers have neither user namespaces nor much shared memory"""
AXE: Final = "axe_playwright_python"
"""The package that brings axe-core"""


def missing() -> str | None:
    """Return what a browser needs that is not here, None if it can be started."""
    if importlib.util.find_spec("playwright") is None:
        return "needs the package playwright, of the group dev"
    if _binary() is None:
        return "needs Chromium: apt-get install chromium"
    return None


def _binary() -> str | None:
    return next((found for name in CHROMIUM if (found := shutil.which(name))), None)


@contextmanager
def chromium() -> Iterator[Any]:
    """Give Playwright's browser."""
    if (reason := missing()) is not None:
        pytest.skip(reason)
    from playwright.sync_api import sync_playwright

    with sync_playwright() as driver:
        browser = driver.chromium.launch(executable_path=_binary(), args=list(FLAGS))
        yield browser
        browser.close()


class Observed:
    """A page, and all that it must not do: errors, and requests to elsewhere."""

    def __init__(self, page: Any) -> None:  # noqa: ANN401 (Playwright's page)
        """Observe a page from now on."""
        self.page = page
        self.errors: list[str] = []
        self.hosts: set[str | None] = set()
        page.on("pageerror", lambda error: self.errors.append(str(error)))
        page.on("console", self._note)
        page.on("request", lambda request: self.hosts.add(urlsplit(request.url).hostname))
        page.on("websocket", lambda socket: self.hosts.add(urlsplit(socket.url).hostname))

    def _note(self, message: Any) -> None:  # noqa: ANN401 (Playwright's message)
        # That the server is away is what some tests are about.
        if message.type == "error" and "ERR_CONNECTION_REFUSED" not in message.text:
            self.errors.append(message.text)

    def check(self) -> None:
        """Check that it did nothing of that."""
        assert [] == self.errors
        assert self.hosts <= {"localhost", "127.0.0.1"}


def violations(page: Any) -> list[str]:  # noqa: ANN401 (Playwright's page)
    """Return what axe-core finds wrong on a page, a line each."""
    pytest.importorskip(AXE, reason=f"needs the package {AXE}, of the group dev")
    # In a world of its own: the page's policy lets in no script but its own.
    session = page.context.new_cdp_session(page)
    frame = session.send("Page.getFrameTree")["frameTree"]["frame"]["id"]
    world = session.send("Page.createIsolatedWorld", {"frameId": frame, "worldName": "axe"})
    where = {"contextId": world["executionContextId"], "returnByValue": True}
    session.send(
        "Runtime.evaluate", {"expression": (files(AXE) / "axe.min.js").read_text(), **where}
    )
    answer = session.send(
        "Runtime.evaluate", {"expression": "axe.run()", "awaitPromise": True, **where}
    )
    found = answer["result"]["value"]["violations"]
    session.detach()
    return [
        f"{one['id']} ({one['help']}): {node['html'][:200]} {node.get('failureSummary', '')[:300]}"
        for one in found
        for node in one["nodes"]
    ]
