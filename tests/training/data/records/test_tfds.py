"""Sets of TensorFlow Datasets as a source: any order, our splits, clear refusals."""

import json
import sys
from pathlib import Path

import numpy as np
import pytest
import tensorflow as tf

from a2keras.errors import UserError
from a2keras.models.preprocessing.spec import Preprocessing
from a2keras.training.config import Recipe
from a2keras.training.data import list_source, open_held_out, open_source, resolve
from a2keras.training.data.pipeline import plain_batches, training_batches
from a2keras.training.data.records import tfds
from a2keras.training.data.records.tfds import Layout, read_labels

sys.path.insert(0, str(Path(__file__).parents[2]))
import tiny_datasets
from tiny_datasets import picture

PREPROCESSING = Preprocessing(("blue", "red"), 16)


@pytest.fixture(scope="module")
def root(tmp_path_factory):
    return tmp_path_factory.mktemp("tfds")


@pytest.fixture(autouse=True)
def cache(tmp_path_factory, monkeypatch):
    place = tmp_path_factory.getbasetemp() / "cache"
    monkeypatch.setenv("XDG_CACHE_HOME", str(place))
    return place


def recipe_of(data: str, root, **settings) -> Recipe:
    return resolve(Recipe("mine", data=data, root=str(root), size=16, batch_size=3, **settings))


def numbers_of(examples) -> list[int]:
    """Which of tiny_datasets' pictures the examples are."""
    return [
        next(n for n in (*range(11), *range(100, 105)) if close(examples.frames(i), picture(n)))
        for i in range(len(examples))
    ]


def close(a: np.ndarray, b: np.ndarray) -> bool:
    return bool(np.abs(a.astype(int) - b).mean() < 12)


def test_images(root):
    recipe = recipe_of("tfds:tiny_pictures", root)
    assert (recipe.task, recipe.model) == ("image", "a2_resnet11")
    source = open_source(recipe)
    assert source.classes == ("blue", "red")
    # The test split keeps its answers to itself, so validation is what is held out.
    assert {name: len(part) for name, part in source.splits.items()} == {
        "train": 11,
        "validation": 5,
    }
    assert source.split_rule == "by TFDS's splits train, validation"
    train = source.splits["train"]
    numbers = numbers_of(train)
    assert sorted(numbers) == list(range(11))
    assert [n % 2 for n in numbers] == train.labels.tolist()
    assert train.names[3] == "train/3"
    for i, number in enumerate(numbers):
        if number % 2:  # PNG
            assert np.array_equal(train.frames(i), picture(number))
    split, held_out = open_held_out(recipe, ("red", "blue"))
    assert split == "validation"
    validation = numbers_of(held_out.splits["validation"])
    assert [1 - n % 2 for n in validation] == held_out.splits["validation"].labels.tolist()


def test_a_class_without_examples_is_told(root):
    source = open_source(recipe_of("tfds:tiny_gap", root))
    assert source.classes == ("blue", "red", "green")
    assert source.gaps()[0] == "no split has an example of green"
    assert sum(len(part) for part in source.splits.values()) == 11


def test_data_to_be_scored_may_be_of_one_class_and_of_the_test_alone(root):
    recipe = recipe_of("tfds:tiny_pictures", root)
    split, held_out = open_held_out(recipe, ("green", "red", "blue"), "tfds:tiny_test")
    assert (split, held_out.splits["test"].labels.tolist()) == ("test", [1, 1, 1, 1])
    with pytest.raises(UserError) as error:
        recipe_of("tfds:tiny_test", root)
    assert str(error.value) == "tfds:tiny_test has nothing to train on: all of it is for test"


def test_examples_without_a_class_are_left_out_and_told(root, capsys):
    recipe = recipe_of("tfds:tiny_unsure", root)
    capsys.readouterr()
    source = open_source(recipe)
    assert sorted(numbers_of(source.splits["test"])) == [100, 102]
    numbers = [numbers_of(source.splits[name]) for name in ("train", "validation")]
    assert sorted(numbers[0] + numbers[1]) == [0, 1, 2, 4, 5, 6]
    labels = source.splits["train"].labels
    assert labels.tolist() == [number % 2 for number in numbers[0]]
    first, second = source.skipped
    assert (first.path[:6], first.reason) == ("train/", f"{first.path}: has no class")
    assert (second.path[:5], second.reason) == ("test/", f"{second.path}: has no class")
    assert f"left out: 2 examples, such as {first.path}: has no class\n" in capsys.readouterr().err
    _, held_out = open_held_out(recipe, ("red", "blue"), skipped=source.skipped)
    assert held_out.splits["test"].names == source.splits["test"].names


def test_labels_that_are_no_class_are_told(root, monkeypatch):
    monkeypatch.setattr(tfds, "read_labels", lambda *_: np.array([0, 1] * 5 + [2] + [0] * 5))
    with pytest.raises(UserError) as error:
        recipe_of("tfds:tiny_pictures", root)
    assert str(error.value) == (
        "tfds:tiny_pictures has 2 classes, and train/10 must have one of them. Received: label=2"
    )


def test_jpeg_is_decoded_as_pillow_decodes_it(root):
    from PIL import Image

    train = open_source(recipe_of("tfds:tiny_pictures", root)).splits["train"]
    index = numbers_of(train).index(4)
    with Image.open(tiny_datasets.encoded(picture(4), "JPEG")) as image:
        assert np.array_equal(train.frames(index), np.asarray(image))


def test_training_sees_them_in_the_order_of_the_seed(root):
    recipe = recipe_of("tfds:tiny_pictures", root, epochs=2, crop_scale=1.0, flip=False)
    train = open_source(recipe).splits["train"]
    shown = np.concatenate([y for _, y in training_batches(train, recipe, PREPROCESSING)])
    order = np.concatenate(
        [
            np.resize(np.random.default_rng([recipe.seed, epoch]).permutation(11), 12)
            for epoch in range(2)
        ]
    )
    assert shown.argmax(axis=1).tolist() == train.labels[order].tolist()
    views = np.concatenate([x for x, _ in plain_batches(train, 4, PREPROCESSING)])
    assert np.array_equal(views[7], PREPROCESSING.view(train.frames(7)))


def test_videos_are_decoded_frame_by_frame(root):
    recipe = recipe_of("tfds:tiny_films", root, frames=3, stride=2, test_fraction=0.25)
    assert (recipe.task, recipe.model) == ("video", "a2_resnet11_video")
    source = open_source(recipe)
    assert {name: len(part) for name, part in source.splits.items()} == {
        "train": 4,
        "validation": 2,
        "test": 2,
    }
    assert source.split_rule.startswith("test: 0.25 of every class (seed 0); validation: ")
    train = source.splits["train"]
    for i in range(4):
        film = train.frames(i)
        number = len(film) - 5
        assert train.labels[i] == number % 2
        expected = [picture(1000 * number + t) for t in range(5 + number)]
        assert np.array_equal(film, np.stack(expected))
        clip = tf.function(
            lambda i: train.load_clip(train.keys([i])[0], lambda n: tf.stack([0, n - 1, n // 2]))
        )
        ends = [expected[0], expected[-1], expected[len(film) // 2]]
        assert np.array_equal(clip(i), np.stack(ends))


def test_labels_are_read_once(root, cache, monkeypatch):
    before = list_source(recipe_of("tfds:tiny_pictures", root))
    monkeypatch.setattr(tf.io, "parse_example", None)
    again = list_source(recipe_of("tfds:tiny_pictures", root))
    assert again.labels.tolist() == before.labels.tolist()
    assert again.fingerprint == before.fingerprint
    assert list((cache / "a2keras").glob(f"labels_{before.fingerprint}_label.npy"))


def test_records_without_labels_are_damaged():
    class Records(list):
        def __getitems__(self, places):
            return [self[i] for i in places]

    layout = Layout("image", "image", "label", {"train": ""}, {"train": 2}, "f" * 64)
    with pytest.raises(UserError, match=r"^tfds:mine has damaged records: \S"):
        read_labels(Records([b"no", b"record"]), layout, "tfds:mine")


def test_what_cannot_be_used_is_told(root):
    def sentence(data, **settings):
        with pytest.raises(UserError) as error:
            recipe_of(data, root, **settings)
        return str(error.value)

    assert sentence("tfds:tiny_picture") == (
        "TensorFlow Datasets has no 'tiny_picture': did you mean 'tiny_pictures'?"
    )
    assert sentence("tfds:tiny_pictures:7.0.0").startswith(
        "tfds:tiny_pictures:7.0.0 cannot be used"
    )
    assert sentence("tfds:tiny_pictures", task="video") == (
        "tiny_pictures/1.2.0 holds images, but videos are wanted (task=video)"
    )
    assert sentence("tfds:tiny_pairs") == (
        "tiny_pairs/1.0.0 does not say which image or video has which class: its features are "
        "left, right, label"
    )
    assert sentence("tfds:tiny_unknown") == (
        "tiny_unknown/1.2.0 has no split to train on: it has extra"
    )
    assert sentence("tfds:tiny_download") == (
        f"tfds:tiny_download is not in {root}/tiny_download/1.2.0 and cannot be prepared: "
        "put archive.zip into the folder for manual downloads"
    )


def test_a_set_without_random_access_is_told_with_the_way_out(tmp_path):
    import tensorflow_datasets as tfds

    tfds.builder("tiny_pictures", data_dir=tmp_path).download_and_prepare()
    with pytest.raises(UserError) as error:
        recipe_of("tfds:tiny_pictures", tmp_path)
    assert str(error.value) == (
        f"tfds:tiny_pictures is stored as tfrecord in {tmp_path}/tiny_pictures/1.2.0, where "
        "examples cannot be read in any order: `a2keras prepare tfds:tiny_pictures --output=DIR` "
        "writes them anew, and prepared:DIR reads that"
    )


FEATURE = "tensorflow_datasets.core.features.features_dict.FeaturesDict"


@pytest.mark.parametrize(
    ("name", "text", "reason"),
    [
        ("features.json", {"pythonClassName": "evil_module.X"}, "asks for evil_module.X: only"),
        ("features.json", {"type": "evil_module.X", "content": {}}, "asks for evil_module.X: only"),
        (
            "features.json",
            {
                "pythonClassName": FEATURE,
                "jsonFeature": {"json": '{"a": {"type": "evil_module.X", "content": "{}"}}'},
            },
            "asks for evil_module.X: only",
        ),
        ("features.json", "[" * 100_000, "is not a description of a set of TFDS: "),
        (
            "features.json",
            {"pythonClassName": FEATURE, "jsonFeature": {"json": "{"}},
            "is not a description of a set of TFDS: ",
        ),
        ("dataset_info.json", "{", "is not a description of a set of TFDS: "),
        ("dataset_info.json", "[" * 100_000, "is not a description of a set of TFDS: "),
    ],
)
def test_a_set_of_somebody_else_imports_nothing(tmp_path, monkeypatch, name, text, reason):
    path = tmp_path / "sets/evilset/1.0.0"
    path.mkdir(parents=True)
    split = {"name": "train", "numBytes": "10", "shardLengths": ["1"],
             "filepathTemplate": "{DATASET}-{SPLIT}.{FILEFORMAT}-{SHARD_X_OF_Y}"}  # fmt: skip
    info = {"name": "evilset", "version": "1.0.0", "fileFormat": "array_record", "splits": [split]}
    (path / "dataset_info.json").write_text(json.dumps(info))
    (path / "features.json").write_text(json.dumps({"pythonClassName": FEATURE}))
    (path / name).write_text(text if isinstance(text, str) else json.dumps(text))
    (tmp_path / "evil_module.py").write_text("raise SystemExit('imported')")
    monkeypatch.syspath_prepend(tmp_path)
    with pytest.raises(UserError) as told:
        recipe_of("tfds:evilset", tmp_path / "sets")
    assert str(told.value).startswith(f"{path / name} {reason}")
    assert "evil_module" not in sys.modules


@pytest.mark.parametrize("place", ["huggingface:x", "../x", "tiny_pictures/a=b", "x;y"])
def test_names_of_sets(tmp_path, place):
    with pytest.raises(UserError, match=r"^tfds: takes NAME\[/CONFIG\]\[:VERSION\]\. Received"):
        recipe_of(f"tfds:{place}", tmp_path)
