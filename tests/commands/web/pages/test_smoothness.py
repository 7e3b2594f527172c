from typing import Any

import pytest

from tests.benchmarks.web_pages import LEAST_FRAMES_PER_S, measure_view, smoothness


def test_frames_are_counted() -> None:
    """Frames a second, the slowest second, the longest pause, and CPU time a frame."""
    times = [*range(0, 1000, 20), *range(1000, 2000, 40), 2000.0]
    found = smoothness(times, cpu_s=0.75)
    assert (37.5, 25.0, 40.0, 10.0) == (
        found.frames_per_s,
        found.slowest_frames_per_s,
        found.longest_ms,
        found.cpu_ms,
    )


@pytest.mark.browser
@pytest.mark.parametrize("view", ["tiles", "cards"])
def test_500_phones_are_smooth(browser: Any, view: str) -> None:
    """A frame with 500 phones costs less CPU time than there is at 30 frames a second.

    The frames a second themselves, which a busy machine makes fewer, are for the benchmark.
    """
    found = measure_view(browser, view, scrolls=False, seconds=4.0)
    assert found.cpu_ms < 1000 / LEAST_FRAMES_PER_S
