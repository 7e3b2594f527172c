import sys
from pathlib import Path

import onnx
import pytest

from pipeline.models.classifier import Classifier, find_model
from trainer.commands import remake

pytestmark = pytest.mark.train


def test_a_model_of_other_origin_stays_a_model(
    tiny_model: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Made again it has the same card, and the command says what it did."""
    path = tmp_path / "model.onnx"
    path.write_bytes(tiny_model.read_bytes())
    monkeypatch.setattr(sys, "argv", ["remake", str(path)])
    remake.main()
    assert Classifier(tiny_model).card == Classifier(path).card
    assert [path] == list(tmp_path.iterdir())


def test_a_model_whose_answers_would_change_stays_as_it_is(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The file is not replaced, and the command fails with what to do."""
    path = tmp_path / "model.onnx"
    path.write_bytes(find_model("lstm").read_bytes())

    def forgetful(model: onnx.ModelProto) -> onnx.ModelProto:
        """Return a model of which a weight is another."""
        tensor = next(t for t in model.graph.initializer if list(t.dims) == [6])
        tensor.raw_data = bytes(len(tensor.raw_data))
        return model

    monkeypatch.setattr("trainer.graph.remaking.remade", forgetful)
    monkeypatch.setattr(sys, "argv", ["remake", str(path)])
    with pytest.raises(SystemExit, match=r"probabilities would differ by .*train it anew"):
        remake.main()
    assert find_model("lstm").read_bytes() == path.read_bytes()
    assert [path] == list(tmp_path.iterdir())


def test_a_file_that_is_no_model(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """It is named."""
    monkeypatch.setattr(sys, "argv", ["remake", str(tmp_path / "gone.onnx")])
    with pytest.raises(SystemExit, match=r"remake: .*gone\.onnx"):
        remake.main()
