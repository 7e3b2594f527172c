"""How fast a phone may be played, so that har-stream does not take it for one that floods."""

from typing import Final

from pipeline.mqtt.allowances import MOST_PER_S

SLACK_S: Final = 0.05
"""Messages of so long go at once: else each would wait by itself"""


class SendingPace:
    """The messages of all phones, each phone's at the rate at which any may send for ever."""

    def __init__(self) -> None:
        """Begin with nothing sent."""
        self._filled: dict[str, float] = {}
        """The time up to which a phone's messages fill it at that rate"""

    def pause_s(self, device: str, now: float) -> float:
        """Return the seconds to wait before a phone's next message; ``now`` is in any seconds."""
        filled = max(self._filled.get(device, now), now)
        self._filled[device] = filled + 1 / MOST_PER_S
        return 0.0 if filled <= now + SLACK_S else filled - now
