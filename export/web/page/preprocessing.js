// From decoded pixels to what the network takes: geometry.py and sampling.py in JavaScript.
// Pixels are {data, width, height} with RGBA bytes, as a canvas gives them.

const PADDING_GREY = 115;

const triangle = { radius: 1, weight: (x) => Math.max(0, 1 - x) };
const keys = { // Keys' cubic with a = -1/2
  radius: 2,
  weight: (x) =>
    x < 1 ? (1.5 * x - 2.5) * x * x + 1 : x < 2 ? ((-0.5 * x + 2.5) * x - 4) * x + 2 : 0,
};
const KERNELS = { bilinear: triangle, bicubic: keys };

/** Frame numbers of the clip in the middle of a video of `total` frames. */
export function clipIndices(total, frames, stride) {
  const lastStart = Math.max(total - ((frames - 1) * stride + 1), 0);
  const first = Math.min(Math.floor(0.5 * (lastStart + 1)), lastStart);
  return Array.from({ length: frames }, (_, i) => Math.min(first + i * stride, total - 1));
}

/** Brings pixels to size × size by the rules of preprocessing.json: RGB bytes. */
export function fit(pixels, rules) {
  const { size, interpolation } = rules;
  if (rules.fit !== "crop") return letterbox(pixels, size, KERNELS[interpolation]);
  const square = cropSquare(pixels, size / (rules.short_side ?? size));
  return resize(toRgb(square), square.width, square.height, size, size, KERNELS[interpolation]);
}

/** A frame of a video as the decoder of a2keras gives it: its short side is reduced, averaging. */
export function reduce(pixels, shortSide) {
  const { width, height } = pixels;
  const shorter = Math.min(width, height);
  if (shorter <= shortSide) return pixels;
  const scaled = (length) => Math.max(halfToEven((length * shortSide) / shorter), shortSide);
  const [w, h] = [scaled(width), scaled(height)];
  const rgb = area(toRgb(pixels), width, height, w, h);
  return { data: toRgba(rgb), width: w, height: h };
}

function cropSquare({ data, width, height }, fraction) {
  const part = (length, share) => Math.floor(length * share + 0.5);
  const side = Math.max(part(Math.min(width, height), fraction), 1);
  const [top, left] = [part(height - side, 0.5), part(width - side, 0.5)];
  const square = new Uint8ClampedArray(side * side * 4);
  for (let y = 0; y < side; y++) {
    const from = ((top + y) * width + left) * 4;
    square.set(data.subarray(from, from + side * 4), y * side * 4);
  }
  return { data: square, width: side, height: side };
}

function letterbox(pixels, size, kernel) {
  const longer = Math.max(pixels.width, pixels.height);
  const share = (side) => Math.max(Math.floor((2 * size * side + longer) / (2 * longer)), 1);
  const [width, height] = [share(pixels.width), share(pixels.height)];
  const [above, left] = [(size - height) >> 1, (size - width) >> 1];
  const rgb = resize(toRgb(pixels), pixels.width, pixels.height, width, height, kernel);
  const square = new Uint8Array(size * size * 3).fill(PADDING_GREY);
  for (let y = 0; y < height; y++) {
    square.set(rgb.subarray(y * width * 3, (y + 1) * width * 3), ((above + y) * size + left) * 3);
  }
  return square;
}

function toRgb({ data, width, height }) {
  const rgb = new Uint8ClampedArray(width * height * 3);
  for (let i = 0, j = 0; j < rgb.length; i += 4, j += 3) {
    rgb[j] = data[i];
    rgb[j + 1] = data[i + 1];
    rgb[j + 2] = data[i + 2];
  }
  return rgb;
}

function toRgba(rgb) {
  const data = new Uint8ClampedArray((rgb.length / 3) * 4).fill(255);
  for (let i = 0, j = 0; j < rgb.length; i += 4, j += 3) {
    data[i] = rgb[j];
    data[i + 1] = rgb[j + 1];
    data[i + 2] = rgb[j + 2];
  }
  return data;
}

function halfToEven(x) {
  const below = Math.floor(x);
  if (x - below !== 0.5) return Math.round(x);
  return below % 2 === 0 ? below : below + 1;
}

/** RGB bytes, stretched with antialiasing. */
function resize(rgb, width, height, newWidth, newHeight, kernel) {
  if (width === newWidth && height === newHeight) return Uint8Array.from(rgb);
  const spans = [spansOf(width, newWidth, kernel), spansOf(height, newHeight, kernel)];
  return rounded(separable(rgb, width, height, 3, ...spans));
}

function area(rgb, width, height, newWidth, newHeight) {
  const spans = [areaSpans(width, newWidth), areaSpans(height, newHeight)];
  return rounded(separable(rgb, width, height, 3, ...spans));
}

/** One plane of numbers, enlarged smoothly: for maps. */
export function enlarge(plane, width, height, newWidth, newHeight) {
  const spans = [spansOf(width, newWidth, keys), spansOf(height, newHeight, keys)];
  return separable(plane, width, height, 1, ...spans);
}

function rounded(values) {
  return Uint8Array.from(values, (x) => Math.min(255, Math.max(0, halfToEven(x))));
}

/** For every new pixel: the first old pixel that enters it, and the weights from there on. */
function spansOf(length, newLength, kernel) {
  const ratio = length / newLength;
  const scale = Math.max(ratio, 1); // wider when pixels are lost: that is the antialiasing
  const clamp = (i) => Math.min(length - 1, Math.max(0, i));
  return Array.from({ length: newLength }, (_, i) => {
    const centre = (i + 0.5) * ratio;
    const start = clamp(Math.ceil(centre - kernel.radius * scale - 0.5));
    const end = clamp(Math.floor(centre + kernel.radius * scale - 0.5));
    const weights = [];
    for (let j = start; j <= end; j++) {
      weights.push(kernel.weight(Math.abs(j + 0.5 - centre) / scale));
    }
    return normalized(start, weights);
  });
}

/** As `spansOf`, with the share of every old pixel that the new one covers. */
function areaSpans(length, newLength) {
  const ratio = length / newLength;
  return Array.from({ length: newLength }, (_, i) => {
    const [from, to] = [i * ratio, (i + 1) * ratio];
    const start = Math.floor(from);
    const weights = [];
    for (let j = start; j < Math.min(Math.ceil(to - 1e-9), length); j++) {
      weights.push(Math.min(to, j + 1) - Math.max(from, j));
    }
    return normalized(start, weights);
  });
}

function normalized(start, weights) {
  const total = weights.reduce((sum, weight) => sum + weight, 0);
  return { start, weights: Float32Array.from(weights, (weight) => weight / total) };
}

function separable(values, width, height, channels, columns, rows) {
  const narrow = new Float32Array(height * columns.length * channels);
  for (let y = 0, at = 0; y < height; y++) {
    for (const { start, weights } of columns) {
      for (let c = 0; c < channels; c++, at++) {
        let sum = 0;
        let from = (y * width + start) * channels + c;
        for (let k = 0; k < weights.length; k++, from += channels) sum += weights[k] * values[from];
        narrow[at] = sum;
      }
    }
  }
  const line = columns.length * channels;
  const result = new Float32Array(rows.length * line);
  rows.forEach(({ start, weights }, y) => {
    for (let k = 0; k < weights.length; k++) {
      const from = (start + k) * line;
      for (let x = 0; x < line; x++) result[y * line + x] += weights[k] * narrow[from + x];
    }
  });
  return result;
}
