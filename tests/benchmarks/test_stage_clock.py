import time
from collections.abc import Iterator

import pytest

from tests.benchmarks import stage_clock


def _burn(seconds: float) -> None:
    end = time.thread_time() + seconds
    while time.thread_time() < end:
        pass


def test_stage_is_not_charged_for_the_stages_within_it() -> None:
    """Time goes to the innermost stage, also after an error and for a stage within itself."""
    clock = stage_clock.StageClock()
    inner = clock.timed("inner", lambda: _burn(0.03))

    def whole() -> None:
        _burn(0.01)
        inner()
        inner()
        raise ValueError("wrong")

    outer = clock.timed("outer", whole)
    with pytest.raises(ValueError, match="wrong"):
        outer()
    _burn(0.02)  # nobody's
    assert {"outer": 1, "inner": 2} == clock.calls
    assert pytest.approx(0.06, abs=0.005) == clock.seconds["inner"]
    assert pytest.approx(0.01, abs=0.005) == clock.seconds["outer"]


def test_stage_is_charged_for_what_its_generators_make() -> None:
    """Each item is of the stage that makes it, what is done with it of the one that asks for it."""
    clock = stage_clock.StageClock()

    def numbers() -> Iterator[int]:
        for number in range(3):
            _burn(0.01)
            yield number

    made = clock.timed("inner", numbers)

    def whole() -> list[int]:
        found = []
        for number in made():
            _burn(0.02)
            found.append(number)
        return found

    assert [0, 1, 2] == clock.timed("outer", whole)()
    assert pytest.approx(0.03, abs=0.005) == clock.seconds["inner"]
    assert pytest.approx(0.06, abs=0.005) == clock.seconds["outer"]


def test_an_entry_takes_microseconds() -> None:
    """So it matters where a message enters many stages, and can be taken off."""
    assert 0 < stage_clock.seconds_an_entry() < 1e-4
