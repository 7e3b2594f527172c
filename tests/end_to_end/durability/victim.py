"""A har-stream to which things happen."""

import signal
from collections import Counter
from collections.abc import Callable
from typing import TYPE_CHECKING, Final, Literal, get_args

import numpy as np

from tests.tcp_proxy import Cut, TcpProxy

if TYPE_CHECKING:
    from tests.brokers import Mosquitto
    from tests.processes import Running

    Start = Callable[..., Running]

READY: Final = "connected to"
"""What har-stream logs when the connection is made."""
Disturbance = Literal["kill", "restart"] | Cut
STALL_S: Final = 1.2
"""Long enough for a checkpoint"""
PACE_S: Final = 0.008
"""Between two messages: there are some all the time that it takes to disturb and to recover."""


class Victim:
    """A har-stream at a broker behind a proxy, to all of which things happen."""

    def __init__(
        self,
        broker: "Mosquitto",
        proxy: TcpProxy,
        start_stream: "Start",
        rng: np.random.Generator,
    ) -> None:
        """Start har-stream."""
        self._broker, self._proxy, self._rng = broker, proxy, rng
        self._start_stream = start_stream
        self.logs: list[Callable[[], str]] = []
        self.suffered: Counter[Disturbance] = Counter()
        """What has happened and did have an effect"""
        self._start()

    def _start(self) -> None:
        running = self.running = self._start_stream(self._proxy.port)
        self.logs.append(lambda: running.log)

    def suffer(self, *trouble: Disturbance) -> None:
        """Let something happen, and return when har-stream is connected again."""
        n_connected = self.running.log.count(READY)
        for kind in get_args(Cut):
            if kind in trouble:
                n_bytes = int(self._rng.integers(30_000))
                assert 1 == self._proxy.cut(kind, after_bytes=n_bytes, stall_s=STALL_S)
        if "restart" in trouble:
            self._broker.stop()
        if "kill" in trouble:
            assert self.running.process.poll() is None, self.running.log
            assert self.running.end(signal.SIGKILL) == -signal.SIGKILL
        if "restart" in trouble:
            self._broker.start()
        if "kill" in trouble:
            self._start()
        else:
            self.running.await_log(READY, times=n_connected + 1)
        self.suffered.update(trouble)

    def suffer_a_killed_broker(self, *, away: bool, when: Callable[[], None]) -> None:
        """Let the broker be killed after ``when`` returns, har-stream before if it is ``away``."""
        n_connected = self.running.log.count(READY)
        if away:
            self.running.end(signal.SIGKILL)
        when()
        self._broker.stop(signal.SIGKILL)
        self._broker.start()
        if away:
            self._start()
        else:
            self.running.await_log(READY, times=n_connected + 1)
