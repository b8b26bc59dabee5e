"""The requests with which TensorFlow Serving warms a model up before it serves it."""

from pathlib import Path
from typing import Any

from a2keras.files import make_directory, replacing

FILE = Path("assets.extra/tf_serving_warmup_requests")

# The messages of TensorFlow Serving's public prediction_log.proto, predict.proto and model.proto,
# as far as a warm-up needs them: {message: {field: (its number, its type)}}. What is written does
# not hold their names, so that tensorflow-serving-api is not needed to write it.
_MESSAGES: dict[str, dict[str, tuple[int, str]]] = {
    "ModelSpec": {"name": (1, "string"), "signature_name": (3, "string")},
    "Input": {"key": (1, "string"), "value": (2, "tensorflow.TensorProto")},
    "PredictRequest": {"model_spec": (1, "ModelSpec"), "inputs": (2, "Input*")},
    "PredictLog": {"request": (1, "PredictRequest")},
    "PredictionLog": {"predict_log": (6, "PredictLog")},
}
_PACKAGE = "a2keras.serving"


def write(version: Path, requests: dict[str, dict[str, Any]]) -> None:
    """Writes requests as the warm-up record of a SavedModel.

    Args:
        version: the directory of the SavedModel.
        requests: {signature: {input: tensor}}, at most 1000.
    """
    import tensorflow as tf

    path = version / FILE
    make_directory(path.parent)
    with replacing(path) as partial, tf.io.TFRecordWriter(str(partial)) as writer:
        for signature, inputs in requests.items():
            writer.write(_log(signature, inputs).SerializeToString(deterministic=True))


def _log(signature: str, inputs: dict[str, Any]) -> Any:
    classes = _classes()
    log = classes["PredictionLog"]()
    request = log.predict_log.request
    # The server knows by itself which model this is; the message must have a name.
    request.model_spec.name = "default"
    request.model_spec.signature_name = signature
    for name, value in inputs.items():
        request.inputs.add(key=name, value=_proto(value))
    return log


def _proto(tensor: Any) -> Any:
    """A tensor as a message; one value in all places is written once."""
    import tensorflow as tf

    values = tensor.numpy()
    first = values.flat[0]
    if not (values == first).all():
        return tf.make_tensor_proto(values)
    proto = tf.make_tensor_proto(first, dtype=tensor.dtype, shape=())
    for size in values.shape:
        proto.tensor_shape.dim.add(size=size)
    return proto


def _classes() -> dict[str, Any]:
    """The message classes, by their names."""
    from google.protobuf import descriptor_pb2, descriptor_pool, message_factory
    from tensorflow.core.framework import tensor_pb2

    pool = descriptor_pool.Default()
    field = descriptor_pb2.FieldDescriptorProto
    file = descriptor_pb2.FileDescriptorProto(
        name=f"{_PACKAGE}.proto",
        package=_PACKAGE,
        syntax="proto3",
        dependency=[tensor_pb2.DESCRIPTOR.name],
    )
    for message, members in _MESSAGES.items():
        added = file.message_type.add(name=message)
        for member, (number, kind) in members.items():
            label = field.LABEL_REPEATED if kind.endswith("*") else field.LABEL_OPTIONAL
            entry = added.field.add(name=member, number=number, label=label)
            if kind == "string":
                entry.type = field.TYPE_STRING
            else:
                entry.type = field.TYPE_MESSAGE
                whole = kind if "." in kind else f"{_PACKAGE}.{kind}"
                entry.type_name = f".{whole.rstrip('*')}"
    pool.AddSerializedFile(file.SerializeToString())
    return {
        message: message_factory.GetMessageClass(
            pool.FindMessageTypeByName(f"{_PACKAGE}.{message}")
        )
        for message in _MESSAGES
    }
