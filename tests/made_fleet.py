"""Made-up phones for the pages of har-web: what the server would tell of them, frame by frame.

They change activity by a plan that their number decides, so that every run shows the same.
"""

import math
import random
from collections.abc import Sequence
from typing import Any, Final

from pipeline.serving.outputs.phone_info import advice_on
from pipeline.vocabulary import ACTIVITIES, CHANNELS

Frame = dict[str, Any]

RATE_HZ: Final = 50
RIBBON_S: Final = 600
HOP_S: Final = 1.28
WINDOW_S: Final = 2.56

MOTION: Final = {  # amplitudes in m/s², their steps a second, and the share of the axes
    "WALKING": (2.6, 1.9),
    "WALKING_UPSTAIRS": (2.0, 1.5),
    "WALKING_DOWNSTAIRS": (3.4, 2.0),
    "SITTING": (0.03, 0.2),
    "STANDING": (0.05, 0.3),
    "LAYING": (0.02, 0.2),
}
UPRIGHT: Final = {"LAYING": (0.6, 9.1, 3.5), "SITTING": (8.9, 2.2, 3.4)}
LOW_RATE: Final = advice_on("low-rate", needed_rate_hz=19.0)


class MadePhone:
    """One made-up phone."""

    def __init__(self, name: str, number: int, now: float, activities: Sequence[str]) -> None:
        """Plan what its wearer did in the last minutes, and does in the next."""
        self.name, self.number = name, number
        self.activities = list(activities)
        self._random = random.Random(number)
        self.offline = False
        self.warnings: list[str] = []
        self.advice: list[str] = []
        self.is_labelled = number % 3 == 0
        self.plan: list[tuple[float, float, str]] = []
        at = now - RIBBON_S - self._random.random() * 60
        while at < now + 3600:
            name_now = self.activities[self._random.randrange(len(self.activities))]
            until = at + self._random.uniform(25, 110)
            self.plan.append((at, until, name_now))
            between = self._random.uniform(1.5, 6.0)
            self.plan.append(
                (until, until + between, "transition" if self._random.random() < 0.8 else "unknown")
            )
            at = until + between

    def planned(self, time: float) -> tuple[float, float, str]:
        """Return start, end and activity at a time."""
        return next(part for part in self.plan if part[0] <= time < part[1])

    def activity(self, now: float) -> Frame:
        """Return what is published on ``har/<device>/activity``."""
        start, _, name = self.planned(now)
        return {"activity": name, "since": start, "probability": round(self._sure(start), 4)}

    def ribbon(self, since: float, now: float) -> list[list[Any]]:
        """Return the ribbon's entries that end after a time."""
        return [
            [start, min(end, now), name, 0.95]
            for start, end, name in self.plan
            if end > since and start < now
        ]

    def signals(self, start: float, end: float) -> Frame:
        """Return acceleration and rotation, in m/s² and rad/s."""
        rows = [self._row(start + k / RATE_HZ) for k in range(int((end - start) * RATE_HZ))]
        acc, gyro = [list(row[:3]) for row in rows], [list(row[3:]) for row in rows]
        return {"start": start, "rate": RATE_HZ, "acc": acc, "gyro": gyro}

    def prepared(self, start: float, end: float) -> Frame:
        """Return the nine prepared signals."""
        rows = []
        for k in range(int((end - start) * RATE_HZ)):
            row = [value / 9.80665 for value in self._row(start + k / RATE_HZ)[:3]]
            turn = self._row(start + k / RATE_HZ)[3:]
            body = [row[0] - self._still(start)[0] / 9.80665, row[1] - 0.2, row[2] - 0.3]
            rows.append([round(value, 4) for value in (*body, *turn, *row)])
        return {"start": start, "rate": RATE_HZ, "channels": list(CHANNELS), "rows": rows}

    def probabilities(self, since: float, now: float) -> list[Any]:
        """Return windows with their probabilities."""
        found = []
        first = math.ceil(since / HOP_S)
        for k in range(first, int((now - WINDOW_S) / HOP_S)):
            start = k * HOP_S
            name = self.planned(start + WINDOW_S / 2)[2]
            rest = random.Random(k * 1000 + self.number)
            weights = [0.02 + 0.1 * rest.random() ** 3 for _ in self.activities]
            if name in self.activities:
                weights[self.activities.index(name)] += 1.6
            else:
                weights[rest.randrange(len(weights))] += 0.3
            total = sum(weights)
            found.append([start, start + WINDOW_S - 0.02, [round(w / total, 4) for w in weights]])
        return found

    def episodes(self, since: float, now: float) -> list[Frame]:
        """Return what ended between two times."""
        return [
            {"activity": name, "start": start, "end": end, "probability": 0.97}
            for start, end, name in self.plan
            if since < end <= now
        ]

    def truth(self, now: float) -> Frame:
        """Return the confusion matrix as it has grown."""
        n = len(self.activities)
        seen = int((now % 1000) + 300)
        confusion = [[0] * n for _ in range(n)]
        for place in range(n):
            confusion[place][place] = seen // n
            confusion[place][(place + 1) % n] = (place * seen) // 240
        right = sum(confusion[place][place] for place in range(n))
        return {"windows": sum(map(sum, confusion)), "right": right, "confusion": confusion}

    def info(self) -> Frame:
        """Return what is published on ``har/<device>/info``."""
        return {
            "device": self.name,
            "topic": f"har/{self.name}/samples",
            "format": "native",
            "convention": "android",
            "convention_by": "assumed",
            "frame": "training",
            "placement": "waist",
            "placement_by": "set",
            "model": "cnn-lstm@1a2b3c4d",
            "rates_hz": {"accelerometer": 50, "gyroscope": 50},
            "warnings": self.warnings,
            "advice": self.advice,
        }

    def whole(self, now: float) -> Frame:
        """Return all that a browser is told of it first."""
        patch = {
            "activity": self.activity(now),
            "availability": "offline" if self.offline else "online",
            "info": self.info(),
            "rate": 18.0 if self.warnings else 50.0,
            "latency": 0.011 + 0.002 * (self.number % 7),
            "ribbon": self.ribbon(now - RIBBON_S, now),
        }
        if self.is_labelled:
            patch["truth"] = self.truth(now)
        return patch

    def _sure(self, start: float) -> float:
        return 0.9 + 0.099 * random.Random(start).random()

    def _still(self, time: float) -> tuple[float, float, float]:
        return UPRIGHT.get(self.planned(time)[2], (9.7, 0.4, 1.0))

    def _row(self, time: float) -> list[float]:
        strength, steps = MOTION.get(self.planned(time)[2], (0.8, 0.7))
        phase = 2 * math.pi * steps * time + self.number
        swing = [
            math.sin(phase) + 0.4 * math.sin(2 * phase),
            0.6 * math.sin(phase / 2 + 1),
            0.5 * math.cos(phase),
        ]
        noise = [0.02 * math.sin(time * (31 + 7 * axis)) for axis in range(3)]
        acc = [
            still + strength * part + small
            for still, part, small in zip(self._still(time), swing, noise, strict=True)
        ]
        gyro = [0.3 * strength * part for part in (swing[1], swing[2], swing[0])]
        return [round(value, 3) for value in (*acc, *gyro)]


class MadeFleet:
    """Some made-up phones, and the frames about them."""

    def __init__(
        self, names: Sequence[str], now: float, activities: Sequence[str] = ACTIVITIES
    ) -> None:
        """Make the phones."""
        self.activities = list(activities)
        self.phones = [
            MadePhone(name, number, now, activities) for number, name in enumerate(names)
        ]
        self._told: dict[str, str] = {}

    def hello(self, now: float) -> Frame:
        """Return the first frame."""
        return {
            "type": "hello",
            "now": now,
            "role": "all",
            "device": None,
            "activities": self.activities,
            "advice": {"low-rate": LOW_RATE},
            "version": "0.1.0",
            "addresses": [{"url": "https://192.168.1.5:8443/phone", "qr": QR}],
        }

    def first(self, now: float) -> Frame:
        """Return the first update, which has all."""
        return self.update(now, {phone.name: phone.whole(now) for phone in self.phones})

    def update(self, now: float, phones: Frame, **more: object) -> Frame:
        """Return an update with these patches."""
        load = {"phones": len(self.phones), "latency_ms": {"p50": 11.2, "p99": 26.0}}
        frame = {"type": "update", "now": now, "link": "up", "stream": "online", "load": load}
        return frame | {"phones": phones, "forgotten": []} | more

    def changes(self, since: float, now: float, watched: Sequence[str]) -> Frame:
        """Return an update with what has changed between two times."""
        patches: Frame = {}
        for phone in self.phones:
            if phone.offline:
                continue
            patch: Frame = {}
            if int((since + phone.number * 0.07) / HOP_S) != int(
                (now + phone.number * 0.07) / HOP_S
            ):
                patch = {"ribbon": phone.ribbon(now - 0.1, now), "latency": 0.012}
                activity = phone.activity(now)
                if self._told.get(phone.name) != activity["activity"]:
                    patch["activity"] = activity
                    self._told[phone.name] = activity["activity"]
            if phone.name in watched:
                patch["signals"] = phone.signals(since, now)
            if patch:
                patches[phone.name] = patch
        return self.update(now, patches)

    def opened(self, name: str, since: float, now: float) -> Frame | None:
        """Return what is new of an opened phone."""
        for phone in self.phones:
            if phone.name == name:
                return {
                    "type": "opened",
                    "device": name,
                    "signals": phone.prepared(max(since, now - 10), now),
                    "probabilities": phone.probabilities(max(since, now - RIBBON_S) - 4, now),
                    "episodes": phone.episodes(since, now),
                    "calibration": None,
                }
        return None


QR: Final = (
    '<svg xmlns="http://www.w3.org/2000/svg" width="29" height="29" class="segno">'
    '<path stroke="#000" d="M4 4.5h7m2 0h3m3 0h7m-21 1h1m5 0h1m4 0h2"/></svg>'
)
