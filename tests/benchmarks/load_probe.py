"""Notes when each prediction arrives, and for which window it is.

Of what comes nothing else is kept, so that it may go on for hours. It ends when it has as many as
it was told to expect, when its time is over, or when it is told to.
"""

import argparse
import signal
import time
from array import array
from pathlib import Path
from types import FrameType
from typing import Final

import msgspec
import numpy as np

from tests.benchmarks.mqtt_packets import PUBLISH, connected, packets, publication, subscribe

TOPIC: Final = "har/+/prediction"
POLL_S: Final = 0.2


class _Prediction(msgspec.Struct):
    start: float


class Probe:
    """A subscriber to all predictions."""

    def __init__(self, port: int) -> None:
        """Connect and subscribe."""
        self._link = connected(port, "load-probe")
        self._link.settimeout(POLL_S)
        subscribe(self._link, TOPIC)
        self._decoder = msgspec.json.Decoder(_Prediction)
        self._numbers: dict[str, int] = {}
        """Of devices, in the order in which they were first heard of"""
        self._devices = array("q")  # numbers
        self._starts = array("d")
        self._received = array("d")
        self._stopping = False

    def stop(self) -> None:
        """End `collect`; may be called from a signal handler."""
        self._stopping = True

    def collect(self, n_expected: int, *, give_up_s: float) -> None:
        """Keep what comes until ``n_expected`` predictions have come."""
        give_up = time.monotonic() + give_up_s
        received = bytearray()
        while len(self._received) < n_expected and not self._stopping:
            try:
                chunk = self._link.recv(1 << 18)
            except TimeoutError:
                chunk = None
            now = time.monotonic()
            if chunk == b"" or now > give_up:
                return
            if chunk:
                received += chunk
                for first, body in packets(received):
                    if first & 0xF0 == PUBLISH:
                        self._keep(body, now)

    def _keep(self, body: bytes, now: float) -> None:
        topic, payload = publication(body)
        device = topic.split("/")[1]
        self._devices.append(self._numbers.setdefault(device, len(self._numbers)))
        self._starts.append(self._decoder.decode(payload).start)
        self._received.append(now)

    def report(self) -> dict[str, object]:
        """Return device, start (epoch s) and receipt (monotonic s) of all, ``(n,)`` each."""
        names = np.array([*self._numbers, ""], np.str_)
        return {
            "device": names[np.array(self._devices, np.int64)],
            "start": np.array(self._starts, np.float64),
            "received": np.array(self._received, np.float64),
        }


def main() -> None:
    """Run the command."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--port", type=int, required=True, help="of a broker on this machine")
    parser.add_argument("--expected", type=int, required=True, help="predictions")
    parser.add_argument("--seconds", type=float, required=True, help="most that it takes")
    parser.add_argument("--report", type=Path, required=True, help=".npz to write")
    flags = parser.parse_args()
    probe = Probe(flags.port)

    def stop(signum: int, frame: FrameType | None) -> None:
        probe.stop()

    signal.signal(signal.SIGTERM, stop)
    probe.collect(flags.expected, give_up_s=flags.seconds)
    np.savez(flags.report, **probe.report())  # type: ignore[arg-type]


if __name__ == "__main__":
    main()
