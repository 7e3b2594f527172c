"""Makes model files as har-train exports them now: ``python -m trainer.commands.remake FILE ...``.

What was learnt stays, and so do the card and the version: only the graph is arranged otherwise, so
that a window takes less time. A file is replaced only by one that gives the same answers.
"""

import argparse
import sys
from pathlib import Path
from typing import Final

import numpy as np
import onnx

from pipeline.atomic_file import replacing_path
from pipeline.models.card import ModelError
from pipeline.models.classifier import Classifier
from pipeline.models.trial import trial_frames, trial_windows
from trainer.errors import SettingError
from trainer.training.processes import quiet_tensorflow

TOLERANCE: Final = 1e-3
"""Most that a probability may differ from that of the file before"""


def main() -> None:
    """Run the command."""
    parser = argparse.ArgumentParser(description="Make model files as har-train exports them now")
    parser.add_argument("files", metavar="FILE", type=Path, nargs="+", help="of har-train, .onnx")
    for path in parser.parse_args().files:
        try:
            remake(path)
        except (ModelError, SettingError) as error:
            sys.exit(f"remake: {error}")
        print(f"made {path} again")


def remake(path: Path) -> None:
    """Replace a model file by one with the same answers and the same card.

    Raises:
        ModelError: there is no model in the file, or none in what was made of it.
        SettingError: the answers would not be the same; nothing was replaced.
    """
    before = Classifier(path)
    with quiet_tensorflow():
        from trainer.graph.remaking import remade
    model = remade(onnx.load(path))
    with replacing_path(path) as unfinished:
        onnx.save_model(model, unfinished)
        after = Classifier(unfinished)
        after.check_answers()
        windows = trial_windows()
        for frames in trial_frames(len(windows)):
            difference = np.abs(
                after.classify(windows, frames) - before.classify(windows, frames)
            ).max()
            if not difference <= TOLERANCE:  # NaN is not either
                raise SettingError(
                    f"{path}: made again its probabilities would differ by {difference:.2g}; it "
                    "stays as it is: train it anew"
                )


if __name__ == "__main__":
    main()
