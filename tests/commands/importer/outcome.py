"""What comes of a run of har-import."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Imported:
    """What a run of the command said."""

    stdout: str
    told: list[str]
    """The lines that it logged, and those that it ended with"""
    failed: bool
