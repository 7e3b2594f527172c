"""The most operations a second that a thread of this machine reaches: a large product of matrices.

Both numpy and onnxruntime multiply, and the faster counts: a library may lack the form that suits
the processor, and reach half of what it can. It is the thread's own time that counts: others on the
machine do not lower the peak.
"""

import time
from typing import Final

import numpy as np
import onnxruntime
from onnx import TensorProto, helper, numpy_helper
from threadpoolctl import threadpool_limits

MATRIX: Final = 2048
"""Rows and columns of the matrices"""
ROUNDS: Final = 5


class Product:
    """Two matrices, ready to be multiplied again and again between other measurements."""

    def __init__(self) -> None:
        """Make the matrices, and multiply a part of them once."""
        self._matrix = np.full((MATRIX, MATRIX), 0.5, np.float32)
        self._result = np.empty_like(self._matrix)
        taken, given = (
            helper.make_tensor_value_info(name, TensorProto.FLOAT, ["n", MATRIX])
            for name in ("a", "c")
        )
        graph = helper.make_graph(
            [helper.make_node("MatMul", ["a", "b"], ["c"])],
            "product",
            [taken],
            [given],
            [numpy_helper.from_array(self._matrix, "b")],
        )
        model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 18)], ir_version=9)
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = 1
        self._session = onnxruntime.InferenceSession(model.SerializeToString(), options)
        self._session.run(None, {"a": self._matrix[:64]})

    def flops(self) -> float:
        """Return the operations a second of one product, of the faster library."""
        with threadpool_limits(1):
            begun = time.thread_time()
            np.matmul(self._matrix, self._matrix, out=self._result)
            between = time.thread_time()
            self._session.run(None, {"a": self._matrix})
            return 2 * MATRIX**3 / min(between - begun, time.thread_time() - between)


def measured_peak() -> float:
    """Return the operations a second of the fastest of several products."""
    product = Product()
    return max(product.flops() for _ in range(ROUNDS))
