"""What a `.tflite` file computes with: its operations and the types of their numbers."""

import math
from collections import Counter
from typing import Any

import numpy as np

# They change the type of numbers or move them, so that they compute in no type of their own.
_CONVERSIONS = ("QUANTIZE", "DEQUANTIZE", "CAST")
_KERNELS = ("CONV_2D", "CONV_3D", "DEPTHWISE_CONV_2D", "TRANSPOSE_CONV")


def report(content: bytes) -> dict[str, Any]:
    """Counts the operations of a file, and the bytes of its constants.

    Returns:
        {"operations": {operation: {types: how often}}, "constants": {type: bytes}}. The types are
        those of what an operation takes and gives, "float32"; with weights of another type they are
        "float32, weights int8": the numbers that pass are float, the products are of integers.
    """
    from ai_edge_litert import schema_py_generated as schema

    model = schema.ModelT.InitFromObj(schema.Model.GetRootAs(content, 0))
    names = {number: name for name, number in vars(schema.BuiltinOperator).items()}
    kinds = {number: name.lower() for name, number in vars(schema.TensorType).items()}
    operations: dict[str, Counter] = {}
    constants: Counter = Counter()
    for graph in model.subgraphs:
        types = [kinds[tensor.type] for tensor in graph.tensors]
        computed = {*graph.inputs, *(index for each in graph.operators for index in each.outputs)}
        for operator in graph.operators:
            code = model.operatorCodes[operator.opcodeIndex]
            # Operations that are older than the wider field stand in the narrow one.
            name = names[max(code.builtinCode, code.deprecatedBuiltinCode)]
            operations.setdefault(name, Counter())[_types(operator, types, computed)] += 1
        for index, tensor in enumerate(graph.tensors):
            if index not in computed:
                size = math.prod(map(int, tensor.shape)) * np.dtype(types[index]).itemsize
                constants[types[index]] += size
    return {
        "operations": {name: dict(operations[name]) for name in sorted(operations)},
        "constants": dict(sorted(constants.items())),
    }


def _types(operator: Any, types: list[str], computed: set[int]) -> str:
    inputs = [index for index in operator.inputs if index >= 0]
    output = types[operator.outputs[0]]
    # The first input may be a constant, as the axis of SPLIT is.
    taken = next((types[index] for index in inputs if index in computed), output)
    passing = output if taken == output else f"{taken} to {output}"
    weights = {types[index] for index in inputs if index not in computed}
    return f"{passing}, weights int8" if output == "float32" and "int8" in weights else passing


def floats_in(found: dict[str, Any], exact: str) -> list[str]:
    """Sentences on what computes in float in a file that is named after integers.

    Args:
        found: by `report`.
        exact: the type that the file is named after, "int8" or "int16".
    """
    plain, hybrid, kernels = [], [], []
    for name, types in found["operations"].items():
        for kind, count in types.items():
            if name in _CONVERSIONS or not kind.startswith("float"):
                continue
            if "weights" in kind:
                hybrid.append(f"{count} {name}")
            elif name in _KERNELS:
                kernels.append(f"{count} {name}")
            else:
                plain.append(f"{count} {name}")
    sentences = []
    if kernels:
        sentences.append(f"convolutions that stay float and are not {exact}: {', '.join(kernels)}")
    if hybrid:
        sentences.append(f"float numbers by int8 weights: {', '.join(hybrid)}")
    if plain:
        sentences.append(f"float: {', '.join(plain)}")
    return sentences
