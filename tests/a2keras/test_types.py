"""What editors and type checkers know of the public names in a program of a user's."""

import inspect
import json
import re
import subprocess
import sys
import typing
import venv
from pathlib import Path

import pytest

import a2keras
from a2keras.position_layer import PositionLayer

ROOT = Path(__file__).parents[2]
RIGHT = """
import a2keras
import keras
from a2keras import DoubleAttention, NonLocal, SqueezeExcitation, models
from a2keras.models import A2ResNet50Video, weights

layer = DoubleAttention(8, 4, association="left", name="block", dtype="mixed_float16")
features = layer(keras.Input((7, 5, 3)), training=True)
outputs, gather_maps, distribution_maps = layer(features, return_attention_scores=True)
NonLocal(kernel_initializer="he_normal", kernel_regularizer=None, trainable=False)
SqueezeExcitation(8)(features, mask=None)

model = models.A2ResNet50(classes=10, stem="small", input_shape=(None, None, 3))
models.MobileNetV2(False, positions=["conv4_3"], attention="a2", pooling="avg")
models.I3D(weights="kinetics400", branch_2="3x3x3")
a2keras.models.build("a2_resnet11", classes=3)
names: list[str] = a2keras.models.list_models()
weights.inflate(model, A2ResNet50Video())
parameters: int = a2keras.count(models.features(model)).parameters
a2keras.insert_blocks(model, after=["conv4_2_out"], block=DoubleAttention)

run = a2keras.train("folder", data="folder:photos", output="runs/photos", epochs=6)
top1: float = a2keras.evaluate(run)["top1"]
mean: float = a2keras.evaluate([run, "runs/other"])["mean"]["top1"]["mean"]
label: str = a2keras.predict(run, ["a.jpg"])[0].label
path: str = a2keras.export(run, "out", "onnx")["artefacts"]["onnx"]["path"]
"""
# Lines that are wrong: mypy's kind of error, pyright's, and a word that both of them say.
ARGUMENT = ("call-arg", "reportCallIssue")
OVERLOAD = ("call-overload", "reportCallIssue")
TYPE = ("arg-type", "reportArgumentType")
ATTRIBUTE = ("attr-defined", "reportAttributeAccessIssue")
WRONG = {
    "models.A2ResNet50(clases=10)": (*ARGUMENT, "clases"),
    "a2keras.models.C3D(stem='small')": (*ARGUMENT, "stem"),
    "models.ResNet50(variant='b')": (*ARGUMENT, "variant"),
    "A2ResNet50Video(classes='10')": (*TYPE, "classes"),
    "models.I3D(positions='conv4_2')": (*TYPE, "positions"),
    "DoubleAttention(descriptor=3)": (*ARGUMENT, "descriptor"),
    "DoubleAttention(nam='block')": (*ARGUMENT, "nam"),
    "NonLocal(kernel_initialiser='zeros')": (*ARGUMENT, "kernel_initialiser"),
    "SqueezeExcitation(ratio='16')": (*TYPE, "ratio"),
    "layer(features, return_attention_score=True)": (*OVERLOAD, "__call__"),
    "models.features(model, 3)": (*ARGUMENT, "features|positional"),
    "a2keras.DoubleAttentoin": (*ATTRIBUTE, "DoubleAttentoin"),
    "a2keras.nothing": (*ATTRIBUTE, "nothing"),
    "models.A2ResNet51": (*ATTRIBUTE, "A2ResNet51"),
    "a2keras.models.nothing": (*ATTRIBUTE, "nothing"),
    "a2keras.train('folder', output='x', epoch=6)": (*ARGUMENT, "epoch"),
    "a2keras.train('folder', output='x', epochs='6')": (*TYPE, "epochs"),
    "a2keras.evaluate(run)['topp1']": ("typeddict-item", "reportGeneralTypeIssues", "topp1"),
    "a2keras.export(run)": (*ARGUMENT, "output"),
}


@pytest.fixture(scope="module")
def project(tmp_path_factory):
    """A user's project: two programs, and an environment that a2keras is installed into."""
    project = tmp_path_factory.mktemp("project")
    venv.create(project / "env", with_pip=False)
    site = next((project / "env/lib").glob("python*")) / "site-packages"
    (site / "dependencies.pth").write_text(f"{Path(pytest.__file__).parents[1]}\n")
    (site / "a2keras").mkdir()
    for path in (ROOT / "a2keras").iterdir():
        (site / "a2keras" / path.name).symlink_to(path)
    for room in ("models", "training", "export"):
        (site / "a2keras" / room).symlink_to(ROOT / room)
    (project / "right.py").write_text(RIGHT)
    (project / "wrong.py").write_text(RIGHT + "\n".join(WRONG) + "\n")
    return project


def mypy(project, program):
    """[(line, kind, sentence)] of the errors in a program."""
    # Keras has no annotations; the user says that this is known.
    options = ["--strict", "--disable-error-code=import-untyped", "--cache-dir=cache"]
    done = subprocess.run(
        [sys.executable, "-m", "mypy", *options, "--python-executable=env/bin/python", program],
        capture_output=True, text=True, cwd=project,
    )  # fmt: skip
    pattern = re.compile(rf"{program}:(\d+): error: (.*)  \[([\w-]+)\]")
    lines = [line for line in done.stdout.splitlines() if ": error: " in line]
    assert done.returncode == bool(lines), done.stderr
    found = [pattern.fullmatch(line) for line in lines]
    assert all(found), lines
    return [(int(each[1]), each[3], each[2]) for each in found]


def pyright(project, program):
    """The same by pyright, in its own settings, from its packaging for pip."""
    settings = {"typeCheckingMode": "standard"}
    (project / "pyrightconfig.json").write_text(json.dumps(settings))
    command = ["basedpyright", "--outputjson", "--pythonpath=env/bin/python", program]
    done = subprocess.run(
        [sys.executable, "-m", *command], capture_output=True, text=True, cwd=project
    )
    found = json.loads(done.stdout)["generalDiagnostics"]
    found = [each for each in found if each["severity"] == "error"]  # no warnings
    assert done.returncode == bool(found), done.stderr
    return [(each["range"]["start"]["line"] + 1, each["rule"], each["message"]) for each in found]


@pytest.fixture(params=[mypy, pyright], ids=["mypy", "pyright"])
def checker(request):
    pytest.importorskip({mypy: "mypy", pyright: "basedpyright"}[request.param])
    return request.param


@pytest.mark.slow
def test_a_right_program_has_no_errors(project, checker):
    assert checker(project, "right.py") == []


@pytest.mark.slow
def test_a_misspelt_name_or_argument_is_an_error(project, checker):
    errors = {line: (kind, sentence) for line, kind, sentence in checker(project, "wrong.py")}
    expected = dict(enumerate(WRONG.items(), 1 + RIGHT.count("\n")))
    assert sorted(errors) == list(expected)
    for number, (line, (of_mypy, of_pyright, word)) in expected.items():
        kind, sentence = errors[number]
        assert kind == (of_mypy if checker is mypy else of_pyright), line
        assert re.search(word, sentence), (line, sentence)


@pytest.mark.slow
def test_an_editor_completes(project):
    jedi = pytest.importorskip("jedi")
    environment = jedi.Project(project, environment_path=project / "env")
    for typed, completions in {
        "models.A2ResNet50(cla": {"classes=", "classifier_activation="},
        "a2keras.models.C3D(att": {"attention="},
        "a2keras.DoubleAttention(desc": {"descriptors="},
    }.items():
        program = f"import a2keras\nfrom a2keras import models\n{typed}"
        script = jedi.Script(program, path=project / "new.py", project=environment)
        assert completions <= {each.name for each in script.complete(3, len(typed))}, typed


@pytest.mark.parametrize("name", ["DoubleAttention", "NonLocal", "SqueezeExcitation"])
def test_a_call_takes_what_the_checkers_are_told(name):
    taken = dict(inspect.signature(getattr(a2keras, name).call).parameters)
    taken.setdefault("training", None)  # Keras keeps it from a `call` that has no use for it
    overloads = typing.get_overloads(PositionLayer.__call__)
    assert len(overloads) == 2
    for each in overloads:
        assert list(inspect.signature(each).parameters) == list(taken)
