"""A letter and a colour for each activity, whichever a model has.

Rules: the letter comes from the last word of the name that still has a free one, so that
``WALKING_UPSTAIRS`` is U beside ``WALKING``. The first six activities are always UCI HAR's, so that
an activity looks alike in all pictures; others follow in alphabetical order.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from string import ascii_uppercase, digits
from typing import Final

from pipeline.vocabulary import ACTIVITIES, TRANSITION, UNKNOWN

COLOURS: Final = (
    "#0072b2", "#e69f00", "#cc79a7", "#009e73", "#f0e442", "#56b4e9", "#d55e00",
    "#882255", "#999933", "#44aa99", "#6a51a3", "#8c510a",
)  # fmt: skip
"""Colours that the colour-blind can tell apart: the first seven are Okabe & Ito's (2008), then
some of Tol's. With more activities they come again; letters do not."""
LIGHT: Final = frozenset(("#e69f00", "#f0e442", "#56b4e9", "#cc79a7", "#44aa99", "#bbbbbb"))
"""Colours on which a letter is black"""


@dataclass(frozen=True)
class Symbol:
    """How an activity is shown."""

    letter: str
    colour: str
    """``#rrggbb``"""

    @property
    def on_it(self) -> str:
        """Colour of a letter on that colour."""
        return "#000000" if self.colour in LIGHT else "#ffffff"


class Legend:
    """The symbols of all activities that there are."""

    def __init__(self, activities: Iterable[str]) -> None:
        """Give each activity a symbol; `TRANSITION` and `UNKNOWN` have theirs."""
        others = {*activities} - {*ACTIVITIES, TRANSITION, UNKNOWN}
        self.symbols: dict[str, Symbol] = {}
        """By activity, in the order of the legend"""
        taken: set[str] = set()
        for number, activity in enumerate((*ACTIVITIES, *sorted(others))):
            letter = _letter(activity, taken)
            taken.add(letter)
            self.symbols[activity] = Symbol(letter, COLOURS[number % len(COLOURS)])
        self.symbols[TRANSITION] = Symbol("~", "#bbbbbb")
        self.symbols[UNKNOWN] = Symbol("?", "#666666")

    def __getitem__(self, activity: str) -> Symbol:
        """Return the symbol of an activity."""
        return self.symbols[activity]

    def of(self, activities: Iterable[str]) -> list[str]:
        """Return these activities in the order of the legend, each once."""
        known = {*activities}
        return [activity for activity in self.symbols if activity in known]


def _letter(activity: str, taken: set[str]) -> str:
    """Return a letter for an activity that no other has; a blank if none is left."""
    words = reversed(activity.upper().split("_"))
    candidates = "".join(words) + ascii_uppercase + digits
    return next((c for c in candidates if c.isalnum() and c not in taken), " ")
