import io
import json
import logging
import sys
import threading
import warnings
from collections.abc import Iterator

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.commands import log
from pipeline.commands.log import (
    LONGEST,
    MOST,
    MOST_KINDS,
    MOST_OF_A_KIND,
    MOST_OF_AN_ORIGIN,
    MOST_OF_AN_ORIGIN_IN_ALL,
    MOST_ORIGINS,
    PER_S,
    PER_S_OF_A_KIND,
    PER_S_OF_AN_ORIGIN,
    PER_S_OF_AN_ORIGIN_IN_ALL,
    REPORT_S,
    Bounds,
    LeftOut,
)
from pipeline.event_log import EventLog


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
    assert LeftOut(9, 7, "a") == bounds.report(0.0)
    allowed(bounds, "a", 5, 1.0)
    assert bounds.report(1.0) is None
    assert LeftOut(5, 5, "a") == bounds.report(1.0, at_once=True)


def test_one_origin_is_bounded() -> None:
    """It may use a part of what there is for a kind and for all: the rest is for others."""
    bounds = Bounds(0.0)

    def logged(kinds: int, origin: str, now: float) -> int:
        return sum(
            bounds.allow(f"{kind}", now, origin=origin, always=False)
            for _ in range(1000)
            for kind in range(kinds)
        )

    assert MOST_OF_AN_ORIGIN == logged(1, "noisy", 0.0)
    assert MOST_OF_AN_ORIGIN_IN_ALL - MOST_OF_AN_ORIGIN == logged(20, "noisy", 0.0)
    assert round(100 * PER_S_OF_AN_ORIGIN) == logged(1, "noisy", 100.0)
    assert MOST_OF_AN_ORIGIN == logged(1, "calm", 100.0)
    assert PER_S_OF_AN_ORIGIN_IN_ALL * 3 <= PER_S
    assert PER_S_OF_AN_ORIGIN * 3 <= PER_S_OF_A_KIND


@given(st.lists(st.tuples(st.integers(0, 3), st.floats(0.0, 5.0)), max_size=200))
def test_nobody_is_crowded_out(steps: list[tuple[int, float]]) -> None:
    """Whatever one phone has complained of, and when, the first about another is logged."""
    bounds, now = Bounds(0.0), 0.0
    for kind, seconds in steps:
        now += seconds
        for _ in range(20):
            bounds.allow(f"{kind}", now, origin="noisy", always=False)
    for kind in range(4):
        assert bounds.allow(f"{kind}", now, origin="calm", always=False)


def test_origins_without_number() -> None:
    """Made-up names are forgotten, and bounded by their kind."""
    bounds = Bounds(0.0)
    n_logged = sum(
        bounds.allow("a", 0.0, origin=f"{n}", always=False) for n in range(2 * MOST_ORIGINS)
    )
    assert MOST_OF_A_KIND == n_logged
    assert MOST_ORIGINS == len(bounds._origins)


@pytest.fixture
def root_logger(monkeypatch: pytest.MonkeyPatch) -> Iterator[logging.Logger]:
    """The root logger without handlers, as a command finds it."""
    monkeypatch.setattr("atexit.register", lambda *_, **__: None)  # there is no end here
    monkeypatch.setattr(log, "_is_json", False)  # and put back at the end of the test
    root, own = logging.getLogger(), logging.getLogger(log.__name__)
    before, level = root.handlers[:], root.level
    hooks = sys.excepthook, threading.excepthook
    root.handlers.clear()
    yield root
    logging.captureWarnings(False)
    root.handlers[:] = before
    sys.excepthook, threading.excepthook = hooks
    root.setLevel(level)
    own.setLevel(logging.NOTSET)


@pytest.fixture
def written(root_logger: logging.Logger) -> io.StringIO:
    """What is written to a log that is configured as text."""
    stream = io.StringIO()
    handler = logging.StreamHandler(stream)
    log.configure("text", "INFO", "%(levelname)s %(message)s", handler)
    return stream


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


def test_one_phone_does_not_hide_another(written: io.StringIO) -> None:
    """Its lines are few, and a line about another phone is there."""
    logger = EventLog("anything")
    for _ in range(10_000):
        logger.warning("phone-problem", "%(device)s: too slow", device="noisy")
    logger.warning("phone-problem", "%(device)s: too slow", device="calm")
    lines = written.getvalue().splitlines()
    assert MOST_OF_AN_ORIGIN == lines.count("WARNING noisy: too slow")
    assert 1 == lines.count("WARNING calm: too slow")


def test_why_a_command_ends_as_json(
    root_logger: logging.Logger, capsys: pytest.CaptureFixture[str]
) -> None:
    """A command whose log is JSON writes nothing else, and its exit code is the same."""

    @log.command
    def main() -> None:
        log.configure("json", "INFO", "%(message)s")
        EventLog("anything").info("phone-admitted", "%(device)s", device="a\nb\udc80" + "c" * 3000)
        warnings.warn("old", DeprecationWarning, stacklevel=1)
        sys.exit("har-any: the broker is gone")

    root_logger.handlers.clear()
    warnings.simplefilter("always")
    with pytest.raises(SystemExit) as end:
        main()
    assert 1 == end.value.code
    lines = [json.loads(line) for line in capsys.readouterr().err.splitlines()]
    assert ["phone-admitted", "library", "command-failed"] == [line["event"] for line in lines]
    assert "har-any: the broker is gone" == lines[-1]["error"]
    assert lines[0]["device"].startswith("a\nb\\udc80ccc")


def test_bytes_in_an_hour(
    root_logger: logging.Logger, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """However much is logged of however many phones, an hour takes no more than so many bytes."""
    now = 0.0
    monkeypatch.setattr(log.time, "monotonic", lambda: now)
    root_logger.handlers.clear()
    log.configure("json", "INFO", "%(message)s")
    logger = EventLog("anything")
    for now in range(3_600):  # the clock reads it
        for n in range(10):
            logger.warning(f"event-{n}", "%(topic)s", topic=f"{now}{n}" * 1_000)
    written = capsys.readouterr().err
    assert MOST + 3_600 * PER_S <= written.count("\n") <= MOST + 3_600 * (PER_S + 1 / REPORT_S) + 1
    assert len(written) < 31_000_000


def test_a_thread_that_crashes(
    root_logger: logging.Logger, capsys: pytest.CaptureFixture[str]
) -> None:
    """Its traceback is within a line of JSON, as that of the command would be."""
    root_logger.handlers.clear()
    log.configure("json", "INFO", "%(message)s")
    thread = threading.Thread(target=lambda: 1 / 0, name="network")
    thread.start()
    thread.join()
    [line] = [json.loads(line) for line in capsys.readouterr().err.splitlines()]
    assert ("thread-crashed", "network") == (line["event"], line["thread"])
    assert "ZeroDivisionError" in line["exception"]
