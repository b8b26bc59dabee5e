"""Lists as people write them: headers, separators, encodings, paths; and what is said of others."""

import time
import unicodedata

import pytest

from a2keras.errors import UserError
from a2keras.training.config import Recipe
from a2keras.training.data import list_source, resolve
from a2keras.training.data.lists.places import split_places
from a2keras.training.data.lists.tables import read_table


@pytest.fixture
def listed(tmp_path):
    """Writes files that are images by their names, and a list; lists it."""

    def make(text: str | bytes, *files: str, name: str = "list.csv", root: str = ""):
        for number, file in enumerate(files or ("a.jpg", "b.jpg", "c.jpg")):
            (tmp_path / file).parent.mkdir(parents=True, exist_ok=True)
            (tmp_path / file).write_bytes(b"%d" % number)
        (tmp_path / name).write_bytes(text if isinstance(text, bytes) else text.encode())
        return list_source(resolve(Recipe("mine", data=f"csv:{tmp_path / name}", root=root)))

    return make


def rows(listing) -> list[tuple[str, str]]:
    labels = [listing.classes[label] for label in listing.labels]
    return list(zip(listing.names, labels, strict=True))


AB = [("a.jpg", "x"), ("b.jpg", "y")]


@pytest.mark.parametrize(
    "text",
    [
        "filename,label\na.jpg,x\nb.jpg,y\n",
        "image,class\na.jpg,x\nb.jpg,y\n",
        "FileName;Category\na.jpg;x\nb.jpg;y\n",
        "target\timg_path\nx\ta.jpg\ny\tb.jpg\n",
        "video_name|width|tag\na.jpg|5|x\nb.jpg|5|y\n",
        "id,breed\na,x\nb,y\n",
        "foto,klasse\na.jpg,x\nb.jpg,y\n",
        ",filepaths,labels,scientific name\n0,a.jpg,x,felis\n1,b.jpg,y,canis\n",
        "image_id,class_id,class_name\na.jpg,0,x\nb.jpg,1,y\n",
        "file,class,label,set,sequence\na.jpg,x,0,set1,1\nb.jpg,y,1,set2,2\n",
        "width,height,path,label\n5,7,a.jpg,x\n5,7,b.jpg,y\n",
        "name,image\nx,a.jpg\ny,b.jpg\n",
        "x,a.jpg\ny,b.jpg\n",
        "a.jpg;x\nb.jpg;y\n",
        "a.jpg|x\nb.jpg|y\n",
        "a.jpg\tx\r\nb.jpg\ty\r\n",
        "a.jpg x\nb.jpg y\n",
        "path label\na.jpg x\nb.jpg y\n",
        'path,label\n"a.jpg", "x"\n./b.jpg,"y"\n',
        "# a list, of mine\n\n#path,label\n\na.jpg,x\n# more: b\nb.jpg,y\n\n",
        "path,label\ra.jpg,x\rb.jpg,y\r",
        "path,label\na.jpg,x,,\nb.jpg,y,,\n",
        "\ufeffpath,label\na.jpg,x\nb.jpg,y\n",
        "path,label\r\na.jpg,x\r\nb.jpg,y\r\n".encode("utf-16"),
        "sep=;\r\npath;label\r\na.jpg;x\r\nb.jpg;y\r\n",
        "SEP=,\na.jpg,x\nb.jpg,y\n",
        "\ufeffsep=\t\nx\ta.jpg\ny\tb.jpg\n".encode("utf-16"),
        '"sep=|"\n# mine\n#file|label\na.jpg|x\nb.jpg|y\n',
        "a.jpg,x\nb.jpg,y\n".encode("utf-32"),
        "path,label\nsub/../a.jpg,x\n.\\b.jpg,y\n",
        "path,label\nA.JPG,x\nb.jpeg/../b.jpg,y\n",
    ],
)
def test_headers_and_separators(listed, text):
    assert rows(listed(text)) == AB


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        (
            "dir/my clip (1).mp4 0\ndir/my clip (2).mp4 1\n",
            [("dir/my clip (1).mp4", "0"), ("dir/my clip (2).mp4", "1")],
        ),
        (
            "x/my clip.mp4 0\ny/my clip.mp4 1\n",  # each number is one folder's
            [("x/my clip.mp4", "x"), ("y/my clip.mp4", "y")],
        ),
        (
            '"x/my clip.mp4" 1\nx/a b.mp4.mp4 jump high\n',
            [("x/my clip.mp4", "1"), ("x/a b.mp4.mp4", "jump high")],
        ),
        (
            'path,label\n"x, y/1.jpg","a ""b"", c"\n"z.jpg",d\n',
            [("x, y/1.jpg", 'a "b", c'), ("z.jpg", "d")],
        ),
        ("x, y/1.jpg;a\nz.jpg;d\n", [("x, y/1.jpg", "a"), ("z.jpg", "d")]),
        ("x/#1.jpg,a\n#2.jpg,b\n", [("x/#1.jpg", "a"), ("#2.jpg", "b")]),
        ("filename\nx/1.jpg\ny/2.jpg\n", [("x/1.jpg", "x"), ("y/2.jpg", "y")]),
        ("1.jpg,²\n2.jpg,10\n3.jpg,9\n", [("1.jpg", "²"), ("2.jpg", "10"), ("3.jpg", "9")]),
        (
            "path;label;start;end\n1.mp4;x;1,5;2,25\n2.mp4;y;;\n",
            [("1.mp4@1.5-2.25", "x"), ("2.mp4", "y")],
        ),
    ],
)
def test_paths_and_classes_with_other_characters(listed, text, expected):
    files = [name.partition("@")[0] for name, _ in expected]
    assert rows(listed(text, *files)) == expected


def test_the_separator_of_the_first_line_wins(listed, tmp_path):
    listing = listed("sep=;\npath;label;note\na.jpg;x,1;a.jpg\nb.jpg;y,2;c.jpg\n")
    assert rows(listing) == [("a.jpg", "x,1"), ("b.jpg", "y,2")]
    with pytest.raises(UserError) as error:
        listed("sep=;\npath;label\na.jpg;\n")
    assert str(error.value) == (
        f"{tmp_path}/list.csv, line 3: no label in 'a.jpg,' (multi_label=true takes it for a file "
        "without any)"
    )
    with pytest.raises(UserError) as error:
        listed("sep=:\na.jpg:x\n")
    assert str(error.value) == (
        f"{tmp_path}/list.csv, line 1: sep must be one of , ; | and a tab. Received: sep=:"
    )
    with pytest.raises(UserError, match=r"list\.csv lists nothing$"):
        listed("sep=;\n")


@pytest.mark.parametrize("shape", ["comments", "separators"])
def test_time_grows_as_the_list_does(tmp_path, shape):
    def seconds(size: int) -> float:
        path = tmp_path / f"{size}.csv"
        if shape == "comments":
            path.write_text("# a, b\n" * size + "a.jpg,x\nb.jpg,y\n")
        else:
            path.write_text("a.jpg,x\n" * (size // 10) + "b.jpg,y" + "," * size + "\n")

        def once() -> float:
            start = time.thread_time()
            read_table(str(path))
            return time.thread_time() - start

        return min(once() for _ in range(5))  # the least: of some Python collects garbage

    assert seconds(20_000) < 30 * seconds(2_000)  # by its square it would be 100


def test_numbers_are_in_their_order_and_what_is_no_number_before(listed):
    assert listed("a.jpg,²\nb.jpg,10\nc.jpg,9\n").classes == ("²", "9", "10")


def test_splits_of_a_list(listed):
    listing = listed(
        "image,target,Usage\na.jpg,x,Training\nb.jpg,y,train\nc.jpg,x,PublicTest\nd.jpg,y,dev\n",
        *("a.jpg", "b.jpg", "c.jpg", "d.jpg"),
    )
    assert listing.splits.tolist() == ["train", "train", "test", "validation"]


def test_files_are_found_by_name_where_no_path_is_there(listed):
    listing = listed("id,breed\nk1,pug\nk2,boxer\n", "train/k1.jpg", "train/k2.jpg", "test/k3.jpg")
    assert rows(listing) == [("train/k1.jpg", "pug"), ("train/k2.jpg", "boxer")]
    assert listing.notes == (
        "found below the folder of the list, by name alone: 2 files, such as train/k1.jpg for k1",
    )
    listing = listed("file_name,label\nu.jpg,x\nv.jpg,y\n", "images/u.jpg", "images/v.jpg")
    assert rows(listing) == [("images/u.jpg", "x"), ("images/v.jpg", "y")]
    # Where some paths are there the others are missing, not elsewhere.
    listing = listed("file_name,label\nu.jpg,x\na.jpg,y\n", "a.jpg")
    assert rows(listing) == [("u.jpg", "x"), ("a.jpg", "y")]
    with pytest.raises(UserError) as error:
        listed("id,label\nw,x\na,y\n", "k/w.jpg", "l/w.jpg", "a.jpg")
    assert str(error.value).endswith(
        "line 2: w may be k/w.jpg and l/w.jpg: tell with root where they lie"
    )


@pytest.mark.parametrize("form", ["NFC", "NFD"])
def test_accents_in_another_form_than_on_the_disk(listed, form):
    other = {"NFC": "NFD", "NFD": "NFC"}[form]
    text = unicodedata.normalize(form, "path,label\ncafé/é.jpg,x\na.jpg,y\n")
    listing = listed(text, unicodedata.normalize(other, "café/é.jpg"), "a.jpg")
    assert [unicodedata.normalize("NFC", name) for name in listing.names] == ["café/é.jpg", "a.jpg"]
    assert listing.readable is not None
    assert all(file.path.endswith(".jpg") for file in listing.files)
    assert "missing" not in listing.listed.contents.values()


def test_other_systems_paths(listed):
    files = ("d/a.jpg", "D2/B.JPG")
    assert rows(listed("path,label\nd\\a.jpg,x\nd2/b.jpg,y\n", *files)) == [
        ("d/a.jpg", "x"),
        ("D2/B.JPG", "y"),
    ]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("path,label\n", " lists nothing below its header, path,label"),
        ("# nothing\n\n", " lists nothing"),
        ("x,y,path,label\na\n", ", line 2: no path in 'a'"),
        (";;\n;", " lists nothing but separators"),
        ("path,label\na.jpg,x\nb.jpg,\0y\n", ", line 3: a NUL character, which no text has"),
        (
            "path,label\na.jpg,x\nb.jpg," + "y" * 200_000,
            ", line 3: no cells with ',' between them (field larger than field limit (131072))",
        ),
        ("a.jpg,x\nb.jpg," + "y" * 2000, ", line 2: a class of 2000 characters"),
        ("a.jpg,x\n" + "y" * 4996 + ".jpg,x", ", line 2: a path of 5000 characters"),
        (
            'path,label\na.jpg,x\n\n"b.jpg,y\nc.jpg,z\n',
            ", line 4: no cells with ',' between them (unexpected end of data)",
        ),
        (
            "path,label\n\nd,a.jpg,x\n",
            ", line 3: 3 cells, but the header has 2: a path with the separator in it needs quotes"
            ", and several labels stand in one cell: cat|dog",
        ),
        (
            "path,label\n\n\r\n# c\na.jpg,x\n\nb.jpg,\n",
            ", line 7: no label in 'b.jpg,' (multi_label=true takes it for a file without any)",
        ),
        (
            'path,label\n"a\nb.jpg",x\n\nb.jpg,\n',
            ", line 5: no label in 'b.jpg,' (multi_label=true takes it for a file without any)",
        ),
        (
            "path,label\na.jpg,x\nhttp://host/b.jpg,y\n",
            ", line 3: http://host/b.jpg is a URL: files are read from where the list lies, or "
            "from root",
        ),
        ("file:///b.jpg x\na.jpg y\n", ", line 1: file:///b.jpg is a URL: "),
        ("gs://b/b.jpg;x\na.jpg;y\n", ", line 1: gs://b/b.jpg is a URL: "),
        ("a.jpg\nb.jpg\n", ", line 1: no class in 'a.jpg'"),
        (
            "a.jpg,x,nan,9\n",
            ", line 1: start and end are seconds, from 0 to 1e+09. Received: start=",
        ),
        ("a.jpg,x,0,inf\n", ", line 1: start and end are seconds, from 0 to 1e+09. Received: end="),
        ("a.jpg,x,0,1e300\n", ", line 1: start and end are seconds, from 0 to 1e+09. Received: "),
        ("a.jpg,x,-1,5\n", ", line 1: start and end are seconds, from 0 to 1e+09. Received: start"),
        (
            "label,youtube_id,time_start,time_end\na,b,nan,7\n",
            ", line 2: times are seconds, from 0 to 1e+09. Received: time_start=nan",
        ),
        ("path,label,start\n\na.jpg,x,1:30\n", ", line 3: start and end are seconds (could not"),
        ("a.jpg,x,1,2,3\n", " has 5 columns and no header: without one they are path, label, star"),
        ("foo,bar,baz\na.jpg,x,u\n", " has no column label: its columns are foo, bar, baz; wanted"),
        ("width,height,kind\n1,2,3\n4,5,6\n", " has 3 columns and no header: without one they are"),
        (
            "path,label\na.jpg,x\n\n./a.jpg,y\nb.jpg,y\n",
            ", line 4: a.jpg is in class y here and in class x in {}, line 2",
        ),
        (
            "path,label,split\na.jpg,x,train\nd/../a.jpg,x,test\nb.jpg,y,train\n",
            " has a.jpg in train and in test",
        ),
    ],
)
def test_what_a_list_has_wrong_is_told_with_its_line(listed, tmp_path, text, message):
    with pytest.raises(UserError) as error:
        listed(text)
    start = f"{tmp_path}/list.csv" + message.replace("{}", f"{tmp_path}/list.csv")
    assert str(error.value).startswith(start)


@pytest.mark.parametrize("path", ["../../x.jpg", "../x.jpg", "d/../../x.jpg", "..\\x.jpg", ".."])
def test_paths_that_leave_the_folder_are_refused(listed, tmp_path, path):
    with pytest.raises(UserError) as error:
        listed(f"path,label\na.jpg,x\n{path},y\n")
    assert str(error.value) == (
        f"{tmp_path}/list.csv, line 3: {path} leaves {tmp_path}, where the list's paths start: "
        "tell another folder with `root=DIR`, or write an absolute path"
    )
    (tmp_path / "root").mkdir()
    with pytest.raises(UserError) as error:
        listed(f"path,label\n{path},y\n", root=str(tmp_path / "root"))
    assert f"{path} leaves {tmp_path}/root, where" in str(error.value)


def test_absolute_paths_are_taken(listed, tmp_path):
    (tmp_path / "away").mkdir()
    (tmp_path / "away/z.jpg").touch()
    away = f"{tmp_path}/q/../away/z.jpg"
    listing = listed(f"path,label\na.jpg,x\n{away},y\n", root=str(tmp_path))
    assert [file.path for file in listing.files] == [f"{tmp_path}/a.jpg", f"{tmp_path}/away/z.jpg"]


def test_files_that_are_no_media_are_told(listed, tmp_path):
    (tmp_path / "n.txt").touch()
    listing = listed("a.jpg,x\nn.txt,x\nb.jpg,y\n")
    assert rows(listing) == AB
    assert listing.notes == (
        "passed over, neither images nor videos by their suffix: 1 file, such as n.txt "
        f"({tmp_path}/list.csv, line 2)",
    )
    with pytest.raises(UserError, match=r"lists no images or videos, only 1 file, such as n\.txt"):
        listed("n.txt,x\n")


@pytest.mark.parametrize(
    ("index", "message"),
    [
        ("1 A\n3 B\n", "list.txt, line 2: classInd.txt beside it has no class 2"),
        (
            "A\nB\n",
            "classInd.txt, line 1: a line is a number, which no other has, and the name of ",
        ),
        ("1 A\n\n1 B\n", "classInd.txt, line 3: a line is a number, which no other has, and the "),
        (
            "1 B\n2 A\n",
            "list.txt, line 1: class 1 is B by classInd.txt, but the file lies in A",
        ),
    ],
)
def test_names_of_classes_that_do_not_fit_are_told(listed, tmp_path, index, message):
    (tmp_path / "classInd.txt").write_text(index)
    with pytest.raises(UserError) as error:
        listed("A/a.jpg 1\nB/b.jpg 2\n", "A/a.jpg", "B/b.jpg", name="list.txt")
    assert str(error.value).startswith(f"{tmp_path}/{message}")


def test_names_of_classes(listed, tmp_path):
    (tmp_path / "classInd.txt").write_text("1 Zebra crossing\r\n2, Ape\r\n3 None\r\n")
    text = "k/a.jpg 1\nk/b.jpg 2\n"
    listing = listed(text, "k/a.jpg", "k/b.jpg", name="list.txt")
    assert listing.classes == ("Zebra crossing", "Ape")


def test_encodings_that_are_not_taken_are_told(listed):
    text = "path,label\na.jpg,x\nb.jpg,é\n"
    for encoding, line in (("latin-1", 3), ("utf-16-le", 3)):
        with pytest.raises(UserError) as error:
            listed(text.encode(encoding))
        assert str(error.value).endswith(
            f"it is not UTF-8 text (line {line}), nor UTF-16 with its mark"
        )


def test_a_comma_in_the_name_of_a_list(listed, tmp_path, monkeypatch):
    (tmp_path / "d,1").mkdir()
    assert rows(listed("a.jpg,x\nb.jpg,y\n", "d,1/a.jpg", "d,1/b.jpg", name="d,1/l,2.csv")) == AB
    (tmp_path / "plain.csv").write_text("d,1/a.jpg;x\n")
    monkeypatch.chdir(tmp_path)
    recipe = resolve(Recipe("mine", data="csv:d,1/l,2.csv,plain.csv", root="d,1"), to_train=False)
    assert recipe.data == f"csv:{tmp_path}/d,1/l,2.csv,{tmp_path}/plain.csv"
    assert split_places(recipe.data.removeprefix("csv:")) == [
        f"{tmp_path}/d,1/l,2.csv",
        f"{tmp_path}/plain.csv",
    ]
    assert split_places("no,such,file") == ["no", "such", "file"]
    assert split_places("http://h/a,b.csv") == ["http://h/a", "b.csv"]
