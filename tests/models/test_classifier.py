import json
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from pipeline.models.card import ModelError
from pipeline.models.classifier import Classifier, find_model, find_models
from pipeline.recognition.wearer.frame import COLUMNS
from pipeline.recordings.uci_har import DataSet
from pipeline.vocabulary import ACTIVITIES, CHANNELS, SHIPPED_MODELS
from tests.models import kept_answers
from tests.processes import environment_with

MakeModel = Callable[..., Path]
MakeCard = Callable[..., dict[str, object]]


def windows(n_windows: int) -> np.ndarray:
    """Return windows of noise of a person's size."""
    noise = np.random.default_rng(n_windows).normal(size=(n_windows, 128, 9))
    return (noise * np.linspace(0.1, 1, 9)).astype(np.float32)


def test_the_card_is_read(tiny_model: Path) -> None:
    """A loaded model says what it is called and which activities it knows."""
    classifier = Classifier(tiny_model)
    assert "tiny@0badcafe" == classifier.card.identity
    assert ACTIVITIES == classifier.activities


def test_probabilities(tiny_model: Path) -> None:
    """Each window gets a probability for every activity, and they add up to one."""
    probabilities = Classifier(tiny_model).classify(windows(10))
    assert (10, 6) == probabilities.shape
    assert probabilities.dtype == np.float32
    np.testing.assert_allclose(probabilities.sum(axis=1), 1.0, rtol=0, atol=1e-6)


@pytest.mark.parametrize("batch_size", [1, 2, 7, 64, 299, 300, 1000])
def test_batches_do_not_matter(tiny_model: Path, batch_size: int) -> None:
    """However windows are batched, labels are equal and probabilities within 1e-6."""
    expected = Classifier(tiny_model, batch_size=300).classify(windows(300))

    actual = Classifier(tiny_model, batch_size=batch_size).classify(windows(300))

    assert expected.shape == actual.shape
    np.testing.assert_array_equal(expected.argmax(axis=1), actual.argmax(axis=1))
    np.testing.assert_allclose(actual, expected, rtol=0, atol=1e-6)


@pytest.mark.parametrize("name", SHIPPED_MODELS)
def test_threads_do_not_matter(name: str) -> None:
    """However many batches are classified at a time, probabilities are the same to the last bit."""
    some = windows(301)
    alone = Classifier(find_model(name), batch_size=20)
    with_others = Classifier(find_model(name), batch_size=20, threads=3)
    expected = alone.classify(some).tobytes()
    assert all(with_others.classify(some).tobytes() == expected for _ in range(5))
    assert with_others.batches == {20: 75, 1: 5}


@pytest.mark.parametrize("name", SHIPPED_MODELS)
def test_shipped_models_do_not_mind_batches(name: str) -> None:
    """The shipped models give the same probabilities, to the last bit, in any company."""
    some = windows(70)
    classifier = Classifier(find_model(name), batch_size=64)
    learnt = np.random.default_rng(5).normal(size=(len(some), len(COLUMNS))).astype(np.float32)

    for frames in (np.zeros_like(learnt), learnt):
        together = classifier.classify(some, frames)
        for size in (1, 2, 3, 5, 17, 31, 33, 69):
            parts = [
                classifier.classify(some[k : k + size], frames[k : k + size])
                for k in range(0, len(some), size)
            ]
            np.testing.assert_array_equal(together, np.concatenate(parts))


def test_no_windows(tiny_model: Path) -> None:
    """No windows have no probabilities."""
    assert (0, 6) == Classifier(tiny_model).classify(windows(0)).shape


def test_a_path_is_a_model(tiny_model: Path) -> None:
    """Any model file may be named by its path."""
    assert find_model(str(tiny_model)) == tiny_model


def test_an_unknown_name() -> None:
    """An unknown model is refused with the names that there are."""
    with pytest.raises(ModelError, match=r"no model 'transformer'.*lstm, cnn-lstm, conv-lstm"):
        find_model("transformer")


def test_auto_stands_for_two_models(tiny_model: Path) -> None:
    """The first is for phones worn as in training, the second for any; all else stands for one."""
    assert ["cnn-lstm", "cnn-lstm-any"] == [path.stem for path in find_models("auto")]
    assert ["training", "any"] == [Classifier(path).orientation for path in find_models("auto")]
    assert [find_model("lstm")] == find_models("lstm")
    assert [tiny_model] == find_models(str(tiny_model))
    with pytest.raises(ModelError):
        find_models("transformer")


def test_a_missing_file(tmp_path: Path) -> None:
    """A model file that is not there is named."""
    with pytest.raises(ModelError, match=r"gone\.onnx"):
        Classifier(tmp_path / "gone.onnx")


@pytest.mark.parametrize("content", [b"", b"this is no model", bytes(1000)])
def test_not_onnx(tmp_path: Path, content: bytes) -> None:
    """A file that is no ONNX model is refused as that."""
    path = tmp_path / "other.onnx"
    path.write_bytes(content)
    with pytest.raises(ModelError, match=r"other\.onnx: "):
        Classifier(path)


def test_a_folder(tmp_path: Path) -> None:
    """A folder in place of the model file is refused."""
    with pytest.raises(ModelError):
        Classifier(tmp_path)


@pytest.mark.parametrize("share", [0.1, 0.5, 0.9, 0.999])
def test_a_truncated_file(tiny_model: Path, tmp_path: Path, share: float) -> None:
    """A model file that ends early is refused."""
    whole = tiny_model.read_bytes()
    path = tmp_path / "half.onnx"
    path.write_bytes(whole[: int(len(whole) * share)])
    with pytest.raises(ModelError, match=r"half\.onnx: "):
        Classifier(path)


def test_no_card(make_model: MakeModel, tmp_path: Path) -> None:
    """An ONNX model without a card is refused with the hint how to make one with it."""
    path = make_model(tmp_path / "bare.onnx", card=None)
    with pytest.raises(ModelError, match=r"bare\.onnx: has no model card .* har-train"):
        Classifier(path)


@pytest.mark.parametrize("card", ["", "{", "[]", "{}", '{"name": "tiny"}', '{"name": 7}'])
def test_a_broken_card(make_model: MakeModel, tmp_path: Path, card: str) -> None:
    """A card that is not JSON or lacks entries is refused."""
    path = make_model(tmp_path / "odd.onnx", card=card)
    with pytest.raises(ModelError, match="its model card cannot be read"):
        Classifier(path)


@pytest.mark.parametrize(
    ("entry", "value", "said"),
    [
        ("channels", CHANNELS[::-1], "channels do not fit"),
        ("channels", CHANNELS[:6], "channels do not fit"),
        ("units", ("m/s2",) * 9, "units do not fit"),
        ("sampling_rate_hz", 100.0, r"sampling rate do not fit.*100\.0.*50\.0"),
        ("window_length", 256, "window length do not fit.*256.*128"),
        ("activities", ("WALKING",) * 6, "two or more different names"),
        ("activities", ("WALKING",), "two or more different names"),
        ("needed_rate_hz", 50.0, "needed rate does not fit.*needed_rate_hz 50; .*10 to 30 samples"),
        ("needed_rate_hz", 9.0, "needed rate does not fit.*needed_rate_hz 9; .*10 to 30 samples"),
        ("needed_rate_hz", "19", "model card cannot be read.*needed_rate_hz"),
    ],
)
def test_a_card_that_does_not_fit(
    make_model: MakeModel,
    make_card: MakeCard,
    tmp_path: Path,
    entry: str,
    value: object,
    said: str,
) -> None:
    """A model made for other signals is refused with what it was made for."""
    path = make_model(tmp_path / "other.onnx", card=make_card(**{entry: value}))
    with pytest.raises(ModelError, match=said):
        Classifier(path)


def test_the_rate_that_a_model_needs(
    make_model: MakeModel, make_card: MakeCard, tmp_path: Path
) -> None:
    """It is what the card says, else 30 samples a second."""
    for needed, changes in ((30.0, {}), (19.0, {"needed_rate_hz": 19.0})):
        path = make_model(tmp_path / "model.onnx", card=make_card(**changes))
        assert needed == Classifier(path).needed_rate_hz


@pytest.mark.parametrize(
    ("graph", "said"),
    [
        ({"input_name": "x"}, r"input must be .*'window'.*\(batch, 128, 9\).*'x'"),
        ({"output_name": "y"}, r"output must be .*'probabilities'.*\(batch, 6\).*'y'"),
        ({"shape": (128, 6)}, r"input must be .*\(batch, 128, 9\).*\[128, 6\]"),
        ({"shape": (64, 9)}, r"input must be .*\[64, 9\]"),
        ({"n_activities": 5}, r"output must be .*\(batch, 6\).*\[5\]"),
    ],
)
def test_a_graph_that_does_not_fit(
    make_model: MakeModel,
    make_card: MakeCard,
    tmp_path: Path,
    graph: dict[str, object],
    said: str,
) -> None:
    """A graph whose input or output is not what its card promises is refused."""
    path = make_model(tmp_path / "other.onnx", card=make_card(), **graph)
    with pytest.raises(ModelError, match=said):
        Classifier(path)


def test_a_graph_for_one_window(make_model: MakeModel, make_card: MakeCard, tmp_path: Path) -> None:
    """A graph that cannot take a whole batch is refused at once, not when a crowd comes."""
    path = make_model(tmp_path / "single.onnx", card=make_card(), batch=1)
    with pytest.raises(ModelError, match=r"single\.onnx: cannot classify 64 windows: "):
        Classifier(path)
    assert 3 == len(Classifier(path, batch_size=1).classify(windows(3)))


@pytest.mark.parametrize(
    ("answer", "said"),
    [
        ("Sqrt", "its probabilities are not numbers, such as .*nan"),
        ("Exp", "its probabilities are not numbers, such as .*inf"),  # infinite
        ("Identity", "its probabilities are negative, such as .*-"),
        ("Softplus", "its probabilities are more than 1"),
        ("Sigmoid", "its probabilities do not add up to 1"),
    ],
)
def test_answers_that_are_no_probabilities(
    make_model: MakeModel, make_card: MakeCard, tmp_path: Path, answer: str, said: str
) -> None:
    """A model that gives them for any window that phones may send is refused, with an example."""
    path = make_model(tmp_path / "odd.onnx", card=make_card(), answer=answer)
    with pytest.raises(ModelError, match=rf"odd\.onnx: {said}"):
        Classifier(path).check_answers()


@pytest.mark.parametrize("name", SHIPPED_MODELS)
def test_shipped_models_answer_extremes(name: str) -> None:
    """The shipped models give probabilities for whatever a phone may send."""
    Classifier(find_model(name)).check_answers()


@pytest.mark.parametrize("name", SHIPPED_MODELS)
def test_shipped_models_answer_as_when_they_were_trained(name: str, uci_har_data: DataSet) -> None:
    """Every window of the test split has its label, and the probabilities are within 1e-3."""
    kept = json.loads(kept_answers.FILE.read_text())[name]
    found = kept_answers.answers(Classifier(find_model(name)), uci_har_data.test.windows)
    assert kept["labels"] == found["labels"]
    np.testing.assert_allclose(found["probabilities"], kept["probabilities"], rtol=0, atol=1e-3)


def test_a_graph_without_end(make_model: MakeModel, make_card: MakeCard, tmp_path: Path) -> None:
    """A model that does not come to an end is refused after a while."""
    path = make_model(tmp_path / "endless.onnx", card=make_card(), answer="endless")
    with pytest.raises(ModelError, match=r"endless\.onnx: has not classified 1 windows after 0\.2"):
        Classifier(path, longest_s=0.2)


def test_windows_without_an_answer(
    make_model: MakeModel,
    make_card: MakeCard,
    tmp_path: Path,
    caplog: pytest.LogCaptureFixture,
) -> None:
    """What gives no numbers for some windows gives NaN for them alone; they are counted, told."""
    path = make_model(tmp_path / "some.onnx", card=make_card(), answer="some NaN")
    classifier = Classifier(path)
    classifier.check_answers()
    some = windows(5)
    some[[1, 3], :, 8] = 0.5
    probabilities = classifier.classify(some)
    assert [False, True, False, True, False] == np.isnan(probabilities).all(axis=1).tolist()
    np.testing.assert_allclose(probabilities[[0, 2, 4]].sum(axis=1), 1.0, rtol=0, atol=1e-6)
    assert 2 == classifier.n_unanswered
    assert "the model gives no numbers for 2 windows, 2 so far" in caplog.text


def test_nothing_is_reported_to_anybody(tmp_path: Path) -> None:
    """No id of this machine is kept by onnxruntime, and no database of what to report."""
    subprocess.run(
        [sys.executable, "-c", "import pipeline.models.classifier"],
        env=environment_with({"HOME": str(tmp_path), "XDG_CACHE_HOME": ""}),
        check=True,
    )
    assert [] == list(tmp_path.rglob("*"))
