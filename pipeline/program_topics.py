"""The topics of the programs themselves, beside those of phones."""

from typing import Final

STATUS_TOPIC: Final = "har/status"
"""Whether it is connected, retained: ``online``, ``degraded`` or ``offline``"""
INFO_TOPIC: Final = "har/info"
"""What other programs must know to work with it, retained"""
LOAD_TOPIC: Final = "har/load"
"""How much it has to do"""
TIME_TOPIC: Final = "har/time"
"""In a log of messages: a record on it says only what time it is in its partition"""
HISTORY_TOPIC: Final = "har/history"
"""Whether har-history writes, retained: ``online`` or ``offline``"""
PROGRAM_TOPICS: Final = frozenset({STATUS_TOPIC, INFO_TOPIC, LOAD_TOPIC, HISTORY_TOPIC})
"""Never read as a phone's topics, whatever is subscribed to."""
