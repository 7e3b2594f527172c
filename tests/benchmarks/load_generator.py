"""Many phones that send raw samples in real time, from one process that costs next to nothing.

Messages are encoded beforehand; only the start time is put in when one is due. A connection carries
500 phones. What was sent when, and how late, is written down at the end, so that the generator's
own overload is not taken for that of the program which it feeds.
"""

import argparse
import signal
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from types import FrameType
from typing import Final

import numpy as np

from tests.benchmarks.load_messages import Messages, topic
from tests.benchmarks.load_plan import (
    ALL_FORMS,
    INTERVAL_S,
    JSON,
    LONGEST_S,
    MOST_PHONES,
    RATE_HZ,
    ROWS,
    Bursts,
    Load,
    Relay,
    first_samples_ms,
    schedule,
)
from tests.benchmarks.mqtt_packets import PUBACK, connected

PHONES_PER_CONNECTION: Final = 500
TICK_S: Final = 0.004
"""Least time from one round of sending to the next"""
READ_S: Final = 0.05
"""From one look for acknowledgements to the next"""
LEAD_S: Final = 0.3
"""From saying when it begins to the first message"""
MOST_WAITING_BYTES: Final = 64 << 20
"""What may wait for a connection before the generator gives up"""
ACKNOWLEDGED_S: Final = 10.0
"""How long acknowledgements are awaited at the end"""


class Link:
    """A connection that hundreds of phones share."""

    def __init__(self, port: int, name: str) -> None:
        """Connect."""
        self._socket = connected(port, name)
        self._socket.setblocking(False)
        self._waiting = b""
        self._partial = b""  # of an acknowledgement
        self._packet_id = 0
        self.n_acknowledged = 0
        self.pushed_back = 0
        """How often the broker did not take all at once"""

    def next_packet_id(self) -> bytes:
        """Return the next id of a message, 1 to 65535 in turn."""
        self._packet_id = self._packet_id % 65_535 + 1
        return self._packet_id.to_bytes(2, "big")

    def send(self, data: bytes) -> None:
        """Hand data to the kernel; what it does not take goes first the next time.

        Raises:
            ConnectionError: the broker hung up, or takes nothing any more.
        """
        data = self._waiting + data if self._waiting else data
        try:
            n_taken = self._socket.send(data)
        except BlockingIOError:
            n_taken = 0
        self._waiting = data[n_taken:]
        if self._waiting:
            self.pushed_back += 1
        if len(self._waiting) > MOST_WAITING_BYTES:
            raise ConnectionError("the broker takes no more")

    @property
    def idle(self) -> bool:
        """Whether the kernel has taken all."""
        return not self._waiting

    def read(self) -> None:
        """Count what the broker acknowledged.

        Raises:
            ConnectionError: the broker hung up, or sends something else.
        """
        try:
            received = self._socket.recv(1 << 16)
        except BlockingIOError:
            return
        if not received:
            raise ConnectionError("the broker hung up")
        received = self._partial + received
        n_whole = len(received) // 4
        if received[: 4 * n_whole : 4] != bytes([PUBACK]) * n_whole:
            raise ConnectionError("the broker sends something else than acknowledgements")
        self.n_acknowledged += n_whole
        self._partial = received[4 * n_whole :]

    def close(self) -> None:
        """Hang up."""
        self._socket.close()


def play(
    load: Load, messages: Messages, links: Sequence[Link], *, begin: float
) -> dict[str, object]:
    """Send a whole load and return what was sent, arrays ``(n_messages,)`` and counts by name.

    ``begin`` is in monotonic seconds, as is all that comes back but ``first_samples_ms``.

    Raises:
        ConnectionError: the broker hung up, or takes nothing any more.
    """
    plan = schedule(load)
    due = plan.due_s + begin
    topics = [topic(load.first + phone, load.form) for phone in range(load.phones)]
    first_ms = first_samples_ms(load, time.time() + begin - time.monotonic())
    starts_ms = first_ms[plan.phone] + plan.number * (ROWS * 1000 // RATE_HZ)
    n_bytes = 0
    sent = np.zeros(len(due))
    outgoing: list[list[bytes]] = [[] for _ in links]
    done, next_read = 0, begin
    while done < len(due):
        now = time.monotonic()
        upto = int(np.searchsorted(due, now, side="right"))
        phones, numbers = plan.phone[done:upto].tolist(), plan.number[done:upto].tolist()
        epochs_ms = starts_ms[done:upto].tolist()
        for phone, number, epoch_ms in zip(phones, numbers, epochs_ms, strict=True):
            at = phone % len(links)
            head, tail = messages.message(phone, number)
            parts = outgoing[at]
            parts += (head, topics[phone])
            if load.qos:
                parts.append(links[at].next_packet_id())
            parts += messages.payload(tail, epoch_ms)
        # Offered to the kernel now: what waits for the broker after is the broker's delay.
        sent[done:upto] = time.monotonic()
        done = upto
        for link, parts in zip(links, outgoing, strict=True):
            if parts or not link.idle:
                data = b"".join(parts)
                n_bytes += len(data)
                link.send(data)
                parts.clear()
        if now >= next_read:
            for link in links:
                link.read()
            next_read = now + READ_S
        if done < len(due):
            time.sleep(max(due[done] - time.monotonic(), TICK_S))
    _await_acknowledgements(links, len(due) if load.qos else 0)
    return {
        "phone": plan.phone,
        "number": plan.number,
        "due": due,
        "sent": sent,
        "first_samples_ms": first_ms,
        "acknowledged": sum(link.n_acknowledged for link in links),
        "pushed_back": sum(link.pushed_back for link in links),
        "bytes": n_bytes,
    }


def _await_acknowledgements(links: Sequence[Link], n_expected: int) -> None:
    give_up = time.monotonic() + ACKNOWLEDGED_S
    while time.monotonic() < give_up:
        for link in links:
            if not link.idle:
                link.send(b"")
            link.read()
        if all(link.idle for link in links) and (
            sum(link.n_acknowledged for link in links) >= n_expected
        ):
            return
        time.sleep(TICK_S)


def main() -> None:
    """Run the command; it prints ``begin`` and monotonic seconds when it is ready."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--port", type=int, required=True, help="of a broker on this machine")
    parser.add_argument("--phones", type=int, required=True)
    parser.add_argument("--qos", type=int, choices=(0, 1), default=1)
    parser.add_argument("--form", choices=ALL_FORMS, default=JSON, help="of the messages")
    parser.add_argument("--hold", type=float, required=True, help="seconds with all phones")
    parser.add_argument("--ramp", type=float, default=INTERVAL_S, help="seconds before")
    parser.add_argument("--speed", type=float, default=1.0, help="times real time")
    parser.add_argument("--at-once", type=int, help="of the phones, which then come and go")
    parser.add_argument("--burst", type=float, help="seconds of silence and of sending, by turns")
    parser.add_argument("--first", type=int, default=0, help="number of the first phone")
    parser.add_argument("--begin", type=float, help="monotonic seconds; if not given, at once")
    parser.add_argument("--motion", type=Path, required=True, help=".npy (n, n_samples, 6)")
    parser.add_argument("--report", type=Path, required=True, help=".npz to write")
    flags = parser.parse_args()
    load = _load(flags)
    if not 1 <= load.first + load.phones <= MOST_PHONES or load.duration_s > LONGEST_S:
        parser.error(f"at most {MOST_PHONES} phones and {LONGEST_S:g} s")
    if load.ramp_s < load.interval_s:
        parser.error(f"phones join over {load.interval_s:g} s at least")
    signal.signal(signal.SIGTERM, _exit)
    messages = Messages(np.load(flags.motion), qos=load.qos, form=load.form)
    n_links = -(-load.phones // PHONES_PER_CONNECTION)
    links: list[Link] = []
    try:
        for i in range(n_links):
            links.append(Link(flags.port, f"load-generator-{load.first}-{i}"))
        begin = time.monotonic() + LEAD_S if flags.begin is None else flags.begin
        print(f"begin {begin:.6f}", flush=True)
        np.savez(flags.report, **play(load, messages, links, begin=begin))  # type: ignore[arg-type]
    except OSError as error:
        sys.exit(f"load generator: {error}")
    finally:
        for link in links:
            link.close()


def _load(flags: argparse.Namespace) -> Load:
    sizes = flags.phones, flags.qos, flags.hold, flags.ramp
    how = {"speed": flags.speed, "first": flags.first, "form": flags.form}
    if flags.at_once is not None:
        return Relay(*sizes, **how, at_once=flags.at_once)
    if flags.burst is not None:
        return Bursts(*sizes, **how, burst_s=flags.burst)
    return Load(*sizes, **how)


def _exit(signum: int, frame: FrameType | None) -> None:
    sys.exit(128 + signum)


if __name__ == "__main__":
    main()
