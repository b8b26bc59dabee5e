"""Networks that are not ours as hosts: what their pixels become, their trunks, blocks and heads."""

from pathlib import Path

import keras
import numpy as np
import pytest

from a2keras import models
from a2keras.errors import UserError
from a2keras.models import hosts, keras_files, trunks
from a2keras.models.preprocessing.entry import ENTRIES, RAW, Entry
from a2keras.models.preprocessing.pixels import Pixels
from a2keras.models.preprocessing.spec import Preprocessing
from a2keras.models.weights import loading
from a2keras.training.compute import network

layers = keras.layers
PIXELS = np.random.default_rng(5).integers(0, 256, (2, 7, 11, 3)).astype("float32")


def numbers(x) -> np.ndarray:
    return keras.ops.convert_to_numpy(x)


def own(size=(31, 37), rank=2) -> keras.Model:
    """A network as users have them: two stages with residual units, flattened and classified."""
    convolution = getattr(layers, f"Conv{rank}D")
    keras.utils.set_random_seed(3)
    x = pixels = keras.Input((*size, 3), name="input")
    x = convolution(5, 3, strides=2, name="stem")(layers.Rescaling(1 / 255)(x))
    y = convolution(5, 3, padding="same", activation="relu", name="unit1_conv")(x)
    x = layers.Activation("relu", name="unit1_out")(layers.Add(name="unit1_add")([x, y]))
    x = layers.BatchNormalization(name="bn")(convolution(7, 3, padding="same", name="conv2")(x))
    y = convolution(7, 1, name="unit2_conv")(x)
    x = layers.Add(name="unit2_add")([x, y])
    pooling = layers.GlobalMaxPooling2D if None in size else layers.Flatten
    x = layers.Dense(4, activation="softmax", name="old")(pooling()(x))
    return keras.Model(pixels, x, name="own")


@pytest.fixture
def file(tmp_path) -> str:
    own().save(tmp_path / "own.keras")
    return str(tmp_path / "own.keras")


def test_pixels_become_what_every_family_takes():
    """Whatever a family's preprocess_input computes, and for blue, green, red too."""
    functions = {
        name: getattr(keras.applications, builder.__module__.rsplit(".", 1)[1]).preprocess_input
        for name, builder in hosts.applications().items()
    }
    entries = {function: hosts.entry(f"keras:{name}") for name, function in functions.items()}
    assert len(entries) == 15
    flipped = [each for each, entry in entries.items() if entry.is_flipped]
    assert {each.__module__.rsplit(".", 1)[1] for each in flipped} == {"resnet", "vgg16", "vgg19"}
    for function, entry in entries.items():
        x = keras.Input(PIXELS.shape[1:])
        # An operation is called, of a family that takes pixels as they are as well.
        model = keras.Model(x, layers.Activation("linear")(entry(x)))
        expected = function(PIXELS.copy(), data_format="channels_last")
        np.testing.assert_allclose(numbers(model(PIXELS)), expected, atol=2e-5, rtol=1e-5)
    assert hosts.entry("keras:VGG16").pixels == Pixels((123.68, 116.779, 103.939), (1.0,) * 3)
    assert hosts.entry("keras:MobileNetV2").pixels == Pixels((127.5,) * 3, (1 / 127.5,) * 3)
    assert hosts.pixels_of("keras:EfficientNetB0", "auto") == RAW


def test_pixels_of_a_file_are_those_that_it_is_said_to_take(file):
    at = np.array([[[[255.0, 51.0, 0.0]]]], "float32")
    expected = {
        "auto": [255, 51, 0],
        "raw": [255, 51, 0],
        "unit": [1, 0.2, 0],
        "tf": [1, -0.6, -1],
        "torch": [(1 - 0.485) / 0.229, (0.2 - 0.456) / 0.224, -0.406 / 0.225],
        "caffe": [-103.939, 51 - 116.779, 255 - 123.68],
    }
    assert list(expected) == ["auto", *ENTRIES]
    for mode, values in expected.items():
        x = keras.Input((1, 1, 3))
        model = keras.Model(x, layers.Activation("linear")(hosts.entry(file, mode)(x)))
        np.testing.assert_allclose(numbers(model(at))[0, 0, 0], values, rtol=1e-5, atol=1e-5)


def test_a_files_trunk_computes_what_it_computed_at_any_size(file):
    source = own()
    trunk = keras.Model(source.input, source.get_layer("unit2_add").output)
    built = hosts.build(file, (31, 37, 3), 5)
    x = np.random.default_rng(1).uniform(0, 255, (2, 31, 37, 3)).astype("float32")
    maps = keras.Model(built.input, built.get_layer("unit2_add").output)
    assert np.array_equal(numbers(maps(x)), numbers(trunk(x)))
    assert built.output_shape == (None, 5)
    assert [each.name for each in built.layers[-3:]] == ["avg_pool", "predictions", "probabilities"]
    # "old" is not there: its kernel would not fit another size.
    other = hosts.build(file, (23, 29, 3), 5)
    assert other.count_params() == built.count_params()
    kernels = [each.get_layer("unit2_conv").kernel for each in (other, source)]
    assert np.array_equal(*map(numbers, kernels))


def test_a_file_from_scratch_keeps_what_was_adapted(tmp_path):
    adapted = layers.Normalization(mean=[1.0, 2.0, 3.0], variance=[4.0, 5.0, 6.0])
    learned = layers.Normalization(name="learned")
    learned.adapt(PIXELS)
    x = pixels = keras.Input((17, 19, 3))
    x = layers.Conv2D(5, 3, name="conv")(learned(adapted(x)))
    source = keras.Model(pixels, layers.GlobalAveragePooling2D()(x))
    source.save(tmp_path / "own.keras")
    keras.utils.set_random_seed(7)
    one = hosts.build(str(tmp_path / "own.keras"), (17, 19, 3), 2, fresh=True)
    keras.utils.set_random_seed(7)
    two = hosts.build(str(tmp_path / "own.keras"), (17, 19, 3), 2, fresh=True)
    for a, b in zip(one.get_weights(), two.get_weights(), strict=True):
        assert np.array_equal(a, b)
    kernels = [numbers(each.get_layer("conv").kernel) for each in (one, source)]
    assert not np.isclose(*kernels).any()
    means = [numbers(each.get_layer("learned").mean) for each in (one, source)]
    assert np.array_equal(*means)
    assert means[0].std() > 0


def test_blocks_stand_in_the_last_units_and_change_nothing_at_first(file):
    plain = hosts.build(file, (31, 37, 3), 5)
    for kind in ("a2", "non_local"):
        with_blocks = hosts.build(file, (31, 37, 3), 5, kind)
        name = {"a2": "double_attention", "non_local": "non_local"}[kind]
        # The only stage: with the activation behind the sum, the residual ends at "unit2_add".
        assert [e.name for e in with_blocks.layers if name in e.name] == [f"unit2_add_{name}"]
        maps = [e.get_layer("avg_pool").input for e in (plain, with_blocks)]
        x = np.random.default_rng(1).uniform(0, 255, (2, 31, 37, 3)).astype("float32")
        inputs = [e.input for e in (plain, with_blocks)]
        a, b = (numbers(keras.Model(i, m)(x)) for i, m in zip(inputs, maps, strict=True))
        assert np.array_equal(a, b)
    gates = hosts.build(file, (31, 37, 3), 5, "se", ("unit1_out",))
    assert gates.get_layer("unit1_out_squeeze_excitation").ratio == 16
    block = with_blocks.get_layer("unit2_add_non_local")
    assert block.pre_activation


@pytest.mark.parametrize(
    ("name", "size", "places"),
    [
        ("MobileNetV2", 96, ("/block_2_add", "/block_5_add")),
        ("VGG16", 64, ("/block3_conv3", "/block4_conv3")),
    ],
)
def test_usual_positions_of_keras_applications(name, size, places):
    """96/8 = 12 and 64/8 = 8: 144 and 64 positions; the next stages have 36 and 16."""
    model = getattr(keras.applications, name)(
        include_top=False, weights=None, input_shape=(size, size, 3)
    )
    assert trunks.usual_positions(model) == places


def test_names_do_not_depend_on_what_was_built_before():
    x = pixels = keras.Input((9, 9, 3))
    for _ in range(12):
        x = layers.Conv2D(3, 1)(x)
    first = keras.Model(pixels, layers.ReLU()(x))
    found = trunks._numbered_again(first)
    convolutions = [each.name for each in first.layers if isinstance(each, layers.Conv2D)]
    assert [found[name] for name in convolutions] == [
        "conv2d",
        *(f"conv2d_{i}" for i in range(1, 12)),
    ]
    assert set(found.values()) >= {"re_lu"}


def test_a_nested_backbone_has_places_too(tmp_path):
    inner = own((None, None))
    inner = keras.Model(inner.input, inner.get_layer("unit2_add").output, name="backbone")
    pixels = keras.Input((31, 37, 3))
    outer = keras.Model(pixels, layers.Dense(2)(layers.GlobalMaxPooling2D()(inner(pixels))))
    outer.save(tmp_path / "outer.keras")
    built = hosts.build(str(tmp_path / "outer.keras"), (33, 35, 3), 5, "a2")
    block = built.get_layer("backbone").get_layer("unit2_add_double_attention")
    assert block.input.shape == (None, 16, 17, 7)
    x = np.full((1, 33, 35, 3), 9, "float32")
    assert numbers(built(x)).sum() == pytest.approx(1)


def test_a_file_of_clips(tmp_path):
    own((5, 17, 19), rank=3).save(tmp_path / "clips.keras")
    name = str(tmp_path / "clips.keras")
    assert hosts.is_video(name)
    built = hosts.build(name, (5, 17, 19, 3), 3, "a2")
    assert built.output_shape == (None, 3)
    assert built.get_layer("unit2_add_double_attention").input.shape[1:-1] == (2, 8, 9)


def test_a_runs_file_tells_the_runs_normalisation(file, tmp_path):
    Preprocessing(("a", "b"), 31, mean=(1, 2, 3), scale=(4, 5, 6)).save(tmp_path)
    assert hosts.pixels_of(file, "auto") == Pixels((1.0, 2.0, 3.0), (4.0, 5.0, 6.0))
    assert hosts.entry(file, "auto") == Entry(RAW)  # its own first layer applies it
    assert hosts.pixels_of(file, "raw") == Pixels((1.0, 2.0, 3.0), (4.0, 5.0, 6.0))
    assert hosts.pixels_of(file, "unit") == ENTRIES["unit"]().pixels


def test_mixed_precision_is_the_recipes(file):
    built = hosts.build(file, (31, 37, 3), 5, "a2", precision="mixed_bfloat16")
    computes = {each.name: each.compute_dtype for each in built.layers}
    assert computes["stem"] == computes["unit2_add_double_attention"] == "bfloat16"
    assert computes["rescaling" if "rescaling" in computes else built.layers[1].name] == "float32"
    assert built.get_layer("stem").kernel.dtype == "float32"


def test_efficientnet_divides_as_its_imagenet_weights_want_it():
    """(x / 255 - mean) / deviation, though these weights have the deviations as variances."""
    built = hosts.build("keras:EfficientNetB0", (32, 32, 3), 2)
    normalization = built.get_layer("normalization")
    mean, deviation = [0.485, 0.456, 0.406], [0.229, 0.224, 0.225]
    normalization.load_own_variables({"0": np.array(mean), "1": np.array(deviation), "2": 0})
    pad = built.get_layer("stem_conv_pad")
    x = np.random.default_rng(2).uniform(0, 255, (2, 32, 32, 3)).astype("float32")
    found = numbers(keras.Model(built.input, pad.input)(x))
    np.testing.assert_allclose(found, (x / 255 - mean) / deviation, atol=1e-5)


def test_assigned_weights_are_those_that_a_normalization_computes_with(capsys):
    adapted = keras.layers.Normalization(mean=None, variance=None)
    adapted.adapt(np.random.default_rng(3).uniform(3, 7, (11, 5)).astype("float32"))
    x = keras.Input((5,))
    source = keras.Model(x, adapted(x), name="adapted")
    y = keras.Input((5,))
    target = keras.Model(y, keras.layers.Normalization(name=adapted.name)(y), name="fresh")
    loading.copy(source, target)
    given = np.arange(10, dtype="float32").reshape(2, 5)
    np.testing.assert_array_equal(numbers(target(given)), numbers(source(given)))


def test_weights_without_names_are_found_by_their_place(capsys):
    """LayerScale's, which Keras counts through the process: variable_36, variable_72."""
    source, target = (
        keras.applications.ConvNeXtTiny(
            include_top=False, weights=None, input_shape=(32, 32, 3), name="convnext"
        )
        for _ in range(2)
    )
    values = [np.full_like(each, i) for i, each in enumerate(source.get_weights(), 1)]
    source.set_weights(values)
    loading.copy(source, target)
    scales = 0
    for old, new in zip(source.layers, target.layers, strict=True):
        if "layer_scale" in old.name:
            scales += 1
            assert np.array_equal(numbers(old.weights[0]), numbers(new.weights[0]))
    assert scales == 18


def test_weights_as_keras_downloads_them(tmp_path):
    keras.utils.set_random_seed(11)
    source = keras.applications.MobileNet(
        alpha=1.0, include_top=False, weights=None, input_shape=(32, 32, 3)
    )
    source.save(tmp_path / "mobilenet.h5")
    found = hosts.pretrained("keras:MobileNet", tmp_path / "mobilenet.h5")
    for a, b in zip(source.get_weights(), found.get_weights(), strict=True):
        assert np.array_equal(a, b)
    with pytest.raises(UserError, match=r"mobilenet.h5 does not fit keras:VGG16: "):
        hosts.pretrained("keras:VGG16", tmp_path / "mobilenet.h5")


def test_layers_of_keras_applications_are_loaded_from_files(tmp_path):
    from keras.src.applications.convnext import LayerScale
    from keras.src.applications.inception_resnet_v2 import CustomScaleLayer

    x = keras.Input((5, 7, 3))
    model = keras.Model(x, CustomScaleLayer(0.5)([x, LayerScale(1e-6, 3)(x)]))
    model.save(tmp_path / "model.keras")
    loaded = keras_files.load_single(tmp_path / "model.keras")
    assert [type(each) for each in loaded.layers[1:]] == [LayerScale, CustomScaleLayer]


def test_every_network_of_keras_applications_is_known():
    assert {"MobileNetV2", "ConvNeXtXLarge", "EfficientNetV2S"} <= set(hosts.applications())
    assert not set(hosts.applications()) & set(models.list_models())


@pytest.mark.parametrize(
    ("name", "arguments", "message"),
    [
        ("keras:MobileNetV4", {}, r"there is no network 'keras:MobileNetV4': did you mean 'keras:"),
        ("absent.keras", {}, r"there is no file absent.keras \(keras:NAME is one of keras.applica"),
        ("own", {"attention": "cbam"}, r"`attention` must be None, .*Received: attention='cbam'"),
        ("own", {"positions": ("a",)}, r"`positions` are for blocks, and .* Received: \('a',\)"),
        ("own", {"attention": "a2", "positions": ("unit3_add",)},
         r"`positions` names a layer that the model does not have: 'unit3_add': "),
        ("own", {"attention": "a2", "size": (9, 9)},
         r"`positions` must be given: no layer of 'own' has more than 49 positions"),
        ("flat", {}, r"flat.keras can be no host: it must take RGB, .* Received: \(None, 3\)"),
        ("keras:VGG16", {"size": (8, 31, 37)}, r"keras:VGG16 takes images. Received: input_shape"),
        ("keras:VGG16", {"size": (9, 9)}, r"Input size must be at least 32x32; Received"),
    ],
)  # fmt: skip
def test_mistakes(tmp_path, file, name, arguments, message):
    x = keras.Input((3,))
    keras.Model(x, layers.Dense(2)(x), name="flat").save(tmp_path / "flat.keras")
    name = f"{tmp_path}/{name}.keras" if name in ("own", "flat") else name
    size = arguments.pop("size", (31, 37))
    with pytest.raises((UserError, ValueError), match=message):
        hosts.build(name, (*size, 3), 2, **arguments)


def test_our_own_networks_take_squeeze_and_excitation(tmp_path):
    plain = models.InceptionV1(include_top=False, input_shape=(32, 32, 3))
    plain.save_weights(tmp_path / "plain.weights.h5")
    model = models.InceptionV1(
        include_top=False, input_shape=(32, 32, 3), attention="se", positions=("conv4_3",),
        weights=tmp_path / "plain.weights.h5",
    )  # fmt: skip
    # Channels of its unit 4c: 512 = 128 + 256 + 64 + 64, a sixteenth of it and back.
    gates = model.get_layer("conv4_3_attention")
    assert gates.count_params() == 512 * 32 + 32 + 32 * 512 + 512
    assert model.count_params() == plain.count_params() + gates.count_params()
    kernels = [numbers(each.get_layer("conv1_1_conv").kernel) for each in (plain, model)]
    assert np.array_equal(*kernels)


def test_a_file_beside_a_host_says_what_it_takes(file):
    Preprocessing(("a", "b"), 17, takes="tf").save(Path(file).parent)
    assert hosts.entry(file) == ENTRIES["tf"]()
    assert hosts.pixels_of(file, "auto") == Pixels((127.5,) * 3, (1 / 127.5,) * 3)
    assert hosts.entry(file, "unit") == ENTRIES["unit"]()


def saved(model: keras.Model, directory: Path) -> str:
    model.save(directory / "host.keras")
    return str(directory / "host.keras")


def sequential(*stack, shape=(31, 37, 3)) -> keras.Model:
    return keras.Sequential([keras.Input(shape), *stack], name="stack")


def pooled(name="backbone", channels=7) -> keras.Model:
    """A backbone that pools by itself, as keras.applications' with pooling="avg"."""
    return sequential(
        layers.Conv2D(5, 3, name="conv1"),
        layers.Conv2D(channels, 3, activation="relu", name="conv2"),
        layers.GlobalAveragePooling2D(),
    )


@pytest.mark.parametrize("depth", [1, 2])
def test_maps_within_nested_models_are_found(tmp_path, depth):
    backbone = pooled()
    backbone.name = "backbone"
    nested = backbone
    if depth == 2:
        nested = sequential(backbone, layers.Dense(11))
        nested.name = "outer"
    source = sequential(layers.Rescaling(1 / 255), nested, layers.Dense(3, activation="softmax"))
    built = hosts.build(saved(source, tmp_path), (31, 37, 3), 5, "a2", ("conv2",))
    x = np.random.default_rng(1).uniform(0, 255, (2, 31, 37, 3)).astype("float32")
    maps = keras.Model(built.input, built.get_layer("avg_pool").output)
    expected = numbers(backbone(x / 255))
    np.testing.assert_allclose(numbers(maps(x)), expected, rtol=1e-4, atol=1e-5)
    assert network.describe_network(built, "host.keras") == (
        "host.keras up to conv2 and a new classifier, 31×37"
    )


def branches() -> keras.Model:
    pixels = keras.Input((31, 37, 3))
    pooled = [layers.GlobalMaxPooling2D()(layers.Conv2D(5, k)(pixels)) for k in (3, 5)]
    return keras.Model(pixels, layers.Dense(2)(layers.Concatenate()(pooled)), name="branches")


def states() -> keras.Model:
    pixels = keras.Input((31, 37, 3))
    x = layers.Reshape((12, 8))(layers.Conv2D(8, 8, 8)(pixels))
    x, _ = layers.GRU(5, return_state=True, name="memory")(x)
    return keras.Model(pixels, layers.Dense(2)(x), name="states")


NO_HOSTS = {
    "mlp": (
        lambda: sequential(layers.Rescaling(1 / 255), layers.Flatten(), layers.Dense(3)),
        r"model 'stack' has no layer that learns up to its last maps, the output of 'rescaling",
    ),
    "patches": (
        lambda: sequential(
            layers.Conv2D(8, 8, 8, name="patches"), layers.Reshape((12, 8)),
            layers.Dense(7, name="mixer"), layers.GlobalAveragePooling1D(), layers.Dense(3),
        ),
        r"behind the last maps of model 'stack', the output of 'patches', there must be only a "
        r"classifier of the pooled or flattened maps. Received: layer 'mixer', which takes "
        r"\(None, 12, 8\)",
    ),
    "several outputs": (
        states,
        r"behind the last maps of model 'states', .* Received: layer 'memory', which takes "
        r"\(None, 12, 8\)",
    ),
    "frames": (
        lambda: sequential(
            layers.TimeDistributed(pooled(), name="each"), layers.LSTM(5), layers.Dense(3),
            shape=(5, 31, 37, 3),
        ),
        r"model '\w+' has no maps \(height, width, channels\) that its whole output is computed",
    ),
    "branches": (
        branches,
        r"model 'branches' has no maps \(height, width, channels\) that its whole output is com",
    ),
    "grey": (
        lambda: sequential(layers.Conv2D(5, 3), layers.Flatten(), shape=(31, 37, 1)),
        r"it must take RGB, the channels last: \(B, \[frames,\] height, width, 3\). Received: "
        r"\(None, 31, 37, 1\)",
    ),
    "channels first": (
        lambda: sequential(
            layers.Permute((3, 1, 2)),
            layers.GlobalAveragePooling2D(data_format="channels_first", name="pool"),
        ),
        r"all of its layers must have data_format='channels_last'. Received: layer 'pool' with "
        r"'channels_first'",
    ),
}  # fmt: skip


@pytest.mark.parametrize("kind", NO_HOSTS)
def test_what_is_no_trunk_is_refused(tmp_path, kind):
    make, message = NO_HOSTS[kind]
    with pytest.raises(UserError, match=r"host.keras can be no host: " + message):
        hosts.check(saved(make(), tmp_path))


def test_attention_of_another_kind_takes_the_place_of_a_files_own(file, tmp_path):
    kinds = (models.blocks.BLOCKS[kind] for kind in ("a2", "non_local", "se"))
    a2, non_local, _ = kinds
    first = hosts.build(file, (31, 37, 3), 5, "a2")
    first.get_layer("unit2_add_double_attention").output_projection.kernel.assign(
        np.ones((1, 7), "float32")
    )
    again = saved(first, tmp_path)

    def blocks(attention):
        built = hosts.build(again, (31, 37, 3), 5, attention)
        return built, [type(e) for e in built.layers if isinstance(e, (a2, non_local))]

    kept, found = blocks("auto")
    assert found == [a2]
    block = kept.get_layer("unit2_add_double_attention")
    assert numbers(block.output_projection.kernel).min() == 1
    assert blocks("non_local")[1] == [non_local]
    plain, found = blocks(None)
    assert found == []
    original = hosts.build(file, (31, 37, 3), 5)
    x = np.random.default_rng(1).uniform(0, 255, (2, 31, 37, 3)).astype("float32")
    pools = [keras.Model(e.input, e.get_layer("avg_pool").output) for e in (plain, original)]
    assert np.array_equal(*(numbers(each(x)) for each in pools))


def test_layers_may_have_the_names_of_what_is_put_on_them(tmp_path):
    source = sequential(
        layers.Conv2D(5, 3, name="pixels"),
        layers.Conv2D(7, 3, name="predictions"),
        layers.AveragePooling2D(2, name="avg_pool"),
        layers.Conv2D(7, 3, name="avg_pool_1"),
        layers.Flatten(),
    )
    built = hosts.build(saved(source, tmp_path), (31, 37, 3), 2, mode="unit")
    assert [each.name for each in built.layers] == [
        "pixels", "normalisation", "pixels_1", "predictions_1", "avg_pool_2", "avg_pool_1",
        "avg_pool", "predictions", "probabilities",
    ]  # fmt: skip
    kernels = built.get_layer("pixels_1").kernel, source.get_layer("pixels").kernel
    assert np.array_equal(*map(numbers, kernels))


def test_layers_within_others_have_the_recipes_precision(tmp_path):
    convolution = layers.Conv2D(5, 3, dtype="mixed_float16")
    inner = sequential(layers.Rescaling(0.5), convolution, shape=(11, 13, 3))
    source = sequential(
        layers.TimeDistributed(inner, dtype="mixed_float16", name="each"),
        layers.ConvLSTM2D(7, 3, dtype="mixed_float16", name="memory"),
        layers.GlobalAveragePooling2D(),
        shape=(3, 11, 13, 3),
    )
    name = saved(source, tmp_path)
    for precision, computed in (("float32", "float32"), ("mixed_bfloat16", "bfloat16")):
        built = hosts.build(name, (3, 11, 13, 3), 2, precision=precision)
        rescaling, convolution = built.get_layer("each").layer.layers
        assert rescaling.compute_dtype == "float32"
        assert convolution.compute_dtype == computed
        assert built.get_layer("memory").cell.compute_dtype == computed
        kernels = convolution.kernel, inner.layers[1].kernel
        assert np.array_equal(*map(numbers, kernels))


def test_a_layer_that_is_used_again_behind_the_maps_is_no_end(tmp_path):
    relu, pixels = layers.ReLU(name="relu"), keras.Input((31, 37, 3))
    x = relu(layers.Conv2D(7, 3, name="last")(relu(layers.Conv2D(5, 3, name="first")(pixels))))
    x = relu(layers.Dense(11)(layers.GlobalAveragePooling2D()(x)))
    source = keras.Model(pixels, layers.Dense(3)(x))
    built = hosts.build(saved(source, tmp_path), (31, 37, 3), 2)
    assert built.get_layer("avg_pool").input.shape == (None, 27, 33, 7)


def test_a_head_of_convolutions_is_none_of_the_trunk(tmp_path):
    source = sequential(
        layers.Conv2D(5, 3, name="last"), layers.Conv2D(11, (29, 35)), layers.Conv2D(3, 1),
        layers.Flatten(),
    )  # fmt: skip
    built = hosts.build(saved(source, tmp_path), (31, 37, 3), 2)
    assert built.get_layer("avg_pool").input.shape == (None, 29, 35, 5)


def test_nested_models_give_way_to_names_too(tmp_path):
    inner = sequential(layers.Conv2D(5, 3))
    inner.name = "avg_pool"
    source = sequential(inner, layers.Flatten(), layers.Dense(3))
    built = hosts.build(saved(source, tmp_path), (31, 37, 3), 2)
    assert [each.name for each in built.layers[1:3]] == ["avg_pool_1", "avg_pool"]


def test_blocks_within_wrappers_are_not_taken_out(tmp_path):
    frame = sequential(layers.Conv2D(5, 3), models.blocks.block_of("a2", 3, "block"))
    frames = layers.TimeDistributed(frame, name="frames")
    source = sequential(frames, layers.Flatten(), shape=(2, 31, 37, 3))
    name = saved(source, tmp_path)
    assert hosts.build(name, (2, 31, 37, 3), 2).get_layer("frames")
    with pytest.raises(ValueError) as error:
        hosts.build(name, (2, 31, 37, 3), 2, None)
    assert str(error.value) == (
        "`attention` must be auto where blocks are within wrappers such as TimeDistributed, out of "
        "which they are not taken: block. Received: attention=None"
    )


def test_another_files_preprocessing_matters_only_where_it_is_asked_for(file):
    (Path(file).parent / "preprocessing.json").write_text('{"resize": 256}')
    assert hosts.pixels_of(file, "tf") == ENTRIES["tf"]().pixels
    with pytest.raises(UserError, match=r"preprocessing.json"):
        hosts.pixels_of(file, "auto")


def test_maps_of_one_position_are_maps_where_the_input_is_small(tmp_path):
    """16 pixels leave the last of five strides one position, and its weights are the trunk's."""
    model = models.ResNet20(input_shape=(16, 16, 3), classes=2)
    trunk = trunks.cut(model)
    assert trunk.output_shape == (None, 1, 1, 256)
    assert len(trunk.weights) == len(model.weights) - 2
    small = keras.applications.MobileNetV3Small(
        weights=None, input_shape=(32, 32, 3), include_top=True, classes=2
    )
    assert trunks.cut(small).output_shape == (None, 1, 1, 576)
