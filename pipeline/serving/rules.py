"""The rules by which phones are served, as they are set."""

from dataclasses import dataclass


@dataclass(frozen=True, kw_only=True)
class Rules:
    """What decides, beside models and placements, what is published of phones."""

    max_devices: int
    """Most phones at once"""
    max_ahead_s: float
    """By how much a sample may be ahead of the time when it came"""
    max_behind_s: float
    """Oldest age of a message's newest sample for its phone to be online"""
    offline_after_s: float
    """Silence after which a phone is offline"""
    forget_after_s: float
    """Silence after which a phone's state is dropped"""
    heartbeat_s: float
    """Time after which an unchanged activity is published again"""
    announces: bool = False
    """Whether phones are announced to Home Assistant"""
