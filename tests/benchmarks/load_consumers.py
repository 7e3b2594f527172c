"""The programs that read a load's samples: har-stream, and what it is held against.

The peers that predict read JSON alone. The two that do not tell what no consumer goes below: the
least that paho and onnxruntime cost, and what the bytes and the operations of the model cost.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from tests.benchmarks.arrivals import HOP, windows_per_s
from tests.benchmarks.commands import command, tool
from tests.benchmarks.load_plan import MOST_PHONES, Load

Arguments = Callable[[int, Path, Path], Sequence[str]]
"""A command from the broker's port, the model's path, and where to write notes"""


@dataclass(frozen=True)
class Consumer:
    """A program that reads the samples."""

    name: str
    arguments: Arguments
    predicts: bool = True
    marked: bool = False
    """Wants SIGUSR1 at the beginning and at the end of the hold"""


def har_stream_flags(port: int, model: Path) -> list[str]:
    """Return the flags of a har-stream with a model at a broker's port."""
    return [
        *("--broker", "127.0.0.1", "--port", str(port)),
        *("--model", str(model), "--hop", str(HOP), "--log-level", "warning"),
        *("--max-devices", str(MOST_PHONES)),
    ]


HAR_STREAM: Final = Consumer(
    "har-stream",
    lambda port, model, _: [*command("har-stream"), *har_stream_flags(port, model)],
)

TIMED: Final = Consumer(
    "har-stream with timers",
    lambda port, model, notes: [
        *(*tool("stage_times"), str(notes), *har_stream_flags(port, model)),
        *("--threads", "1"),  # else what other threads classify is taken for the network's
    ],
    marked=True,
)


def _peer(program: str) -> Arguments:
    return lambda port, model, _: [*tool(program), "--port", str(port), "--model", str(model)]


PLAIN: Final = Consumer("plain consumer", _peer("plain_consumer"))
QUICK: Final = Consumer("quick consumer", _peer("quick_consumer"))
"""The plain one with today's libraries, and a batch a tick"""


def least_consumer(load: Load, *, batch: int) -> Consumer:
    """Return the least that paho and onnxruntime cost, with so many windows in a model's call."""
    flags = ["--windows", f"{windows_per_s(load):.3f}", "--batch", str(batch)]
    return Consumer(
        "bare paho and onnxruntime",
        lambda port, model, notes: [
            *tool("least_consumer"),
            *("--port", str(port), "--model", str(model), "--report", str(notes), *flags),
        ],
        predicts=False,
    )


def floor_consumer(load: Load) -> Consumer:
    """Return what makes arrays of the bytes of a load."""
    flags = ["--qos", str(load.qos), "--form", load.form]
    return Consumer(
        "floor",
        lambda port, model, notes: [
            *tool("floor_consumer"),
            *("--port", str(port), "--report", str(notes), *flags),
        ],
        predicts=False,
    )
