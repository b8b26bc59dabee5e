"""The house: which room may import which, and that the built package holds every module."""

import ast
import graphlib
import os
import re
import runpy
import shutil
import subprocess
import sys
import venv
from pathlib import Path

import pytest

import a2keras

ROOT = Path(__file__).parents[1]
ROOMS = {"a2keras": "a2keras", "models": "a2keras.models", "training": "a2keras.training",
         "export": "a2keras.export"}  # fmt: skip
MODELS = {"a2keras", "a2keras.models", "a2keras.models.preprocessing", "a2keras.models.weights"}
DATA = {"a2keras.training", "a2keras.training.data"} | MODELS
COMPUTE = {"a2keras.training.compute"} | DATA
RUN = {"a2keras.training.run"} | COMPUTE
EVALUATION = {"a2keras.training.evaluation"} | RUN
EXPORT = {"a2keras.export"} | MODELS
# What the modules of a folder may import besides one another. Arrows only run downwards.
MAY_IMPORT = {
    "a2keras": set(),
    "a2keras.models.preprocessing": {"a2keras"},
    "a2keras.models.weights": MODELS,
    "a2keras.models": MODELS,
    "a2keras.models.commands": MODELS,
    "a2keras.training": MODELS,
    "a2keras.training.recipes": DATA,
    "a2keras.training.data": DATA | {"a2keras.training.data.lists", "a2keras.training.data.views"},
    "a2keras.training.data.lists": DATA,
    "a2keras.training.data.records": DATA,
    "a2keras.training.data.views": DATA,
    "a2keras.training.compute": DATA,
    "a2keras.training.run": COMPUTE,
    "a2keras.training.prepare": DATA | {"a2keras.training.data.records"},
    "a2keras.training.evaluation": RUN,
    "a2keras.training.explanation": EVALUATION,
    "a2keras.training.ablation": EVALUATION,
    "a2keras.training.interface": EVALUATION | {
        "a2keras.training.explanation", "a2keras.training.recipes",
    },
    "a2keras.training.commands": EVALUATION | {
        "a2keras.training.ablation", "a2keras.training.interface", "a2keras.training.prepare",
        "a2keras.training.recipes",
    },
    "a2keras.export": EXPORT | {
        "a2keras.export.interface", "a2keras.export.litert", "a2keras.export.reading",
        "a2keras.export.serving", "a2keras.export.web",
    },
    "a2keras.export.litert": EXPORT,
    "a2keras.export.serving": EXPORT,
    "a2keras.export.web": EXPORT,
    "a2keras.export.reading": EXPORT | {"a2keras.export.litert"},
    # It reads labelled data as training does: the one arrow from one of the two rooms to the other.
    "a2keras.export.benchmark": EXPORT | {"a2keras.export.reading"} | DATA,
    "a2keras.export.interface": EXPORT | {"a2keras.export.benchmark"},
    "a2keras.export.commands": EXPORT | {"a2keras.export.benchmark", "a2keras.export.interface"},
}  # fmt: skip
# The package itself names `models`, so that it is there after `import a2keras`, and for type
# checkers the functions and types of other rooms, which a program gets when it asks for them.
DOORS = {
    "a2keras": {
        "a2keras.models", "a2keras.training", "a2keras.training.interface",
        "a2keras.training.run", "a2keras.export.interface",
    },
}  # fmt: skip
# Imports that close a circle, and why.
CIRCLES = {
    ("a2keras.models.weights.fetching", "a2keras.models"): "a published file goes through its net",
    ("a2keras.models.weights.start", "a2keras.models"): "published weights with their network",
}
# Heavy or optional: imported in the function that uses them.
ONLY_WHERE_USED = {
    "ai_edge_litert", "av", "jax", "matplotlib", "mlflow", "onnx", "onnxruntime", "openvino", "PIL",
    "sklearn", "tensorflow_datasets", "tensorflow_io", "torch", "tqdm", "wandb",
}  # fmt: skip
# Modules built on one of these; they are themselves imported in the functions that use them.
BUILT_ON = {
    "a2keras.training.compute.jax": {"jax"},
    "a2keras.training.prepare.builder": {"tensorflow_datasets"},
}
KERAS_ONLY = {"a2keras", "a2keras.models"}  # rooms for every backend


def modules():
    """{module name: path} of the four rooms."""
    found = {}
    for folder, package in ROOMS.items():
        for path in sorted((ROOT / folder).rglob("*.py")):
            parts = path.relative_to(ROOT / folder).with_suffix("").parts
            name = ".".join([package, *parts]).removesuffix(".__init__")
            found[name] = path
    return found


def folder_of(module):
    """The package that a module, or a name of it, lies in; None: in none of ours."""
    within = [each for each in MAY_IMPORT if module == each or module.startswith(each + ".")]
    return max(within, key=len, default=None)


def room_of(module):
    rooms = [r for r in ROOMS.values() if module == r or module.startswith(r + ".")]
    return max(rooms, key=len, default=None)


def imports(tree, top_level_only):
    """Names of what a syntax tree imports: at its top, or anywhere, for types too."""
    nodes = tree.body if top_level_only else ast.walk(tree)
    for node in nodes:
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, "imports are absolute"
            yield from (f"{node.module}.{alias.name}" for alias in node.names)


def wrong_arrows(sources):
    """Imports that break the rules, of {module name: source}."""
    for module, source in sources.items():
        tree, room, folder = ast.parse(source), room_of(module), folder_of(module)
        for name in imports(tree, top_level_only=False):
            if name.split(".")[0] in {"models", "training", "export"}:
                yield f"{module} imports {name}, which is not its installed name"
            target = folder_of(name)
            may = {folder} | MAY_IMPORT[folder] | DOORS.get(module, set())
            if target and target not in may:
                yield f"{module} imports {name}: {folder} may not know {target}"
        for name in imports(tree, top_level_only=True):
            first = name.split(".")[0]
            if first in BUILT_ON.get(module, set()):
                continue
            if first in ONLY_WHERE_USED or (first == "tensorflow" and room in KERAS_ONLY):
                yield f"{module} imports {first} at its top"


def test_arrows_run_downwards():
    sources = {name: path.read_text() for name, path in modules().items()}
    assert len(sources) > 20
    assert list(wrong_arrows(sources)) == []


def public_names(sources):
    """Where modules import what only `import a2keras` gives, of {module name: source}."""
    for module, source in sources.items():
        for node in ast.walk(ast.parse(source)):
            if isinstance(node, ast.ImportFrom) and node.module == "a2keras":
                yield from ((module, e.name) for e in node.names if e.name in a2keras.__all__)


def test_no_module_imports_what_the_command_goes_without():
    assert list(public_names({name: path.read_text() for name, path in modules().items()})) == []
    assert list(public_names({"m": "from a2keras import files, count"})) == [("m", "count")]


@pytest.mark.parametrize(
    ("module", "source", "complaint"),
    [
        ("a2keras.counting", "from a2keras.models import build", "may not know a2keras.models"),
        ("a2keras.export.x", "def f():\n  import a2keras.training.y", "may not know a2keras.tr"),
        ("a2keras.training.x", "from a2keras import export", "may not know a2keras.export"),
        (
            "a2keras.training.data.x",
            "from a2keras.training.run.y import z",
            "a2keras.training.data may not know a2keras.training.run",
        ),
        (
            "a2keras.training.compute.x",
            "if TYPE_CHECKING:\n    from a2keras.training.run.y import Z",
            "may not know a2keras.training.run",
        ),
        ("a2keras.models.x", "import training.y", "not its installed name"),
        ("a2keras.models.x", "import av", "imports av at its top"),
        ("a2keras.models.x", "import tensorflow as tf", "imports tensorflow at its top"),
    ],
)
def test_a_wrong_arrow_is_seen(module, source, complaint):
    assert any(complaint in each for each in wrong_arrows({module: source}))


def dependencies(sources):
    """{module: modules that it imports anywhere}, of {module name: source}."""
    found = {}
    for module, source in sources.items():
        names = imports(ast.parse(source), top_level_only=False)
        targets = {name if name in sources else name.rpartition(".")[0] for name in names}
        found[module] = {
            each
            for each in targets & sources.keys() - {module}
            if (module, each) not in CIRCLES and folder_of(each) not in DOORS.get(module, ())
        }
    return found


def box_of(module):
    """A folder without folders in it as a whole; of the others each module by itself."""
    folder = folder_of(module)
    if folder == "a2keras" or any(each.startswith(folder + ".") for each in MAY_IMPORT):
        return module
    return folder


def test_no_imports_run_in_circles():
    sources = {name: path.read_text() for name, path in modules().items()}
    graph = dependencies(sources)
    graphlib.TopologicalSorter(graph).prepare()
    boxes = {box_of(module): set() for module in graph}
    for module, targets in graph.items():
        boxes[box_of(module)] |= {box_of(each) for each in targets} - {box_of(module)}
    graphlib.TopologicalSorter(boxes).prepare()
    for module, target in CIRCLES:
        assert f"from {target.rpartition('.')[0] or target} import" in sources[module]


def test_a_circle_is_seen():
    """Also one of types, within functions."""
    sources = {
        "a2keras.x": "from a2keras.y import z",
        "a2keras.y": "def f():\n    import a2keras.x",
    }
    with pytest.raises(graphlib.CycleError):
        graphlib.TopologicalSorter(dependencies(sources)).prepare()


def test_every_folder_has_its_row():
    packages = {name for name, path in modules().items() if path.name == "__init__.py"}
    assert packages == set(MAY_IMPORT)


_UNPICKLES = re.compile(r"(c?[pP]ickle|dill|cloudpickle|joblib|shelve)\.(loads?|open|Unpickler)")


_KERAS, _KERAS_FILES = ("keras.", "tf.keras."), "a2keras.models.keras_files"


def unrestricted_loads(sources):
    """Calls that could run what a file says, of {module name: source}."""
    for module, source in sources.items():
        for node in ast.walk(ast.parse(source)):
            if not isinstance(node, ast.Call):
                continue
            name = ast.unparse(node.func)
            options = {each.arg: ast.unparse(each.value) for each in node.keywords}
            if _UNPICKLES.fullmatch(name):
                yield f"{module} calls {name}"
            if name == "torch.load" and options.get("weights_only") != "True":
                yield f"{module} calls torch.load without weights_only=True"
            if options.get("allow_pickle", "False") != "False":
                yield f"{module} calls {name} with allow_pickle"
            if name.startswith(_KERAS) and name.endswith("load_model") and module != _KERAS_FILES:
                yield f"{module} calls {name}, past {_KERAS_FILES}"
            if options.get("safe_mode", "True") != "True" or "enable_unsafe_des" in name:
                yield f"{module} calls {name} without Keras's safe mode"


def named(text):
    """{folder: names of the modules below its heading}, of ARCHITECTURE.md."""
    parts = re.split(r"^##+ (.+)$", text, flags=re.M)
    return {
        heading: re.findall(r"`(\w+\.py)`", part)
        for heading, part in zip(parts[1::2], parts[2::2], strict=True)
    }


def test_every_module_is_named_once_in_its_place():
    found = named((ROOT / "ARCHITECTURE.md").read_text())
    for folder in {path.parent for path in modules().values()}:
        files = {path.name for path in folder.glob("*.py")} - {"__init__.py"}
        assert sorted(found[folder.relative_to(ROOT).as_posix()]) == sorted(files), folder


def test_nothing_that_a_file_holds_is_run():
    sources = {name: path.read_text() for name, path in modules().items()}
    assert any("keras.models.load_model(" in source for source in sources.values())
    assert list(unrestricted_loads(sources)) == []


@pytest.mark.parametrize(
    ("source", "complaint"),
    [
        ("pickle.load(file)", "m calls pickle.load"),
        ("pickle.loads(data)", "m calls pickle.loads"),
        ("pickle.Unpickler(file)", "m calls pickle.Unpickler"),
        ("joblib.load(path)", "m calls joblib.load"),
        ("torch.load(path)", "m calls torch.load without weights_only=True"),
        ("torch.load(path, weights_only=False)", "m calls torch.load without weights_only=True"),
        ("np.load(path, allow_pickle=True)", "m calls np.load with allow_pickle"),
        (
            "keras.models.load_model(path)",
            "m calls keras.models.load_model, past a2keras.models.keras_files",
        ),
        (
            "keras.saving.load_model(path)",
            "m calls keras.saving.load_model, past a2keras.models.keras_files",
        ),
        ("load_model(path, safe_mode=safe)", "m calls load_model without Keras's safe mode"),
        ("keras.config.enable_unsafe_deserialization()", "without Keras's safe mode"),
    ],
)
def test_an_unrestricted_load_is_seen(source, complaint):
    (found,) = unrestricted_loads({"m": f"def f():\n    return {source}"})
    assert found.endswith(complaint)


def test_every_package_is_listed_in_setup():
    listed = set(re.findall(r'^        "(a2keras[\w.]*)",$', (ROOT / "setup.py").read_text(), re.M))
    packages = {n for n, path in modules().items() if path.name == "__init__.py"}
    assert packages == listed


def test_no_package_hides_the_mapped_rooms():
    assert not any((ROOT / "a2keras" / room).exists() for room in ("models", "training", "export"))


@pytest.mark.slow
@pytest.mark.parametrize("backend", ["jax"])
def test_another_backend_does_not_load_tensorflow(backend, tmp_path):
    pytest.importorskip(backend)
    # Keras itself tries Pillow, Matplotlib and scikit-learn.
    code = (
        "import sys, keras; before = set(sys.modules);"
        "import a2keras.models; a2keras.models.build('a2_resnet11', classes=3);"
        "loaded = set(sys.modules) - before | {'tensorflow'} & set(sys.modules);"
        f"print(sorted(loaded & {ONLY_WHERE_USED | {'tensorflow'} - {backend}!r}))"
    )
    environment = {**os.environ, "KERAS_BACKEND": backend}
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, env=environment, cwd=tmp_path
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout.strip() == "[]"


@pytest.mark.slow
def test_the_wheel_installs_elsewhere_and_every_module_imports(tmp_path):
    """Built, installed without its dependencies beside those of this environment, and imported."""
    # From a copy, since a build leaves its folders in the place that it builds.
    sources = ["setup.py", "pyproject.toml", "README.md", *ROOMS]
    (tmp_path / "source").mkdir()
    for name in sources:
        copy = shutil.copytree if (ROOT / name).is_dir() else shutil.copy
        copy(ROOT / name, tmp_path / "source" / name)
    build = [sys.executable, "-m", "build", "--wheel", "--no-isolation", "--outdir", tmp_path]
    subprocess.run([*build, tmp_path / "source"], check=True, capture_output=True)
    (wheel,) = tmp_path.glob("a2keras-*.whl")
    venv.create(tmp_path / "fresh", with_pip=False)
    python = tmp_path / "fresh" / "bin" / "python"
    site = next((tmp_path / "fresh" / "lib").glob("python*")) / "site-packages"
    install = [sys.executable, "-m", "pip", "install", "-q", "--no-deps", "--target", site, wheel]
    subprocess.run(install, check=True, capture_output=True)
    # The dependencies come from this environment, by path: without its own a2keras, which is an
    # editable install and stands in a .pth file that PYTHONPATH does not read.
    dependencies = Path(pytest.__file__).parents[1]
    code = f"import importlib, sys; [importlib.import_module(m) for m in {sorted(modules())!r}];" \
        "import a2keras; print(a2keras.__file__)"  # fmt: skip
    code = f"import sys; sys.path.append({str(dependencies)!r}); {code}"
    done = subprocess.run([python, "-c", code], capture_output=True, text=True, cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    assert Path(done.stdout.strip().splitlines()[-1]).is_relative_to(site)
    assert (site / "a2keras/py.typed").is_file() and (
        site / "a2keras/models/__init__.pyi"
    ).is_file()
    page = {path.name for path in (ROOT / "export" / "web" / "page").iterdir()}
    assert page == {path.name for path in (site / "a2keras" / "export" / "web" / "page").iterdir()}


def test_no_line_names_a_path_of_one_machine():
    tracked = subprocess.run(
        ["git", "ls-files"], capture_output=True, text=True, cwd=ROOT, check=False
    ).stdout.split()
    pattern = re.compile("/" + r"(home|root|work|Users)/\w")
    for name in tracked:
        path = ROOT / name
        if path.suffix in {".py", ".md", ".toml", ".txt", ".yml"} or path.name == "Makefile":
            assert not pattern.search(path.read_text()), name


def without_hash(text):
    """The requirements of a file that do not stand as `name==version` with at least one hash."""
    requirements = re.sub(r"\\\n", " ", re.sub(r"^#.*\n", "", text, flags=re.M)).split("\n")
    pinned = re.compile(r"[\w.-]+==\S+( ; [^#]+?)?( +--hash=sha256:[0-9a-f]{64})+")
    return [each for each in requirements if each and not pinned.fullmatch(each)]


def test_every_requirement_is_pinned_and_has_hashes():
    found = sorted((ROOT / "requirements").glob("*.txt"))
    files = [file for file in found if file.name != "newest.txt"]  # which is there to be unpinned
    assert len(files) < len(found)
    locks = runpy.run_path(str(ROOT / "requirements" / "lock.py"))["FILES"]
    assert [file.name for file in files] == sorted(locks)
    for file in files:
        assert without_hash(file.read_text()) == [], "see `make lock`"
        assert "://" not in file.read_text()


def test_a_requirement_without_hash_is_seen():
    text = f"# why\na==1 \\\n    --hash=sha256:{64 * 'a'}\nb==2\nc>=3 --hash=sha256:{64 * 'c'}\n"
    assert without_hash(text) == ["b==2", f"c>=3 --hash=sha256:{64 * 'c'}"]


def test_hashes_are_added_to_a_pin_and_stay_with_it():
    lock = runpy.run_path(str(ROOT / "requirements" / "lock.py"))
    text = (
        "# why\nPy_Yaml==1.2 \\\n    --hash=sha256:b\nnew==3\nlocal==4+cpu ; os_name == 'nt' \\\n"
    )
    text += "    --hash=sha256:d\n"
    found = {("py-yaml", "1.2"): {"sha256:a"}, ("new", "3"): {"sha256:c"}}
    assert lock["pins"](text) == {
        ("py-yaml", "1.2"): {"sha256:b"},
        ("new", "3"): set(),
        ("local", "4+cpu"): {"sha256:d"},
    }
    assert lock["with_hashes"](text, found) == (
        "# why\nPy_Yaml==1.2 \\\n    --hash=sha256:a \\\n    --hash=sha256:b\n"
        "new==3 \\\n    --hash=sha256:c\nlocal==4+cpu ; os_name == 'nt' \\\n    --hash=sha256:d\n"
    )
