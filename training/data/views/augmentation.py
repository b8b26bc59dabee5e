"""Random views of training examples, as graph code: crops, mirroring, colour and noise.

All frames of a clip are cut, mirrored and coloured alike. The recipe says what is drawn:

- `crop=square`: a square of `crop_scale` to 1 of the short side, anywhere;
- `crop=side`, the authors' sister code for Kinetics (GloRe, data/image_transforms.py): the frame is
  stretched by a, its height divided by a, then resized to a short side between `size` and
  `size` / `crop_scale`, and a square is cut out anywhere. a is the mean of two uniform numbers
  between 1 / `crop_aspect` and `crop_aspect`, or one over it, as often;
- `crop=area`, ImageNet's: `crop_area` to 1 of the picture, with an aspect ratio between
  1 / `crop_aspect` and `crop_aspect`;
- hue, lightness and saturation are shifted, each by one uniform number for the whole clip, in the
  units of OpenCV's 8-bit HLS. (GloRe stops the hue at red; here it goes on around the circle.)
- `pixel_noise` n: a uniform number between -u·n and v·n for every value of every frame, u and v
  being drawn once for the clip;
- `randaugment` operations, see `randaugment.py`, before the colours; `erasing`, see `boxes.py`,
  last.
"""

from typing import Any

import tensorflow as tf

from a2keras.models.preprocessing.geometry import fit, resize
from a2keras.models.preprocessing.spec import Preprocessing
from a2keras.training.config import Recipe
from a2keras.training.data.source import Examples
from a2keras.training.data.views.boxes import erase
from a2keras.training.data.views.randaugment import randaugment


def random_view(
    examples: Examples, key: Any, recipe: Recipe, preprocessing: Preprocessing, seed: Any
) -> Any:
    """A random view of an example.

    Args:
        examples: where it is.
        key: which one, a scalar tensor, see `Examples.keys`.
        recipe: how views are drawn.
        preprocessing: of the network.
        seed: int64 (2,), for TensorFlow's stateless random numbers.

    Returns:
        float32 of `preprocessing.input_shape`, pixel values 0..255.
    """
    draws = tf.random.stateless_uniform((5,), seed)
    start, mirror = draws[0], draws[4]
    frames = examples.load_clip(key, lambda total: preprocessing.indices(total, start))
    view = _cropped(frames, recipe, draws[1:4], seed)
    if recipe.flip:
        view = tf.cond(mirror < 0.5, lambda: tf.reverse(view, [-2]), lambda: view)
    view = tf.ensure_shape(view, preprocessing.input_shape)
    view = coloured(tf.cast(changed(view, recipe, seed), "float32"), recipe, seed)
    return noisy(view, recipe, seed)


def _cropped(frames: Any, recipe: Recipe, draws: Any, seed: Any) -> Any:
    """uint8 ([T,] size, size, 3); `draws` are zoom, top and left in [0, 1)."""
    sides = tf.cast(tf.shape(frames)[-3:-1], "float32")
    corner, end = tf.unstack(random_window(sides, recipe, draws, seed))
    window = frames[..., corner[0] : end[0], corner[1] : end[1], :]
    if recipe.fit == "letterbox":
        return fit(window, recipe.size, recipe.fit, interpolation=recipe.interpolation)
    return resize(window, recipe.size, recipe.interpolation)


def random_window(sides: Any, recipe: Recipe, draws: Any, seed: Any) -> Any:
    """Where the window lies that is cut out of a frame.

    Args:
        sides: float (2,), height and width of the frame.
        recipe: how windows are drawn.
        draws: three numbers in [0, 1): zoom, top and left; of many examples (b, 3).
        seed: of the example, int64 (2,); of many (b, 2).

    Returns:
        int32 (2, 2): the first row and column, and those behind the last; of many (b, 2, 2).
    """
    zoom, place = draws[..., 0], draws[..., 1:3]
    if recipe.crop == "square":
        scale = recipe.crop_scale + (1 - recipe.crop_scale) * zoom
        whole = sides if recipe.fit == "letterbox" else tf.reduce_min(sides) * tf.ones(2)
        window = whole * scale[..., None]
    elif recipe.crop == "side":
        more = for_each(lambda s: tf.random.stateless_uniform((3,), folded(s, 1)), seed)
        window = side_window(sides, recipe, zoom, more)
    else:
        window = for_each(lambda s: area_window(sides, recipe, folded(s, 1)), seed)
    window = tf.clip_by_value(tf.round(window), 1.0, sides)
    corner = tf.cast(tf.round((sides - window) * place), "int32")
    return tf.stack([corner, corner + tf.cast(window, "int32")], -2)


def folded(seed: Any, number: int) -> Any:
    """Another seed from that of an example."""
    return tf.random.experimental.stateless_fold_in(seed, number)


def for_each(function: Any, seeds: Any) -> Any:
    """What is drawn by a seed (2,), or by each of many (b, 2), b known.

    TensorFlow draws by one seed at a time; nodes of their own need no loop's bookkeeping.
    """
    if len(seeds.shape) == 1:
        return function(seeds)
    return tf.stack([function(seed) for seed in tf.unstack(seeds)])


def side_window(sides: Any, recipe: Recipe, zoom: Any, draws: Any) -> Any:
    """Height and width, in the frame's own pixels, of the window of `crop=side`.

    Args:
        sides: float (2,), height and width of the frame.
        recipe: its `size`, `crop_scale` and `crop_aspect`.
        zoom: in [0, 1), draws the short side; of many examples (b,).
        draws: three numbers in [0, 1), for the stretch; of many (b, 3).
    """
    zoom, draws = tf.convert_to_tensor(zoom), tf.convert_to_tensor(draws)
    low, high = 1 / recipe.crop_aspect, recipe.crop_aspect
    stretch = low + (high - low) * (draws[..., 0] + draws[..., 1]) / 2
    stretch = tf.where(draws[..., 2] < 0.5, stretch, 1 / stretch)
    factors = tf.stack([1 / stretch, stretch], -1)
    short_side = recipe.size * (1 + (1 / recipe.crop_scale - 1) * zoom)[..., None]
    resized = factors * short_side / tf.reduce_min(sides * factors, -1, keepdims=True)
    return recipe.size / resized


def area_window(sides: Any, recipe: Recipe, seed: Any) -> Any:
    """Height and width of the window of `crop=area`: redrawn until it fits, as everywhere.

    Where none of 100 fits (a very long picture), the largest window within the aspect ratios.
    """
    low, high = 1 / recipe.crop_aspect, recipe.crop_aspect
    _, size, _ = tf.image.stateless_sample_distorted_bounding_box(
        tf.concat([tf.cast(sides, "int32"), [3]], 0),
        tf.zeros((1, 0, 4)),
        seed,
        min_object_covered=0.0,
        aspect_ratio_range=(low, high) if high > 1 else (1.0, 1.0 + 1e-6),
        area_range=(recipe.crop_area, 1.0),
        max_attempts=100,
        use_image_if_no_bounding_boxes=True,
    )
    window = tf.cast(size[:2], "float32")
    # Where no window fits the operation gives the whole picture, whatever its aspect ratio.
    longest = tf.reduce_min(window) * high + 1
    return tf.minimum(window, longest)


def changed(view: Any, recipe: Recipe, seed: Any) -> Any:
    """RandAugment's operations on a view, uint8, as far as the recipe has them."""
    return randaugment(view, recipe, folded(seed, 4)) if recipe.randaugment else view


def coloured(view: Any, recipe: Recipe, seed: Any) -> Any:
    """Shifts the colours of a view, or of many images (b, S, S, 3), each by its seed."""
    shifts = (recipe.hue, recipe.lightness, recipe.saturation)
    if not any(shifts):
        return view
    draws = for_each(lambda s: tf.random.stateless_uniform((3,), folded(s, 2), -1.0, 1.0), seed)
    draws = draws * tf.constant(shifts, "float32")
    many = [...] if len(seed.shape) == 1 else [..., None, None]
    return shift_hls(view, *(draws[..., i][tuple(many)] for i in range(3)))


def shift_hls(pixels: Any, hue: Any, lightness: Any, saturation: Any) -> Any:
    """Shifts the colours of float RGB 0..255 in HLS, with OpenCV's 8-bit units.

    Args:
        pixels: float (..., 3).
        hue: added to the hue, of which 180 are the whole circle.
        lightness: added to the lightness 0..255, which stays in there.
        saturation: added to the saturation 0..255, which stays in there.

    Returns:
        float (..., 3), 0..255.
    """
    rgb = pixels / 255.0
    high, low = tf.reduce_max(rgb, -1), tf.reduce_min(rgb, -1)
    chroma = high - low
    light = (high + low) / 2
    satured = tf.math.divide_no_nan(chroma, 1 - tf.abs(2 * light - 1))
    red, green, blue = tf.unstack(rgb, axis=-1)
    # In sixths of the circle.
    angle = tf.where(
        tf.equal(high, red),
        green - blue,
        tf.where(tf.equal(high, green), blue - red + 2 * chroma, red - green + 4 * chroma),
    )
    angle = tf.math.divide_no_nan(angle, chroma) + hue / 30.0
    light = tf.clip_by_value(light + lightness / 255.0, 0.0, 1.0)
    satured = tf.clip_by_value(satured + saturation / 255.0, 0.0, 1.0)
    amplitude = satured * tf.minimum(light, 1 - light)
    # Each channel is a trapezoid over the circle: f(n) = L - a·max(-1, min(k - 3, 9 - k, 1)) with
    # k = n + 2·angle modulo 12 and n = 0, 8, 4 for red, green and blue.
    k = tf.math.floormod(tf.stack([2 * angle + n for n in (0.0, 8.0, 4.0)], -1), 12.0)
    wave = tf.maximum(tf.minimum(tf.minimum(k - 3, 9 - k), 1.0), -1.0)
    return 255.0 * (light[..., None] - amplitude[..., None] * wave)


def noisy(view: Any, recipe: Recipe, seed: Any) -> Any:
    """Noise for every pixel, and for those of a box, as far as the recipe has them."""
    view = _noise(view, recipe, folded(seed, 3)) if recipe.pixel_noise else view
    return erase(view, recipe.erasing, folded(seed, 5)) if recipe.erasing else view


def _noise(view: Any, recipe: Recipe, seed: Any) -> Any:
    range_seed, noise_seed = tf.unstack(tf.random.experimental.stateless_split(seed, 2))
    below, above = tf.unstack(tf.random.stateless_uniform((2,), range_seed) * recipe.pixel_noise)
    noise = tf.random.stateless_uniform(tf.shape(view), noise_seed) * (above + below) - below
    return tf.clip_by_value(view + noise, 0.0, 255.0)
