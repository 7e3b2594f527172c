import io
import logging
from collections.abc import Iterator

import pytest

from pipeline.commands import log
from pipeline.commands.log import (
    LONGEST,
    MOST,
    MOST_KINDS,
    MOST_OF_A_KIND,
    PER_S,
    PER_S_OF_A_KIND,
    Bounds,
)


def allowed(bounds: Bounds, kind: str, n: int, now: float) -> int:
    """Return how many of ``n`` lines of a kind are logged at a time."""
    return sum(bounds.allow(kind, now, always=False) for _ in range(n))


def test_few_lines_are_all_logged() -> None:
    """Nothing is left out in a quiet house."""
    bounds = Bounds(0.0)
    assert MOST_OF_A_KIND == allowed(bounds, "a", MOST_OF_A_KIND, 0.0)
    assert bounds.report(0.0, at_once=True) is None


def test_a_kind_is_bounded() -> None:
    """At once only so many, then so many a second; another kind is not touched."""
    bounds = Bounds(0.0)
    assert MOST_OF_A_KIND == allowed(bounds, "a", 1000, 0.0)
    assert 10 * PER_S_OF_A_KIND == allowed(bounds, "a", 1000, 10.0)
    assert 3 == allowed(bounds, "b", 3, 10.0)


def test_all_together_are_bounded() -> None:
    """So it is with all kinds together, but for those that nobody may crowd out."""
    bounds = Bounds(0.0)
    assert MOST == sum(allowed(bounds, f"{n}", 10, 0.0) for n in range(100))
    assert 10 * PER_S == sum(allowed(bounds, f"{n}", 10, 10.0) for n in range(100))
    assert bounds.allow("error", 10.0, always=True)


def test_kinds_without_number() -> None:
    """Of kinds there are only so many; the others are one, or each would have its own bound."""
    bounds = Bounds(0.0)
    for n in range(MOST_KINDS + 10_000):
        bounds.allow(f"{n}", n / PER_S, always=False)
    later = (MOST_KINDS + 10_000) / PER_S
    passed = sum(bounds.allow(f"x{n}", later, always=True) for n in range(1000))
    assert passed <= MOST_OF_A_KIND


def test_what_was_left_out_is_told() -> None:
    """How much, and what mostly; now and then."""
    bounds = Bounds(0.0)
    allowed(bounds, "a", MOST_OF_A_KIND + 7, 0.0)
    allowed(bounds, "b", MOST_OF_A_KIND + 2, 0.0)
    assert "left out 9 lines, 7 of them like: a" == bounds.report(0.0)
    allowed(bounds, "a", 5, 1.0)
    assert bounds.report(1.0) is None
    assert "left out 5 lines, 5 of them like: a" == bounds.report(1.0, at_once=True)


@pytest.fixture
def written() -> Iterator[io.StringIO]:
    """What is written to a log that is configured."""
    root = logging.getLogger()
    before, level = root.handlers[:], root.level
    root.handlers.clear()
    stream = io.StringIO()
    log.configure("INFO", "%(levelname)s %(message)s", logging.StreamHandler(stream))
    yield stream
    root.handlers[:] = before
    root.setLevel(level)


def test_a_log_in_bounds(written: io.StringIO) -> None:
    """Whatever is logged, there are few lines, and none is very long."""
    logger = logging.getLogger("anything")
    for n in range(10_000):
        logger.info("%s: here", f"phone-{n}")
    logger.error("%s", "x" * 100_000)
    lines = written.getvalue().splitlines()
    assert MOST_OF_A_KIND + 2 == len(lines)
    assert "INFO phone-0: here" == lines[0]
    assert "WARNING left out 1 lines, 1 of them like: INFO %s: here" in lines
    assert len(lines[-1]) < LONGEST + 20
