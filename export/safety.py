"""Nothing that a model's file brings along is run: what is refused before a library reads it.

A network is a graph of known operations. A `.keras` file may also name code to import or hold
some, and the graphs of TensorFlow have operations that read and write files or call Python.
"""

import json
import re
import zipfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from a2keras.errors import UserError

MAX_CONFIG_BYTES = 64 * 1024**2  # of the config.json in a .keras file; the zoo's have up to 1 MB

# Keras refuses most of these itself; here they have one sentence, whatever its version.
CODE = ("Lambda", "__lambda__", "TorchModuleWrapper", "JaxLayer", "FlaxLayer", "TFSMLayer")
KNOWN_MODULES = re.compile(
    r"builtins|a2keras(\.\w+)*|keras(\.src)?"
    r"(\.(activations|constraints|dtype_policies|initializers|layers|models|ops|quantizers"
    r"|regularizers)(\.\w+)*)?"
)

# Parts of the names of TensorFlow's operations that reach beyond the graph: into files, into
# Python, to other processes and devices, to standard output.
REACHING = re.compile(
    r"File|Reader|Writer|Save|Restore|Checkpoint|LoadAndRemap|Dataset|Iterator|Snapshot|RecordInput"
    r"|PyFunc|Print|Summary|Debug|Sql|DecodeProto|EncodeProto|Session|Send$|Recv$|RemoteCall|Rpc"
    r"|Collective|Nccl|TPU|Heartbeat|feed(En|De)queue"
)


def check_keras(path: Path) -> None:
    """Refuses a `.keras` file with code, or with classes that are neither Keras's nor a2keras's.

    A class that the caller's own program has registered is known, too.

    Raises:
        UserError: that, or no whole `.keras` file.
    """
    import keras

    for entry in _objects(_config(path)):
        name = str(entry["class_name"])
        registered = str(entry.get("registered_name") or "")
        for each in (name, registered):
            if re.split(r"[>.]", each)[-1] in CODE:
                layer = "Lambda" if "ambda" in each else re.split(r"[>.]", each)[-1]
                raise UserError(
                    f"{path} holds a {layer} layer, that is code of its own, which is not run"
                )
        if name == "function":
            name = str(entry.get("config"))
        module = entry.get("module") or "builtins"
        if keras.saving.get_registered_object(registered) is not None:
            continue
        # A name with dots would lead from one module into another.
        if not KNOWN_MODULES.fullmatch(str(module)) or not name.isidentifier():
            raise UserError(
                f"{path} asks for {name} of {module}: only what belongs to Keras and a2keras is "
                "loaded, and no module is imported for a file"
            )


def _config(path: Path) -> Any:
    try:
        with zipfile.ZipFile(path) as archive:
            size = archive.getinfo("config.json").file_size
            if size <= MAX_CONFIG_BYTES:
                config = json.loads(archive.read("config.json"))
                if isinstance(config, dict):
                    config.pop("compile_config", None)  # of training; it is not loaded
                return config
        reason = f"its config.json has {size} bytes, more than {MAX_CONFIG_BYTES}"
    except Exception as error:  # a damaged archive, or JSON that is too deep
        reason = sentence(error)
    raise UserError(f"{path} is no whole .keras file: {reason}")


def _objects(config: Any) -> Iterator[dict]:
    """Everything in a config that names a class, however deep."""
    pending = [config]
    while pending:
        entry = pending.pop()
        if isinstance(entry, dict):
            if "class_name" in entry:
                yield entry
            pending += entry.values()
        elif isinstance(entry, list):
            pending += entry


def check_saved_model(path: Path) -> None:
    """Refuses a SavedModel that could touch files or run Python when it is loaded or asked.

    Looks at every function that loading gives, and at whatever these call. The two functions that
    write and read its own variables are not among them: TensorFlow 2 never calls those.

    Raises:
        ValueError: it is damaged, was not written by TensorFlow 2, or has such an operation.
    """
    from tensorflow.core.protobuf import saved_model_pb2

    document = saved_model_pb2.SavedModel()
    try:
        document.ParseFromString((path / "saved_model.pb").read_bytes())
    except Exception as error:  # of protobuf, by a name that changes with its version
        raise ValueError("its saved_model.pb is damaged or cut off") from error
    if not document.meta_graphs:
        raise ValueError("its saved_model.pb is damaged or cut off")
    for graph in document.meta_graphs:
        if not graph.object_graph_def.nodes:
            raise ValueError("it was not written by TensorFlow 2")
        functions = {each.signature.name: each for each in graph.graph_def.library.function}
        pending, seen = list(graph.object_graph_def.concrete_functions), set()
        while pending:
            name = pending.pop()
            if name in seen or name not in functions:
                continue
            seen.add(name)
            for node in functions[name].node_def:
                if REACHING.search(node.op):
                    raise ValueError(
                        f"it holds the operation {node.op}, which reaches beyond the network and "
                        "is not run"
                    )
                for value in node.attr.values():
                    pending += [value.func.name, *(each.name for each in value.list.func)]
                pending.append(node.op)  # an operation may be a function's name


def check_tflite(content: bytes) -> None:
    """Refuses TensorFlow's own operations (Flex), among which are those that touch files.

    Raises:
        ValueError: there is one, or the file is damaged.
    """
    from ai_edge_litert import schema_py_generated as schema

    try:
        model = schema.Model.GetRootAs(content, 0)
        codes = [model.OperatorCodes(index) for index in range(model.OperatorCodesLength())]
        names = [(code.CustomCode() or b"").decode(errors="replace") for code in codes]
    except Exception as error:  # offsets into nowhere: errors of struct, NumPy and Python
        raise ValueError("it is damaged, cut off or no LiteRT model") from error
    for name in names:
        if name.startswith("Flex"):
            raise ValueError(f"it holds {name}, which is none of LiteRT's built-in operations")


def sentence(error: BaseException) -> str:
    """The first line of what a library says, which may be pages."""
    lines = str(error).strip().splitlines() or [type(error).__name__]
    return lines[0][:200]
