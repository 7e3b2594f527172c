"""Days of a history, as the dashboard asks for them.

They are read on threads, a few at a time, so that a slow database holds up nothing else. While it
cannot be read that is the answer, and it is tried anew at the next question. The database is opened
so that nothing in it can be changed.
"""

import asyncio
import re
import threading
from datetime import date
from typing import TYPE_CHECKING, Final, NamedTuple

import msgspec

from pipeline.commands.web.settings import StartError
from pipeline.event_log import EventLog
from pipeline.readings import is_device

if TYPE_CHECKING:
    from pipeline.commands.history.reading import History

logger = EventLog(__name__)

MOST_AT_ONCE: Final = 4
"""Days that are read at the same time; further questions wait"""
MOST_WAITING: Final = 100
"""Questions that may wait"""
_DAY: Final = re.compile(r"\d{4}-\d{2}-\d{2}")


class DayAnswer(NamedTuple):
    """The answer to a question for a day."""

    status: int
    """Of HTTP"""
    body: bytes
    """JSON if the status is 200, else words"""


class _Day(msgspec.Struct):
    device: str
    day: str
    begin: float
    end: float
    episodes: list[tuple[float, float, str, float]]
    seconds: dict[str, float]


class KeptDays:
    """Answers what a phone's wearer did on a day."""

    def __init__(self, database: str) -> None:
        """Read a database, which need not be there yet.

        Raises:
            StartError: the address is none.
            ModuleNotFoundError: what reads it is not installed.
        """
        from pipeline.commands.history.address import DatabaseAddress, HistoryError

        try:
            self._address = DatabaseAddress(database)
        except HistoryError as error:
            raise StartError(str(error)) from error
        self._history: History | None = None
        self._guard = threading.Lock()
        self._free = asyncio.Semaphore(MOST_AT_ONCE)
        self._n_waiting = 0

    async def answer(self, device: str, day: str, zone: str | None) -> DayAnswer:
        """Return a phone's day in a time zone, by default this machine's."""
        if not is_device(device):
            return _words(400, "No phone can have this name.")
        try:
            at = date.fromisoformat(day) if _DAY.fullmatch(day) else None
        except ValueError:
            at = None
        if at is None:
            return _words(400, "The day is to be YYYY-MM-DD.")
        if self._n_waiting >= MOST_WAITING:
            return _words(503, "Too many days are asked for.")
        self._n_waiting += 1
        try:
            async with self._free:
                return await asyncio.to_thread(self._read, device, at, zone)
        finally:
            self._n_waiting -= 1

    def _read(self, device: str, day: date, zone_name: str | None) -> DayAnswer:
        from pipeline.commands.display.tables import durations_s
        from pipeline.commands.history.address import HistoryError
        from pipeline.commands.history.days import Day, zone_of

        try:
            one = Day(day, zone_of(zone_name))
            begin, end = one.begin, one.end
        except HistoryError as error:
            return _words(400, f"There is no such day: {error}")
        try:
            episodes = self._opened().episodes(device, begin, end)
        except HistoryError as error:
            logger.warning(
                "history-unreadable", "the history cannot be read: %(error)s", error=error
            )
            self._forget()
            return _words(503, "The history cannot be read at the moment.")
        content = _Day(
            device,
            day.isoformat(),
            begin,
            end,
            [(one.start, one.end, one.activity, one.probability) for one in episodes],
            {name: round(seconds, 3) for name, seconds in durations_s(episodes).items()},
        )
        return DayAnswer(200, msgspec.json.encode(content))

    def _opened(self) -> "History":
        """Return the history, opened if it is not.

        Raises:
            HistoryError: it cannot be.
        """
        from pipeline.commands.history.reading import History

        with self._guard:
            if self._history is None:
                self._history = History(self._address)
            return self._history

    def _forget(self) -> None:
        """Open the history anew the next time."""
        with self._guard:
            if self._history is not None:
                self._history.close()
                self._history = None


def _words(status: int, words: str) -> DayAnswer:
    return DayAnswer(status, words.encode())
