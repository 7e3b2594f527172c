"""What the shipped models answered when they were trained, by which any later form is checked.

Kept are a digest of the labels of the whole test split of UCI HAR, and the probabilities of every
hundredth window. ``python -m tests.models.kept_answers`` writes them anew: only after a training.
"""

import hashlib
import json
import os
from pathlib import Path
from typing import Final

import numpy as np
from numpy.typing import NDArray

from pipeline.models.classifier import Classifier, find_model
from pipeline.models.trial import trial_frames
from pipeline.recordings import uci_har
from pipeline.vocabulary import SHIPPED_MODELS

FILE: Final = Path(__file__).with_suffix(".json")
_EVERY: Final = 100
_DIGITS: Final = 5


def answers(classifier: Classifier, windows: NDArray[np.float32]) -> dict[str, object]:
    """Return what is kept of a model's answers to windows, of wearers unknown and known."""
    found = [classifier.classify(windows, frames) for frames in trial_frames(len(windows))]
    labels = np.concatenate(found).argmax(axis=1).astype(np.uint8)
    return {
        "labels": hashlib.sha256(labels.tobytes()).hexdigest(),
        "probabilities": [
            [round(float(value), _DIGITS) for value in row]
            for probabilities in found
            for row in probabilities[::_EVERY]
        ],
    }


def main() -> None:
    """Run the command."""
    windows = uci_har.load(Path(os.environ["HAR_DATA_DIR"]), download=False).test.windows
    kept = {name: answers(Classifier(find_model(name)), windows) for name in SHIPPED_MODELS}
    lines = ",\n".join(f"{json.dumps(name)}: {json.dumps(one)}" for name, one in kept.items())
    FILE.write_text(f"{{\n{lines}\n}}\n")


if __name__ == "__main__":
    main()
