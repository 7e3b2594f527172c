"""Why a recorded sensor is too slow: for which of har-stream's models, and what those need."""

from collections.abc import Sequence

from pipeline.models.card import ModelCard
from pipeline.models.classifier import Classifier, find_models
from pipeline.recognition.preparation.pace import LOWEST_RATE_HZ
from pipeline.vocabulary import AUTO


def default_cards() -> list[ModelCard]:
    """Return the cards of har-stream's default models: at the waist, and elsewhere."""
    return [Classifier(path).card for path in find_models(AUTO)]


def why_too_slow(rate_hz: float, cards: Sequence[ModelCard]) -> str | None:
    """Return what is needed of a sensor that is too slow, None if it is fast enough for all.

    Args:
        rate_hz: samples a second that it has.
        cards: those of the models for phones at the waist and for all others.
    """
    at_waist, elsewhere = cards
    if rate_hz >= max(at_waist.needed_rate_hz, elsewhere.needed_rate_hz):
        return None
    if at_waist.needed_rate_hz == elsewhere.needed_rate_hz:
        needed = f"{at_waist.needed_rate_hz:g} are needed"
    else:
        needed = (
            f"{at_waist.needed_rate_hz:g} are needed at the waist ({at_waist.name}), "
            f"{elsewhere.needed_rate_hz:g} elsewhere ({elsewhere.name})"
        )
    if rate_hz < LOWEST_RATE_HZ:
        return f"{needed}, and below {LOWEST_RATE_HZ:g} there are no windows"
    return needed
