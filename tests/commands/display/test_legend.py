from hypothesis import given
from hypothesis import strategies as st

from pipeline.commands.display.legend import COLOURS, Legend
from pipeline.vocabulary import ACTIVITIES, TRANSITION, UNKNOWN


def test_letters_are_those_one_expects() -> None:
    """Each activity has a letter of its name's last word, where that is free."""
    legend = Legend([*ACTIVITIES, "RUNNING"])
    assert "WUDSTLR~?" == "".join(symbol.letter for symbol in legend.symbols.values())


def test_an_activity_looks_alike_whatever_else_there_is() -> None:
    """A model with more activities changes nothing about those of UCI HAR."""
    few, many = Legend(["WALKING"]), Legend([*ACTIVITIES, "RUNNING", "CYCLING"])
    assert [few[name] for name in ACTIVITIES] == [many[name] for name in ACTIVITIES]


@given(st.lists(st.text("ABÄ漢_ ", min_size=1, max_size=6), max_size=20, unique=True))
def test_no_two_activities_share_a_letter(names: list[str]) -> None:
    """Whatever a model's activities are called, nothing is said by colour alone."""
    letters = [symbol.letter for symbol in Legend(names).symbols.values()]
    assert len(set(letters)) == len(letters)


def test_the_first_colours_are_all_different() -> None:
    """No two of them are one, nor that of a transition or of what is unknown."""
    legend = Legend([f"NEW_{k}" for k in range(len(COLOURS) - len(ACTIVITIES))])
    colours = [symbol.colour for symbol in legend.symbols.values()]
    assert len(set(colours)) == len(colours)


def test_the_order_is_always_the_same() -> None:
    """Activities of UCI HAR come first, then others by name, then what is none."""
    legend = Legend(["RUNNING", "CYCLING"])
    names = [UNKNOWN, TRANSITION, "RUNNING", "SITTING", "CYCLING", "WALKING", "WALKING"]
    expected = ["WALKING", "SITTING", "CYCLING", "RUNNING", TRANSITION, UNKNOWN]
    assert expected == legend.of(names)
