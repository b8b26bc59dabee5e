"""Lists whose columns may mean several things: what is certain is taken, the rest is refused."""

import pytest

from a2keras.errors import UserError
from a2keras.training.config import Recipe
from a2keras.training.data import list_source, resolve

FILES = ("a.jpg", "b.jpg", "c.jpg", "d.jpg", "m/a.jpg", "m/x.png", "m/y.png", "v.mp4", "w.mp4")
NO_HEADER = (
    "and no header: without one they are path, label, start, end, or path, label; say in a first "
    "line which is which, such as path,label,split"
)


@pytest.fixture
def listed(tmp_path):
    """Writes files that are images and videos by their names, and a list; lists it."""

    def make(text: str, **settings):
        for number, file in enumerate(FILES):
            (tmp_path / file).parent.mkdir(exist_ok=True)
            (tmp_path / file).write_bytes(b"%d" % number)
        (tmp_path / "l.csv").write_text(text)
        return list_source(resolve(Recipe("mine", data=f"csv:{tmp_path}/l.csv", **settings)))

    return make


def rows(listing) -> dict[str, str]:
    labels = [listing.classes[label] for label in listing.labels]
    return dict(zip(listing.names, labels, strict=True))


@pytest.mark.parametrize(
    ("text", "what"),
    [
        ("0,a.jpg,3\n1,b.jpg,5\n2,c.jpg,3\n", "3 columns"),  # numbers of the rows
        ("7\ta.jpg\n3\tb.jpg\n9\tc.jpg\n", "2 columns"),
        ("0;a.jpg;x;1\n1;b.jpg;y;2\n", "4 columns"),
        ("a.jpg,x,train\nb.jpg,y,test\n", "3 columns"),
        ("v.mp4,0,163\nw.mp4,1,20\n", "3 columns"),  # where it starts, or how long it is?
        ("a.jpg,m/x.png\nb.jpg,m/y.png\n", "2 columns of files"),
        ("emotion,pixels,use\n0,70 80,train\n1,1 2,train\n", "3 columns"),
    ],
)
def test_without_a_header_only_certain_columns_are_taken(listed, tmp_path, text, what):
    with pytest.raises(UserError) as error:
        listed(text)
    assert str(error.value) == f"{tmp_path}/l.csv has {what} {NO_HEADER}"


def test_without_a_header_empty_columns_do_not_count(listed):
    assert rows(listed(",a.jpg,x,\n,b.jpg,y,\n")) == {"a.jpg": "x", "b.jpg": "y"}
    assert rows(listed("0,a.jpg\n1,b.jpg\n0,c.jpg\n")) == {"a.jpg": "0", "b.jpg": "1", "c.jpg": "0"}


@pytest.mark.parametrize("first", ["id_code,diagnosis", "Bild;Klasse", "sample kind"])
def test_a_header_of_unknown_words_is_no_example(listed, tmp_path, first):
    mark = next(mark for mark in ",; " if mark in first)
    with pytest.raises(UserError) as error:
        listed(f"{first}\na{mark}2\nb{mark}4\n")
    name = first.partition(mark)[0]
    assert str(error.value) == (
        f"{tmp_path}/l.csv, line 1: {name} is no file, as most others are: if the line is a "
        "header, its columns are to be called path,label; if not, give the file its suffix"
    )


def test_a_header_again_is_no_example(listed):
    text = "image,label\na.jpg,x\nb.jpg,y\n\ufeffimage,label\nc.jpg,x\n"
    assert rows(listed(text)) == {"a.jpg": "x", "b.jpg": "y", "c.jpg": "x"}
    assert rows(listed("a.jpg,x\n\ufeffb.jpg,y\n")) == {"a.jpg": "x", "b.jpg": "y"}


@pytest.mark.parametrize(
    ("header", "cells", "role", "names"),
    [
        ("image,target,tag", ("0,red one", "1,blue", "0,other"), "label", "target, tag"),
        ("image,class,category", ("cat,animal", "dog,animal", "oak,plant"), "label", None),
        ("image,gt,class_id", ("0.5,3", "0.7,3", "0.5,4"), "label", "gt, class_id"),
        ("image,label,label", ("x,y", "y,x", "x,x"), "label", "label, label"),
        ("img_id,mask_file,label", ("m/x.png,x", "m/y.png,y", "m/x.png,x"), "path", None),
        ("video,thumbnail,label", ("m/x.png,x", "m/y.png,y", "m/x.png,x"), "path", None),
        ("before,after,label", ("b.jpg,x", "c.jpg,y", "d.jpg,x"), "path", "before, after"),
        ("image,video,label", ("v.mp4,x", "w.mp4,y", "v.mp4,x"), "path", "image, video"),
    ],
)
def test_several_columns_that_may_be_meant_are_refused(
    listed, tmp_path, header, cells, role, names
):
    first = header.partition(",")[0]
    files = ("k", "l", "m") if first in ("img_id", "video") else ("a.jpg", "b.jpg", "c.jpg")
    text = "".join(f"{file},{cell}\n" for file, cell in zip(files, cells, strict=True))
    with pytest.raises(UserError) as error:
        listed(f"{header}\n{text}")
    places = slice(0, 2) if role == "path" else slice(1, 3)
    names = names or ", ".join(header.split(",")[places])
    assert str(error.value) == (
        f"{tmp_path}/l.csv has several columns that may be the {role}, which do not agree: "
        f"{names}; call the one that is meant {role}"
    )


@pytest.mark.parametrize(
    "text",
    [
        "image,label,category\na.jpg,x,animal\nb.jpg,y,animal\nc.jpg,z,plant\n",
        "image,label,tags\na.jpg,x,on a hill\nb.jpg,y,far\nc.jpg,z,far\n",
        "mask,path,label\nm/x.png,a.jpg,x\nm/y.png,b.jpg,y\nm/y.png,c.jpg,z\n",
        "image,mask,label\na.jpg,m/x.png,x\nb.jpg,m/y.png,y\nc.jpg,m/y.png,z\n",
        "filename,image_path,label\na.jpg,./a.jpg,x\nb.jpg,./b.jpg,y\nc.jpg,./c.jpg,z\n",
        "file,class,x,y\na.jpg,x,3,4\nb.jpg,y,3,5\nc.jpg,z,3,5\n",
        "image,class_id,class\na.jpg,4,x\nb.jpg,1,y\nc.jpg,8,z\n",
    ],
)
def test_columns_that_agree_or_are_called_as_here_are_taken(listed, text):
    assert rows(listed(text)) == {"a.jpg": "x", "b.jpg": "y", "c.jpg": "z"}


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("image,label\na.jpg,m/x.png\nb.jpg,m/y.png\n", "has files as classes, in the column labe"),
        ("id,image\n0,a.jpg\n1,b.jpg\n", "has no column label: its columns are id, image; wanted"),
        ("image,fold\na.jpg,0\nb.jpg,1\nc.jpg,1\n", "has no column label: its columns are image, "),
    ],
)
def test_what_is_no_class(listed, tmp_path, text, message):
    with pytest.raises(UserError) as error:
        listed(text)
    assert str(error.value).startswith(f"{tmp_path}/l.csv {message}")


@pytest.mark.parametrize(
    ("name", "cells"),
    [
        ("partition", "0012"),
        ("fold", "1234"),
        ("Set", "0011"),
        ("subset", ("tr", "tr", "te", "te")),
        ("is_test", "0011"),
        ("train", ("True", "True", "False", "False")),
        ("isValid", "0101"),
    ],
)
def test_splits_in_unknown_words_are_refused(listed, tmp_path, name, cells):
    pairs = zip("abcd", cells, strict=True)
    with pytest.raises(UserError) as error:
        listed(f"image,label,{name}\n" + "".join(f"{a}.jpg,{a},{cell}\n" for a, cell in pairs))
    assert str(error.value) == (
        f"{tmp_path}/l.csv has a column {name}, which may tell the split: a split must be one of "
        f"train, validation, test. Received: {cells[0]} (call the column otherwise where it tells "
        "something else)"
    )


def test_a_set_that_is_no_split_is_told(listed):
    listing = listed("image,label,set,train_id\na.jpg,x,S1,3\nb.jpg,y,S2,4\n")
    assert listing.splits.tolist() == ["", ""]
    assert listing.notes == (
        "no split, since no cell is one of train, validation, test: the column set",
    )
    listing = listed("image,label,fold,phase\na.jpg,x,1,train\nb.jpg,y,2,train\nc.jpg,y,2,val\n")
    assert listing.splits.tolist() == ["train", "train", "validation"]
    assert listing.notes == ()


@pytest.mark.parametrize(
    "text", ["image,label,start,end\na.jpg,x,,\nb.jpg,y,1,5\n", "a.jpg,x,,\nb.jpg,y,1,5\n"]
)
def test_images_have_no_parts(listed, tmp_path, text):
    line = text.splitlines().index("b.jpg,y,1,5") + 1
    with pytest.raises(UserError) as error:
        listed(text)
    assert str(error.value) == (
        f"{tmp_path}/l.csv, line {line}: start and end tell a part of a video, but b.jpg is an "
        "image: call the columns otherwise, or leave them out"
    )


@pytest.mark.parametrize(("start", "end"), [("", "5"), ("", ""), ("0.0", "")])
def test_from_0_is_from_the_beginning(listed, tmp_path, start, end):
    with pytest.raises(UserError, match=r"line 3: v\.mp4\S* is in class y here and in class x in"):
        listed(f"path,label,start,end\nv.mp4,x,{start},{end}\nv.mp4,y,0,{end}\nw.mp4,y,,\n")
    with pytest.raises(UserError, match=r"l\.csv has v\.mp4\S* in train and in test"):
        listed(
            f"path,label,start,end,split\nv.mp4,x,{start},{end},train\nv.mp4,x,0,{end},test\n"
            "w.mp4,y,,,train\n"
        )


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("a Boeing 707-320\nb DC 10\nc 717\n", {"a": "Boeing 707-320", "b": "DC 10", "c": "717"}),
        ("a x\nb y\n", {"a": "x", "b": "y"}),
        ("a.jpg red fox\nb.jpg y\n", {"a": "red fox", "b": "y"}),
    ],
)
def test_names_without_suffix_and_classes_of_several_words(listed, text, expected):
    assert rows(listed(text)) == {f"{name}.jpg": label for name, label in expected.items()}


def test_names_without_suffix_and_several_numbers_are_no_classes(listed):
    with pytest.raises(
        UserError, match=r"none of the 2 files .* lists is there, such as .*/a 1 1:"
    ):
        listed("a 1 1 1\nb 5 2 1\n")  # a class, a species, a breed


@pytest.mark.parametrize("boxes", ["n03 85 1 499 272", "n03 0.5 -1 2 2.5 n03 1 2 3 4 "])
def test_places_in_the_picture_are_no_part_of_a_class(listed, tmp_path, boxes):
    with pytest.raises(UserError) as told:
        listed(f"ImageId,PredictionString\na,{boxes}\nb,n04 131 0 499 254\n")
    assert str(told.value) == (
        f"{tmp_path}/l.csv has places in the picture behind the class, in the column "
        "PredictionString: leave the class alone there"
    )


def test_a_rule_of_markdown_is_no_example(listed):
    text = "| image | label |\n|---|:--:|\n| a.jpg | x |\n| b.jpg | y |\n"
    assert rows(listed(text)) == {"a.jpg": "x", "b.jpg": "y"}


def test_y_is_a_class_where_there_is_no_x(listed):
    with pytest.raises(UserError, match=r"several columns that may be the label.*: gt, y; call"):
        listed("image,y,gt\na.jpg,3,0.5\nb.jpg,4,0.7\nc.jpg,3,0.2\n")
