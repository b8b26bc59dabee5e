"""Recipes: typed settings, rules with the value received, and what a run remembers."""

import dataclasses

import pytest

from a2keras.errors import UserError
from a2keras.training import recipes
from a2keras.training.compute.checks import resolve_weights
from a2keras.training.config import Recipe, values_of
from a2keras.training.data import resolve
from a2keras.training.descriptions import described
from a2keras.training.rules import BETWEEN_FIELDS
from a2keras.training.run.directory import Run


def test_settings_take_the_type_of_their_field():
    recipe = Recipe("mine").override(
        ["epochs=7", "learning_rate=3e-2", "flip=no", "data=folder:a=b", "jit_compile=TRUE"]
    )
    assert recipe.epochs == 7
    assert recipe.learning_rate == 0.03
    assert recipe.flip is False
    assert recipe.data == "folder:a=b"
    assert recipe.jit_compile is True


@pytest.mark.parametrize(
    ("setting", "message"),
    [
        ("epoch=3", "recipes have no field 'epoch': did you mean 'epochs'?"),
        ("learning_rat=3", "recipes have no field 'learning_rat': did you mean 'learning_rate'?"),
        ("epochs=3.5", "recipe field epochs is of type int. Received: epochs=3.5"),
        ("flip=maybe", "recipe field flip is of type bool. Received: flip=maybe"),
        ("epochs", "a setting is key=value. Received: epochs"),
        ("epochs=0", "recipe field epochs must be at least 1. Received: epochs=0"),
        ("fit=squash", "recipe field fit must be one of crop, letterbox. Received: fit=squash"),
        (
            "test_fraction=1",
            "recipe field test_fraction must be at least 0 and less than 1. "
            "Received: test_fraction=1.0",
        ),
        (
            "weight_decay=inf",
            "recipe field weight_decay must be finite. Received: weight_decay=inf",
        ),
        (
            "learning_rate=nan",
            "recipe field learning_rate must be greater than 0. Received: learning_rate=nan",
        ),
        ("seed=-1", "recipe field seed must be at least 0. Received: seed=-1"),
        (
            "crop_scale=1.5",
            "recipe field crop_scale must be greater than 0 and at most 1. "
            "Received: crop_scale=1.5",
        ),
        (
            "crop_area=0",
            "recipe field crop_area must be greater than 0 and at most 1. Received: crop_area=0.0",
        ),
        (
            "crop_aspect=0.8",
            "recipe field crop_aspect must be at least 1. Received: crop_aspect=0.8",
        ),
        ("crop=round", "recipe field crop must be one of square, side, area. Received: crop=round"),
        (
            "interpolation=cubic",
            "recipe field interpolation must be one of bilinear, bicubic. "
            "Received: interpolation=cubic",
        ),
        ("hue=-1", "recipe field hue must be at least 0. Received: hue=-1.0"),
        ("mixup=-0.1", "recipe field mixup must be at least 0. Received: mixup=-0.1"),
        ("mixup=inf", "recipe field mixup must be finite. Received: mixup=inf"),
        ("cutmix=nan", "recipe field cutmix must be at least 0. Received: cutmix=nan"),
        (
            "randaugment=15",
            "recipe field randaugment must be at least 0 and at most 14. Received: randaugment=15",
        ),
        (
            "randaugment_magnitude=10.5",
            "recipe field randaugment_magnitude must be at least 0 and at most 10. "
            "Received: randaugment_magnitude=10.5",
        ),
        (
            "erasing=nan",
            "recipe field erasing must be at least 0 and at most 1. Received: erasing=nan",
        ),
        (
            "test_short_side=100",
            "recipe field test_short_side must be 0 or at least size=112. "
            "Received: test_short_side=100",
        ),
        ("fold=0", "recipe field fold must be at least 1. Received: fold=0"),
        ("stem=tiny", "recipe field stem must be one of (empty), small. Received: stem=tiny"),
        (
            "folds=1",
            "recipe field folds must be 0, or at least 2 and at least fold=1. Received: folds=1",
        ),
        ("folds=-1", "recipe field folds must be at least 0. Received: folds=-1"),
        (
            "warmup_epochs=31",
            "recipe field warmup_epochs must be at most epochs=30. Received: warmup_epochs=31.0",
        ),
        (
            "freeze_epochs=30",
            "recipe field freeze_epochs must be less than epochs=30. Received: freeze_epochs=30",
        ),
        (
            "freeze_epochs=-1",
            "recipe field freeze_epochs must be at least 0. Received: freeze_epochs=-1",
        ),
        (
            "freeze_rate=0.1",
            "recipe field freeze_rate needs freeze_epochs. Received: freeze_rate=0.1",
        ),
        ("patience=-2", "recipe field patience must be at least 0. Received: patience=-2"),
        (
            "optimizer=adam",
            "recipe field optimizer must be one of sgd, adamw. Received: optimizer=adam",
        ),
        (
            "layer_decay=0",
            "recipe field layer_decay must be greater than 0. Received: layer_decay=0.0",
        ),
        (
            "layer_decay=1.5",
            "recipe field layer_decay must be at most 1. Received: layer_decay=1.5",
        ),
        (
            "adam_epsilon=0",
            "recipe field adam_epsilon must be greater than 0. Received: adam_epsilon=0.0",
        ),
        (
            "beta_2=1",
            "recipe field beta_2 must be at least 0 and less than 1. Received: beta_2=1.0",
        ),
        (
            "drop_path=1",
            "recipe field drop_path must be at least 0 and less than 1. Received: drop_path=1.0",
        ),
        (
            "class_weights=equal",
            "recipe field class_weights must be one of none, balanced. "
            "Received: class_weights=equal",
        ),
        (
            "sampling=equal",
            "recipe field sampling must be one of uniform, balanced. Received: sampling=equal",
        ),
        (
            "step_epochs=1,²",
            "recipe field step_epochs must be whole numbers with commas between. "
            "Received: step_epochs=1,²",
        ),
        (
            "step_epochs=1,x",
            "recipe field step_epochs must be whole numbers with commas between. "
            "Received: step_epochs=1,x",
        ),
    ],
)
def test_a_bad_setting_says_the_rule_and_the_value(setting, message):
    with pytest.raises(UserError) as error:
        Recipe("mine").override([setting])
    assert str(error.value) == message


def test_every_number_has_a_rule():
    between = {field for field, *_ in BETWEEN_FIELDS}
    for each in described():
        if each.type in ("int", "float"):
            assert each.rules or each.name in between, each.name


def test_a_fold_is_one_of_the_folds():
    assert Recipe("mine").override(["folds=3", "fold=3"]).fold == 3
    with pytest.raises(UserError) as error:
        Recipe("mine", folds=3, fold=4)
    assert str(error.value) == (
        "recipe field folds must be 0, or at least 2 and at least fold=4. Received: folds=3"
    )
    with pytest.raises(UserError) as error:
        Recipe("mine", folds=3, group_pattern="(.)", test_groups="a")
    assert str(error.value) == (
        "recipe field test_groups must be empty where folds=3. Received: test_groups=a"
    )


def test_every_recipe_is_named_like_its_module_and_opens_as_a_note():
    for name in recipes.NAMES:
        assert recipes.recipe(name).name == name
        note = __import__(f"a2keras.training.recipes.{name}", fromlist=["_"]).__doc__
        for word in ("The paper", "We", "Command", "Hardware", "Expected"):
            assert f"\n{word}" in note, (name, word)
    with pytest.raises(UserError, match="no recipe 'digit_video': did you mean 'digits_video'"):
        recipes.recipe("digit_video")


def test_the_papers_recipes_have_its_batches_rates_and_iterations():
    """Batch, learning rate and input from the paper's text; iterations where it counts them."""
    found = {name: recipes.recipe(name) for name in recipes.NAMES}
    image, ablation = found["imagenet_a2_resnet50"], found["kinetics_ablation_resnet26"]
    assert (image.model, image.batch_size, image.size) == ("a2_resnet50", 2048, 224)
    assert image.learning_rate**2 == pytest.approx(0.1)
    assert (ablation.batch_size, ablation.learning_rate) == (512, 0.2)
    assert (ablation.frames, ablation.size) == (16, 112)
    steps = [epoch * ablation.steps_per_epoch for epoch in ablation.steps_down()]
    assert steps == [20_000, 30_000]
    assert ablation.epochs * ablation.steps_per_epoch == 37_000
    kinetics, ucf = found["kinetics_a2_resnet50"], found["ucf101_finetune"]
    assert (kinetics.frames, kinetics.stride, kinetics.size) == (8, 8, 224)
    assert (kinetics.batch_size, kinetics.learning_rate) == (512, 0.04)
    assert kinetics.epochs * kinetics.steps_per_epoch == 32_000
    assert (ucf.batch_size, ucf.learning_rate, len(ucf.steps_down())) == (104, 0.01, 3)
    assert ucf.model == kinetics.model == "a2_resnet50_video"
    paths = ["conv1_conv/kernel", "conv3_1_attention/phi/kernel", "predictions/kernel"]
    factors = [next(f for p, f in ucf.rate_factors() if p.search(path)) for path in paths]
    assert factors == [0.2, 0.2, 1.0]


@pytest.mark.parametrize("setting", ["crop=area", "crop=side", "test_short_side=128"])
def test_letterbox_has_no_crops(setting):
    field, _, value = setting.partition("=")
    with pytest.raises(UserError) as error:
        recipes.recipe("folder").override(["fit=letterbox", setting])
    assert str(error.value) == (
        f"recipe field {field} needs fit=crop: letterbox keeps the whole frame. "
        f"Received: {field}={value}"
    )


def test_auto_is_replaced_by_what_the_data_are(images, monkeypatch):
    recipe = resolve(dataclasses.replace(recipes.recipe("folder"), data=f"folder:{images}"))
    assert (recipe.task, recipe.model) == ("image", "a2_resnet11")
    monkeypatch.chdir(images.parent)
    assert resolve(Recipe("mine", data="folder:images")).data == f"folder:{images}"
    assert resolve(Recipe("mine", data="digits", task="video")).model == "a2_resnet11_video"


def test_a_run_is_refused_where_something_else_lies(tmp_path):
    recipe = Recipe("mine", data="digits", epochs=3)
    Run(tmp_path / "run", recipe).start({"fingerprint": "a"})
    assert Recipe.load(tmp_path / "run/recipe.json") == recipe
    Run(tmp_path / "run", recipe).start({"fingerprint": "a"})

    other = dataclasses.replace(recipe, epochs=5, seed=2)
    (tmp_path / "run/checkpoints/step_00000001").mkdir(parents=True)
    with pytest.raises(UserError) as error:
        Run(tmp_path / "run", other).check()
    assert str(error.value) == (
        f"{tmp_path}/run is a run with epochs=3, not epochs=5: choose another `output`"
    )
    with pytest.raises(UserError, match=r"the files of digits have changed since .*/run began"):
        Run(tmp_path / "run", recipe).start({"fingerprint": "b"})

    (tmp_path / "photos").mkdir()
    (tmp_path / "photos/a.jpg").touch()
    (tmp_path / "file").touch()
    for name in ("photos", "file"):
        with pytest.raises(UserError) as error:
            Run(tmp_path / name, recipe).start({"fingerprint": "a"})
        assert str(error.value) == (
            f"{tmp_path}/{name} exists and is not a run: choose another `output`"
        )
    assert [path.name for path in (tmp_path / "photos").iterdir()] == ["a.jpg"]


def test_only_a_finished_run_can_be_loaded(tmp_path):
    with pytest.raises(UserError, match=r"nothing is not a run: it has no recipe.json"):
        Run.load(tmp_path / "nothing")
    Run(tmp_path / "run", Recipe("mine")).start({"fingerprint": "a"})
    with pytest.raises(UserError, match=r"the run .*/run is not finished: `a2keras train` goes on"):
        Run.load(tmp_path / "run")
    (tmp_path / "run/recipe.json").write_text('{"name": "mine", "colour": "red"}')
    with pytest.raises(UserError, match=r"recipe.json is not a recipe of this version of a2keras"):
        Run.load(tmp_path / "run")


def test_a_folder_starts_from_published_weights_unless_told(images, tmp_path, write_video):
    data = f"data=folder:{images}"
    photos = recipes.listed("folder", values_of([data, "epochs=30"]))[0]
    assert photos == dataclasses.replace(
        recipes.recipe("photos"), data=f"folder:{images}", epochs=30
    )
    assert photos.weights == "auto"
    (tmp_path / "own.keras").touch()
    host = f"model={tmp_path}/own.keras"
    hosts = [data, host], [data, host, "weights=none"]
    names = [recipes.listed("folder", values_of(settings))[0].name for settings in hosts]
    assert names == ["photos", "folder"]
    for setting in ("weights=none", "weights="):
        scratch = recipes.listed("folder", values_of([data, setting]))[0]
        assert scratch == dataclasses.replace(
            recipes.recipe("folder"), data=f"folder:{images}", weights=""
        )
    for i in range(4):
        write_video(tmp_path / "clips" / "ab"[i % 2] / f"{i}.avi", 5)
    videos = recipes.listed("folder", values_of([f"data=folder:{tmp_path}/clips"]))[0]
    assert dataclasses.replace(videos, data="") == recipes.recipe("videos")


@pytest.mark.parametrize(
    ("model", "weights"),
    [
        ("i3d", "kinetics400"),
        ("a2_efficientnet_lite0", "imagenet"),
        ("keras:MobileNetV2", "imagenet"),
    ],
)
def test_the_published_weights_of_a_network_need_not_be_named(model, weights):
    assert resolve_weights(Recipe("mine", model=model, weights="auto")).weights == weights


@pytest.mark.parametrize("weights", ["auto", "cifar10"])
def test_weights_of_a_network_built_otherwise_are_refused(weights):
    """Its stem would stay random, and be held."""
    recipe = Recipe("mine", model="resnet20", weights=weights)
    with pytest.raises(UserError) as error:
        resolve_weights(recipe)
    assert str(error.value) == (
        "weights=cifar10 of resnet20 go with attention=a2, stem=small; weights may "
        "also be a file, or none, which is from scratch. "
        "Received: attention=auto, stem="
    )
    alike = recipe.with_fields({"attention": "a2", "stem": "small"})
    assert resolve_weights(alike).weights == "cifar10"
    places = alike.with_fields({"positions": "conv3_2,conv4_2"})
    assert resolve_weights(places).weights == "cifar10"
    other = Recipe("mine", model="i3d", weights="kinetics400+ut_interaction", attention="a2")
    with pytest.raises(UserError, match="go with attention=a2, stem=, positions=conv4_5; weights "):
        resolve_weights(other)
    at = other.with_fields({"positions": " conv4_5"})
    assert resolve_weights(at) == at


def test_a_network_without_published_weights_is_told():
    with pytest.raises(UserError) as error:
        resolve_weights(Recipe("mine", model="a2_resnet26", weights="auto"))
    assert str(error.value) == (
        "no weights are published for a2_resnet26: set weights to a file, or to none, which is "
        "from scratch. Received: weights=auto"
    )


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        (
            {"freeze_epochs": 27, "warmup_epochs": 4.0},
            "recipe field warmup_epochs must be at most epochs=30 less freeze_epochs=27. "
            "Received: warmup_epochs=4.0",
        ),
        (
            {"freeze_epochs": 5, "schedule": "step", "step_epochs": "5,9"},
            "recipe field step_epochs must be after freeze_epochs=5. Received: step_epochs=5,9",
        ),
    ],
)
def test_epochs_must_follow_those_of_the_head(settings, message):
    with pytest.raises(UserError) as error:
        Recipe("mine", **settings)
    assert str(error.value) == message


def test_a_host_takes_no_unit_of_the_recipes_own_network(tmp_path):
    photos = recipes.recipe("photos")
    assert photos.freeze_until == "conv4_2"
    for name in ("keras:MobileNetV2", "mine.keras"):
        host = photos.override([f"model={name}"])
        assert host.freeze_until == ""
        assert host == photos.with_fields({"model": name})
        assert host.override(["epochs=9", f"model={name}", "freeze_until=a"]).freeze_until == "a"
        assert photos.with_fields({"model": name, "freeze_until": "b"}).freeze_until == "b"
        kept = host.override(["freeze_until=c"])
        assert kept.override([f"model={name}"]).freeze_until == "c"  # a run that goes on
    assert photos.override(["model=resnet50"]).freeze_until == "conv4_2"


@pytest.mark.parametrize(
    ("epochs", "frozen"), [(100, 4), (14, 4), (10, 2), (7, 2), (5, 1), (4, 1), (3, 0), (0, 4)]
)
def test_the_epochs_of_the_head_alone_shrink_with_the_run(epochs, frozen):
    """4 of the 14 of `photos`, rounded down."""
    photos = recipes.recipe("photos")
    run = photos.with_fields({"epochs": epochs} if epochs else {})
    assert (run.freeze_epochs, run.freeze_rate) == (frozen, 3e-3 if frozen else 0.0)
    told = photos.override(["epochs=6", "freeze_epochs=3"]).override(["batch_size=3"])
    assert (told.epochs, told.freeze_epochs) == (6, 3)
    with pytest.raises(UserError, match=r"freeze_epochs must be less than epochs=3\. Received: "):
        photos.override(["epochs=3", "freeze_epochs=4"])
