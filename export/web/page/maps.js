// Attention maps, drawn over what the network saw.

import { enlarge } from "./preprocessing.js";

const SIDE = 448; // of the drawing, in pixels

// Matplotlib's "inferno" at nine places, and twenty colours that differ.
const INFERNO = [
  [0, 0, 4], [31, 12, 72], [85, 15, 109], [136, 34, 106], [186, 54, 85], [227, 89, 51],
  [249, 140, 10], [249, 201, 50], [252, 255, 164],
];
const CHOICES = [
  "1f77b4", "ff7f0e", "2ca02c", "d62728", "9467bd", "8c564b", "e377c2", "7f7f7f", "bcbd22",
  "17becf", "8dd3c7", "ffffb3", "bebada", "fb8072", "80b1d3", "fdb462", "b3de69", "fccde5",
  "d9d9d9", "bc80bd",
].map((hex) => [0, 2, 4].map((at) => parseInt(hex.slice(at, at + 2), 16)));

/** One layer's maps for one view. An image counts as one frame. */
export class Layer {
  constructor({ layer, gather, distribution }) {
    this.name = layer;
    this.maps = { gather: gather.data, distribution: distribution.data };
    const dims = gather.dims.length === 3 ? [1, ...gather.dims] : gather.dims;
    [this.times, this.height, this.width, this.descriptors] = dims;
    this.positions = this.times * this.height * this.width;
    this.order = this.#byConcentration();
    this.choices = this.#chosen();
  }

  /** Descriptors, first those whose gather maps have the least entropy, that is, choose most. */
  #byConcentration() {
    const entropy = new Float64Array(this.descriptors);
    const { gather } = this.maps;
    for (let i = 0; i < gather.length; i++) {
      if (gather[i] > 0) entropy[i % this.descriptors] -= gather[i] * Math.log(gather[i]);
    }
    return Array.from(entropy.keys()).sort((a, b) => entropy[a] - entropy[b]);
  }

  /** At every position the rank of the descriptor that it takes most of; 0 is the most frequent. */
  #chosen() {
    const n = this.descriptors;
    const strongest = new Uint32Array(this.positions);
    const counts = new Uint32Array(n);
    for (let p = 0; p < this.positions; p++) {
      let best = 0;
      for (let i = 1; i < n; i++) {
        if (this.maps.distribution[p * n + i] > this.maps.distribution[p * n + best]) best = i;
      }
      strongest[p] = best;
      counts[best]++;
    }
    const byCount = Array.from(counts.keys()).sort((a, b) => counts[b] - counts[a] || a - b);
    const rank = new Uint32Array(n);
    byCount.forEach((descriptor, i) => (rank[descriptor] = i));
    const used = counts.filter(Boolean).length;
    return { ranks: strongest.map((descriptor) => rank[descriptor]), used };
  }

  /** A layer may have fewer time steps than the clip has frames. */
  step(frame, frames) {
    return Math.floor((frame * this.times) / frames);
  }

  #plane(kind, descriptor, time) {
    const size = this.height * this.width;
    const map = this.maps[kind];
    return Float32Array.from(
      { length: size }, (_, p) => map[(time * size + p) * this.descriptors + descriptor],
    );
  }

  /** The largest weight of a descriptor's map over all positions, and the time step that has it. */
  peak(kind, descriptor) {
    const map = this.maps[kind];
    let best = descriptor;
    for (let i = descriptor; i < map.length; i += this.descriptors) {
      if (map[i] > map[best]) best = i;
    }
    const position = Math.floor(best / this.descriptors);
    return { weight: map[best], time: Math.floor(position / (this.height * this.width)) };
  }

  /** A map relative to its largest weight, enlarged: (side, side) from 0 to 1. */
  heat(kind, descriptor, time, side) {
    const peak = this.peak(kind, descriptor).weight || 1;
    const plane = this.#plane(kind, descriptor, time).map((weight) => weight / peak);
    const large = enlarge(plane, this.width, this.height, side, side);
    return large.map((heat) => Math.min(1, Math.max(0, heat))); // cubics overshoot
  }

  /** The colour of the strongest descriptor at every position: (side, side) of [r, g, b]. */
  colours(time, side) {
    const cell = (i, length) => Math.floor((i * length) / side);
    return Array.from({ length: side * side }, (_, i) => {
      const row = cell(Math.floor(i / side), this.height);
      const at = (time * this.height + row) * this.width + cell(i % side, this.width);
      return CHOICES[Math.min(this.choices.ranks[at], CHOICES.length - 1)];
    });
  }
}

function inferno(x) {
  const at = Math.min(Math.max(x, 0), 1) * (INFERNO.length - 1);
  const [low, high] = [INFERNO[Math.floor(at)], INFERNO[Math.ceil(at)]];
  return low.map((value, c) => value + (high[c] - value) * (at - Math.floor(at)));
}

/**
 * Draws a frame, plain or in grey with a map over it, so that all colour is the map's.
 * `frame` is RGB bytes (size, size); `layer` is null for the plain frame.
 */
export function draw(canvas, frame, size, layer, view) {
  const side = (canvas.width = canvas.height = view.side ?? SIDE);
  const picture = new OffscreenCanvas(size, size);
  const context = canvas.getContext("2d", { willReadFrequently: true });
  const grey = layer !== null;
  picture.getContext("2d").putImageData(asImage(frame, size, grey), 0, 0);
  context.imageSmoothingEnabled = size >= 96; // the pixels of a small picture stay visible
  context.imageSmoothingQuality = "high";
  context.drawImage(picture, 0, 0, side, side);
  if (!grey) return;
  const pixels = context.getImageData(0, 0, side, side);
  const { kind, descriptor, time } = view;
  const heat = kind === "choice" ? null : layer.heat(kind, descriptor, time, side);
  const colours = heat ? null : layer.colours(time, side);
  for (let i = 0; i < side * side; i++) {
    const [opacity, colour] = heat ? [0.15 + 0.65 * heat[i], inferno(heat[i])] : [0.55, colours[i]];
    for (let c = 0; c < 3; c++) {
      const at = i * 4 + c;
      pixels.data[at] = pixels.data[at] * (1 - opacity) + colour[c] * opacity;
    }
  }
  context.putImageData(pixels, 0, 0);
}

function asImage(frame, size, grey) {
  const image = new ImageData(size, size);
  for (let i = 0, j = 0; j < frame.length; i += 4, j += 3) {
    const [r, g, b] = [frame[j], frame[j + 1], frame[j + 2]];
    const luma = (0.299 * r + 0.587 * g + 0.114 * b) / 1.2;
    image.data.set(grey ? [luma, luma, luma, 255] : [r, g, b, 255], i);
  }
  return image;
}
