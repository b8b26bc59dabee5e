"""Blocks put into models of every shape: what is computed, carried over, shared and refused."""

import functools
import inspect

import keras
import numpy as np
import pytest
from keras import layers, ops

import a2keras
from a2keras import DoubleAttention, NonLocal, SqueezeExcitation

ON_TENSORFLOW = keras.backend.backend() == "tensorflow"
# One of every family: its smallest member, its smallest legal input, and three places.
FAMILIES = {
    "convnext": ("ConvNeXtTiny", 32, {}, ["convnext_tiny_stage_1_block_2_layer_scale",
        "convnext_tiny_stage_2_block_0_pointwise_conv_1", "convnext_tiny_downsampling_block_2"]),
    "densenet": ("DenseNet121", 32, {}, ["pool2_conv", "conv4_block9_concat", "bn"]),
    "efficientnet": ("EfficientNetB0", 32, {}, ["block2b_add", "block4a_dwconv", "top_activation"]),
    "efficientnet_v2": ("EfficientNetV2B0", 32, {}, ["block2b_add", "block4b_drop", "top_bn"]),
    "inception_resnet_v2": ("InceptionResNetV2", 75, {},
        ["block35_4_ac", "custom_scale_layer_20", "block8_9_mixed"]),
    "inception_v3": ("InceptionV3", 75, {}, ["mixed2", "mixed6", "mixed10"]),
    "mobilenet": ("MobileNet", 32, {"alpha": 0.25},
        ["conv_pw_3_relu", "conv_dw_5", "conv_pw_13_bn"]),
    "mobilenet_v2": ("MobileNetV2", 32, {"alpha": 0.35},
        ["block_3_project_BN", "block_9_add", "Conv_1"]),
    "mobilenet_v3": ("MobileNetV3Small", 32, {"alpha": 0.75},
        ["expanded_conv_1_add", "expanded_conv_3_squeeze_excite_mul", "expanded_conv_7_depthwise"]),
    "nasnet": ("NASNetMobile", 32, {},
        ["normal_concat_1", "adjust_relu_1_5", "separable_conv_1_normal_left2_9"]),
    "resnet": ("ResNet50", 32, {}, ["conv2_block2_out", "conv4_block4_add", "conv5_block3_2_conv"]),
    "resnet_v2": ("ResNet50V2", 32, {}, ["conv2_block2_out", "conv4_block4_1_relu", "post_bn"]),
    "vgg16": ("VGG16", 32, {}, ["block2_pool", "block3_conv1", "block5_conv3"]),
    "vgg19": ("VGG19", 32, {}, ["block2_pool", "block3_conv4", "block5_conv1"]),
    "xception": ("Xception", 71, {}, ["add_2", "block9_sepconv2", "block14_sepconv2_act"]),
}  # fmt: skip
HEAVY = {"densenet", "inception_resnet_v2", "nasnet"}
ELSEWHERE = {"convnext", "mobilenet_v3"}  # on the other backends


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


def call(model, x, **arguments):
    return keras.tree.map_structure(ops.convert_to_numpy, model(x, **arguments))


def variables_of(model):
    return {id(v) for v in model.variables}


def weights_by_layer(model, prefix=""):
    """{path of a layer: its weights}, of the layers of nested models too."""
    found = {}
    for layer in model.layers:
        if isinstance(layer, keras.Model):
            found |= weights_by_layer(layer, f"{prefix}{layer.name}/")
        else:
            found[f"{prefix}{layer.name}"] = [ops.convert_to_numpy(v) for v in layer.weights]
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


@pytest.mark.parametrize(
    "family",
    [pytest.param(f, marks=pytest.mark.slow) if f in HEAVY else f for f in FAMILIES],
)
def test_every_family_of_keras_applications(family):
    if not ON_TENSORFLOW and family not in ELSEWHERE:
        return
    keras.utils.clear_session()  # numbers in names that Keras makes begin anew
    builder, size, arguments, places = FAMILIES[family]
    model = getattr(keras.applications, builder)(
        input_shape=(size, size, 3), weights=None, include_top=False, pooling="avg", **arguments
    )
    copy = check(randomise(model), 255 * noise(2, size, size, 3), places)
    blocks = [layer for layer in copy.layers if isinstance(layer, DoubleAttention)]
    assert {b.name for b in blocks} == {f"{place}_double_attention" for place in places}
    for block in blocks:
        followed = block.input._keras_history.operation
        assert f"{followed.name}_double_attention" == block.name
        assert block.output_projection.kernel.shape[-1] == block.input.shape[-1]


def test_no_family_is_missing():
    found = {n for n, m in inspect.getmembers(keras.applications) if inspect.ismodule(m)}
    # "resnet50" is another name of "resnet".
    assert found - {"imagenet_utils", "resnet50"} == set(FAMILIES)


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
    photo = keras.Input((11, 13, 3), name="photo", dtype="uint8")
    other = keras.Input((11, 13, 5), name="other")
    x = layers.Conv2D(5, 1, name="conv")(ops.cast(photo, "float32") / 255)
    y = ops.relu(x) + other * 2 - 1
    y = layers.Conv2D(7, 3, name="last")(y[:, 1:])
    outputs = {"map": y, "pair": [x, ops.mean(y, axis=(1, 2))]}
    return randomise(keras.Model({"photo": photo, "other": other}, outputs))


IMAGE = noise(2, 11, 13, 3)
ENDS = {"photo": (255 * IMAGE).astype("uint8"), "other": noise(2, 11, 13, 5)}


@pytest.mark.parametrize(
    ("make", "inputs", "after", "channels"),
    [
        (small, IMAGE, ["one_conv", "two_bn", "sum"], [5, 5, 5]),
        (sequential, IMAGE, ["conv"], [5]),
        (nested, IMAGE, ["inner/add", "deep_bn", "stack/conv", "/conv", "inner"], [5] * 5),
        (shared, IMAGE, ["conv", "deep", "first"], [5, 5, 5]),
        (many_ends, ENDS, ["conv", "add", "last"], [5, 5, 7]),
    ],
)
def test_predictions_weights_and_ends_stay(make, inputs, after, channels):
    model = make()
    copy = check(model, inputs, after)
    assert copy.count_params() == model.count_params() + sum(2 * c * (3 + 2) for c in channels)
    for one, other in zip(model.inputs, copy.inputs, strict=True):
        assert (one.shape, one.dtype) == (other.shape, other.dtype)
        assert one._keras_history.operation.name == other._keras_history.operation.name
    quiet, changed = (keras.tree.flatten(call(each, inputs)) for each in (model, loud(copy)))
    assert any(np.abs(a - b).max() > 1e-3 for a, b in zip(quiet, changed, strict=True))


def blocks_of(model):
    found = []
    for layer in model.layers:
        found += blocks_of(layer) if isinstance(layer, keras.Model) else [layer]
    return [layer for layer in found if isinstance(layer, DoubleAttention | NonLocal)]


def loud(model, seed=17):
    """Gives every block an output projection that is not zero."""
    rng = np.random.default_rng(seed)
    for block in blocks_of(model):
        kernel = block.output_projection.kernel
        kernel.assign(rng.normal(size=kernel.shape))
    return model


def test_the_block_stands_between_the_layer_and_what_followed_it():
    """Against the host's own layers, called by hand with the block among them."""
    copy = loud(a2keras.insert_blocks(model := small(), ["one_relu", "sum"], block))
    one, after_sum = (copy.get_layer(f"{n}_double_attention") for n in ("one_relu", "sum"))
    layer = {each.name: each for each in model.layers}
    x = IMAGE
    for name in ("one_conv", "one_bn", "one_relu"):
        x = layer[name](x)
    y = x = one(x)
    for name in ("two_conv", "two_bn", "two_relu"):
        y = layer[name](y)
    expected = layer["head"](layer["pool"](after_sum(layer["sum"]([x, y]))))
    np.testing.assert_allclose(call(copy, IMAGE), expected, rtol=1e-5, atol=1e-6)


def test_a_shared_layer_has_one_shared_block():
    copy = loud(a2keras.insert_blocks(model := shared(), ["conv", "deep"], block))
    (inner,) = (layer for layer in copy.layers if isinstance(layer, keras.Model))
    block_conv, block_deep = (
        host.get_layer(f"{name}_double_attention")
        for host, name in ((copy, "conv"), (inner, "deep"))
    )
    first, conv, pool = (model.get_layer(n) for n in ("first", "conv", "pool"))
    deep = model.get_layer("inner").get_layer("deep")
    x = first(IMAGE)
    y = block_deep(deep(block_conv(conv(x))))
    y = block_deep(deep(block_conv(conv(pool(y)))))
    np.testing.assert_allclose(call(copy, IMAGE)[1], np.mean(y, (1, 2)), rtol=1e-5, atol=1e-6)


def test_a_followed_output_is_replaced_by_its_block():
    inputs = keras.Input((11, 13, 3))
    model = keras.Model(inputs, layers.Conv2D(5, 3, name="conv")(inputs))
    copy = loud(a2keras.insert_blocks(model, ["conv"], block))
    expected = copy.get_layer("conv_double_attention")(model(IMAGE))
    np.testing.assert_array_equal(call(copy, IMAGE), ops.convert_to_numpy(expected))


def test_masks_reach_the_block_and_pass_it():
    words = keras.Input((11,), dtype="int32")
    x = layers.Embedding(17, 5, mask_zero=True, name="embed")(words)
    model = randomise(keras.Model(words, layers.GlobalAveragePooling1D(name="pool")(x)))
    tokens = np.random.default_rng(0).integers(1, 17, (2, 11))
    tokens[0, 7:], tokens[1, 3:] = 0, 0
    copy = loud(check(model, tokens, ["embed"]))
    mask = tokens != 0
    features = copy.get_layer("embed_double_attention")(model.get_layer("embed")(tokens), mask=mask)
    expected = [np.mean(each[keep], 0) for each, keep in zip(np.array(features), mask, strict=True)]
    np.testing.assert_allclose(call(copy, tokens), expected, rtol=1e-5)


def test_call_arguments_stay():
    """Tensors by keyword, and a `training` that the model was built with."""
    inputs = keras.Input((11, 5))
    attention = layers.MultiHeadAttention(2, 3, name="attention")
    x = attention(query=inputs, value=inputs, key=inputs * 2, use_causal_mask=True)
    x = layers.BatchNormalization(name="norm")(x, training=True)
    model = randomise(keras.Model(inputs, x))
    copy = a2keras.insert_blocks(model, ["attention"], block)
    for batch in (noise(2, 11, 5), noise(3, 11, 5, seed=5)):  # each moves the statistics
        np.testing.assert_array_equal(call(model, batch), call(copy, batch))
    statistics = [each.get_layer("norm").moving_mean for each in (model, copy)]
    np.testing.assert_array_equal(*map(ops.convert_to_numpy, statistics))


@keras.saving.register_keras_serializable("test_insertion")
class Residual(layers.Layer):
    """A composite, with one of its layers frozen, and no get_config of its own."""

    def __init__(self, channels, **kwargs):
        super().__init__(**kwargs)
        self.channels = channels
        self.first = layers.Dense(channels, name="first")
        self.norm = layers.BatchNormalization(name="norm")

    def build(self, shape):
        self.first.build(shape)
        self.norm.build((*shape[:-1], self.channels))
        self.scale = self.add_weight(shape=(self.channels,), initializer="ones", name="scale")

    def call(self, x):
        return x + self.scale * self.norm(self.first(x))


class Unnamed(layers.Layer):
    """Not registered, and takes neither name nor dtype."""

    def __init__(self, factor=2.0):
        super().__init__()
        self.factor = factor

    def get_config(self):
        return {"factor": self.factor}

    def call(self, x):
        return x * self.factor

    def compute_output_shape(self, shape):
        return shape


def halved(x):
    return x / 2


def test_layers_of_every_making_are_copied():
    factor = 3.0  # in the closure of the lambda, beside a name of this module
    inputs = keras.Input((7, 11, 13, 3))
    x = layers.Normalization(name="adapted")(inputs)
    x = layers.TimeDistributed(layers.Conv2D(5, 3, name="conv"), name="frames")(x)
    x = layers.Lambda(lambda t, shift: ops.relu(t) * factor + shift, arguments={"shift": 0.5})(x)
    x = layers.TimeDistributed(Unnamed())(layers.Activation(halved, name="half")(x))
    x = layers.ConvLSTM2D(5, 3, return_sequences=True, name="lstm")(x)
    x = Residual(5, name="residual")(layers.Dropout(0.5, seed=3, name="drop")(x))
    x = Unnamed(0.25)(layers.SpectralNormalization(layers.Dense(5, name="dense"), name="wrap")(x))
    model = randomise(keras.Model(inputs, x))
    model.get_layer("adapted").adapt(5 + 3 * noise(7, 7, 11, 13, 3, seed=3))
    names = ["adapted", "frames", "lambda", "half", "drop", "residual", "wrap"]
    names[2] = next(layer.name for layer in model.layers if isinstance(layer, layers.Lambda))
    copy = check(model, noise(2, 7, 11, 13, 3), names)
    for one, other in zip(
        model.layers, [c for c in copy.layers if not blocks_of_layer(c)], strict=1
    ):
        assert one.name == other.name and type(one) is type(other)
    seeds = [each.get_layer("drop").variables for each in (model, copy)]
    np.testing.assert_array_equal(*[ops.convert_to_numpy(each[0]) for each in seeds])


def blocks_of_layer(layer):
    return isinstance(layer, DoubleAttention | NonLocal | SqueezeExcitation)


def test_trainable_flags_stay():
    """Of layers, of layers inside layers and of single variables; blocks are trainable."""
    x = keras.Input((11, 13, 5))
    inner = keras.Model(x, unit(x, 5, "deep"), name="inner")
    inner.trainable = False
    inner.get_layer("deep_bn").trainable = True  # in effect once `inner` is trainable again
    inputs = keras.Input((11, 13, 3))
    x = layers.Conv2D(5, 1, name="frozen", trainable=False)(inputs)
    x = Residual(5, name="residual")(inner(x))
    model = keras.Model(inputs, layers.Conv2D(5, 1, name="free")(x))
    model.get_layer("residual").norm.trainable = False
    model.get_layer("free").bias.trainable = False
    copy = a2keras.insert_blocks(model, ["frozen", "deep_relu"], block)

    def flags(host):
        norm = host.get_layer("residual").norm
        deep = [
            each.trainable for each in host.get_layer("inner").layers if not blocks_of_layer(each)
        ]
        outer = {each.name: each.trainable for each in host.layers if not blocks_of_layer(each)}
        return outer, deep, norm.trainable, [v.trainable for v in host.get_layer("free").weights]

    assert flags(model) == flags(copy)
    assert flags(copy)[0]["inner"] is flags(copy)[0]["frozen"] is flags(copy)[2] is False
    assert flags(copy)[3] == [True, False]
    assert [each.trainable for each in blocks_of(copy)] == [True, True]
    assert len(copy.trainable_weights) == len(model.trainable_weights) + 2 * 4
    model.trainable = False
    assert a2keras.insert_blocks(model, ["frozen"]).trainable_weights == []


def test_dtype_policies_stay_and_blocks_take_that_of_their_layer():
    keras.config.set_dtype_policy("mixed_bfloat16")
    try:
        inputs = keras.Input((11, 13, 3))
        x = layers.Conv2D(5, 3, name="half")(inputs)
        x = layers.BatchNormalization(dtype="float32", name="full")(x)
        x = Unnamed()(ops.tanh(layers.ReLU(name="again")(x)))
        model = randomise(keras.Model(inputs, layers.Conv2D(5, 1, dtype="float32", name="end")(x)))
    finally:
        keras.config.set_dtype_policy("float32")
    after = ["half", "full", "again", "tanh", "end"]
    after[3] = next(each.name for each in model.operations if each.name.startswith("tanh"))
    copy = check(model, IMAGE, after)
    policies = {each.name: each.dtype_policy.name for each in copy.layers}
    for layer in model.layers[1:]:
        assert policies[layer.name] == layer.dtype_policy.name
    blocks = [policies[f"{name}_double_attention"] for name in after]
    assert blocks == ["mixed_bfloat16", "float32", "mixed_bfloat16", "mixed_bfloat16", "float32"]
    given = a2keras.insert_blocks(model, ["half"], lambda: DoubleAttention(3, 2, dtype="float64"))
    assert given.get_layer("half_double_attention").dtype_policy.name == "float64"


def test_blocks_take_the_data_format_of_their_layer():
    inputs = keras.Input((3, 11, 13))
    x = layers.Conv2D(5, 3, padding="same", data_format="channels_first", name="conv")(inputs)
    inner_inputs = keras.Input((5, 11, 13))
    inner_x = layers.BatchNormalization(axis=1, name="norm")(inner_inputs)
    inner = keras.Model(inner_inputs, layers.ReLU(name="relu")(inner_x), name="inner")
    x = inner(x)
    x = layers.Add(name="add")([x, ops.tanh(x)])
    same = layers.Lambda(lambda t: t + 1, name="same")(x)
    wrapped = layers.SpectralNormalization(
        layers.Conv2D(5, 3, data_format="channels_first", padding="same"), name="wrapped"
    )(ops.transpose(layers.Permute((2, 3, 1), name="turn")(same), (0, 3, 1, 2)))
    model = randomise(keras.Model(inputs, wrapped))
    after = ["conv", "norm", "inner/relu", "add", "same", "turn", "wrapped"]
    copy = check(model, noise(2, 3, 11, 13), after)
    formats = {each.name: each.data_format for each in blocks_of(copy)}
    assert formats.pop("turn_double_attention") == "channels_last"
    assert list(formats.values()) == ["channels_first"] * 6
    assert {each.theta.kernel.shape[0] for each in blocks_of(copy)} == {5}


class Squeeze(layers.Layer):
    """A user's block, which is the identity when fresh."""

    def __init__(self, units, **kwargs):
        super().__init__(**kwargs)
        self.units = units

    def build(self, shape):
        self.down = self.add_weight(shape=(shape[-1], self.units), name="down")
        self.up = self.add_weight(shape=(self.units, shape[-1]), initializer="zeros", name="up")

    def call(self, x):
        return x + ops.matmul(ops.matmul(x, self.down), self.up)

    def get_config(self):
        return {**super().get_config(), "units": self.units}


@pytest.mark.parametrize(
    ("block", "names", "parameters"),
    [
        (DoubleAttention(2, 3, pre_activation=True), "double_attention", 100 + 4 * 34),
        (NonLocal, "non_local", 2 * 4 * 5),
        (functools.partial(NonLocal, 3, use_bias=True), "non_local", 2 * (4 * 15 + 3 * 3 + 5)),
        (lambda: Squeeze(2), "squeeze", 2 * 20),
        (layers.Activation("linear", name="mine"), "activation", 0),
        (keras.Sequential([layers.Identity(), Squeeze(3)]), "sequential", 2 * 30),
        (lambda: layers.Dense(5, kernel_initializer="identity"), "dense", 2 * 30),
    ],
    ids=lambda each: each if isinstance(each, str) else "",
)
def test_any_layer_can_be_the_block(block, names, parameters):
    model = small()
    copy = check(model, IMAGE, ["one_relu", "sum"], block)
    assert copy.count_params() == model.count_params() + parameters
    blocks = [copy.get_layer(f"{name}_{names}") for name in ("one_relu", "sum")]
    pattern = block if isinstance(block, layers.Layer) else block()
    assert all(type(each) is type(pattern) and each is not pattern for each in blocks)


def test_squeeze_and_excitation_is_not_the_identity_when_fresh():
    model = small()
    copy = a2keras.insert_blocks(model, ["sum"], lambda: SqueezeExcitation(5))
    features = keras.Model(model.input, model.get_layer("sum").output)(IMAGE)
    gated = copy.get_layer("sum_squeeze_excitation")(features)
    expected = model.get_layer("head")(model.get_layer("pool")(gated))
    np.testing.assert_allclose(call(copy, IMAGE), expected, rtol=1e-5, atol=1e-6)
    assert np.abs(call(copy, IMAGE) - call(model, IMAGE)).max() > 0.01


def test_every_place_gets_initial_weights_of_its_own():
    blocks = blocks_of(a2keras.insert_blocks(small(), ["one_relu", "sum"], block()))
    assert not np.array_equal(*[ops.convert_to_numpy(each.theta.kernel) for each in blocks])


def test_a_predicate_chooses_layers_of_nested_models_too():
    is_conv = lambda layer: isinstance(layer, layers.Conv2D)  # noqa: E731
    asked = []
    copy = a2keras.insert_blocks(nested(), lambda layer: asked.append(layer.name) or is_conv(layer))
    assert len(blocks_of(copy)) == 4
    assert asked[:2] == ["conv", "middle"] and asked.count("conv") == 3
    assert {"inner", "deep_relu", "stack", "flat"} < set(asked)
    assert not any(name.startswith("input") for name in asked)


def test_training_one_leaves_the_other_as_it_is():
    model = small()
    model.compile("sgd", "mse")
    copy = loud(a2keras.insert_blocks(model, ["one_relu", "sum"], block))
    assert not copy.compiled
    copy.compile(keras.optimizers.SGD(0.01), "mse")
    before, targets = call(model, IMAGE), np.ones((2, 7), "float32")
    changed = call(copy, IMAGE)
    copy.fit(IMAGE, targets, epochs=1, verbose=0)
    np.testing.assert_array_equal(call(model, IMAGE), before)
    assert np.abs(call(copy, IMAGE) - changed).max() > 1e-4
    trained = call(copy, IMAGE)
    model.fit(IMAGE, targets, epochs=1, verbose=0)
    np.testing.assert_array_equal(call(copy, IMAGE), trained)


def test_compiled_predictions_agree_to_rounding():
    """Not to the bit in general: a compiler may merge the followed layer with the next."""
    model = small()
    copy = a2keras.insert_blocks(model, ["one_conv", "two_bn", "sum"], block)
    expected = model.predict(IMAGE, verbose=0)
    np.testing.assert_allclose(copy.predict(IMAGE, verbose=0), expected, rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize(("make", "place"), [(small, "sum"), (nested, "inner/add")])
def test_the_copy_is_saved_and_loaded_and_takes_further_blocks(make, place, tmp_path):
    copy = loud(a2keras.insert_blocks(make(), [place], block))
    copy.save(tmp_path / "model.keras")
    loaded = keras.models.load_model(tmp_path / "model.keras")
    np.testing.assert_array_equal(call(loaded, IMAGE), call(copy, IMAGE))
    again = check(loaded, IMAGE, [place, f"{place}_double_attention"])
    assert [each.name.rpartition("/")[2] for each in blocks_of(again)] == [
        f"{place.rpartition('/')[2]}_double_attention{end}"
        for end in ("_2", "", "_double_attention")
    ]


@pytest.mark.skipif(not ON_TENSORFLOW, reason="vocabularies in a graph need TensorFlow")
def test_vocabularies_are_copied():
    words = keras.Input((11,), dtype="string")
    lookup = layers.StringLookup(name="lookup")
    lookup.adapt([["a", "b"], ["c", "a"]])
    x = layers.Embedding(5, 3, name="embed")(lookup(words))
    model = randomise(keras.Model(words, layers.Flatten()(x)))
    copy = a2keras.insert_blocks(model, ["embed"], block)
    text = keras.ops.convert_to_tensor(np.array([["a", "b", "c", "d", "a", "", "b"] + ["c"] * 4]))
    np.testing.assert_array_equal(call(model, text), call(copy, text))
    assert copy.get_layer("lookup").get_vocabulary() == ["[UNK]", "a", "c", "b"]


class Subclassed(keras.Model):
    def __init__(self, *args, **kwargs):
        super().__init__(*args, **kwargs)
        self.conv = layers.Conv2D(5, 1, name="conv")

    def call(self, x):
        return self.conv(x)


def own_call():
    inputs = keras.Input((11, 13, 3))
    return Subclassed(inputs, layers.Conv2D(5, 1, name="conv")(inputs))


@pytest.mark.parametrize(
    ("model", "received"),
    [
        (Subclassed, "<Subclassed name="),
        (own_call, "<Subclassed name="),
        (lambda: keras.Sequential([layers.Conv2D(5, 1, name="conv")]), "<Sequential name="),
        (lambda: layers.Conv2D(5, 1, name="conv"), "<Conv2D name=conv"),
    ],
)
def test_models_without_a_graph_are_refused(model, received):
    with pytest.raises(ValueError, match=r"`model` must be a functional Keras model or a") as error:
        a2keras.insert_blocks(model(), ["conv"])
    assert f"Received: model={received}" in str(error.value)


def ends():
    """Outputs that no block can follow."""
    words = keras.Input((11,), dtype="int32", name="words")
    x = layers.Embedding(17, 5, name="embed")(words)
    states = layers.LSTM(3, return_sequences=True, return_state=True, name="states")(x)
    flat = layers.Dense(3, name="dense")(layers.Flatten(name="flat")(states[0]))
    return keras.Model(words, [flat, layers.Reshape((11, 1, 1), name="numbers")(words)])


@pytest.mark.parametrize(
    ("make", "after", "message"),
    [
        (small, "sum", r"`after` must be a list of layer names, or .* Received: after='sum'"),
        (small, [], r"`after` must be a list of layer names, .* Received: after=\[\]"),
        (small, ["sum", 3], r"`after` must be a list .* Received: after=\['sum', 3\]"),
        (small, None, r"`after` must be a list of layer names, .* Received: after=None"),
        (small, ["one_rely"], r"does not have: 'one_rely'\. The nearest names: 'one_relu', "),
        (nested, ["inner/flat"], r"does not have: 'inner/flat'\. The nearest names: '"),
        (nested, ["/deep_bn"], r"does not have: '/deep_bn'\. The nearest names: 'deep_bn', "),
        (nested, ["conv"], r"stands in several of the nested models: 'conv'\. Say which: "
            r"'/conv', '/middle/conv', '/middle/stack/conv'"),
        (small, ["photo"], r"names an input, which no block can follow: 'photo'"),
        (small, lambda layer: False, r"chooses none of the model's 9 layers\. Received: <func"),
        (small, ["head"], r"tensor of rank 3 or more, .* Received: layer 'head', whose output has "
            r"rank 2, \(None, 7\)"),
        (ends, ["states"], r"layer 'states', whose output is a \w+ of 3 tensors"),
        (ends, ["numbers"], r"layer 'numbers', whose output is of type int32"),
    ],
)  # fmt: skip
def test_places_that_are_refused(make, after, message):
    model = make()
    with pytest.raises(ValueError, match=message):
        a2keras.insert_blocks(model, after)


class Uncopied(layers.Layer):
    def __init__(self, function):
        super().__init__()
        self.function = function

    def call(self, x):
        return self.function(x)


@pytest.mark.parametrize(
    ("block", "message"),
    [
        (layers.Conv2D, r"makes one without arguments, such as .* Received: block=<class .*Conv2D"),
        (lambda: "a2", r"`block` must be a layer, .* which made 'a2'"),
        ("a2", r"`block` must be a layer, .* Received: block='a2'"),
        (layers.Conv2D(7, 1), r"must keep the shape of its input\. Received: Conv2D, which makes "
            r"\(None, 11, 13, 7\) of \(None, 11, 13, 5\), the output of layer 'sum'"),
        (layers.LSTM(5), r"LSTM cannot follow layer 'sum': .*expected ndim=3, found ndim=4"),
        (Uncopied(ops.relu), r"Layer '\w+' cannot be copied: Uncopied needs a get_config\(\)"),
    ],
)  # fmt: skip
def test_blocks_that_are_refused(block, message):
    with pytest.raises(ValueError, match=message):
        a2keras.insert_blocks(small(), ["sum"], block)


class Tied(layers.Layer):
    """Uses the kernel of another layer."""

    def __init__(self, other=None, **kwargs):
        super().__init__(**kwargs)
        self.other = other or layers.Conv2D(5, 1, name="tied")

    def call(self, x):
        return self.other(x)

    def get_config(self):
        return super().get_config()


def test_layers_that_cannot_be_copied_are_refused():
    inputs = keras.Input((11, 13, 3))
    conv = layers.Conv2D(5, 1, name="conv")
    x = layers.Concatenate(name="both")([conv(inputs), Tied(conv, name="user")(inputs)])
    with pytest.raises(ValueError, match="'user' cannot be copied: it shares the variable 'conv/k"):
        a2keras.insert_blocks(keras.Model(inputs, x), ["both"])
    x = Tied(layers.Conv2D(7, 1), name="user")(inputs)
    message = r"'user' cannot be copied: its configuration gives a layer with weights of shapes "
    with pytest.raises(ValueError, match=message + r"\[\(1, 1, 3, 5\), \(5,\)\], and it has"):
        a2keras.insert_blocks(keras.Model(inputs, x), ["user"])
