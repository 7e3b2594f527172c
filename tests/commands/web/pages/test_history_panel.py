import json
import time
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest

from tests.browsers import violations
from tests.made_fleet import MadeFleet
from tests.made_web_server import MadeWebServer, Visitor, serving

pytestmark = pytest.mark.browser

Open = Callable[..., Any]
HOUR_S = 3600
WIDTHS = {"desktop": {"width": 1280, "height": 900}, "mobile": {"width": 390, "height": 844}}
TODAY = datetime.now(UTC).date()


@pytest.fixture
def server() -> Iterator[MadeWebServer]:
    """A server whose pages may ask for days of the phone anna."""
    fleet = MadeFleet(["anna"], time.time())

    def greet(visitor: Visitor) -> None:
        visitor.say(fleet.hello(time.time()) | {"history": True})
        visitor.say(fleet.first(time.time()))

    with serving(greet) as server:
        yield server


class Kept:
    """The history that a page asks for: eight hours of sitting a day, one of walking.

    Saturdays have nothing.
    """

    def __init__(self) -> None:
        """Begin with nothing asked."""
        self.asked: list[str] = []

    def answer(self, route: Any) -> None:
        """Answer a question of the page."""
        query = parse_qs(urlsplit(route.request.url).query)
        [device], [day], [zone] = (query[name] for name in ("device", "day", "zone"))
        assert ("anna", "UTC") == (device, zone)
        self.asked.append(day)
        at = datetime.fromisoformat(day).replace(tzinfo=UTC)
        begin = at.timestamp()
        episodes = [
            [begin + 7 * HOUR_S, begin + 8 * HOUR_S, "WALKING", 0.9],
            [begin + 8 * HOUR_S, begin + 16 * HOUR_S, "SITTING", 0.95],
        ]
        seconds = {"WALKING": HOUR_S, "SITTING": 8 * HOUR_S}
        if at.weekday() == 5:
            episodes, seconds = [], {}
        content = {
            "device": device, "day": day, "begin": begin, "end": begin + 24 * HOUR_S,
            "episodes": episodes, "seconds": seconds,
        }  # fmt: skip
        route.fulfill(status=200, content_type="application/json", body=json.dumps(content))


@pytest.fixture
def kept() -> Kept:
    """What the page asks for."""
    return Kept()


@pytest.fixture
def open_anna(open_page: Open, server: MadeWebServer, kept: Kept) -> Open:
    """A function that opens the phone anna on the dashboard."""

    def open_one(**options: object) -> Any:
        page = open_page("about:blank", timezone_id="UTC", **options)
        page.route("**/history?*", kept.answer)
        page.goto(f"{server.url}/#/phone/anna")
        page.locator(".kept-day").wait_for()
        return page

    return open_one


def pick(page: Any, day: str) -> None:
    """Choose a day, and wait until it is shown."""
    page.fill(".kept input[type=date]", day)
    date = datetime.fromisoformat(day)
    await_title(page, f"{date:%A} {date.day} {date:%B %Y}")


def await_title(page: Any, text: str) -> None:
    """Return when the panel is of a day or week, and has its answer."""
    page.locator(f".kept-day:has-text('{text}')").wait_for()
    page.wait_for_function(
        "document.querySelector('.kept-day')?.textContent.includes('…') === false"
    )  # the panel may be made anew meanwhile


def test_a_day(open_anna: Open) -> None:
    """Ribbon with its hours, in words too, and the time of each activity."""
    page = open_anna()
    pick(page, "2026-11-23")
    assert "Monday 23 November 2026" == page.inner_text(".kept-day")
    ribbon = page.locator(".kept-ribbons canvas")
    assert 1 == ribbon.count()
    assert "Monday 23 November 2026: sitting 8 h 00 min, walking 1 h 00 min" == (
        ribbon.get_attribute("aria-label")
    )
    assert ["00", "03", "06", "09", "12", "15", "18", "21"] == (
        page.locator(".kept-scale span").all_inner_texts()
    )
    rows = [row.split("\t") for row in page.locator(".kept-minutes tbody tr").all_inner_texts()]
    assert [["8 h 00 min", "89 %"], ["1 h 00 min", "11 %"]] == [row[1:] for row in rows]
    assert ["Sitting", "Walking"] == [row[0].split()[-1] for row in rows]
    nothing, walking, sitting = (
        ribbon.evaluate(
            "(canvas, share) => [...canvas.getContext('2d').getImageData("
            "Math.round(canvas.width * share), 3, 1, 1).data]",
            hour / 24,
        )
        for hour in (3, 7.1, 9)
    )
    assert [0, 0, 0, 0] == nothing
    assert 3 == len({tuple(colour) for colour in (nothing, walking, sitting)})


def test_a_week(open_anna: Open, kept: Kept) -> None:
    """Seven ribbons from Monday on, and the time of all of them."""
    page = open_anna()
    pick(page, "2026-11-25")
    page.click(".kept-choice >> text=Week")
    await_title(page, "Week from Monday 23 November 2026")
    labels = page.locator(".kept-ribbons canvas").evaluate_all(
        "all => all.map((one) => one.getAttribute('aria-label'))"
    )
    assert 6 == len(labels)
    assert "Sunday 29 November 2026: sitting 8 h 00 min, walking 1 h 00 min" == labels[5]
    lines = page.locator(".kept-ribbons li").all_inner_texts()
    assert ["Mon 23", "Sat 28 no data"] == [" ".join(lines[day].split()) for day in (0, 5)]
    assert "48 h 00 min" in page.inner_text(".kept-minutes")
    assert {f"2026-11-{day}" for day in range(23, 30)} <= set(kept.asked)
    assert "true" == page.locator(".kept-choice >> text=Week").get_attribute("aria-pressed")


def test_a_day_without_data(open_anna: Open) -> None:
    """That is said in words; there is neither ribbon nor table."""
    page = open_anna()
    pick(page, "2026-11-28")
    assert "Saturday 28 November 2026: no data" == page.inner_text(".kept-day")
    assert not page.is_visible(".kept-ribbons")
    assert not page.is_visible(".kept-minutes")


def test_days_follow_by_keyboard(open_anna: Open) -> None:
    """The next and the previous day or week are a key away, but none after today."""
    page = open_anna()
    await_title(page, str(TODAY.year))
    assert page.is_disabled("text=Next")
    page.focus("text=Previous")
    page.keyboard.press("Enter")
    yesterday = TODAY - timedelta(days=1)
    await_title(page, f"{yesterday:%A} {yesterday.day} {yesterday:%B %Y}")
    assert f"{yesterday}" == page.input_value(".kept input[type=date]")
    page.focus("text=Next")
    page.keyboard.press("Space")
    await_title(page, f"{TODAY:%A} {TODAY.day} {TODAY:%B %Y}")


def test_an_answer_that_comes_late_is_passed_over(open_anna: Open, kept: Kept) -> None:
    """The day is shown that was chosen last, in whichever order the answers come."""
    page = open_anna()
    await_title(page, str(TODAY.year))
    held: list[Any] = []
    page.route("**/history?*day=2026-11-24*", lambda route: held.append(route))
    page.fill(".kept input[type=date]", "2026-11-24")
    while not held:
        page.wait_for_timeout(10)
    pick(page, "2026-11-23")
    held[0].abort()
    assert "Monday 23 November 2026" == page.inner_text(".kept-day")


def test_where_no_history_is_kept(open_page: Open) -> None:
    """There is no such panel, and the page does not ask."""
    fleet = MadeFleet(["anna"], time.time())

    def greet(visitor: Visitor) -> None:
        visitor.say(fleet.hello(time.time()))
        visitor.say(fleet.first(time.time()))

    with serving(greet) as server:
        page = open_page(f"{server.url}/#/phone/anna")
        page.locator("text=online").first.wait_for()
        assert not page.is_visible(".kept")


def test_the_servers_words_are_shown(browser: Any, server: MadeWebServer) -> None:
    """Where it has no answer, it says why."""
    context = browser.new_context()
    page = context.new_page()
    words = "The history cannot be read at the moment."
    page.route("**/history?*", lambda route: route.fulfill(status=503, body=words))
    page.goto(f"{server.url}/#/phone/anna")
    page.locator(f".kept-day:has-text('{words}')").wait_for()
    context.close()


@pytest.mark.parametrize("width", WIDTHS)
@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("length", ["Day", "Week"])
def test_axe_finds_nothing(open_anna: Open, length: str, scheme: str, width: str) -> None:
    """No violation, light and dark, wide and narrow; nothing scrolls sideways."""
    page = open_anna(color_scheme=scheme, viewport=WIDTHS[width])
    pick(page, "2026-11-23")
    page.click(f".kept-choice >> text={length}")
    await_title(page, "Monday 23 November 2026")
    assert [] == violations(page)
    assert not page.evaluate("document.documentElement.scrollWidth > innerWidth")
