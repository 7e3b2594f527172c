"""Texts of a CSV file that no spreadsheet takes for a formula: names are anybody's."""

from typing import Final

BEGINS_OF_FORMULAS: Final = ("=", "+", "-", "@", "\t", "\r", "\n")
"""A spreadsheet takes a text for a formula if it begins so (OWASP, CSV injection)"""


def no_formula(text: str) -> str:
    """Return a text with an apostrophe before it if a spreadsheet would reckon with it."""
    return f"'{text}" if text.startswith(BEGINS_OF_FORMULAS) else text
