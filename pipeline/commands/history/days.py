"""Days and weeks of a time zone. A day has 23 or 25 hours when clocks are set."""

from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta, tzinfo
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from pipeline.commands.history.address import HistoryError


@dataclass(frozen=True)
class Day:
    """A calendar day in a time zone, or in this machine's."""

    date: date
    zone: tzinfo | None = None

    @property
    def begin(self) -> float:
        """Its midnight in epoch seconds.

        Raises:
            HistoryError: it is at an end of the calendar.
        """
        try:
            return datetime.combine(self.date, time(), self.zone).timestamp()
        except (ValueError, OverflowError):
            raise self._at_the_end() from None

    @property
    def end(self) -> float:
        """The next day's midnight in epoch seconds."""
        return self.after(1).begin

    @property
    def zone_names(self) -> list[str]:
        """What its zone is called, such as CET; where clocks are set, before and after."""
        ends = (datetime.fromtimestamp(at, UTC) for at in (self.begin, self.end - 1))
        return list(dict.fromkeys(end.astimezone(self.zone).strftime("%Z") for end in ends))

    def after(self, n: int) -> "Day":
        """Return the day that is ``n`` days later.

        Raises:
            HistoryError: the calendar has none.
        """
        try:
            return Day(self.date + timedelta(days=n), self.zone)
        except OverflowError:
            raise self._at_the_end() from None

    def week(self) -> list["Day"]:
        """Return the days of its week, Monday to Sunday."""
        return [self.after(n - self.date.weekday()) for n in range(7)]

    def _at_the_end(self) -> HistoryError:
        return HistoryError(f"day = '{self.date}': the calendar ends there")


def zone_of(name: str | None) -> tzinfo | None:
    """Return a time zone, None for this machine's.

    Raises:
        HistoryError: there is none of this name.
    """
    if name is None:
        return None
    if name.upper() == "UTC":
        return UTC
    try:
        return ZoneInfo(name)
    except (ZoneInfoNotFoundError, ValueError, OSError):
        raise HistoryError(
            f"zone = {name[:64]!r}: there is no such time zone here; one is Europe/Berlin. Where "
            "none is known: pip install tzdata"
        ) from None


def today(zone: tzinfo | None, now: float) -> Day:
    """Return the day of a time in epoch seconds."""
    at = datetime.fromtimestamp(now, UTC)
    return Day(at.astimezone(zone).date(), zone)
