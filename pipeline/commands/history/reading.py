"""A history for readers: phones, episodes, predictions and minutes, in epoch seconds.

The database is opened so that nothing can be changed. Rules: an episode is cut at the ends of what
is asked for. No instant counts twice: where episodes overlap, because samples were recognised once
more with another model, the one that begins later is taken while it lasts.
"""

import json
from collections import defaultdict
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from typing import Final, Self

from sqlalchemy import Engine, Select, func, select

from pipeline.commands.history.address import DatabaseAddress
from pipeline.commands.history.deletion import devices_in
from pipeline.commands.history.opening import explained
from pipeline.commands.history.records import microseconds, seconds, unpacked
from pipeline.commands.history.schema import EPISODES, MODELS, PREDICTIONS
from pipeline.commands.history.versions import FORGOTTEN, check, get

LOOK_BACK_S: Final = 7 * 86_400
"""Episodes that begin so long before what is asked for are rarely still under way"""
AT_ONCE: Final = 5_000
"""Rows that are in memory while many are read"""


@dataclass(frozen=True)
class KeptEpisode:
    """A finished period of one activity."""

    device: str
    start: float
    """Epoch seconds"""
    end: float
    """Epoch seconds"""
    activity: str
    probability: float


@dataclass(frozen=True)
class KeptPrediction:
    """A window's prediction."""

    device: str
    start: float
    """Epoch seconds of the window's first sample"""
    end: float
    """Epoch seconds of the window's last sample"""
    activity: str
    probability: float
    probabilities: dict[str, float]
    """By activity"""
    settling: bool
    model: str


@dataclass(frozen=True)
class KeptPhone:
    """A phone of which there are episodes or predictions."""

    device: str
    first: float
    """Epoch seconds at which the first begins"""
    last: float
    """Epoch seconds at which the last ends"""


class History:
    """A history that is read."""

    def __init__(self, address: DatabaseAddress) -> None:
        """Open it, and check that it can be read.

        Raises:
            HistoryError: it is not there, or of another version; so all methods, if it goes away.
        """
        self._address = address
        with explained(address):
            self._engine: Engine = address.open(to_write=False)
            try:
                with self._engine.connect() as connection:
                    check(connection)
            except BaseException:
                self.close()
                raise

    def __enter__(self) -> Self:
        """Return itself, which is closed at the end of the block."""
        return self

    def __exit__(self, *_: object) -> None:
        """Close it."""
        self.close()

    def close(self) -> None:
        """Give up the connections to the database."""
        self._engine.dispose()

    def phones(self) -> list[KeptPhone]:
        """Return the phones, by name."""
        ends: defaultdict[str, list[int]] = defaultdict(list)
        with explained(self._address), self._engine.connect() as connection:
            for table in (EPISODES, PREDICTIONS):
                for device in devices_in(connection, table):
                    of_phone = table.c.device == device
                    last = select(table.c.end).where(of_phone).order_by(table.c.start.desc())
                    first = select(func.min(table.c.start)).where(of_phone)
                    ends[device] += [
                        connection.scalar(first) or 0,
                        connection.scalar(last.limit(1)) or 0,
                    ]
        return [
            KeptPhone(device, seconds(min(times)), seconds(max(times)))
            for device, times in sorted(ends.items())
        ]

    def devices_with_episodes(self) -> list[str]:
        """Return the names of the phones that have episodes, in order."""
        with explained(self._address), self._engine.connect() as connection:
            return list(devices_in(connection, EPISODES))

    def forgotten(self) -> str | None:
        """Return what is another text whenever a phone was forgotten, None before that."""
        with explained(self._address), self._engine.connect() as connection:
            return get(connection, FORGOTTEN)

    def knows(self, device: str) -> bool:
        """Return whether there is anything of a phone."""
        with explained(self._address), self._engine.connect() as connection:
            return any(
                connection.scalar(select(table.c.start).where(table.c.device == device).limit(1))
                is not None
                for table in (EPISODES, PREDICTIONS)
            )

    def episodes(self, device: str, begin: float, end: float) -> list[KeptEpisode]:
        """Return a phone's episodes between two times, without overlaps, ordered in time."""
        query = _between(select(EPISODES), device, begin, end)
        with explained(self._address), self._engine.connect() as connection:
            found = [
                KeptEpisode(
                    device, seconds(row.start), seconds(row.end), row.activity, row.probability
                )
                for row in connection.execute(query)
            ]
        return without_overlaps(found, begin, end)

    def predictions(self, device: str, begin: float, end: float) -> Iterator[KeptPrediction]:
        """Yield a phone's predictions of windows that begin between two times, in order."""
        table = PREDICTIONS
        query = (
            select(table, MODELS.c.model, MODELS.c.activities)
            .join(MODELS, MODELS.c.id == table.c.model_id)
            .where(table.c.device == device)
            .where(table.c.start >= microseconds(begin), table.c.start < microseconds(end))
            .order_by(table.c.start)
            .execution_options(yield_per=AT_ONCE)
        )
        with explained(self._address), self._engine.connect() as connection:
            for row in connection.execute(query):
                names = json.loads(row.activities)
                yield KeptPrediction(
                    device,
                    seconds(row.start),
                    seconds(row.end),
                    row.activity,
                    row.probability,
                    dict(zip(names, unpacked(row.probabilities), strict=True)),
                    row.settling,
                    row.model,
                )

    def minutes(self, device: str, begin: float, end: float) -> dict[str, float]:
        """Return a phone's minutes of each activity between two times."""
        totals: defaultdict[str, float] = defaultdict(float)
        for episode in self.episodes(device, begin, end):
            totals[episode.activity] += (episode.end - episode.start) / 60
        return dict(totals)


def _between(
    query: Select[tuple[object, ...]], device: str, begin: float, end: float
) -> Select[tuple[object, ...]]:
    """Return a query for a phone's episodes that have something between two times.

    They are looked for from `LOOK_BACK_S` before on, and from the last that began still earlier, so
    that years of episodes need not be read.
    """
    table = EPISODES
    of_phone = table.c.device == device
    long_before = microseconds(begin - LOOK_BACK_S)
    last_before = select(func.max(table.c.start)).where(of_phone, table.c.start < long_before)
    return (
        query.where(of_phone)
        .where(table.c.start >= func.coalesce(last_before.scalar_subquery(), long_before))
        .where(table.c.start < microseconds(end), table.c.end > microseconds(begin))
        .order_by(table.c.start)
    )


def without_overlaps(
    episodes: Iterable[KeptEpisode], begin: float, end: float
) -> list[KeptEpisode]:
    """Return episodes that are ordered by their starts, cut so that no instant is in two.

    What of an episode is outside of ``begin`` to ``end`` is cut off, too.
    """
    cut: list[KeptEpisode] = []
    for episode in episodes:
        start, last = max(episode.start, begin), min(episode.end, end)
        if last <= start:
            continue
        rest: list[KeptEpisode] = []  # of those before, behind this one
        while cut and cut[-1].end > start:
            before = cut.pop()
            if before.end > last:
                rest.append(replace(before, start=max(before.start, last)))
            if before.start < start:
                cut.append(replace(before, end=start))
                break
        cut += [replace(episode, start=start, end=last), *reversed(rest)]
    return cut
