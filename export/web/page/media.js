// From a file that a person picked to pixels: {data, width, height} with RGBA bytes.

import { clipIndices, reduce } from "./preprocessing.js";

const MAX_PIXELS = 89_478_485; // of one frame, as in a2keras
const SEEK_LIMIT = 20_000; // ms
const EPSILON = 0.001; // s, less than any frame lasts

/** Something that a person can mend, in one sentence. */
export class MediaError extends Error {}

/** The views of a file by the rules of preprocessing.json: a list of frames, one for an image. */
export async function decode(file, rules) {
  const kind = file.type.split("/")[0];
  const video = rules.frames !== null;
  if (file.size === 0) throw new MediaError(`${file.name} is empty.`);
  if (video && kind === "image") {
    throw new MediaError(`${file.name} is an image, but this network takes video clips.`);
  }
  if (!video && kind === "video") {
    throw new MediaError(`${file.name} is a video, but this network takes images.`);
  }
  return video ? clip(file, rules) : { frames: [await image(file)] };
}

async function image(file) {
  let bitmap;
  try {
    // Colour profiles are not applied, as in a2keras.
    bitmap = await createImageBitmap(file, { colorSpaceConversion: "none" });
  } catch {
    throw new MediaError(`${file.name} is not an image that this browser can read.`);
  }
  checkPixels(file, bitmap.width, bitmap.height);
  try {
    return draw(file, bitmap, bitmap.width, bitmap.height);
  } finally {
    bitmap.close();
  }
}

function checkPixels(file, width, height) {
  if (width * height > MAX_PIXELS) {
    throw new MediaError(
      `${file.name} has ${width} × ${height} pixels, more than the limit of ${MAX_PIXELS}.`,
    );
  }
}

function draw(file, source, width, height, canvas = document.createElement("canvas")) {
  canvas.width = width; // which also clears it
  canvas.height = height;
  const context = canvas.getContext("2d", { willReadFrequently: true });
  if (!context) throw new MediaError(`${file.name} is too large for this browser.`);
  context.fillStyle = "white"; // under what is transparent
  context.fillRect(0, 0, width, height);
  context.drawImage(source, 0, 0, width, height);
  return context.getImageData(0, 0, width, height);
}

async function clip(file, rules) {
  const tape = new Tape(file);
  try {
    await tape.open();
    const { first, step, total } = await clock(tape);
    const indices = clipIndices(total, rules.frames, rules.stride);
    const decoded = new Map(); // of a short video the last frame is held
    for (const index of indices) {
      if (decoded.has(index)) continue;
      await tape.seek(first + (index + 0.5) * step);
      decoded.set(index, reduce(tape.pixels(), rules.short_side ?? rules.size));
    }
    const frames = indices.map((index) => decoded.get(index));
    return { frames, indices, total, rate: 1 / step };
  } finally {
    tape.close();
  }
}

/**
 * The time of the first frame, the distance between two, and their number. A browser tells none
 * of them, only the time of the frame that it shows. So: look for the second frame by steps that
 * double, then measure over distances that double, and look where the last one lies.
 */
async function clock(tape) {
  let [end, known] = [0, 0];
  while (tape.end > known) { // some files turn out longer while they are read
    known = tape.end;
    end = await tape.seek(known);
  }
  const first = await tape.seek(0);
  if (end <= first) return { first, step: tape.end - first, total: 1 };
  let step = 0;
  for (let seconds = 1 / 256; step <= 0; seconds *= 2) {
    step = (await tape.seek(Math.min(first + seconds, end + EPSILON))) - first;
  }
  for (let frames = 2; first + frames * step < end; frames *= 2) {
    const distance = (await tape.seek(first + (frames + 0.5) * step)) - first;
    step = distance / Math.round(distance / step);
  }
  const total = Math.round((end - first) / step) + 1;
  return { first, step: (end - first) / (total - 1), total };
}

/** A video that can be wound to any time. */
class Tape {
  #file;
  #video = document.createElement("video");
  #canvas = document.createElement("canvas");
  #target; // the time that was looked for last
  #start; // the time from which its frame is shown

  constructor(file) {
    this.#file = file;
  }

  async open() {
    const video = this.#video;
    if (!video.requestVideoFrameCallback) {
      throw new MediaError("This browser cannot tell a video's frames apart: use a newer one.");
    }
    video.muted = video.playsInline = true;
    video.preload = "auto";
    video.src = URL.createObjectURL(this.#file);
    const failure = "is not a video that this browser can play: try H.264 in mp4, or webm.";
    await this.#event("loadeddata", failure);
    if (!video.videoWidth) throw new MediaError(`${this.#file.name} ${failure}`); // sound alone
    checkPixels(this.#file, video.videoWidth, video.videoHeight);
    if (!Number.isFinite(video.duration)) {
      // What a browser has recorded says no duration before its end has been looked for.
      video.currentTime = Number.MAX_SAFE_INTEGER;
      await this.#event("seeked", "does not say how long it lasts.");
    }
    if (!(this.end > 0)) throw new MediaError(`${this.#file.name} lasts no time.`);
  }

  /** The last time to look for: a video that stands at its very end may present no frame. */
  get end() {
    return this.#video.duration - EPSILON;
  }

  /** Shows the frame of a time, and returns the time from which it is shown. */
  async seek(time) {
    const video = this.#video;
    const target = Math.min(Math.max(time, 0), this.end);
    if (Math.abs(target - this.#target) < EPSILON / 10) return this.#start; // nothing would move
    const place = `at ${target.toFixed(2)} s.`;
    const start = new Promise((resolve, reject) => {
      video.requestVideoFrameCallback((_, { mediaTime }) => resolve(mediaTime));
      const failure = new MediaError(`${this.#file.name} shows no frame ${place}`);
      setTimeout(() => reject(failure), SEEK_LIMIT);
    });
    start.catch(() => {}); // where the line below fails first
    video.currentTime = target;
    await this.#event("seeked", `is damaged ${place}`);
    [this.#target, this.#start] = [target, await start];
    return this.#start;
  }

  pixels() {
    return draw(this.#file, this.#video, ...this.#size(), this.#canvas);
  }

  /** The frame's sides as it is stored. Shown it may be wider; a2keras takes the stored pixels. */
  #size() {
    const { videoWidth, videoHeight } = this.#video;
    if (!window.VideoFrame) return [videoWidth, videoHeight]; // older, or neither https nor local
    const frame = new VideoFrame(this.#video);
    const { width, height } = frame.visibleRect;
    frame.close();
    const turned = width > height !== videoWidth > videoHeight;
    return turned ? [height, width] : [width, height];
  }

  close() {
    URL.revokeObjectURL(this.#video.src);
    this.#video.removeAttribute("src");
    this.#video.load();
  }

  #event(name, failure) {
    return new Promise((resolve, reject) => {
      const fail = () => reject(new MediaError(`${this.#file.name} ${failure}`));
      const timer = setTimeout(fail, SEEK_LIMIT);
      const settle = (then) => () => {
        clearTimeout(timer);
        then();
      };
      this.#video.addEventListener(name, settle(resolve), { once: true });
      this.#video.addEventListener("error", settle(fail), { once: true });
    });
  }
}
