from collections.abc import Callable

import numpy as np
import onnx
import onnxruntime
import pytest
from numpy.typing import NDArray
from onnx import TensorProto, helper, numpy_helper

from trainer.graph.faster import faster

pytestmark = pytest.mark.train

Constants = dict[str, NDArray[np.float32] | list[int]]
Node = tuple[str, list[str], str, dict[str, object]]


def made(
    nodes: list[Node], constants: Constants, taken: list[int], given: list[int]
) -> onnx.ModelProto:
    """Return a model from ``x`` ``(batch, *taken)`` to ``y`` ``(batch, *given)``."""
    x, y = (
        helper.make_tensor_value_info(name, TensorProto.FLOAT, ["batch", *shape])
        for name, shape in (("x", taken), ("y", given))
    )
    graph = helper.make_graph(
        [
            helper.make_node(kind, inputs, [output], output, **attributes)
            for kind, inputs, output, attributes in nodes
        ],
        "made",
        [x],
        [y],
        [
            numpy_helper.from_array(
                np.array(values, np.int64) if isinstance(values, list) else values, name
            )
            for name, values in constants.items()
        ],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 18)], ir_version=9)
    onnx.checker.check_model(model, full_check=True)
    return model


def answer(model: onnx.ModelProto, x: NDArray[np.float32]) -> NDArray[np.float32]:
    """Return ``y`` of a model, that onnxruntime changes as little as it can."""
    options = onnxruntime.SessionOptions()
    options.graph_optimization_level = onnxruntime.GraphOptimizationLevel.ORT_DISABLE_ALL
    session = onnxruntime.InferenceSession(model.SerializeToString(), options)
    answers: NDArray[np.float32] = session.run(["y"], {"x": x})[0]
    return answers


def kinds(model: onnx.ModelProto) -> list[str]:
    """Return the kinds of the nodes of a model."""
    return [node.op_type for node in model.graph.node]


def numbers(*shape: int) -> NDArray[np.float32]:
    """Return some numbers of a shape, the same each time."""
    return np.random.default_rng(sum(shape)).normal(size=shape).astype(np.float32)


CONV: dict[str, object] = {
    "kernel_shape": [1, 3],
    "pads": [0, 1, 0, 1],
    "strides": [1, 1],
    "dilations": [1, 1],
    "group": 1,
}
LSTM: Constants = {"w": numbers(1, 32, 5), "r": numbers(1, 32, 8), "b": numbers(1, 64)}


def convolution() -> onnx.ModelProto:
    """Return a convolution, normalised and rectified as tf2onnx writes it, and another."""
    nodes: list[Node] = [
        ("Conv", ["x", "w1"], "c", CONV),
        ("Squeeze", ["c", "two"], "s", {}),
        ("Mul", ["s", "scale"], "m", {}),
        ("Add", ["m", "offset"], "a", {}),
        ("Relu", ["a"], "r", {}),
        ("Unsqueeze", ["r", "two"], "u", {}),
        ("Conv", ["u", "w2"], "y", CONV),
    ]
    constants: Constants = {
        "w1": numbers(6, 4, 1, 3),
        "two": [2],
        "scale": numbers(1, 6, 1),
        "offset": numbers(1, 6, 1),
        "w2": numbers(2, 6, 1, 3),
    }
    return made(nodes, constants, [4, 1, 12], [2, 1, 12])


def transposed() -> onnx.ModelProto:
    """Return a convolution of channels that are put last and first again, 29 in two parts."""
    nodes: list[Node] = [
        ("Slice", ["x", "zero", "three", "one"], "some", {}),
        ("Concat", ["x", "some"], "all", {"axis": 1}),
        ("Transpose", ["all"], "t", {"perm": [0, 2, 1]}),
        ("Unsqueeze", ["t", "axis"], "u", {}),
        ("Transpose", ["u"], "v", {"perm": [0, 3, 1, 2]}),
        ("Conv", ["v", "w"], "y", CONV),
    ]
    constants: Constants = {
        "zero": [0],
        "three": [3],
        "one": [1],
        "axis": [-3],
        "w": numbers(2, 29, 1, 3),
    }
    return made(nodes, constants, [26, 12], [2, 1, 12])


def shifted() -> onnx.ModelProto:
    """Return a convolution whose kernel shifts by even numbers of samples."""
    kernel = np.zeros((3, 1, 1, 5), np.float32)
    kernel[[0, 1, 2], 0, 0, [0, 2, 4]] = [0.5, 1.0, 2.0]
    attributes = CONV | {"kernel_shape": [1, 5], "pads": [0, 2, 0, 2]}
    return made([("Conv", ["x", "w"], "y", attributes)], {"w": kernel}, [1, 1, 12], [3, 1, 12])


def pooled(kind: str, n_steps: int) -> onnx.ModelProto:
    """Return an LSTM that starts from zeros, and its steps pooled."""
    nodes: list[Node] = [
        ("Transpose", ["x"], "t", {"perm": [1, 0, 2]}),
        ("Shape", ["x"], "shape", {"start": 0, "end": 1}),
        ("Concat", ["shape", "eight"], "size", {"axis": 0}),
        ("Expand", ["zero", "size"], "zeros", {}),
        ("Unsqueeze", ["zeros", "first"], "state", {}),
        ("LSTM", ["t", "w", "r", "b", "", "state", "state"], "h", {"hidden_size": 8}),
        ("Squeeze", ["h", "second"], "s", {}),
        ("Transpose", ["s"], "steps", {"perm": [1, 0, 2]}),
        (kind, ["steps", "second"], "pooled", {"keepdims": 0}),
        ("Neg", ["pooled"], "y", {}),
    ]
    constants = LSTM | {"eight": [8], "first": [0], "second": [1], "zero": np.float32(0)}
    return made(nodes, constants, [n_steps, 5], [8])


def scaled() -> onnx.ModelProto:
    """Return a scale for each channel of each sample."""
    return made([("Mul", ["x", "scale"], "y", {})], {"scale": numbers(9)}, [12, 9], [12, 9])


MODELS: dict[str, tuple[Callable[[], onnx.ModelProto], list[str]]] = {
    "convolution": (convolution, ["Conv", "Relu", "Conv"]),
    "transposed": (transposed, ["Slice", "Concat", "Unsqueeze", "Conv"]),
    "shifted": (shifted, ["Conv"]),
    "mean": (
        lambda: pooled("ReduceMean", 6),
        ["Transpose", "LSTM", "ReduceMean", "Transpose", "Reshape", "Neg"],
    ),
    "largest of 6": (
        lambda: pooled("ReduceMax", 6),
        [
            *("Transpose", "LSTM", "Split", "Max", "Split", "Max", "Squeeze"),
            *("Transpose", "Reshape", "Neg"),
        ],
    ),
    "scaled": (scaled, ["Mul"]),
}


@pytest.mark.parametrize("name", MODELS)
def test_another_form_has_the_same_answers(name: str) -> None:
    """The nodes are those that take less time, and what they give is equal but for rounding."""
    make, expected = MODELS[name]
    before = make()
    after = faster(before)
    onnx.checker.check_model(after, full_check=True)
    assert expected == kinds(after)
    shape = [dim.dim_value for dim in before.graph.input[0].type.tensor_type.shape.dim[1:]]
    for n in (1, 3):
        x = numbers(n, *shape)
        np.testing.assert_allclose(answer(after, x), answer(before, x), rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("name", MODELS)
def test_once_is_enough(name: str) -> None:
    """What is made of a model is left as it is, to the last byte."""
    once = faster(MODELS[name][0]())
    assert once.SerializeToString() == faster(once).SerializeToString()


def test_kernels_and_constants_have_the_sizes_that_are_fast() -> None:
    """Channels come by whole blocks, a kernel without zeros between, a constant for each sample."""

    def sizes(make: Callable[[], onnx.ModelProto]) -> list[tuple[int, ...]]:
        return [tuple(tensor.dims) for tensor in faster(make()).graph.initializer]

    assert (2, 32, 1, 3) in sizes(transposed)
    assert [(3, 1, 1, 3)] == sizes(shifted)
    assert [(1, 12, 9)] == sizes(scaled)


def test_an_lstm_that_starts_from_something_keeps_it() -> None:
    """Only states that are zeros are left out."""
    model = pooled("ReduceMean", 6)
    for tensor in model.graph.initializer:
        if tensor.name == "zero":
            tensor.CopyFrom(numpy_helper.from_array(np.float32(0.5), "zero"))
    assert "Expand" in kinds(faster(model))
    x = numbers(3, 6, 5)
    np.testing.assert_allclose(answer(faster(model), x), answer(model, x), atol=1e-6)


def test_names_depend_on_the_graph_alone() -> None:
    """Other names of tensors, and equal constants twice, make no other file."""
    model = convolution()
    other = onnx.compose.add_prefix(model, "p/", rename_inputs=False, rename_outputs=False)
    assert faster(model).SerializeToString() == faster(other).SerializeToString()
    twice = [
        ("Mul", ["x", "a"], "m", {}),
        ("Mul", ["m", "b"], "y", {}),
    ]
    same: Constants = {"a": numbers(4), "b": numbers(4)}
    assert 1 == len(faster(made(twice, same, [4], [4])).graph.initializer)
