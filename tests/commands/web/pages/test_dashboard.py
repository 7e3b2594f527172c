import re
import time
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from tests.made_fleet import MadeFleet
from tests.made_web_server import MadeWebServer, Visitor, serving

pytestmark = pytest.mark.browser

NAMES = ["anna", "ben", "carl", "dora"]
HOSTILE = "<img src=x onerror=alert(1)>"

Open = Callable[..., Any]


class Stage:
    """A made fleet, and the server that tells of it."""

    def __init__(self, server: MadeWebServer, fleet: MadeFleet) -> None:
        """Keep both."""
        self.server, self.fleet = server, fleet

    def say(self, name: str, **patch: object) -> None:
        """Tell the page what is new of a phone, once it is there."""
        self.server.await_frame(lambda frame: frame["type"] == "watch")
        self.server.say(self.fleet.update(time.time(), {name: patch}))

    def now_is(self, name: str, activity: str) -> None:
        """Tell all pages that a phone has another activity."""
        self.say(name, activity={"activity": activity, "since": time.time(), "probability": 0.97})


def stage_of(fleet: MadeFleet) -> Iterator[Stage]:
    """Give a stage, whose phones stand still but for what a test tells."""

    def greet(visitor: Visitor) -> None:
        visitor.say(fleet.hello(time.time()))
        visitor.say(fleet.first(time.time()))

    with serving(greet) as server:
        yield Stage(server, fleet)


@pytest.fixture
def stage() -> Iterator[Stage]:
    """Four phones: one with a warning, one offline."""
    fleet = MadeFleet(NAMES, time.time())
    fleet.phones[1].warnings, fleet.phones[1].advice = ["low-rate"], ["let the app send more"]
    fleet.phones[2].offline = True
    yield from stage_of(fleet)


def card(page: Any, name: str) -> Any:
    """Return the card of a phone."""
    return page.locator(".card", has=page.locator(f".name:text-is('{name}')"))


def names_shown(page: Any) -> list[str]:
    """Return the phones of the overview in their order."""
    found: list[str] = page.locator(".card .name").all_inner_texts()
    return found


def painted(page: Any, selector: str) -> int:
    """Return how many pixels of a canvas are painted."""
    found: int = page.locator(selector).first.evaluate(
        """canvas => canvas.width && canvas.getContext("2d")
            .getImageData(0, 0, canvas.width, canvas.height).data
            .reduce((sum, value, index) => sum + (index % 4 === 3 && value > 0), 0)"""
    )
    return found


def test_phones_appear(stage: Stage, open_page: Open) -> None:
    """Each phone is a card with its activity, since when, confidence, rate and latency."""
    page = open_page(stage.server.url)
    stage.now_is("anna", "WALKING_UPSTAIRS")
    card(page, "anna").locator(".link:text-is('Walking upstairs')").wait_for()
    text = card(page, "anna").inner_text()
    assert re.search(r"for \ds\b|for \d s", text)
    assert "97 % sure" in text
    assert "50 Hz" in text
    assert re.search(r"answer in \d+ ms", text)
    assert "4 phones · 3 online · 1 phone with warnings" in page.locator("#summary").inner_text()


def test_time_goes_on(stage: Stage, open_page: Open, eventually: Open) -> None:
    """How long a phone has had its activity counts on without a message."""
    page = open_page(stage.server.url)
    stage.now_is("anna", "SITTING")
    since = card(page, "anna").locator(".facts span").first
    since.filter(has_text=re.compile(r"for [1-9] s")).wait_for()
    before = since.inner_text()
    eventually(lambda: since.inner_text() != before)


def test_ribbons_and_strips_fill(stage: Stage, open_page: Open, eventually: Open) -> None:
    """The ribbon and the strip of a phone are drawn, and told to those who do not see them."""
    page = open_page(stage.server.url)
    stage.server.await_frame(lambda frame: "anna" in frame.get("devices", []))
    now = time.time()
    stage.say("anna", signals=stage.fleet.phones[0].signals(now - 10, now))
    eventually(lambda: painted(page, ".card .ribbon") > 1000)
    eventually(lambda: painted(page, ".card .strip") > 1000)
    label = page.locator(".card .ribbon").first.get_attribute("aria-label")
    assert re.match(r"Last 10 minutes: [a-z ]+ \d+ %", label)


def test_warnings_come_with_advice(stage: Stage, open_page: Open) -> None:
    """A warning is named with what to do; it goes when it is over."""
    page = open_page(stage.server.url)
    card(page, "ben").locator(".warnings:has-text('let the app send more')").wait_for()
    stage.say("ben", info={"warnings": [], "advice": []})
    card(page, "ben").locator(".warnings").wait_for(state="hidden")


def test_a_silent_phone_is_offline(stage: Stage, open_page: Open) -> None:
    """A phone that went offline says so, and comes back."""
    page = open_page(stage.server.url)
    card(page, "carl").locator("text='Offline'").wait_for()
    stage.say("carl", availability="online")
    card(page, "carl").locator("text=/^Online/").wait_for()


def test_phones_come_and_go(stage: Stage, open_page: Open) -> None:
    """A new phone gets its place in the order, and a forgotten one is gone."""
    page = open_page(stage.server.url)
    stage.say("bea", availability="online")
    card(page, "bea").wait_for()
    assert ["anna", "bea", "ben", "carl", "dora"] == names_shown(page)
    stage.server.say(stage.fleet.update(time.time(), {}, forgotten=["ben"]))
    card(page, "ben").wait_for(state="detached")


def test_sort_and_filter(stage: Stage, open_page: Open, eventually: Open) -> None:
    """Phones are found by name, activity and warning, and ordered as is chosen."""
    page = open_page(stage.server.url)
    for name, activity in zip(NAMES, ("SITTING", "WALKING", "SITTING", "LAYING"), strict=True):
        stage.now_is(name, activity)
    card(page, "dora").locator(".link:text-is('Laying')").wait_for()
    page.select_option("#sort", "activity")
    eventually(lambda: names_shown(page) == ["ben", "anna", "carl", "dora"])
    page.select_option("#sort", "warnings")
    eventually(lambda: names_shown(page) == ["ben", "carl", "anna", "dora"])
    page.select_option("#activity", "SITTING")
    eventually(lambda: names_shown(page) == ["carl", "anna"])
    page.select_option("#activity", "")
    page.fill("#text", "lay")
    eventually(lambda: names_shown(page) == ["dora"])
    page.fill("#text", "nobody")
    page.locator("text='No phone fits the filter.'").wait_for()
    page.fill("#text", "")
    page.check("#only-warnings")
    eventually(lambda: names_shown(page) == ["ben", "carl"])


def test_all_by_keyboard(stage: Stage, open_page: Open) -> None:
    """Tab reaches search, choices and phones, arrows move between phones, Enter opens one."""
    page = open_page(stage.server.url)
    card(page, "dora").wait_for()

    def focused() -> str:
        found: str = page.evaluate(
            "document.activeElement.closest('.card')?.querySelector('.name').textContent"
            " ?? (document.activeElement.id || document.activeElement.textContent)"
        )
        return found

    reached = []
    for _ in range(10):
        page.keyboard.press("Tab")
        reached.append(focused())
    wanted = ["To the phones", "har-stream", "connect", "theme"]
    assert [*wanted, "text", "activity", "sort", "view", "only-warnings", "anna"] == reached
    outline = page.evaluate(
        "getComputedStyle(document.activeElement.closest('.card')).outlineStyle"
    )
    assert "solid" == outline
    page.keyboard.press("End")
    assert "dora" == focused()
    page.keyboard.press("ArrowLeft")
    assert "carl" == focused()
    page.keyboard.press("Enter")
    page.locator("h2:text-is('carl')").wait_for()
    assert page.url.endswith("#/phone/carl")
    assert "opened-name" == focused()
    page.go_back()
    card(page, "carl").wait_for()
    assert "carl" == focused()


def test_changes_are_told_politely(stage: Stage, open_page: Open, eventually: Open) -> None:
    """A screen reader is told of the phone that has the focus, and of no other."""
    page = open_page(stage.server.url)
    announcer = page.locator("#announcer")
    card(page, "anna").locator("a").focus()
    stage.now_is("anna", "SITTING")
    stage.now_is("dora", "WALKING")
    stage.now_is("anna", "LAYING")
    eventually(lambda: announcer.inner_text() == "anna: Laying")
    stage.now_is("dora", "SITTING")
    card(page, "dora").locator(".link:text-is('Sitting')").wait_for()
    assert "anna: Laying" == announcer.inner_text()
    assert "polite" == announcer.get_attribute("aria-live")


def test_what_is_away_is_said_and_comes_back(stage: Stage, open_page: Open) -> None:
    """Broker, har-stream and server: each absence is said in words, and its end ends the words."""
    page = open_page(stage.server.url)
    notices = page.locator("#notices")
    card(page, "anna").wait_for()
    stage.server.say(stage.fleet.update(time.time(), {}, link="down"))
    notices.locator("text=/broker is away/").wait_for()
    stage.server.say(stage.fleet.update(time.time(), {}, stream="offline"))
    notices.locator("text=/har-stream is offline/").wait_for()
    assert 1 == notices.locator("p").count()
    stage.server.stop()
    notices.locator("text=/server is away/").wait_for()
    stage.fleet.phones.pop()
    stage.server.start()
    card(page, "dora").wait_for(state="detached")
    notices.locator("p").first.wait_for(state="detached")
    assert ["anna", "ben", "carl"] == names_shown(page)


def test_an_opened_phone(stage: Stage, open_page: Open, eventually: Open) -> None:
    """All of a phone: signals, probabilities, episodes, labels, what is known, calibration."""
    page = open_page(stage.server.url)
    page.locator(".card a").first.click()
    watch = stage.server.await_frame(lambda frame: frame.get("open") == "anna")
    assert ["anna"] == watch["devices"]
    opened = stage.fleet.opened("anna", time.time() - 600, time.time())
    assert opened is not None
    calibration = {"v": 1, "created": 1_700_000_000, "steps": 12}
    stage.server.say(opened | {"calibration": calibration})
    for canvas in (".bands", "#opened .ribbon", ".signal"):
        eventually(lambda canvas=canvas: painted(page, canvas) > 500)
    shown = page.locator("#opened")
    episodes = shown.locator("section", has=page.locator("#episodes-title")).locator("tbody tr")
    assert min(30, len(opened["episodes"])) == episodes.count()
    text = shown.inner_text()
    assert "at the waist, as set for har-stream" in text
    assert re.search(r"Calibrated at .* over 12 steps", text)
    assert re.search(r"\d\d\.\d\d % of [\d,]+ labelled windows are right", text)
    assert 6 == shown.locator(".confusion tbody tr").count()
    label = page.locator(".bands").get_attribute("aria-label")
    assert re.match(r"Probabilities over the last ten minutes; now [a-z ]+ \d+ %", label)


def test_accuracy_grows(stage: Stage, open_page: Open) -> None:
    """The accuracy of a replay with labels is that of the newest message."""
    page = open_page(stage.server.url)
    stage.say("ben", truth={"windows": 40, "right": 30, "confusion": [[1] * 6] * 6})
    card(page, "ben").locator("text='75.0 % right of 40 labelled windows'").wait_for()
    stage.say("ben", truth={"windows": 1000, "right": 900, "confusion": [[1] * 6] * 6})
    card(page, "ben").locator("text='90.0 % right of 1,000 labelled windows'").wait_for()


def test_an_address_opens_a_phone_that_is_not_there_yet(stage: Stage, open_page: Open) -> None:
    """A phone that is opened by address says that it is missing, and appears when it comes."""
    page = open_page(stage.server.url + "/#/phone/late%20one")
    page.locator("text=/There is no phone of this name now/").wait_for()
    stage.now_is("late one", "STANDING")
    page.locator("#opened .activity:text('Standing')").wait_for()


def test_names_are_no_code(stage: Stage, open_page: Open) -> None:
    """A name that looks like HTML is shown as it is, in the overview and opened."""
    page = open_page(stage.server.url)
    stage.say(HOSTILE, info={"warnings": [HOSTILE], "advice": [HOSTILE], "model": HOSTILE})
    link = page.locator(".card", has_text=HOSTILE).locator("a")
    link.focus()
    page.keyboard.press("Enter")
    page.locator("h2", has_text=HOSTILE).wait_for()
    assert 0 == page.locator("img").count()


def test_any_activities(open_page: Open) -> None:
    """A model's own activities have titles, letters and colours of their own."""
    names = ["ROWING", "RUNNING", "REST", "A", "B", "C", "D", "E", "F"]
    for stage in stage_of(MadeFleet(["anna"], time.time(), names)):
        page = open_page(stage.server.url)
        page.locator(".legend li").first.wait_for()
        letters = page.locator(".legend .key").all_inner_texts()
        assert 11 == len(set(letters))
        stage.now_is("anna", "ROWING")
        card(page, "anna").locator(".link:text-is('Rowing')").wait_for()


def test_many_phones_are_tiles(open_page: Open) -> None:
    """Many phones are tiles, for which the server need send no signals; a choice overrules that."""
    fleet = MadeFleet([f"phone-{k}" for k in range(60)], time.time())
    for stage in stage_of(fleet):
        page = open_page(stage.server.url)
        page.locator(".grid.tiles").wait_for()
        stage.server.await_frame(lambda frame: frame["devices"] == [])
        page.select_option("#view", "cards")
        stage.server.await_frame(lambda frame: 0 < len(frame["devices"]) < 30)


def test_theme(stage: Stage, open_page: Open) -> None:
    """The theme is the system's until the reader chooses another, which lasts."""
    page = open_page(stage.server.url, color_scheme="dark")

    def background() -> str:
        found: str = page.evaluate("getComputedStyle(document.documentElement).backgroundColor")
        return found

    dark = background()
    page.click("#theme")
    assert "Theme: light" == page.locator("#theme").inner_text()
    light = background()
    assert dark != light
    page.reload()
    assert light == background()


def test_addresses_for_phones(stage: Stage, open_page: Open) -> None:
    """The phone page's addresses are shown as text and as a QR code, and Escape closes them."""
    page = open_page(stage.server.url)
    page.click("#connect")
    page.locator("text='https://192.168.1.5:8443/phone'").wait_for()
    assert 1 == page.locator(".qr svg").count()
    page.keyboard.press("Escape")
    assert not page.locator("#addresses").is_visible()
