"""The metrics of har-web: who looks, what is sent to them, and what comes from phones' pages."""

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Final, Literal

from pipeline.commands.monitoring.broker import broker_families
from pipeline.commands.monitoring.families import Family, counter, gauge
from pipeline.commands.web.fleet import Fleet
from pipeline.mqtt.connection import Connection

Page = Literal["dashboard", "phone"]
PAGES: Final[tuple[Page, ...]] = ("dashboard", "phone")
PUSHES: Final = {
    200: "taken",
    400: "rejected",
    401: "no-token",
    408: "too-slow",
    413: "too-large",
    429: "too-many",
}
"""Outcomes of pushes by the status of their answers"""


@dataclass
class Counts:
    """Counts since the start, kept in the event loop."""

    sockets: Counter[Page] = field(default_factory=Counter)
    """Browsers that are connected now"""
    visits: Counter[Page] = field(default_factory=Counter)
    """WebSockets that were opened"""
    n_refused: int = 0
    """WebSockets that were not served: without a token, or too many"""
    n_frames: int = 0
    """Frames that were sent to browsers"""
    n_skipped: int = 0
    """Frames that were not made, because a browser had not taken the one before"""
    pushes: Counter[int] = field(default_factory=Counter)
    """Messages pushed by HTTP, by the status of their answers"""


def web_families(counts: Counts, fleet: Fleet, connection: Connection) -> Iterator[Family]:
    """Yield all of them, as of now."""
    yield from broker_families(connection)
    yield gauge("har_web_phones", "Phones that are shown", len(fleet.phones))
    yield gauge(
        "har_web_sockets",
        "Browsers that are connected, by page",
        {page: counts.sockets[page] for page in PAGES},
        "page",
    )
    yield counter(
        "har_web_visits_total",
        "Browsers that have connected, by page",
        {page: counts.visits[page] for page in PAGES},
        "page",
    )
    yield counter(
        "har_web_refused_sockets_total",
        "Browsers that were not let in: without a token, or too many",
        counts.n_refused,
    )
    yield counter("har_web_frames_total", "Frames that were sent to browsers", counts.n_frames)
    yield counter(
        "har_web_skipped_frames_total",
        "Frames that were not made, because a dashboard had not taken the one before",
        counts.n_skipped,
    )
    yield counter(
        "har_web_pushes_total",
        "Messages that were pushed by HTTP, by outcome",
        {outcome: counts.pushes[status] for status, outcome in PUSHES.items()},
        "outcome",
    )
