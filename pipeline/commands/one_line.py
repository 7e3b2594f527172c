"""Texts that come from outside, as commands print them."""

from typing import Final

MOST_CHARACTERS: Final = 1_000
"""Of a line; names of files in a zip may be longer."""


def one_line(text: str) -> str:
    """Return a text as one line, whatever names of files in it hold."""
    text = text[:MOST_CHARACTERS]
    return "".join(c if c.isprintable() else ascii(c)[1:-1] for c in text)
