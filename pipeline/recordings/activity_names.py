"""The names that activities may have, of whatever language."""

import re
import unicodedata
from typing import Final

from pipeline.readings import MessageError

MAX_NAME: Final = 64
"""Characters of an activity's name"""

_BETWEEN_WORDS: Final = re.compile(r"[\s\u2010-\u2015-]+")  # blanks, hyphens and dashes
_JOINERS: Final = "\u200c\u200d"  # within words of Persian and of Indian scripts


def activity_name(text: str) -> str | None:
    """Return the name of an activity as models and predictions have it, ``walking`` as ``WALKING``.

    None for an empty text: no activity from then on. Letters may be of any script; an accent is one
    with its letter, whether it was typed with it or behind it.

    Raises:
        MessageError: the text holds what no name does.
    """
    name = unicodedata.normalize("NFC", _BETWEEN_WORDS.sub("_", text.strip()).upper())
    if not name:
        return None
    if len(name) > MAX_NAME or not all(map(_may_be_in_a_name, name)):
        raise MessageError(
            "label",
            f"{text[:80]!r} is no activity: a name has 1 to {MAX_NAME} letters, digits or "
            "underscores",
        )
    return name


def _may_be_in_a_name(character: str) -> bool:
    """Return whether it is a letter, a mark on one, a digit, an underscore or a joiner."""
    return unicodedata.category(character)[0] in "LMN" or character in f"_{_JOINERS}"
