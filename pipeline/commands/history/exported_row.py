"""A row of an exported table, the same in each form of file."""

from datetime import datetime
from typing import NamedTuple


class ExportedRow(NamedTuple):
    """A row of the table: its columns, in their order."""

    device: str
    kind: str
    """``episode`` or ``window``"""
    time: datetime
    """The start"""
    start: float
    """Epoch seconds"""
    end: float
    """Epoch seconds"""
    activity: str
    probability: float
