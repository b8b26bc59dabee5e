"""The page in a real browser: it gives the probabilities and the maps of its Keras model."""

import base64
import functools
import http.server
import shutil
import threading
from fractions import Fraction
from pathlib import Path

import keras
import numpy as np
import pytest

from a2keras import DoubleAttention, attention_maps
from a2keras.export.exporting import export
from a2keras.export.parity import natural_pixels
from a2keras.export.predict import load
from a2keras.models.preprocessing import Pixels, Preprocessing

pytest.importorskip("tf2onnx", reason="needs a2keras[onnx]")
if shutil.which("npm") is None:
    pytest.skip("needs npm", allow_module_level=True)

LABELS = ("ant", "bee", "crane", "duck", "eel", "fox", "gnu")
IMAGE = Preprocessing(LABELS, size=47, short_side=53)
VIDEO = Preprocessing(LABELS, size=41, frames=5, stride=3, short_side=43)


def build(spec: Preprocessing, attention: bool) -> keras.Model:
    """Two attention layers, of random weights, whose maps and classes differ by the input."""
    rank = 3 if spec.is_video else 2
    keras.utils.set_random_seed(3)
    pixels = keras.Input(spec.input_shape, name="pixels")
    x = Pixels().layer()(pixels)
    strides = (1, 2, 2) if spec.is_video else 2
    x = getattr(keras.layers, f"Conv{rank}D")(13, 3, strides, activation="relu", padding="same")(x)
    if attention:
        x = DoubleAttention(5, 11, name="first_attention", output_initializer="he_normal")(x)
    pool = (2, 2, 2) if spec.is_video else 2
    x = getattr(keras.layers, f"MaxPooling{rank}D")(pool, padding="same")(x)
    if attention:
        x = DoubleAttention(5, 23, name="second_attention", output_initializer="he_normal")(x)
    x = getattr(keras.layers, f"GlobalAveragePooling{rank}D")()(x)
    x = keras.layers.Dense(len(LABELS), activation="softmax", kernel_initializer="he_normal")(x)
    return keras.Model(pixels, x, name="two_blocks")


@pytest.fixture(scope="module")
def site(tmp_path_factory):
    """{kind: (address of the page, run)}, and the paths that were asked for."""
    root = tmp_path_factory.mktemp("site")
    for kind, spec in (("image", IMAGE), ("video", VIDEO), ("plain", IMAGE)):
        (root / "run" / kind).mkdir(parents=True)
        build(spec, kind != "plain").save(root / "run" / kind / "model.keras")
        spec.save(root / "run" / kind)
        manifest = export(root / "run" / kind, root / kind, ["web"])
        parity = manifest["artefacts"]["web"]["parity"]
        maps = set() if kind == "plain" else {"gather_maps", "distribution_maps"}
        assert set(parity) == {"serving_default"} | maps
        assert max(each["max_error"] for each in parity.values()) < 2e-5

    requests: list[str] = []

    class Handler(http.server.SimpleHTTPRequestHandler):
        def log_message(self, *_) -> None:
            requests.append(self.path)

    handler = functools.partial(Handler, directory=root)
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    address = f"http://127.0.0.1:{server.server_port}"
    runs = {run.name: run for run in (root / "run").iterdir()}
    pages = {kind: (f"{address}/{kind}/web/", run) for kind, run in runs.items()}
    yield pages | {"requests": requests}
    server.shutdown()


@pytest.fixture(scope="module")
def files(tmp_path_factory):
    from PIL import Image

    directory = tmp_path_factory.mktemp("files")
    picture = natural_pixels((103, 151, 3), 1, seed=4)[0]
    Image.fromarray(picture).save(directory / "picture.png")
    Image.fromarray(picture).save(directory / "picture.jpg", quality=90)
    turned = Image.fromarray(picture).getexif()
    turned[0x0112] = 6  # EXIF: to be turned by 90°
    Image.fromarray(picture).save(directory / "turned.png", exif=turned)
    alpha = np.indices((103, 151)).sum(0).astype(np.uint8)[..., None]
    Image.fromarray(np.concatenate([picture, alpha], -1)).save(directory / "clear.png")
    clip = natural_pixels((47, 96, 128, 3), 1, seed=5)[0]
    write_video(directory / "clip.mp4", clip, "libx264", Fraction(30000, 1001))
    write_video(directory / "clip.webm", clip, "libvpx-vp9", Fraction(25))
    write_video(directory / "short.mp4", clip[:7], "libx264", Fraction(12))
    write_video(directory / "one.mp4", clip[:1], "libx264", Fraction(12))
    write_video(directory / "wide.mp4", clip, "libx264", Fraction(25), pixel=Fraction(3, 2))
    write_sound(directory / "sound.mp4")
    (directory / "text.png").write_text("no picture")
    (directory / "text.mp4").write_text("no video")
    (directory / "empty.png").touch()
    whole = (directory / "clip.mp4").read_bytes()
    (directory / "cut.mp4").write_bytes(whole[: len(whole) // 2])
    return directory


def write_video(
    path: Path, frames: np.ndarray, codec: str, rate: Fraction, pixel: Fraction = Fraction(1)
) -> None:
    """`pixel` is the width of a pixel over its height."""
    import av

    with av.open(str(path), "w") as container:
        stream = container.add_stream(codec, rate=rate)
        stream.height, stream.width = frames.shape[1:3]
        stream.pix_fmt, stream.bit_rate = "yuv420p", 3_000_000
        stream.codec_context.sample_aspect_ratio = pixel
        for frame in frames:
            container.mux(stream.encode(av.VideoFrame.from_ndarray(frame, format="rgb24")))
        container.mux(stream.encode())


def write_sound(path: Path) -> None:
    import av

    with av.open(str(path), "w") as container:
        stream = container.add_stream("aac", rate=44_100)
        for start in range(0, 20_480, 1024):
            silence = np.zeros((1, 1024), np.float32)
            frame = av.AudioFrame.from_ndarray(silence, format="fltp", layout="mono")
            frame.sample_rate, frame.pts = 44_100, start
            container.mux(stream.encode(frame))
        container.mux(stream.encode())


def differences(browser, run: Path, file: Path) -> np.ndarray:
    """Of the five probabilities on the page, whose order must be that of the Keras model."""
    artefact = load(run)
    expected = artefact.probabilities(artefact.preprocessing.views(file))[0]
    assert expected.max() > 1.2 / len(LABELS)
    order = np.argsort(-expected, kind="stable")[:5]
    shown = browser.classes()
    assert [label for label, _ in shown] == [LABELS[i] for i in order]
    return np.abs(np.array([probability for _, probability in shown]) - expected[order])


# JPEG and video decoders round differently.
@pytest.mark.slow
@pytest.mark.parametrize(
    ("name", "most"),
    [("picture.png", 1e-5), ("turned.png", 1e-5), ("clear.png", 1e-3), ("picture.jpg", 1e-3)],
)
def test_an_image(browser, site, files, name, most):
    address, run = site["image"]
    browser.open(address)
    assert browser.pick(files / name) == "done"
    assert differences(browser, run, files / name).max() < most
    assert f"{name}: classified in " in browser.text("time")
    assert browser.text("error") == ""


@pytest.mark.slow
@pytest.mark.parametrize("name", ["clip.mp4", "clip.webm", "short.mp4", "one.mp4", "wide.mp4"])
def test_a_clip(browser, site, files, name):
    address, run = site["video"]
    browser.open(address)
    assert browser.pick(files / name) == "done"
    frames = VIDEO.read(files / name)
    shown = browser.run("return {...document.getElementById('time').dataset}")
    assert int(shown["total"]) == len(frames)
    assert shown["indices"] == ",".join(map(str, VIDEO.indices(len(frames))))
    assert differences(browser, run, files / name).max() < 0.01


def test_the_maps_are_those_of_the_layers(browser, site, files):
    address, run = site["image"]
    browser.open(address)
    browser.pick(files / "picture.png")
    model = keras.models.load_model(run / "model.keras", compile=False)
    maps = attention_maps(model, IMAGE.views(files / "picture.png").astype("float32"))
    layers = browser.run("return [...document.getElementById('layer').options].map((o) => o.text)")
    assert layers == ["first", "second"]
    buttons = "return [...document.querySelectorAll('#thumbnails button')].map((b) => +b.value)"
    for number, (gather, distribution) in enumerate(maps.values()):
        browser.choose("layer", number)
        weights = gather.reshape(-1, gather.shape[-1])
        entropy = -(weights * np.log(weights + 1e-30)).sum(axis=0)
        assert browser.run(buttons) == np.argsort(entropy)[:8].tolist()
        for kind, peaks in (
            ("gather", weights.max(axis=0) * len(weights)),
            ("distribution", distribution.max(axis=(0, 1, 2)) * distribution.shape[-1]),
        ):
            browser.choose("kind", kind)
            for descriptor in (0, 7):
                browser.choose("descriptor", descriptor)
                caption = browser.text("caption")
                assert f"descriptor {descriptor} is " in caption
                said = float(caption.split("Brightest: ")[1].split(" ×")[0])
                assert said == pytest.approx(peaks[descriptor], abs=0.051, rel=0.05)
    browser.choose("kind", "choice")
    chosen = len(np.unique(maps["second_attention"][1].argmax(axis=-1)))
    assert f"{chosen} of 23" in browser.text("caption")


@pytest.mark.slow
def test_a_network_without_double_attention(browser, site, files):
    address, run = site["plain"]
    browser.open(address)
    assert browser.pick(files / "picture.png") == "done"
    assert differences(browser, run, files / "picture.png").max() < 1e-5
    assert browser.run("return document.getElementById('attention').hidden")
    assert browser.text("caption") == "The picture as it enters the network."


def test_the_page_is_an_artefact_for_predict(site, files):
    _, run = site["image"]
    page = load(run.parents[1] / "image" / "web")
    assert (page.kind, page.preprocessing) == ("onnx", IMAGE)
    views = IMAGE.views(files / "picture.png")
    np.testing.assert_allclose(page.probabilities(views), load(run).probabilities(views), atol=1e-5)


def test_a_clip_opens_where_its_map_is_brightest(browser, site, files):
    address, run = site["video"]
    browser.open(address)
    browser.pick(files / "clip.webm")
    model = keras.models.load_model(run / "model.keras", compile=False)
    view = VIDEO.views(files / "clip.webm").astype("float32")
    gather = attention_maps(model, view)["first_attention"][0][0]  # (5, 21, 21, 11)
    browser.choose("layer", 0)
    control = "return document.getElementById(arguments[0]).value"
    frame, descriptor = (int(browser.run(control, name)) for name in ("frame", "descriptor"))
    over_time = gather[..., descriptor].max(axis=(1, 2))
    assert over_time[frame] > 0.9 * over_time.max()
    assert browser.text("frame-number") == f"{frame + 1} of 5"
    browser.run("document.getElementById('play').click()")
    assert browser.text("play") == "Pause"
    seen = {int(browser.run(control, "frame")) for _ in range(60)}
    assert len(seen) > 1
    browser.run("document.getElementById('play').click()")
    assert browser.text("play") == "Play"


def test_the_brightest_place_of_a_map(browser, site, files):
    address, run = site["image"]
    browser.open(address)
    browser.pick(files / "picture.png")
    model = keras.models.load_model(run / "model.keras", compile=False)
    view = IMAGE.views(files / "picture.png").astype("float32")
    gather = attention_maps(model, view)["second_attention"][0][0]
    for descriptor in (3, 11, 19):
        browser.choose("descriptor", descriptor)
        overlay = browser.picture()
        # Inferno goes from black by violet and red to yellow: green tells the heat.
        row, column, _ = np.unravel_index(overlay[..., 1:2].argmax(), (*overlay.shape[:2], 1))
        height, width = gather.shape[:2]
        hot = gather[..., descriptor]
        at = hot[row * height // overlay.shape[0], column * width // overlay.shape[1]]
        assert at > hot.min() + 0.7 * np.ptp(hot)
    browser.choose("kind", "none")
    plain = browser.picture().astype(int)
    rows = ((np.arange(47) + 0.5) * len(plain) / 47).astype(int)
    assert np.abs(plain[rows][:, rows] - view[0].astype(int)).max() <= 1


UNPLAYABLE = "is not a video that this browser can play: try H.264 in mp4, or webm."


@pytest.mark.parametrize(
    ("kind", "name", "sentence"),
    [
        ("image", "text.png", "text.png is not an image that this browser can read."),
        ("image", "empty.png", "empty.png is empty."),
        ("image", "clip.mp4", "clip.mp4 is a video, but this network takes images."),
        ("video", "picture.png", "picture.png is an image, but this network takes video clips."),
        ("video", "text.mp4", f"text.mp4 {UNPLAYABLE}"),
        ("video", "cut.mp4", f"cut.mp4 {UNPLAYABLE}"),
        ("video", "sound.mp4", f"sound.mp4 {UNPLAYABLE}"),
    ],
)
def test_errors_are_sentences(browser, site, files, kind, name, sentence):
    browser.open(site[kind][0])
    assert browser.pick(files / name) == "failed"
    assert browser.text("error") == sentence
    assert browser.run("return document.getElementById('result').hidden")


def media_property(name: str, value: str) -> str:
    """A script that lets all videos have a property of this value, whatever they are told."""
    return (
        f"Object.defineProperty(HTMLMediaElement.prototype, '{name}', "
        f"{{ get: () => {value}, set() {{}} }});"
    )


@pytest.mark.parametrize(
    ("kind", "script", "sentence"),
    [
        (
            "image",
            "HTMLCanvasElement.prototype.getContext = () => null",
            "picture.png is too large for this browser.",
        ),
        (
            "image",
            "createImageBitmap = async () => ({ width: 10000, height: 10000 })",
            "picture.png has 10000 × 10000 pixels, more than the limit of 89478485.",
        ),
        (
            "image",
            "Worker.prototype.postMessage = () => { throw new Error('no luck') }",
            "picture.png could not be classified. no luck",
        ),
        (
            "video",
            "delete HTMLVideoElement.prototype.requestVideoFrameCallback",
            "This browser cannot tell a video's frames apart: use a newer one.",
        ),
        ("video", media_property("duration", "0"), "clip.mp4 lasts no time."),
        (
            "video",
            media_property("duration", "Infinity") + media_property("currentTime", "0"),
            "clip.mp4 does not say how long it lasts.",
        ),
        ("video", media_property("currentTime", "0"), "clip.mp4 is damaged at 1.57 s."),
        (
            "video",
            "HTMLVideoElement.prototype.requestVideoFrameCallback = () => {}",
            "clip.mp4 shows no frame at 1.57 s.",
        ),
    ],
)
def test_what_a_browser_may_lack_is_a_sentence(browser, site, files, kind, script, sentence):
    """The limit of 20 s for what never comes is one of 2 s here."""
    browser.open(site[kind][0])
    browser.run("const wait = setTimeout; setTimeout = (call, ms) => wait(call, ms / 10);" + script)
    assert browser.pick(files / {"image": "picture.png", "video": "clip.mp4"}[kind]) == "failed"
    assert browser.text("error") == sentence


def test_a_missing_runtime_is_told(browser, site):
    address, run = site["image"]
    broken = run.parents[1] / "without-runtime"
    shutil.copytree(run.parents[1] / "image" / "web", broken)
    shutil.rmtree(broken / "runtime")
    browser.ask("POST", "/url", {"url": address.replace("image/web", broken.name)})
    browser.wait("failed")
    assert browser.text("error") == "The runtime did not start: is every file of the export here?"
    browser.complaints()  # about the 404


@pytest.mark.parametrize("missing", ["page.json", "model.onnx"])
def test_a_missing_file_is_told(browser, site, missing):
    address, run = site["image"]
    root = run.parents[1]
    broken = root / f"without-{missing}"
    shutil.copytree(root / "image" / "web", broken, ignore=shutil.ignore_patterns(missing))
    browser.ask("POST", "/url", {"url": address.replace("image/web", broken.name)})
    browser.wait("failed")
    sentence = f"The network could not be loaded. {missing}: 404 File not found"
    assert browser.text("error") == sentence
    assert browser.run("return document.getElementById('file').disabled")
    browser.complaints()  # about the 404


def test_dropped_files(browser, site, files):
    address, run = site["image"]
    browser.open(address)
    script = """
        const bytes = Uint8Array.from(atob(arguments[0]), (c) => c.charCodeAt(0));
        const transfer = new DataTransfer();
        for (let i = 0; i < arguments[1]; i++) {
          transfer.items.add(new File([bytes], "dropped.png", { type: "image/png" }));
        }
        document.body.dataset.state = "dropped";
        const options = { dataTransfer: transfer, bubbles: true, cancelable: true };
        document.body.dispatchEvent(new DragEvent("drop", options));
    """
    data = base64.b64encode((files / "picture.png").read_bytes()).decode()
    browser.run(script, data, 0)
    assert browser.text("error") == "What was dropped is not a file."
    browser.run(script, data, 2)
    assert browser.text("error") == "Drop one file at a time."
    browser.run(script, data, 1)
    assert browser.wait("done", "failed") == "done"
    assert differences(browser, run, files / "picture.png").max() < 1e-5


def test_a_phone_and_the_keyboard(browser, site, files, tmp_path):
    address, _ = site["video"]
    phone = {"width": 360, "height": 740, "deviceScaleFactor": 1, "mobile": True}
    browser.command("Emulation.setDeviceMetricsOverride", phone)
    try:
        browser.open(address)
        browser.pick(files / "clip.mp4")
        assert browser.run("return document.documentElement.scrollWidth") == 360
        pixels = browser.screenshot(tmp_path / "phone.png")
        assert pixels.shape[1] == 360
        assert len(np.unique(pixels.reshape(-1, 3), axis=0)) > 1000  # the maps are on it
    finally:
        browser.command("Emulation.clearDeviceMetricsOverride", {})
    browser.run("document.activeElement.blur()")
    reached = []
    for _ in range(14):
        tab = {"type": "keyDown", "key": "Tab", "code": "Tab", "windowsVirtualKeyCode": 9}
        browser.command("Input.dispatchKeyEvent", tab)
        browser.command("Input.dispatchKeyEvent", {**tab, "type": "keyUp"})
        element = "document.activeElement"
        reached.append(browser.run(f"return {element}.id || {element}.ariaLabel"))
    names = ["file", "play", "frame", "layer", "kind", "descriptor"]
    assert [name for name in reached if name in names] == names
    assert sum(str(name).startswith("descriptor ") for name in reached) == 8


def test_every_file_is_used_and_no_other(browser, site, files):
    """The browser cannot reach any other machine, see the flags of conftest.py."""
    address, run = site["image"]
    browser.complaints()
    browser.open(address)
    assert browser.pick(files / "picture.png") == "done"
    page = run.parents[1] / "image" / "web"
    exported = {f"/image/web/{p.relative_to(page)}" for p in page.rglob("*") if p.is_file()}
    requests = {path for path in site["requests"] if path.startswith("/image/")}
    assert requests == exported - {"/image/web/index.html"} | {"/image/web/"}
    assert browser.complaints() == []
