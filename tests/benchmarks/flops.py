"""How many floating-point operations a model takes for a window, counted from its graph.

Counted are the products and sums of Conv, MatMul, Gemm and LSTM nodes, two operations a
multiply-add, as the graph has them: those with weights that are zero, too. Activations, biases and
normalisation are left out: they are below a percent.
"""

import math
from collections.abc import Mapping
from pathlib import Path
from typing import Final

import onnx

_UNCOUNTABLE: Final = {"Einsum", "GRU", "If", "Loop", "RNN", "Scan", "ConvTranspose"}
"""Operators with products whose number is not told by shapes, or that no model here uses."""

Shape = tuple[int, ...]


def flops_per_window(path: Path) -> int:
    """Return the operations that the model ``path`` takes for a batch of one window.

    Raises:
        ValueError: a node's work cannot be told.
    """
    model = onnx.load(path)
    for tensor in (*model.graph.input, *model.graph.output):
        tensor.type.tensor_type.shape.dim[0].dim_value = 1
    for tensor in model.graph.value_info:
        tensor.ClearField("type")  # they name the batch, whose size is now known
    del model.graph.value_info[:]
    graph = onnx.shape_inference.infer_shapes(model, strict_mode=True, data_prop=True).graph
    shapes: dict[str, Shape] = {tensor.name: tuple(tensor.dims) for tensor in graph.initializer}
    for tensor in (*graph.input, *graph.value_info, *graph.output):
        dims = tensor.type.tensor_type.shape.dim
        if all(dim.HasField("dim_value") for dim in dims):
            shapes[tensor.name] = tuple(dim.dim_value for dim in dims)
    return sum(_node_flops(node, shapes) for node in graph.node)


def _node_flops(node: onnx.NodeProto, shapes: Mapping[str, Shape]) -> int:
    if node.op_type in _UNCOUNTABLE:
        raise ValueError(f"the operations of {node.op_type} node {node.name!r} cannot be counted")
    if node.op_type not in ("Conv", "Gemm", "LSTM", "MatMul"):
        return 0
    try:
        inputs = [shapes[name] for name in node.input[:3] if name]
        output = shapes[next(name for name in node.output if name)]
    except KeyError as error:
        raise ValueError(f"the shape of {error} at {node.op_type} {node.name!r} is open") from error
    if node.op_type == "Conv":
        return 2 * math.prod(output) * math.prod(inputs[1][1:])  # weights (out, in, *kernel)
    if node.op_type == "LSTM":
        steps, batch, n_inputs = inputs[0]
        directions, gates, units = inputs[2]  # recurrent weights (directions, 4 * units, units)
        return 2 * steps * batch * directions * gates * (n_inputs + units)
    transposed = any(a.name == "transA" and a.i for a in node.attribute)
    common = inputs[0][0] if transposed else inputs[0][-1]
    return 2 * math.prod(output) * common
