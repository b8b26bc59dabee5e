"""Rows of any network, on images too; cross-validation; what rows differ by, and how sure."""

import dataclasses
import json
import math
from pathlib import Path

import numpy as np
import pytest

from a2keras.errors import UserError
from a2keras.models.preprocessing.spec import Preprocessing
from a2keras.training.ablation import running
from a2keras.training.ablation.plan import Ablation
from a2keras.training.ablation.report import markdown
from a2keras.training.ablation.rows import rows_of
from a2keras.training.ablation.statistics import difference, differences
from a2keras.training.compute import network
from a2keras.training.config import Recipe
from a2keras.training.evaluation.folds import pooled
from a2keras.training.evaluation.held_out import folds_of

IMAGE = Recipe("mine", task="image", model="a2_resnet11", size=16, batch_size=4)


def test_rows_of_any_network():
    rows = rows_of(None, (), ())
    assert [row.key for row in rows] == ["none", "se", "nl", "a2"]
    kinds = [row.applied(IMAGE).attention for row in rows]
    assert kinds == ["none", "se", "non_local", "a2"]
    placed = dataclasses.replace(IMAGE, positions="conv3_1")
    assert {row.applied(placed).positions for row in rows} == {"conv3_1"}
    assert [row.key for row in rows_of(None, ("a2", "none"), ())] == ["a2", "none"]


def test_rows_of_one_s_own():
    text = "slow.3 attention=a2 positions=conv3_1, conv4_1  learning_rate_factors=attention/=0.1"
    (row,) = rows_of(None, (), [text])
    recipe = row.applied(IMAGE)
    assert (row.key, row.title, row.runs) == ("slow.3", "slow.3", "slow.3")
    assert recipe.unit_names() == ("conv3_1", "conv4_1")
    assert recipe.rate_factors()[0][1] == 0.1
    assert (recipe.attention, recipe.size) == ("a2", 16)
    assert [row.key for row in rows_of(2, ("nl_conv3", "resnet_26"), ())] == [
        "nl_conv3", "resnet_26"
    ]  # fmt: skip
    rows = rows_of(2, ("resnet_26",), [text])
    assert [row.key for row in rows] == ["resnet_26", "slow.3"]
    assert [row.key for row in rows_of(None, ("none",), [text])] == ["none", "slow.3"]


@pytest.mark.parametrize(
    ("names", "own", "message"),
    [
        (["gc"], [], "there is no row gc: there are none, se, nl, a2, and your own by `row`"),
        (
            [],
            ["a2"],
            "`row` takes NAME key=value …, the name of letters, digits and . _ + - only. "
            "Received: `row='a2'`",
        ),
        (
            [],
            ["../a epochs=3"],
            "`row` takes NAME key=value …, the name of letters, digits and . _ + - only. "
            "Received: `row='../a epochs=3'`",
        ),
        (
            [],
            ["mine seed=3"],
            "seed is the same for all rows (`set`). Received: `row='mine seed=3'`",
        ),
        (
            [],
            ["all validation_fraction=0"],
            "validation_fraction is the same for all rows (`set`). "
            "Received: `row='all validation_fraction=0'`",
        ),
        (
            [],
            ["sets multi_label=true"],
            "multi_label is the same for all rows (`set`). Received: `row='sets multi_label=true'`",
        ),
        (["a2"], ["a2 epochs=3"], "two rows are called a2: every row needs a name of its own"),
        (["a2", "a2"], [], "two rows are called a2: every row needs a name of its own"),
    ],
)
def test_rows_that_are_refused(names, own, message):
    with pytest.raises(UserError) as error:
        rows_of(None, names, own)
    assert str(error.value) == message


def test_a_setting_that_is_none_is_told():
    (row,) = rows_of(None, (), ["mine epoch=3"])
    with pytest.raises(UserError, match="recipes have no field 'epoch': did you mean 'epochs'"):
        row.applied(IMAGE)


def test_the_interval_is_student_s():
    """Differences 1, 2 and 6 points: mean 3, s = √7, t(0.975, 2) = 4.302653."""
    ours = {(seed, 1): (0.50 + d, 100) for seed, d in enumerate((0.01, 0.02, 0.06))}
    theirs = {(seed, 1): (0.50, 100) for seed in range(4)}
    found = difference(ours, theirs)
    assert (found["unit"], found["observations"]) == ("seed", 3)
    reach = 4.302653 * math.sqrt(7e-4 / 3)
    assert found["mean"] == pytest.approx(0.03)
    assert found["interval"] == pytest.approx([0.03 - reach, 0.03 + reach], abs=1e-7)
    assert [pair["seed"] for pair in found["pairs"]] == [0, 1, 2]
    alone = difference({(0, 1): (0.7, 9)}, theirs)
    assert (alone["mean"], alone["interval"]) == (pytest.approx(0.2), None)


def test_with_folds_an_observation_is_a_fold():
    """Two seeds of three folds of 10, 10 and 20 examples; the mean is what the pools differ by."""
    sizes = {1: 10, 2: 10, 3: 20}
    right = {(0, 1): 6, (0, 2): 8, (0, 3): 14, (1, 1): 8, (1, 2): 7, (1, 3): 16}
    before = {(0, 1): 5, (0, 2): 8, (0, 3): 11, (1, 1): 6, (1, 2): 6, (1, 3): 13}
    ours, theirs = (
        {pair: (count / sizes[pair[1]], sizes[pair[1]]) for pair, count in counts.items()}
        for counts in (right, before)
    )
    found = difference(ours, theirs)
    assert (found["unit"], found["observations"]) == ("fold", 3)
    assert found["mean"] == pytest.approx((sum(right.values()) - sum(before.values())) / 80)
    observed = np.array([(1 + 2) / 20, (0 + 1) / 20, (3 + 3) / 40])
    shares = np.array([0.25, 0.25, 0.5])
    variance = 3 / 2 * (shares**2 * (observed - found["mean"]) ** 2).sum()
    low, high = found["interval"]
    assert (high - low) / 2 == pytest.approx(4.302653 * math.sqrt(variance), rel=1e-6)
    assert len(found["pairs"]) == 6


def test_a_seed_counts_as_much_as_any_other():
    """Splits drawn by the seeds may differ in size; the scores of rows are means over seeds."""
    ours = {(0, 1): (0.50, 10), (1, 1): (0.70, 30)}
    theirs = {(0, 1): (0.40, 10), (1, 1): (0.40, 30)}
    found = difference(ours, theirs)
    assert found["mean"] == pytest.approx((0.1 + 0.3) / 2)
    reach = 12.7062047 * 0.1  # t(0.975, 1) · s / √2, s = 0.2 / √2
    assert found["interval"] == pytest.approx([0.2 - reach, 0.2 + reach])


def test_a_fold_weighs_by_its_examples_however_many_seeds_it_has():
    """0.1 in the mean of two seeds of a fold of 10, 0.4 in one of 30: (0.1 + 3 · 0.4) / 4."""
    ours = {(0, 1): (0.5, 10), (1, 1): (0.7, 10), (0, 2): (0.8, 30)}
    theirs = {(0, 1): (0.4, 10), (1, 1): (0.6, 10), (0, 2): (0.4, 30), (1, 2): (0.1, 30)}
    found = difference(ours, theirs)
    assert (found["unit"], found["observations"]) == ("fold", 2)
    assert found["mean"] == pytest.approx(1.3 / 4)


def test_differences_are_of_every_two_rows_and_of_what_both_have():
    def row(name, *seeds):
        runs = [{"seed": s, "fold": 1, "examples": 7, "top1": 0.1 * s} for s in seeds]
        return {"key": name, "runs": runs}

    found = differences([row("a", 0, 1), row("b", 1, 2), row("c", 3)], ("top1",))
    assert [(each["row"], each["against"]) for each in found] == [("b", "a")]
    assert [pair["seed"] for pair in found[0]["top1"]["pairs"]] == [1]


def test_pools_and_the_recipes_of_folds():
    parts = [{"examples": 7, "top1": 3 / 7}, {"examples": 5, "top1": 4 / 5}]
    assert pooled(parts, ("top1",)) == {"top1": pytest.approx(7 / 12)}
    assert folds_of(IMAGE) == [IMAGE]
    three = dataclasses.replace(IMAGE, folds=3, fold=2)
    assert [each.fold for each in folds_of(three)] == [1, 2, 3]


@pytest.fixture
def small_network(monkeypatch, costs_of_one_step):
    """Puts a network with two places for blocks in the place of every network."""
    import keras

    from a2keras import models
    from a2keras.models.blocks import Blocks

    def build(name, input_tensor, classes, attention=None, positions=("conv2_1",)):
        rank = len(input_tensor.shape) - 2
        convolution = getattr(keras.layers, f"Conv{rank}D")
        blocks = Blocks(attention, () if name == "a2_resnet11" else positions, reduction=3)
        x = convolution(6, 3, strides=4, padding="same", use_bias=False)(input_tensor)
        x = blocks(blocks(x, "conv2_1"), "conv3_1")
        x = getattr(keras.layers, f"GlobalAveragePooling{rank}D")()(x)
        x = keras.layers.Dense(classes, activation="softmax")(x)
        return keras.Model(keras.utils.get_source_inputs(input_tensor), x)

    monkeypatch.setattr(models, "build", build)


def settings(output: Path, *more: str) -> list[str]:
    keep = [
        "size=16",
        "batch_size=4",
        "epochs=1",
        "crop_scale=0.9",
        "validation_fraction=0",
        "weights=none",
    ]
    return [f"--output={output}", *(f"--set={each}" for each in (*keep, *more))]


@pytest.mark.slow
def test_images_and_rows_of_any_network(tmp_path, images, small_network, run_command):
    output = tmp_path / "ablation"
    call = ["ablate", f"--data=folder:{images}", "--model=resnet20", "--seeds=2", "--format=json"]
    call += ["--rows=none,a2", "--row=late attention=se positions=conv3_1 learning_rate=0.01"]
    document = json.loads(run_command(*call, *settings(output)))
    assert [row["key"] for row in document["rows"]] == ["none", "a2", "late"]
    assert (document["measures"], document["task"], document["table"]) == (["top1"], "image", None)
    assert (document["examples"], document["folds"], document["planned"]) == (4, [], 6)
    plain, a2, late = document["rows"]
    assert [row["blocks"] for row in (plain, a2, late)] == [
        [], ["conv2_1_attention"], ["conv3_1_attention"]
    ]  # fmt: skip
    assert late["parameters"] - plain["parameters"] == 6 + 1 + 6 + 6  # one unit between
    # c = 6, m = 2 at the 4×4 positions of 16×16 pixels: 4cmL + 2m²L.
    assert a2["multiply_adds"] - plain["multiply_adds"] == 4 * 6 * 2 * 16 + 2 * 2**2 * 16
    recipes = [
        json.loads((output / run["run"] / "recipe.json").read_text()) for run in late["runs"]
    ]
    assert [(each["learning_rate"], each["seed"]) for each in recipes] == [(0.01, 0), (0.01, 1)]
    assert len(document["differences"]) == 3
    check_pairs(document)
    text = markdown(document)
    assert "| step of 4 images |" in text
    assert "| row | against | top-1, points (95%) |" in text
    assert "Student's t of 2 observations: one is a seed." in text
    assert "late: attention=se positions=conv3_1 learning_rate=0.01" in text
    assert (output / "ablation.png").read_bytes().startswith(b"\x89PNG")
    # What is done stays, also where another row comes to it.
    times = {path: path.stat().st_mtime_ns for path in output.glob("runs/*/model.keras")}
    assert len(times) == 6
    again = json.loads(run_command(*call, *settings(output)))
    assert again == document
    assert times == {path: path.stat().st_mtime_ns for path in times}


@pytest.mark.slow
def test_rows_that_come_later_need_the_same_files(tmp_path, images, small_network, run_command):
    call = ["ablate", f"--data=folder:{images}", "--model=resnet20", "--seeds=1"]
    call += settings(tmp_path / "ablation")
    run_command(*call, "--rows=none")
    min(images.glob("*/*.png")).unlink()
    with pytest.raises(UserError) as error:
        run_command(*call, "--rows=none,se,a2")
    runs = tmp_path / "ablation/runs"
    assert str(error.value) == (
        f"the files of folder:{images} have changed since {runs}/none_seed0 began"
    )
    with pytest.raises(UserError) as again:  # also where nothing is left to train
        run_command(*call, "--rows=none")
    assert str(again.value) == str(error.value)
    assert [each.name for each in runs.iterdir()] == ["none_seed0"]


@pytest.mark.parametrize(
    ("flags", "expected"),
    [
        ((), ("photos", "auto", "adamw", 14)),
        (("--set=weights=none",), ("folder", "", "sgd", 30)),
        (("--recipe=digits_image",), ("digits_image", "", "sgd", 20)),
    ],
)
def test_rows_are_trained_as_by_train(flags, expected, images, tmp_path, monkeypatch, run_command):
    planned = []

    def kept(ablation, recipes):
        planned.append(ablation.recipe)
        raise UserError("enough")

    monkeypatch.setattr(running, "ablate", kept)
    with pytest.raises(UserError, match="enough"):
        run_command("ablate", f"--data=folder:{images}", f"--output={tmp_path}/ablation", *flags)
    (recipe,) = planned
    assert (recipe.name, recipe.weights, recipe.optimizer, recipe.epochs) == expected


def check_pairs(document: dict) -> None:
    """Every difference is that of the rows' means, and its pairs are those of their runs."""
    rows = {row["key"]: row for row in document["rows"]}
    main = document["measures"][-1]
    for each in document["differences"]:
        ours, theirs = rows[each["row"]], rows[each["against"]]
        told = each[main]
        assert told["mean"] == pytest.approx(ours[main]["mean"] - theirs[main]["mean"])
        pairs = zip(told["pairs"], ours["runs"], theirs["runs"], strict=True)
        for pair, one, two in sorted(pairs, key=lambda each: each[0]["seed"]):
            assert (pair["seed"], pair["fold"]) == (one["seed"], one["fold"])
            assert pair["difference"] == pytest.approx(one[main] - two[main])


@pytest.mark.slow
def test_cross_validation_tests_every_video_once(tmp_path, write_video, small_network, run_command):
    """Six recordings of one video a class, in three folds of two recordings."""
    for name, shade in (("dark", 0), ("light", 90)):
        for recording in range(1, 7):
            path = tmp_path / f"videos/{name}/{recording}_0.avi"
            write_video(path, 4, (16, 20), shade + recording)
    output = tmp_path / "ablation"
    call = ["ablate", f"--data=folder:{tmp_path}/videos", "--model=resnet26_video", "--seeds=1"]
    call += ["--rows=none,a2", "--folds=3", "--format=json"]
    more = ["size=8", "frames=3", "views=2", r"group_pattern=(\d)_0\.avi"]
    document = json.loads(run_command(*call, *settings(output, *more)))
    assert document["examples"] == 12
    assert [fold["examples"] for fold in document["folds"]] == [4, 4, 4]
    groups = [group for fold in document["folds"] for group in fold["groups"]]
    assert sorted(groups) == list("123456")
    for fold in (1, 2, 3):
        for name in ("none", "a2"):  # the rows share the folds
            run = output / f"runs/{name}_fold{fold}_seed0"
            evaluation = json.loads((run / "evaluation.json").read_text())
            assert evaluation["groups"] == document["folds"][fold - 1]["groups"]
    for row in document["rows"]:
        (seed,) = row["seeds"]
        right = sum(round(run["video@1"] * 4) for run in row["runs"])
        assert (seed["examples"], seed["video@1"]) == (12, pytest.approx(right / 12))
    check_pairs(document)
    (told,) = document["differences"]
    assert (told["video@1"]["unit"], told["video@1"]["observations"]) == ("fold", 3)
    text = markdown(document)
    assert "12 examples of all 3 folds, each tested once (groups of the folds 1: " in text
    assert "Student's t of 3 observations: one is a fold, the mean of its seeds" in text


def test_what_is_refused_before_anything_is_trained(tmp_path, images, small_network, run_command):
    call = ["ablate", f"--data=folder:{images}", "--rows=none,a2", *settings(tmp_path / "ablation")]
    with pytest.raises(UserError) as error:
        run_command(*call, "--model=a2_resnet11")
    assert str(error.value) == (
        "row a2 has no block: a2_resnet11 has no positions of its own, so name some. "
        "Received: positions="
    )
    with pytest.raises(UserError) as error:
        run_command(*call, "--model=mobilenet_v2", "--set=stem=small")
    assert str(error.value) == (
        "recipe field stem is for ResNets, of which mobilenet_v2 is none. Received: stem=small"
    )
    with pytest.raises(UserError, match="folds must be 0, or at least 2"):
        run_command(*call, "--folds=1")
    assert not (tmp_path / "ablation/runs").exists()


@pytest.mark.parametrize(
    ("flags", "message"),
    [
        (
            ["--split=validation"],
            "runs are scored on validation examples, and folder:{0} has none (test: 0.2 of every "
            "class (seed 0); validation: 0 of every class (seed 0)): see validation_fraction",
        ),
        (
            ["--split=validation", "--folds=2"],
            "runs are scored on validation examples, and folder:{0} has none (test: fold 1 of 2, "
            "every class; validation: 0 of every class (seed 0)): see validation_fraction",
        ),
        (
            ["--set=test_fraction=0"],
            "runs are scored on test or validation examples, and folder:{0} has none (test: 0 of "
            "every class (seed 0); validation: 0 of every class (seed 0)): see test_fraction and "
            "validation_fraction",
        ),
    ],
)
def test_nothing_to_score_on_is_told_before_anything_is_measured(
    tmp_path, images, run_command, monkeypatch, flags, message
):
    monkeypatch.setattr(running, "measure", None)
    call = ["ablate", f"--data=folder:{images}", "--model=resnet20", "--rows=none,a2", *flags]
    with pytest.raises(UserError) as error:
        run_command(*call, *settings(tmp_path / "ablation"))
    assert str(error.value) == message.format(images)
    assert not (tmp_path / "ablation").exists()


def test_weights_that_only_some_rows_could_take_whole_are_refused(tmp_path, images, run_command):
    call = ["ablate", f"--data=folder:{images}", f"--output={tmp_path}/ablation"]
    with pytest.raises(UserError) as error:
        run_command(*call, "--model=resnet20", "--rows=none,a2")
    assert str(error.value) == (
        "weights=cifar10 of resnet20 go with attention=a2, stem=small; weights may also be a file, "
        "or none, which is from scratch. Received: attention=none, stem="
    )
    assert not (tmp_path / "ablation").exists()


def test_the_stem_of_a_recipe():
    recipe = dataclasses.replace(IMAGE, model="resnet20", stem="small")
    model = network.build(recipe, Preprocessing(("a", "b"), 16))
    assert model.get_layer("conv1_conv").strides == (1, 1)


@pytest.mark.parametrize("kind", ["a2", "non_local"])
def test_the_start_of_the_blocks_of_a_recipe(kind):
    """As the other projections start, Glorot's uniform: ±sqrt(6 / (128 + 32)) at conv3."""
    preprocessing = Preprocessing(("a", "b"), 16)
    recipe = dataclasses.replace(IMAGE, model="resnet20", attention=kind)
    kernels = {}
    for start in ("identity", "random"):
        model = network.build(dataclasses.replace(recipe, block_start=start), preprocessing)
        blocks = [model.get_layer(f"conv{stage}_2_attention") for stage in (3, 4)]
        kernels[start] = [block.output_projection.kernel.numpy() for block in blocks]
    assert not any(np.any(kernel) for kernel in kernels["identity"])
    kernel = kernels["random"][0]
    assert kernel.shape == (32, 128)
    bound = math.sqrt(6 / (32 + 128))
    assert 0.99 * bound < np.abs(kernel).max() < bound
    assert abs(kernel.std() - bound / math.sqrt(3)) < 0.01
    again = network.build(dataclasses.replace(recipe, block_start="random"), preprocessing)
    same = again.get_layer("conv3_2_attention").output_projection.kernel.numpy()
    assert np.array_equal(same, kernel)


def test_a_random_start_is_for_fresh_blocks_alone(tmp_path):
    """A block of a file has learned, and stays as it is."""
    recipe = dataclasses.replace(IMAGE, block_start="random")
    preprocessing = Preprocessing(("a", "b"), 16)
    model = network.build(
        dataclasses.replace(IMAGE, model="resnet20", attention="a2"), preprocessing
    )
    kernel = model.get_layer("conv3_2_attention").output_projection.kernel
    kernel.assign(np.full(kernel.shape, 0.5, "float32"))
    model.save(tmp_path / "own.keras")
    own = dataclasses.replace(recipe, model=str(tmp_path / "own.keras"))
    found = network.build(own, preprocessing).get_layer("conv3_2_attention").output_projection
    assert np.all(found.kernel.numpy() == 0.5)


@pytest.mark.parametrize("weights", ["imagenet", "none", ""])
def test_gates_are_open_in_a_network_that_has_learned(weights):
    """Sigmoid of 3. From scratch they are as Hu et al. have them: near 1/2."""
    recipe = dataclasses.replace(
        IMAGE, model="efficientnet_lite0", attention="se", positions="conv4_2", weights=weights
    )
    model = network.build(recipe, Preprocessing(("a", "b"), 16))
    x = np.random.default_rng(0).normal(size=(2, 3, 5, 40)).astype("float32")
    gates = model.get_layer("conv4_2_attention")(x, return_attention_scores=True)[1].numpy()
    if weights == "imagenet":
        np.testing.assert_allclose(gates, 1 / (1 + math.exp(-3)), rtol=1e-6)
    else:
        assert 0.3 < gates.min() < 0.5 < gates.max() < 0.7


def test_gates_of_a_file_that_have_learned_stay(tmp_path):
    recipe = dataclasses.replace(
        IMAGE, model="resnet20", attention="se", positions="conv3_2", weights="none"
    )
    preprocessing = Preprocessing(("a", "b"), 16)
    model = network.build(recipe, preprocessing)
    bias = model.get_layer("conv3_2_attention").excite.bias
    bias.assign(np.full(bias.shape, 0.25, "float32"))
    model.save(tmp_path / "own.keras")
    own = dataclasses.replace(IMAGE, model=str(tmp_path / "own.keras"))
    others = dataclasses.replace(own, attention="se", positions="conv3_1_out")
    for changed, block, value in (
        (own, "conv3_2_attention", 0.25),
        (others, "conv3_1_out_squeeze_excitation", 3),
    ):
        found, anew = (
            network.build(dataclasses.replace(changed, weights=weights), preprocessing)
            for weights in ("", "none")
        )
        assert np.all(found.get_layer(block).excite.bias.numpy() == value)
        assert not np.any(anew.get_layer(block).excite.bias.numpy())


def test_weights_are_named_by_their_full_path(tmp_path, images, monkeypatch):
    """As the run keeps them, or the same command would not know the run again."""
    monkeypatch.chdir(tmp_path)
    recipe = dataclasses.replace(IMAGE, data=f"folder:{images}", weights="start.weights.h5")
    ablation = Ablation(rows_of(None, ("a2",), ()), recipe, tmp_path / "ablation")
    found = ablation.listed(ablation.rows[0]).recipe
    assert (found.weights, found.attention) == (f"{tmp_path}/start.weights.h5", "a2")


@pytest.mark.slow
def test_an_evaluation_of_other_numbers_is_told(tmp_path, images, small_network, run_command):
    call = ["ablate", f"--data=folder:{images}", "--model=resnet20", "--seeds=1", "--rows=none"]
    call += settings(tmp_path / "ablation")
    run_command(*call)
    (path,) = tmp_path.glob("ablation/runs/*/evaluation.json")
    document = json.loads(path.read_text())
    path.write_text(json.dumps({**document, "examples": 0}))
    with pytest.raises(UserError) as error:
        run_command(*call)
    assert str(error.value) == (
        f"{path} is not an evaluation of this version: its numbers do not agree"
    )


@pytest.mark.slow
def test_settings_are_chosen_on_validation_examples(tmp_path, images, small_network, run_command):
    output = tmp_path / "ablation"
    call = ["ablate", f"--data=folder:{images}", "--model=resnet20", "--seeds=1", "--rows=none"]
    call += [*settings(output), "--set=validation_fraction=0.3", "--format=json"]
    chosen = json.loads(run_command(*call, "--split=validation"))
    assert (chosen["split"], chosen["examples"]) == ("validation", 6)
    names = {path.name for path in output.iterdir()}
    assert {f"ablation_validation.{kind}" for kind in ("json", "md", "png")} <= names
    (run,) = (output / "runs").iterdir()
    assert not (run / "evaluation.json").exists()
    trained = (run / "model.keras").stat().st_mtime_ns
    tested = json.loads(run_command(*call))
    assert (tested["split"], tested["examples"]) == ("test", 4)
    assert (run / "model.keras").stat().st_mtime_ns == trained
    assert json.loads((output / "ablation_validation.json").read_text()) == chosen
