import json

import pytest

from pipeline.readings import BodyPlace
from pipeline.recognition.placement.statements import CALM_S, HELD_S, Statements

SECOND = 1.0


class Phone:
    """A phone that states, second by second, where it is worn."""

    def __init__(self) -> None:
        """Begin without a statement."""
        self.statements = Statements()

    def states(self, place: BodyPlace | None, *, at_s: float) -> tuple[BodyPlace | None, bool]:
        """Return the place in effect after a second of samples, and whether statements alternate.

        Check that a change of either is told as one.
        """
        before = self.known
        is_news = self.statements.note("phone", place, oldest=at_s, newest=at_s + SECOND)
        assert is_news == (before != self.known)
        return self.known

    @property
    def known(self) -> tuple[BodyPlace | None, bool]:
        """The place in effect, and whether statements alternate."""
        return self.statements.of("phone"), self.statements.alternate("phone")


def test_the_first_statement_takes_effect_at_once() -> None:
    """Messages without one state nothing."""
    phone = Phone()
    assert (None, False) == phone.states(None, at_s=0)
    assert ("any", False) == phone.states("any", at_s=1)
    assert ("any", False) == phone.states(None, at_s=2)


@pytest.mark.parametrize("is_repeated", [False, True])
def test_another_statement_takes_effect_once_it_has_stood(is_repeated: bool) -> None:
    """It may be stated with each message, or once."""
    phone = Phone()
    phone.states("any", at_s=0)
    places = [
        phone.states("waist" if number == 1 or is_repeated else None, at_s=number)[0]
        for number in range(1, 9)
    ]
    assert ["any"] * (round(HELD_S) - 1) + ["waist"] * 3 == places


def test_a_long_message_is_worn_where_it_states() -> None:
    """Its own samples count."""
    statements = Statements()
    statements.note("phone", "any", oldest=0, newest=60)
    assert statements.note("phone", "waist", oldest=60, newest=120)
    assert "waist" == statements.of("phone")


@pytest.mark.parametrize("period_s", [1, 2, 5])
def test_statements_that_alternate(period_s: int) -> None:
    """The place stays, and it is told that they alternate, until long after they have."""
    phone = Phone()
    for second in range(60):
        place: BodyPlace = ("any", "waist")[second // period_s % 2]  # type: ignore[assignment]  # one of both
        assert ("any", second >= 2 * period_s) == phone.states(place, at_s=second)
    known = [phone.states("any", at_s=60 + second) for second in range(round(CALM_S) + 1)]
    assert ("any", True) == known[round(CALM_S) - 10]
    assert ("any", False) == known[-1]


def test_statements_on_another_clock() -> None:
    """After the clock was set back another statement stands as long as on any clock."""
    phone = Phone()
    phone.states("any", at_s=1000)
    phone.states("waist", at_s=1001)
    places = [phone.states("waist", at_s=number)[0] for number in range(8)]
    assert ["any"] * (round(HELD_S) - 1) + ["waist"] * 3 == places


def test_which_messages_matter() -> None:
    """Those without a statement only while one of before is in question."""
    phone = Phone()
    of = phone.statements
    assert (False, True) == (of.matters("phone", None), of.matters("phone", "any"))
    phone.states("any", at_s=0)
    assert (False, False, True) == tuple(of.matters("phone", s) for s in (None, "any", "waist"))
    phone.states("waist", at_s=1)
    assert (True, True, True) == tuple(of.matters("phone", s) for s in (None, "any", "waist"))


def test_restored_they_go_on() -> None:
    """A statement that has stood for a while goes on to stand; a forgotten phone has none."""
    phone, restored = Phone(), Phone()
    phone.states("any", at_s=0)
    for number in range(1, 6):
        phone.states("waist", at_s=number)
    restored.statements.restore(json.loads(json.dumps(phone.statements.state())))
    assert ("any", False) == restored.known
    assert ("waist", False) == restored.states(None, at_s=6)
    restored.statements.forget("phone")
    assert (None, False) == restored.known
