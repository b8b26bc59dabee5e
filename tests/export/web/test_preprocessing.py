"""preprocessing.js computes what geometry.py and sampling.py do. Run by Node, without a browser."""

import base64
import json
import shutil
import subprocess
from dataclasses import asdict

import numpy as np
import pytest

from a2keras.export.parity import natural_pixels
from a2keras.export.web.static_page import PAGE
from a2keras.models.preprocessing import Preprocessing, clip_indices, errors, fit

if shutil.which("node") is None:
    pytest.skip("needs Node", allow_module_level=True)

PROGRAM = """
import { clipIndices, fit, reduce } from "./preprocessing.mjs";
const { calls } = JSON.parse(await new Response(process.stdin).text());
const answers = calls.map(({ total, frames, stride, rules, bytes, height, width, shortSide }) => {
  if (total) return clipIndices(total, frames, stride);
  const data = new Uint8ClampedArray(Buffer.from(bytes, "base64"));
  if (!shortSide) return Buffer.from(fit({ data, width, height }, rules)).toString("base64");
  const reduced = reduce({ data, width, height }, shortSide);
  return [reduced.height, reduced.width, Buffer.from(reduced.data).toString("base64")];
});
console.log(JSON.stringify(answers));
"""


@pytest.fixture(scope="module")
def ask(tmp_path_factory):
    directory = tmp_path_factory.mktemp("node")
    shutil.copyfile(PAGE / "preprocessing.js", directory / "preprocessing.mjs")
    (directory / "program.mjs").write_text(PROGRAM)

    def run(calls: list[dict]) -> list:
        done = subprocess.run(
            ["node", "program.mjs"],
            input=json.dumps({"calls": calls}),
            cwd=directory,
            capture_output=True,
            text=True,
            check=True,
            timeout=60,
        )
        return json.loads(done.stdout)

    return run


def test_the_limit_on_pixels_is_the_same():
    text = (PAGE / "media.js").read_text().replace("_", "")
    assert f"const MAXPIXELS = {errors.MAX_PIXELS};" in text


def rgba(pixels: np.ndarray) -> dict:
    height, width = pixels.shape[:2]
    opaque = np.full((height, width, 1), 255, np.uint8)
    data = base64.b64encode(np.concatenate([pixels, opaque], axis=-1).tobytes()).decode()
    return {"bytes": data, "height": height, "width": width}


def test_clip_indices(ask):
    cases = [(t, n, s) for t in (1, 2, 7, 23, 24, 61) for n in (1, 4, 5) for s in (1, 2, 3)]
    calls = [{"total": t, "frames": n, "stride": s} for t, n, s in cases]
    for case, indices in zip(cases, ask(calls), strict=True):
        assert indices == clip_indices(*case).tolist(), case


SIZES = [(61, 97), (97, 61), (17, 17), (13, 11), (34, 34), (230, 19), (1, 401)]
RULES = [
    {},
    {"short_side": 19},
    {"fit": "letterbox"},
    {"interpolation": "bicubic"},
    {"interpolation": "bicubic", "short_side": 23},
    {"interpolation": "bicubic", "fit": "letterbox"},
]


@pytest.mark.parametrize("rules", RULES, ids=lambda rules: "-".join(map(str, rules.values())))
def test_every_way_of_fitting(ask, rules):
    spec = Preprocessing(("a",), size=17, **rules)
    noise = np.random.default_rng(3)
    pictures = [natural_pixels((*size, 3), 1, seed=5)[0] for size in SIZES]
    pictures += [noise.integers(0, 256, (*size, 3), dtype=np.uint8) for size in SIZES]
    answers = ask([{"rules": asdict(spec), **rgba(picture)} for picture in pictures])
    for picture, answer in zip(pictures, answers, strict=True):
        actual = np.frombuffer(base64.b64decode(answer), np.uint8).reshape(17, 17, 3)
        expected = spec.crop(picture)
        difference = np.abs(actual.astype(int) - expected.astype(int))
        # Sums in another order round another way, now and then, by one.
        assert difference.max() <= 1
        assert (difference > 0).mean() < 0.01, picture.shape


def test_the_antialiasing_matters():
    """A resize that only interpolates would be far off: the test above can fail."""
    noise = np.random.default_rng(3).integers(0, 256, (97, 97, 3), dtype=np.uint8)
    centres = ((np.arange(17) + 0.5) * 97 / 17).astype(int)
    nearest = noise[centres][:, centres].astype(int)
    assert np.abs(nearest - fit(noise, 17).astype(int)).mean() > 20


def test_a_frame_is_reduced_as_while_decoding(ask):
    """The average over an area, as libswscale computes it: to one grey level."""
    import av

    for height, width, short_side in ((61, 97, 19), (97, 61, 19), (60, 80, 30), (61, 97, 60)):
        picture = natural_pixels((height, width, 3), 1, seed=7)[0]
        scale = short_side / min(height, width)
        w, h = (max(round(n * scale), short_side) for n in (width, height))
        frame = av.VideoFrame.from_ndarray(picture, format="rgb24")
        expected = frame.to_ndarray(format="rgb24", width=w, height=h, interpolation="AREA")
        (answer,) = ask([{"shortSide": short_side, **rgba(picture)}])
        assert answer[:2] == [h, w]
        data = np.frombuffer(base64.b64decode(answer[2]), np.uint8).reshape(h, w, 4)
        difference = np.abs(data[..., :3].astype(int) - expected.astype(int))
        assert data[..., 3].min() == 255
        assert difference.max() <= 1
        assert difference.mean() < 0.2


def test_a_small_frame_is_left_as_it_is(ask):
    picture = natural_pixels((19, 23, 3), 1, seed=7)[0]
    ((height, width, answer),) = ask([{"shortSide": 19, **rgba(picture)}])
    assert (height, width, answer) == (19, 23, rgba(picture)["bytes"])
