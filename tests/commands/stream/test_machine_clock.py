from pipeline.commands.stream.machine_clock import BUILT, TOLERANCE_S, MachineClock

YEAR_S = 365 * 86_400.0


def test_a_clock_before_the_program_was_written() -> None:
    """A clock that shows 1970, or the year before, is wrong; one of today may be right."""
    clock = MachineClock()
    assert clock.is_wrong(0.0)
    assert clock.is_wrong(BUILT - YEAR_S)
    assert not clock.is_wrong(BUILT)
    assert not clock.is_wrong(BUILT + YEAR_S)


def test_a_clock_before_the_last_checkpoint() -> None:
    """Once a time has passed, an earlier one is wrong, but for a small correction."""
    clock = MachineClock()
    clock.passed(BUILT + YEAR_S)
    clock.passed(BUILT + 1)
    assert clock.is_wrong(BUILT + YEAR_S - 86_400)
    assert not clock.is_wrong(BUILT + YEAR_S - TOLERANCE_S / 2)


def test_a_clock_that_is_set() -> None:
    """What confirmed a clock no longer does once it is set; a small correction is none."""
    clock = MachineClock()
    assert not clock.has_jumped(BUILT)
    clock.is_confirmed = True
    assert not clock.has_jumped(BUILT + TOLERANCE_S / 2)
    assert clock.is_confirmed
    assert clock.has_jumped(BUILT + 86_400)
    assert not clock.is_confirmed
    assert not clock.has_jumped(BUILT + 86_400)
