import pytest

from pipeline.commands.web.truth import Truth

KNOWN = ["WALKING", "SITTING"]


def judged(truth: Truth, start: float, predicted: str = "WALKING") -> bool:
    """Return whether a window from ``start`` on counts."""
    return truth.judge(start, start + 2.54, predicted, KNOWN)


def test_windows_within_a_label() -> None:
    """They are counted by true and predicted activity."""
    truth = Truth()
    truth.label("WALKING", 100.0)
    assert judged(truth, 100.0)
    assert judged(truth, 101.28, "SITTING")
    expected = {"windows": 2, "right": 1, "confusion": [[1, 1], [0, 0]]}
    assert expected == truth.summary(KNOWN)


@pytest.mark.parametrize("start", [98.0, 99.98, 107.48, 110.0])
def test_windows_without_a_label_of_their_own(start: float) -> None:
    """A window that begins before the label, or ends behind it, does not count."""
    truth = Truth()
    truth.label("WALKING", 100.0)
    truth.label(None, 110.0)
    assert not judged(truth, start)


@pytest.mark.parametrize("start", [100.0, 100.000001, 99.999999, 107.44])
def test_rounding(start: float) -> None:
    """Times of labels and windows may differ by a microsecond."""
    truth = Truth()
    truth.label("WALKING", 100.0)
    truth.label(None, 110.0)
    assert judged(truth, start)


def test_activities_that_the_model_does_not_know() -> None:
    """They do not count, as in har-replay."""
    truth = Truth()
    truth.label("CYCLING", 100.0)
    assert not judged(truth, 101.0)


def test_repeats() -> None:
    """A prediction that comes again counts once."""
    truth = Truth()
    truth.label("WALKING", 100.0)
    assert [True, False] == [judged(truth, 101.0), judged(truth, 101.0)]


def test_a_label_of_an_earlier_time() -> None:
    """It replaces what was said of later times."""
    truth = Truth()
    truth.label("WALKING", 100.0)
    truth.label("SITTING", 90.0)
    judged(truth, 101.0, "SITTING")
    assert 1 == truth.summary(KNOWN)["right"]
