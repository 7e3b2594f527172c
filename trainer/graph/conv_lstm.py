"""A ConvLSTM as the LSTM that it is.

A ConvLSTM over a step of p places with c channels each, and u units a place, is an LSTM over p * c
inputs with p * u units: a convolution is a product with a matrix that holds its weights where place
and place meet, and zeros where they are too far apart. With the four places of this project's
networks few are zeros; and one LSTM node takes less than half the time of the hundreds of nodes
that an unrolled ConvLSTM has.
"""

from collections.abc import Sequence
from typing import Final

import numpy as np
import onnx
from numpy.typing import NDArray

from trainer.graph.graph import Graph, attribute

_GATES: Final = "iofc"
"""Order of the gates in an LSTM of ONNX: input, output, forget, cell
(https://onnx.ai/onnx/operators/onnx__LSTM.html)"""

Gates = dict[str, tuple[onnx.NodeProto, onnx.NodeProto]]
"""By its letter, the convolutions of a gate: of the inputs and of the step before"""

_LEAST_SHARE: Final = 0.5
"""Of pairs of places that must meet, so that the multiplications with zeros are paid for"""


def conv_lstms_as_lstms(graph: Graph) -> None:
    """Unrolled ConvLSTM over one row of places, with padding to the same size -> LSTM."""
    shapes = graph.shapes()
    for stacked in graph.of_kind("Transpose"):
        steps = graph.maker(stacked.input[0])
        if attribute(stacked, "perm") != [1, 0, 3, 4, 2] or steps is None:
            continue
        n_steps, _, units, _, places = shapes[stacked.input[0]]
        last = graph.maker(steps.input[-1])  # Unsqueeze
        gates = None if last is None else _gates(graph, last.input[0])
        if gates is None or not all(
            _is_worth_a_matrix(conv, graph.constants[conv.input[1]], places)
            for gate in gates.values()
            for conv in gate
        ):
            continue
        taken = _sequence(graph, gates["i"][0])
        n_inputs = shapes[taken][-1]
        inputs = graph.add("Reshape", taken, graph.integers(-1, n_steps, places * n_inputs))
        lstm = _lstm(graph, graph.add("Transpose", inputs, perm=[1, 0, 2]), gates, places, units)
        by_window = graph.add("Transpose", lstm, perm=[2, 0, 1, 3])
        shape = graph.integers(-1, n_steps, 1, places, units)
        graph.replace(stacked.output[0], graph.add("Reshape", by_window, shape))


def _lstm(graph: Graph, inputs: str, gates: Gates, places: int, units: int) -> str:
    """Add the LSTM with a ConvLSTM's weights; return ``(n_steps, 1, batch, places * units)``."""
    of_inputs, of_before = zip(*(gates[letter] for letter in _GATES), strict=True)
    bias = np.concatenate([np.tile(_bias(graph, conv, units), places) for conv in of_inputs])
    return graph.add(
        "LSTM",
        inputs,
        *(
            _matrix(graph, [graph.constants[conv.input[1]] for conv in convs], places)
            for convs in (of_inputs, of_before)
        ),
        graph.constant(np.concatenate([bias, np.zeros_like(bias)])[np.newaxis]),
        hidden_size=places * units,
    )


def _is_worth_a_matrix(conv: onnx.NodeProto, kernel: NDArray[np.float32], places: int) -> bool:
    """Return whether a convolution keeps the places, and is a matrix not mostly of zeros."""
    _, _, height, length = kernel.shape
    before = (length - 1) // 2
    n_met = sum(abs(place - seen) <= before for place in range(places) for seen in range(places))
    return (
        (height, length % 2) == (1, 1)
        and attribute(conv, "pads") == [0, before, 0, before]
        and attribute(conv, "strides") == [1, 1]
        and n_met >= _LEAST_SHARE * places**2
    )


def _matrix(graph: Graph, kernels: Sequence[NDArray[np.float32]], places: int) -> str:
    """Return the matrix ``(1, n_gates * places * n_out, places * n_in)`` of the gates' kernels.

    The kernels have the shape ``(n_out, n_in, 1, length)``. Nodes make the matrix of them, so that
    the file holds each weight once; onnxruntime makes it when it loads the file.
    """
    n_out, n_in, _, length = kernels[0].shape
    by_place = np.stack([kernel[:, :, 0].swapaxes(1, 2) for kernel in kernels])
    constant = graph.constant(by_place[:, np.newaxis])  # (n_gates, 1, n_out, length, n_in)
    rows = []
    for place in range(places):
        before = place - (length - 1) // 2  # places before those that the kernel sees; if < 0, cut
        after = places - length - before
        pads = graph.integers(0, 0, 0, before, 0, 0, 0, 0, after, 0)
        rows.append(graph.add("Pad", constant, pads))
    matrix = graph.add("Concat", *rows, axis=1)
    shape = graph.integers(1, len(kernels) * places * n_out, places * n_in)
    return graph.add("Reshape", matrix, shape)


def _gates(graph: Graph, hidden: str) -> Gates | None:
    """Return the convolutions of a step that gives ``hidden``, None if it is not of this form.

    hidden = sigmoid(output) * tanh(cell), cell = sigmoid(forget) * cell before + sigmoid(input) *
    tanh(candidate).
    """
    product = _made_by(graph, hidden, "Mul")
    if product is None:
        return None
    output, tanh = (_input_of_kind(graph, product, kind) for kind in ("Sigmoid", "Tanh"))
    cell = tanh and _made_by(graph, tanh.input[0], "Add")
    if not (output and cell):
        return None
    sums = {"o": output.input[0]}
    for name in cell.input:
        part = _made_by(graph, name, "Mul")
        gate = part and _input_of_kind(graph, part, "Sigmoid")
        if not (part and gate):
            return None
        candidate = _input_of_kind(graph, part, "Tanh")
        sums["f" if candidate is None else "i"] = gate.input[0]
        if candidate is not None:
            sums["c"] = candidate.input[0]
    gates: Gates = {}
    for letter, name in sums.items():
        added = _made_by(graph, name, "Add")
        convs = [added and _made_by(graph, name, "Conv") for name in added.input] if added else []
        of_inputs = [conv for conv in convs if conv and _sequence(graph, conv)]
        of_before = [conv for conv in convs if conv and not _sequence(graph, conv)]
        if len(of_inputs) != 1 or len(of_before) != 1:
            return None
        gates[letter] = (of_inputs[0], of_before[0])
    return gates if len(gates) == len(_GATES) else None


def _sequence(graph: Graph, conv: onnx.NodeProto) -> str:
    """Return the tensor ``(batch, n_steps, 1, places, n)`` whose steps a gate takes, else none."""
    node = graph.maker(conv.input[0])
    while node is not None and node.op_type in ("Transpose", "Squeeze", "Split"):
        if attribute(node, "perm") == [1, 0, 2, 3, 4]:
            return str(node.input[0])
        node = graph.maker(node.input[0])
    return ""


def _bias(graph: Graph, conv: onnx.NodeProto, units: int) -> NDArray[np.float32]:
    """Return what a convolution adds, zeros if it adds nothing, ``(units,)``."""
    if len(conv.input) < 3:
        return np.zeros(units, np.float32)
    return np.asarray(graph.constants[conv.input[2]], np.float32)


def _made_by(graph: Graph, tensor: str, kind: str) -> onnx.NodeProto | None:
    node = graph.maker(tensor)
    return node if node is not None and node.op_type == kind else None


def _input_of_kind(graph: Graph, node: onnx.NodeProto, kind: str) -> onnx.NodeProto | None:
    makers = [_made_by(graph, name, kind) for name in node.input]
    return next((maker for maker in makers if maker is not None), None)
