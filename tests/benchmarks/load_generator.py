"""Many phones that send raw samples in real time, from one process that costs next to nothing.

Messages are encoded beforehand; only the start time is put in when one is due. A connection carries
500 phones. Phones join one after the other over a ramp: those that begin together would fill their
windows together. What was sent when, and how late, is written down at the end, so that the
generator's own overload is not taken for that of the program which it feeds.
"""

import argparse
import json
import signal
import sys
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from types import FrameType
from typing import Final

import numpy as np
from mqtt_packets import PUBACK, PUBLISH, connected, remaining_length, text
from numpy.typing import NDArray

RATE_HZ: Final = 50
ROWS: Final = 25
"""Samples a message"""
INTERVAL_S: Final = ROWS / RATE_HZ
"""Seconds from one message of a phone to the next"""
PHONES_PER_CONNECTION: Final = 500
MOST_PHONES: Final = 20_000
LONGEST_S: Final = 900.0
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
DECIMALS: Final = 4
"""Of m/s² and rad/s: finer than a phone's sensors resolve"""
OFFSET: Final = 37
"""Messages by which phones that play one recording are apart"""


@dataclass(frozen=True)
class Load:
    """So many phones for so long."""

    phones: int
    qos: int
    hold_s: float
    """Seconds during which all phones are there"""
    ramp_s: float
    """Seconds before, over which they join"""

    @property
    def duration_s(self) -> float:
        """Seconds in all."""
        return self.ramp_s + self.hold_s

    @property
    def joins_s(self) -> NDArray[np.float64]:
        """When each phone's first message is due, in seconds after the beginning.

        Phones send one after the other at equal distances, and as many join in each interval.
        """
        phone = np.arange(self.phones)
        n_intervals = int(self.ramp_s / INTERVAL_S)
        return (phone % n_intervals + phone / self.phones) * INTERVAL_S

    @property
    def n_messages(self) -> NDArray[np.int64]:
        """How many messages each phone sends."""
        return np.ceil((self.duration_s - self.joins_s) / INTERVAL_S - 1e-9).astype(np.int64)


@dataclass(frozen=True, eq=False)
class Schedule:
    """The messages of a load in the order in which they are due; all arrays ``(n_messages,)``."""

    due_s: NDArray[np.float64]
    """Seconds after the beginning"""
    phone: NDArray[np.int64]
    number: NDArray[np.int64]
    """Of the message among the phone's, from 0"""


def schedule(load: Load) -> Schedule:
    """Return all messages of a load."""
    counts = load.n_messages
    phone = np.repeat(np.arange(load.phones), counts)
    number = np.arange(len(phone)) - np.repeat(np.cumsum(counts) - counts, counts)
    due_s = load.joins_s[phone] + number * INTERVAL_S
    order = np.argsort(due_s, kind="stable")
    return Schedule(due_s[order], phone[order], number[order])


def device(phone: int) -> str:
    """Return a phone's name; all are equally long."""
    return f"load-{phone:05d}"


def first_samples_ms(load: Load, epoch: float) -> NDArray[np.int64]:
    """Return when each phone measured its first sample, in epoch milliseconds ``(phones,)``.

    The last sample of its first message is of the moment when that is due; ``epoch`` is the
    beginning, in epoch seconds.
    """
    last_sample_s = epoch + load.joins_s
    return np.round(last_sample_s * 1000).astype(np.int64) - (ROWS - 1) * 1000 // RATE_HZ


class Motion:
    """What phones send, encoded: several recordings, cut into messages."""

    def __init__(self, recordings: NDArray[np.float64], *, qos: int) -> None:
        """Encode ``recordings`` ``(n, n_samples, 6)`` in m/s² and rad/s for one QoS."""
        self._heads: list[list[bytes]] = []  # of each recording's messages
        self._tails: list[list[bytes]] = []
        fixed = len(_prefix(0)) + len(_START % (0, 0)) + (2 if qos else 0)
        first_byte = bytes([PUBLISH | qos << 1])
        for samples in recordings:
            n_messages = len(samples) // ROWS
            tails = [_tail(samples[i * ROWS : (i + 1) * ROWS]) for i in range(n_messages)]
            self._tails.append(tails)
            self._heads.append([first_byte + remaining_length(fixed + len(t)) for t in tails])

    def message(self, phone: int, number: int) -> tuple[bytes, bytes]:
        """Return what comes before the topic and after the start time of a phone's message."""
        recording = phone % len(self._tails)
        tails = self._tails[recording]
        i = (phone // len(self._tails) * OFFSET + number) % len(tails)
        return self._heads[recording][i], tails[i]


_START: Final = b'{"v":1,"start":%010d.%03d'


def _prefix(phone: int) -> bytes:
    return text(f"har/{device(phone)}/samples")


def _tail(rows: NDArray[np.float64]) -> bytes:
    numbers = np.round(rows, DECIMALS)
    message = {
        "rate": RATE_HZ,
        "acc": numbers[:, :3].tolist(),
        "acc_unit": "m/s2",
        "gyro": numbers[:, 3:].tolist(),
        "gyro_unit": "rad/s",
    }
    return b"," + json.dumps(message, separators=(",", ":")).encode()[1:]


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


def play(load: Load, motion: Motion, links: Sequence[Link], *, begin: float) -> dict[str, object]:
    """Send a whole load and return what was sent, arrays ``(n_messages,)`` by name.

    ``begin`` is in monotonic seconds, as is all that comes back but ``first_samples_ms``.

    Raises:
        ConnectionError: the broker hung up, or takes nothing any more.
    """
    plan = schedule(load)
    due = plan.due_s + begin
    phones, numbers = plan.phone.tolist(), plan.number.tolist()
    prefixes = [_prefix(phone) for phone in range(load.phones)]
    first_ms = first_samples_ms(load, time.time() + begin - time.monotonic())
    starts_ms = first_ms.tolist()
    sent = np.zeros(len(due))
    outgoing: list[list[bytes]] = [[] for _ in links]
    done, next_read = 0, begin
    while done < len(due):
        now = time.monotonic()
        upto = int(np.searchsorted(due, now, side="right"))
        for i in range(done, upto):
            phone, number = phones[i], numbers[i]
            at = phone % len(links)
            head, tail = motion.message(phone, number)
            parts = outgoing[at]
            parts += (head, prefixes[phone])
            if load.qos:
                parts.append(links[at].next_packet_id())
            parts.append(_START % divmod(starts_ms[phone] + number * ROWS * 1000 // RATE_HZ, 1000))
            parts.append(tail)
        # Offered to the kernel now: what waits for the broker after is the broker's delay.
        sent[done:upto] = time.monotonic()
        done = upto
        for link, parts in zip(links, outgoing, strict=True):
            if parts or not link.idle:
                link.send(b"".join(parts))
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
    parser.add_argument("--hold", type=float, required=True, help="seconds with all phones")
    parser.add_argument("--ramp", type=float, default=INTERVAL_S, help="seconds before")
    parser.add_argument("--motion", type=Path, required=True, help=".npy (n, n_samples, 6)")
    parser.add_argument("--report", type=Path, required=True, help=".npz to write")
    flags = parser.parse_args()
    load = Load(flags.phones, flags.qos, flags.hold, flags.ramp)
    if not 1 <= load.phones <= MOST_PHONES or load.duration_s > LONGEST_S:
        parser.error(f"at most {MOST_PHONES} phones and {LONGEST_S:g} s")
    if load.ramp_s < INTERVAL_S:
        parser.error(f"phones join over {INTERVAL_S:g} s at least")
    signal.signal(signal.SIGTERM, _exit)
    motion = Motion(np.load(flags.motion), qos=load.qos)
    n_links = -(-load.phones // PHONES_PER_CONNECTION)
    links: list[Link] = []
    try:
        for i in range(n_links):
            links.append(Link(flags.port, f"load-generator-{i}"))
        begin = time.monotonic() + LEAD_S
        print(f"begin {begin:.6f}", flush=True)
        np.savez(flags.report, **play(load, motion, links, begin=begin))  # type: ignore[arg-type]
    except OSError as error:
        sys.exit(f"load generator: {error}")
    finally:
        for link in links:
            link.close()


def _exit(signum: int, frame: FrameType | None) -> None:
    sys.exit(128 + signum)


if __name__ == "__main__":
    main()
