"""What a browser gets that has no right to it, from a running har-web."""

from collections.abc import Callable, Iterator
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from tests.commands.web.browser import Site

pytestmark = [pytest.mark.browser, pytest.mark.broker]

TOKEN = "a-token-for-all-of-it"  # that of `locked`
TALK = """([address, frame]) => new Promise((resolve) => {
    const socket = new WebSocket(address);
    const story = {opened: false, frames: []};
    socket.onopen = () => { story.opened = true; if (frame) socket.send("x".repeat(frame)); };
    socket.onmessage = (event) => {
        story.frames.push(JSON.parse(event.data).type);
        if (!frame) socket.close();
    };
    socket.onclose = (event) => resolve({...story, code: event.code});
})"""
"""Opens a WebSocket, sends a frame of so many characters, if any, and tells how it ended"""


@pytest.fixture
def elsewhere() -> Iterator[str]:
    """A page of another origin on this machine."""

    class Page(SimpleHTTPRequestHandler):
        def do_GET(self) -> None:
            self.send_response(200)
            self.send_header("Content-Type", "text/html")
            self.end_headers()
            self.wfile.write(b'<!doctype html><link rel="icon" href="data:,"><p>elsewhere')

        def log_message(self, *words: object) -> None:
            """Stay silent."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Page)
    thread = Thread(target=server.serve_forever)
    thread.start()
    yield f"http://127.0.0.1:{server.server_port}"
    server.shutdown()
    server.server_close()
    thread.join()


@pytest.fixture
def visit(browser: Any) -> Iterator[Callable[[str], Any]]:
    """A function that opens a page; refusals are errors in its console, and awaited here."""
    context = browser.new_context()

    def open_one(url: str) -> Any:
        page = context.new_page()
        page.status = page.goto(url).status
        return page

    yield open_one
    context.close()


def test_without_the_token_nothing_is_shown(locked: "Site", visit: Callable[[str], Any]) -> None:
    """A wrong one is refused in words; the right one opens the dashboard and leaves the address."""
    url = f"http://127.0.0.1:{locked.port}"
    for address in ("/", "/phone", "/?token=wrong-token-of-some-length"):
        page = visit(url + address)
        assert 401 == page.status
        assert "token" in page.locator("body").inner_text()
        assert not page.evaluate(TALK, [f"{url.replace('http', 'ws')}/ws", 0])["opened"]
    page = visit(f"{url}/?token={TOKEN}")
    page.locator("#summary", has_text="0 phones").wait_for()
    assert f"{url}/" == page.url
    assert visit(url).status == 200  # by its cookie
    assert "" == page.evaluate("document.cookie")


def test_a_page_of_another_origin(
    site: "Site", visit: Callable[[str], Any], elsewhere: str
) -> None:
    """It gets no WebSocket, where har-web's own page gets one."""
    socket = f"ws://127.0.0.1:{site.port}/ws"
    own = visit(f"http://127.0.0.1:{site.port}/").evaluate(TALK, [socket, 0])
    assert own["opened"]
    assert "hello" in own["frames"]
    foreign = visit(elsewhere).evaluate(TALK, [socket, 0])
    assert {"opened": False, "frames": [], "code": 1006} == foreign
    of_a_phone = visit(elsewhere).evaluate(TALK, [f"{socket}?device=anna", 0])
    assert not of_a_phone["opened"]


@pytest.mark.parametrize("query", ["", "?device=anna"])
def test_an_oversized_frame(site: "Site", visit: Callable[[str], Any], query: str) -> None:
    """It ends the page's connection, and no other."""
    other = visit(f"http://127.0.0.1:{site.port}/")
    other.locator("#summary", has_text="0 phones").wait_for()
    page = visit(f"http://127.0.0.1:{site.port}/")
    story = page.evaluate(TALK, [f"ws://127.0.0.1:{site.port}/ws{query}", 65_537])
    # 1006, without the server's word, where the connection ended before that was read.
    assert story["opened"]
    assert story["code"] in (1009, 1006)
    assert "" == other.locator("#notices").inner_text()
