"""How a replay went: the closing table, for people and as JSON."""

from collections import Counter
from dataclasses import dataclass

import numpy as np
from rich.console import Console
from rich.table import Table

from pipeline.commands.replay.replay import Replay
from pipeline.vocabulary import ACTIVITIES


@dataclass(frozen=True)
class Report:
    """The closing table."""

    windows_expected: int
    windows_received: int
    windows_labelled: int
    """Received windows with one known activity throughout; the others do not count"""
    windows_of_other_activities: dict[str, int]
    """Labelled windows of activities that the model has not, which it cannot recognise"""
    accuracy: float | None
    """Share of the other labelled windows that were recognised, 0 to 1"""
    recall: dict[str, float | None]
    confusion: dict[str, dict[str, int]]
    """Labelled windows by activity and by what was recognised"""
    latency_ms: dict[str, float | None]
    """From handing over a window's last sample to receiving its prediction"""
    samples: int
    seconds: float
    """From the first message sent to the last prediction received, or the last message sent"""


def report(replay: Replay) -> Report:
    """Return how a replay went."""
    expected = replay.windows.by_number.values()
    received = [window for window in expected if window.predicted_activity is not None]
    labelled = [window for window in received if window.true_activity is not None]
    counts = Counter((window.true_activity, window.predicted_activity) for window in labelled)
    new = Counter(window.true_activity or "" for window in labelled if not window.is_recognisable)
    n_recognisable = len(labelled) - new.total()
    others = sorted({name for pair in counts for name in pair if name} - set(ACTIVITIES))
    activities = [*ACTIVITIES, *others]
    confusion = {
        true: {predicted: counts[true, predicted] for predicted in activities}
        for true in activities
    }
    totals = {activity: sum(row.values()) for activity, row in confusion.items()}
    right = {activity: confusion[activity][activity] for activity in activities}
    latencies_ms = [w.latency_s * 1000 for w in received if w.latency_s is not None]
    percentiles = np.percentile(latencies_ms, [50, 95, 99]) if latencies_ms else [None] * 3
    return Report(
        windows_expected=len(expected),
        windows_received=len(received),
        windows_labelled=len(labelled),
        windows_of_other_activities=dict(sorted(new.items())),
        accuracy=sum(right.values()) / n_recognisable if n_recognisable else None,
        recall={a: right[a] / totals[a] if totals[a] else None for a in activities},
        confusion=confusion,
        latency_ms={
            name: None if value is None else round(float(value), 3)
            for name, value in zip(("p50", "p95", "p99"), percentiles, strict=True)
        },
        samples=replay.n_sent,
        seconds=max(replay.seconds, replay.answered_seconds),
    )


def print_report(result: Report, console: Console, *, n_unexpected: int) -> None:
    """Show the closing table to people.

    Args:
        result: what it shows.
        console: where.
        n_unexpected: predictions that came for other windows.
    """
    table = Table(title="Windows by activity (rows) and what was recognised (columns)")
    table.add_column("", no_wrap=True)
    for number in range(1, len(result.recall) + 1):
        table.add_column(str(number), justify="right", no_wrap=True)
    table.add_column("recall", justify="right", no_wrap=True)
    for number, (activity, recall) in enumerate(result.recall.items(), 1):
        table.add_row(
            f"{number} {activity}",
            *map(str, result.confusion[activity].values()),
            "-" if recall is None else f"{recall:.4f}",
        )
    console.print(table)
    console.print(
        f"windows   {result.windows_received} received of {result.windows_expected} expected"
    )
    if not result.windows_expected:
        console.print(
            "          no 2.56 s of all sensors in a row: har/DEVICE/info says what is missing"
        )
    if n_unexpected:
        console.print(
            f"          {n_unexpected} more came for windows that were not expected: "
            "give the --hop of har-stream"
        )
    n_new = sum(result.windows_of_other_activities.values())
    if result.accuracy is not None:
        n_recognisable = result.windows_labelled - n_new
        console.print(f"accuracy  {result.accuracy:.4f} over {n_recognisable} labelled windows")
    if n_new:
        names = ", ".join(f"{name} {n}" for name, n in result.windows_of_other_activities.items())
        console.print(f"          {n_new} more are of activities that the model has not: {names}")
    if n_unlabelled := result.windows_received - result.windows_labelled:
        console.print(f"          {n_unlabelled} have no label, or several")
    p50, p95, p99 = result.latency_ms.values()
    if p50 is not None:
        console.print(f"latency   p50 {p50:.1f} ms, p95 {p95:.1f} ms, p99 {p99:.1f} ms")
    if result.seconds:
        console.print(
            f"rate      {result.samples / result.seconds:,.0f} samples/s, "
            f"{result.windows_received / result.seconds:,.0f} windows/s"
        )
