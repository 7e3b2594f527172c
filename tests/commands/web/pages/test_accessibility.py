import time
from collections.abc import Callable
from typing import Any

import pytest

from tests.browsers import violations
from tests.made_fleet import MadeFleet
from tests.made_web_server import Visitor, serving

pytestmark = pytest.mark.browser

WIDTHS = {"desktop": {"width": 1280, "height": 900}, "mobile": {"width": 390, "height": 844}}
PHONES = ["anna", "ben", "carl"]


def greet(visitor: Visitor) -> None:
    """Tell a page of three phones, of which one is opened."""
    now = time.time()
    fleet = MadeFleet(PHONES, now)
    fleet.phones[1].warnings, fleet.phones[1].advice = ["low-rate"], ["let the app send more"]
    fleet.phones[2].offline = True
    visitor.say(fleet.hello(now))
    if visitor.device is not None:
        visitor.say({"type": "answer", "activity": "SITTING", "since": now, "probability": 0.9})
        visitor.say({"type": "answer", "problem": "The broker is away."})
        return
    visitor.say(fleet.first(now))
    visitor.say(fleet.update(now, {}, stream="offline"))
    opened = fleet.opened("anna", now - 600, now)
    assert opened is not None
    visitor.say(opened)


@pytest.mark.parametrize("width", WIDTHS)
@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize(
    ("address", "shown"),
    [
        ("/", ".card"),
        ("/#/phone/anna", ".confusion"),
        ("/phone?device=anna", ".labels button"),
        ("/phone", "#name"),
    ],
)
def test_axe_finds_nothing(
    open_page: Callable[..., Any], address: str, shown: str, scheme: str, width: str
) -> None:
    """axe-core finds no violation on either page, light and dark, wide and narrow."""
    with serving(greet) as server:
        page = open_page(server.url + address, color_scheme=scheme, viewport=WIDTHS[width])
        page.locator(shown).first.wait_for()
        assert [] == violations(page)
        wide = page.evaluate("document.documentElement.scrollWidth > innerWidth")
        assert not wide, "it scrolls sideways"


def test_axe_finds_nothing_in_the_dialog(open_page: Callable[..., Any]) -> None:
    """The dialog with the addresses has no violation either."""
    with serving(greet) as server:
        page = open_page(server.url)
        page.click("#connect")
        page.locator(".qr").wait_for()
        assert [] == violations(page)
