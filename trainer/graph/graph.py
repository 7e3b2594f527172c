"""A graph of operators that can be changed: what makes a tensor, what uses it, of what shape it is.

Tensors are known by their names, as in ONNX. Constants are kept apart as arrays. Whatever no output
needs any more is left out when the graph is made a model again, and its nodes are put in order.
"""

from collections.abc import Sequence
from graphlib import TopologicalSorter
from typing import Any

import numpy as np
import onnx
from numpy.typing import NDArray
from onnx import helper, numpy_helper

Attribute = int | float | str | Sequence[int]
Array = NDArray[Any]
"""Of float32, or of integers"""


class Graph:
    """The nodes and constants of a model with an open batch."""

    def __init__(self, model: onnx.ModelProto) -> None:
        """Take the graph of ``model``, which is not changed."""
        self._model = model
        self.nodes: list[onnx.NodeProto] = []
        self.constants: dict[str, Array] = {}
        """Arrays by their names"""
        self._n_added = 0
        self.take(model.graph)

    def take(self, graph: onnx.GraphProto) -> None:
        """Add the nodes and constants of another graph, whose names must not be here yet."""
        for node in graph.node:
            copy = onnx.NodeProto()
            copy.CopyFrom(node)
            self.nodes.append(copy)
        for tensor in graph.initializer:
            self.constants[tensor.name] = numpy_helper.to_array(tensor)

    @property
    def inputs(self) -> list[str]:
        """Names of the inputs."""
        return [value.name for value in self._model.graph.input]

    @property
    def opset(self) -> int:
        """Version of the operators."""
        return int(self._model.opset_import[0].version)

    def maker(self, tensor: str) -> onnx.NodeProto | None:
        """Return the node that makes a tensor, None if it is an input or a constant."""
        return next((node for node in self.nodes if tensor in node.output), None)

    def users(self, tensor: str) -> list[onnx.NodeProto]:
        """Return the nodes that take a tensor."""
        return [node for node in self.nodes if tensor in node.input]

    def user(self, tensor: str, kind: str) -> onnx.NodeProto | None:
        """Return the only node that takes a tensor if it is of a kind, else None."""
        users = self.users(tensor)
        return users[0] if len(users) == 1 and users[0].op_type == kind else None

    def of_kind(self, kind: str) -> list[onnx.NodeProto]:
        """Return the nodes of a kind."""
        return [node for node in self.nodes if node.op_type == kind]

    def constant(self, values: Array) -> str:
        """Add a constant and return its name."""
        name = self._new_name("constant")
        self.constants[name] = values
        return name

    def integers(self, *values: int) -> str:
        """Add a constant of integers and return its name."""
        return self.constant(np.array(values, np.int64))

    def add(self, kind: str, *inputs: str, n_outputs: int = 1, **attributes: Attribute) -> str:
        """Add a node and return the name of its first output; the others' end in ``-1``, ``-2``."""
        name = self._new_name(kind)
        outputs = [name, *(f"{name}-{k}" for k in range(1, n_outputs))]
        node = helper.make_node(kind, list(inputs), outputs, name)
        node.attribute.extend(helper.make_attribute(key, attributes[key]) for key in attributes)
        self.nodes.append(node)
        return name

    def replace(self, tensor: str, by: str) -> None:
        """Let all nodes that take a tensor take another."""
        for node in self.users(tensor):
            node.input[:] = [by if name == tensor else name for name in node.input]

    def shapes(self) -> dict[str, tuple[int, ...]]:
        """Return the shapes of tensors for one window, as far as they can be told."""
        model = self.model()
        for tensor in (*model.graph.input, *model.graph.output):
            tensor.type.tensor_type.shape.dim[0].dim_value = 1
        inferred = onnx.shape_inference.infer_shapes(model, data_prop=True).graph
        shapes = {name: values.shape for name, values in self.constants.items()}
        for tensor in (*inferred.input, *inferred.value_info, *inferred.output):
            dims = tensor.type.tensor_type.shape.dim
            if all(dim.HasField("dim_value") for dim in dims):
                shapes[tensor.name] = tuple(dim.dim_value for dim in dims)
        return shapes

    def model(self) -> onnx.ModelProto:
        """Return the model with this graph: only what its outputs need, in order."""
        model = onnx.ModelProto()
        model.CopyFrom(self._model)
        for field in ("node", "initializer", "value_info"):
            model.graph.ClearField(field)
        model.graph.node.extend(self._in_order())
        used = dict.fromkeys(name for node in model.graph.node for name in node.input)
        model.graph.initializer.extend(
            numpy_helper.from_array(np.ascontiguousarray(self.constants[name]), name)
            for name in used
            if name in self.constants
        )
        return model

    def name_by_place(self) -> None:
        """Name nodes, tensors and constants by their place, and have equal constants once.

        So the file depends on the graph alone, not on what else was converted by the process.
        """
        outputs = {value.name for value in self._model.graph.output}
        names: dict[str, str] = {}
        constants: dict[str, Array] = {}
        known: dict[tuple[str, tuple[int, ...], bytes], str] = {}  # names of constants
        self.nodes = self._in_order()
        for place, node in enumerate(self.nodes):
            for name in node.input:
                if name in self.constants and name not in names:
                    values = self.constants[name]
                    key = (values.dtype.str, values.shape, values.tobytes())
                    names[name] = known.setdefault(key, f"constant-{len(known)}")
                    constants[names[name]] = values
            node.name = f"{node.op_type}-{place}"
            for k, name in enumerate(node.output):
                if name and name not in outputs:
                    names[name] = f"{node.name}:{k}"
        for node in self.nodes:
            for field in (node.input, node.output):
                field[:] = [names.get(name, name) for name in field]
        self.constants = constants

    def _in_order(self) -> list[onnx.NodeProto]:
        """Return the nodes that the outputs need, each behind those that it needs."""
        makers = {output: node for node in self.nodes for output in node.output}
        needed: dict[str, onnx.NodeProto] = {}  # by the first output
        sorter: TopologicalSorter[str] = TopologicalSorter()
        waiting = [output.name for output in self._model.graph.output]
        while waiting:
            node = makers.get(waiting.pop())
            if node is None or node.output[0] in needed:
                continue
            needed[node.output[0]] = node
            before = [makers[name].output[0] for name in node.input if name in makers]
            sorter.add(node.output[0], *before)
            waiting.extend(before)
        return [needed[name] for name in sorter.static_order()]

    def _new_name(self, what: str) -> str:
        taken = {output for node in self.nodes for output in node.output} | set(self.constants)
        while True:
            self._n_added += 1
            name = f"{what}-{self._n_added}"
            if name not in taken:
                return name


def attribute(node: onnx.NodeProto, name: str) -> Attribute | None:
    """Return an attribute of a node, None if it has none of this name."""
    return next((helper.get_attribute_value(a) for a in node.attribute if a.name == name), None)
