"""What exports start from."""

import keras
import pytest

from a2keras.errors import UserError
from a2keras.export.reading.trained import load_classifier


def test_another_backend_is_refused(image_run, monkeypatch):
    monkeypatch.setattr(keras.backend, "backend", lambda: "jax")
    with pytest.raises(UserError) as caught:
        load_classifier(image_run / "model.keras")
    assert str(caught.value) == (
        "export needs the TensorFlow backend of Keras, not jax: unset KERAS_BACKEND"
    )
