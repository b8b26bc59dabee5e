"""`.keras` files of unknown origin: looked at before Keras reads them, and loaded, for everybody.

Nothing that a file brings along is run. A network is a graph of known layers; a `.keras` file may
also name code to import or hold some, and its HDF5 part may lead to other files.
"""

import contextlib
import functools
import json
import math
import re
import sys
import zipfile
from collections.abc import Iterator
from pathlib import Path, PurePosixPath
from typing import Any

from a2keras.errors import UserError, printable, reason_of
from a2keras.files import open_file
from a2keras.models.preprocessing.spec import Preprocessing
from a2keras.models.weights import weight_files

MAX_CONFIG_BYTES = 64 * 1024**2  # of each JSON document in a .keras file; the zoo's have up to 1 MB
UNSAVED = 2**24  # numbers of a network that a file need not have; 64 MB in float32
MEMBERS = ("metadata.json", "config.json", "model.weights.h5")

# Keras refuses most of these itself; here they have one sentence, whatever its version.
CODE = ("Lambda", "__lambda__", "TorchModuleWrapper", "JaxLayer", "FlaxLayer", "TFSMLayer")
KNOWN_MODULES = re.compile(
    r"builtins|a2keras(\.\w+)*|keras(\.src)?"
    r"(\.(activations|constraints|dtype_policies|initializers|layers|models|ops|quantizers"
    r"|regularizers)(\.\w+)*)?"
)
OUR_MODULES = re.compile(r"(a2keras|keras)(\..+)?")


def load(path: str | Path) -> Any:
    """The Keras model of a `.keras` file, without its optimizer.

    Raises:
        UserError: it cannot be loaded, or `check` refuses it; names the path.
    """
    path = Path(path)
    count = check(path)
    import keras

    import a2keras.models.zoo  # noqa: F401  registers the layers that our networks have

    try:
        with _weights_up_to(count):
            return keras.models.load_model(path, compile=False)
    except Exception as error:  # whatever a damaged archive or a foreign layer gives rise to
        raise UserError(
            f"{printable(path)} cannot be loaded as keras: {reason_of(error)}"
        ) from error


@contextlib.contextmanager
def _weights_up_to(count: int) -> Iterator[None]:
    """Ends the building of a network with far more weights than its file has, before their memory
    is taken: Keras compares the two when all are there, and tells nobody before.

    Raises:
        ValueError: that.
    """
    import keras

    make = keras.Variable.__init__
    taken, most = 0, count + UNSAVED

    @functools.wraps(make)
    def counted(self: Any, initializer: Any, shape: Any = None, *args: Any, **kwargs: Any) -> None:
        nonlocal taken
        taken += math.prod(shape or ())
        check_taken()
        make(self, initializer, shape, *args, **kwargs)

    def check_taken() -> None:
        if taken > most:
            raise ValueError(f"its config.json asks for more weights than the {count} that it has")

    keras.Variable.__init__ = counted
    try:
        yield
        check_taken()  # a layer may have been content without its weights
    finally:
        keras.Variable.__init__ = make


def load_single(path: str | Path) -> Any:
    """As `load`, a model of one input and one output, neither in a list.

    Raises:
        UserError: as `load`, or it has others.
    """
    return with_single_ends(load(path), f"{printable(path)} cannot be loaded as keras")


def with_single_ends(model: Any, problem: str) -> Any:
    """A model over the same layers whose input and output are a tensor each, in no list.

    Raises:
        UserError: `{problem}: {reason}`: it has several, or is a layer or a model with a `call` of
            its own, which have no symbolic ends.
    """
    try:
        if len(model.inputs) != 1 or len(model.outputs) != 1:
            raise ValueError("it must have one input and one output")
        import keras

        # An input that was saved as a list of one would have to be given as one.
        return keras.Model(model.inputs[0], model.outputs[0], name=model.name)
    except Exception as error:
        raise UserError(f"{problem}: {reason_of(error)}") from error


def load_classifier(path: str | Path, preprocessing: Preprocessing) -> Any:
    """As `load_single`, a model that takes raw pixels of the shape that `preprocessing` makes.

    Raises:
        UserError: as `load_single`, or the two do not fit each other.
    """
    model = load_single(path)
    preprocessing.check_shapes(path, model.input_shape[1:], model.output_shape[1:])
    from a2keras.models.trunks import taking_raw

    return taking_raw(model, preprocessing.takes)


@contextlib.contextmanager
def computing() -> Iterator[None]:
    """Tells as a `UserError` that a file's network cannot be computed, for whatever reason."""
    try:
        yield
    except UserError:
        raise
    except Exception as error:  # of any layer, and of the backend
        raise UserError(f"the network cannot be computed: {reason_of(error)}") from error


def check(path: Path) -> int:
    """Refuses a `.keras` file with code, with classes that are neither Keras's nor a2keras's, or
    with weights that lie elsewhere.

    A class that the caller's own program has registered is known, too.

    Returns:
        How many weights it has.

    Raises:
        UserError: that, or no whole `.keras` file.
    """
    import keras

    from a2keras.counting_layers import APPLICATIONS

    where = printable(path)
    for entry in _objects(_config(path)):
        name = str(entry["class_name"])
        registered = str(entry.get("registered_name") or "")
        for each in (name, registered):
            if re.split(r"[>.]", each)[-1] in CODE:
                layer = "Lambda" if "ambda" in each else re.split(r"[>.]", each)[-1]
                raise UserError(
                    f"{where} holds a {layer} layer, that is code of its own, which is not run"
                )
        if name == "function":
            name = str(entry.get("config"))
        module = entry.get("module") or "builtins"
        if keras.saving.get_registered_object(registered) is not None:
            continue
        if f"{module}.{name}" in APPLICATIONS:
            continue
        # A name with dots would lead from one module into another.
        if not KNOWN_MODULES.fullmatch(str(module)) or not name.isidentifier():
            raise UserError(
                f"{where} asks for {printable(name)} of {printable(module)}: only what belongs to "
                "Keras and a2keras is loaded, and no module is imported for a file"
            )
    try:
        return weight_files.check(path)
    except Exception as error:  # a damaged HDF5 file gives rise to a dozen types
        reason = reason_of(error)
        if str(path) not in reason:
            reason = f"{where} is no whole .keras file: {reason}"
        raise UserError(reason) from error


def needs_this_program(path: Path) -> bool:
    """Whether a file asks for a class that only the caller's own program knows, by registering it.

    Raises:
        UserError: no whole `.keras` file.
    """
    if (keras := sys.modules.get("keras")) is None:  # then nothing has been registered
        return False
    names = {str(entry.get("registered_name") or "") for entry in _objects(_config(path))}
    found = [keras.saving.get_registered_object(name) for name in names]
    return any(each and not OUR_MODULES.fullmatch(each.__module__) for each in found)


def _config(path: Path) -> Any:
    try:
        with open_file(path) as file, zipfile.ZipFile(file) as archive:
            for name in archive.namelist():
                parts = PurePosixPath(name.replace("\\", "/")).parts
                # Of layers that have files of their own: Keras unpacks them.
                if name not in MEMBERS and (parts[:1] != ("assets",) or ".." in parts):
                    raise ValueError(f"it holds {printable(name)} beside the model")
                size = archive.getinfo(name).file_size
                if name in MEMBERS[:2] and size > MAX_CONFIG_BYTES:
                    raise ValueError(f"its {name} has {size} bytes, more than {MAX_CONFIG_BYTES}")
            config = json.loads(archive.read("config.json"))  # by what Keras reads it with, too
        if isinstance(config, dict):
            config.pop("compile_config", None)  # of training; it is not loaded
        return config
    except Exception as error:  # a damaged archive, or no JSON
        raise UserError(f"{printable(path)} is no whole .keras file: {reason_of(error)}") from error


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
