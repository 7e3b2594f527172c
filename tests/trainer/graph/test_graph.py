import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper, numpy_helper

from trainer.graph.graph import Graph, attribute

pytestmark = pytest.mark.train


def graph_of_two() -> Graph:
    """Return the graph y = relu(x * c), with a node beside it that nothing needs."""
    x, y = (helper.make_tensor_value_info(n, TensorProto.FLOAT, ["batch", 3]) for n in "xy")
    nodes = [
        helper.make_node("Mul", ["x", "c"], ["m"], "mul"),
        helper.make_node("Neg", ["m"], ["unused"], "neg"),
        helper.make_node("LeakyRelu", ["m"], ["y"], "relu", alpha=0.5),
    ]
    c = numpy_helper.from_array(np.ones(3, np.float32), "c")
    graph = helper.make_graph(nodes, "two", [x], [y], [c])
    return Graph(helper.make_model(graph, opset_imports=[helper.make_opsetid("", 18)]))


def test_what_makes_and_what_takes_a_tensor() -> None:
    """Inputs and constants are made by no node; only a single taker is a tensor's `user`."""
    graph = graph_of_two()
    assert ["x"] == graph.inputs
    assert 18 == graph.opset
    maker = graph.maker("m")
    assert maker is not None
    assert "Mul" == maker.op_type
    assert graph.maker("x") is graph.maker("c") is None
    assert ["Neg", "LeakyRelu"] == [node.op_type for node in graph.users("m")]
    assert graph.user("m", "LeakyRelu") is None
    user = graph.user("x", "Mul")
    assert user is not None
    assert "mul" == user.name
    assert graph.user("x", "Add") is None
    assert 0.5 == attribute(graph.of_kind("LeakyRelu")[0], "alpha")
    assert attribute(user, "alpha") is None


def test_shapes_are_those_of_one_window() -> None:
    """The open batch counts as 1."""
    assert {"c": (3,), "x": (1, 3), "y": (1, 3), "m": (1, 3)} == graph_of_two().shapes()


def test_only_what_is_needed_is_kept_and_in_order() -> None:
    """Nodes may be added in any place; what no output needs is left out."""
    graph = graph_of_two()
    added = graph.add("Add", "x", graph.constant(np.zeros(3, np.float32)))
    graph.replace("x", added)
    graph.maker(added).input[0] = "x"  # type: ignore[union-attr]
    model = graph.model()
    onnx.checker.check_model(model, full_check=True)
    assert ["Add", "Mul", "LeakyRelu"] == [node.op_type for node in model.graph.node]
    assert {"c", "constant-1"} == {tensor.name for tensor in model.graph.initializer} or (
        2 == len(model.graph.initializer)
    )


def test_names_by_place() -> None:
    """The inputs and outputs keep theirs."""
    graph = graph_of_two()
    graph.name_by_place()
    model = graph.model()
    assert [(["x", "constant-0"], ["Mul-0:0"]), (["Mul-0:0"], ["y"])] == [
        (list(node.input), list(node.output)) for node in model.graph.node
    ]
