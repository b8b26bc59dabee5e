"""Models of every shape to put blocks into, and what must hold for each of them."""

import keras
import numpy as np
from keras import layers, ops

import a2keras
from a2keras import DoubleAttention, NonLocal


def randomise(model, seed=11):
    """Weights, biases and moving statistics with no zeros and no ones among them."""
    rng = np.random.default_rng(seed)
    for v in model.weights:
        positive = v.path.endswith(("gamma", "variance"))
        values = rng.random(v.shape, "float32") + (0.5 if positive else -0.5)
        v.assign(values if len(v.shape) < 2 else values * (24 / np.prod(v.shape[:-1])) ** 0.5)
    for layer in model.layers:
        if isinstance(layer, layers.Normalization):
            layer.finalize_state()
    return model


def noise(*shape, seed=13):
    return np.random.default_rng(seed).uniform(0, 1, shape).astype("float32")


def array(tensor):
    return ops.convert_to_numpy(tensor)


def call(model, x, **arguments):
    return keras.tree.map_structure(array, model(x, **arguments))


def variables_of(model):
    return {id(v) for v in model.variables}


def weights_by_layer(model, prefix=""):
    """{path of a layer: its weights}, of the layers of nested models too."""
    found = {}
    for layer in model.layers:
        if isinstance(layer, keras.Model):
            found |= weights_by_layer(layer, f"{prefix}{layer.name}/")
        else:
            found[f"{prefix}{layer.name}"] = [array(v) for v in layer.weights]
    return found


def block():
    return DoubleAttention(3, 2)


def check(model, x, after, block=block, **arguments):
    """Inserts; asserts equal predictions, equal weights of equal paths, an unchanged original."""
    before = weights_by_layer(model)
    expected = call(model, x, **arguments)
    copy = a2keras.insert_blocks(model, after, block)
    found = call(copy, x, **arguments)
    keras.tree.assert_same_structure(expected, found)
    for one, other in zip(keras.tree.flatten(expected), keras.tree.flatten(found), strict=True):
        assert one.dtype == other.dtype and np.isfinite(one).all() and one.std() > 0
        np.testing.assert_array_equal(one, other)
    after, carried = weights_by_layer(model), weights_by_layer(copy)
    assert list(after) == list(before) and set(before) <= set(carried)
    for path, weights in before.items():
        for left, *others in zip(weights, after[path], carried[path], strict=True):
            for other in others:
                np.testing.assert_array_equal(left, other, err_msg=path)
    assert not variables_of(model) & variables_of(copy)
    assert not {id(layer) for layer in model.layers} & {id(layer) for layer in copy.layers}
    assert copy.name == model.name and type(copy) is type(keras.Model(copy.input, copy.output))
    return copy


def unit(x, channels, name):
    x = layers.Conv2D(channels, 3, padding="same", name=f"{name}_conv")(x)
    x = layers.BatchNormalization(name=f"{name}_bn")(x)
    return layers.ReLU(name=f"{name}_relu")(x)


def small(shape=(11, 13, 3)):
    x = inputs = keras.Input(shape, name="photo")
    x = unit(x, 5, "one")
    x = layers.Add(name="sum")([x, unit(x, 5, "two")])
    x = layers.Dense(7, name="head")(layers.GlobalAveragePooling2D(name="pool")(x))
    return randomise(keras.Model(inputs, x, name="small"))


def sequential():
    stack = [layers.Conv2D(5, 3, name="conv"), layers.Flatten(), layers.Dense(3)]
    return randomise(keras.Sequential([keras.Input((11, 13, 3)), *stack], name="stack"))


def nested():
    """A functional and a Sequential model inside another; both, and it, have a layer "conv"."""
    x = keras.Input((11, 13, 5))
    inner = keras.Model(x, layers.Add(name="add")([x, unit(x, 5, "deep")]), name="inner")
    stack = keras.Sequential([layers.Conv2D(5, 1, name="conv"), layers.ReLU()], name="stack")
    x = keras.Input((11, 13, 5))
    middle = keras.Model(x, stack(layers.Conv2D(5, 1, name="conv")(inner(x))), name="middle")
    inputs = keras.Input((11, 13, 3))
    x = middle(layers.Conv2D(5, 1, name="conv")(inputs), training=False)
    return randomise(keras.Model(inputs, layers.Flatten(name="flat")(x), name="outer"))


def shared():
    """A layer called on tensors of different sizes, and a model called twice."""
    x = keras.Input((None, None, 5))
    inner = keras.Model(x, layers.Conv2D(5, 1, name="deep")(x), name="inner")
    conv = layers.Conv2D(5, 3, padding="same", name="conv")
    inputs = keras.Input((11, 13, 3))
    x = layers.Conv2D(5, 1, name="first")(inputs)
    y = inner(conv(layers.MaxPooling2D(2, name="pool")(inner(conv(x)))))
    return randomise(keras.Model(inputs, [layers.GlobalAveragePooling2D()(z) for z in (x, y)]))


def many_ends():
    """Dicts of inputs and outputs, one input unused; operations that are no layers; slices."""
    keras.utils.clear_session()  # numbers in names that Keras makes begin anew
    photo = keras.Input((11, 13, 3), name="photo", dtype="uint8")
    other = keras.Input((11, 13, 5), name="other")
    x = layers.Conv2D(5, 1, name="conv")(ops.cast(photo, "float32") / 255)
    y = ops.relu(x) + other * 2 - 1
    y = layers.Conv2D(7, 3, name="last")(y[:, 1:])
    outputs = {"map": y, "pair": [x, ops.mean(y, axis=(1, 2))]}
    return randomise(keras.Model({"photo": photo, "other": other}, outputs))


IMAGE = noise(2, 11, 13, 3)
ENDS = {"photo": (255 * IMAGE).astype("uint8"), "other": noise(2, 11, 13, 5)}


def blocks_of(model):
    found = []
    for layer in model.layers:
        found += blocks_of(layer) if isinstance(layer, keras.Model) else [layer]
    return [layer for layer in found if is_block(layer)]


def is_block(layer):
    return isinstance(layer, DoubleAttention | NonLocal)


def loud(model, seed=17):
    """Gives every block an output projection that is not zero."""
    rng = np.random.default_rng(seed)
    for block in blocks_of(model):
        kernel = block.output_projection.kernel
        kernel.assign(rng.normal(size=kernel.shape))
    return model
