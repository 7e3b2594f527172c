import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.commands.web.access import Access, Visitor, device_in_cookie

TOKEN = "a-token-for-all-of-it"
OPEN = Access(None, is_https=False, hosts=["desk", "desk.local"], origins=[])
LOCKED = Access(TOKEN, is_https=True, hosts=["desk"], origins=["https://har.example.org"])


def cookies_of_phone(device: str) -> dict[str, str]:
    """Return what the browser of a phone that was let in sends."""
    cookie = LOCKED.cookie_for_phone(device)
    return {cookie.name: cookie.value}


def test_without_a_token_everybody_comes() -> None:
    """And may see everything."""
    assert Visitor("all") == OPEN.visitor({}, device=None)
    assert "" == OPEN.query == OPEN.invitation_query


def test_with_a_token_nobody_comes_without() -> None:
    """Neither to the dashboard nor as a phone."""
    assert LOCKED.visitor({}, device=None) is None
    assert LOCKED.visitor({}, device="phone-1") is None


def test_the_cookie_for_all() -> None:
    """It opens everything, and does not tell the token."""
    cookie = LOCKED.cookie_for_all()
    assert Visitor("all") == LOCKED.visitor({cookie.name: cookie.value}, device=None)
    assert Visitor("all", "anna") == LOCKED.visitor({cookie.name: cookie.value}, device="anna")
    assert TOKEN not in cookie.value


@given(st.text(st.characters(codec="utf-8"), min_size=1, max_size=64))
def test_a_phones_token_opens_its_own_name_alone(other: str) -> None:
    """It opens neither another phone nor the dashboard."""
    cookies = cookies_of_phone("anna")
    assert Visitor("phone", "anna") == LOCKED.visitor(cookies, device="anna")
    assert LOCKED.visitor(cookies, device=None) is None
    if other != "anna":
        assert LOCKED.visitor(cookies, device=other) is None
        assert not LOCKED.is_phone_token(LOCKED.phone_token("anna"), other)


def test_no_made_token_stands_for_another() -> None:
    """The invitation is no phone's token, not even of a phone of that name, nor the token."""
    made = [
        LOCKED.phone_token("invitation"),
        LOCKED.phone_token("all"),
        LOCKED.cookie_for_all().value,
        LOCKED.invitation_query,
        TOKEN,
    ]
    assert len(made) == len(set(made))
    assert not LOCKED.is_token(LOCKED.invitation_query.partition("=")[2])
    assert LOCKED.is_invitation(LOCKED.invitation_query.partition("=")[2])


def test_another_token_takes_all_access_back() -> None:
    """What was made of the token before opens nothing."""
    other = Access(f"{TOKEN}-2", is_https=True, hosts=[], origins=[])
    cookie = LOCKED.cookie_for_all()
    assert other.visitor({cookie.name: cookie.value}, device=None) is None
    assert other.visitor(cookies_of_phone("anna"), device="anna") is None


@pytest.mark.parametrize("device", ["anna", "телефон %20", "a.b;c", "../x y"[3:]])
def test_names_in_cookies(device: str) -> None:
    """Whatever a phone is called, its cookie holds the name in plain characters."""
    cookies = cookies_of_phone(device)
    assert device == device_in_cookie(cookies)
    assert all(
        value.isascii() and ";" not in value and " " not in value for value in cookies.values()
    )


@pytest.mark.parametrize("value", ["", ".", "x.", "x.%2F", "x.%00"])
def test_cookies_that_hold_no_name(value: str) -> None:
    """No name that a phone cannot have comes out of a cookie."""
    assert device_in_cookie({"har-phone": value}) is None


@pytest.mark.parametrize(
    "host",
    ["localhost", "LOCALHOST:8080", "127.0.0.1:8080", "[::1]:8080", "192.168.1.5", "desk:80",
     "desk.local", "desk.local.:8080"],
)  # fmt: skip
def test_hosts_of_this_machine(host: str) -> None:
    """An address is always fine, and so are its own names."""
    assert OPEN.is_host(host)


@pytest.mark.parametrize(
    "host",
    ["", "evil.example", "evil.example:8080", "127.0.0.1.evil.example", "localhost.evil.example",
     "desk.evil.example", "a@127.0.0.1", "127.0.0.1:80:80", "[::1", "har.example.org", "0x7f.1"],
)  # fmt: skip
def test_hosts_that_may_have_been_pointed_here(host: str) -> None:
    """A name of somebody else may lead here all the same, by their name server."""
    assert not OPEN.is_host(host)


def test_origins() -> None:
    """Pages of this very address may ask, and of those that were named; no others."""
    assert OPEN.is_origin(None, "127.0.0.1:8080")
    assert OPEN.is_origin("http://127.0.0.1:8080", "127.0.0.1:8080")
    assert LOCKED.is_host("har.example.org")
    assert LOCKED.is_origin("https://har.example.org", "har.example.org")
    for origin in ("http://evil.example", "null", "http://127.0.0.1:8081", "http://127.0.0.1",
                   "https://127.0.0.1:8080", ""):  # fmt: skip
        assert not OPEN.is_origin(origin, "127.0.0.1:8080")
