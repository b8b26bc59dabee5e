"""Run by a test, with TensorFlow and without Keras or a2keras: asks a SavedModel, prints JSON."""

import importlib.util
import json
import sys

import numpy as np
import tensorflow as tf

directory, file = sys.argv[1:]
absent = [importlib.util.find_spec(name) is None for name in ("keras", "tf_keras", "a2keras")]
loaded = tf.saved_model.load(directory)
pixels = np.load(file)
answers = {}
for name in ("serving_default", "serving_uint8", "features"):
    dtype = tf.uint8 if name == "serving_uint8" else tf.float32
    given = loaded.signatures[name](pixels=tf.constant(pixels, dtype))
    answers[name] = {key: value.numpy().tolist() for key, value in given.items()}
encoded = [tf.io.encode_png(image) for image in pixels]
given = loaded.signatures["serving_bytes"](image_bytes=tf.stack(encoded))
answers["serving_bytes"] = {key: value.numpy().tolist() for key, value in given.items()}
for each in answers.values():
    if "top_labels" in each:
        each["top_labels"] = [[label.decode() for label in row] for row in each["top_labels"]]
print(json.dumps({"absent": absent, "modules": sorted(sys.modules), "answers": answers}))
