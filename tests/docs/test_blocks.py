"""Every piece of Python and shell code in README.md and docs/ runs, on small stand-ins for data.

A page's pieces run one after the other in a folder of their own. What a user has (photos, a run) is
put there first (`NEEDS`); networks are tiny, and trainings are of one step (`smaller`). What cannot
be run here says so above its code, with the reason, or names the test that runs it.
"""

import contextlib
import dataclasses
import io
import re
import sys
from pathlib import Path

import keras
import numpy as np
import pytest

sys.path.insert(0, str(Path(__file__).parent))
import shell
import smaller
import standins
from blocks import OTHER, ROOT, RUN, Block, blocks, pages

import a2keras.__main__ as command
from a2keras.export.reading.loaders import load_model
from a2keras.models.preprocessing.spec import Preprocessing

PAGES = [page for page in pages() if any(b.language in RUN and not b.mark for b in blocks(page))]
# What is put into a page's folder before its code runs, and what of it each page needs.
MADE = {
    "photos": standins.photos, "others": standins.photos, "folder": standins.photos,
    "imagenet": standins.splits, "clothing_small": standins.clothes, "clips": standins.videos,
    "ut_interaction": standins.videos, "UCF-101": standins.ucf101,
    "train.csv": standins.kinetics, "photo.jpg": standins.photo, "picture.jpg": standins.photo,
    "pants.jpg": standins.photo,
    "clip.mp4": standins.video, "film.mp4": standins.video, "kicking/11_12_2.avi": standins.video,
    "RUN": "photo run", "RUN1": "fold 1", "RUN2": "fold 2", "RUN3": "fold 3",
    "runs/photos": "photo run", "runs/gestures": "clip run", "runs/video": "clip run",
    "runs/start": "clip run", "exported": "export",
    "digits_video": "clip run", "digits_export": "export", "mine.keras": "network.keras",
    "run/model.keras": "network.keras", "model.keras": "network.keras",
    "labels.txt": standins.labels, "run.weights.h5": smaller.video_weights,
    "a2_resnet50.weights.h5": smaller.image_weights,
}  # fmt: skip
NEEDS = {
    "README.md": "clip.mp4 photo.jpg picture.jpg photos run.weights.h5",
    "docs/ablation.md": "photos clips ut_interaction",
    "docs/data.md": "photos imagenet UCF-101 train.csv",
    "docs/evaluation.md": "photos others photo.jpg folder clip.mp4 UCF-101 RUN RUN1 RUN2 RUN3",
    "docs/hosts.md": "photos mine.keras",
    "docs/litert.md": "photos runs/photos photo.jpg",
    "docs/openvino.md": "runs/photos photo.jpg",
    "docs/own_models.md": "photos photo.jpg model.keras labels.txt",
    "docs/phone.md": "photos runs/photos photo.jpg",
    "docs/predict.md": "clips runs/gestures clip.mp4 film.mp4 photo.jpg exported digits_video "
    "digits_export",
    "docs/results.md": "clothing_small",
    "docs/start.md": "photo.jpg clip.mp4",
    "docs/training.md": "photos clips runs/start",
    "docs/walkthrough.md": "clothing_small pants.jpg ut_interaction kicking/11_12_2.avi",
    "docs/web.md": "clips runs/video clip.mp4",
    "docs/weights.md": "run/model.keras a2_resnet50.weights.h5",
}
# Names that a page's Python takes for granted.
GIVEN = {
    "docs/openvino.md": "import numpy as np\npixels = np.zeros((1, 32, 32, 3), 'float32')",
    "docs/own_models.md": "from keras import Input, Sequential, layers\nmodel = Sequential([Input("
    "(None, None, 3)), layers.GlobalAveragePooling2D(), layers.Dense(2, 'softmax')])",
    "docs/predict.md": "import numpy as np\npixels = np.zeros((1, 32, 32, 3))",
    "docs/weights.md": "import keras\nmodel = keras.models.load_model('run/model.keras')",
}


def call(arguments: list[str]) -> None:
    """The command in this process, quietly."""
    with contextlib.redirect_stdout(io.StringIO()), contextlib.redirect_stderr(io.StringIO()):
        command.run(arguments)


class Made:
    """What other code makes: runs, an export, a network; each when it is first asked for."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def __getitem__(self, name: str) -> Path:
        path = self.folder / name
        if not path.exists():
            with pytest.MonkeyPatch.context() as patch:
                patch.setattr("a2keras.models.build", smaller.network)
                patch.chdir(self.folder)
                self.make(name)
        return path

    def make(self, name: str) -> None:
        if name == "network.keras":
            inputs = keras.Input((32, 32, 3))
            smaller.network("mine", inputs, 5).save(name)
        elif name == "export":
            formats = "--formats=saved_model,tflite_float32,tflite_int8,onnx"
            call(["export", str(self["photo run"]), f"--output={name}", formats])
        elif name.startswith("fold "):
            standins.ucf101(self.folder / "UCF-101") if not Path("UCF-101").exists() else None
            data = ["--data=csv:ucfTrainTestlist", "--set=root=UCF-101", f"--set=fold={name[-1]}"]
            call(["train", *smaller.train(["--recipe=folder", *data, f"--output={name}"])])
        else:
            source = {"photo run": "photos", "clip run": "clips"}[name]
            MADE[source](self.folder / source)
            data = f"--data=folder:{source}"
            call(["train", *smaller.train(["--recipe=folder", data, f"--output={name}"])])


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    return Made(tmp_path_factory.mktemp("made"))


@pytest.fixture
def world(tmp_path, monkeypatch, made):
    """Puts a page's needs into its folder; networks are tiny, and loaded in this process.

    Of ablations, which train dozens of networks, all up to the first training is done.
    """
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr("a2keras.models.build", smaller.network)
    monkeypatch.setattr("a2keras.export.predict.load_apart", load_model)
    monkeypatch.setattr("a2keras.training.ablation.running.ablate", lambda plan, recipes: None)
    monkeypatch.setattr("a2keras.training.ablation.report.markdown", lambda document: "")

    def prepare(page: str) -> Path:
        for name in NEEDS.get(page, "").split():
            make = MADE[name]
            if isinstance(make, str):
                make = standins.copied(made[make])
            make(tmp_path / name)
        return tmp_path

    return prepare


def run_shell(block: Block, folder: Path, made: Made) -> None:
    called = shell.calls(block.text, folder)
    assert called, "nothing is called"
    for program, *arguments in called:
        if program == "a2keras":
            name, *rest = arguments
            rest = [str(made[smaller.PUBLISHED[a]]) if a in smaller.PUBLISHED else a for a in rest]
            call([name, *smaller.COMMANDS.get(name, list)(rest)])
        elif program == "pip":
            extras = re.findall(r"\[(.+?)\]", arguments[-1])
            assert arguments[0] == "install"
            assert all(f'"{extra}": [' in (ROOT / "setup.py").read_text() for extra in extras)
        elif [program, *arguments[:2]] == ["python3", "-m", "http.server"]:
            assert arguments[-2] == "--directory"
        else:
            raise AssertionError(f"no stand-in for {program}")


def run_python(block: Block, names: dict[str, object]) -> None:
    printed = io.StringIO()
    code = compile(smaller.python(block.text), block.place, "exec")
    with contextlib.redirect_stdout(printed):
        exec(code, names)
    if block.output:
        assert printed.getvalue() == block.output


@pytest.mark.slow
@pytest.mark.timeout(900)  # a page has up to a dozen commands
@pytest.mark.parametrize("page", PAGES)
def test_code_runs(page, world, made):
    folder = world(page)
    names: dict[str, object] = {"__name__": "documentation"}
    exec(GIVEN.get(page, ""), names)
    for block in blocks(page):
        if block.language not in RUN or block.mark:
            continue
        try:
            if block.language == "bash":
                run_shell(block, folder, made)
            else:
                run_python(block, names)
        except Exception as error:
            error.add_note(f"in {block.place}:\n{block.text}")
            raise


@pytest.mark.parametrize("fit", ["crop", "letterbox"])
@pytest.mark.parametrize("interpolation", ["bilinear", "bicubic"])
def test_a_phone_s_program_makes_the_network_s_input(fit, interpolation, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    standins.photo(tmp_path / "photo.jpg")
    short_side = 17 if fit == "crop" else None
    options = {"fit": fit, "short_side": short_side, "interpolation": interpolation}
    asked = Preprocessing(("a", "b"), 13, **options)
    (program,) = (b.text for b in blocks("docs/phone.md") if "ImageOps" in b.text)
    program = program.partition("network = ")[0].replace("from ai_edge", "# from ai_edge")
    names = {"preprocessing": dataclasses.asdict(asked)}
    exec(program, names)
    (expected,) = asked.views("photo.jpg")
    assert names["pixels"].shape == (1, 13, 13, 3)
    # PIL rounds otherwise. By the other method it would be 3.
    assert np.abs(names["pixels"][0] - expected).max() <= 1


def test_every_fence_says_what_it_is():
    found = {block.place: block.language for page in pages() for block in blocks(page)}
    assert {place: each for place, each in found.items() if each not in RUN | OTHER} == {}
    fences = sum((ROOT / page).read_text().count("\n```") for page in pages())
    assert fences == 2 * (len(found) + sum(bool(b.output) for p in pages() for b in blocks(p)))


def test_what_is_not_run_says_why_or_where_it_is():
    marks = [block for page in pages() for block in blocks(page) if block.mark]
    assert {block.page for block in marks if block.language not in RUN} == set()
    for block in marks:
        kind, _, rest = block.mark.partition(": ")
        if kind == "not run":
            assert len(rest.split()) >= 4, block.place
        else:
            assert (ROOT / block.mark.removeprefix("run by ")).is_file(), block.place


def test_blocks_are_found_with_what_is_said_of_them():
    text = "a\n\n<!-- not run: no time for it -->\n```bash\nx\n```\n\n"
    text += "```python\n1\n```\n\n```text\n1\n```\n"
    first, second = blocks("a.md", text)
    assert first == Block("a.md", 5, "bash", "x\n", "not run: no time for it", "")
    assert second == Block("a.md", 9, "python", "1\n", "", "1\n")


def test_bash_says_what_is_called(tmp_path):
    (tmp_path / "a b.jpg").touch()
    code = "for i in 1 2; do\n  a2keras x --n=$i \\\n     *.jpg  # why\ndone\n"
    code += "export A=1\nB=2 pip install 'c[d]'\n"
    called = [["a2keras", "x", f"--n={i}", "a b.jpg"] for i in (1, 2)]
    assert shell.calls(code, tmp_path) == [*called, ["pip", "install", "c[d]"]]
    with pytest.raises(AssertionError, match="syntax error"):
        shell.calls("for", tmp_path)


def test_what_is_put_there_is_for_pages_that_are_there():
    assert set(NEEDS) - set(PAGES) == set() and set(GIVEN) - set(PAGES) == set()
    assert {name for names in NEEDS.values() for name in names.split()} == set(MADE)
