"""The learnt numbers of the decisions that ship with the package, one file an orientation."""

from functools import cache
from importlib.resources import files

from pipeline.recognition.judgement.learnt import Learnt
from pipeline.vocabulary import Orientation


@cache
def shipped(orientation: Orientation = "training") -> Learnt:
    """Return the learnt numbers for phones that are worn so."""
    return Learnt.decode((files("pipeline") / "models" / decisions_file(orientation)).read_bytes())


def decisions_file(orientation: Orientation) -> str:
    """Return the name of the file with these numbers."""
    return "decisions.json" if orientation == "training" else f"decisions-{orientation}.json"
