"""How a served model is asked: the requests beside it, and those that docs/serving.md shows."""

import base64
import http.server
import json
import re
import subprocess
import sys
import threading
from concurrent import futures
from pathlib import Path

import numpy as np
import pytest
import tensorflow as tf
from PIL import Image

from a2keras.export.parity import natural_pixels
from a2keras.export.predict import load

DOCS = Path(__file__).parents[3] / "docs/serving.md"
SIGNATURES = ["serving_default", "serving_uint8", "serving_bytes", "features"]


@pytest.fixture(scope="module")
def served(image_export):
    return tf.saved_model.load(str(image_export / "saved_model/1"))


def test_the_warm_up_record(served, image_export, video_export):
    apis = pytest.importorskip("tensorflow_serving.apis.prediction_log_pb2")
    for directory in (image_export, video_export):
        version = directory / "saved_model/1"
        signatures = tf.saved_model.load(str(version)).signatures
        path = version / "assets.extra/tf_serving_warmup_requests"
        assert path.stat().st_size < 2000
        asked = []
        for record in tf.data.TFRecordDataset(str(path)):
            log = apis.PredictionLog.FromString(record.numpy())
            assert log.WhichOneof("log_type") == "predict_log"
            request = log.predict_log.request
            inputs = {name: tf.make_ndarray(each) for name, each in request.inputs.items()}
            name = request.model_spec.signature_name
            given = signatures[name](**{key: tf.constant(each) for key, each in inputs.items()})
            asked.append(name)
            if name != "features":
                assert float(tf.reduce_sum(given["probabilities"])) == pytest.approx(1, abs=1e-5)
        assert asked == SIGNATURES


def answer(served, body: bytes) -> dict:
    """What TensorFlow Serving's REST interface makes of a request for rows."""
    request = json.loads(body)
    function = served.signatures[request.get("signature_name", "serving_default")]
    specs = function.structured_input_signature[1]

    def column(name: str) -> tf.Tensor:
        values = [decoded(row[name]) for row in request["instances"]]
        return tf.constant(values, specs[name].dtype)

    outputs = function(**{name: column(name) for name in specs})
    columns = {name: plain(each.numpy().tolist()) for name, each in outputs.items()}
    rows = zip(*columns.values(), strict=True)
    return {"predictions": [dict(zip(columns, row, strict=True)) for row in rows]}


def decoded(value):
    if isinstance(value, list):
        return [decoded(each) for each in value]
    return base64.b64decode(value["b64"]) if isinstance(value, dict) else value


def plain(value):
    if isinstance(value, list):
        return [plain(each) for each in value]
    return value.decode() if isinstance(value, bytes) else value


@pytest.mark.slow
def test_the_written_request(image_export, video_export):
    for directory in (image_export, video_export):
        version = directory / "saved_model/1"
        served = tf.saved_model.load(str(version))
        given = answer(served, (version / "assets.extra/request.json").read_bytes())
        preprocessing = load(directory).preprocessing
        grey = tf.fill((1, *preprocessing.input_shape), 128.0)
        expected = served.signatures["serving_default"](pixels=grey)
        (row,) = given["predictions"]
        np.testing.assert_allclose([row["probabilities"]], expected["probabilities"], atol=1e-6)
        assert row["top_labels"] == plain(expected["top_labels"][0].numpy().tolist())


@pytest.fixture
def photo(tmp_path):
    path = tmp_path / "photo.jpg"
    Image.fromarray(natural_pixels((41, 53, 3), 1, seed=9)[0]).save(path)
    return path


def run_example(title: str, port: str, own_port: int, directory: Path) -> str:
    """Runs the documentation's client against a server at another port."""
    (code,) = re.findall(rf"```python\n(# {title}.*?)```", DOCS.read_text(), re.DOTALL)
    assert port in code
    code = code.replace(f"localhost:{port}", f"127.0.0.1:{own_port}")
    command = [sys.executable, "-c", code]
    done = subprocess.run(command, capture_output=True, text=True, cwd=directory)
    assert done.returncode == 0, done.stderr
    return done.stdout


def expected_lines(image_export, photo) -> str:
    artefact = load(image_export)
    probabilities = artefact.classify(photo)
    labels = artefact.preprocessing.labels
    order = np.argsort(-probabilities)
    return "".join(f"{probabilities[each]:.3f} {labels[each]}\n" for each in order)


@pytest.mark.slow
def test_the_rest_example(served, image_export, photo):
    class Handler(http.server.BaseHTTPRequestHandler):
        def do_POST(self):
            assert self.path == "/v1/models/photos:predict"
            body = self.rfile.read(int(self.headers["Content-Length"]))
            content = json.dumps(answer(served, body)).encode()
            self.send_response(200)
            self.end_headers()
            self.wfile.write(content)

        def log_message(self, *arguments):
            pass

    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        printed = run_example("REST", "8501", server.server_port, photo.parent)
        server.shutdown()
    assert printed == expected_lines(image_export, photo)


@pytest.mark.slow
def test_the_grpc_example(served, image_export, photo):
    grpc = pytest.importorskip("grpc")
    pytest.importorskip("tensorflow_serving")
    from tensorflow_serving.apis import predict_pb2, prediction_service_pb2_grpc

    class Service(prediction_service_pb2_grpc.PredictionServiceServicer):
        def Predict(self, request, context):
            assert request.model_spec.name == "photos"
            inputs = {name: tf.make_ndarray(each) for name, each in request.inputs.items()}
            function = served.signatures[request.model_spec.signature_name]
            response = predict_pb2.PredictResponse()
            given = function(**{name: tf.constant(each) for name, each in inputs.items()})
            for name, each in given.items():
                response.outputs[name].CopyFrom(tf.make_tensor_proto(each))
            return response

    server = grpc.server(futures.ThreadPoolExecutor(1))
    prediction_service_pb2_grpc.add_PredictionServiceServicer_to_server(Service(), server)
    port = server.add_insecure_port("127.0.0.1:0")
    server.start()
    try:
        printed = run_example("gRPC", "8500", port, photo.parent)
    finally:
        server.stop(None)
    assert printed == expected_lines(image_export, photo)
