from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from trainer.evaluation import reliability, score
from trainer.pictures import plot_confusion, plot_learning_curves, plot_reliability

pytestmark = pytest.mark.train


@pytest.mark.parametrize("n_activities", [2, 6, 12])
def test_picture_of_a_confusion_matrix(n_activities: int, tmp_path: Path) -> None:
    """It is a PNG that grows with the number of activities."""
    labels = np.arange(n_activities)
    path = tmp_path / "confusion.png"
    names = [f"ACTIVITY_{label}" for label in labels]
    scores = score(labels, labels, n_activities=n_activities)
    plot_confusion(scores, names, path, title="example")
    with Image.open(path) as image:
        assert "PNG" == image.format
        assert image.width >= 300 + 100 * n_activities


def test_picture_of_learning_curves(tmp_path: Path) -> None:
    """Runs of different lengths, with histories missing, are drawn."""
    runs = [
        {"loss": [1.0, 0.5], "accuracy": [0.5, 0.8], "val_loss": [1.1], "val_accuracy": [0.4]},
        {"loss": [0.9], "accuracy": [0.6]},
    ]
    path = tmp_path / "curves.png"
    labels = {"": "training", "val_": "held out"}
    plot_learning_curves(runs, path, title="example", chosen_epochs=1, labels=labels)
    with Image.open(path) as image:
        assert "PNG" == image.format


def test_picture_of_reliability(tmp_path: Path) -> None:
    """Models of which one is always sure, so that most steps are empty, are drawn."""
    labels = np.array([0, 1, 1, 0])
    curves = {
        "sure": reliability(np.eye(2)[[0, 1, 0, 0]], labels),
        "unsure": reliability(np.full((4, 2), 0.5), labels),
    }
    path = tmp_path / "reliability.png"
    plot_reliability(curves, path, title="example")
    with Image.open(path) as image:
        assert "PNG" == image.format
