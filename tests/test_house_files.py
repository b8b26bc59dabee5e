"""The house: what is written goes through `files`, what is printed through `console`."""

import ast
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
ROOMS = {"a2keras": "a2keras", "models": "a2keras.models", "training": "a2keras.training",
         "export": "a2keras.export"}  # fmt: skip

# Calls that write to a path: {name of the method or function: which argument is the path}; None:
# the object whose method it is.
WRITING = {
    "write_text": None, "write_bytes": None, "touch": None, "mkdir": None, "rename": None,
    "replace": None, "rmdir": None, "rmtree": None, "unlink": None, "symlink_to": None,
    "hardlink_to": None,
    "savefig": 0, "save": 0, "save_weights": 0, "savez": 0, "savez_compressed": 0, "write_out": 0,
    "TFRecordWriter": 0, "ArrayRecordWriter": 0, "copyfile": 1, "copytree": 1, "copy2": 1,
    "move": 1,
    "makedirs": 0, "remove": 0, "ZipFile": 0, "open": 0,
}  # fmt: skip
# Where a name comes from that may be written to: a place that is new, and nobody else's.
NEW = {"replacing", "replacing_directory", "TemporaryDirectory", "TemporaryFile", "BytesIO",
       "StringIO"}  # fmt: skip
OF_FILES = {"files", "a2keras.files"}
EXCEPTIONS = {
    "a2keras.files": "it is what the others go through",
    "a2keras.measuring": "the kernel's file in /proc, by which it forgets a peak",
    "a2keras.training.prepare.storing": "its work folder, locked; a cloud has no links",
    "a2keras.training.prepare.shards": "into a new folder, then renamed, or in a cloud: as above",
    "a2keras.training.prepare.builder": "into TFDS's own new folder",
    "a2keras.training.data.records.manifest": "into TFDS's own new folder",
}
# (module, call): reason, of single calls.
SINGLE = {
    ("a2keras.training.run.checkpoints", "partial.mkdir()"): "fails where anything is there",
    ("a2keras.training.run.checkpoints", "partial.rename(final)"): "takes its place whole",
    (
        "a2keras.training.run.checkpoints",
        "(directory / STATE).open('wb')",
    ): "into the new directory",
    ("a2keras.training.run.checkpoints", "np.savez(file, **checkpoint.state)"): "into that file",
    (
        "a2keras.training.run.checkpoints",
        "(directory / SUMS).write_text(''.join(sums))",
    ): "as above",
    (
        "a2keras.training.run.checkpoints",
        "(directory / DOCUMENT).write_text(as_json(checkpoint.document, indent=None) + '\\n')",
    ): "as above",
    ("a2keras.training.run.events", "path.touch(exist_ok=False)"): "fails where anything is there",
    ("a2keras.training.run.events", "tf.io.TFRecordWriter(str(path))"): "the file just touched",
    (
        "a2keras.training.explanation.explain",
        "output.mkdir(parents=True, exist_ok=True)",
    ): "the user's --output",
    ("a2keras.export.timeline", "directory.mkdir(parents=True, exist_ok=True)"): "the user's",
    (
        "a2keras.training.ablation.running",
        "ablation.output.mkdir(parents=True, exist_ok=True)",
    ): "the user's",
    (
        "a2keras.training.run.directory",
        "self.path.mkdir(parents=True, exist_ok=True)",
    ): "the user's --output",
    (
        "a2keras.training.data.records.tfds",
        "cache.mkdir(parents=True, exist_ok=True)",
    ): "the user's cache",
    (
        "a2keras.training.data.contents",
        "path.parent.mkdir(parents=True, exist_ok=True)",
    ): "the user's cache",
    ("a2keras.export.reading.worker", "Path('/proc/self/oom_score_adj').write_text('1000')"): (
        "a setting of the process, no file"
    ),
    ("a2keras.export.web.runtime", "kept.mkdir(parents=True, exist_ok=True)"): "the user's cache",
    ("a2keras.export.web.static_page", "shutil.copytree(PAGE, path)"): "into a new export",
    ("a2keras.export.web.static_page", "(path / 'runtime').mkdir()"): "into a new export",
    (
        "a2keras.export.web.static_page",
        "shutil.copyfile(fetched / kept, path / 'runtime' / name)",
    ): "into a new export",
    (
        "a2keras.export.serving.servable",
        "tf.saved_model.save(holder, str(version), signatures=served)",
    ): ("into a new export"),
    ("a2keras.export.saved_model", "archive.write_out(str(path), verbose=False)"): (
        "into a new export, or a temporary directory"
    ),
}
# Records of ours that write themselves, through `files`.
OWN_SAVE = {
    "recipe", "preprocessing", "checkpoints", "self", "found", "draw_samples", "Manifest",
    "report",
}  # fmt: skip


def modules():
    """{module name: path} of the four rooms."""
    for folder, package in ROOMS.items():
        for path in sorted((ROOT / folder).rglob("*.py")):
            parts = path.relative_to(ROOT / folder).with_suffix("").parts
            yield ".".join([package, *parts]).removesuffix(".__init__"), path


def names_in(node):
    return {each.id for each in ast.walk(node) if isinstance(each, ast.Name)}


def last_name(function):
    return function.attr if isinstance(function, ast.Attribute) else getattr(function, "id", "")


def new_places(tree):
    """Names that are bound to what `NEW` gives, or to something within that."""
    found = set()
    for node in ast.walk(tree):
        pairs = []
        if isinstance(node, ast.With):
            pairs = [(item.context_expr, item.optional_vars) for item in node.items]
        elif isinstance(node, ast.Assign):
            pairs = [(node.value, node.targets[0])]
        for value, target in pairs:
            if isinstance(target, ast.Name) and isinstance(value, ast.Call):
                made = {last_name(c.func) for c in ast.walk(value) if isinstance(c, ast.Call)}
                if made & NEW or names_in(value) & found:
                    found.add(target.id)
    return found


def writes_past_files(sources):
    """Calls that write, of {module: source}, past `files`; as (module, call)."""
    for module, source in sources.items():
        if module in EXCEPTIONS:
            continue
        for function in [n for n in ast.walk(ast.parse(source)) if isinstance(n, ast.FunctionDef)]:
            fresh = new_places(function)
            for node in ast.walk(function):
                if isinstance(node, ast.Call) and _writes(node, fresh):
                    yield module, ast.unparse(node)


def _writes(call, fresh):
    name = last_name(call.func)
    if name not in WRITING:
        return False
    argument = WRITING[name]
    owner = call.func.value if isinstance(call.func, ast.Attribute) else None
    if owner is not None and ast.unparse(owner) in OF_FILES | {"dataclasses"}:
        return False
    texts = [ast.unparse(each) for each in (*call.args, *(k.value for k in call.keywords))]
    if name in ("open", "ZipFile"):
        modes = [text for text in texts if text.strip("'rbtU+") in ("w", "a", "x")]
        writing = modes or any("O_CREAT" in text for text in texts)
        if not writing:
            return False
        argument = None if owner is not None and len(call.args) == 1 else 0
    if name in ("replace", "rename", "remove") and (
        owner is None or len(call.args) != 1 or call.keywords
    ):
        return False  # of texts, lists, models: a path's takes one path
    if name == "save" and (owner is None or last_name(getattr(owner, "func", owner)) in OWN_SAVE):
        return False
    if owner is None and argument is None:  # a function of `files` by its own name
        return False
    if owner is not None and ast.unparse(owner) in ("shutil", "os"):
        argument = argument or 0
    target = owner if argument is None else (call.args[argument] if call.args else call)
    return not names_in(target) & fresh


def test_what_is_written_goes_through_files():
    sources = {name: path.read_text() for name, path in modules()}
    found = set(writes_past_files(sources))
    assert found - SINGLE.keys() == set()
    assert SINGLE.keys() - found == set()  # no exception outlives its reason


@pytest.mark.parametrize(
    "code",
    [
        "path.write_text('a')",
        "(run / 'a.json').write_bytes(b'')",
        "open(path, 'w')",
        "path.open('wb')",
        "open(path, mode='a')",
        "drawing.savefig(path, dpi=3)",
        "image.save(path)",
        "model.save_weights(path)",
        "np.save(path, array)",
        "np.savez(path, a=array)",
        "shutil.copyfile(a, path)",
        "shutil.rmtree(path)",
        "path.mkdir(parents=True)",
        "partial.replace(path)",
        "tf.io.TFRecordWriter(str(path))",
        "os.open(path, os.O_CREAT)",
    ],
)
def test_a_write_past_files_is_seen(code):
    assert list(writes_past_files({"m": f"def f(path):\n    {code}"}))


@pytest.mark.parametrize(
    "code",
    [
        "with files.replacing(path) as partial: image.save(partial)",
        "with replacing(path) as partial, partial.open('wb') as file: np.savez(file, a=a)",
        "with replacing_directory(path) as new: shutil.copytree(a, new / 'x')",
        "buffer = io.BytesIO(); image.save(buffer)",
        "files.write_text(path, 'a')",
        "write_bytes(path, content)",
        "files.remove(path)",
        "text.replace('a', 'b')",
        "path.open('rb')",
        "dataclasses.replace(recipe, seed=1)",
    ],
)
def test_a_write_through_files_is_none(code):
    assert not list(writes_past_files({"m": f"def f(path):\n    {code}"}))


# Modules whose standard output another process reads: no person, no terminal.
WORKERS = {"a2keras.training.ablation.step_cost"}


def prints(sources):
    for module, source in sources.items():
        for node in ast.walk(ast.parse(source)):
            if isinstance(node, ast.Call):
                name = ast.unparse(node.func)
                if name in ("print", "pprint") or name.endswith(("stdout.write", "stderr.write")):
                    yield module, ast.unparse(node)


def test_what_is_printed_goes_through_the_console():
    sources = {name: path.read_text() for name, path in modules()}
    for module in WORKERS | {"a2keras.console"}:
        sources.pop(module)
    assert list(prints(sources)) == []
    assert len(list(prints({"m": "print(1)\nsys.stderr.write('a')\nshow('a')"}))) == 2


# Where documents are read that are none of files.
OTHER_JSON = {
    "a2keras.training.data.splits": "of another process of ours, through a pipe",
    "a2keras.export.reading.worker": "of the process that has started it, through a pipe",
    "a2keras.models.keras_files": "of a .keras file, with a limit of its own",
    "a2keras.documents": "the reader itself",
    "a2keras.training.ablation.step_cost": "of another process of ours, through a pipe",
    "a2keras.training.compute.messages": "of another worker of ours, through the collective",
}


def foreign_loads(sources):
    for module, source in sources.items():
        for node in ast.walk(ast.parse(source)):
            if isinstance(node, ast.Attribute):
                name = ast.unparse(node)
                if name in ("json.load", "json.loads", "np.load", "numpy.load"):
                    yield module, name


# Files of ours, of the kernel, or whose place has been looked at; all others go through
# `files.open_file`, which waits for no pipe.
OTHER_READS = {
    "a2keras.files": "it is what the others go through",
    "a2keras.measuring": "the kernel's files in /proc",
    "a2keras.models.weights.fetching": "labels of this package",
    "a2keras.models.names": "the names in Keras itself",
    "a2keras.export.serving.servable": "just written",
    "a2keras.export.web.runtime": "just fetched",
}


def foreign_reads(sources):
    for module, source in sources.items():
        for node in ast.walk(ast.parse(source)):
            if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute):
                owner, name = ast.unparse(node.func.value), node.func.attr
                texts = {ast.unparse(each) for each in node.args}
                reads = name in ("read_bytes", "read_text") or (
                    name == "open" and (not texts or texts & {"'rb'", "'r'"})
                )
                if reads and owner not in OF_FILES | {"importlib.resources"}:
                    yield module, ast.unparse(node)


def test_files_of_others_are_opened_by_files():
    sources = {name: path.read_text() for name, path in modules()}
    assert {module for module, _ in foreign_reads(sources)} == OTHER_READS.keys()
    code = "path.open('rb')\npath.open()\n(a / 'b').read_bytes()\np.read_text()\nopen_file(path)"
    assert len(list(foreign_reads({"m": code}))) == 4


def test_files_are_read_with_limits():
    sources = {name: path.read_text() for name, path in modules()}
    found = {module for module, _ in foreign_loads(sources)}
    assert found - OTHER_JSON.keys() == set()
    assert list(foreign_loads({"m": "map(json.loads, lines)\nnp.load(path)"})) == [
        ("m", "json.loads"), ("m", "np.load"),
    ]  # fmt: skip
