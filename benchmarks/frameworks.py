"""The operations that the benchmarks' plain equations need, in plain TensorFlow, JAX and PyTorch.

`framework(name)` imports one of them and no other. `compiled` makes of a function of tensors what
is timed: its value, or its value and its gradients for a given gradient of the value.
"""

import functools
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np


class TensorFlow:
    name = "tensorflow"
    compilers = ("", "xla")

    def __init__(self) -> None:
        import tensorflow as tf

        self.tf = tf
        self.device = "GPU" if tf.config.list_physical_devices("GPU") else "CPU"
        self.version = tf.__version__
        self.split, self.softmax, self.relu = tf.split, tf.nn.softmax, tf.nn.relu
        self.exp, self.rsqrt, self.stop = tf.exp, tf.math.rsqrt, tf.stop_gradient
        self.concat, self.reshape, self.cast = tf.concat, tf.reshape, tf.cast

    def tensor(self, array: np.ndarray, dtype: str) -> Any:
        return self.tf.constant(array, dtype)

    def weight(self, array: np.ndarray) -> Any:
        return self.tf.Variable(array)

    def matmul(self, a: Any, b: Any, turned: bool = False) -> Any:
        """a · b, or aᵀ · b; b may be one matrix for all examples."""
        if len(b.shape) == 3:
            return self.tf.matmul(a, b, transpose_a=turned)
        flat = self.tf.matmul(self.tf.reshape(a, (-1, a.shape[-1])), b)  # faster than broadcasting
        return self.tf.reshape(flat, (*a.shape[:-1], b.shape[-1]))

    def turn(self, x: Any) -> Any:
        return self.tf.transpose(x, (0, 2, 1))

    def top(self, x: Any, axis: int) -> Any:
        return self.tf.reduce_max(x, axis, keepdims=True)

    def total(self, x: Any, axis: int) -> Any:
        return self.tf.reduce_sum(x, axis, keepdims=True)

    def moments(self, x: Any) -> tuple[Any, Any]:
        return self.tf.nn.moments(self.tf.cast(x, "float32"), (0, 1))

    def compiled(self, function: Callable, weights: Sequence, step: str, compiler: str) -> Callable:
        tf = self.tf

        def forward(x: Any, gradient: Any) -> Any:
            return function(x, weights)

        def train(x: Any, gradient: Any) -> Any:
            with tf.GradientTape() as tape:
                tape.watch(x)
                y = function(x, weights)
            return y, tape.gradient(y, [x, *weights], gradient)

        jit = compiler == "xla"
        return tf.function(forward if step == "forward" else train, jit_compile=jit)

    attention = None  # fused, TensorFlow has none

    def peak(self, function: Callable, arguments: tuple) -> int | None:
        """The most memory that a call takes besides its input and its weights, in bytes.

        None on a CPU, where TensorFlow keeps what it has had, and does not tell.
        """
        if self.device == "CPU":
            return None
        experimental = self.tf.config.experimental
        experimental.reset_memory_stats("GPU:0")
        before = experimental.get_memory_info("GPU:0")["current"]
        self.wait(function(*arguments))
        return experimental.get_memory_info("GPU:0")["peak"] - before

    def wait(self, results: Any) -> None:
        leaf = self.tf.nest.flatten(results)[0]
        leaf[(0,) * len(leaf.shape)].numpy()


class Jax:
    name = "jax"
    compilers = ("",)

    def __init__(self) -> None:
        import jax
        import jax.numpy as jnp

        self.jax, self.np = jax, jnp
        self.device = jax.devices()[0].device_kind
        self.version = jax.__version__
        self.softmax, self.relu = jax.nn.softmax, jax.nn.relu
        self.exp, self.rsqrt, self.stop = jnp.exp, jax.lax.rsqrt, jax.lax.stop_gradient
        self.reshape = jnp.reshape

    def tensor(self, array: np.ndarray, dtype: str) -> Any:
        return self.np.asarray(array, dtype)

    def weight(self, array: np.ndarray) -> Any:
        return self.np.asarray(array)

    def cast(self, x: Any, dtype: str) -> Any:
        return x.astype(dtype)

    def matmul(self, a: Any, b: Any, turned: bool = False) -> Any:
        return self.np.matmul(a.swapaxes(1, 2) if turned else a, b)

    def turn(self, x: Any) -> Any:
        return x.swapaxes(1, 2)

    def split(self, x: Any, sizes: Sequence[int], axis: int) -> Any:
        return self.np.split(x, np.cumsum(sizes)[:-1], axis)

    def concat(self, parts: Sequence, axis: int) -> Any:
        return self.np.concatenate(parts, axis)

    def top(self, x: Any, axis: int) -> Any:
        return x.max(axis, keepdims=True)

    def total(self, x: Any, axis: int) -> Any:
        return x.sum(axis, keepdims=True)

    def moments(self, x: Any) -> tuple[Any, Any]:
        x = x.astype("float32")
        return x.mean((0, 1)), x.var((0, 1))

    def attention(self, query: Any, key: Any, value: Any) -> Any:
        """Fused, of one head, without a scale: (B, L, m) each."""
        implementation = "cudnn" if query.dtype == "bfloat16" else None  # which has no float32
        heads = (each[:, :, None] for each in (query, key, value))
        attend = self.jax.nn.dot_product_attention
        return attend(*heads, scale=1.0, implementation=implementation)[:, :, 0]

    def compiled(self, function: Callable, weights: Sequence, step: str, compiler: str) -> Callable:
        def forward(weights: Sequence, x: Any, gradient: Any) -> Any:
            return function(x, weights)

        def train(weights: Sequence, x: Any, gradient: Any) -> Any:
            y, backward = self.jax.vjp(function, x, weights)
            return y, backward(gradient)

        return functools.partial(self.jax.jit(forward if step == "forward" else train), weights)

    def peak(self, function: Callable, arguments: tuple) -> int:
        """What a call takes besides its input and its weights, in bytes.

        XLA's figure, or on a CPU the growth of the process, where that is more: XLA does not
        know what the libraries that it hands fused products to lay out for themselves.
        """
        found = function.func.lower(*function.args, *arguments).compile().memory_analysis()
        planned = found.temp_size_in_bytes + found.output_size_in_bytes
        if self.device != "cpu":
            return planned
        return max(planned, growth(lambda: self.wait(function(*arguments))))

    def wait(self, results: Any) -> None:
        self.jax.block_until_ready(results)


class Torch:
    name = "torch"
    compilers = ("", "torch.compile")

    def __init__(self) -> None:
        import torch

        self.torch = torch
        self.on = "cuda" if torch.cuda.is_available() else "cpu"
        self.device = torch.cuda.get_device_name() if self.on == "cuda" else "CPU"
        self.version = torch.__version__
        self.softmax, self.relu, self.exp = torch.softmax, torch.relu, torch.exp
        self.rsqrt, self.split, self.concat = torch.rsqrt, torch.split, torch.concat
        self.reshape = torch.reshape

    def tensor(self, array: np.ndarray, dtype: str) -> Any:
        tensor = self.torch.tensor(array, dtype=getattr(self.torch, dtype), device=self.on)
        return tensor.requires_grad_()

    def weight(self, array: np.ndarray) -> Any:
        return self.torch.tensor(array, device=self.on).requires_grad_()

    def cast(self, x: Any, dtype: str) -> Any:
        return x.to(getattr(self.torch, dtype))

    def stop(self, x: Any) -> Any:
        return x.detach()

    def matmul(self, a: Any, b: Any, turned: bool = False) -> Any:
        return self.torch.matmul(a.transpose(1, 2) if turned else a, b)

    def turn(self, x: Any) -> Any:
        return x.transpose(1, 2)

    def top(self, x: Any, axis: int) -> Any:
        return x.amax(axis, keepdim=True)

    def total(self, x: Any, axis: int) -> Any:
        return x.sum(axis, keepdim=True)

    def moments(self, x: Any) -> tuple[Any, Any]:
        variance, mean = self.torch.var_mean(x.float(), (0, 1), correction=0)
        return mean, variance

    def attention(self, query: Any, key: Any, value: Any) -> Any:
        """Fused, of one head, without a scale: (B, L, m) each."""
        heads = (each[:, None] for each in (query, key, value))
        attend = self.torch.nn.functional.scaled_dot_product_attention
        return attend(*heads, scale=1.0)[:, 0]

    def compiled(self, function: Callable, weights: Sequence, step: str, compiler: str) -> Callable:
        torch = self.torch
        function = torch.compile(function) if compiler == "torch.compile" else function

        def forward(x: Any, gradient: Any) -> Any:
            with torch.no_grad():
                return function(x, weights)

        def train(x: Any, gradient: Any) -> Any:
            y = function(x, weights)
            return y, torch.autograd.grad(y, [x, *weights], gradient, materialize_grads=True)

        return forward if step == "forward" else train

    def peak(self, function: Callable, arguments: tuple) -> int | None:
        """The most memory that a call takes besides its input and its weights, in bytes.

        None on a CPU, of which PyTorch does not tell it.
        """
        if self.on == "cpu":
            return None
        self.torch.cuda.reset_peak_memory_stats()
        before = self.torch.cuda.memory_allocated()
        self.wait(function(*arguments))
        return self.torch.cuda.max_memory_allocated() - before

    def wait(self, results: Any) -> None:
        if self.on == "cuda":
            self.torch.cuda.synchronize()


def growth(call: Callable) -> int:
    """The most by which the memory of this process grows in a call, in bytes."""
    from a2keras.measuring import forget_peak, peak_resident

    before = forget_peak()
    call()
    return peak_resident() - before


def of_keras(layer: Any, training: bool) -> tuple[Callable, list]:
    """A built layer or model as a function of an input and its weights, and these weights."""
    import keras

    if keras.backend.backend() != "jax":
        weights = [w.value for w in layer.trainable_variables]
        return lambda x, _: layer(x, training=training), weights
    fixed = [v.value for v in layer.non_trainable_variables]

    def function(x: Any, weights: Sequence) -> Any:
        return layer.stateless_call(weights, fixed, x, training=training)[0]

    return function, [v.value for v in layer.trainable_variables]


FRAMEWORKS = {each.name: each for each in (TensorFlow, Jax, Torch)}


def framework(name: str) -> Any:
    return FRAMEWORKS[name]()
