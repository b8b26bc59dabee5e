"""What the graphs of a model's file may hold: is looked at before a library runs any of it."""

import contextlib
import tempfile
from collections.abc import Iterator
from pathlib import Path, PurePosixPath
from typing import Any

from a2keras import files
from a2keras.errors import printable
from a2keras.export.allowed_operations import ONNXRUNTIME, TENSORFLOW, TENSORFLOW_SAVER

ONNX_DOMAINS = ("", "ai.onnx", "ai.onnx.ml")
# What TensorFlow needs to know of a function. Others tell its optimizers what to put in its place.
FUNCTION_ATTRIBUTES = {"_construction_context", "_input_shapes"}


@contextlib.contextmanager
def checked_saved_model(path: Path) -> Iterator[Path]:
    """What is loaded instead of a SavedModel: what `check_saved_model` leaves of it.

    Raises:
        ValueError: see there.
    """
    document = check_saved_model(path)
    for name in ("variables", "assets"):
        files.check_all_files(path / name)
    with tempfile.TemporaryDirectory(prefix="a2keras-") as scratch:
        copy = Path(scratch)
        files.write_bytes(copy / "saved_model.pb", document.SerializeToString())
        for name in ("variables", "assets"):
            (copy / name).symlink_to((path / name).absolute())
        yield copy


def check_saved_model(path: Path) -> Any:
    """Refuses a SavedModel with other operations than those of `allowed_operations`.

    All its functions are looked at, those that nothing calls among them: loading infers the shapes
    of each, and computes constants on the way.

    Returns:
        Its document, without the functions that save and restore its variables, and without what
        would choose and set up TensorFlow's optimizers, which may exchange functions.

    Raises:
        ValueError: it is damaged, was not written by TensorFlow 2, or has such an operation.
        OSError: it cannot be read.
    """
    from tensorflow.core.protobuf import saved_model_pb2

    document, content = saved_model_pb2.SavedModel(), files.read_bytes(path / "saved_model.pb")
    try:
        document.ParseFromString(content)
    except Exception as error:  # of protobuf, by a name that changes with its version
        raise ValueError("its saved_model.pb is damaged or cut off") from error
    if not document.meta_graphs:
        raise ValueError("its saved_model.pb is damaged or cut off")
    if not all(graph.object_graph_def.nodes for graph in document.meta_graphs):
        raise ValueError("it was not written by TensorFlow 2")
    if len(document.meta_graphs) != 1:  # TensorFlow would run what its version 1 has run
        raise ValueError(f"it must hold one graph. Received: {len(document.meta_graphs)}")
    (graph,) = document.meta_graphs
    for asset in graph.asset_file_def:
        if not _is_inside(asset.filename):
            raise ValueError(f"it names the file {printable(asset.filename)} outside of its own")
    savers = _saver_functions(graph)
    _check_operations(graph, savers)
    _remove_functions(graph, savers)
    _remove_settings(graph)
    return document


def _remove_functions(graph: Any, names: set[str]) -> None:
    """Removes functions, and the nodes that call them."""
    library, nodes = graph.graph_def.library, graph.graph_def.node
    kept = [each for each in library.function if each.signature.name not in names]
    others = [each for each in nodes if names.isdisjoint(_called_by(each))]
    for field, left in ((library.function, kept), (nodes, others)):
        copies = [type(each).FromString(each.SerializeToString()) for each in left]
        del field[:]
        field.extend(copies)
    graph.ClearField("saver_def")


def _remove_settings(graph: Any) -> None:
    from tensorflow.core.protobuf import config_pb2

    settings = config_pb2.ConfigProto(allow_soft_placement=True).SerializeToString()
    for function in graph.graph_def.library.function:
        for name in set(function.attr) - FUNCTION_ATTRIBUTES:
            del function.attr[name]
    for nodes in (graph.graph_def.node, *(f.node_def for f in graph.graph_def.library.function)):
        for node in nodes:
            if "config_proto" in node.attr:
                node.attr["config_proto"].s = settings


def _check_operations(graph: Any, savers: set[str]) -> None:
    functions = {each.signature.name: each for each in graph.graph_def.library.function}
    bodies = [("", graph.graph_def.node), *((k, v.node_def) for k, v in functions.items())]
    for name, nodes in bodies:
        for node in nodes:
            if node.op not in TENSORFLOW | (TENSORFLOW_SAVER if name in savers else set()):
                raise ValueError(
                    f"it holds the operation {printable(node.op)}, which is none of those that "
                    "computing a network needs, and is not run"
                )
            for called in _called_by(node):
                if called not in functions:
                    raise ValueError(f"it calls {printable(called)}, which it does not hold")


def _saver_functions(graph: Any) -> set[str]:
    """The functions that write and read the variables, for loaders of version 1.

    `saver_def` names the two nodes that call them. TensorFlow 2 leaves these nodes alone and reads
    variables by operations of its own. A function that anything else refers to is none of them.
    """
    definition = graph.saver_def
    names = {definition.save_tensor_name.split(":")[0], definition.restore_op_name}
    named: set[str] = set()
    others: set[str] = set()
    for node in graph.graph_def.node:
        (named if node.name in names else others).update(_called_by(node))
    library = graph.graph_def.library
    for function in library.function:
        for node in function.node_def:
            others.update(_called_by(node))
    for each in (*library.gradient, *library.registered_gradients):
        others.add(each.gradient_func)
    objects = graph.object_graph_def.SerializeToString()  # they name functions in many places
    return {name for name in named - others if name.encode() not in objects}


def _called_by(node: Any) -> Iterator[str]:
    """The functions that a node names; arguments of functions may be functions, too."""
    pending = list(node.attr.values())
    while pending:
        value = pending.pop()
        for function in (value.func, *value.list.func):
            if function.name:
                yield function.name
            pending += function.attr.values()


def check_onnx(path: Path) -> Any:
    """Refuses an `.onnx` file with operators of others, or with weights outside of its folder.

    Raises:
        ValueError: that, or it is damaged.
    """
    import onnx

    try:
        model = onnx.load(path, load_external_data=False)
    except Exception as error:  # of protobuf, by a name that changes with its version
        raise ValueError("it is damaged, cut off or no ONNX model") from error
    functions = {(each.domain, each.name) for each in model.functions}
    for message in _messages(model):
        if isinstance(message, onnx.NodeProto):
            domain, name = message.domain, message.op_type
            known = domain in ONNX_DOMAINS and onnx.defs.has(name, domain.removesuffix("ai.onnx"))
            ours = domain == "com.microsoft" and name in ONNXRUNTIME
            if not known and not ours and (domain, name) not in functions:
                raise ValueError(
                    f"it holds the operation {printable(f'{domain}.{name}'.lstrip('.'))}, which is "
                    "none of ONNX's, and is not run"
                )
        elif isinstance(message, onnx.TensorProto):
            for entry in message.external_data:
                if entry.key == "location":
                    _check_external(entry.value, path.absolute().parent)


def _check_external(name: str, folder: Path) -> None:
    if not _is_inside(name, folder):
        raise ValueError(f"it names the file {printable(name)} outside of its folder")
    if (folder / name).exists() and not (folder / name).is_file():
        raise ValueError(f"it names {printable(name)}, which is no file")


def _messages(message: Any) -> Iterator[Any]:
    """A message of protobuf and all that are in it."""
    pending = [message]
    while pending:
        message = pending.pop()
        yield message
        for field, value in message.ListFields():
            if field.message_type is not None:
                pending += [value] if hasattr(value, "ListFields") else value


def _is_inside(name: str, folder: Path | None = None) -> bool:
    """Whether a name that a file gives leads to something below its folder."""
    place = PurePosixPath(name.replace("\\", "/"))
    if place.is_absolute() or ".." in place.parts or "\0" in name or ":" in name:
        return False
    return folder is None or (folder / place).resolve().is_relative_to(folder.resolve())
