"""Days of a history at a running har-web."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import quote

import pytest

from pipeline.commands.history.address import DatabaseAddress
from pipeline.commands.history.versions import prepare, put
from pipeline.commands.history.writing import RowWriter
from tests.commands.history.published import MONDAY, episode, rows_of
from tests.commands.web.conftest import TOKEN

if TYPE_CHECKING:
    from tests.commands.web.browser import Site
    from tests.commands.web.conftest import StartWeb

    Make = Callable[[], Path]

pytestmark = pytest.mark.broker

PHONE = "phöne 7"
DAY = f"/history?device={quote(PHONE)}&day=2026-11-23&zone=UTC"


@pytest.fixture
def make_history(tmp_path: Path) -> "Make":
    """A function that makes a history of a Monday, and returns its file."""

    def make() -> Path:
        file = tmp_path / "history.sqlite"
        engine = DatabaseAddress(str(file)).open(to_write=True)
        prepare(engine)
        RowWriter(engine).write(
            rows_of(
                episode(PHONE, MONDAY - 60, MONDAY + 60),
                episode(PHONE, MONDAY + 60, MONDAY + 7260, "SITTING"),
            )
        )
        engine.dispose()
        return file

    return make


@pytest.fixture
def site(start_web: "StartWeb", make_history: "Make") -> "Site":
    """A har-web with a history."""
    return start_web("--database", str(make_history()))[1]


def test_a_day(site: "Site") -> None:
    """Episodes are cut at the day's ends, with the seconds of each activity."""
    answer = site.ask(DAY)
    assert (200, "application/json") == (answer.status, answer.headers["content-type"])
    assert "no-store" == answer.headers["cache-control"]
    assert {
        "device": PHONE,
        "day": "2026-11-23",
        "begin": MONDAY,
        "end": MONDAY + 86_400,
        "episodes": [
            [MONDAY, MONDAY + 60, "WALKING", 0.9],
            [MONDAY + 60, MONDAY + 7260, "SITTING", 0.9],
        ],
        "seconds": {"WALKING": 60.0, "SITTING": 7200.0},
    } == json.loads(answer.body)


def test_a_day_of_another_zone(site: "Site") -> None:
    """It begins where that zone's does; one with 25 hours has them."""
    berlin = json.loads(site.ask(DAY.replace("UTC", "Europe/Berlin")).body)
    assert MONDAY - 3600 == berlin["begin"]
    assert 120.0 == berlin["seconds"]["WALKING"]
    long = json.loads(site.ask("/history?device=a&day=2026-10-25&zone=Europe/Berlin").body)
    assert (25 * 3600, []) == (long["end"] - long["begin"], long["episodes"])


WRONG = [
    ("", "No phone can have this name."),
    ("?device=a/b&day=2026-11-23", "No phone can have this name."),
    ("?device=a", "The day is to be YYYY-MM-DD."),
    ("?device=a&day=20261123", "The day is to be YYYY-MM-DD."),
    ("?device=a&day=2026-02-30", "The day is to be YYYY-MM-DD."),
    ("?device=a&day=9999-12-31&zone=UTC", "There is no such day: "),
    ("?device=a&day=2026-11-23&zone=../../etc/passwd", "There is no such day: zone ="),
    ("?device=a&day=2026-11-23&zone=" + "x" * 5000, "There is no such day: zone ="),
]


def test_what_is_no_day(site: "Site") -> None:
    """It is the asker's fault, and said so, in bounds."""
    for query, words in WRONG:
        answer = site.ask(f"/history{query}")
        assert (400, words) == (answer.status, answer.body[: len(words)])
        assert len(answer.body) < 300


def test_whoever_may_see_the_dashboard_may_ask(start_web: "StartWeb", make_history: "Make") -> None:
    """Nobody else: not without the token, and no phone's browser."""
    site = start_web("--token", TOKEN, "--database", str(make_history()))[1]
    assert 401 == site.ask(DAY).status
    cookie = site.ask(f"/?token={TOKEN}").cookie
    assert 200 == site.ask(DAY, Cookie=cookie).status
    link = json.loads(site.ask("/link?device=anna", Cookie=cookie).body)["addresses"][0]["url"]
    phone = site.ask("/phone" + link.split("/phone")[1]).cookie
    assert phone.startswith("har-phone=")
    assert 401 == site.ask(DAY.replace(quote(PHONE), "anna"), Cookie=phone).status


def test_without_a_history(start_web: "StartWeb") -> None:
    """There is no such address, and pages are told not to ask."""
    site = start_web()[1]
    assert 404 == site.ask(DAY).status
    with site.page() as page:
        assert page.receive()["history"] is False


def test_pages_are_told_that_there_is_one(site: "Site") -> None:
    """By the first frame."""
    with site.page() as page:
        assert page.receive()["history"] is True


def test_a_history_that_cannot_be_read(
    start_web: "StartWeb", make_history: "Make", tmp_path: Path
) -> None:
    """The answer says so, the log why; once it can be read, it is."""
    running, site = start_web("--database", str(tmp_path / "history.sqlite"))
    answer = site.ask(DAY)
    assert (503, "The history cannot be read at the moment.") == (answer.status, answer.body)
    running.await_log("there is no history; har-history run makes one")
    file = make_history()
    assert 200 == site.ask(DAY).status
    engine = DatabaseAddress(str(file)).open(to_write=True)
    with engine.begin() as connection:
        connection.exec_driver_sql("ALTER TABLE episodes RENAME TO away")
    assert 503 == site.ask(DAY).status
    with engine.begin() as connection:
        connection.exec_driver_sql("ALTER TABLE away RENAME TO episodes")
        put(connection, "version", "99")
    assert 503 == site.ask(DAY).status
    running.await_log("upgrade har-stream")
    assert 200 == site.ask("/").status


def test_an_address_that_is_none(run_command: Callable[..., object]) -> None:
    """The command says what is expected, without the password."""
    result = run_command("har-web", "--broker", "localhost", HAR_DATABASE="mysql://har:hunter2@h/d")
    assert 1 == result.returncode  # type: ignore[attr-defined]
    assert "har-web: --database: is to be a file" in result.stderr  # type: ignore[attr-defined]
    assert "hunter2" not in result.stderr  # type: ignore[attr-defined]
