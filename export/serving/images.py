"""Encoded images to pixels within a graph of TensorFlow, as Preprocessing does with Pillow."""

from typing import Any

from a2keras.export.serving.bytes import Bytes
from a2keras.export.serving.exif import orientation, upright
from a2keras.models.preprocessing import errors
from a2keras.models.preprocessing.orientation import MOST_PARTS
from a2keras.models.preprocessing.spec import Preprocessing


def image_formats() -> tuple[str, ...]:
    """The kinds of image that this TensorFlow decodes in a graph, by Pillow's names for them."""
    import tensorflow as tf

    return ("JPEG", "PNG", "WEBP") if hasattr(tf.io, "decode_webp") else ("JPEG", "PNG")


def views(preprocessing: Preprocessing, encoded: Any) -> Any:
    """The centre views of encoded images, each the square that the network takes.

    Args:
        preprocessing: of the network; of a video network, the images are frames.
        encoded: strings (B,), every one a whole JPEG, PNG or WebP file.

    Returns:
        uint8 (B, size, size, 3). In the graph, a string that is no such image is an error that
        tells its number.
    """
    import tensorflow as tf

    square = (preprocessing.size, preprocessing.size, 3)

    def view(numbered: tuple[Any, Any]) -> Any:
        number, image = numbered
        return tf.ensure_shape(preprocessing.crop(decode(image, number)), square)

    return tf.map_fn(
        view,
        (tf.range(tf.size(encoded)), encoded),
        fn_output_signature=tf.TensorSpec(square, tf.uint8),
        parallel_iterations=4,
    )


def decode(encoded: Any, number: Any = 0) -> Any:
    """One image as uint8 RGB (H, W, 3), as `preprocessing.read_image` gives it.

    EXIF orientation is applied, transparent parts are laid over white, grey is repeated, 16 bits
    keep their upper 8; of an animation the first frame. It is checked before it is decoded that it
    has no more than `errors.MAX_PIXELS`.

    Args:
        encoded: a string, ().
        number: what an error calls the image.
    """
    import tensorflow as tf

    bytes_ = Bytes(tf.io.decode_raw(encoded, tf.uint8))
    is_jpeg = bytes_.are(0, b"\xff\xd8\xff")
    is_png = bytes_.are(0, b"\x89PNG\r\n\x1a\n")
    is_webp = bytes_.are(0, b"RIFF") & bytes_.are(8, b"WEBP") & ("WEBP" in image_formats())
    known = tf.debugging.Assert(
        is_jpeg | is_png | is_webp, [f"is no file of {', '.join(image_formats())}: image", number]
    )
    with tf.control_dependencies([known]):
        kind = tf.where(is_jpeg, 0, tf.where(is_png, 1, 2))  # as in `image_formats`

    def jpeg() -> Any:
        height, width, _ = tf.unstack(tf.cast(tf.io.extract_jpeg_shape(encoded), tf.int64))
        with tf.control_dependencies([_check_pixels(width, height, number)]):
            # As Pillow's libjpeg decodes; TensorFlow's own default is a faster, coarser transform.
            return tf.io.decode_jpeg(encoded, channels=3, dct_method="INTEGER_ACCURATE")

    def png() -> Any:
        width, height = bytes_.big(16, 4), bytes_.big(20, 4)
        with tf.control_dependencies([_check_pixels(width, height, number)]):
            kind, key = _png_transparency(bytes_)
            return tf.switch_case(
                kind,
                [
                    lambda: tf.io.decode_png(encoded, channels=3),
                    lambda: _over_white(tf.io.decode_png(encoded, channels=4)),
                    lambda: _keyed(tf.io.decode_png(encoded, channels=3), key),
                    lambda: _keyed(tf.io.decode_png(encoded, 3, tf.uint16), key),
                ],
            )

    def webp() -> Any:
        width, height = _webp_size(bytes_)
        # TensorFlow 2.21 writes beyond its memory for an animation, and the process ends.
        moves = bytes_.are(12, b"VP8X") & (bytes_.at(20) // 2 % 2 == 1)
        still = tf.debugging.Assert(~moves, ["is an animated WebP file: image", number])
        with tf.control_dependencies([still, _check_pixels(width, height, number)]):
            frame = tf.io.decode_webp(encoded)[0]
        with_alpha = tf.shape(frame)[-1] == 4
        # Where there is no alpha, the slice gives all there is.
        return tf.cond(with_alpha, lambda: _over_white(frame), lambda: frame[..., :3])

    kinds = {"JPEG": jpeg, "PNG": png, "WEBP": webp}
    decoded = tf.switch_case(kind, [kinds[name] for name in image_formats()])
    pixels = tf.ensure_shape(decoded, (None, None, 3))
    return upright(pixels, orientation(bytes_, kind))


def _check_pixels(width: Any, height: Any, number: Any) -> Any:
    import tensorflow as tf

    few = (width >= 1) & (height >= 1) & (width * height <= errors.MAX_PIXELS)
    return tf.debugging.Assert(
        few, [f"has more than {errors.MAX_PIXELS} pixels, or none: image", number, width, height]
    )


def _webp_size(bytes_: Bytes) -> tuple[Any, Any]:
    """Width and height as the first chunk tells them; it is one of three kinds."""
    import tensorflow as tf

    def canvas() -> list[Any]:  # VP8X: 24 bits each, less one
        return [bytes_.little(24, 3) + 1, bytes_.little(27, 3) + 1]

    def lossless() -> list[Any]:  # VP8L: 14 bits each, less one
        bits = bytes_.little(21, 4)
        return [bits % 2**14 + 1, bits // 2**14 % 2**14 + 1]

    def lossy() -> list[Any]:  # VP8: 14 bits each
        return [bytes_.little(26, 2) % 2**14, bytes_.little(28, 2) % 2**14]

    kind = tf.where(bytes_.are(12, b"VP8X"), 0, tf.where(bytes_.are(12, b"VP8L"), 1, 2))
    width, height = tf.switch_case(kind, [canvas, lossless, lossy])
    return width, height


def _png_transparency(bytes_: Bytes) -> tuple[Any, Any]:
    """How a PNG is transparent, and the colour that is.

    Without an alpha, TensorFlow must not be asked for one: what it makes up for fewer bits than 8
    is not opaque.

    Returns:
        0: nowhere, 1: by an alpha, 2: one grey of less than 8 bits, 3: one colour of 16 bits; and
        int64 (3,), that colour, of 8 bits or 16.
    """
    import tensorflow as tf

    depth, colour = bytes_.at(24), bytes_.at(25)
    place = bytes_.find(
        8,
        lambda place: bytes_.are(place + 4, b"tRNS"),
        lambda place: place + 12 + bytes_.big(place, 4),
        lambda place: ~bytes_.are(place + 4, b"IDAT"),
        MOST_PARTS,
    )
    has_key = (place > 0) & ((colour == 0) | (colour == 2))
    has_alpha = (colour == 4) | (colour == 6) | ((place > 0) & ((colour == 3) | (depth == 8)))
    kind = tf.where(has_alpha, 1, tf.where(~has_key, 0, tf.where(depth == 16, 3, 2)))
    step = 2 * tf.cast(colour == 2, tf.int64)  # of grey there is one number
    parts = [bytes_.big(place + 8 + i * step, 2) for i in range(3)]
    # From few bits to 8, as decoders scale them.
    scale = tf.where(depth == 1, 255, tf.where(depth == 2, 85, tf.where(depth == 4, 17, 1)))
    return kind, tf.stack(parts) * tf.cast(scale, tf.int64)


def _keyed(pixels: Any, key: Any) -> Any:
    """RGB (H, W, 3) of 8 or 16 bits, as uint8, with white in place of a colour (3,)."""
    import tensorflow as tf

    upper = pixels
    if pixels.dtype == tf.uint16:
        upper = tf.cast(tf.cast(pixels, tf.int32) // 256, tf.uint8)
    is_key = tf.reduce_all(tf.cast(pixels, tf.int64) == key, -1, keepdims=True)
    return tf.where(is_key, tf.constant(255, tf.uint8), upper)


def _over_white(pixels: Any) -> Any:
    """uint8 RGBA (H, W, 4) over white, rounded as Pillow does: uint8 (H, W, 3)."""
    import tensorflow as tf

    def blended() -> Any:
        colour, alpha = (tf.cast(part, tf.int32) for part in (pixels[..., :3], pixels[..., 3:]))
        total = colour * alpha + 255 * (255 - alpha) + 128
        return tf.cast((total + total // 256) // 256, tf.uint8)

    opaque = tf.reduce_all(pixels[..., 3] == 255)
    return tf.cond(opaque, lambda: pixels[..., :3], blended)
