"""How good predictions are: accuracy, figures per class, confusion matrix, and their pictures.

Works on labels and predictions alone, for any list of activities; where they come from, and which
split may be looked at when, is decided elsewhere.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import numpy as np
from matplotlib.figure import Figure
from numpy.typing import NDArray

_DOTS_PER_INCH: Final = 120


@dataclass(frozen=True)
class Scores:
    """What a confusion matrix tells."""

    confusion: NDArray[np.int64]
    """``(n_activities, n_activities)`` windows: row the true activity, column the predicted one"""

    @property
    def accuracy(self) -> float:
        """Share of all windows that are predicted right, 0 to 1."""
        return float(np.trace(self.confusion) / self.confusion.sum())

    @property
    def support(self) -> NDArray[np.int64]:
        """Windows of each activity ``(n_activities,)``."""
        windows: NDArray[np.int64] = self.confusion.sum(axis=1)
        return windows

    @property
    def precision(self) -> NDArray[np.float64]:
        """Share of right ones among the predictions of each activity, 0 where there are none."""
        return _share(np.diag(self.confusion), self.confusion.sum(axis=0))

    @property
    def recall(self) -> NDArray[np.float64]:
        """Share of each activity's windows that are predicted right, 0 where there are none."""
        return _share(np.diag(self.confusion), self.support)

    @property
    def f1(self) -> NDArray[np.float64]:
        """Harmonic mean of precision and recall of each activity, 0 where both are 0."""
        return _share(2 * np.diag(self.confusion), self.confusion.sum(axis=0) + self.support)


def score(
    labels: NDArray[np.integer], predictions: NDArray[np.integer], *, n_activities: int
) -> Scores:
    """Return the scores of predicted labels ``(n_windows,)`` against the true ones.

    Raises:
        ValueError: there are none, or not equally many, or a label is out of range.
    """
    if labels.shape != predictions.shape or labels.ndim != 1 or not len(labels):
        raise ValueError(
            "labels and predictions must be equally many and at least one, "
            f"but have the shapes {labels.shape} and {predictions.shape}"
        )
    both = np.concatenate([labels, predictions])
    if both.min() < 0 or both.max() >= n_activities:
        raise ValueError(f"labels must be 0 to {n_activities - 1}")
    confusion = np.zeros((n_activities, n_activities), np.int64)
    np.add.at(confusion, (labels, predictions), 1)
    return Scores(confusion)


def mean_and_sd(values: Sequence[float]) -> tuple[float, float | None]:
    """Return mean and sample standard deviation, which is None for a single value."""
    sd = float(np.std(values, ddof=1)) if len(values) > 1 else None
    return float(np.mean(values)), sd


def with_sd(values: Sequence[float]) -> str:
    """Return mean and standard deviation as one reads them, ``0.9012 ± 0.0100``."""
    mean, sd = mean_and_sd(values)
    return f"{mean:.4f}" if sd is None else f"{mean:.4f} ± {sd:.4f}"


def table(scores: Scores, activities: Sequence[str]) -> str:
    """Return precision, recall, F1 and number of windows of each activity as lines of text."""
    width = max(map(len, activities))
    lines = [f"{'':{width}}  precision  recall      F1  windows"]
    lines += [
        f"{activity:{width}}  {precision:9.3f}  {recall:6.3f}  {f1:6.3f}  {support:7d}"
        for activity, precision, recall, f1, support in zip(
            activities, scores.precision, scores.recall, scores.f1, scores.support, strict=True
        )
    ]
    return "\n".join(lines)


def plot_confusion(scores: Scores, activities: Sequence[str], path: Path, *, title: str) -> None:
    """Draw the confusion matrix as a PNG: counts, coloured by their share of the true activity."""
    n_activities = len(activities)
    side = 3.0 + 0.9 * n_activities  # inches
    figure = Figure(figsize=(side, side), layout="constrained", dpi=_DOTS_PER_INCH)
    axes = figure.add_subplot()
    shares = _share(scores.confusion, scores.support[:, np.newaxis])
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


def _share(part: NDArray[np.integer], whole: NDArray[np.integer]) -> NDArray[np.float64]:
    shares: NDArray[np.float64] = np.zeros(np.broadcast_shapes(part.shape, whole.shape))
    np.divide(part, whole, out=shares, where=whole > 0)
    return shares
