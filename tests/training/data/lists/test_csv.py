"""Lists of files: our own tables, and those of Kinetics and UCF-101 as they are published."""

import numpy as np
import pytest

from a2keras.errors import UserError
from a2keras.training.config import Recipe
from a2keras.training.data import list_source, open_held_out, open_source, resolve
from a2keras.training.data.lists import tables
from a2keras.training.data.source import Skipped


def listing_of(data: str, **settings):
    return list_source(resolve(Recipe("mine", data=data, **settings)))


@pytest.fixture
def films(tmp_path, write_video):
    """Six videos of 10 frames a second; the k-th has 11 + k frames."""
    for k in range(6):
        write_video(tmp_path / f"films/{k}.avi", 11 + k, shade=10 * k)
    return tmp_path / "films"


def test_a_table_with_a_header(tmp_path, films):
    (tmp_path / "clips.csv").write_text(
        "label, path, split, start, end\n"
        'open,films/0.avi,train,,\n"close, then open",films/1.avi,train,0.3,0.8\n'
        "open,films/2.avi,val,,0.5\nopen,films/3.avi,testing,0.25,\n"
    )
    listing = listing_of(f"csv:{tmp_path}/clips.csv")
    assert listing.task == "video"
    assert listing.classes == ("close, then open", "open")
    assert listing.labels.tolist() == [1, 0, 1, 1]
    assert listing.splits.tolist() == ["train", "train", "validation", "test"]
    assert listing.split_rule == "by clips.csv"
    assert listing.names == (
        "films/0.avi",
        "films/1.avi@0.3-0.8",
        "films/2.avi@0-0.5",
        "films/3.avi@0.25-end",
    )
    source = open_source(Recipe("mine", data=f"csv:{tmp_path}/clips.csv", task="video", size=16))
    train = source.splits["train"]
    # 10 frames a second: 0.3, 0.4, … 0.7 s.
    assert [len(train.training_frames(i)) for i in range(2)] == [11, 5]
    assert len(source.splits["validation"].frames(0)) == 5
    assert len(source.splits["test"].frames(0)) == 14 - 3


def test_a_table_without_a_header_and_a_second_one_for_the_test(tmp_path, films):
    (tmp_path / "a.csv").write_text("0.avi,10\n1.avi,9\n2.avi,9\n")
    (tmp_path / "b.csv").write_text(f"{films}/5.avi,10\n")
    listing = listing_of(f"csv:{tmp_path}/a.csv,{tmp_path}/b.csv", root=str(films))
    assert listing.classes == ("9", "10")  # numbers in their order, not in the alphabet's
    assert listing.labels.tolist() == [1, 0, 0, 1]
    assert listing.splits.tolist() == ["train", "train", "train", "test"]
    assert listing.split_rule == "by a.csv, b.csv"
    assert [file.path for file in listing.files] == [f"{films}/{k}.avi" for k in (0, 1, 2, 5)]
    whole = listing_of(f"csv:{tmp_path}/a.csv", root=str(films))
    assert (whole.splits == "").all()
    assert whole.split_rule == ""


def test_the_fingerprint_tells_missing_files_and_other_classes(tmp_path, films):
    def fingerprint(text):
        (tmp_path / "clips.csv").write_text(text)
        return listing_of(f"csv:{tmp_path}/clips.csv", root=str(films)).fingerprint

    prints = {fingerprint("0.avi,a\n1.avi,b\n"), fingerprint("0.avi,b\n1.avi,a\n")}
    (films / "1.avi").unlink()
    prints.add(fingerprint("0.avi,a\n1.avi,b\n"))
    assert len(prints) == 3


KINETICS = """label,youtube_id,time_start,time_end,split,is_cc
abseiling,-3Bsmz4_u4,10,20,train,0
zumba,_Wq2hQ0d000,1,2,train,0
zumba,absent00000,5,15,train,0
zumba,-3Bsmz4_u4,3,13,validate,0
"""


def test_kinetics(tmp_path, films, write_video):
    (films / "abseiling").mkdir()
    (films / "0.avi").rename(films / "abseiling/-3Bsmz4_u4_000010_000020.avi")
    write_video(films / "_Wq2hQ0d000.mp4", 41)  # the whole video, 4.1 seconds
    (films / "1.avi").rename(films / "-3Bsmz4_u4_000003_000013.avi")
    (tmp_path / "train.csv").write_text(KINETICS)
    recipe = resolve(Recipe("mine", data=f"csv:{tmp_path}/train.csv", root=str(films), size=16))
    listing = list_source(recipe)
    assert listing.classes == ("abseiling", "zumba")
    assert listing.names == (
        "abseiling/-3Bsmz4_u4_000010_000020.avi",
        "_Wq2hQ0d000.mp4@1-2",
        "absent00000_000005_000015.mp4",
        "-3Bsmz4_u4_000003_000013.avi",
    )
    assert listing.splits.tolist() == ["train", "train", "train", "validation"]
    source = open_source(recipe)
    assert [len(source.splits["train"].frames(i)) for i in range(2)] == [11, 10]
    (missing,) = source.skipped
    assert missing.path == "absent00000_000005_000015.mp4"
    assert missing.reason.endswith("films/absent00000_000005_000015.mp4: does not exist")


def test_the_root_of_kinetics_is_a_folder(tmp_path):
    (tmp_path / "k.csv").write_text(KINETICS)
    recipe = Recipe("mine", data=f"csv:{tmp_path}/k.csv", root=f"{tmp_path}/absent")
    message = r"/absent is not a folder: tell with .*root=DIR.* where the videos lie$"
    with pytest.raises(UserError, match=message):
        list_source(recipe)


@pytest.mark.parametrize(
    ("files", "split", "expected"),
    [
        (("train/ab.mp4", "val/ab.mkv"), "train", "train/ab.mp4@0-10"),
        (("train/ab.mp4", "val/ab.mkv"), "validate", "val/ab.mkv@0-10"),
        (("val/ab_000000_000010.avi", "Testing/x/ab_000000_000010.mp4"), "test",
         "Testing/x/ab_000000_000010.mp4"),
        (("val/ab.avi", "test/ab.mp4"), "train", ""),
        (("a/ab.avi", "b/ab.mp4"), "", ""),
    ],
)  # fmt: skip
def test_a_video_of_kinetics_that_lies_at_two_places(tmp_path, files, split, expected):
    for number, name in enumerate(files):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_bytes(b"%d" % number)
    header = "label,youtube_id,time_start,time_end,split"
    (tmp_path / "k.csv").write_text(f"{header}\nx,ab,0,10,{split}\n")
    recipe = Recipe("mine", data=f"csv:{tmp_path}/k.csv")
    if expected:
        assert list_source(recipe).names == (expected,)
        return
    with pytest.raises(UserError) as told:
        list_source(recipe)
    assert str(told.value) == (
        f"{tmp_path}/k.csv, line 2: it may be {min(files)} and {max(files)}: tell with root where "
        "they lie"
    )


@pytest.fixture
def hmdb(tmp_path):
    lists = tmp_path / "testTrainMulti_7030_splits"
    lists.mkdir()
    for label in ("brush_hair", "clap", "ride_bike"):
        (tmp_path / "videos" / label).mkdir(parents=True)
        for number in range(5):
            path = tmp_path / f"videos/{label}/#4_{label}_(h)_{number}.avi"
            path.write_bytes(f"{label} {number}".encode())
        for fold in (1, 3):
            lines = [f"#4_{label}_(h)_{n}.avi {(n + fold) % 3} " for n in range(5)]
            (lists / f"{label}_test_split{fold}.txt").write_text("\n".join(lines) + "\n")
    return tmp_path


def test_hmdb51_by_its_official_splits(hmdb):
    data, root = f"csv:{hmdb}/testTrainMulti_7030_splits", str(hmdb / "videos")
    # As macOS leaves them on other systems' disks, and in archives.
    (hmdb / "testTrainMulti_7030_splits/._clap_test_split1.txt").write_bytes(b"\0\5\x16\7")
    for fold in (1, 3):
        listing = listing_of(data, root=root, fold=fold)
        assert listing.classes == ("brush_hair", "clap", "ride_bike")
        use = {n: (n + fold) % 3 for n in range(5)}  # 0: neither
        assert dict(zip(listing.names, listing.splits, strict=True)) == {
            f"{label}/#4_{label}_(h)_{n}.avi": ("train", "test")[use[n] - 1]
            for label in listing.classes for n in use if use[n]
        }  # fmt: skip
        for name, label in zip(listing.names, listing.labels, strict=True):
            assert name.startswith(f"{listing.classes[label]}/")
    lists = hmdb / "testTrainMulti_7030_splits"
    with pytest.raises(UserError, match=r"has the splits 1, 3 of HMDB51, not fold=2$"):
        listing_of(data, root=root, fold=2)
    with pytest.raises(UserError, match="has only one class, clap: training needs at least two"):
        open_source(resolve(Recipe("m", data=f"csv:{lists}/clap_test_split1.txt", root=root)))
    (lists / "clap_test_split1.txt").write_text("a.avi 3\n")
    with pytest.raises(UserError) as told:
        listing_of(data, root=root, fold=1)
    assert str(told.value) == (
        f"{lists}/clap_test_split1.txt, line 1: a list of HMDB51 has 0, 1 (train) or 2 (test) "
        "behind each file. Received: 'a.avi,3'"
    )


@pytest.fixture
def ucf(tmp_path, write_video):
    """UCF-101's folders with three classes of its official splits 1 and 2."""
    lists = tmp_path / "ucfTrainTestlist"
    lists.mkdir()
    (lists / "classInd.txt").write_text("1 YoYo\r\n2 Archery\r\n3 Unused\r\n")
    videos = [f"{name}/v_{name}_g0{g}_c01.avi" for name in ("Archery", "YoYo") for g in (1, 2)]
    for name in videos:
        write_video(tmp_path / "UCF-101" / name, 7)
    number = {"Archery": 2, "YoYo": 1}
    for fold, held_out in ((1, "g01"), (2, "g02")):
        for kind, wanted in (("train", False), ("test", True)):
            lines = [
                name if wanted else f"{name} {number[name.split('/')[0]]}"
                for name in videos
                if (held_out in name) == wanted
            ]
            (lists / f"{kind}list0{fold}.txt").write_text("\r\n".join(lines) + "\r\n")
    return tmp_path


def test_ucf_101_by_its_official_splits(ucf):
    data, root = f"csv:{ucf}/ucfTrainTestlist", str(ucf / "UCF-101")
    for fold, group in ((1, "g01"), (2, "g02")):
        listing = listing_of(data, root=root, fold=fold)
        assert listing.classes == ("YoYo", "Archery")  # as classInd.txt has them
        assert [listing.classes[label] for label in listing.labels] == [
            name.split("/")[0] for name in listing.names
        ]
        tested = [
            n for n, split in zip(listing.names, listing.splits, strict=True) if split == "test"
        ]
        assert len(tested) == 2
        assert all(group in name for name in tested)
        assert listing.split_rule == f"by trainlist0{fold}.txt, testlist0{fold}.txt"
    by_hand = listing_of(
        f"csv:{ucf}/ucfTrainTestlist/trainlist02.txt,{ucf}/ucfTrainTestlist/testlist02.txt",
        root=root,
    )
    assert by_hand.names == listing.names
    assert by_hand.fingerprint == listing.fingerprint
    with pytest.raises(UserError, match=r"trainlist04\.txt cannot be read: No such file"):
        listing_of(data, root=root, fold=4)


def test_a_ucf_run_is_scored_on_its_own_test_list(ucf):
    recipe = Recipe("mine", data=f"csv:{ucf}/ucfTrainTestlist", root=str(ucf / "UCF-101"), size=16)
    split, source = open_held_out(resolve(recipe), ("Archery", "YoYo"))
    assert split == "test"
    assert source.splits["test"].names == (
        "Archery/v_Archery_g01_c01.avi",
        "YoYo/v_YoYo_g01_c01.avi",
    )
    assert source.splits["test"].labels.tolist() == [0, 1]  # by the run's order of the classes


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "{} lists nothing"),
        (
            "path,width,kind\n0.avi,5,a\n",
            "{} has no column label: its columns are path, width, kind; wanted is one of label, ",
        ),
        (
            "0.avi,a\n1.avi,\n",
            "{}, line 2: no label in '1.avi,' (multi_label=true takes it for a file without any)",
        ),
        ("path,label,split\n0.avi,a,both\n", "{}, line 2: split must be one of train, "),
        ("0.avi,a,one,2\n", "{}, line 1: start and end are seconds (could not convert"),
        ("0.avi,a,1_30,200\n", "{}, line 1: start and end are seconds (could not convert"),
        # The line that is otherwise than most is told.
        ("0.avi,a\n1.avi,b\n// more\n", "{}, line 3: no label in '// more' (multi_label"),
        ("0.avi,a\n1.avi;b\n2.avi,b\n", "{}, line 2: no label in '1.avi;b' (multi_label"),
        ("0.avi,a,2,1\n", "{}, line 1: end must lie after start. Received: start=2, end=1"),
        ("0.avi,a\n1.avi,a\n", "{} has only one class, a: training needs at least two"),
        ("7.avi,a\n8.avi,b\n", "none of the 2 files that {} lists is there, such as "),
        (
            "path,label,split\n0.avi,a,train\n1.avi,b,test\n",
            "the class b of {} has nothing to train on",
        ),
        (
            "path,label,split\n0.avi,a,train\n0.avi,a,test\n1.avi,b,train\n",
            "{} has 0.avi in train and in test",
        ),
        ("label,youtube_id,time_start\na,b,1\n", "{} has no column time_end: its columns are "),
        (
            "label,youtube_id,time_start,time_end\na,b,1,x\n",
            "{}, line 2: times are seconds (could not convert",
        ),
        (
            "0.avi,a\n1.png,b\n",
            "{} mixes images (1, such as 1.png) and videos (1, such as 0.avi): ",
        ),
    ],
)
def test_a_list_that_cannot_be_used_is_told(tmp_path, films, text, message):
    path = tmp_path / "list.csv"
    path.write_text(text)
    with pytest.raises(UserError) as error:
        listing_of(f"csv:{path}", root=str(films))
    assert str(error.value).startswith(message.format(*[path] * message.count("{}")))


def test_a_list_that_cannot_be_read_is_told(tmp_path):
    with pytest.raises(UserError) as error:
        listing_of(f"csv:{tmp_path}/none.csv")
    assert str(error.value) == f"{tmp_path}/none.csv cannot be read: No such file or directory"
    (tmp_path / "latin.csv").write_bytes("a.avi,é\n".encode("latin-1"))
    with pytest.raises(UserError, match="is not a list of files: it is not UTF-8 text"):
        listing_of(f"csv:{tmp_path}/latin.csv")
    with pytest.raises(UserError, match=r"csv: takes one, two or three lists\. Received: 4"):
        listing_of("csv:a,b,c,d")


def test_splits_are_drawn_from_what_can_be_read(tmp_path, write_images):
    """Four of five files of a class are broken: the one that is left is trained on."""
    write_images(tmp_path / "data/blue", 5, 2)
    write_images(tmp_path / "data/red", 10, 0)
    for i in range(1, 5):
        (tmp_path / f"data/blue/{i:02}.png").write_bytes(b"nothing")
    recipe = resolve(
        Recipe("mine", data=f"folder:{tmp_path}/data", size=10, test_fraction=0.5, seed=1)
    )
    source = open_source(recipe)
    assert np.bincount(source.splits["train"].labels).tolist() == [1, 4]
    assert np.bincount(source.splits["test"].labels, minlength=2).tolist() == [0, 5]
    assert [each.path for each in source.skipped] == [f"blue/{i:02}.png" for i in range(1, 5)]
    # Evaluation, later, finds the same test split without reading all files again.
    _, again = open_held_out(recipe, ("blue", "red"), skipped=source.skipped)
    assert again.splits["test"].names == source.splits["test"].names
    assert again.skipped == source.skipped
    _, otherwise = open_held_out(recipe, ("blue", "red"), skipped=[Skipped("red/00.png", "")])
    assert otherwise.splits["test"].names != source.splits["test"].names


def test_a_list_that_is_a_link_names_what_lies_beside_the_link(tmp_path, films):
    """Also its classes, and where a folder before it is a link."""
    (tmp_path / "lists").mkdir()
    (tmp_path / "lists/shared.txt").write_text("films/0.avi 1\nfilms/1.avi 2\n")
    (tmp_path / "lists/classInd.txt").write_text("1 wrong\n2 wrong too\n")
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine/films").symlink_to(films)
    (tmp_path / "mine/mine.txt").symlink_to("../lists/shared.txt")
    (tmp_path / "mine/classInd.txt").write_text("1 run\n2 jump\n")
    (tmp_path / "folder").symlink_to("mine")
    for place in (f"{tmp_path}/mine/mine.txt", f"{tmp_path}/folder/mine.txt"):
        recipe = resolve(Recipe("mine", data=f"csv:{place}"))
        assert recipe.data == f"csv:{tmp_path}/mine/mine.txt"
        listing = list_source(recipe)
        assert listing.classes == ("run", "jump")
        assert [file.path for file in listing.files] == [
            f"{tmp_path}/mine/films/{k}.avi" for k in (0, 1)
        ]


def test_a_list_in_the_root_directory(tmp_path, films, monkeypatch):
    read = tables.read_bytes
    monkeypatch.setattr(
        tables, "read_bytes", lambda path: below.encode() if path == "/list.csv" else read(path)
    )
    monkeypatch.chdir(tmp_path)  # where nothing of the list is
    below = f"{films}/0.avi,a\n{films}/1.avi,b\n".replace("\n/", "\n").removeprefix("/")
    assert [file.path for file in listing_of("csv:/list.csv").files] == [
        f"{films}/0.avi",
        f"{films}/1.avi",
    ]
    below = "../0.avi,a\n"
    with pytest.raises(UserError, match=r"line 1: \.\./0\.avi leaves /, where the list's paths"):
        listing_of("csv:/list.csv")


def test_files_of_one_name_in_several_folders(tmp_path, write_images):
    """What a run leaves out is the damaged file, not its namesake that another list has."""
    for folder in ("a", "b"):
        write_images(tmp_path / folder, 3, 2)
        lines = [f"{i:02}.png,{'odd' if i % 2 else 'even'}\n" for i in range(3)]
        (tmp_path / folder / "list.csv").write_text("".join(lines))
    (tmp_path / "a/02.png").write_bytes(b"nothing")
    data = f"csv:{tmp_path}/a/list.csv,{tmp_path}/b/list.csv"
    recipe = resolve(Recipe("mine", data=data, size=10))
    source = open_source(recipe)
    assert [each.path for each in source.skipped] == ["a/02.png"]
    _, again = open_held_out(recipe, ("even", "odd"), skipped=source.skipped)
    assert again.splits["test"].names == ("b/00.png", "b/01.png", "b/02.png")
    assert list_source(recipe).names[0] == "a/00.png"
    # Lists of different names keep them as they stand there.
    (tmp_path / "b/list.csv").write_text(f"{tmp_path}/b/00.png,even\n")
    assert list_source(recipe).names == ("00.png", "01.png", "02.png", f"{tmp_path}/b/00.png")


def test_media_of_the_other_kind_are_told(tmp_path, films):
    for name in ("a", "b"):
        (tmp_path / "videos" / name).mkdir(parents=True)
    (films / "0.avi").rename(tmp_path / "videos/a/0.avi")
    (films / "1.avi").rename(tmp_path / "videos/b/1.avi")
    with pytest.raises(UserError) as error:
        listing_of(f"folder:{tmp_path}/videos", task="image")
    assert str(error.value) == (
        f"{tmp_path}/videos holds videos, such as a/0.avi, but images are wanted (task=image)"
    )
