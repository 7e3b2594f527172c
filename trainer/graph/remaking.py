"""A model file that is there, made again as an export makes it now: same card, same weights.

The views of a window for phones worn anywhere hold nothing learnt: those in the file are replaced
by the ones of `trainer.networks.wearer_views`. All else `faster` rearranges.
"""

from typing import Final

import keras
import onnx
import tensorflow as tf
import tf2onnx

from trainer.graph.faster import faster
from trainer.graph.graph import Graph
from trainer.networks import wearer_views

_CHANNELS: Final = "views/channels"
_FEATURES: Final = "views/features"


def remade(model: onnx.ModelProto) -> onnx.ModelProto:
    """Return a model with the same answers but for rounding, as fast as an export of it now."""
    return faster(with_newest_views(model))


def with_newest_views(model: onnx.ModelProto) -> onnx.ModelProto:
    """Return a model whose learnt part takes the views as they are made now, if it took others."""
    graph = Graph(model)
    if len(graph.inputs) < 2:
        return model
    shapes = graph.shapes()
    channels, features = (
        [node.output[0] for node in graph.of_kind("Concat") if shapes.get(node.output[0]) == shape]
        for shape in (
            (1, wearer_views.N_SAMPLES, wearer_views.N_CHANNELS),
            (1, wearer_views.N_FEATURES),
        )
    )
    if len(channels) != 1 or len(features) != 1:
        return model
    graph.take(_views(opset=graph.opset))
    graph.replace(channels[0], _CHANNELS)
    graph.replace(features[0], _FEATURES)
    return graph.model()


def _views(opset: int) -> onnx.GraphProto:
    """Return the graph from the inputs to `_CHANNELS` and `_FEATURES`."""
    inputs = wearer_views.inputs()
    network = keras.Model(inputs, wearer_views.views(*inputs))
    signature = [
        tf.TensorSpec((None, *tensor.shape[1:]), tf.float32, name=tensor.name) for tensor in inputs
    ]

    def answer(window: tf.Tensor, wearer: tf.Tensor) -> dict[str, tf.Tensor]:
        channels, features = network([window, wearer], training=False)
        return {"channels": channels, "features": features}

    function = tf.function(answer, input_signature=signature)
    converted, _ = tf2onnx.convert.from_function(function, input_signature=signature, opset=opset)
    named = onnx.compose.add_prefix(converted, "views/", rename_inputs=False)
    return named.graph
