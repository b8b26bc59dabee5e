"""What the library says of its arguments is said of flags by the commands."""

import pytest
from absl import flags

from a2keras.command_line import naming_flags
from a2keras.errors import OutOfResources, UserError


@pytest.fixture
def values():
    values = flags.FlagValues()
    flags.DEFINE_string("output", None, "", flag_values=values)
    flags.DEFINE_integer("seeds", 1, "", flag_values=values)
    flags.DEFINE_multi_string("set", [], "", flag_values=values)
    flags.DEFINE_bool("deletion", False, "", flag_values=values)
    return values


@pytest.mark.parametrize(
    ("message", "expected"),
    [
        ("d is a run: choose another `output`", "d is a run: choose another --output"),
        ("`seeds` must be 1. Received: `seeds=0`", "--seeds must be 1. Received: --seeds=0"),
        ("`deletion=True` asks for more", "--deletion asks for more"),
        ("tell with `root=DIR` where", "tell with --set root=DIR where"),
        ("`root` must be a path, `positions` units", "`root` must be a path, `positions` units"),
        ("`a2keras train` goes on with it", "`a2keras train` goes on with it"),
        ("Keras: set `safe_mode=False`", "Keras: set `safe_mode=False`"),
        ("output and seeds=0 are words", "output and seeds=0 are words"),
    ],
)
def test_arguments_become_flags(values, message, expected):
    with pytest.raises(UserError) as error, naming_flags(values, {"root", "positions"}):
        raise UserError(message)
    assert str(error.value) == expected


def test_the_kind_of_an_error_stays(values):
    with pytest.raises(OutOfResources), naming_flags(values):
        raise OutOfResources("threads", "`output` was read", OSError("no"))
    with pytest.raises(ValueError, match="`output`"), naming_flags(values):
        raise ValueError("`output`")


@pytest.mark.parametrize(
    ("flag", "message"),
    [
        ("--quality=0", "--quality must be from 1 to 100. Received: 0"),
        ("--fps=-1", "--fps must be at least 0. Received: -1"),
        ("--beam_pipeline_options=x", "--beam_pipeline_options takes key=value,… Received: x"),
        ("--task=auto", "{0} mixes images (12, such as a/00.png) and videos (1, such as b/0.avi): "
         "choose with --task=image or --task=video"),
    ],
)  # fmt: skip
def test_prepare_names_its_flags(flag, message, tmp_path, write_images, write_video, run_command):
    pytest.importorskip("apache_beam")
    data = tmp_path / "data"
    write_images(data / "a", 12, 0)
    write_video(data / "b/0.avi", 3)
    with pytest.raises(UserError) as error:
        run_command("prepare", f"folder:{data}", f"--output={tmp_path}/out", flag)
    assert str(error.value) == message.format(data)


@pytest.mark.parametrize(
    ("flags", "message"),
    [
        (["--rows=gc"], "there is no row gc: there are none, se, nl, a2, and your own by --row"),
        (["--row=mine seed=3"], "seed is the same for all rows (--set). "
         "Received: --row='mine seed=3'"),
        (["--row=a2"], "--row takes NAME key=value …, the name of letters, digits and . _ + - "
         "only. Received: --row='a2'"),
    ],
)  # fmt: skip
def test_ablate_names_its_flags(flags, message, tmp_path, run_command):
    with pytest.raises(UserError) as error:
        run_command("ablate", "--data=digits", f"--output={tmp_path}/ablation", *flags)
    assert str(error.value) == message


def test_train_names_its_settings(tmp_path, write_images, write_video, run_command):
    write_images(tmp_path / "data/a", 2, 0)
    write_video(tmp_path / "data/b/0.avi", 3)
    train = ["train", "--recipe=folder", f"--output={tmp_path}/run"]
    with pytest.raises(UserError) as error:
        run_command(*train, f"--data=folder:{tmp_path}/data")
    assert str(error.value).endswith("choose with --set task=image or --set task=video")
    with pytest.raises(UserError) as error:
        run_command(*train, "--data=photos")
    assert str(error.value) == (
        "--data must be one of digits, [folder:]DIR, [csv:]FILE[,TEST], tfds:NAME, [prepared:]DIR: "
        "there is no such path. Received: --data=photos"
    )
    with pytest.raises(UserError) as error:
        run_command("train", "more", *train[1:])
    assert str(error.value) == "train takes no arguments. Received: more"
