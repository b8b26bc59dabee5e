"""A double attention layer on this process's backend, beside the formula in float64; see `check`.

Started as a process of its own, since Keras takes one backend for a process: prints what it found
as JSON.
"""

from typing import Any

import numpy as np

from a2keras.console import print_json

SHAPE, VALUE_CHANNELS, DESCRIPTORS = (2, 5, 7, 11), 3, 13


def main() -> None:
    import keras

    print_json({"devices": devices(keras.backend.backend()), **compared()})


def devices(backend: str) -> list[str]:
    """What the backend may compute on."""
    if backend == "tensorflow":
        import tensorflow as tf

        found = tf.config.list_physical_devices()
        details = [tf.config.experimental.get_device_details(each) for each in found]
        names = [each.get("device_name", "") for each in details]
        kinds = [each.device_type for each in found]
        return [f"{kind} {name}".strip() for kind, name in zip(kinds, names, strict=True)]
    if backend == "jax":
        import jax

        return [f"{each.platform.upper()} {each.device_kind}" for each in jax.devices()]
    import torch

    count = torch.cuda.device_count() if torch.cuda.is_available() else 0
    return ["CPU", *(f"GPU {torch.cuda.get_device_name(i)}" for i in range(count))]


def compared() -> dict[str, Any]:
    """The layer's largest error on random numbers, and the largest number of the formula."""
    import keras

    from a2keras.double_attention import DoubleAttention

    random = np.random.default_rng(0)
    layer = DoubleAttention(VALUE_CHANNELS, DESCRIPTORS)
    layer.build(SHAPE)
    weights = [random.normal(size=each.shape).astype("float32") for each in layer.weights]
    layer.set_weights(weights)
    inputs = random.normal(size=SHAPE).astype("float32")
    outputs = keras.ops.convert_to_numpy(layer(inputs))
    kernels = {each.path.split("/")[-2]: each for each in layer.weights}
    values = {name: keras.ops.convert_to_numpy(each) for name, each in kernels.items()}
    expected = formula(inputs.astype("float64"), values)
    error = float(np.abs(outputs - expected).max())
    return {"error": error, "largest": float(np.abs(expected).max())}


def formula(inputs: np.ndarray, kernels: dict[str, np.ndarray]) -> np.ndarray:
    """Eq. 4 to 6 and the residual of Figure 2, of float64 (B, *spatial, C)."""
    x = inputs.reshape(len(inputs), -1, inputs.shape[-1])
    kernels = {name: each.reshape(each.shape[-2:]) for name, each in kernels.items()}
    gather = _softmax(x @ kernels["theta"], axis=1)
    distribution = _softmax(x @ kernels["rho"], axis=2)
    descriptors = np.swapaxes(x @ kernels["phi"], 1, 2) @ gather
    received = distribution @ np.swapaxes(descriptors, 1, 2)
    return (x + received @ kernels["output"]).reshape(inputs.shape)


def _softmax(logits: np.ndarray, axis: int) -> np.ndarray:
    weights: np.ndarray = np.exp(logits - logits.max(axis, keepdims=True))
    return weights / weights.sum(axis, keepdims=True)


if __name__ == "__main__":
    main()
