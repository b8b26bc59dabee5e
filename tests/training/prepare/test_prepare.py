"""Prepared data: what is stored is what the files hold, and an interruption costs no work."""

import json
import os
import sys
from fractions import Fraction
from pathlib import Path

import av
import numpy as np
import pytest
from etils import epath
from PIL import Image

from a2keras.errors import UserError
from a2keras.models.preprocessing.spec import Preprocessing
from a2keras.models.preprocessing.video import decode_video
from a2keras.training.config import Recipe
from a2keras.training.data import list_source, open_held_out, open_source, resolve
from a2keras.training.data.files import MediaFile
from a2keras.training.data.pipeline import training_batches
from a2keras.training.data.records.manifest import Manifest
from a2keras.training.data.source import Skipped
from a2keras.training.prepare import shards as prepare_shards
from a2keras.training.prepare.encoding import Encoding
from a2keras.training.prepare.plan import examples_per_shard, plan
from a2keras.training.prepare.shards import FileShard, ShardWriter, read_done
from a2keras.training.prepare.storing import LOCAL, pipeline_options, prepare, tell

sys.path.insert(0, str(Path(__file__).parents[1]))
from tiny_datasets import encoded, picture

SIDE = 24


def write_jumping_video(path: Path) -> None:
    """Frame k is grey 20·k; shown at 0, 33, 133, 383 and 483 ms (median step 100)."""
    with av.open(str(path), "w") as container:
        stream = container.add_stream("libx264")
        stream.codec_context.time_base = Fraction(1, 1000)
        stream.height, stream.width, stream.pix_fmt = 34, 46, "yuv420p"
        for k, time in enumerate((0, 33, 133, 383, 483)):
            grey = np.full((34, 46, 3), 20 * k, "uint8")
            frame = av.VideoFrame.from_ndarray(grey, format="rgb24")
            frame.pts, frame.time_base = time, Fraction(1, 1000)
            container.mux(stream.encode(frame))
        container.mux(stream.encode())


@pytest.fixture(scope="module")
def folder(tmp_path_factory, write_video):
    """Two classes of videos of 7, 8, … frames, one of variable rate, one that is none."""
    folder = tmp_path_factory.mktemp("media") / "films"
    for name, shade in (("dark", 0), ("light", 90)):
        for i in range(9):
            write_video(folder / name / f"{i}.avi", 7 + i, shade=shade)
    write_jumping_video(folder / "light/jump.mkv")
    (folder / "dark/none.mp4").write_bytes(b"no video at all")
    return folder


@pytest.fixture(scope="module")
def prepared(folder, tmp_path_factory):
    """The videos as the command prepares them."""
    import a2keras.__main__ as command

    pytest.importorskip("apache_beam")
    output = tmp_path_factory.mktemp("prepared") / "films"
    command.run(["prepare", f"folder:{folder}", f"--output={output}", f"--short_side={SIDE}"])
    return output


def recipe_of(data: str, **settings) -> Recipe:
    given = {"size": 16, "frames": 4, "stride": 2, "batch_size": 3, "crop_scale": 0.75, **settings}
    return resolve(Recipe("mine", data=data, **given))


def test_the_manifest_tells_what_was_stored_and_what_not(prepared, folder):
    document = json.loads((prepared / "manifest.json").read_text())
    bytes_ = document.pop("bytes")
    assert document == {
        "source": f"folder:{folder}",
        "task": "video",
        "classes": ["dark", "light"],
        "split_rule": "",
        "stored_as": {"short_side": SIDE, "quality": 90, "fps": 0.0},
        "fingerprint": list_source(recipe_of(f"folder:{folder}")).fingerprint,
        "listed": 20,
        "examples": 19,
        "skipped": [
            {
                "path": "dark/none.mp4",
                "reason": f"{folder}/dark/none.mp4: is not a video that can be read "
                "(Invalid data found when processing input)",
            }
        ],
    }
    shards = sorted(prepared.glob("*.array_record-*"))
    assert bytes_ < sum(path.stat().st_size for path in shards)
    # Two examples a shard; the one of which nothing is left is none.
    assert [path.name[-14:] for path in shards] == [f"{i:05}-of-00010" for i in range(10)]
    assert not prepared.with_name("films.incomplete").exists()


def test_prepared_videos_are_those_of_the_files(prepared, folder):
    """Split, order and fingerprint alike; the frames up to what JPEG loses."""
    settings = {"group_pattern": r"(\d|jump)\.", "test_groups": "3,jump", "validation_fraction": 0}
    ours = open_source(recipe_of(f"prepared:{prepared}", **settings))
    theirs = open_source(recipe_of(f"folder:{folder}", **settings))
    assert ours.report() == theirs.report()
    assert set(ours.splits) == {"train", "test"}
    for split in ours.splits:
        assert ours.splits[split].names == theirs.splits[split].names
        for i in range(len(ours.splits[split])):
            ours_frames = ours.splits[split].frames(i)
            path = folder / theirs.splits[split].names[i]
            frames = decode_video(path, SIDE).steady()
            assert ours_frames.shape == frames.shape
            assert np.abs(ours_frames.astype(int) - frames).mean() < 1.5
    jump = ours.splits["test"].names.index("light/jump.mkv")
    shades = ours.splits["test"].frames(jump).mean(axis=(1, 2, 3)) / 20
    # At 0, 100, 200, 300, 400 and 500 ms.
    np.testing.assert_allclose(shades, [0, 2, 2, 3, 3, 4], atol=0.15)


def test_clips_are_decoded_frame_by_frame_and_batched(prepared):
    recipe = recipe_of(f"prepared:{prepared}", flip=False, epochs=1)
    preprocessing = Preprocessing(("dark", "light"), 16, 4, 2)
    train = open_source(recipe).splits["train"]
    batches = list(training_batches(train, recipe, preprocessing))
    order = np.random.default_rng([0, 0]).permutation(len(train))
    assert len(batches) == -(-len(train) // 3)
    for step, (pixels, labels) in enumerate(batches):
        mine = order[np.arange(3 * step, 3 * step + 3) % len(order)]
        assert labels.numpy().argmax(axis=1).tolist() == train.labels[mine].tolist()
        for view, index in zip(pixels.numpy(), mine, strict=True):
            shades = view.mean(axis=(1, 2, 3))
            every = train.frames(index).mean(axis=(1, 2, 3))
            starts = range(max(len(every) - 6, 1))
            clips = [every[np.minimum(s + np.array([0, 2, 4, 6]), len(every) - 1)] for s in starts]
            assert min(np.abs(shades - clip).max() for clip in clips) < 1


def test_it_is_a_data_set_of_tfds(prepared):
    import tensorflow_datasets as tfds

    builder = tfds.builder_from_directory(prepared)
    source = builder.as_data_source("train")
    assert len(source) == 19
    example = source[18]
    assert example["name"] == b"light/jump.mkv"
    assert builder.info.features["label"].int2str(example["label"]) == "light"
    assert np.shape(example["video"]) == (5, SIDE, 32, 3)
    np.testing.assert_allclose(example["timestamps"], [0, 0.033, 0.133, 0.383, 0.483], atol=1e-6)


def test_the_same_again_does_nothing_and_another_is_refused(prepared, folder, capsys):
    before = {path.name: path.stat().st_mtime_ns for path in prepared.iterdir()}
    assert prepare(f"folder:{folder}", str(prepared), short_side=SIDE) == Manifest.load(prepared)
    assert capsys.readouterr().err == (
        f"{prepared} holds all this already, 19 examples: nothing is left to do.\n"
    )
    with pytest.raises(UserError) as error:
        prepare(f"folder:{folder}", str(prepared), short_side=32)
    assert str(error.value) == (
        f"{prepared} was prepared with short_side=24, quality=90, fps=0, not short_side=32, "
        "quality=90, fps=0: choose another `output`"
    )
    with pytest.raises(UserError) as error:
        prepare(f"folder:{folder}", str(folder), short_side=SIDE)
    assert str(error.value) == (
        f"{folder} exists and is no prepared data set: choose another `output`"
    )
    extra = folder / "dark/none.mp4"
    extra.write_bytes(b"still no video at all")
    with pytest.raises(UserError) as error:
        prepare(f"folder:{folder}", str(prepared), short_side=SIDE)
    assert str(error.value) == (
        f"{prepared} was prepared before the files of folder:{folder} changed: "
        "choose another `output`"
    )
    extra.write_bytes(b"no video at all")
    assert before == {path.name: path.stat().st_mtime_ns for path in prepared.iterdir()}


def test_an_interrupted_preparation_goes_on(tmp_path, write_images, monkeypatch, capsys):
    pytest.importorskip("apache_beam")
    for split, count in (("train", 10), ("val", 3), ("test", 4)):
        write_images(tmp_path / f"pictures/{split}/blue", count, 2)
        write_images(tmp_path / f"pictures/{split}/red", count, 0)
    output, work = tmp_path / "prepared", tmp_path / "prepared.incomplete"
    real = prepare_shards.encode_image

    def run_out_of_memory(name, data, how):
        if name == "train/red/07.png":
            raise MemoryError("no more")
        return real(name, data, how)

    monkeypatch.setattr(prepare_shards, "encode_image", run_out_of_memory)
    with pytest.raises(UserError, match=r"the preparation has stopped \(MemoryError: no more"):
        prepare(f"folder:{tmp_path}/pictures", str(output))
    assert not output.exists()
    written = {path.name: path.stat().st_ino for path in work.glob("*.array_record")}
    done = {path.stem for path in work.glob("*-*.json")}
    assert {name.partition(".")[0] for name in written} >= done
    assert 0 < len(done) < 13
    monkeypatch.undo()
    (tmp_path / "incomplete.ABCDEF_prepared").mkdir()  # as TFDS leaves it when it is killed
    capsys.readouterr()
    manifest = prepare(f"folder:{tmp_path}/pictures", str(output))
    assert f"going on with what is in {work}\n" in capsys.readouterr().err
    assert {path.name for path in tmp_path.iterdir()} == {"pictures", "prepared"}
    assert (manifest.examples, manifest.skipped) == (34, ())
    kept = {path.stat().st_ino for path in output.iterdir()}
    assert all(written[f"{stem}.array_record"] in kept for stem in done)  # moved, not made anew
    recipe = recipe_of(f"prepared:{output}")
    source = open_source(recipe)
    assert source.report() == open_source(recipe_of(f"folder:{tmp_path}/pictures")).report()
    for part in source.splits.values():
        for i, name in enumerate(part.names):
            assert np.array_equal(
                part.frames(i), np.asarray(Image.open(tmp_path / "pictures" / name))
            )
    assert open_held_out(recipe, ("blue", "red"))[1].splits["test"].names == (
        source.splits["test"].names
    )


def test_a_shard_that_is_lost_is_written_again(tmp_path, write_images):
    write_images(tmp_path / "pictures/blue", 2, 2)
    write_images(tmp_path / "pictures/red", 2, 0)
    shards, _ = plan(f"folder:{tmp_path}/pictures", "auto", "", 1)
    writer = ShardWriter(str(tmp_path), "image", ("blue", "red"), Encoding())
    writer.write(shards[0])
    path = tmp_path / shards[0].file_name
    first = path.stat().st_ino
    writer.write(shards[0])
    assert path.stat().st_ino == first
    path.unlink()  # as when the machine stopped while the shards were moved
    writer.write(shards[0])
    assert path.is_file()


def test_a_shard_is_not_written_through_links_of_guessed_names(tmp_path, write_images):
    write_images(tmp_path / "pictures/blue", 2, 2)
    write_images(tmp_path / "pictures/red", 2, 0)
    shards, _ = plan(f"folder:{tmp_path}/pictures", "auto", "", 1)
    (tmp_path / "mine").write_text("mine")
    names = (shards[0].file_name, shards[0].done_name)
    for name in (*names, *(f"{name}.{os.getpid()}" for name in names)):
        (tmp_path / name).symlink_to(tmp_path / "mine")
    (tmp_path / shards[0].done_name).unlink()  # else it would be whole already
    ShardWriter(str(tmp_path), "image", ("blue", "red"), Encoding()).write(shards[0])
    assert (tmp_path / "mine").read_text() == "mine"
    assert not any((tmp_path / name).is_symlink() for name in names)
    assert len(read_done(epath.Path(tmp_path), shards[0]).examples) == shards[0].count


def test_tfds_sets_of_any_format_are_prepared(tmp_path):
    """Stored as tfrecord or as array_record: the same contents."""
    import tensorflow_datasets as tfds

    contents = {}
    for file_format in ("tfrecord", "array_record"):
        root = tmp_path / file_format
        tfds.builder("tiny_pictures", data_dir=root).download_and_prepare(file_format=file_format)
        shards, manifest = plan("tfds:tiny_pictures", "auto", str(root), 1)
        assert manifest["split_rule"] == "by TFDS's splits train, validation"
        assert (manifest["listed"], manifest["classes"]) == (16, ("blue", "red"))
        contents[file_format] = [each for s in shards for each in s.contents("image", Encoding())]
    assert contents["tfrecord"] == contents["array_record"]
    for content in contents["tfrecord"]:
        number = next(
            n
            for n in (*range(11), *range(100, 105))
            if encoded(picture(n), "PNG" if n % 2 else "JPEG").getvalue() == content.image
        )
        assert content.label == ("blue", "red")[number % 2]
        assert content.split == ("train" if number < 100 else "validation")


def test_tfds_examples_without_a_class_are_listed_as_skipped(tmp_path, monkeypatch):
    import tensorflow_datasets as tfds

    tfds.builder("tiny_unsure", data_dir=tmp_path).download_and_prepare()
    shards, manifest = plan("tfds:tiny_unsure", "auto", str(tmp_path), 1)
    assert manifest["listed"] == 10
    contents = [each for s in shards for each in s.contents("image", Encoding())]
    skipped = [each for each in contents if isinstance(each, Skipped)]
    assert [each.reason for each in skipped] == [f"{each.path}: has no class" for each in skipped]
    assert sorted(each.path[:5] for each in skipped) == ["test/", "train"]
    monkeypatch.setattr(
        "a2keras.training.prepare.tfds.read_examples", lambda *_: iter([(b"", 1), (b"", 7)])
    )
    read = shards[0].contents("image", Encoding())
    assert next(read).label == "red"
    with pytest.raises(UserError) as error:
        next(read)
    assert str(error.value) == (
        "tfds:tiny_unsure has 2 classes, and train/1 must have one of them. Received: label=7"
    )


def test_tfds_videos_are_prepared(tmp_path):
    import tensorflow_datasets as tfds

    tfds.builder("tiny_films", data_dir=tmp_path).download_and_prepare()
    shards, _ = plan("tfds:tiny_films", "video", str(tmp_path), 1)
    for content in (each for s in shards for each in s.contents("video", Encoding(short_side=11))):
        number = len(content.video.frames) - 5
        assert content.label == ("blue", "red")[number % 2]
        assert content.split == ""
        expected = Image.fromarray(picture(1000 * number)).resize((15, 11), Image.BICUBIC)
        assert np.array_equal(content.video.frames[0], np.asarray(expected))


def test_what_cannot_be_prepared_is_told(tmp_path, run_command):
    pytest.importorskip("apache_beam")
    for arguments, message in {
        (): "prepare takes one SOURCE. Received: none",
        ("digits",): "what to prepare must be one of [folder:]DIR, [csv:]FILE[,TEST], tfds:NAME. "
        "Received: digits",
        ("folder:/nowhere/at/all",): "/nowhere/at/all does not exist",
        ("folder:x", "--beam_pipeline_options=spark"): "--beam_pipeline_options takes "
        "key=value,… Received: spark",
    }.items():
        with pytest.raises(UserError) as error:
            run_command("prepare", *arguments, f"--output={tmp_path}/out")
        assert str(error.value) == message
    assert not (tmp_path / "out").exists()


def test_what_was_left_out_is_told(capsys):
    manifest = Manifest(
        source="folder:d", task="image", classes=("a", "b"), split_rule="", stored_as={},
        fingerprint="f", listed=7, examples=5, bytes=3 * 2**20,
        skipped=(Skipped("x.png", "x.png: is no image"), Skipped("y.png", "y.png: is no image")),
    )  # fmt: skip
    tell(manifest, "out")
    assert capsys.readouterr().err == (
        "out: 5 examples of 2 classes, 3.0 MiB of records\n"
        "2 of 7 examples cannot be read and are listed in manifest.json, such as\n"
        "  x.png: is no image\n"
    )


def test_without_beam_one_sentence_says_what_to_install(tmp_path, monkeypatch):
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    with pytest.raises(UserError) as error:
        prepare("folder:x", str(tmp_path / "out"))
    assert str(error.value) == "preparing data needs Apache Beam: pip install 'a2keras[prepare]'"


def test_beam_runs_here_unless_a_runner_is_named():
    assert pipeline_options("") == LOCAL
    assert pipeline_options("direct_num_workers=3") == {**LOCAL, "direct_num_workers": "3"}
    flink = pipeline_options("runner=FlinkRunner, --flink_master=host:8081")
    assert flink == {"runner": "FlinkRunner", "flink_master": "host:8081"}


def test_prepared_data_that_cannot_be_used_are_told(prepared, tmp_path):
    import shutil

    def sentence(data, **settings):
        with pytest.raises(UserError) as error:
            recipe_of(data, **settings)
        return str(error.value)

    assert sentence(f"prepared:{tmp_path}") == (
        f"{tmp_path} is not a prepared data set: it has no manifest.json"
    )
    assert sentence(f"prepared:{prepared}", task="image") == (
        f"{prepared} holds videos, but images are wanted (task=image)"
    )
    assert sentence("prepared:gs://bucket/films") == (
        "gs://bucket/films: records are read from local disks, copy it to one"
    )
    copy = tmp_path / "copy"
    shutil.copytree(prepared, copy)
    lost = copy / "prepared-train.array_record-00003-of-00010"
    lost.unlink()
    assert sentence(f"prepared:{copy}") == f"{lost} is missing: prepare {copy} again"
    (copy / "manifest.json").write_text("{}")
    assert sentence(f"prepared:{copy}").startswith(
        f"{copy}/manifest.json is not a manifest of this"
    )


@pytest.mark.parametrize(("count", "task", "expected"), [
    (1, "video", 1), (17, "video", 2), (2048, "video", 128), (99999, "video", 128),
    (320, "image", 20), (99999, "image", 2048),
])  # fmt: skip
def test_examples_per_shard(count, task, expected):
    assert examples_per_shard(count, task) == expected


def test_files_that_are_listed_but_absent_are_skipped(tmp_path):
    files = (("a.png", "", "x", MediaFile(f"{tmp_path}/a.png")),)
    (skipped,) = FileShard("train", 0, 1, files).contents("image", Encoding())
    assert skipped.reason == f"{tmp_path}/a.png: does not exist"
