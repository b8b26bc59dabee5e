"""A request as TensorFlow Serving's REST interface takes it: JSON, a row for each example."""

import base64
from pathlib import Path
from typing import Any

from a2keras.documents import as_json
from a2keras.files import make_directory, write_text

FILE = Path("assets.extra/request.json")


def write(version: Path, signature: str, inputs: dict[str, Any]) -> None:
    """Writes a request to ask a server with: `curl --data @request.json …:predict`.

    Args:
        version: the directory of the SavedModel.
        signature: which one to ask.
        inputs: {input: tensor}, whose first axis is the batch.
    """
    path = version / FILE
    make_directory(path.parent)
    write_text(path, as_json(request(signature, inputs), indent=None) + "\n")


def request(signature: str, inputs: dict[str, Any]) -> dict[str, Any]:
    """The document of a request; bytes are {"b64": …}, as JSON has none."""
    columns = {name: _plain(tensor.numpy().tolist()) for name, tensor in inputs.items()}
    rows = zip(*columns.values(), strict=True)
    instances = [dict(zip(columns, row, strict=True)) for row in rows]
    return {"signature_name": signature, "instances": instances}


def _plain(value: Any) -> Any:
    if isinstance(value, list):
        return [_plain(each) for each in value]
    return {"b64": base64.b64encode(value).decode()} if isinstance(value, bytes) else value
