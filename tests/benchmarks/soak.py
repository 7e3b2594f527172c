"""Whether har-stream holds out: phones come and go for half an hour, and one of them floods.

Phones play raw recordings at 20 times real time, with a message at QoS 1 every 25 ms. Every few
seconds one of them is gone for good and another comes; har-stream soon forgets the one that is
gone, and has room for far fewer phones than come in all. By turns, one more phone is silent and
floods: it sends a hundred times as many messages as the others, at QoS 0. More than har-stream
takes of one phone waits there, and of what waits the oldest are dropped, and counted.

Memory is that of the process, as the system counts it. Its mean over the last sixth of the time is
held against that over the second, after the first for warming up; each sixth has as much of the
flood. Latencies are of all but the first sixth, too: while the flood is on, and without it from
when what was left of it is gone. The limits are meant for the whole half hour: for the first ten
minutes or so, memory still grows to what the floods take.
"""

import argparse
import signal
import sys
import tempfile
from pathlib import Path
from types import FrameType
from typing import Final

import numpy as np

from tests.benchmarks.arrivals import HOP
from tests.benchmarks.figures import (
    FOLDER_VARIABLE,
    Figure,
    NotMeasuredError,
    conditions,
    print_conditions,
    show,
    write_figures,
)
from tests.benchmarks.load import recorded_motion
from tests.benchmarks.load_plan import LONGEST_S, RATE_HZ, ROWS
from tests.benchmarks.soak_outcome import Outcome, growth
from tests.benchmarks.soak_plan import FLOOD, FLOODER_TOPIC, LOAD_TOPIC, MAX_WAITING, SPEED, Soak
from tests.benchmarks.soak_run import run

MINUTES: Final = 30.0
PHONES: Final = 30
SHORTEST_S: Final = 12.0
LATENCY_LIMIT: Final = 1.2
"""Times the p99 without the flood"""
THROTTLE_LIMIT: Final = FLOOD / 2
"""Times as many windows as of any other phone: half of what the flooder sends"""
GROWTH_LIMIT_PERCENT: Final = 5.0
"""Some 5 MiB in the 20 min from the second sixth to the last, in which 600 phones come and 1.4
million messages of theirs. A leak of 9 KiB a phone or of 4 bytes a message would make more; what
the allocator keeps after a stall, in steps of 1 to 4 MiB, makes less"""


def figures(outcome: Outcome) -> list[Figure]:
    """Return what there is to say of a soak.

    Raises:
        NotMeasuredError: it was too short.
    """
    return [
        *_latency_figures(outcome),
        _came_figure(outcome),
        *_flood_figures(outcome),
        *_memory_figures(outcome),
    ]


def _latency_figures(outcome: Outcome) -> list[Figure]:
    found, usual, details = {}, {}, {}
    for flooded in (False, True):
        p50, found[flooded] = outcome.percentiles_ms(flooded=flooded, percents=(50, 99))
        usual[flooded] = outcome.usual_p99_ms(flooded=flooded)
        cores, of_all, of_machine = (
            outcome.cores(name, flooded=flooded) for name in ("cpu_s", "all_cpu_s", "machine_cpu_s")
        )
        details[flooded] = (
            f"p50 {p50:.0f}; har-stream takes {cores:.2f} of a core, all of the soak {of_all:.2f}, "
            f"others {max(of_machine - of_all, 0):.2f}"
        )
    return [
        Figure("soak", "latency p99, no flood", found[False], "ms", detail=details[False]),
        Figure("soak", "latency p99, flood", found[True], "ms", detail=details[True]),
        Figure(
            "soak",
            "latency p99, flood against no flood",
            found[True] / found[False],
            "times",
            limit=LATENCY_LIMIT,
            detail=f"median of each burst's and each silence's own {usual[True]:.0f} and "
            f"{usual[False]:.0f} ms; {outcome.soak.phones} phones, generators late p99 "
            f"{outcome.late_ms:.0f} ms",
        ),
    ]


def _came_figure(outcome: Outcome) -> Figure:
    soak, arrived = outcome.soak, outcome.arrived
    n_came = arrived.n_expected - arrived.n_lost
    known = max((load["phones"] for load in outcome.loads), default=0)
    return Figure(
        "soak",
        "predictions of those that do not flood",
        100 * n_came / arrived.n_expected,
        "%",
        limit=100.0,
        at_least=True,
        detail=f"{n_came:,} of {arrived.n_expected:,} came, {arrived.n_repeated:,} of them again, "
        f"{arrived.n_strange:,} strange; {soak.relay.phones:,} phones came and went, "
        f"room for {soak.max_devices}, known at once {known}",
    )


def _flood_figures(outcome: Outcome) -> list[Figure]:
    if not outcome.loads:
        raise NotMeasuredError(f"har-stream told nothing on {LOAD_TOPIC}")
    soak = outcome.soak
    n_sent = int(soak.flood.n_messages.sum())
    per_s = soak.flood.speed * RATE_HZ / ROWS
    others = sorted(outcome.dropped_topics - {FLOODER_TOPIC})
    named = "named in the log" if FLOODER_TOPIC in outcome.dropped_topics else "NOT IN THE LOG"
    a_phone = soak.relay.speed * RATE_HZ / HOP
    served = outcome.n_flood_windows / (n_sent / per_s) / a_phone
    return [
        Figure(
            "soak",
            "messages of the flooder dropped",
            outcome.loads[-1]["dropped"],
            "messages",
            limit=1.0,
            at_least=True,
            detail=f"counted on {LOAD_TOPIC}, {named}; of {n_sent:,} sent, {per_s:,.0f} a second"
            + (f"; BUT ALSO OF {', '.join(others)}" if others else ""),
        ),
        Figure(
            "soak",
            "windows of the flooder predicted",
            served,
            "times",
            limit=THROTTLE_LIMIT,
            detail=f"as many as of another phone, for {FLOOD} times as many messages",
        ),
    ]


def _memory_figures(outcome: Outcome) -> list[Figure]:
    soak = outcome.soak
    before, after, slope = growth(soak, outcome.samples, "resident_mib")
    broker_before, broker_after, broker_slope = growth(soak, outcome.samples, "broker_mib")
    hours = f"{soak.seconds / 60:g} min, {soak.seconds * SPEED / 3600:.1f} h of sample time"
    found = [
        Figure(
            "soak",
            "memory of har-stream, growth",
            100 * (after - before) / before,
            "%",
            limit=GROWTH_LIMIT_PERCENT,
            detail=f"{before:.1f} MiB over the second sixth, {after:.1f} over the last; {hours}",
            parts={"before_mib": before, "after_mib": after},
        ),
        Figure(
            "soak",
            "memory of har-stream, slope",
            slope,
            "MiB/h",
            detail=f"growth {after - before:+.2f} MiB",
        ),
        Figure(
            "soak",
            "memory of the broker, slope",
            broker_slope,
            "MiB/h",
            detail=f"{broker_before:.1f} MiB, then {broker_after:.1f}: "
            "it keeps what is retained of phones that are gone",
        ),
    ]
    if soak.state:
        before, after, _ = growth(soak, outcome.samples, "checkpoint_kib")
        largest = max(sample.checkpoint_kib for sample in outcome.samples)
        found.append(
            Figure(
                "soak",
                "checkpoint, the largest",
                largest,
                "KiB",
                detail=f"on average {before:.0f} over the second sixth, {after:.0f} over the last",
            )
        )
    return found


def measure(soak: Soak, data: Path | None) -> list[Figure]:
    """Return the figures of a soak.

    Raises:
        NotMeasuredError: Mosquitto is missing, or one of the programs failed.
    """
    with tempfile.TemporaryDirectory() as name:
        motion = Path(name) / "motion.npy"
        np.save(motion, recorded_motion(data))
        return figures(run(soak, motion))


def main() -> None:
    """Run the command."""
    parser = argparse.ArgumentParser(description="whether har-stream holds out for long")
    parser.add_argument("--minutes", type=float, default=MINUTES)
    parser.add_argument("--phones", type=int, default=PHONES, help="at any time")
    parser.add_argument("--no-state", action="store_true", help="without har-stream's --state")
    parser.add_argument("--data", type=Path, help=f"data set's zip or folder; {FOLDER_VARIABLE}")
    parser.add_argument("--json", type=Path, help="file for all figures")
    flags = parser.parse_args()
    longest, most = LONGEST_S / 60, _most_phones()
    if not SHORTEST_S / 60 <= flags.minutes <= longest or not 1 <= flags.phones <= most:
        parser.error(f"{SHORTEST_S / 60:g} to {longest:g} minutes, 1 to {most} phones")
    signal.signal(signal.SIGTERM, _exit)  # so that the processes started are stopped
    found = conditions()
    print_conditions(found)
    soak = Soak(flags.minutes * 60, flags.phones, state=not flags.no_state)
    try:
        figures = measure(soak, flags.data)
    except NotMeasuredError as error:
        sys.exit(f"  not measured: {error}")
    show(figures)
    if flags.json is not None:
        write_figures(flags.json, found, figures)


def _most_phones() -> int:
    """Return how many phones' messages may be unacknowledged until the second checkpoint."""
    return int(MAX_WAITING / 2 / (SPEED * RATE_HZ / ROWS))


def _exit(signum: int, frame: FrameType | None) -> None:
    sys.exit(128 + signum)


if __name__ == "__main__":
    main()
