"""Run by a test, without TensorFlow's Python: asks a SavedModel through the C API, as servers do.

The arguments are the library, the SavedModel, and JSON {"input": tensor, "outputs": {name: tensor},
"shape", "kind": "uint8" or "bytes"}. Standard input is the input's content.
"""

import ctypes
import json
import math
import struct
import sys

library_path, directory, request = sys.argv[1], sys.argv[2], json.loads(sys.argv[3])
library = ctypes.CDLL(library_path)
for function in (
    library.TF_NewStatus,
    library.TF_NewGraph,
    library.TF_NewSessionOptions,
    library.TF_LoadSessionFromSavedModel,
    library.TF_AllocateTensor,
    library.TF_TensorData,
    library.TF_GraphOperationByName,
    library.TF_StringGetDataPointer,
):
    function.restype = ctypes.c_void_p
library.TF_Message.restype = ctypes.c_char_p
library.TF_Dim.restype = ctypes.c_int64
library.TF_StringGetSize.restype = ctypes.c_size_t
FLOAT, UINT8, STRING = 1, 4, 7
STRING_BYTES = 24  # sizeof(TF_TString)
pointer = ctypes.c_void_p


class Output(ctypes.Structure):
    _fields_ = [("operation", pointer), ("index", ctypes.c_int)]


def check():
    if library.TF_GetCode(pointer(status)) != 0:
        sys.exit(library.TF_Message(pointer(status)).decode())


def place(name):
    operation, index = name.split(":")
    found = library.TF_GraphOperationByName(pointer(graph), operation.encode())
    assert found, name
    return Output(found, int(index))


def tensor_of(content, shape, kind):
    sizes = (ctypes.c_int64 * len(shape))(*shape)
    count = math.prod(shape) * (1 if kind == UINT8 else STRING_BYTES)
    made = library.TF_AllocateTensor(kind, sizes, len(shape), ctypes.c_size_t(count))
    data = library.TF_TensorData(pointer(made))
    if kind == UINT8:
        ctypes.memmove(data, content, count)
        return made
    for number in range(math.prod(shape)):  # every string is preceded by its length
        (length,) = struct.unpack_from("<Q", content)
        one, content = content[8 : 8 + length], content[8 + length :]
        place_ = pointer(data + STRING_BYTES * number)
        library.TF_StringInit(place_)
        library.TF_StringCopy(place_, one, ctypes.c_size_t(length))
    return made


def values_of(tensor):
    shape = [library.TF_Dim(pointer(tensor), axis) for axis in (0, 1)]
    data = library.TF_TensorData(pointer(tensor))
    count = math.prod(shape)
    if library.TF_TensorType(pointer(tensor)) == FLOAT:
        flat = list((ctypes.c_float * count).from_address(data))
    else:
        flat = []
        for number in range(count):
            one = pointer(data + STRING_BYTES * number)
            length = library.TF_StringGetSize(one)
            flat.append(ctypes.string_at(library.TF_StringGetDataPointer(one), length).decode())
    return [flat[row * shape[1] : (row + 1) * shape[1]] for row in range(shape[0])]


status, graph = library.TF_NewStatus(), library.TF_NewGraph()
options = library.TF_NewSessionOptions()
tags = (ctypes.c_char_p * 1)(b"serve")
session = library.TF_LoadSessionFromSavedModel(
    pointer(options), None, directory.encode(), tags, 1, pointer(graph), None, pointer(status)
)
check()
kind = UINT8 if request["kind"] == "uint8" else STRING
given = tensor_of(sys.stdin.buffer.read(), request["shape"], kind)
names = list(request["outputs"])
results = (pointer * len(names))()
library.TF_SessionRun(
    pointer(session), None,
    (Output * 1)(place(request["input"])), (pointer * 1)(given), 1,
    (Output * len(names))(*map(place, request["outputs"].values())), results, len(names),
    None, 0, None, pointer(status),
)  # fmt: skip
check()
assert not [name for name in sys.modules if name.split(".")[0] in ("tensorflow", "keras", "numpy")]
print(json.dumps({name: values_of(result) for name, result in zip(names, results, strict=True)}))
