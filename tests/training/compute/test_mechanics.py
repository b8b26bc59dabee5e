"""What recipes put around a step, against loops in NumPy or a second way to the same numbers."""

import dataclasses
import json
import shutil

import keras
import numpy as np
import pytest
import tensorflow as tf

from a2keras import DoubleAttention, models
from a2keras.errors import UserError
from a2keras.models.preprocessing import Pixels, Preprocessing
from a2keras.training.compute import network, optimizers
from a2keras.training.compute.batch_statistics import precise_statistics
from a2keras.training.compute.checks import begin, resolve_weights
from a2keras.training.compute.optimizers import Optimizer, clip, learning_rate_factors
from a2keras.training.compute.strategies import strategy_for
from a2keras.training.compute.tensorflow import TensorFlowComputation
from a2keras.training.config import Recipe
from a2keras.training.data.pipeline import training_batches
from a2keras.training.data.source import ArrayExamples, Source
from a2keras.training.run import initial_weights
from a2keras.training.run.initial_weights import pixels_of, start_from_weights
from a2keras.training.run.train import preprocessing_of, train

CLASSES = ("a", "b", "c")
PLAIN = Recipe(
    "plain",
    data="digits",
    task="image",
    model="a2_resnet11",
    size=11,
    flip=False,
    epochs=2,
    batch_size=12,
    learning_rate=0.1,
    warmup_epochs=0.5,
    weight_decay=0.0,
)


@pytest.fixture(scope="module")
def examples() -> ArrayExamples:
    random = np.random.default_rng(5)
    pixels = random.integers(0, 256, (60, 13, 17, 3), dtype="uint8")
    return ArrayExamples(pixels, random.integers(0, 3, 60), tuple(map(str, range(60))))


@pytest.fixture(autouse=True)
def small_network(monkeypatch):
    """A network with two convolutions and, if a test asks for it by its name, statistics."""

    def build(name: str, input_tensor, classes: int, **_) -> keras.Model:
        rank = len(input_tensor.shape) - 2
        convolution = getattr(keras.layers, f"Conv{rank}D")
        x = convolution(5, 3, strides=2, name="conv")(input_tensor)
        if name != "a2_resnet50":
            x = keras.layers.BatchNormalization(momentum=0.8, name="bn")(x)
        x = keras.layers.ReLU(name="relu")(x)
        if name != "a2_resnet50":
            x = DoubleAttention(2, pre_activation=True, name="attention")(x)
        x = getattr(keras.layers, f"GlobalAveragePooling{rank}D")(name="pool")(x)
        x = keras.layers.Dense(classes, name="predictions")(x)
        x = keras.layers.Activation("softmax", dtype="float32", name="probabilities")(x)
        return keras.Model(keras.utils.get_source_inputs(input_tensor)[0], x)

    monkeypatch.setattr(models, "build", build)


WITHOUT_STATISTICS = "a2_resnet50"
AUGMENTATION = {
    "mixup": 0.6,
    "cutmix": 0.8,
    "randaugment": 2,
    "randaugment_magnitude": 7.0,
    "erasing": 0.5,
}


def computation_of(recipe: Recipe, replicas: int = 1) -> TensorFlowComputation:
    computation = TensorFlowComputation(strategy_for("auto", replicas))
    computation.build(recipe, preprocessing_of(recipe, CLASSES), steps_per_epoch=5)
    return computation


TRAINED: dict[tuple, list[np.ndarray]] = {}


def trained(recipe: Recipe, examples, steps: int, replicas: int = 1) -> list[np.ndarray]:
    """Weights and statistics after some steps; what several tests compare with is computed once."""
    key = (recipe, steps, replicas)
    if key not in TRAINED:
        computation = computation_of(recipe, replicas)
        batches = computation.training_iterator(examples, 0)
        for _ in range(steps):
            computation.train_step(batches)
        TRAINED[key] = computation.read(computation.model.weights)
    return TRAINED[key]


def largest_difference(one: list[np.ndarray], other: list[np.ndarray]) -> float:
    return max(float(np.abs(a - b).max()) for a, b in zip(one, other, strict=True))


def test_an_update_is_the_documented_one():
    recipe = dataclasses.replace(
        PLAIN,
        momentum=0.7,
        weight_decay=0.02,
        clip_norm=1.5,
        ema_decay=0.3,
        learning_rate_factors="bn/gamma=2, attention=0.5, conv/=0",
    )
    model = network.build(recipe, preprocessing_of(recipe, CLASSES))
    rates = [0.3, 0.2, 0.7, 0.1]
    optimizer = Optimizer(recipe, model, lambda step: keras.ops.take(tf.constant(rates), step))
    weights = {v.path: v.numpy().astype("float64") for v in model.trainable_variables}
    averages = {v.path: v.numpy().astype("float64") for v in optimizer.averaged}
    assert set(averages) == {v.path for v in model.weights}  # statistics are averaged, too
    velocities = {path: np.zeros_like(value) for path, value in weights.items()}
    random = np.random.default_rng(0)
    clipped = 0
    for t, rate in enumerate(rates, 1):
        scale = 3 if t % 2 else 0.01
        gradients = {p: random.normal(0, scale, w.shape) for p, w in weights.items()}
        optimizer.apply([tf.constant(g, "float32") for g in gradients.values()])
        norm = np.sqrt(sum((g**2).sum() for g in gradients.values()))
        clipped += norm > 1.5
        for path in weights:
            g = gradients[path] * min(1, 1.5 / norm)
            if weights[path].ndim > 1:
                g = g + 0.02 * weights[path]
            factor = {"attention": 0.5, "conv": 0.0}.get(path.split("/")[0], 1.0)
            factor = 2.0 if path == "bn/gamma" else factor
            velocities[path] = 0.7 * velocities[path] - rate * factor * g
            weights[path] = weights[path] + 0.7 * velocities[path] - rate * factor * g
        decay = min(0.3, (1 + t) / (10 + t))
        for v in optimizer.averaged:
            now = weights.get(v.path, v.numpy())
            averages[v.path] = decay * averages[v.path] + (1 - decay) * now
    assert clipped == 2
    assert int(optimizer.step) == 4
    for v in model.trainable_variables:
        np.testing.assert_allclose(v.numpy(), weights[v.path], atol=2e-6, err_msg=v.path)
    for v, average in zip(optimizer.averaged, optimizer.averages, strict=True):
        np.testing.assert_allclose(average.numpy(), averages[v.path], atol=2e-6, err_msg=v.path)


def test_without_momentum_it_is_plain_descent():
    recipe = dataclasses.replace(PLAIN, momentum=0.0)
    model = network.build(recipe, preprocessing_of(recipe, CLASSES))
    before = [v.numpy() for v in model.trainable_variables]
    optimizer = Optimizer(recipe, model, lambda step: 0.25)
    optimizer.apply([tf.ones(v.shape) for v in model.trainable_variables])
    for v, was in zip(model.trainable_variables, before, strict=True):
        np.testing.assert_allclose(v.numpy(), was - 0.25, atol=1e-7)
    assert optimizer.momenta == []


def test_clipping_is_by_the_norm_of_all():
    gradients = [tf.constant([3.0, 0.0]), tf.constant([[4.0]])]
    for norm, factor in ((1.0, 0.2), (5.0, 1.0), (7.0, 1.0)):
        for g, c in zip(gradients, clip(gradients, norm), strict=True):
            np.testing.assert_allclose(c, factor * g.numpy(), rtol=1e-6)
    expected, _ = tf.clip_by_global_norm(gradients, 2.0)
    for e, c in zip(expected, clip(gradients, 2.0), strict=True):
        np.testing.assert_allclose(c, e, rtol=1e-6)


def test_a_pattern_that_no_weight_has_is_refused():
    recipe = dataclasses.replace(PLAIN, learning_rate_factors="predictions=1,conv9=0.2")
    model = network.build(recipe, preprocessing_of(recipe, CLASSES))
    with pytest.raises(UserError) as error:
        learning_rate_factors(recipe, model.trainable_variables)
    assert str(error.value) == (
        "recipe field learning_rate_factors: no weight of a2_resnet11 is left for the pattern "
        "'conv9'. Its weights are named like conv/kernel"
    )


@pytest.mark.parametrize("text", ["a", "=1", "a=b", "a=-1", "a=inf", "(=1"])
def test_factors_must_be_patterns_and_numbers(text):
    with pytest.raises(UserError) as error:
        dataclasses.replace(PLAIN, learning_rate_factors=text)
    assert str(error.value) == (
        "recipe field learning_rate_factors must be pattern=factor with commas between, factors of "
        f"at least 0. Received: learning_rate_factors={text}"
    )


def test_the_rate_goes_with_the_batch():
    assert PLAIN.peak_rate() == 0.1
    assert dataclasses.replace(PLAIN, base_batch=48).peak_rate() == 0.1 * 12 / 48


def test_half_precision_scales_its_loss(monkeypatch):
    monkeypatch.setattr(optimizers, "GROWTH_STEPS", 3)
    recipe = dataclasses.replace(PLAIN, precision="mixed_float16", momentum=0.0)
    model = network.build(recipe, preprocessing_of(recipe, CLASSES))
    optimizer = Optimizer(recipe, model, lambda step: 0.25)
    scale = optimizer.scaling[0]
    assert float(optimizer.scale_loss(2.0)) == 2.0 * 2**15
    before = [v.numpy() for v in model.trainable_variables]
    overflow = [tf.ones(v.shape) for v in model.trainable_variables]
    overflow[1] = tf.fill(model.trainable_variables[1].shape, np.inf)
    optimizer.apply(overflow)
    assert float(scale) == 2**14
    for v, was in zip(model.trainable_variables, before, strict=True):
        assert np.array_equal(v.numpy(), was)
    for scaled in (14, 14, 14):
        assert float(scale) == 2**scaled
        optimizer.apply([tf.fill(v.shape, 2.0**14) for v in model.trainable_variables])
    assert float(scale) == 2**15
    for v, was in zip(model.trainable_variables, before, strict=True):
        np.testing.assert_allclose(v.numpy(), was - 3 * 0.25, atol=1e-6)


@pytest.mark.parametrize("precision", ["mixed_float16", "mixed_bfloat16"])
def test_mixed_precision_trains_as_float32_does(examples, precision):
    wide = trained(PLAIN, examples, 3)
    narrow = trained(dataclasses.replace(PLAIN, precision=precision), examples, 3)
    assert {w.dtype.name for w in narrow} == {"float32"}
    assert 0 < largest_difference(wide, narrow) < 0.05


@pytest.mark.parametrize("augmentation", [{}, AUGMENTATION], ids=["plain", "augmented"])
@pytest.mark.parametrize("replicas", [1, 2])
def test_accumulated_micro_batches_are_the_batch(examples, replicas, augmentation):
    recipe = dataclasses.replace(
        PLAIN, model=WITHOUT_STATISTICS, clip_norm=0.5, weight_decay=0.01, **augmentation
    )
    at_once = trained(recipe, examples, 4)
    in_parts = trained(dataclasses.replace(recipe, accumulate=3), examples, 4, replicas)
    assert largest_difference(at_once, in_parts) < 1e-6


def test_two_replicas_and_parts_of_odd_size_mix_what_one_mixes(examples):
    """With statistics, and three examples a replica: a pair may lie on both."""
    recipe = dataclasses.replace(PLAIN, batch_size=6, **AUGMENTATION)
    assert largest_difference(trained(recipe, examples, 4), trained(recipe, examples, 4, 2)) < 1e-5


def test_written_weights_are_those_that_a_normalization_computes_with():
    """As where a run begins with weights, or goes on: else it would train on other pixels."""
    adapted, fresh = (keras.layers.Normalization() for _ in range(2))
    adapted.adapt(np.random.default_rng(3).uniform(3, 7, (11, 5)).astype("float32"))
    computation = computation_of(PLAIN)
    computation.model = keras.Sequential([keras.Input((5,)), fresh])
    computation.write(adapted.get_weights(), computation.model.weights)
    x = np.arange(10, dtype="float32").reshape(2, 5)
    np.testing.assert_array_equal(computation.model(x), adapted(x))


def test_workers_that_would_cut_pairs_are_refused():
    computation = TensorFlowComputation(strategy_for("auto", 2))
    computation.workers = 2
    recipe = dataclasses.replace(PLAIN, accumulate=2)
    computation.check(recipe)
    with pytest.raises(UserError) as error:
        computation.check(dataclasses.replace(recipe, cutmix=0.5))
    assert str(error.value) == (
        "batch_size / accumulate / workers must be even where examples are mixed by pairs "
        "(mixup, cutmix). Received: batch_size=12, accumulate=2, workers=2"
    )
    computation.check(dataclasses.replace(recipe, cutmix=0.5, batch_size=16))
    with pytest.raises(UserError) as error:
        dataclasses.replace(PLAIN, mixup=0.2, batch_size=7)
    assert str(error.value) == (
        "recipe field batch_size must be even where examples are mixed by pairs (mixup, cutmix). "
        "Received: batch_size=7"
    )


def test_batch_normalization_sees_micro_batches(examples):
    recipe = dataclasses.replace(PLAIN, learning_rate=1e-6, accumulate=3)
    computation = computation_of(recipe)
    computation.train_step(computation.training_iterator(examples, 0))
    layer = computation.model.get_layer("bn")
    mean = np.zeros(5)
    before = keras.Model(computation.model.inputs, computation.model.get_layer("conv").output)
    batches = training_batches(examples, PLAIN, computation.preprocessing)
    for part in np.split(next(iter(batches))[0].numpy(), 3):
        mean = 0.8 * mean + 0.2 * before(part).numpy().mean(axis=(0, 1, 2))
    np.testing.assert_allclose(layer.moving_mean.numpy(), mean, atol=1e-5)


@pytest.mark.slow
@pytest.mark.parametrize("augmentation", [{}, AUGMENTATION], ids=["plain", "augmented"])
def test_numbers_are_those_of_the_whole_batch(examples, augmentation):
    """Losses with smoothed labels and correct answers, by hand, whatever the batch is cut into.

    Of mixed examples the class with the larger share is the one to be found.
    """
    recipe = dataclasses.replace(
        PLAIN, model=WITHOUT_STATISTICS, label_smoothing=0.3, **augmentation
    )
    for changes, replicas in (({}, 1), ({"accumulate": 2}, 1), ({}, 2)):
        computation = computation_of(dataclasses.replace(recipe, **changes), replicas)
        pixels, labels = next(iter(training_batches(examples, recipe, computation.preprocessing)))
        p = computation.model(pixels).numpy()
        assert ((labels.numpy() % 1).any(axis=1)).any() == bool(augmentation)
        smooth = 0.7 * labels.numpy() + 0.3 / 3
        losses = -(smooth * np.log(p)).sum(axis=1)
        correct = (p.argmax(axis=1) == labels.numpy().argmax(axis=1)).sum()
        step = computation.train_step(computation.training_iterator(examples, 0), stop=True)
        loss, found, stop, of = computation.numbers(step)
        assert loss == pytest.approx(losses.sum(), rel=1e-5)
        assert (found, stop, of) == (correct, replicas, len(p))


def test_validation_counts_every_example_once(examples):
    for replicas in (1, 2):
        computation = computation_of(dataclasses.replace(PLAIN, batch_size=14), replicas)
        totals = np.zeros(5)
        for batch in computation.validation_batches(examples):
            totals += computation.numbers(computation.validation_step(batch))
        views = [computation.preprocessing.view(examples.frames(i)) for i in range(60)]
        p = computation.model(np.stack(views).astype("float32")).numpy()
        losses = -np.log(p[np.arange(60), examples.labels])
        assert totals[0] == pytest.approx(losses.sum(), rel=1e-5)
        assert totals[1] == (p.argmax(axis=1) == examples.labels).sum()
        assert totals[3:].tolist() == [60, 60]


@pytest.mark.parametrize("replicas", [1, 2])
def test_precise_statistics_are_those_of_all_batches_together(examples, replicas):
    computation = computation_of(PLAIN, replicas)
    first = 2
    batches = computation.training_iterator(examples, first)
    precise_statistics(computation, batches, 3)
    conv = computation.model.get_layer("conv")
    before = keras.Model(computation.model.inputs, conv.output)
    pixels = training_batches(examples, PLAIN, computation.preprocessing, first).take(3)
    features = np.concatenate([before(x).numpy() for x, _ in pixels]).astype("float64")
    layer = computation.model.get_layer("bn")
    mean, variance = layer.moving_mean.value.numpy(), layer.moving_variance.value.numpy()
    np.testing.assert_allclose(mean, features.mean(axis=(0, 1, 2)), atol=1e-5)
    np.testing.assert_allclose(variance, features.var(axis=(0, 1, 2)), rtol=1e-5)
    assert layer.momentum == 0.8


def test_batch_normalization_is_set_and_saved(tmp_path):
    recipe = dataclasses.replace(PLAIN, bn_momentum=0.35, bn_epsilon=0.25)
    model = network.build(recipe, preprocessing_of(recipe, CLASSES))
    block = model.get_layer("attention").theta.normalization
    assert (model.get_layer("bn").momentum, model.get_layer("bn").epsilon) == (0.35, 0.25)
    assert (block.momentum, block.epsilon) == (0.35, 0.25)
    model.save(tmp_path / "model.keras")
    again = keras.models.load_model(tmp_path / "model.keras")
    pixels = np.random.default_rng(0).integers(0, 256, (2, 11, 11, 3)).astype("float32")
    np.testing.assert_array_equal(again(pixels), model(pixels))
    assert again.get_layer("attention").theta.normalization.epsilon == 0.25


def test_compiled_by_xla_it_computes_the_same(examples):
    recipe = dataclasses.replace(PLAIN, clip_norm=1.0, ema_decay=0.9)
    plain = trained(recipe, examples, 3)
    compiled = trained(dataclasses.replace(recipe, jit_compile=True), examples, 3)
    assert largest_difference(plain, compiled) < 1e-5


def source(examples) -> Source:
    return Source(CLASSES, {"train": examples, "validation": examples}, "none", "fingerprint")


@pytest.mark.slow
def test_what_is_scored_and_saved_are_the_averages(examples, tmp_path, monkeypatch):
    recipe = dataclasses.replace(PLAIN, ema_decay=0.6, precise_bn=2, learning_rate=0.3)
    averages: dict[str, np.ndarray] = {}
    step = TensorFlowComputation.train_step

    def followed(computation, batches, stop=False):
        weights = computation.model.trainable_variables
        if not averages:
            averages.update({v.path: v.numpy() for v in weights})
        numbers = step(computation, batches, stop)
        t = int(computation.optimizer.step)
        decay = min(0.6, (1 + t) / (10 + t))
        averages.update({v.path: decay * averages[v.path] + (1 - decay) * v for v in weights})
        return numbers

    monkeypatch.setattr(TensorFlowComputation, "train_step", followed)
    run = train(recipe, tmp_path / "run", source=source(examples))
    model = keras.models.load_model(run.model_path, compile=False)
    for v in model.trainable_variables:
        np.testing.assert_allclose(v.numpy(), averages[v.path], atol=1e-5, err_msg=v.path)
    # And the last validation was of these weights, with the statistics of the last two batches.
    preprocessing = preprocessing_of(recipe, CLASSES)
    views = np.stack([preprocessing.view(examples.frames(i)) for i in range(60)]).astype("float32")
    accuracy = (model.predict_on_batch(views).argmax(axis=1) == examples.labels).mean()
    assert run.history()[-1]["validation_accuracy"] == pytest.approx(accuracy, abs=1e-6)
    conv = keras.Model(model.inputs, model.get_layer("conv").output)
    batches = training_batches(examples, recipe, preprocessing, first_step=8)
    features = np.concatenate([conv(x).numpy() for x, _ in batches])
    moving = model.get_layer("bn").moving_mean.numpy()
    np.testing.assert_allclose(moving, features.mean(axis=(0, 1, 2)), atol=1e-5)


def test_a_run_starts_from_the_weights_of_another(examples, tmp_path):
    first = network.build(dataclasses.replace(PLAIN, seed=5), preprocessing_of(PLAIN, CLASSES))
    (tmp_path / "first").mkdir()
    first.save(tmp_path / "first/model.keras")
    # All but the classifier stands still: what the first run has learnt is found again.
    factors = "predictions=1, .=0"
    fine = dataclasses.replace(
        PLAIN, weights=str(tmp_path / "first"), learning_rate_factors=factors, bn_momentum=0.9
    )
    second = train(begin(fine).recipe, tmp_path / "second", source=source(examples))
    model = keras.models.load_model(second.model_path, compile=False)
    for v, w in zip(first.trainable_variables, model.trainable_variables, strict=True):
        same = np.array_equal(v.numpy(), w.numpy())
        assert same == ("predictions" not in v.path), v.path
    report = json.loads((second.path / "weights.json").read_text())
    assert report["source"] == f"{tmp_path}/first/model.keras"
    assert "conv/kernel" in report["loaded"]
    assert report["new"] == []
    assert second.recipe.weights == f"{tmp_path}/first/model.keras"


def test_a_run_follows_the_normalisation_of_its_weights(examples, tmp_path):
    """And goes on with it when the weights are no longer there."""
    pixels = Pixels((120.0, 110.0, 100.0), (1 / 64, 1 / 32, 1 / 128))
    first = tmp_path / "first"
    first.mkdir()
    preprocessing = preprocessing_of(PLAIN, CLASSES, pixels)
    network.build(PLAIN, preprocessing).save(first / "model.keras")
    preprocessing.save(first)
    recipe = dataclasses.replace(PLAIN, weights=str(first))
    run = train(begin(recipe).recipe, tmp_path / "second", source=source(examples))
    model = keras.models.load_model(run.model_path, compile=False)
    x = np.full((1, *preprocessing.input_shape), 130, "float32")
    np.testing.assert_allclose(
        model.get_layer("normalisation")(x)[0, 0, 0], [10 / 64, 20 / 32, 30 / 128], rtol=1e-6
    )
    assert Preprocessing.load(run.path).pixels == pixels
    shutil.rmtree(first)
    (run.path / "results.json").unlink()
    run.model_path.unlink()
    again = train(run.recipe, run.path, source=source(examples))
    assert Preprocessing.load(again.path).pixels == pixels
    assert again.recipe.weights == f"{first}/model.keras"


def test_the_normalisation_of_weights_is_known(tmp_path):
    def of(model, weights):
        return pixels_of(dataclasses.replace(PLAIN, model=model, weights=str(weights)))

    assert of("i3d", "kinetics400") == Pixels((127.5,) * 3, (1 / 127.5,) * 3)
    assert of("a2_efficientnet_lite0", "imagenet") == Pixels((127.0,) * 3, (1 / 128,) * 3)
    assert of("resnet50", "") == Pixels()
    keys = ("conv1.weight", "layer1.0.conv1.weight", "layer1.0.conv3.weight")
    np.savez(tmp_path / "vision.npz", **dict.fromkeys(keys, np.zeros(3)))
    vision = of("resnet50", tmp_path / "vision.npz")
    np.testing.assert_allclose(vision.mean, [123.675, 116.28, 103.53])
    np.testing.assert_allclose(vision.scale, [0.0171248, 0.0175070, 0.0174292], rtol=1e-5)
    np.savez(tmp_path / "other.npz", a=np.zeros(3))
    with pytest.raises(UserError, match="weights cannot be loaded: the checkpoint has none of"):
        of("resnet50", tmp_path / "other.npz")
    recipe = dataclasses.replace(PLAIN, model="i3d", weights="kinetics400")
    assert resolve_weights(recipe) == recipe


def test_a_network_of_clips_starts_from_one_of_images(tmp_path):
    image = network.build(PLAIN, preprocessing_of(PLAIN, CLASSES))
    image.save(tmp_path / "image.keras")
    recipe = dataclasses.replace(
        PLAIN, task="video", frames=5, weights=f"{tmp_path}/image.keras", model="a2_resnet11_video"
    )
    computation = computation_of(recipe)
    start_from_weights(computation, tmp_path)
    kernel = computation.model.get_layer("conv").kernel.numpy()
    assert kernel.shape == (3, 3, 3, 3, 5)
    for frame in kernel:
        np.testing.assert_allclose(frame, image.get_layer("conv").kernel / 3, rtol=1e-6)


@pytest.mark.parametrize(
    ("model", "weights", "random"),
    [
        ("i3d", "", True),
        ("i3d", "none", True),
        ("i3d", "kinetics400", False),
        ("i3d", "mine.weights.h5", False),
        ("keras:MobileNetV2", "", True),
        ("keras:MobileNetV2", "imagenet", False),
        ("mine.keras", "", False),
        ("mine.keras", "none", True),
    ],
)
def test_what_starts_at_random(model, weights, random):
    recipe = dataclasses.replace(PLAIN, model=model, weights=weights)
    assert recipe.starts_random == random


def test_channels_first_are_refused(monkeypatch):
    """Every network of the zoo would take the height for the channels."""
    network.check(PLAIN)
    monkeypatch.setattr(keras.config, "image_data_format", lambda: "channels_first")
    with pytest.raises(UserError) as error:
        network.check(PLAIN)
    assert str(error.value) == (
        "training takes images of (height, width, 3): Keras must be set to channels_last, by "
        "`keras.config.set_image_data_format` or its keras.json. "
        "Received: image_data_format=channels_first"
    )


def test_precision_is_the_recipes_whatever_the_callers_is(tmp_path):
    x = pixels = keras.Input((16, 16, 3))
    x = keras.layers.Conv2D(5, 3, name="conv")(x)
    keras.Model(pixels, x).save(tmp_path / "own.keras")
    recipe = dataclasses.replace(PLAIN, model=str(tmp_path / "own.keras"))
    before = keras.config.dtype_policy()
    keras.config.set_dtype_policy("mixed_bfloat16")
    try:
        model = network.build(recipe, preprocessing_of(recipe, ("x", "y")))
        assert keras.config.dtype_policy().name == "mixed_bfloat16"
    finally:
        keras.config.set_dtype_policy(before)
    assert {each.compute_dtype for each in model.layers} == {"float32"}


def test_other_classes_leave_the_classifier_new(tmp_path):
    model = network.build(PLAIN, preprocessing_of(PLAIN, ("x", "y")))
    model.save_weights(tmp_path / "other.weights.h5")
    recipe = dataclasses.replace(PLAIN, weights=f"{tmp_path}/other.weights.h5", ema_decay=0.9)
    computation = computation_of(recipe)
    start_from_weights(computation, tmp_path)
    report = json.loads((tmp_path / "weights.json").read_text())
    assert sorted(report["new"]) == ["predictions/bias", "predictions/kernel"]
    kernel = model.get_layer("conv").kernel.numpy()
    assert np.array_equal(computation.model.get_layer("conv").kernel.value.numpy(), kernel)
    at = [v.path for v in computation.optimizer.averaged].index("conv/kernel")
    assert np.array_equal(computation.optimizer.averages[at].numpy(), kernel)


def test_weights_of_a_network_with_code_are_refused(tmp_path):
    """A network for images whose kernels a video network would take, but for its Lambda."""
    pixels = keras.Input((13, 13, 3))
    x = keras.layers.Lambda(lambda x: 2 * x)(pixels)
    keras.Model(pixels, keras.layers.Conv2D(5, 3, name="conv")(x)).save(tmp_path / "model.keras")
    clips = keras.Input((3, 13, 13, 3))
    video = keras.Model(clips, keras.layers.Conv3D(5, 3, name="conv")(clips))
    with pytest.raises(UserError, match="holds a Lambda layer, that is code of its own"):
        initial_weights._load(video, Recipe("a", weights=str(tmp_path / "model.keras")))


@pytest.mark.parametrize("name", ["nothing.weights.h5", "nothing.keras"])
def test_weights_that_are_not_there_are_told(examples, tmp_path, name):
    recipe = dataclasses.replace(PLAIN, weights=str(tmp_path / name))
    with pytest.raises(UserError, match="the recipe's weights cannot be loaded: "):
        train(recipe, tmp_path / "run", source=source(examples))
