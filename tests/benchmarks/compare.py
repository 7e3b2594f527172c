"""What a message and a phone cost this checkout's har-stream, against those of another checkout.

``git worktree add --detach ../before COMMIT`` makes the other; ``python -m
tests.benchmarks.compare ../before`` then puts the same load on both in turn, again and again in
one run, so that what else the machine does reaches both alike. Both run under this interpreter.
"""

import argparse
import statistics
import sys
import tempfile
import tomllib
from collections.abc import Sequence
from pathlib import Path
from typing import Final

import numpy as np

from pipeline.vocabulary import AUTO_FAMILY
from tests.benchmarks.arrivals import HOP
from tests.benchmarks.commands import ROOT
from tests.benchmarks.figures import (
    Figure,
    NotMeasuredError,
    conditions,
    present_models,
    print_conditions,
    show,
)
from tests.benchmarks.load import recorded_motion
from tests.benchmarks.load_consumers import Consumer
from tests.benchmarks.load_plan import ALL_FORMS, JSON, Load
from tests.benchmarks.load_search import FEW, SHORT
from tests.benchmarks.load_trial import Trial, run

PHONES: Final = 1500
ROUNDS: Final = 4
NOISE: Final = 1.1
"""Medians of so few runs differ by some per cent where the code is the same"""


def checkout(folder: Path) -> Consumer:
    """Return har-stream as a checkout has it.

    Raises:
        NotMeasuredError: the folder is no checkout of har-stream.
    """
    try:
        project = tomllib.loads((folder / "pyproject.toml").read_text())["project"]
        module, _, function = project["scripts"]["har-stream"].partition(":")
    except (OSError, tomllib.TOMLDecodeError, KeyError) as error:
        raise NotMeasuredError(f"{folder} is no checkout of har-stream: {error}") from error
    # The other's packages come before those that PYTHONPATH and the environment name.
    program = (
        f"import sys; sys.path.insert(0, {str(folder.resolve())!r}); "
        f"from {module} import {function}; {function}()"
    )

    def arguments(port: int, model: Path, notes: Path) -> Sequence[str]:
        return [
            *(sys.executable, "-c", program),
            *("--broker", "127.0.0.1", "--port", str(port)),
            *("--model", str(model), "--hop", str(HOP), "--log-level", "warning"),
        ]

    return Consumer(str(folder), arguments)


def measure(other: Path, model: Path, phones: int, rounds: int, form: str) -> list[Figure]:
    """Return CPU time a message and memory a phone, medians of the rounds, ours and the other's.

    Raises:
        NotMeasuredError: Mosquitto is missing, one of the programs failed, or lost predictions.
    """
    sides = {"this": checkout(ROOT), "other": checkout(other)}
    message_us: dict[str, list[float]] = {side: [] for side in sides}
    memory_kib: dict[str, list[float]] = {side: [] for side in sides}
    with tempfile.TemporaryDirectory() as name:
        motion = Path(name) / "motion.npy"
        np.save(motion, recorded_motion(None))
        for number in range(rounds):
            # Whoever came second comes first now.
            for side in sorted(sides, reverse=number % 2 == 0):
                few, many = (
                    _trial(sides[side], model, n_phones, form, motion) for n_phones in (FEW, phones)
                )
                message_us[side].append(many.message_us)
                growth_mib = many.resident_mib - few.resident_mib
                memory_kib[side].append(growth_mib * 1024 / (phones - FEW))
                print(
                    f"    {side}: {message_us[side][-1]:.1f} µs a message, "
                    f"{memory_kib[side][-1]:.1f} KiB a phone",
                    flush=True,
                )
    return [
        _figure(f"{model.stem}: CPU time a message", "µs", message_us),
        _figure(f"{model.stem}: memory a phone", "KiB", memory_kib),
    ]


def _trial(consumer: Consumer, model: Path, phones: int, form: str, motion: Path) -> Trial:
    load = Load(phones, 1, SHORT.hold_s, SHORT.ramp_s, form=form)
    trial = run(consumer, model, load, motion)
    if trial.arrived.n_lost or trial.arrived.n_strange:
        raise NotMeasuredError(f"{consumer.name}, {phones:,} phones: {trial.shortfall}")
    return trial


def _figure(name: str, unit: str, values: dict[str, list[float]]) -> Figure:
    this, other = (statistics.median(values[side]) for side in ("this", "other"))
    spread = {side: f"{min(those):.1f} to {max(those):.1f}" for side, those in values.items()}
    return Figure(
        "compare",
        name,
        this,
        unit,
        limit=NOISE * other,
        peer="the other checkout",
        peer_value=other,
        detail=f"this {spread['this']}, other {spread['other']}",
    )


def main() -> None:
    """Run the command."""
    parser = argparse.ArgumentParser(description="Hold the cost of har-stream against a checkout's")
    parser.add_argument("other", type=Path, help="folder of the other checkout")
    parser.add_argument("--model", default=AUTO_FAMILY)
    parser.add_argument("--phones", type=int, default=PHONES)
    parser.add_argument("--rounds", type=int, default=ROUNDS)
    parser.add_argument("--form", choices=ALL_FORMS, default=JSON, help="of the messages")
    options = parser.parse_args()
    print_conditions(conditions())
    try:
        for _, model in present_models([options.model]):
            measured = measure(options.other, model, options.phones, options.rounds, options.form)
            show(measured)
    except NotMeasuredError as error:
        sys.exit(f"  not measured: {error}")


if __name__ == "__main__":
    main()
