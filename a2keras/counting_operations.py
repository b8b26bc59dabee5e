"""What the operations of `keras.ops` cost: multiply-adds by arithmetic on their shapes."""

import inspect
import math
from collections.abc import Callable
from typing import Any, NamedTuple

import keras
import numpy as np

Shape = tuple[int, ...]


class Call(NamedTuple):
    """One call of a layer or an operation; all sizes of its tensors are known."""

    operation: Any
    args: tuple
    kwargs: dict
    outputs: list

    @property
    def arguments(self) -> dict[str, Any]:
        """What was passed, by the names that `call` gives it."""
        return inspect.signature(self.operation.call).bind(*self.args, **self.kwargs).arguments

    @property
    def first(self) -> Any:
        """The first argument: a tensor, or a structure of tensors."""
        return self.args[0] if self.args else next(iter(self.kwargs.values()))

    @property
    def output(self) -> Shape:
        return tuple(self.outputs[0].shape)

    def shape(self, name: str) -> Shape:
        """The shape of an argument, or of the layer's weight of that name."""
        if hasattr(self.operation, name):
            return tuple(getattr(self.operation, name).shape)
        return np.shape(self.arguments[name])


Rule = Callable[[Call], int]


def operation_rule(operation: keras.Operation) -> Rule | None:
    """What to count an operation of `keras.ops` by; None if it is not known."""
    kind = type(operation)
    # Operations have no public names: those of Keras's modules are theirs, whatever others call so.
    return _RULES.get(kind.__name__) if kind.__module__.startswith("keras.src.ops.") else None


def convolution(call: Call) -> int:
    # The kernel is (*window, input channels / groups, filters).
    return positions(call, call.output) * math.prod(call.shape("kernel"))


def transposed(call: Call) -> int:
    # Every input position is multiplied with the whole kernel and added to the outputs.
    return positions(call, tuple(call.first.shape)) * math.prod(call.shape("kernel"))


def separable(call: Call) -> int:
    kernels = math.prod(call.shape("depthwise_kernel")) + math.prod(call.shape("pointwise_kernel"))
    return positions(call, call.output) * kernels


def positions(call: Call, shape: Shape) -> int:
    """The product of all axes but the channels."""
    data_format = call.operation.data_format or keras.config.image_data_format()
    return math.prod(shape[:-1] if data_format == "channels_last" else (shape[0], *shape[2:]))


def attention(queries: int, keys: int, key_dim: int, value_dim: int) -> int:
    """Two products: queries × keys, and those scores × values."""
    return queries * keys * (key_dim + value_dim)


def einsum(equation: str, *shapes: Shape) -> int:
    """Multiply-adds of a sum of products of two operands, for instance "bqd,bkd->bqk".

    One operand, or two without an index to sum over in common, is a transposition, a sum or a
    scaling: free. Indices that only one operand has are summed first.

    Raises:
        ValueError: more than two operands, whose cost depends on the order of their products.
    """
    inputs, arrow, output = equation.replace(" ", "").partition("->")
    terms = inputs.split(",")
    if len(terms) > 2:
        raise ValueError(
            "count needs an einsum of at most two operands: the cost of more depends on the order "
            f"of their products. Received: equation={equation!r}"
        )
    if not arrow:
        output = "".join(each for each in inputs if inputs.count(each) == 1) + "..."
    operands = [_sizes(term, shape) for term, shape in zip(terms, shapes, strict=True)]
    common = set.intersection(*map(set, operands))
    kept = {index for index in set().union(*operands) if _is_in(output, index)}
    if len(terms) == 1 or not common - kept:
        return 0
    # An axis of size 1 is broadcast.
    return math.prod(max(each.get(index, 1) for each in operands) for index in common | kept)


def _sizes(term: str, shape: Shape) -> dict[str | int, int]:
    """{index: size} of one operand; the axes of an ellipsis are -1, -2, … from the right."""
    before, dots, after = term.partition("...")
    stop = len(shape) - len(after)
    sizes: dict[str | int, int] = dict(zip(before, shape, strict=False))
    sizes |= zip(after, shape[stop:], strict=True)
    if dots:
        sizes |= {axis - stop: shape[axis] for axis in range(len(before), stop)}
    return sizes


def _is_in(output: str, index: str | int) -> bool:
    return ("..." if isinstance(index, int) else index) in output


def _product(call: Call) -> int:
    first, second = (np.shape(each) for each in call.args)
    # With a number, `dot` and `inner` are scalings.
    return math.prod(call.output) * first[-1] if first and second else 0


def _tensordot(call: Call) -> int:
    first, axes = np.shape(call.args[0]), call.operation.axes
    if isinstance(axes, int):
        axes = [range(len(first) - axes, len(first))]
    summed = [first[axis] for axis in axes[0]]
    return math.prod(call.output) * math.prod(summed) if summed else 0


def _dot_product_attention(call: Call) -> int:
    # (B, T, heads, d) × (B, S, heads, d)
    query, key = call.shape("query"), call.shape("key")
    return attention(math.prod(query[:-1]), key[1], query[-1], query[-1])


_RULES: dict[str, Rule] = {
    "Conv": convolution,
    "DepthwiseConv": convolution,
    "SeparableConv": separable,
    "ConvTranspose": transposed,
    "Matmul": _product,
    "Dot": _product,
    "Inner": _product,
    "Vdot": lambda call: math.prod(np.shape(call.args[0])),
    "Tensordot": _tensordot,
    "Einsum": lambda call: einsum(call.operation.subscripts, *map(np.shape, call.args)),
    "DotProductAttention": _dot_product_attention,
}
# Not here, and so refused: control flow, decompositions, Fourier transforms, filters of images.
_FREE = """
    Abs Absolute Add All AllClose Amax Amin Angle Any Append Arange Arccos Arccosh Arcsin Arcsinh
    Arctan Arctan2 Arctanh Argmax Argmin Argpartition Argsort Array ArraySplit Average Bincount
    BitwiseAnd BitwiseInvert BitwiseLeftShift BitwiseNot BitwiseOr BitwiseRightShift BitwiseXor
    BroadcastTo Cbrt Ceil Clip Concatenate Conj Conjugate Copy Cos Cosh CountNonzero Cumprod Cumsum
    Deg2rad Diag Diagflat Diagonal Diff Digitize Divide DivideNoNan Dsplit Dstack EmptyLike Equal
    Exp Exp2 ExpandDims Expm1 Fabs Flip Fliplr Flipud Floor FloorDivide Fmax Fmin Fmod Full FullLike
    Gcd GetItem Greater GreaterEqual Heaviside Hsplit Hstack Hypot Imag Isclose Isfinite IsIn Isinf
    Isnan Isneginf Isposinf Isreal Lcm Ldexp LeftShift Less LessEqual Linspace Log Log10 Log1p Log2
    Logaddexp Logaddexp2 LogicalAnd LogicalNot LogicalOr LogicalXor Logspace Max Maximum Mean Median
    Meshgrid Min Minimum Mod Moveaxis Multiply Nanargmax Nanargmin Nancumprod Nancumsum Nanmax
    Nanmean Nanmedian Nanmin Nanprod Nanstd Nansum NanToNum Nanvar Ndim Negative Nextafter Nonzero
    NotEqual OnesLike Outer Pad Power Prod Ptp Rad2deg Ravel Real Reciprocal Repeat Reshape
    RightShift Roll Rot90 Round SearchSorted Select Sign Signbit Sin Sinc Sinh Size Sort Split Sqrt
    Square Squeeze Stack Std Subtract Sum Swapaxes Take TakeAlongAxis Tan Tanh Tile Trace Transpose
    Tril Triu TrueDivide Trunc UnravelIndex Var Vsplit Vstack Where ZerosLike
    Celu Elu Gelu Glu HardShrink HardSigmoid HardSilu HardTanh LeakyRelu LogSigmoid LogSoftmax Relu
    Relu6 Selu Sigmoid Silu SoftShrink Softmax Softplus Softsign SparsePlus SparseSigmoid Sparsemax
    Squareplus TanhShrink Threshold
    AdaptiveAveragePool AdaptiveMaxPool AveragePool BatchNorm DepthToSpace Fold LayerNorm MaxPool
    Moments MultiHot Normalize OneHot RMSNorm SpaceToDepth Unfold
    BinaryCrossentropy CategoricalCrossentropy SparseCategoricalCrossentropy
    Cast ConvertToTensor SaturateCast Scatter ScatterUpdate Slice SliceUpdate StopGradient Unstack
    Erf Erfc Erfinv InTopK Logsumexp Rsqrt SegmentMax SegmentMin SegmentProd SegmentSum TopK
    Norm Rearrange CropImages ExtractPatches PadImages Resize
"""
_RULES |= dict.fromkeys(_FREE.split(), lambda call: 0)
