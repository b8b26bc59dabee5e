"""The tables of a `.tflite` file, looked at before an interpreter is: it trusts every number.

A `.tflite` file is a flatbuffer: tables that refer to each other by offsets, and to tensors,
buffers, operators and subgraphs by indices. LiteRT's interpreter follows both without a look, and a
number out of range is a crash or a read of other memory.
"""

import math
from collections.abc import Iterable
from typing import Any

MAX_NUMBERS = 2**31  # of one tensor: LiteRT's own sizes are of 32 bits
CUSTOM = 32  # BuiltinOperator.CUSTOM
OPTIONAL = -1  # an operator's input that is left out


def check_tflite(content: bytes) -> None:
    """Refuses a file whose tables lead out of it, or with other than LiteRT's own operations.

    Raises:
        ValueError: says which.
    """
    from ai_edge_litert import schema_py_generated as schema

    if content[4:8] != b"TFL3":
        raise ValueError("it is damaged, cut off or no LiteRT model")
    try:
        model = schema.ModelT.InitFromObj(schema.Model.GetRootAs(content, 0))
        _check_operators(model)
        _check_buffers(model, len(content))
        _check_graphs(model)
    except ValueError as error:
        if isinstance(error, _Refused):
            raise ValueError(str(error)) from None
        raise ValueError("it is damaged, cut off or no LiteRT model") from error
    except Exception as error:  # offsets into nowhere: errors of struct, NumPy and Python
        raise ValueError("it is damaged, cut off or no LiteRT model") from error


class _Refused(ValueError):
    """A reason of our own, not one of NumPy's."""


def _require(condition: bool, reason: str) -> None:
    if not condition:
        raise _Refused(reason)


def _check_operators(model: Any) -> None:
    for code in model.operatorCodes or ():
        if code.customCode is not None or CUSTOM in (code.builtinCode, code.deprecatedBuiltinCode):
            name = (code.customCode or b"an operation without a name").decode(errors="replace")
            raise _Refused(f"it holds {name}, which is none of LiteRT's built-in operations")


def _check_buffers(model: Any, size: int) -> None:
    _require(not model.externalBuffers, "it keeps numbers in other files")
    _require(not model.externalBufferGroups, "it keeps numbers in other files")
    for buffer in model.buffers or ():
        inside = buffer.offset + buffer.size <= size
        _require(inside, "a buffer reaches beyond the end of the file")
    for entry in model.metadata or ():
        _check_indices("buffer", [entry.buffer], model.buffers)


def _check_graphs(model: Any) -> None:
    _require(bool(model.subgraphs), "it holds no subgraph")
    for graph in model.subgraphs:
        for tensor in graph.tensors or ():
            _check_tensor(tensor, model.buffers)
        for indices in (graph.inputs, graph.outputs):
            _check_indices("tensor", indices, graph.tensors)
        for operator in graph.operators or ():
            _check_operator(operator, graph, model)
    for signature in model.signatureDefs or ():
        _check_indices("subgraph", [signature.subgraphIndex], model.subgraphs)
        tensors = model.subgraphs[signature.subgraphIndex].tensors
        for entry in (*(signature.inputs or ()), *(signature.outputs or ())):
            _check_indices("tensor", [entry.tensorIndex], tensors)
    _check_loops(model)


def _check_tensor(tensor: Any, buffers: Any) -> None:
    shape = [] if tensor.shape is None else [int(size) for size in tensor.shape]
    _require(min(shape, default=0) >= 0, f"a tensor has the shape {shape}")
    _require(math.prod(shape) < MAX_NUMBERS, f"a tensor has the shape {shape}")
    _check_indices("buffer", [tensor.buffer], buffers)
    quantization = tensor.quantization
    if quantization is not None and _length(quantization.scale) > 1:
        axis = quantization.quantizedDimension
        count = _length(quantization.scale)
        fits = 0 <= axis < len(shape) and shape[axis] == count
        _require(fits, f"a tensor of shape {shape} has {count} scales along axis {axis}")


def _check_operator(operator: Any, graph: Any, model: Any) -> None:
    _check_indices("operation", [operator.opcodeIndex], model.operatorCodes)
    inputs = [] if operator.inputs is None else operator.inputs
    _check_indices("tensor", [each for each in inputs if each != OPTIONAL], graph.tensors)
    for indices in (operator.outputs, operator.intermediates):
        _check_indices("tensor", indices, graph.tensors)
    _check_indices("subgraph", called_by(operator), model.subgraphs)
    large = operator.largeCustomOptionsOffset, operator.largeCustomOptionsSize
    _require(not any(large), "an operation has options outside of its table")


def called_by(operator: Any) -> list[int]:
    """The subgraphs that an operation runs: the branches of a condition, the body of a loop."""
    found: list[int] = []
    for options in (operator.builtinOptions, operator.builtinOptions2):
        for name, value in vars(options).items() if options is not None else ():
            if name.lower().endswith(("subgraph", "subgraphindex")):
                found.append(int(value))
            elif name.lower().endswith("subgraphindices") and value is not None:
                found += map(int, value)
    # A composite may be left without its decomposition.
    return [index for index in found if index != OPTIONAL]


def _check_loops(model: Any) -> None:
    """A subgraph that runs itself would never end."""
    calls = [
        {index for operator in graph.operators or () for index in called_by(operator)}
        for graph in model.subgraphs
    ]
    left = set(range(len(calls)))
    while leaves := {graph for graph in left if not calls[graph] & left}:
        left -= leaves
    _require(not left, "a subgraph runs itself")


def _check_indices(what: str, indices: Iterable[int] | None, things: Any) -> None:
    count = _length(things)
    for index in () if indices is None else indices:
        _require(0 <= index < count, f"it names {what} {index} of {count}")


def _length(things: Any) -> int:
    return 0 if things is None else len(things)
