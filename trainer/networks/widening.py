"""A trained model that gets outputs for more activities."""

import keras
from keras import layers


def widened(model: keras.Model, n_activities: int, *, seed: int) -> keras.Model:
    """Return a trained model with outputs for more activities; what it had learnt stays.

    The weights of the new outputs are drawn by the seed, as those of the old once were.
    """
    last = model.layers[-1]
    kernel, bias = last.get_weights()  # (units, n_old), (n_old,)
    if n_activities == len(bias):
        return model
    keras.utils.set_random_seed(seed)
    # The old one's name: in a process that has not built the model a new one could be another's.
    output = layers.Dense(n_activities, activation="softmax", name=last.name)
    wide = keras.Model(model.input, output(last.input))
    new_kernel, new_bias = output.get_weights()
    new_kernel[:, : len(bias)], new_bias[: len(bias)] = kernel, bias
    output.set_weights([new_kernel, new_bias])
    return wide
