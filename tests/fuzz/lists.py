"""Lists of files, folders with odd names, settings, command lines and variables of clusters."""

import contextlib
import os
import shutil
import tempfile
from collections.abc import Iterable
from pathlib import Path

from media import picture, write_video
from reader import Reader

CLASSES = ("cat", "Dog house")

# Of images: dialects of tables.
TABLES = {
    "plain.csv": "path,label\n{rows}",
    "split.csv": "path,label,split\n{rows_split}",
    "bare.csv": "{rows}",
    "semicolons.csv": "path;label\n{rows_semicolon}",
    "tabs.csv": "path\tlabel\n{rows_tab}",
    "quoted.csv": '"path","label"\n{rows_quoted}',
}
FORMS = {
    "rows": "{path},{label}",
    "rows_split": "{path},{label},{split}",
    "rows_semicolon": "{path};{label}",
    "rows_tab": "{path}\t{label}",
    "rows_quoted": '"{path}","{label}"',
}


def write_images(folder: Path) -> list[dict[str, str]]:
    """Six images of each class, and what tables say of them."""
    from PIL import Image

    rows = []
    for first, label in enumerate(CLASSES):
        (folder / label).mkdir(parents=True)
        for number in range(6):
            path = f"{label}/{number}.png"
            Image.fromarray(picture(100 * first + number, 9, 8)).save(folder / path)
            rows.append({"path": path, "label": label, "split": ("train", "val")[number % 2]})
    return rows


def table_seeds(folder: Path) -> Iterable[Path]:
    rows = write_images(folder)
    lines = {name: "\n".join(form.format(**row) for row in rows) for name, form in FORMS.items()}
    for name, form in TABLES.items():
        (folder / name).write_text(form.format(**lines))
        yield folder / name


def open_table(path: Path) -> None:
    _open(f"csv:{path}")


def _open(data: str, **fields: str) -> None:
    """As training opens its data: everything is listed, read once and split."""
    from a2keras.training.config import Recipe
    from a2keras.training.data import open_source, resolve

    source = open_source(resolve(Recipe("folder", data=data, size=8, **fields)))
    assert len(source.splits["train"]) > 0
    source.report()
    source.trained_on()


def ucf_seeds(folder: Path) -> Iterable[Path]:
    """UCF-101's lists, with an index of the classes, and Kinetics's table."""
    lists = {"trainlist01.txt": "", "testlist01.txt": ""}
    for number, label in enumerate(("Archery", "BabyCrawling"), 1):
        (folder / label).mkdir()
        for clip in range(4):
            path = f"{label}/v_{label}_g{clip:02}_c01.avi"
            write_video(folder / path, "mpeg4", "yuv420p", 4)
            if clip < 3:
                lists["trainlist01.txt"] += f"{path} {number}\n"
            else:
                lists["testlist01.txt"] += f"{path}\n"
    lists["classInd.txt"] = "1 Archery\n2 BabyCrawling\n"
    for name, text in lists.items():
        (folder / name).write_text(text)
        yield folder / name


def open_ucf(path: Path) -> None:
    _open(f"csv:{path.parent}")


def kinetics_seeds(folder: Path) -> Iterable[Path]:
    (folder / "videos").mkdir()
    text = "label,youtube_id,time_start,time_end,split\n"
    for number, name in enumerate(("-0abc_DEF12", "zz", "qq", "rr")):
        write_video(folder / "videos" / f"{name}.mp4", "mpeg4", "yuv420p", 12)
        text += f"class {number % 2},{name},0,{(number + 1) / 4},train\n"
    (folder / "train.csv").write_text(text)
    yield folder / "train.csv"
    rows = [line.split(",") for line in text.splitlines()[1:]]
    parts = "".join(f"videos/{row[1]}.mp4,{row[0]},{row[2]},{row[3]}\n" for row in rows)
    (folder / "parts.csv").write_text(f"path,label,start,end\n{parts}")
    yield folder / "parts.csv"


def open_kinetics(path: Path) -> None:
    _open(f"csv:{path}", root=str(path.parent / "videos") if path.name == "train.csv" else "")


# Folders: a line for every file in them.
FOLDERS = (
    [f"{label}/{number}.png" for label in CLASSES for number in range(4)],
    [f"{split}/{label}/{number}.png" for split in ("train", "val", "test")
     for label in ("a", "b") for number in range(3)],
    [f"Training/{label}/{n}.jpg" for label in ("é", "ß") for n in range(3)] + ["Testing/é/7.jpg"],
)  # fmt: skip


def name_seeds(folder: Path) -> Iterable[Path]:
    from PIL import Image

    for suffix in ("png", "jpg"):
        Image.fromarray(picture(1, 9, 8)).save(folder / f"picture.{suffix}")
    for number, names in enumerate(FOLDERS):
        path = folder / f"{number}.names"
        path.write_text("\n".join(names))
        yield path


def open_names(path: Path) -> None:
    """A folder of pictures with these names, as far as the file system takes them."""
    place = Path(tempfile.mkdtemp(dir=path.parent, prefix="place"))
    try:
        for name in path.read_bytes().split(b"\n"):
            parts = [each for each in name.split(b"/") if each not in (b"", b".", b"..")]
            if not parts or b"\0" in name:
                continue
            picture_ = path.parent / ("picture.jpg" if name.endswith(b".jpg") else "picture.png")
            with contextlib.suppress(OSError):  # too long, or a file where a folder should be
                target = place.joinpath(*map(os.fsdecode, parts))
                target.parent.mkdir(parents=True, exist_ok=True)
                target.hardlink_to(picture_)
        _open(f"folder:{place}")
    finally:
        shutil.rmtree(place, ignore_errors=True)


# A setting a line, as `--set` takes them.
SETTINGS = (
    "epochs=3\nbatch_size=4\nlearning_rate=0.1\nschedule=step\nstep_epochs=1,2\nwarmup_epochs=0",
    "size=32\ntest_short_side=40\nfit=crop\ncrop=area\ncrop_area=0.1\ninterpolation=bicubic\nviews=3",
    "task=video\nframes=4\nstride=2\nattention=a2\npositions=conv4_2,conv5_1\nmodel=a2_resnet11",
    "learning_rate_factors=attention=10,head=0.1\nprecision=mixed_float16\njit_compile=true\nseed=5",
    "group_pattern=^(g\\d+)_\ntest_groups=g1,g2\nvalidation_fraction=0.2\nroot=/tmp\nfold=2",
)


def setting_seeds(folder: Path) -> Iterable[Path]:
    for number, text in enumerate(SETTINGS):
        path = folder / f"{number}.settings"
        path.write_text(text)
        yield path


def read_settings(path: Path) -> None:
    from a2keras.training.recipes import recipe

    found = recipe("folder").override(path.read_text(errors="surrogateescape").split("\n"))
    found.steps_down(), found.unit_names(), found.peak_rate(), found.rate_factors()


FILES = {
    "short.toml": 'recipe = "photos"\nepochs = 5\nlearning_rate = 1e-3  # slower\nflip = false\n',
    "lines.toml": 'group_pattern = \'(\\d+)_\'\nstep_epochs = """\n1,2"""\nsize = 0x20\nhue = 2.0',
    "run.json": '{"name": "photos", "epochs": 5, "learning_rate": 1, "positions": "conv4_2"}',
}


def recipe_seeds(folder: Path) -> Iterable[Path]:
    for name, text in FILES.items():
        (folder / name).write_text(text)
        yield folder / name


def read_recipe(path: Path) -> None:
    from a2keras.training.recipe_files import as_toml
    from a2keras.training.recipes import recipe

    list(as_toml(recipe(str(path))))


# A command a line of its words. What they read is not there, so none comes to do anything.
COMMANDS = (
    "train --recipe=folder --output=run --data=folder:nowhere --set epochs=3 --replicas=2",
    "train --recipe=kinetics_a2_resnet50 --output=run --data=csv:a.csv,b.csv",
    "evaluate nowhere --data=folder:nowhere --views=3 --crops=1 --precise_bn=0 --format=json",
    "explain nowhere a.png b.png --output=pictures --samples=3",
    "predict nowhere a.png --views=3 --crops=3 --top=2 --format=json",
    "predict nowhere a.mp4 --timeline --output=dir --every=0.5",
    "export nowhere --output=dir --formats=saved_model,onnx --samples=a.png",
    "benchmark nowhere --format=json",
    "convert nowhere.pth --model=resnet50 --output=a.weights.h5 --classes=3",
    "prepare folder:nowhere --output=dir --short_side=20 --quality=80 --fps=5 --task=video",
    "prepare csv:nowhere.csv --output=dir --root=elsewhere --fold=2",
    "ablate --table=2 --data=folder:nowhere --output=dir --seeds=2 --set epochs=1",
    "summary a2_resnet9000 --format=json",
    "recipes nowhere.toml --format=toml",
    "help nowhere",
    "completion nowhere",
)


def command_seeds(folder: Path) -> Iterable[Path]:
    for number, words in enumerate(COMMANDS):
        path = folder / f"{number:02}.arguments"
        path.write_text("\n".join(words.split()))
        yield path


def run_command(path: Path) -> None:
    import a2keras.__main__ as command

    words = path.read_bytes().replace(b"\0", b"").split(b"\n")
    command.run([os.fsdecode(word) for word in words])


CLUSTER = (
    '{"cluster": {"chief": ["a:1"], "worker": ["b:2", "c:3"]}, '
    '"task": {"type": "worker", "index": 1}}'
)
SLURM = {
    "SLURM_PROCID": "1",
    "SLURM_STEP_NODELIST": "n[08-10,12],gpu1",
    "SLURM_STEP_TASKS_PER_NODE": "2(x3),1,1",
    "SLURM_JOB_ID": "77",
}


def cluster_seeds(folder: Path) -> Iterable[Path]:
    (folder / "tf_config.json").write_text(CLUSTER)
    yield folder / "tf_config.json"
    (folder / "slurm.variables").write_text("\n".join(f"{k}={v}" for k, v in SLURM.items()))
    yield folder / "slurm.variables"


def read_cluster(path: Path) -> None:
    from a2keras.training.compute.cluster import cluster_from

    text = path.read_text(errors="surrogateescape")
    if path.suffix == ".json":
        cluster_from({"TF_CONFIG": text})
    else:
        cluster_from(dict(line.partition("=")[::2] for line in text.split("\n")))


READERS = (
    Reader("tables", table_seeds, open_table, 75),
    Reader("ucf101_lists", ucf_seeds, open_ucf, 50),
    Reader("kinetics_lists", kinetics_seeds, open_kinetics, 50),
    Reader("folder_names", name_seeds, open_names, 75),
    Reader("settings", setting_seeds, read_settings, 500),
    Reader("recipe_files", recipe_seeds, read_recipe, 500),
    Reader("command_lines", command_seeds, run_command, 150, sound="clean"),
    Reader("clusters", cluster_seeds, read_cluster, 500),
)
