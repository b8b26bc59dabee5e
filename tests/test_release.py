"""A release: what its files hold and its metadata say; what images and a public host go by."""

import importlib.metadata
import re
import runpy
import shutil
import subprocess
import sys
import tarfile
import types
import zipfile
from pathlib import Path
from unittest import mock

import pytest
import yaml
from packaging.requirements import Requirement

import a2keras

ROOT = Path(__file__).parents[1]
WORKFLOWS = sorted((ROOT / ".github" / "workflows").glob("*.yml"))


@pytest.fixture(scope="module")
def setup():
    """The names of setup.py, and as `arguments` what it gives to setuptools.

    Setuptools itself is not imported here: it cannot be once its rival, distutils, has been.
    """
    arguments = {}
    setuptools = types.SimpleNamespace(setup=arguments.update)
    with mock.patch.dict(sys.modules, {"setuptools": setuptools}):
        names = runpy.run_path(str(ROOT / "setup.py"))
    return names | {"arguments": arguments}


def targets(text):
    """Where the links and pictures of Markdown lead, outside of blocks of code."""
    return re.findall(r"\]\(([^)\s]+)\)", re.sub(r"^```.*?^```", "", text, flags=re.M | re.S))


def test_the_long_description_leads_to_files_of_this_version(setup):
    here, home = targets((ROOT / "README.md").read_text()), setup["HOME"]
    found = targets(setup["arguments"]["long_description"])
    assert len(found) == len(here) > 10
    for target, address in zip(here, found, strict=True):
        assert (ROOT / target.partition("#")[0]).is_file(), target
        kind = "raw" if target.endswith(".png") else "blob"
        assert address == f"{home}/{kind}/v{a2keras.__version__}/{target}"


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("[a](docs/a.md)", "[a](HOME/blob/vV/docs/a.md)"),
        (
            "[a](docs/a.md#b-c), [b](b.md)",
            "[a](HOME/blob/vV/docs/a.md#b-c), [b](HOME/blob/vV/b.md)",
        ),
        ("![a](docs/a.png)", "![a](HOME/raw/vV/docs/a.png)"),
        ("[![a](a.png)](b.md)", "[![a](HOME/raw/vV/a.png)](HOME/blob/vV/b.md)"),
        ("[a](#b) [c](https://d.example/e)", "[a](#b) [c](https://d.example/e)"),
        ("```\nlayers[0](x)\n```\n[a](b)", "```\nlayers[0](x)\n```\n[a](HOME/blob/vV/b)"),
    ],
)
def test_links_by_hand(setup, text, expected):
    expected = expected.replace("HOME", setup["HOME"]).replace("vV", f"v{a2keras.__version__}")
    assert setup["with_addresses"](text) == expected


def test_the_version_stands_in_one_line_and_opens_the_changelog(setup):
    assert setup["arguments"]["version"] == a2keras.__version__
    newest = re.search(
        r"^## \[(.+)\] - \d{4}-\d\d-\d\d$", (ROOT / "CHANGELOG.md").read_text(), re.M
    )
    assert newest[1] == a2keras.__version__
    assert "version" not in yaml.safe_load((ROOT / "CITATION.cff").read_text())


def tracked():
    done = subprocess.run(
        ["git", "ls-files"], capture_output=True, text=True, cwd=ROOT, check=False
    )
    if done.returncode:
        pytest.skip("not in a repository")
    return [name for name in done.stdout.splitlines() if (ROOT / name).is_file()]


def in_the_wheel(name, folders):
    """Where a file of the repository lies in the wheel, if its room is one of `folders`."""
    room, _, rest = name.partition("/")
    packages = {folder: package.replace(".", "/") for package, folder in folders.items()}
    return f"{packages[room]}/{rest}" if room in packages and rest else None


@pytest.mark.slow
def test_both_files_hold_all_that_they_should_and_nothing_else(setup, tmp_path):
    names = tracked()
    for name in names:
        (tmp_path / "source" / name).parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(ROOT / name, tmp_path / "source" / name)
    for stray in ("build/lib/a2keras/old.py", ".venv/bin/x.py", "tests/__pycache__/x.pyc"):
        (tmp_path / "source" / stray).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / "source" / stray).touch()
    build = [sys.executable, "-m", "build", "--no-isolation", "--outdir", tmp_path]
    done = subprocess.run([*build, tmp_path / "source"], capture_output=True, text=True, check=True)
    assert "no files found" not in done.stdout + done.stderr

    stem = f"a2keras-{a2keras.__version__}"
    with tarfile.open(tmp_path / f"{stem}.tar.gz") as archive:
        held = {each.name.partition("/")[2] for each in archive if each.isfile()}
    made = {"PKG-INFO", "setup.cfg"} | {
        name for name in held if name.startswith("a2keras.egg-info/")
    }
    assert held - made == set(names)

    with zipfile.ZipFile(tmp_path / f"{stem}-py3-none-any.whl") as archive:
        held = set(archive.namelist())
    modules = {in_the_wheel(name, setup["arguments"]["package_dir"]) for name in names} - {None}
    about = ("METADATA", "WHEEL", "RECORD", "entry_points.txt", "top_level.txt", "licenses/LICENSE")
    assert held == modules | {f"{stem}.dist-info/{name}" for name in about}


def test_the_images_are_built_from_what_reaches_them(setup):
    """.dockerignore lets through what setup.py reads, and the locks that the Dockerfile names."""
    allowed = set(re.findall(r"^!(.+)$", (ROOT / ".dockerignore").read_text(), re.M))
    rooms = set(setup["arguments"]["package_dir"].values())
    files = {"setup.py", "pyproject.toml", "MANIFEST.in", "README.md", "LICENSE"}
    assert allowed == rooms | files | {"requirements"}
    locks = re.findall(r"/requirements/(\S+\.txt)", (ROOT / "Dockerfile").read_text())
    assert sorted(locks) == ["cuda.txt", "lock.txt"]


def pins(name):
    text = (ROOT / "requirements" / name).read_text()
    return dict(re.findall(r"^([\w.-]+)==([^\s;\\]+)", text, re.M))


def test_the_server_is_of_the_version_that_exports():
    (version,) = re.findall(r"^ARG SERVING=(.+)$", (ROOT / "Dockerfile.serving").read_text(), re.M)
    assert version == pins("lock.txt")["tensorflow-serving-api"]


def test_cudas_libraries_are_those_of_the_locked_tensorflow():
    installed = importlib.metadata.version("tensorflow")
    if installed != pins("lock.txt")["tensorflow"]:
        pytest.skip(f"TensorFlow {installed} is not lock.txt's")
    wanted = [Requirement(each) for each in importlib.metadata.requires("tensorflow")]
    wanted = [each for each in wanted if each.marker and "and-cuda" in str(each.marker)]
    found = pins("cuda.txt")
    assert len(wanted) > 5
    assert {each.name for each in wanted} <= found.keys()
    assert [str(each) for each in wanted if found[each.name] not in each.specifier] == []


def steps(workflow):
    for job in workflow["jobs"].values():
        yield from job.get("steps", [job])


@pytest.mark.parametrize("path", WORKFLOWS, ids=lambda path: path.stem)
def test_workflows_may_read_and_name_their_actions_by_major_version(path):
    workflow = yaml.safe_load(path.read_text())
    assert workflow["permissions"] == {"contents": "read"}
    used = [step["uses"] for step in steps(workflow) if "uses" in step]
    assert used
    for action in used:
        assert re.fullmatch(r"[\w/-]+@(release/)?v\d+|\./\.github/workflows/\w+\.yml", action)


def test_every_supported_python_is_tried_on_a_public_host(setup):
    tests = yaml.safe_load((ROOT / ".github" / "workflows" / "test.yml").read_text())
    matrix = tests["jobs"]["tests"]["strategy"]["matrix"]
    classifiers = setup["arguments"]["classifiers"]
    listed = [each.rpartition(" ")[2] for each in classifiers if "Python :: 3." in each]
    assert matrix["python"] == listed
    named = {name for each in matrix["include"] for name in each["target"].split()}
    known = re.findall(r"^([\w-]+):", (ROOT / "Makefile").read_text(), re.M)
    assert named | set(matrix["target"]) <= set(known)


def test_hooks_name_what_there_is():
    (repository,) = yaml.safe_load((ROOT / ".pre-commit-config.yaml").read_text())["repos"]
    assert repository["repo"] == "local"  # nothing is fetched
    named = re.findall(r"tests/\w+\.py", str(repository["hooks"]))
    assert named and all((ROOT / name).is_file() for name in named)
