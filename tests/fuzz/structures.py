"""Damage within protocol buffers, flatbuffers and XML: the file is whole and wrong."""

import copy
from collections.abc import Callable, Iterator
from random import Random
from typing import Any
from xml.etree import ElementTree

NUMBERS = (0, 1, -1, 2, 3, 7, 127, 255, 65536, 2**31 - 1, -(2**31), 2**63 - 1)
WORDS = ("", "x", "../x", "\0", "DumpTensor", "ReadFile", "pixels", "a" * 5000)


def protobuf(message_of: Callable[[], Any]) -> Callable[[Random, bytes], bytes | None]:
    """Changes of a file that is one message; gives None where it no longer is."""

    def change(random: Random, content: bytes) -> bytes | None:
        message = message_of()
        try:
            message.ParseFromString(content)
        except Exception:  # of protobuf, by a name that changes with its version
            return None
        for _ in range(random.choice((1, 1, 2, 5))):
            _change_message(random, message)
        return message.SerializeToString()

    return change


def _change_message(random: Random, message: Any) -> None:
    """Goes down at random, and changes what is there."""
    while True:
        fields = message.ListFields()
        if not fields:
            return
        field, value = random.choice(fields)
        many = hasattr(value, "append") or hasattr(value, "keys")
        if field.message_type is None or random.random() < 0.1 or (many and not len(value)):
            break
        if many and hasattr(value, "keys"):
            try:
                message = value[random.choice(list(value))]
            except (TypeError, IndexError):
                break
            if not hasattr(message, "ListFields"):
                return
        else:
            message = random.choice(list(value)) if many else value
    name = field.name
    try:
        if many and hasattr(value, "keys"):
            del value[random.choice(list(value))]
        elif many:
            _change_list(random, value)
        elif field.message_type is not None:
            message.ClearField(name)
        else:
            setattr(message, name, _other(random, value))
    except (ValueError, TypeError, OverflowError):  # a value that the field does not take
        message.ClearField(name)


def _change_list(random: Random, values: Any) -> None:
    at = random.randrange(len(values))
    scalar = isinstance(values[at], int | float | str | bytes)
    if scalar and random.random() < 0.6:
        values[at] = _other(random, values[at])
    elif random.random() < 0.5:
        del values[at]
    else:
        again = copy.deepcopy(values[at])
        values.extend([again] * random.choice((1, 3)))


def _other(random: Random, value: Any) -> Any:
    if isinstance(value, bool):
        return not value
    if isinstance(value, float):
        return random.choice((0.0, -1.0, float("nan"), float("inf"), 1e30))
    if isinstance(value, int):
        return random.choice((*NUMBERS, value + 1, value - 1))
    if isinstance(value, str):
        return random.choice(WORDS)
    if isinstance(value, bytes) and value:
        at = random.randrange(len(value))
        return random.choice((value[:at], value[:at] + b"\xff" + value[at + 1 :], b""))
    return value


def flatbuffer(random: Random, content: bytes) -> bytes | None:
    """Changes of a `.tflite` file's tables; gives None where it no longer has any."""
    import flatbuffers
    from ai_edge_litert import schema_py_generated as schema

    try:
        model = schema.ModelT.InitFromObj(schema.Model.GetRootAs(content, 0))
        places = list(_places(model, 0))
        for _ in range(random.choice((1, 1, 2, 4))):
            holder, key = random.choice(places)
            _change_place(random, holder, key)
        builder = flatbuffers.Builder(len(content))
        builder.Finish(model.Pack(builder), file_identifier=b"TFL3")
        return bytes(builder.Output())
    except Exception:  # offsets into nowhere, or a number that its field has no room for
        return None


def _places(table: Any, depth: int) -> Iterator[tuple[Any, str]]:
    """(table, name) of every field that holds something, but for the weights themselves."""
    if depth > 8:
        return
    for name, value in vars(table).items():
        if value is None or (name == "data" and depth > 0):
            continue
        yield table, name
        for each in value if isinstance(value, list) else [value]:
            if hasattr(each, "Pack"):
                yield from _places(each, depth + 1)


def _change_place(random: Random, table: Any, name: str) -> None:
    value = getattr(table, name)
    if isinstance(value, bool | int | float | str | bytes):
        setattr(table, name, _other(random, value))
    elif hasattr(value, "Pack") or len(value) == 0 or random.random() < 0.2:
        setattr(table, name, None if random.random() < 0.7 else copy.deepcopy(value))
    else:
        values = [each.item() if hasattr(each, "item") else each for each in value]
        _change_list(random, values)
        setattr(table, name, values)


def xml(random: Random, content: bytes) -> bytes | None:
    """Changes of an XML file's attributes and elements; gives None where it is none any more."""
    try:
        root = ElementTree.fromstring(content)
    except ElementTree.ParseError:
        return None
    for _ in range(random.choice((1, 1, 2, 5))):
        if not len(root):
            break
        parent = random.choice([each for each in root.iter() if len(each)])
        element = random.choice(list(parent))
        if element.attrib and random.random() < 0.6:
            values = [*map(str, NUMBERS), *WORDS, *(each.get("type", "") for each in root.iter())]
            element.set(random.choice(list(element.attrib)), random.choice(values))
        elif random.random() < 0.5:
            parent.remove(element)
        else:
            parent.insert(random.randrange(len(parent)), copy.deepcopy(element))
    return ElementTree.tostring(root)


def _saved_model() -> Any:
    from tensorflow.core.protobuf import saved_model_pb2

    return saved_model_pb2.SavedModel()


def _onnx() -> Any:
    import onnx

    return onnx.ModelProto()


# By the suffix of the file.
STRUCTURES: dict[str, Callable[[Random, bytes], bytes | None]] = {
    "onnx": protobuf(_onnx),
    "pb": protobuf(_saved_model),
    "tflite": flatbuffer,
    "xml": xml,
}
