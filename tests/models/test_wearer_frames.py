from pathlib import Path

import numpy as np
import pytest

from pipeline.models.card import ModelError
from pipeline.models.classifier import Classifier, find_model
from pipeline.recognition.wearer.frame import COLUMNS
from tests.made_models import card_of, write_tiny_model, write_wearer_model

WINDOWS = np.zeros((5, 128, 9), np.float32)
FRAMES = np.arange(50, dtype=np.float32).reshape(5, 10)


def test_a_model_gets_the_frames_that_it_takes(tmp_path: Path) -> None:
    """Each window comes with its wearer's frame, in whatever batches."""
    for batch_size in (1, 2, 64):
        model = Classifier(write_wearer_model(tmp_path / "m.onnx"), batch_size=batch_size)
        assert FRAMES.tolist() == model.classify(WINDOWS, FRAMES).tolist()
        assert model.gait is not None


def test_without_frames_nothing_is_known(tmp_path: Path) -> None:
    """A model that takes frames gets zeros where there are none."""
    model = Classifier(write_wearer_model(tmp_path / "m.onnx"))
    assert np.zeros((5, len(COLUMNS))).tolist() == model.classify(WINDOWS).tolist()


def test_other_models_do_not_notice_frames() -> None:
    """A model of windows alone gives the same with frames and without, and takes none."""
    model = Classifier(find_model("cnn-lstm"))
    assert model.classify(WINDOWS).tobytes() == model.classify(WINDOWS, FRAMES).tobytes()
    assert model.gait is None


def test_a_card_and_a_graph_that_differ(tmp_path: Path) -> None:
    """A graph without the frames that its card promises is refused, and the other way about."""
    promised = write_tiny_model(tmp_path / "a.onnx", card=card_of(wearer=list(COLUMNS)))
    with pytest.raises(ModelError, match=r"input must be .*'wearer' of shape \(batch, 10\)"):
        Classifier(promised)
    hidden = write_wearer_model(tmp_path / "b.onnx", card={"wearer": []})
    with pytest.raises(ModelError, match=r"input must be one float32 tensor 'window' .*'wearer'"):
        Classifier(hidden)


def test_frames_of_other_columns(tmp_path: Path) -> None:
    """A model that was trained with other columns is refused."""
    path = write_wearer_model(tmp_path / "m.onnx", card={"wearer": list(COLUMNS[::-1])})
    with pytest.raises(ModelError, match="columns of the wearer's frame do not fit"):
        Classifier(path)
