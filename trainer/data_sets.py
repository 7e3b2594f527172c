"""The data sets that models are trained on, with licences, as cards and reports name them."""

from collections.abc import Iterable
from typing import Final

from pipeline.models.trained_on import TrainedOn
from pipeline.recordings import datasets
from pipeline.recordings.placement_sets import PlacementSet

UCI_HAR_LICENCE: Final = (
    "Weights trained on the UCI HAR data set, whose licence prohibits commercial use; any use "
    "must cite: D. Anguita, A. Ghio, L. Oneto, X. Parra, J. L. Reyes-Ortiz, Human Activity "
    "Recognition on Smartphones using a Multiclass Hardware-Friendly Support Vector Machine, "
    "IWAAL 2012."
)
"""Of weights for phones at the waist, which are trained on it or on HAPT"""

_AT_WAIST: Final = (datasets.UCI_HAR.name, datasets.HAPT.name)
_NOT_COMMERCIAL: Final = "any commercial use is prohibited; cite "


def uci_har(data_hash: str) -> TrainedOn:
    """Return UCI HAR, whose files have this hash."""
    cited = "Anguita et al., IWAAL 2012"
    return TrainedOn(
        name=datasets.UCI_HAR.name, licence=f"{_NOT_COMMERCIAL}{cited}", hash=data_hash
    )


def hapt(data_hash: str) -> TrainedOn:
    """Return HAPT, whose files have this hash."""
    cited = "Reyes-Ortiz et al., Neurocomputing 2015"
    return TrainedOn(name=datasets.HAPT.name, licence=f"{_NOT_COMMERCIAL}{cited}", hash=data_hash)


def placement_set(one: PlacementSet) -> TrainedOn:
    """Return a placement set.

    Raises:
        DataError: it does not say what its licence is.
    """
    return TrainedOn(name=one.name, licence=one.licence, hash=one.data_hash)


def licence(learnt_from: Iterable[TrainedOn]) -> str:
    """Return what weights may be used for that were trained on these data sets."""
    others = [one for one in learnt_from if one.name not in _AT_WAIST]
    if not others:
        return UCI_HAR_LICENCE
    demands = "; ".join(f"{one.name}: {one.licence}" for one in others)
    return f"{UCI_HAR_LICENCE} What these data sets demand holds too: {demands}"
