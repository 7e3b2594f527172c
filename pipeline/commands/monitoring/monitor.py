"""The monitor of a running command: its loop reports to it, and it answers whoever asks.

A command makes it first, so that it is seen while the command starts; calls `begin` when there is
something to check; then `turn` in each turn of its loop, at least every few seconds. With systemd,
the first turn says that the command is ready, and each one keeps its watchdog quiet.
"""

import os
import time
from collections.abc import Callable, Iterable
from http import HTTPStatus
from typing import Final, Self

from pipeline.commands.listening import bound, listening, why_not_bound
from pipeline.commands.monitoring.exposition import CONTENT_TYPE, Exposition
from pipeline.commands.monitoring.families import Family, build_info, gauge
from pipeline.commands.monitoring.health import Checks, report
from pipeline.commands.monitoring.notify import Notifier
from pipeline.commands.monitoring.server import HttpAnswer, StatusServer
from pipeline.commands.monitoring.settings import MonitoringSettings
from pipeline.event_log import EventLog

logger = EventLog(__name__)

PUBLISH_S: Final = 2.0
"""How often metrics are brought up to date"""
STUCK_S: Final = 15.0
"""A loop that has not turned for so long is stuck: turns take hundredths of a second, and a second
while nothing comes"""


class MonitorError(Exception):
    """Metrics cannot be served; whoever starts the command can mend that."""


class Monitor:
    """What one running command tells of itself."""

    def __init__(self, settings: MonitoringSettings, *, command: str) -> None:
        """Begin to answer, if that is asked for: the command is alive, and not ready yet.

        Raises:
            MonitorError: the address cannot be used.
        """
        self._command = command
        self._notifier = Notifier.of(os.environ)
        self._exposition = Exposition()
        self._families: Callable[[], Iterable[Family]] = tuple
        self._checks: Checks = {"start": lambda: "the command is starting"}
        self._turned: float | None = None  # monotonic seconds
        self._turned_s = 0.0  # epoch seconds
        self._next_publishing = 0.0
        self._server = None if settings.metrics is None else self._serve(settings.metrics)

    def __enter__(self) -> Self:
        """Return it."""
        return self

    def __exit__(self, *exception: object) -> None:
        """Stop answering."""
        self.stopping()
        if self._server is not None:
            self._server.close()

    def begin(self, families: Callable[[], Iterable[Family]], checks: Checks) -> None:
        """Let the command be seen as it is from now on.

        Args:
            families: returns what it has counted; called by `turn`, every `PUBLISH_S`.
            checks: whether it is ready; called on any thread.
        """
        self._families = families
        self._checks = checks
        self._publish()

    def turn(self) -> None:
        """Note that the command's loop turns."""
        now = time.monotonic()
        if self._turned is None:
            self._notifier.ready()
        self._turned = now
        self._notifier.turn(now)
        if now >= self._next_publishing:
            self._next_publishing = now + PUBLISH_S
            self._turned_s = time.time()
            self._publish()

    def status(self, text: str) -> None:
        """Say in a line how the command is, to systemd."""
        self._notifier.status(text)

    def stopping(self) -> None:
        """Say that the command stops."""
        self._notifier.stopping()

    def _publish(self) -> None:
        if self._server is None:
            return
        turned = gauge(
            "har_loop_turn_timestamp_seconds",
            "When the loop turned last, in seconds since 1970; 0 before it has",
            self._turned_s,
        )
        self._exposition.publish([build_info(self._command), turned, *self._families()])

    def _serve(self, address: str) -> StatusServer:
        try:
            listener = bound(listening(address))
        except OSError as error:
            raise MonitorError(f"metrics = {address!r}: {why_not_bound(error)}") from error
        server = StatusServer(
            listener,
            {
                "/metrics": lambda: HttpAnswer(
                    HTTPStatus.OK, CONTENT_TYPE, self._exposition.text()
                ),
                "/healthz": lambda: _as_json({"loop": self._stuck}),
                "/readyz": lambda: _as_json({"loop": self._stuck, **self._checks}),
            },
        )
        host, port = listener.getsockname()[:2]
        host = f"[{host}]" if ":" in host else host
        logger.info(
            "metrics-served", "metrics at http://%(host)s:%(port)d/metrics", host=host, port=port
        )
        return server

    def _stuck(self) -> str | None:
        """Return how long the loop has been stuck; until it turns for the first time it is not."""
        turned = self._turned
        if turned is None:
            return None
        silent_s = time.monotonic() - turned
        return f"has not turned for {silent_s:.0f} s" if silent_s > STUCK_S else None


def _as_json(checks: Checks) -> HttpAnswer:
    status, body = report(checks)
    return HttpAnswer(status, "application/json", body)
