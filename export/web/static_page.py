"""A static page that classifies images or clips in the browser and shows what was attended to."""

import itertools
import shutil
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from a2keras.documents import write_json
from a2keras.export import onnx
from a2keras.export.parity import Compute
from a2keras.export.saved_model import INPUT, OUTPUT
from a2keras.export.web import runtime

if TYPE_CHECKING:
    from a2keras.export.classifier import Classifier

PAGE = Path(__file__).with_name("page")
MODEL = "model.onnx"
# What the page calls the files of the runtime. Not every web server knows what .mjs is.
RUNTIME = ("ort.js", "ort.wasm")


def write(classifier: "Classifier", path: Path) -> dict[str, Any]:
    """Writes the page, its model and the runtime into a new directory.

    Nothing that it needs lies elsewhere: the directory can be put on any web server. `model.onnx`
    gives the attention maps beside the probabilities.

    Returns:
        What `onnx.write` returns, and the runtime's version.

    Raises:
        UserError: as `onnx.write` and `runtime.runtime_directory`.
    """
    onnx.packages("tf2onnx", "onnx")  # before 33 MB are fetched
    fetched = runtime.runtime_directory()
    shutil.copytree(PAGE, path)
    (path / "runtime").mkdir()
    for kept, name in zip(runtime.FILES, RUNTIME, strict=True):
        shutil.copyfile(fetched / kept, path / "runtime" / name)
    report = onnx.write(classifier, path / MODEL, maps=True)
    classifier.preprocessing.save(path)
    document = {
        "name": classifier.model.name,
        "model": {"path": MODEL, "bytes": (path / MODEL).stat().st_size},
        "input": INPUT,
        "output": OUTPUT,
        "shape": list(classifier.preprocessing.input_shape),
        "attention": [
            {
                "layer": layer,
                "gather": onnx.GATHER.format(number),
                "distribution": onnx.DISTRIBUTION.format(number),
            }
            for number, layer in enumerate(report["attention"])
        ],
    }
    write_json(path / "page.json", document)
    return report | {"runtime": f"{runtime.PACKAGE} {runtime.VERSION}"}


def maps_of(path: Path) -> dict[str, Compute]:
    """The maps that a page's model gives: {"gather_maps": …, "distribution_maps": …}.

    Both take pixels (1, *input_shape) to the maps of all layers behind one another, (1, values),
    as multiples of a uniform map's weight. Empty for a network without double attention.
    """
    session = onnx.session(path / MODEL)
    names = {each.name for each in session.get_outputs()}

    def numbered(name: str) -> list[str]:
        """As the layers are in order; the file has `gather_10` before `gather_2`."""
        return list(itertools.takewhile(names.__contains__, map(name.format, itertools.count())))

    wanted = {
        "gather_maps": numbered(onnx.GATHER),
        "distribution_maps": numbered(onnx.DISTRIBUTION),
    }

    def of(outputs: list[str]) -> Compute:
        def compute(pixels: np.ndarray) -> np.ndarray:
            maps = session.run(outputs, {INPUT: pixels.astype(np.float32)})
            return _in_a_row(maps, outputs[0].startswith("gather"))

        return compute

    return {name: of(outputs) for name, outputs in wanted.items() if outputs}


def maps_of_model(model: Any) -> dict[str, Compute]:
    """What `maps_of` must give, by Keras."""
    from a2keras.attention_maps import attention_maps

    def of(which: int) -> Compute:
        def compute(pixels: np.ndarray) -> np.ndarray:
            named = onnx.double_attention_only(attention_maps(model, pixels.astype(np.float32)))
            return _in_a_row([pair[which] for pair in named.values()], which == 0)

        return compute

    return {"gather_maps": of(0), "distribution_maps": of(1)}


def _in_a_row(maps: list[np.ndarray], gather: bool) -> np.ndarray:
    uniform = [each[0, ..., 0].size if gather else each.shape[-1] for each in maps]
    return np.concatenate(
        [(each * n).reshape(1, -1) for each, n in zip(maps, uniform, strict=True)], axis=-1
    )
