import keras
import numpy as np
import onnx
import onnxruntime
import pytest
import tensorflow as tf
import tf2onnx

from trainer.graph.faster import faster

pytestmark = pytest.mark.train


def converted(places: int, padding: str = "same") -> tuple[keras.Model, onnx.ModelProto]:
    """Return an unrolled ConvLSTM over three steps of some places, and its graph of tf2onnx."""
    keras.utils.set_random_seed(places)
    model = keras.Sequential(
        [
            keras.Input((3, 1, places, 5)),
            keras.layers.ConvLSTM2D(
                6,
                (1, 3),
                padding=padding,
                return_sequences=True,
                unroll=True,
                bias_initializer="glorot_normal",
            ),
            keras.layers.Reshape((-1, 6)),
            keras.layers.Dense(2, use_bias=False),
        ]
    )
    signature = [tf.TensorSpec((None, 3, 1, places, 5), tf.float32, name="x")]
    function = tf.function(lambda x: {"y": model(x)}, input_signature=signature)
    return model, tf2onnx.convert.from_function(function, signature, opset=18)[0]


@pytest.mark.parametrize("places", [3, 4, 5])
def test_a_conv_lstm_is_an_lstm(places: int) -> None:
    """One node gives what Keras gives, and the file holds each weight once."""
    model, graph = converted(places)
    after = faster(graph)
    onnx.checker.check_model(after, full_check=True)
    kinds = [node.op_type for node in after.graph.node]
    assert 1 == kinds.count("LSTM")
    assert "Conv" not in kinds
    x = np.random.default_rng(places).normal(size=(7, 3, 1, places, 5)).astype(np.float32)
    (found,) = onnxruntime.InferenceSession(after.SerializeToString()).run(None, {"x": x})
    np.testing.assert_allclose(found, model.predict(x, verbose=0), atol=1e-6)
    n_weights = sum(int(np.prod(t.dims)) for t in after.graph.initializer if t.data_type == 1)
    assert n_weights <= model.count_params() + 8 * 6 * places  # biases at each place


@pytest.mark.parametrize(("places", "padding"), [(16, "same"), (4, "valid")])
def test_one_whose_matrix_would_be_mostly_zeros_or_of_other_places_stays(
    places: int, padding: str
) -> None:
    """Its convolutions take less time than products with zeros; or it is none of these LSTMs."""
    _, graph = converted(places, padding)
    kinds = [node.op_type for node in faster(graph).graph.node]
    assert "LSTM" not in kinds
    assert "Conv" in kinds
