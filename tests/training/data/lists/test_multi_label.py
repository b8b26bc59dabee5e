"""Lists whose rows have any number of labels."""

import numpy as np
import pytest

from a2keras.errors import UserError
from a2keras.training.config import Recipe
from a2keras.training.data import list_source, open_held_out, open_source, resolve


def listing_of(data: str, multi_label: bool = True, **settings):
    return list_source(resolve(Recipe("mine", data=data, multi_label=multi_label, **settings)))


@pytest.fixture
def pictures(tmp_path, write_images):
    write_images(tmp_path, 12, 0)
    return tmp_path


def listed(folder, *rows: str, header: str = "file,labels", name: str = "list.csv") -> str:
    (folder / name).write_text("\n".join([header, *rows]) + "\n")
    return str(folder / name)


def test_labels_by_hand(pictures):
    """Repeated ones, spaces, empty parts, both separators; and a row without any."""
    data = listed(
        pictures,
        "00.png,dog|cat",
        "01.png, cat ;;  owl| ",
        "02.png,",
        "03.png,cat|cat",
        "04.png,owl",
    )
    listing = listing_of(data)
    assert listing.classes == ("cat", "dog", "owl")
    assert listing.labels.dtype == bool
    assert listing.labels.astype(int).tolist() == [
        [1, 1, 0],
        [1, 0, 1],
        [0, 0, 0],
        [1, 0, 0],
        [0, 0, 1],
    ]
    assert listing.notes == ()
    again = listing_of(listed(pictures, "00.png,cat;dog", *(
        "01.png,owl|cat", "02.png,", "03.png,cat", "04.png,owl"
    )))  # fmt: skip
    assert again.fingerprint == listing.fingerprint
    other = listing_of(listed(pictures, "00.png,cat;dog", *(
        "01.png,owl|cat", "02.png,cat", "03.png,cat", "04.png,owl"
    )))  # fmt: skip
    assert other.fingerprint != listing.fingerprint


@pytest.mark.parametrize("header", ["path,tags", "labels;image", "image\tclasses"])
def test_columns_as_they_are_called(pictures, header):
    separator = next(each for each in ",;\t" if each in header)
    rows = [["00.png", "cat|dog"], ["01.png", ""], ["02.png", "dog"]]
    if header.startswith("labels"):
        rows = [row[::-1] for row in rows]
    listing = listing_of(listed(pictures, *map(separator.join, rows), header=header))
    assert listing.classes == ("cat", "dog")
    assert listing.labels.tolist() == [[True, True], [False, False], [False, True]]


def test_one_class_may_be_there_or_not(pictures):
    data = listed(pictures, *(f"{i:02}.png,{'crack' * (i % 2)}" for i in range(12)))
    source = open_source(resolve(Recipe("mine", data=data, multi_label=True)))
    assert source.classes == ("crack",)
    counted = source.report()["examples_by_class"]
    assert sum(each["crack"] for each in counted.values()) == 6
    assert min(each["crack"] for each in counted.values()) >= 1
    assert source.gaps() == []


def test_without_several_labels_the_separators_are_told(pictures):
    listing = listing_of(listed(pictures, "00.png,cat dog", "01.png,owl"))
    assert listing.notes == ("no row has several labels: | or ; separates them",)


def test_a_list_of_one_class_a_row_stays_one(pictures):
    data = listed(pictures, "00.png,cat|dog", "01.png,owl", "02.png,cat|dog")
    listing = listing_of(data, multi_label=False)
    assert listing.classes == ("cat|dog", "owl")
    assert listing.labels.tolist() == [0, 1, 0]
    assert listing.notes == (
        "classes with | or ; in their names: 2 rows, such as cat|dog (multi_label=true takes these "
        "for several labels)",
    )


@pytest.mark.parametrize(
    ("rows", "header", "message"),
    [
        (["00.png", "01.png"], "file", "list.csv has no columns of files and labels, which multi_"),
        (["00.png cat", "01.png dog"], "02.png dog", "has no columns of files and labels, which"),
        (["00.png,", "01.png, | ;"], "file,labels", "list.csv has no label in any row"),
        (
            ["00.png,a", "00.png,"],
            "file,labels",
            "line 3: 00.png is in class none here and in class",
        ),
        ([f"00.png,cat|{'x' * 1001}"], "file,labels", "line 2: a class of 1001 characters"),
    ],
)
def test_what_is_refused_is_told(pictures, rows, header, message):
    with pytest.raises(UserError) as refused:
        listing_of(listed(pictures, *rows, header=header))
    assert message in str(refused.value)


def test_only_lists_have_several_labels(images):
    with pytest.raises(UserError) as refused:
        listing_of(f"folder:{images}")
    assert str(refused.value) == (
        "multi_label needs a list (csv:FILE), whose rows can have several labels. "
        f"Received: data=folder:{images}"
    )


def test_labels_that_only_the_test_list_has_are_refused(pictures):
    train = listed(pictures, "00.png,a|b", "01.png,b", "02.png,", name="train.csv")
    test = listed(pictures, "03.png,a|zebra", name="test.csv")
    with pytest.raises(UserError, match=r"test.csv has a class zebra, which .*train.csv does not"):
        resolve(Recipe("mine", data=f"{train},{test}", multi_label=True))


def test_other_data_are_in_the_order_of_the_network(pictures):
    other = listed(pictures, "03.png,owl|cat", "04.png,", "05.png,cat", name="other.csv")
    own = Recipe("mine", data=other, multi_label=True)
    split, source = open_held_out(own, ("owl", "dog", "cat"), other)
    labels = source.splits[split].labels
    assert labels.astype(int).tolist() == [[1, 0, 1], [0, 0, 0], [0, 0, 1]]
    with pytest.raises(UserError, match="has a class owl, which the run does not know"):
        open_held_out(own, ("dog", "cat"), other)


def test_equal_files_of_other_labels_are_told_and_never_held_out(pictures, capsys):
    (pictures / "11.png").write_bytes((pictures / "00.png").read_bytes())
    data = listed(pictures, *(f"{i:02}.png,{'a|b' if i % 2 else 'a'}" for i in range(12)))
    for seed in range(5):
        recipe = Recipe("mine", data=data, multi_label=True, test_fraction=0.5, seed=seed)
        source = open_source(resolve(recipe))
        assert {"00.png", "11.png"} <= set(source.splits["train"].names)
    said = capsys.readouterr().err
    assert (
        "WARNING: of equal content with other labels: 1 example, such as 00.png and 11.png" in said
    )


def test_every_split_has_its_share(pictures, write_images):
    write_images(pictures, 100, 1)
    random = np.random.default_rng(3)
    rows = [[n for n, p in zip("abc", (0.5, 0.2, 0.1), strict=True) if random.random() < p]
            for _ in range(100)]  # fmt: skip
    data = listed(pictures, *(f"{i:02}.png,{'|'.join(row)}" for i, row in enumerate(rows)))
    source = open_source(resolve(Recipe("mine", data=data, multi_label=True)))
    of_all = {name: sum(name in row for row in rows) for name in "abc"}
    counted = source.report()["examples_by_class"]
    for name, total in of_all.items():
        assert abs(counted["test"][name] - 0.2 * total) <= 1
        assert counted["validation"][name] >= 1
    assert 18 <= len(source.splits["test"]) <= 22
