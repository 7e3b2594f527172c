"""The pictures of a report: confusion matrix, learning curves, reliability diagram."""

from collections.abc import Sequence
from pathlib import Path
from typing import Final

import numpy as np
from matplotlib.figure import Figure

from trainer.evaluation import Reliability, Scores, share

_DOTS_PER_INCH: Final = 120


def plot_confusion(scores: Scores, activities: Sequence[str], path: Path, *, title: str) -> None:
    """Draw the confusion matrix as a PNG: counts, coloured by their share of the true activity."""
    n_activities = len(activities)
    side = 3.0 + 0.9 * n_activities  # inches
    figure = Figure(figsize=(side, side), layout="constrained", dpi=_DOTS_PER_INCH)
    axes = figure.add_subplot()
    shares = share(scores.confusion, scores.support[:, np.newaxis])
    image = axes.imshow(shares, cmap="Blues", vmin=0, vmax=1)
    figure.colorbar(image, ax=axes, label="share of the true activity", shrink=0.7)
    names = [activity.replace("_", "\n") for activity in activities]
    axes.set_xticks(range(n_activities), names, rotation=45, ha="right", rotation_mode="anchor")
    axes.set_yticks(
        range(n_activities),
        [f"{name}\n({count})" for name, count in zip(names, scores.support, strict=True)],
    )
    for row in range(n_activities):
        for column in range(n_activities):
            axes.text(
                column,
                row,
                str(scores.confusion[row, column]),
                ha="center",
                va="center",
                color="white" if shares[row, column] > 0.5 else "black",
            )
    axes.set_xlabel("predicted activity")
    axes.set_ylabel("true activity (windows)")
    axes.set_title(f"{title}\naccuracy {scores.accuracy:.4f} on {scores.support.sum()} windows")
    figure.savefig(path)


def plot_learning_curves(
    curves: Sequence[dict[str, list[float]]],
    path: Path,
    *,
    title: str,
    chosen_epochs: int,
    labels: dict[str, str],
) -> None:
    """Draw loss and accuracy over the epochs as a PNG, one line a curve and run.

    Args:
        curves: a run each, the first drawn boldly: its histories by name, one number an epoch;
            names end in ``loss`` or ``accuracy``.
        path: the PNG file.
        title: heads the picture.
        chosen_epochs: number of epochs to mark.
        labels: what to call the histories; what comes before ``loss`` or ``accuracy`` names them.
    """
    figure = Figure(figsize=(11, 4.5), layout="constrained", dpi=_DOTS_PER_INCH)
    for axes, quantity in zip(figure.subplots(1, 2), ("loss", "accuracy"), strict=True):
        for number, (prefix, label) in enumerate(labels.items()):
            for run, histories in enumerate(curves):
                values = histories.get(f"{prefix}{quantity}", [])
                axes.plot(
                    range(1, len(values) + 1),
                    values,
                    color=f"C{number}",
                    marker="." if run == 0 else None,
                    label=label if run == 0 and values else None,
                    linewidth=2.0 if run == 0 else 0.8,
                    alpha=1.0 if run == 0 else 0.4,
                )
        axes.axvline(chosen_epochs, color="grey", linestyle=":", label="chosen epochs")
        axes.set_xlabel("epoch")
        axes.set_ylabel(f"{quantity} (cross-entropy)" if quantity == "loss" else quantity)
        axes.xaxis.get_major_locator().set_params(integer=True)
        axes.grid(alpha=0.3)
        axes.legend()
    figure.suptitle(title)
    figure.savefig(path)


def plot_reliability(curves: dict[str, Reliability], path: Path, *, title: str) -> None:
    """Draw as a PNG how often predictions are right by how sure they are, one line a model."""
    figure = Figure(figsize=(6.5, 7.5), layout="constrained", dpi=_DOTS_PER_INCH)
    above, below = figure.subplots(2, 1, sharex=True, height_ratios=[3, 1])
    above.plot([0, 1], [0, 1], color="grey", linestyle=":", label="as sure as right")
    for name, curve in curves.items():
        there = curve.windows > 0
        above.plot(
            curve.confidence[there],
            curve.accuracy[there],
            marker=".",
            label=f"{name}: ECE {curve.calibration_error:.3f}",
        )
        below.plot(curve.confidence[there], curve.windows[there], marker=".")
    above.set_ylabel("share of right predictions")
    above.legend()
    below.set_yscale("log")
    below.set_xlabel("probability of the predicted activity")
    below.set_ylabel("windows")
    for axes in (above, below):
        axes.grid(alpha=0.3)
    above.set_title(title)
    figure.savefig(path)
