"""Models that are made for tests: small, untrained, and each good for one thing."""

from pathlib import Path
from typing import TYPE_CHECKING

import msgspec
import numpy as np

from pipeline.models.card import CARD_KEY, ModelCard
from pipeline.recognition.wearer.frame import COLUMNS
from pipeline.vocabulary import ACTIVITIES, CHANNELS, SAMPLING_RATE_HZ, UNITS, WINDOW_LENGTH

if TYPE_CHECKING:
    from onnx import NodeProto


def card_of(**changes: object) -> dict[str, object]:
    """Return a valid model card as JSON data, with some entries changed."""
    card = ModelCard(
        name="tiny",
        version="0badcafe",
        activities=ACTIVITIES,
        channels=CHANNELS,
        units=UNITS,
        sampling_rate_hz=SAMPLING_RATE_HZ,
        window_length=WINDOW_LENGTH,
        training_data_hash="",
        seed=0,
        test_accuracy=0.0,
        selection="not trained",
        licence="Apache-2.0",
    )
    return msgspec.to_builtins(card) | changes


def write_tiny_model(
    path: Path,
    *,
    card: dict[str, object] | str | None,
    input_name: str = "window",
    output_name: str = "probabilities",
    shape: tuple[int, int] = (WINDOW_LENGTH, len(CHANNELS)),
    n_activities: int = len(ACTIVITIES),
    batch: int | str = "batch",
    answer: str = "Softmax",
) -> Path:
    """Write a model that looks at each channel's mean and mean deviation from zero.

    Its weights are arbitrary, but of a size that lets several activities win on real windows.
    ``answer`` names what it makes of the weighted sums: an ONNX operation; ``some NaN``, which is
    the softmax but where the last channel's mean is about 0.5; ``endless``; or ``some endless``,
    which is the softmax but where that mean is about 0.5.
    """
    from onnx import TensorProto, helper, numpy_helper, save

    rng = np.random.default_rng(5)
    weights = rng.normal(size=(2 * shape[1], n_activities)).astype(np.float32) * 3
    axis = numpy_helper.from_array(np.array([1]), "axis")
    graph = helper.make_graph(
        [
            helper.make_node("ReduceMean", [input_name, "axis"], ["mean"], keepdims=0),
            helper.make_node("Abs", [input_name], ["size"]),
            helper.make_node("ReduceMean", ["size", "axis"], ["mean_size"], keepdims=0),
            helper.make_node("Concat", ["mean", "mean_size"], ["features"], axis=1),
            helper.make_node("MatMul", ["features", "weights"], ["logits"]),
            *_answer_nodes(answer, output_name),
        ],
        "tiny",
        [helper.make_tensor_value_info(input_name, TensorProto.FLOAT, [batch, *shape])],
        [helper.make_tensor_value_info(output_name, TensorProto.FLOAT, [batch, n_activities])],
        [
            numpy_helper.from_array(weights, "weights"),
            axis,
            *(
                numpy_helper.from_array(np.array(value), name)
                for name, value in {
                    "true": True, "most": 2**62, "last": [shape[1] - 1], "end": [shape[1]],
                    "half": np.float32(0.5), "near": np.float32(0.01), "zero": np.float32(0),
                }.items()
            ),
        ],
    )  # fmt: skip
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 18)], ir_version=10)
    if card is not None:
        text = card if isinstance(card, str) else msgspec.json.encode(card).decode()
        helper.set_model_props(model, {CARD_KEY: text})
    save(model, str(path))
    return path


def _answer_nodes(answer: str, output_name: str) -> "list[NodeProto]":
    """Return the nodes from ``logits`` to the output of `write_tiny_model`."""
    from onnx import TensorProto, helper

    make = helper.make_node
    if answer == "some NaN":
        return [
            make("Slice", ["mean", "last", "end", "axis"], ["z"]),
            make("Sub", ["z", "half"], ["distance"]),
            make("Abs", ["distance"], ["size_of_it"]),
            make("Sub", ["size_of_it", "near"], ["beyond"]),
            make("Sqrt", ["beyond"], ["root"]),  # NaN nearby
            make("Mul", ["root", "zero"], ["nothing"]),
            make("Softmax", ["logits"], ["probable"]),
            make("Add", ["probable", "nothing"], [output_name]),
        ]
    if answer.endswith("endless"):
        body = helper.make_graph(
            [
                make("Identity", ["go_on"], ["still_go_on"]),
                make("Softmax", ["before"], ["after"]),
            ],
            "body",
            [
                helper.make_tensor_value_info("number", TensorProto.INT64, []),
                helper.make_tensor_value_info("go_on", TensorProto.BOOL, []),
                helper.make_tensor_value_info("before", TensorProto.FLOAT, None),
            ],
            [
                helper.make_tensor_value_info("still_go_on", TensorProto.BOOL, []),
                helper.make_tensor_value_info("after", TensorProto.FLOAT, None),
            ],
        )
        if answer == "endless":
            return [make("Loop", ["most", "true", "logits"], [output_name], body=body)]
        return [
            make("Slice", ["mean", "last", "end", "axis"], ["z"]),
            make("Sub", ["z", "half"], ["distance"]),
            make("Abs", ["distance"], ["size_of_it"]),
            make("ReduceMin", ["size_of_it"], ["least"], keepdims=0),
            make("Less", ["least", "near"], ["is_nearby"]),
            make("Softmax", ["logits"], ["probable"]),
            make("Loop", ["most", "is_nearby", "probable"], [output_name], body=body),
        ]
    return [make(answer, ["logits"], [output_name])]


def write_glass_model(path: Path) -> Path:
    """Write a model whose probabilities are its window's first sample and its last.

    At a hop of one sample it shows everything that reaches the model.
    """
    from onnx import TensorProto, helper, numpy_helper, save

    names = [f"{which} {channel}" for which in ("first", "last") for channel in CHANNELS]
    graph = helper.make_graph(
        [
            helper.make_node("Gather", ["window", "places"], ["ends"], axis=1),  # (batch, 2, 9)
            helper.make_node("Flatten", ["ends"], ["probabilities"]),  # (batch, 18)
        ],
        "glass",
        [helper.make_tensor_value_info("window", TensorProto.FLOAT, ["batch", 128, 9])],
        [helper.make_tensor_value_info("probabilities", TensorProto.FLOAT, ["batch", 18])],
        [numpy_helper.from_array(np.array([0, WINDOW_LENGTH - 1]), "places")],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 18)], ir_version=10)
    card = msgspec.json.encode(card_of(name="glass", activities=names)).decode()
    helper.set_model_props(model, {CARD_KEY: card})
    save(model, str(path))
    return path


def write_wearer_model(path: Path, *, card: dict[str, object] | None = None) -> Path:
    """Write a model whose probabilities are its wearer's frame, in the order of `COLUMNS`."""
    from onnx import TensorProto, helper, numpy_helper, save

    graph = helper.make_graph(
        [
            helper.make_node("ReduceMean", ["window", "axes"], ["mean"], keepdims=1),
            helper.make_node("Squeeze", ["mean", "axes"], ["flat"]),  # (batch,)
            helper.make_node("Unsqueeze", ["flat", "last"], ["column"]),  # (batch, 1)
            helper.make_node("Mul", ["column", "zero"], ["nothing"]),
            helper.make_node("Add", ["wearer", "nothing"], ["probabilities"]),
        ],
        "wearer",
        [
            helper.make_tensor_value_info("window", TensorProto.FLOAT, ["batch", 128, 9]),
            helper.make_tensor_value_info("wearer", TensorProto.FLOAT, ["batch", len(COLUMNS)]),
        ],
        [helper.make_tensor_value_info("probabilities", TensorProto.FLOAT, ["batch", 10])],
        [
            numpy_helper.from_array(np.array([1, 2]), "axes"),
            numpy_helper.from_array(np.array([1]), "last"),
            numpy_helper.from_array(np.float32(0), "zero"),
        ],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 18)], ir_version=10)
    entries = card_of(name="wearer", activities=list(COLUMNS), wearer=list(COLUMNS)) | (card or {})
    helper.set_model_props(model, {CARD_KEY: msgspec.json.encode(entries).decode()})
    save(model, str(path))
    return path
