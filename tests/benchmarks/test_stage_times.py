import re
import time

import pytest

from tests.benchmarks import stage_times


def _burn(seconds: float) -> None:
    end = time.thread_time() + seconds
    while time.thread_time() < end:
        pass


def test_stage_is_not_charged_for_the_stages_within_it() -> None:
    """Time goes to the innermost stage, also after an error and for a stage within itself."""
    clock = stage_times.StageClock()
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


@pytest.mark.parametrize(
    ("place", "says"),
    [
        (("pipeline.gone", "Resampler"), "No module named 'pipeline.gone'"),
        (("pipeline.recognition.preparation.windows", "Gone"), "has no attribute 'Gone'"),
        (("pipeline.recognition.preparation.pieces", "Piece"), "has no method like"),
    ],
)
def test_stage_that_is_gone_is_named(place: tuple[str, str], says: str) -> None:
    """A stage that was renamed is not silently taken for one that costs nothing."""
    stages = {"window": [stage_times.Place(*place)]}
    with pytest.raises(stage_times.StageError, match=f"^window: .*{re.escape(says)}"):
        stage_times.install(stage_times.StageClock(), stages)


def test_stage_that_was_never_entered_is_named() -> None:
    """Nor is one whose methods are no longer called."""
    note = {"seconds": {}, "calls": {}, "main": 0.0, "process": 0.0}
    with pytest.raises(stage_times.StageError, match=r"^decode: what is timed was never called"):
        stage_times.between(note, note, ["decode"])
