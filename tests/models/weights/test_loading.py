"""Weights by name, from files and from image networks; broken files; what the report says."""

import io
import zipfile

import h5py
import keras
import numpy as np
import pytest
from keras import layers, ops

from a2keras import models
from a2keras.errors import UserError
from a2keras.models import weights
from a2keras.models.commands import convert
from a2keras.models.weights.assignment import Report, variables_of

SIZE = (19, 23, 3)


def values_of(model):
    return {name: ops.convert_to_numpy(v.value) for name, v in variables_of(model).items()}


def randomise(model, seed=0):
    """Values with which every layer matters: networks start with many zeros and ones."""
    rng = np.random.default_rng(seed)
    for name, variable in variables_of(model).items():
        if len(variable.shape) > 1:
            value = rng.normal(0, np.prod(variable.shape[:-1]) ** -0.5, variable.shape)
        else:
            value = rng.uniform(-0.5, 0.5, variable.shape) + ("gamma" in name or "variance" in name)
        variable.assign(value.astype("float32"))
    return model


def same(first, second):
    return first.keys() == second.keys() and all(
        np.array_equal(first[name], second[name]) for name in first
    )


def small(**arguments):
    return models.A2ResNet11(**{"classes": 5, "input_shape": SIZE, **arguments})


@pytest.fixture(scope="module")
def source():
    return randomise(small())


@pytest.fixture(scope="module", params=[".weights.h5", ".keras"])
def file(request, source, tmp_path_factory):
    path = tmp_path_factory.mktemp("weights") / f"source{request.param}"
    source.save_weights(path) if request.param == ".weights.h5" else source.save(path)
    return path


@pytest.fixture(scope="module")
def target():
    return small(classes=7)


# Loading


def test_a_file_gives_every_weight_back_bit_for_bit(source, file, capsys):
    model = small()
    report = weights.load(model, file)
    assert same(values_of(model), values_of(source))
    assert report == Report(str(file), "a2_resnet11", tuple(values_of(source)))
    assert capsys.readouterr().err == f"{report}\n"
    assert str(report) == f"a2_resnet11: 111 of 111 variables loaded from {file}"


def test_layers_are_found_by_name_though_blocks_shift_them(source, file):
    plain = small(attention=None)
    report = weights.load(plain, file)
    expected = values_of(source)
    assert all(np.array_equal(value, expected[name]) for name, value in values_of(plain).items())
    assert not report.new
    assert len(report.skipped) == 40  # two blocks of four projections with four BN weights each
    assert {reason for _, reason in report.skipped} == {"not in the model"}
    assert "skipped 40 (not in the model): conv3_1_attention (20), conv4_1_attention (20)" in str(
        report
    )


def test_blocks_that_a_plain_file_lacks_stay_new(source, tmp_path):
    path = tmp_path / "plain.weights.h5"
    plain = randomise(small(attention=None), seed=3)
    plain.save_weights(path)
    model = randomise(small(), seed=4)
    before, loaded = values_of(model), values_of(plain)
    with pytest.raises(
        ValueError, match=r"40 of 111 variables .*nothing for conv3_1_attention \(20\), conv4_1_at"
    ):
        weights.load(model, path)
    assert same(values_of(model), before)
    report = weights.load(model, path, skip_mismatch=True)
    after = values_of(model)
    assert report.new == tuple(name for name in before if "attention" in name)
    assert report.loaded == tuple(loaded)
    for name in after:
        assert np.array_equal(after[name], loaded.get(name, before[name])), name


def test_other_classes(target, file, source):
    before = values_of(target)
    with pytest.raises(ValueError) as error:
        weights.load(target, file)
    assert str(error.value) == (
        f"2 of 111 variables of model 'a2_resnet11' find no value in {file} "
        "(predictions/kernel: shape (256, 5), in the model (256, 7); "
        "predictions/bias: shape (5,), in the model (7,)): `skip_mismatch=True` leaves them as "
        "they are"
    )
    assert same(values_of(target), before)
    report = weights.load(target, file, skip_mismatch=True)
    assert report.new == ("predictions/kernel", "predictions/bias")
    assert report.skipped == (
        ("predictions/kernel", "shape (256, 5), in the model (256, 7)"),
        ("predictions/bias", "shape (5,), in the model (7,)"),
    )
    after, loaded = values_of(target), values_of(source)
    for name in after:
        assert np.array_equal(after[name], before[name] if name in report.new else loaded[name])
    assert "newly initialised 2: predictions (2)" in str(report)


def test_another_architecture_is_refused_even_where_a_few_names_agree(target, tmp_path):
    models.MobileNetV2(input_shape=(19, 23, 3), classes=7).save_weights(tmp_path / "a.weights.h5")
    before = values_of(target)
    message = r"only 0 of the 22 kernels of model 'a2_resnet11' .*: these are two different archi"
    with pytest.raises(ValueError, match=message):
        weights.load(target, tmp_path / "a.weights.h5", skip_mismatch=True)
    assert same(values_of(target), before)


def test_values_that_are_not_finite_are_told(source, target, tmp_path):
    model = randomise(dense_pair("one", "two"))
    model.get_layer("two").kernel.assign(np.full((3, 3), np.nan))
    model.save_weights(tmp_path / "a.weights.h5")
    report = weights.load(dense_pair("one", "two"), tmp_path / "a.weights.h5")
    assert report.notes == ("values that are not finite: two/kernel",)


def test_builders_load_by_name_and_tell(file, source, capsys):
    model = small(weights=str(file), include_top=False)
    assert "109 of 109 variables loaded" in capsys.readouterr().err
    expected = values_of(source)
    assert all(np.array_equal(value, expected[name]) for name, value in values_of(model).items())


def dense_pair(first, second, inside=None):
    """Two dense layers of one shape in a row, the second in a model of the name `inside`."""
    x = inputs = keras.Input((3,))
    x = layers.Dense(3, name=first)(x)
    if inside:
        y = keras.Input((3,))
        x = keras.Model(y, layers.Dense(3, name=second)(y), name=inside)(x)
    else:
        x = layers.Dense(3, name=second)(x)
    return keras.Model(inputs, x)


@pytest.mark.parametrize("inside", [None, "inner"])
def test_names_count_where_shapes_agree(inside, tmp_path):
    model, turned = randomise(dense_pair("one", "two")), dense_pair("two", "one")
    if inside:
        model = randomise(dense_pair("same", "same", "inner"))
        turned = dense_pair("same", "same", "inner")
    model.save_weights(tmp_path / "a.weights.h5")
    weights.load(turned, tmp_path / "a.weights.h5")
    found, expected = values_of(turned), values_of(model)
    assert found.keys() == expected.keys()
    assert all(np.array_equal(found[name], expected[name]) for name in found)


def various():
    """Wrappers, cells, shared and nested layers, a frozen one, half precision."""
    x = inputs = keras.Input((7, 5))
    x = layers.TimeDistributed(layers.Dense(5, name="each"), name="times")(x)
    x = layers.Bidirectional(layers.LSTM(3, name="lstm"), name="both")(x)
    x = layers.Dropout(0.5, name="dropout")(x)
    shared = layers.Dense(6, name="shared")
    x = layers.BatchNormalization(trainable=False, name="frozen")(shared(shared(x)))
    x = keras.Sequential([layers.Dense(6, name="shared"), layers.Dense(2)], name="nested")(x)
    model = keras.Model(inputs, layers.Dense(2, name="half", dtype="bfloat16")(x))
    model.get_layer("nested").layers[1].name = "last"
    return model


def test_nested_shared_frozen_and_half_precision_layers(tmp_path):
    model, again = randomise(various()), various()
    model.save_weights(tmp_path / "a.weights.h5")
    report = weights.load(again, tmp_path / "a.weights.h5")
    assert same(values_of(again), values_of(model))
    assert len(report.loaded) == len(model.weights) == 20
    assert "both/forward_lstm/lstm_cell/recurrent_kernel" in report.loaded
    assert "nested/shared/kernel" in report.loaded
    assert not report.skipped
    x = np.random.default_rng(1).normal(size=(2, 7, 5)).astype("float32")
    outputs = [ops.convert_to_numpy(ops.cast(each(x), "float32")) for each in (model, again)]
    assert np.array_equal(*outputs)


def test_training_state_is_left_and_told(tmp_path):
    model = randomise(dense_pair("one", "two"))
    model.compile("sgd", "mse")
    model.fit(np.ones((2, 3)), np.ones((2, 3)), verbose=0)
    model.save(tmp_path / "a.keras")
    report = weights.load(dense_pair("one", "two"), tmp_path / "a.keras")
    assert len(report.loaded) == 4
    assert not report.skipped
    assert report.notes == ("the state of the optimizer is left: 2 arrays",)
    with pytest.raises(ValueError, match=r"there are one/0, one/1, two/0, two/1 instead"):
        weights.load(dense_pair("three", "four"), tmp_path / "a.keras")


def test_a_layer_of_another_number_of_variables_is_a_mismatch(tmp_path):
    """Keras writes no names of variables: gamma would become beta, which has its shape."""
    full, bare = (
        keras.Sequential([keras.Input((3,)), layers.BatchNormalization(scale=scale, name="bn"),
                          layers.Dense(3, name="dense")])
        for scale in (True, False)
    )  # fmt: skip
    full.save_weights(tmp_path / "a.weights.h5")
    report = weights.load(bare, tmp_path / "a.weights.h5", skip_mismatch=True)
    assert report.new == ("bn/beta", "bn/moving_mean", "bn/moving_variance")
    reason = "4 variables in the layer, in the model 3"
    assert report.skipped == tuple((f"bn/{index}", reason) for index in range(4))


def test_what_a_file_stores_in_half_precision_is_not_rounded_again(tmp_path):
    half = randomise(
        keras.Sequential([keras.Input((3,)), layers.Dense(5, name="d", dtype="float16")])
    )
    half.save_weights(tmp_path / "a.weights.h5")
    single = keras.Sequential([keras.Input((3,)), layers.Dense(5, name="d")])
    weights.load(single, tmp_path / "a.weights.h5")
    assert values_of(half)["d/kernel"].dtype == "float16"
    assert values_of(single)["d/kernel"].dtype == "float32"
    assert same(values_of(single), values_of(half))


# Files that are none


def cut(path, length, to):
    data = path.read_bytes()
    to.write_bytes(data[: length if length >= 0 else len(data) + length])
    return to


@pytest.mark.parametrize("length", [0, 1, 7, 512, 5000, 100_000, -1000, -1])
def test_a_cut_off_file_is_refused_and_the_model_left(file, target, length, tmp_path):
    before = values_of(target)
    suffix = ".keras" if file.suffix == ".keras" else ".weights.h5"
    part = cut(file, length, tmp_path / f"part{suffix}")
    with pytest.raises(ValueError, match="is empty" if length == 0 else "or a part of one: ") as e:
        weights.load(target, part, skip_mismatch=True)
    assert str(part) in str(e.value)
    assert same(values_of(target), before)


def test_a_damaged_archive_is_refused(source, target, tmp_path):
    path = tmp_path / "a.keras"
    source.save(path)
    data = bytearray(path.read_bytes())
    data[len(data) // 2] ^= 1
    path.write_bytes(data)
    with pytest.raises(ValueError, match="is no Keras archive, or a part of one: Bad CRC-32"):
        weights.load(target, path, skip_mismatch=True)


def h5_file(path, fill):
    with h5py.File(path, "w") as h5:
        fill(h5)


def named(h5, place="layers/dense/vars", name="dense"):
    group = h5.create_group(place)
    if name:
        group.attrs["name"] = name
    return group


def twice(h5):
    for layer in ("dense", "dense_1"):
        named(h5, f"layers/{layer}/vars")["0"] = np.zeros(3)


def link(h5):
    h5["layers/dense"] = h5py.ExternalLink("other.h5", "/layers/dense")


def soft_link(h5):
    named(h5)["0"] = np.zeros(3)
    h5["layers/dense_1"] = h5py.SoftLink("/layers/dense")


def circle(h5):
    named(h5)["0"] = np.zeros(3)
    h5["layers/dense/again"] = h5["layers"]


def bomb(h5):
    named(h5).create_dataset("0", (2**40,), "float32", chunks=(2**20,), compression="gzip")


@pytest.mark.parametrize(
    ("fill", "message"),
    [
        (lambda h5: None, "is an HDF5 file, but not of Keras 3 weights"),
        (lambda h5: h5.create_group("model_weights"), "but not of Keras 3 weights"),
        (lambda h5: named(h5, name=None).create_dataset("0", data=[1.0]), "has no names of layers"),
        (twice, "has two layers of the name 'dense'"),
        (link, "links to something else at /layers/dense"),
        (soft_link, "links to something else at /layers/dense_1"),
        (circle, "holds the group /layers/dense/again a second time"),
        (bomb, "declares 4398046511104 bytes at /layers/dense/vars/0 and holds 0: it would fill"),
        (lambda h5: named(h5).create_dataset("0", data="text"), "holds no numbers at /layers"),
        (lambda h5: named(h5).create_group("0"), "has no plain array at /layers/dense/vars/0"),
    ],
)
def test_an_h5_file_of_something_else_is_refused(fill, message, target, tmp_path):
    path = tmp_path / "a.weights.h5"
    h5_file(path, fill)
    with pytest.raises(ValueError, match=message):
        weights.load(target, path, skip_mismatch=True)


def test_paths_that_are_no_weights_files(target, tmp_path):
    (tmp_path / "folder.keras").mkdir()
    for name in ("a.h5", "a.weights.json", "a.pth"):
        (tmp_path / name).write_bytes(b"x")
    with zipfile.ZipFile(tmp_path / "a.keras", "w") as archive:
        archive.writestr("config.json", "{}")
    for name, message in {
        "none.keras": "there is no file .*none.keras",
        "folder.keras": "folder.keras is a folder, not a weights file",
        "a.h5": r"a weights file ends in .weights.h5 or .keras. Received: .*a\.h5",
        "a.pth": r"a weights file ends in .weights.h5 or .keras. Received: .*a\.pth",
        "a.weights.json": "lists the parts of a sharded file, which are not read",
        "a.keras": r"a.keras holds no model.weights.h5: no Keras model was saved there",
    }.items():
        with pytest.raises(ValueError, match=message):
            weights.load(target, tmp_path / name)


def test_a_file_of_another_network_fits_nowhere(target, tmp_path):
    path = tmp_path / "a.weights.h5"
    dense_pair("one", "two").save_weights(path)
    with pytest.raises(ValueError) as error:
        weights.load(target, path, skip_mismatch=True)
    assert str(error.value) == (
        f"nothing in {path} fits model 'a2_resnet11', whose variables are named conv1_conv/kernel, "
        "conv1_bn/gamma, conv1_bn/beta, conv1_bn/moving_mean, conv1_bn/moving_variance, "
        "conv2_1_1_bn/gamma and 105 more; there are one/0, one/1, two/0, two/1 instead"
    )


def test_the_configuration_of_an_archive_is_not_even_read(source, target, tmp_path):
    numbers = io.BytesIO()
    source.save_weights(tmp_path / "a.weights.h5")
    numbers = (tmp_path / "a.weights.h5").read_bytes()
    with zipfile.ZipFile(tmp_path / "a.keras", "w") as archive:
        archive.writestr("config.json", "no JSON")
        archive.writestr("model.weights.h5", numbers)
    assert len(weights.load(target, tmp_path / "a.keras", skip_mismatch=True).loaded) == 109


def test_an_archive_that_would_fill_the_memory_is_refused(target, monkeypatch, tmp_path):
    monkeypatch.setattr("a2keras.models.weights.weight_files.LARGE", 10**6)
    with zipfile.ZipFile(tmp_path / "a.keras", "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("model.weights.h5", bytes(10**7))
    with pytest.raises(
        ValueError, match=r"declares 10000000 bytes at model.weights.h5 and holds \d+:"
    ):
        weights.load(target, tmp_path / "a.keras")


def test_models_whose_layers_cannot_be_told_apart_are_refused(tmp_path):
    path = tmp_path / "a.weights.h5"
    dense_pair("one", "two").save_weights(path)
    x = inputs = keras.Input((3,))
    first, second = layers.Dense(3, name="one"), layers.Dense(3)
    model = keras.Model(inputs, second(first(x)), name="m")
    second.name = "one"
    with pytest.raises(
        ValueError, match=r"must differ\. Received: model 'm' with two layers 'one'"
    ):
        weights.load(model, path)

    class Own(layers.Dense):
        def save_own_variables(self, store):
            store["all"] = np.zeros(3)

    model = keras.Sequential([inputs, Own(3, name="own")], name="m")
    with pytest.raises(
        ValueError, match=r"way of their own: \S*own/kernel, \S*own/bias\. Received"
    ):
        weights.load(model, path)


# Half the space


def test_a_run_s_model_becomes_a_file_of_half_the_size(tmp_path, capsys):
    """Every number is the nearest of float16: 11 bits, so 2⁻¹¹ of it is the largest error."""
    built = {"classes": 7, "attention": "a2", "stem": "small"}
    model = randomise(models.build("resnet20", input_shape=SIZE, **built))
    model.save(tmp_path / "model.keras")
    settings = ["--set=attention=a2", "--set=stem=small", "--classes=7", "--model=resnet20"]
    call = [str(tmp_path / "model.keras"), *settings]
    convert.convert([*call, f"--output={tmp_path}/whole.weights.h5"])
    small = tmp_path / "small.weights.h5"
    capsys.readouterr()
    convert.convert([*call, f"--output={small}", "--precision=float16"])
    assert capsys.readouterr().out == (
        "a2keras.models.build('resnet20', classes=7, attention='a2', stem='small', "
        f"weights='{small}')\n"
    )
    whole = values_of(models.build("resnet20", **built, weights=tmp_path / "whole.weights.h5"))
    assert same(whole, values_of(model))
    half = values_of(models.build("resnet20", **built, weights=small))
    assert {value.dtype for value in half.values()} == {np.dtype("float32")}
    for name, value in whole.items():
        assert np.array_equal(half[name], value.astype("float16").astype("float32")), name
        assert np.all(np.abs(half[name] - value) <= np.abs(value) * 2**-11 + 2**-25)
    numbers = sum(value.size for value in whole.values())
    saved = (tmp_path / "whole.weights.h5").stat().st_size - small.stat().st_size
    assert 1.9 * numbers < saved < 2.1 * numbers  # bytes
    model.load_weights(small)  # by Keras itself, too
    assert same(values_of(model), half)
    assert not list(tmp_path.glob("tmp*"))


def test_what_does_not_fit_into_half_precision_is_refused(tmp_path):
    model = randomise(models.build("resnet20", input_shape=SIZE, classes=7))
    model.get_layer("conv2_1_1_bn").moving_variance.assign(np.full(16, 70000.0))
    model.save(tmp_path / "model.keras")
    call = [str(tmp_path / "model.keras"), "--model=resnet20", "--classes=7"]
    call += ["--precision=float16"]
    with pytest.raises(UserError, match=r"float16 holds numbers up to 65504, and a weight is larg"):
        convert.convert([*call, f"--output={tmp_path}/small.weights.h5"])
    with pytest.raises(UserError) as error:
        convert.convert([*call, f"--output={tmp_path}/small.keras"])
    assert str(error.value) == (
        "--precision is for a .weights.h5. Received: --precision=float16 "
        f"--output={tmp_path}/small.keras"
    )
    assert [path.name for path in tmp_path.iterdir()] == ["model.keras"]


def test_a_long_report_is_grouped():
    skipped = [(f"a/{i}", "x") for i in range(9)] + [(f"b{i}", f"reason {i}") for i in range(8)]
    new = (*(f"layer{i}/kernel" for i in range(8)), "layer7/bias")
    report = Report("file", "model", ("c",), tuple(skipped), new, ("a note.",))
    assert str(report).splitlines() == [
        "model: 1 of 10 variables loaded from file",
        "  skipped 9 (x): a (9)",
        *(f"  skipped 1 (reason {i}): b{i}" for i in range(5)),
        "  skipped 3 more for other reasons, all in `skipped`",
        "  newly initialised 9: layer0/kernel, layer1/kernel, layer2/kernel, layer3/kernel, "
        "layer4/kernel, layer5/kernel and 2 more",
        "  note: a note.",
    ]


# From images to videos


def test_kernels_are_repeated_over_time_and_divided_by_its_size(source):
    video = models.A2ResNet11Video(classes=5, input_shape=(3, *SIZE))
    report = weights.inflate(source, video)
    assert len(report.loaded) == 111
    assert not report.new
    assert not report.skipped
    image, clip = values_of(source), values_of(video)
    assert clip["conv1_conv/kernel"].shape == (3, 5, 5, 3, 16)
    assert clip["conv2_1_1_conv/kernel"].shape == (1, 1, 1, 16, 16)
    for name, value in clip.items():
        if value.ndim == 5:
            for slice_ in value:
                assert np.array_equal(slice_, image[name] / np.float32(value.shape[0])), name
        else:
            assert np.array_equal(value, image[name]), name


def still(image, frames):
    return np.repeat(image[:, None], frames, axis=1)


def pictures(shape=SIZE, count=2, seed=5):
    return np.random.default_rng(seed).normal(size=(count, *shape)).astype("float32")


def outputs(model, x):
    return ops.convert_to_numpy(model(x, training=False))


def convolutions(times, stride):
    image = keras.Sequential([keras.Input(SIZE), layers.Conv2D(11, (3, 5), 2, "same", name="c")])
    video = keras.Sequential(
        [keras.Input((13, *SIZE)),
         layers.Conv3D(11, (times, 3, 5), (stride, 2, 2), "same", name="c")]
    )  # fmt: skip
    return image, video


@pytest.mark.parametrize(("times", "stride"), [(1, 1), (3, 1), (5, 1), (3, 2)])
def test_a_still_clip_gives_the_image_features_where_the_window_is_inside(times, stride):
    image, video = convolutions(times, stride)
    randomise(image)
    image.get_layer("c").bias.assign(np.zeros(11))
    weights.inflate(image, video)
    x = pictures()
    expected, found = outputs(image, x), outputs(video, still(x, 13))
    for frame in range(found.shape[1]):
        window = range(frame * stride - times // 2, frame * stride + times // 2 + 1)
        inside = sum(0 <= each < 13 for each in window) / times
        # Where zeros stand for frames that are not there, their part of the sum is missing.
        np.testing.assert_allclose(found[:, frame], expected * inside, rtol=0, atol=1e-5)


def test_a_block_gives_a_still_clip_what_it_gives_the_image():
    """Each gather map spreads over T copies of its positions, so the descriptors are the same."""
    from a2keras import DoubleAttention

    sizes = {"value_channels": 7, "descriptors": 11, "pre_activation": True, "name": "block"}
    image = keras.Sequential([keras.Input((5, 3, 13)), DoubleAttention(**sizes)])
    video = keras.Sequential([keras.Input((2, 5, 3, 13)), DoubleAttention(**sizes)])
    randomise(image)
    weights.inflate(image, video)
    x = pictures((5, 3, 13))
    block, clip_block = image.get_layer("block"), video.get_layer("block")
    out, gather, distribution = map(
        ops.convert_to_numpy, block(x, return_attention_scores=True, training=False)
    )
    found = clip_block(still(x, 2), return_attention_scores=True, training=False)
    clip_out, clip_gather, clip_distribution = map(ops.convert_to_numpy, found)
    assert np.abs(out - x).max() > 0.1  # the block does something
    np.testing.assert_allclose(clip_out, still(out, 2), atol=2e-6 * np.abs(out).max())
    np.testing.assert_allclose(clip_gather, still(gather, 2) / 2, atol=1e-6)
    np.testing.assert_allclose(clip_distribution, still(distribution, 2), atol=1e-6)


class RepeatedEdges(layers.Conv3D):
    """A 3D convolution with "same" padding, but in time with the clip's first and last frame."""

    def call(self, inputs):
        if self.kernel_size[0] == 1:
            return super().call(inputs)
        assert self.kernel_size[0] == 3
        assert self.strides[0] == 1
        x = ops.concatenate([inputs[:, :1], inputs, inputs[:, -1:]], axis=1)
        return super().call(x)[:, 1:-1]


@pytest.fixture(scope="module")
def image_and_video():
    """The small network with blocks for images and, inflated from it, for clips."""
    image = randomise(small(classifier_activation=None), seed=6)
    video = models.A2ResNet11Video(classes=5, input_shape=(11, *SIZE), classifier_activation=None)
    weights.inflate(image, video)
    return image, video


def test_a_whole_network_gives_a_still_clip_the_image_logits(image_and_video):
    """With the missing frames at the ends as the clip's own: convolutions, BN, blocks, pooling."""
    image, video = image_and_video

    def repeat_edges(layer):
        kind = RepeatedEdges if isinstance(layer, layers.Conv3D) else type(layer)
        return kind.from_config(layer.get_config())

    repeated = keras.models.clone_model(video, clone_function=repeat_edges)
    repeated.set_weights(video.get_weights())
    x = pictures()
    expected = outputs(image, x)
    found = outputs(repeated, still(x, 11))
    np.testing.assert_allclose(found, expected, rtol=0, atol=1e-4 * np.abs(expected).max())
    # With zeros there, the network itself comes near, no more.
    error = np.abs(outputs(video, still(x, 11)) - expected).max() / np.abs(expected).max()
    assert error > 0.01


def test_frames_that_no_border_reaches_have_the_image_features():
    """Four convolutions of three frames each: the border reaches four frames far, not a fifth."""
    image = randomise(small(attention=None, include_top=False), seed=7)
    video = models.A2ResNet11Video(attention=None, include_top=False, input_shape=(11, *SIZE))
    weights.inflate(image, video)
    x = pictures()
    expected, found = outputs(image, x), outputs(video, still(x, 11))
    errors = np.abs(found - expected[:, None]).max(axis=(0, 2, 3, 4)) / np.abs(expected).max()
    assert (errors[4:7] < 1e-5).all()
    assert (errors[[0, 1, 2, 3, 7, 8, 9, 10]] > 1e-4).all()


def test_the_papers_start_leaves_the_blocks_and_the_classifier_new(capsys):
    """ImageNet ResNet-50 → Kinetics network with five blocks (§4.2 of the paper)."""
    image = models.ResNet50Lite(classes=3, input_shape=(32, 32, 3))
    video = models.A2ResNet50Video(classes=5, input_shape=(8, 32, 32, 3))
    report = weights.inflate(image, video)
    five = ("conv3_1", "conv3_3", "conv4_1", "conv4_3", "conv4_5")
    assert {name.split("/")[0] for name in report.new} == {
        *(f"{unit}_attention" for unit in five), "predictions",
    }  # fmt: skip
    assert len(report.new) == 5 * 20 + 2
    assert len(report.loaded) == len(image.weights) - 2
    assert [name for name, _ in report.skipped] == ["predictions/kernel", "predictions/bias"]
    assert "newly initialised 102: conv3_1_attention (20), conv3_3_attention (20)," in (
        capsys.readouterr().err
    )


@pytest.mark.parametrize("names", [("mfnet_2d", "mfnet_3d"), ("inception_v1", "i3d")])
def test_image_networks_have_the_names_of_their_video_networks(names):
    image, video = (models.build(name, classes=3) for name in names)
    report = weights.inflate(image, video, skip_mismatch=False)
    assert len(report.loaded) == len(image.weights) == len(video.weights)
    assert not report.skipped


def test_inflate_refuses_other_models(source, image_and_video):
    image, video = image_and_video
    before = values_of(video)
    with pytest.raises(ValueError, match="Received: inputs of 5 and of 4 axes"):
        weights.inflate(video, image)
    with pytest.raises(ValueError, match="Received: inputs of 4 and of 4 axes"):
        weights.inflate(image, source)
    other = small(classes=7)
    with pytest.raises(
        ValueError, match=r"2 of 111 .*in image model 'a2_resnet11' \(.*skip_mismatch"
    ):
        weights.inflate(other, video, skip_mismatch=False)
    assert same(values_of(video), before)


def test_a_name_in_a_report_is_one_line():
    report = Report(
        "f", "m", ("a",), (("x\nfine", "new\nline"),), ("\x1b[2Jb\nc/kernel",), ("d\ne",)
    )
    assert str(report).splitlines() == [
        "m: 1 of 2 variables loaded from f",
        r"  skipped 1 (new\nline): x\nfine",
        r"  newly initialised 1: \x1b[2Jb\nc/kernel",
        r"  note: d\ne",
    ]
