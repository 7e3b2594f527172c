"""Access to a running har-web, by what a browser sends."""

import re
from typing import TYPE_CHECKING

import pytest
from websockets.exceptions import ConnectionClosed, InvalidStatus

from pipeline.commands.web.headers import SECURITY
from pipeline.commands.web.server import NO_TOKEN, PAGES
from tests.commands.web.browser import Site
from tests.commands.web.conftest import TOKEN

if TYPE_CHECKING:
    from tests.commands.web.conftest import StartWeb

pytestmark = pytest.mark.broker


def cookie_of(site: Site, path: str) -> str:
    """Return the cookie that a first visit gives."""
    answer = site.ask(path)
    assert 303 == answer.status
    return answer.cookie


def refusal(site: Site, query: str = "", **options: object) -> int:
    """Return the status by which a WebSocket is refused."""
    with pytest.raises(InvalidStatus) as refused:
        site.page(query, **options)
    return int(refused.value.response.status_code)


def test_loopback_without_a_token(site: Site) -> None:
    """Both pages and the WebSocket are open to this machine."""
    for path in ("/", "/phone", "/phone?device=anna"):
        assert 200 == site.ask(path).status
    with site.page() as page:
        hello = page.receive()
    assert ("hello", "all") == (hello["type"], hello["role"])
    assert {"activities", "advice", "version", "addresses", "now", "device"} < set(hello)


def test_headers_of_every_answer(site: Site) -> None:
    """Pages, files, errors and refusals carry all that keeps a browser safe."""
    answers = [
        site.ask("/"),
        site.ask("/pages/icon.svg"),
        site.ask("/nowhere"),
        site.ask("/push"),
        site.ask("/", Host="evil.example"),
        site.ask("/push", method="POST", body=b"{}", Origin="http://evil.example"),
    ]
    assert [200, 200, 404, 405, 403, 403] == [answer.status for answer in answers]
    for answer in answers:
        assert SECURITY == {name: answer.headers[name] for name in SECURITY}
    policy = SECURITY["content-security-policy"]
    assert "unsafe" not in policy
    assert "default-src 'none'" in policy
    assert "frame-ancestors 'none'" in policy


@pytest.mark.parametrize("text", [*(p.read_text() for p in PAGES.glob("*.html")), NO_TOKEN])
def test_nothing_is_in_line(text: str) -> None:
    """No page has a script, a style or a handler within, which the policy would not let run."""
    assert "<style" not in text
    assert [] == re.findall(r"<[^>]+\s(?:style|on[a-z]+)=", text)
    assert text.count("<script") == len(re.findall(r"<script [^>]*src=", text))


def test_files_beside_the_pages(site: Site) -> None:
    """No path leads out of their folder."""
    for path in ("/pages/../server.py", "/pages/%2e%2e/server.py", "/pages//etc/passwd", "/pages/"):
        assert 404 == site.ask(path).status


def test_without_the_token(locked: Site) -> None:
    """Nothing is shown but that the token is needed; files of the pages hold no secret."""
    for path in ("/", "/phone", "/phone?device=anna"):
        answer = locked.ask(path)
        assert (401, True) == (answer.status, "needs its token" in answer.body)
    assert 401 == locked.ask("/link?device=anna").status
    assert 200 == locked.ask("/pages/icon.svg").status
    assert 403 == refusal(locked)
    assert 403 == refusal(locked, "?device=anna")


@pytest.mark.parametrize("wrong", ["", "x", TOKEN[:-1], TOKEN + "x", "%00", "%ff"])
def test_a_wrong_token(locked: Site, wrong: str) -> None:
    """It opens nothing, and gives no cookie."""
    for path in (f"/?token={wrong}", f"/phone?token={wrong}", f"/phone?device=anna&token={wrong}"):
        answer = locked.ask(path)
        assert (401, "") == (answer.status, answer.cookie)
    assert 403 == refusal(locked, cookie=f"har-all={wrong}")
    assert 403 == refusal(locked, "?device=anna", cookie=f"har-phone={wrong}.anna")


def test_the_first_visit(locked: Site) -> None:
    """The token becomes a cookie that scripts and other sites do not get; the address is clean."""
    answer = locked.ask(f"/?token={TOKEN}")
    assert (303, "/", "no-store") == (
        answer.status, answer.headers["location"], answer.headers["cache-control"],
    )  # fmt: skip
    flags = {flag.strip().lower() for flag in answer.headers["set-cookie"].split(";")[1:]}
    assert {"httponly", "samesite=strict", "path=/"} <= flags
    assert TOKEN not in str(answer.headers)
    assert 200 == locked.ask("/", Cookie=answer.cookie).status
    with locked.page(cookie=answer.cookie) as page:
        assert "all" == page.receive()["role"]


def test_a_visit_from_a_link_of_another_site(locked: Site) -> None:
    """It goes on by a page, for the browser sends no such cookie after a redirection."""
    answer = locked.ask(f"/?token={TOKEN}", Sec_Fetch_Site="cross-site")
    assert 200 == answer.status
    assert "http-equiv=refresh content='0;url=/'" in answer.body
    assert 200 == locked.ask("/", Cookie=answer.cookie).status


def test_the_token_of_a_phone(locked: Site) -> None:
    """Its link opens the phone page under its own name, and nothing else."""
    all_cookie = cookie_of(locked, f"/?token={TOKEN}")
    link = locked.ask("/link?device=anna%20b", Cookie=all_cookie)
    assert 200 == link.status
    assert "<svg" in link.body
    path = link.body.partition("/phone")[2].partition('"')[0]
    answer = locked.ask(f"/phone{path}")
    assert (303, "/phone?device=anna%20b") == (answer.status, answer.headers["location"])
    assert 200 == locked.ask("/phone?device=anna%20b", Cookie=answer.cookie).status
    with locked.page("?device=anna%20b", cookie=answer.cookie) as page:
        hello = page.receive()
    assert ("phone", "anna b", []) == (hello["role"], hello["device"], hello["addresses"])
    assert 401 == locked.ask("/", Cookie=answer.cookie).status
    assert 401 == locked.ask("/phone?device=ben", Cookie=answer.cookie).status
    assert 401 == locked.ask("/link?device=ben", Cookie=answer.cookie).status
    assert 403 == refusal(locked, cookie=answer.cookie)
    assert 403 == refusal(locked, "?device=ben", cookie=answer.cookie)


def test_an_invitation(locked: Site) -> None:
    """Each phone that comes with the code gets a name of its own, and keeps it."""
    with locked.page(cookie=cookie_of(locked, f"/?token={TOKEN}")) as page:
        [address] = page.receive()["addresses"]
    assert address["qr"].startswith("<svg xmlns=")
    path = address["url"].partition(f":{locked.port}")[2]
    answers = [locked.ask(path) for _ in range(2)]
    assert [303, 303] == [answer.status for answer in answers]
    names = {answer.headers["location"] for answer in answers}
    assert 2 == len(names)
    first = answers[0]
    again = locked.ask(path, Cookie=first.cookie)
    assert first.headers["location"] == again.headers["location"]
    clean = locked.ask("/phone", Cookie=first.cookie)
    assert (303, first.headers["location"]) == (clean.status, clean.headers["location"])
    assert 401 == locked.ask(f"/{path.removeprefix('/phone')}").status  # of the dashboard


@pytest.mark.parametrize("device", ["%2B", "a%2Fb", "$x", "x" * 65, "%00", ""])
def test_names_that_no_phone_can_have(site: Site, device: str) -> None:
    """They are refused as everywhere."""
    assert 400 == site.ask(f"/phone?device={device}").status
    assert 400 == site.ask(f"/link?device={device}").status
    with site.page(f"?device={device}") as page:
        assert "No phone can have this name." == page.receive()["reason"]
        with pytest.raises(ConnectionClosed):
            page.receive()


def test_hosts_and_origins(site: Site) -> None:
    """A page of another site reaches nothing, under whatever name it has this machine."""
    for path in ("/", "/phone", "/pages/icon.svg"):
        assert 403 == site.ask(path, Host=f"evil.example:{site.port}").status
    assert 403 == site.ask("/push", method="POST", body=b"{}", Origin="null").status
    assert 403 == refusal(site, origin="http://evil.example")
    assert 403 == refusal(site, origin=f"http://localhost:{site.port}")
    with site.page(origin=f"http://127.0.0.1:{site.port}") as page:
        assert "hello" == page.receive()["type"]


def test_behind_a_proxy(start_web: "StartWeb") -> None:
    """Its address is one of the pages' if it is named."""
    _, site = start_web("--origin", "https://har.example.org")
    assert 200 == site.ask("/", Host="har.example.org").status
    with pytest.raises(InvalidStatus):
        site.page(origin="https://other.example.org")
    with site.page(origin="https://har.example.org") as page:
        assert "hello" == page.receive()["type"]


def test_frames_that_do_not_fit(site: Site) -> None:
    """They end the connection, with the reason."""
    for frame in ("", "[]", "{", '{"type": "watch"}', '{"type": "samples"}', "[" * 50_000,
                  '{"type": "watch", "devices": ["' + "x" * 65 + '"]}'):  # fmt: skip
        with site.page() as page:
            page.receive()
            page.socket.send(frame)
            assert "A frame does not fit" in page.await_frame("error")["reason"]
    with site.page() as page:
        page.socket.send(b"\0")
        assert "text" in page.await_frame("error")["reason"]


def test_a_frame_that_is_too_large(site: Site) -> None:
    """It ends the connection before it is read."""
    with site.page() as page:
        page.receive()
        page.socket.send('{"type": "watch", "devices": []}'.ljust(66_000))
        with pytest.raises(ConnectionClosed) as closed:
            page.await_frame("error")
    assert closed.value.rcvd is not None
    assert 1009 == closed.value.rcvd.code
