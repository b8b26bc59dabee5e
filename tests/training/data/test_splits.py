"""What is held out: fractions of classes, whole groups, and never by accident."""

import dataclasses
import re

import numpy as np
import pytest

from a2keras.errors import UserError
from a2keras.training.config import Recipe
from a2keras.training.data import resolve
from a2keras.training.data.folder import list_folder
from a2keras.training.data.opening import assign_splits
from a2keras.training.data.splits import (
    fold_numbers,
    groups_of,
    named_groups,
    random_groups,
    stratified,
)


def test_stratified_takes_the_fraction_of_every_class():
    labels = np.repeat([0, 1, 2, 3], [50, 10, 2, 1])
    held_out = stratified(labels, 0.2, seed=3)
    assert np.bincount(labels[held_out], minlength=4).tolist() == [10, 2, 1, 0]
    assert (held_out == stratified(labels, 0.2, seed=3)).all()
    assert (held_out != stratified(labels, 0.2, seed=4)).any()
    assert not stratified(labels, 0.0, seed=3).any()


def test_groups_stay_whole():
    groups = np.repeat(list("abcdef"), [3, 5, 7, 2, 4, 6])
    labels = np.zeros(27, int)
    held_out = random_groups(groups, labels, 0.3, seed=1)
    assert 0.3 <= held_out.mean() < 1
    assert not set(groups[held_out]) & set(groups[~held_out])
    assert not random_groups(groups, labels, 0.0, seed=1).any()
    assert not random_groups(np.array(["a", "a"]), np.zeros(2, int), 0.5, seed=1).any()


@pytest.mark.parametrize("sets", [False, True])
def test_a_group_that_is_all_of_a_class_is_not_held_out(sets):
    groups = np.repeat(list("abcdef"), [3, 5, 7, 2, 4, 6])
    labels = np.where(groups == "c", 2, 0)
    if sets:
        labels = np.eye(4, dtype=bool)[labels]  # the last class has no examples
    drawn = [random_groups(groups, labels, 0.3, seed) for seed in range(30)]
    assert {tuple(sorted(set(groups[each].tolist()))) for each in drawn} >= {("b", "f"), ("e", "f")}
    for each in drawn:
        assert not each[groups == "c"].any()
        assert 0.3 <= each.mean() < 0.7
    # Only the last of these may be: of the first alone there is class 0, of the second class 1.
    mixed, of = np.array(list("aabbc")), np.array([0, 2, 1, 2, 2])
    for seed in range(10):
        assert mixed[random_groups(mixed, of, 0.2, seed)].tolist() == ["c"]
    # Where every group is, one is held out nevertheless: `open_listing` tells whose.
    alone = random_groups(np.array(list("abb")), np.array([0, 1, 1]), 0.3, seed=0)
    assert alone.any()
    assert not alone.all()


def test_groups_are_what_the_pattern_says():
    names = ["push/1_8_5.avi", "push/2_18_5.avi", "hug/3_8_1.avi"]
    groups = groups_of(names, r"_(\d+)_\d\.avi")
    assert groups.tolist() == ["8", "18", "8"]
    assert named_groups(groups, "8, 18").tolist() == [True, True, True]
    assert named_groups(groups, "18").tolist() == [False, True, False]


@pytest.mark.parametrize(
    ("pattern", "message"),
    [
        (r"(\d+", "group_pattern is not a regular expression"),
        (r"\d+", r"group_pattern must have one \(group\), not 0. Received: \\d\+"),
        (r"(\d)_(\d)", r"group_pattern must have one \(group\), not 2."),
        (r"take(\d+)", r"group_pattern take\(\\d\+\) does not match push/1_8_5.avi"),
    ],
)
def test_a_bad_pattern_is_told(pattern, message):
    with pytest.raises(UserError, match=message):
        groups_of(["push/1_8_5.avi"], pattern)


@pytest.fixture
def listed(tmp_path, write_images):
    """Two classes of eight different files, of four people."""
    for number, name in enumerate(("blue", "red")):
        write_images(tmp_path / name, 8, number)
        for i, path in enumerate(sorted((tmp_path / name).iterdir())):
            path.rename(path.with_name(f"p{i // 2}_{i}.png"))
    return list_folder(tmp_path)


@pytest.mark.parametrize("pattern", ["", r"(p\d)_"])
def test_what_is_given_to_learn_from_stays(listed, pattern):
    given = np.array(["train" if "p0" in name or "p1" in name else "" for name in listed.names])
    listing = dataclasses.replace(listed, splits=given)
    for seed in range(5):
        recipe = Recipe("mine", group_pattern=pattern, test_fraction=0.25, seed=seed)
        splits, _ = assign_splits(listing, recipe)
        assert (splits[given == "train"] == "train").all()
        held_out = {"test"} if pattern else {"test", "validation"}  # of two people one is left
        assert held_out <= set(splits[given == ""].tolist())
    # Where everything else is given, validation examples are some of those to learn from.
    for name in ("train", "test"):
        everything = np.where(given == "", name, "train")
        splits, _ = assign_splits(dataclasses.replace(listed, splits=everything), recipe)
        assert ((splits == "test") == (everything == "test")).all()
        assert (splits[everything == "train"] == "validation").any()


def test_what_goes_with_something_to_learn_from_stays_with_it(listed):
    """One file of each person is to be learned from: none of them may be tested on."""
    given = np.array(["train" if int(name[-5]) % 2 else "" for name in listed.names])
    listing = dataclasses.replace(listed, splits=given)
    splits, rule = assign_splits(listing, Recipe("mine", group_pattern=r"(p\d)_"))
    assert set(splits.tolist()) == {"train"}
    assert rule == "; ".join(
        f"{name}: nothing, since all goes with what is given to train"
        for name in ("test", "validation")
    )
    with pytest.raises(UserError) as error:
        assign_splits(listing, Recipe("mine", group_pattern=r"(p\d)_", test_groups="p2"))
    first = next(n for n, g in zip(listed.names, given, strict=True) if "p2" in n and g)
    assert str(error.value) == (
        f"test_groups has p2, of which {first} is given to train, or equals what is"
    )
    with pytest.raises(UserError, match="test_groups has p9, but the groups are p0, p1, p2, p3"):
        assign_splits(listing, Recipe("mine", group_pattern=r"(p\d)_", test_groups="p9"))
    splits, _ = assign_splits(listing, Recipe("mine"))
    assert set(splits[given == ""].tolist()) > {"test"}


def test_test_groups_need_data_without_a_test_split(listed):
    recipe = Recipe("mine", group_pattern=r"(p\d)_", test_groups="p1")
    place = listed.place
    for marks in (("train", "test"), ("train", "validation")):
        splits = np.array([marks["p3" in name] for name in listed.names])
        with pytest.raises(UserError) as error:
            assign_splits(dataclasses.replace(listed, splits=splits), recipe)
        assert str(error.value) == (
            f"test_groups is for data whose test split is open, and that of {place} is given. "
            "Received: test_groups=p1"
        )


@pytest.mark.parametrize("pattern", ["", r"(p\d)_"])
def test_a_class_that_a_fold_could_not_learn_is_told_at_the_first(listed, pattern):
    """One picture, or one person, shows yaks."""
    yaks = [i for i, name in enumerate(listed.names) if "red/p2" in name]
    labels = listed.labels.copy()
    labels[yaks if pattern else yaks[:1]] = 2
    classes, folders = ("blue", "red", "yak"), (*listed.folders, "photos/yak")
    listing = dataclasses.replace(listed, labels=labels, classes=classes, folders=folders)
    for fold in (1, 2, 3):
        recipe = Recipe("mine", group_pattern=pattern, folds=3, fold=fold)
        with pytest.raises(UserError, match="folds needs every class in two of its parts") as error:
            assign_splits(listing, recipe)
        assert re.search(
            r"all of the class folder photos/yak is in part \d\. Received: folds=3",
            str(error.value),
        )


def test_an_unknown_group_is_told_with_those_that_exist():
    with pytest.raises(UserError) as error:
        named_groups(np.array(["10", "9", "8"]), "8,99")
    assert str(error.value) == "test_groups has 99, but the groups are 8, 9, 10"


@pytest.fixture
def sequences(tmp_path):
    """Two classes with six recordings of four files each; not one of them can be decoded."""
    for name in ("hug", "push"):
        (tmp_path / name).mkdir()
        for recording in range(1, 7):
            for i in range(4):
                (tmp_path / name / f"{i}_{recording}_0.avi").touch()
    return list_folder(tmp_path)


def test_test_groups_are_the_test_set_and_validation_is_of_other_groups(sequences):
    recipe = Recipe("mine", group_pattern=r"_(\d)_0", test_groups="2,5", validation_fraction=0.1)
    splits, rule = assign_splits(sequences, recipe)
    groups = groups_of(list(sequences.names), recipe.group_pattern)
    sets = {name: set(groups[splits == name]) for name in ("train", "validation", "test")}
    assert sets["test"] == {"2", "5"}
    assert len(sets["validation"]) == 1
    assert sets["train"] == set("123456") - sets["test"] - sets["validation"]
    assert rule.startswith(r"test: groups 2,5 of _(\d)_0; validation: groups ")


def test_without_groups_a_fraction_of_every_class_is_held_out(sequences):
    splits, rule = assign_splits(sequences, Recipe("mine", test_fraction=0.25))
    for label in (0, 1):
        counts = {name: (splits[sequences.labels == label] == name).sum() for name in set(splits)}
        assert counts == {"train": 16, "validation": 2, "test": 6}
    assert rule == "test: 0.25 of every class (seed 0); validation: 0.1 of every class (seed 0)"


def test_test_groups_need_a_pattern(sequences):
    with pytest.raises(
        UserError, match=r"test_groups needs group_pattern.*Received: test_groups=2"
    ):
        assign_splits(sequences, Recipe("mine", test_groups="2"))


def test_folds_test_every_example_once_in_whole_groups():
    """Seven groups of one to nine examples of three classes, dealt to three parts."""
    sizes = [9, 5, 3, 4, 7, 1, 8]
    groups = np.repeat(list("gfedcba"), sizes)
    labels = np.concatenate([np.arange(size) % 3 for size in sizes])
    numbers = fold_numbers(labels, groups, 3)
    assert set(numbers.tolist()) == {1, 2, 3}
    for group in "abcdefg":
        assert len(set(numbers[groups == group].tolist())) == 1
    counts = np.array([np.bincount(labels[numbers == k], minlength=3) for k in (1, 2, 3)])
    assert counts.sum() == 37
    assert np.ptp(counts, axis=0).max() <= 3
    assert (fold_numbers(labels, groups, 3) == numbers).all()
    # As many parts as groups: each is one group.
    alone = fold_numbers(labels, groups, 7)
    assert len({(g, n) for g, n in zip(groups, alone.tolist(), strict=True)}) == 7


def test_folds_of_single_examples_have_an_equal_share_of_every_class():
    labels = np.repeat([0, 1, 2], [10, 21, 5])
    numbers = fold_numbers(labels, np.arange(36), 5)
    for label, count in ((0, 2), (1, 4), (2, 1)):
        of_class = np.bincount(numbers[labels == label], minlength=6)[1:]
        assert of_class.min() == count
        assert of_class.max() <= count + 1


def test_too_many_folds_are_told():
    labels, groups = np.array([0, 1, 0, 1]), np.array(["a", "a", "b", "b"])
    with pytest.raises(UserError) as error:
        fold_numbers(labels, groups, 3)
    assert str(error.value) == (
        "folds must be at most 2, since the data have 2 groups and 2 examples of the most frequent "
        "class. Received: folds=3"
    )


def test_a_fold_is_the_test_set_and_validation_is_of_the_rest(sequences):
    tested = np.zeros(48, int)
    for fold in (1, 2, 3):
        recipe = Recipe("mine", group_pattern=r"_(\d)_0", folds=3, fold=fold, seed=fold)
        splits, rule = assign_splits(sequences, recipe)
        groups = groups_of(list(sequences.names), recipe.group_pattern)
        sets = {name: set(groups[splits == name]) for name in ("train", "validation", "test")}
        assert len(sets["test"]) == 2
        assert len(sets["validation"]) == 1
        assert sets["train"] == set("123456") - sets["test"] - sets["validation"]
        held = ", ".join(sorted(sets["test"]))
        assert rule.startswith(rf"test: fold {fold} of 3, groups {held} of _(\d)_0; validation: ")
        tested += splits == "test"
    assert (tested == 1).all()
    _, rule = assign_splits(sequences, Recipe("mine", folds=4, validation_fraction=0))
    assert rule.startswith("test: fold 1 of 4, every class; ")


def test_folds_need_an_open_split(tmp_path, write_images):
    for split in ("train", "test"):
        for number, name in enumerate(("blue", "red")):
            write_images(tmp_path / split / name, 3, number)
    with pytest.raises(UserError) as error:
        resolve(Recipe("mine", data=f"folder:{tmp_path}", folds=3))
    assert str(error.value) == (
        f"folds needs data without splits of their own, and {tmp_path} has them. Received: folds=3"
    )
    with pytest.raises(UserError, match=r"own, and digits has them\. Received: folds=2"):
        resolve(Recipe("mine", data="digits", folds=2))
