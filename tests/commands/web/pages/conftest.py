import time
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from tests.browsers import Observed, chromium


@pytest.fixture(scope="module")
def browser() -> Iterator[Any]:
    """Chromium, for the tests of one file."""
    with chromium() as found:
        yield found


@pytest.fixture
def open_page(browser: Any) -> Iterator[Callable[..., Any]]:
    """A function that opens a page; at the end it must have had no error and no foreign host."""
    observed: list[Observed] = []

    def open_one(url: str, *, script: str | None = None, **options: object) -> Any:
        context = browser.new_context(**{"viewport": {"width": 1280, "height": 900}} | options)
        context.set_default_timeout(20_000)
        page = context.new_page()
        observed.append(Observed(page))
        if script is not None:
            page.add_init_script(script)
        page.goto(url)
        return page

    yield open_one
    for one in observed:
        one.page.context.close()
        one.check()


@pytest.fixture
def eventually() -> Callable[[Callable[[], object]], None]:
    """A function that returns when something holds."""

    def wait(holds: Callable[[], object], timeout_s: float = 20.0) -> None:
        deadline = time.monotonic() + timeout_s
        while not holds():
            assert time.monotonic() < deadline, "it never held"
            time.sleep(0.02)

    return wait
