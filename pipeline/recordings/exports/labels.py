"""The activities that a wearer wrote down, as models have their names."""

from pipeline.readings import MessageError
from pipeline.recordings.activity_names import activity_name
from pipeline.recordings.exports.exports import Export

ActivityChange = tuple[float, str | None]
"""An activity and the time from which it holds, in seconds; None for no activity"""


def activity_changes(source: str, export: Export) -> tuple[list[ActivityChange], list[str]]:
    """Return an export's activities, in its order, and lines on what is none.

    From what is no activity on nothing is known. ``source`` begins each line.
    """
    changes: list[ActivityChange] = []
    no_activities: dict[str, None] = {}
    for time, text in export.labels:
        activity = None
        try:
            activity = activity_name(text)
        except MessageError as error:
            no_activities[f"{source}: {error}; nothing is known from there on"] = None
        changes.append((time, activity))
    return changes, list(no_activities)
