"""Steps that make the graphs of this project's networks faster, and leave their answers.

Each step looks for a form that tf2onnx makes of a layer, and puts another in its place that
onnxruntime runs in less time; what it does not find it leaves. Rounding is all that changes:

* the scale and the offset of a batch normalisation go into the convolution before it, which then
  rectifies what it gives by itself;
* a tensor is transposed once where it was twice, and no axis is added that was just removed;
* an LSTM starts from zero without being given zeros;
* its steps are pooled as it gives them, before both directions are put side by side, and the
  largest is found by a node that compares many tensors at once: `ReduceMax` compares one by one;
* a convolution of more than one block of channels, but not of whole blocks, gets some of its
  channels twice, with weights of zero: onnxruntime has its fastest form for whole blocks alone;
* a kernel of which every second weight is zero is one half as long, dilated;
* a constant for each channel is repeated for each sample: nodes that go through two tensors of one
  shape are several times as fast as those that go back to the first channel after each sample.
"""

import math
from collections.abc import Callable
from typing import Final

import numpy as np
import onnx

from trainer.graph.conv_lstm import conv_lstms_as_lstms
from trainer.graph.graph import Graph, attribute

_LAYOUT: Final = {"Concat", "Reshape", "Slice", "Squeeze", "Transpose"}
"""Operators that put numbers elsewhere and leave them as they are"""
_BLOCK: Final = 16
"""Channels in a block of onnxruntime's convolutions, with AVX-512; else 8
(`MlasNchwcGetBlockSize`)"""
_MOST_REPEATED: Final = 4096
"""Numbers that a repeated constant has at most"""


def faster(model: onnx.ModelProto) -> onnx.ModelProto:
    """Return a model with the same answers that takes less time; once more it stays as it is."""
    for step in STEPS:
        graph = Graph(model)
        step(graph)
        model = graph.model()  # without what the step has left unused
    return model


def _scales_into_convolutions(graph: Graph) -> None:
    """Conv, Squeeze, Mul, Add, Relu -> Conv with other weights, Relu, Squeeze."""
    for conv in graph.of_kind("Conv"):
        squeeze = graph.user(conv.output[0], "Squeeze")
        scaled = squeeze and graph.user(squeeze.output[0], "Mul")
        moved = scaled and graph.user(scaled.output[0], "Add")
        relu = moved and graph.user(moved.output[0], "Relu")
        if not (squeeze and scaled and moved and relu) or len(conv.input) > 2:
            continue
        scale, offset = (_constant_of(graph, node) for node in (scaled, moved))
        weights = graph.constants[conv.input[1]]
        if scale is None or offset is None or scale.size != len(weights):
            continue
        folded = weights * scale.reshape(-1, *[1] * (weights.ndim - 1))
        conv.input[1:] = [
            graph.constant(folded.astype(np.float32)),
            graph.constant(offset.astype(np.float32).reshape(-1)),
        ]
        rectified = graph.add("Relu", conv.output[0])
        graph.replace(relu.output[0], graph.add("Squeeze", rectified, squeeze.input[1]))


def _no_axis_twice(graph: Graph) -> None:
    """Squeeze and Unsqueeze of one axis -> nothing."""
    for squeeze in graph.of_kind("Squeeze"):
        for unsqueeze in graph.users(squeeze.output[0]):
            if unsqueeze.op_type == "Unsqueeze" and np.array_equal(
                graph.constants[squeeze.input[1]], graph.constants[unsqueeze.input[1]]
            ):
                graph.replace(unsqueeze.output[0], squeeze.input[0])


def _transposed_once(graph: Graph) -> None:
    """Transpose, Unsqueeze, Transpose back -> Unsqueeze of the axis that this comes to."""
    for first in graph.of_kind("Transpose"):
        unsqueeze = graph.user(first.output[0], "Unsqueeze")
        second = unsqueeze and graph.user(unsqueeze.output[0], "Transpose")
        if not (unsqueeze and second) or attribute(first, "perm") != [0, 2, 1]:
            continue
        axes = graph.constants[unsqueeze.input[1]] % 4
        if (axes.tolist(), attribute(second, "perm")) == ([1], [0, 3, 1, 2]):
            graph.replace(
                second.output[0], graph.add("Unsqueeze", first.input[0], graph.integers(2))
            )


def _whole_blocks_of_channels(graph: Graph) -> None:
    """Concat, Unsqueeze, Conv -> the same with more channels, to which weights of zero belong."""
    shapes = graph.shapes()
    for conv in graph.of_kind("Conv"):
        weights = graph.constants[conv.input[1]]
        lacking = -weights.shape[1] % _BLOCK
        unsqueeze = graph.maker(conv.input[0])
        if lacking == 0 or weights.shape[1] < _BLOCK or unsqueeze is None:
            continue
        concat = graph.maker(unsqueeze.input[0])
        if concat is None or (concat.op_type, attribute(concat, "axis")) != ("Concat", 1):
            continue
        spare = [name for name in concat.input if shapes[name][1] == lacking]
        if spare and graph.users(concat.output[0]) == [unsqueeze]:
            concat.input.append(spare[0])
            more = np.zeros((len(weights), lacking, *weights.shape[2:]), np.float32)
            conv.input[1] = graph.constant(np.concatenate([weights, more], axis=1))


def _dilated(graph: Graph) -> None:
    """Conv whose kernel is zero at each second place -> Conv with a dilation of 2."""
    for conv in graph.of_kind("Conv"):
        weights = graph.constants[conv.input[1]]
        if (
            weights.shape[-1] < 3
            or weights[..., 1::2].any()
            or attribute(conv, "dilations") != [1, 1]
        ):
            continue
        conv.input[1] = graph.constant(weights[..., ::2].copy())
        for name, values in (
            ("dilations", [1, 2]),
            ("kernel_shape", [1, weights[..., ::2].shape[-1]]),
        ):
            next(a for a in conv.attribute if a.name == name).ints[:] = values


def _lstms_from_nothing(graph: Graph) -> None:
    """LSTM of states that are zeros -> LSTM without states."""
    for lstm in graph.of_kind("LSTM"):
        if len(lstm.input) > 5 and all(_is_zero(graph, name) for name in lstm.input[5:7]):
            del lstm.input[4:]


def _is_zero(graph: Graph, tensor: str) -> bool:
    """Return whether a tensor is made of a constant zero alone, by any number of nodes."""
    node = graph.maker(tensor)
    if node is None:
        return tensor in graph.constants and not graph.constants[tensor].any()
    if node.op_type == "Concat":
        return all(_is_zero(graph, name) for name in node.input)
    return node.op_type in ("Expand", "Unsqueeze") and _is_zero(graph, node.input[0])


def _pooled_as_they_come(graph: Graph) -> None:
    """LSTM, then its steps as `(batch, n_steps, n_units)`, ReduceMax or ReduceMean -> pooled first.

    Steps may hold several units of each kind: places of a ConvLSTM, over which is pooled, too.
    """
    shapes = graph.shapes()
    for pooled in [*graph.of_kind("ReduceMax"), *graph.of_kind("ReduceMean")]:
        lstm = _lstm_behind(graph, pooled.input[0])
        before = shapes.get(pooled.input[0], ())
        if lstm is None or len(before) != 3 or graph.constants[pooled.input[1]].tolist() != [1]:
            continue
        steps, directions, _, units = shapes[lstm.output[0]]
        over_time = _pool(graph, pooled.op_type, lstm.output[0], steps)  # (directions, batch, n)
        by_window = graph.add("Transpose", over_time, perm=[1, 0, 2])
        n_places = before[1] // steps
        if n_places == 1:
            result = graph.add("Reshape", by_window, graph.integers(-1, directions * units))
        else:
            places_first = graph.add("Reshape", by_window, graph.integers(-1, n_places, before[2]))
            by_place = graph.add("Transpose", places_first, perm=[1, 0, 2])
            result = _pool(graph, pooled.op_type, by_place, n_places)
        graph.replace(pooled.output[0], result)


def _lstm_behind(graph: Graph, tensor: str) -> onnx.NodeProto | None:
    """Return the LSTM whose steps a tensor holds, only arranged otherwise, else None."""
    node = graph.maker(tensor)
    while node is not None and node.op_type in _LAYOUT:
        node = graph.maker(node.input[0])
    return node if node is not None and node.op_type == "LSTM" else None


def _pool(graph: Graph, kind: str, tensor: str, length: int) -> str:
    """Return the largest or the mean over the first axis of a tensor, which then is gone."""
    if kind == "ReduceMean":
        return graph.add(kind, tensor, graph.integers(0), keepdims=0)
    while length > 1:
        # Halves: of all at once the many tensors cost more, with a single window.
        n_parts = 2 if length % 2 == 0 else length
        parts = graph.add("Split", tensor, n_outputs=n_parts, axis=0, num_outputs=n_parts)
        tensor = graph.add("Max", parts, *(f"{parts}-{k}" for k in range(1, n_parts)))
        length //= n_parts
    return graph.add("Squeeze", tensor, graph.integers(0))


def _constants_of_full_size(graph: Graph) -> None:
    """Constants of one number for each channel -> of one for each sample and channel."""
    shapes = graph.shapes()
    for node in graph.nodes:
        if node.op_type not in ("Add", "Mul", "Sub"):
            continue
        shape = shapes.get(node.output[0], ())
        for k, name in enumerate(node.input):
            values = graph.constants.get(name)
            if values is None or len(shape) < 3 or not 1 < values.size < math.prod(shape[1:]):
                continue
            if math.prod(shape[1:]) <= _MOST_REPEATED and shape[0] == 1:
                node.input[k] = graph.constant(np.broadcast_to(values, shape).copy())


def _constant_of(graph: Graph, node: onnx.NodeProto) -> np.ndarray | None:
    """Return the constant that a node takes, None if it takes none."""
    return next((graph.constants[name] for name in node.input if name in graph.constants), None)


STEPS: Final[tuple[Callable[[Graph], None], ...]] = (
    _scales_into_convolutions,
    _no_axis_twice,
    _transposed_once,
    _whole_blocks_of_channels,
    _dilated,
    conv_lstms_as_lstms,
    _lstms_from_nothing,
    _pooled_as_they_come,
    _constants_of_full_size,
    Graph.name_by_place,
)
