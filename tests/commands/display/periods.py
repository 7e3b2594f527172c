"""Made-up periods, one behind the other."""

from pipeline.recognition.results import Episode


def periods(*spans: tuple[str, float, float]) -> list[Episode]:
    """Return periods of an activity, from start to end."""
    return [Episode(0, activity, start, end, 0.9) for activity, start, end in spans]
