// From a file that a person picked to pixels: {data, width, height} with RGBA bytes.

import { clipIndices, reduce } from "./preprocessing.js";

const MAX_PIXELS = 89_478_485; // of one frame, as in a2keras
const SEEK_LIMIT = 20_000; // ms

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
  const video = document.createElement("video");
  if (!video.requestVideoFrameCallback) {
    throw new MediaError("This browser cannot tell a video's frames apart: use a newer one.");
  }
  video.muted = true;
  video.playsInline = true;
  video.preload = "auto";
  video.src = URL.createObjectURL(file);
  try {
    await once(video, "loadeddata", `${file.name} is not a video that this browser can play.`);
    checkPixels(file, video.videoWidth, video.videoHeight);
    return await sample(file, video, rules);
  } finally {
    URL.revokeObjectURL(video.src);
    video.removeAttribute("src");
    video.load();
  }
}

async function sample(file, video, rules) {
  const { first, step, total } = await clock(file, video);
  const indices = clipIndices(total, rules.frames, rules.stride);
  const canvas = document.createElement("canvas");
  const frames = [];
  const decoded = new Map(); // the last frame of a short video is held
  for (const index of indices) {
    if (!decoded.has(index)) {
      await seek(file, video, first + (index + 0.5) * step);
      const pixels = draw(file, video, video.videoWidth, video.videoHeight, canvas);
      decoded.set(index, reduce(pixels, rules.short_side ?? rules.size));
    }
    frames.push(decoded.get(index));
  }
  return { frames, indices, total, rate: 1 / step };
}

/**
 * The time of the first frame, the distance between two, and their number. A browser tells none
 * of them, only the time of the frame that it shows. So: look for the second frame by steps that
 * double, then measure over distances that double, and look where the last one lies.
 */
async function clock(file, video) {
  const first = await seek(file, video, 0);
  const end = await seek(file, video, await duration(file, video));
  if (end <= first) return { first, step: 1, total: 1 };
  let step = 0;
  for (let ahead = 1 / 256; step <= 0; ahead *= 2) {
    step = (await seek(file, video, Math.min(first + ahead, end))) - first;
  }
  for (let ahead = 2; first + ahead * step < end; ahead *= 2) {
    const shown = await seek(file, video, first + (ahead + 0.5) * step);
    step = (shown - first) / Math.round((shown - first) / step);
  }
  const total = Math.round((end - first) / step) + 1;
  return { first, step: (end - first) / (total - 1), total };
}

async function duration(file, video) {
  if (Number.isFinite(video.duration)) return video.duration;
  // What a browser records itself says no duration before its end has been looked for.
  video.currentTime = Number.MAX_SAFE_INTEGER;
  await once(video, "seeked", `${file.name} ends before its last frame.`);
  if (Number.isFinite(video.duration)) return video.duration;
  throw new MediaError(`${file.name} does not say how long it lasts.`);
}

/** Shows the frame at a time, and returns the time from which it is shown. */
async function seek(file, video, time) {
  const shown = new Promise((resolve) => {
    video.requestVideoFrameCallback((_, { mediaTime }) => resolve(mediaTime));
  });
  const seeked = once(video, "seeked", `${file.name} is damaged at ${time.toFixed(2)} s.`);
  video.currentTime = time;
  await seeked;
  return Promise.race([shown, late(file, time)]);
}

function late(file, time) {
  return new Promise((_, reject) => {
    const reason = `${file.name} shows no frame at ${time.toFixed(2)} s.`;
    setTimeout(() => reject(new MediaError(reason)), SEEK_LIMIT);
  });
}

function once(video, event, failure) {
  return new Promise((resolve, reject) => {
    const fail = () => reject(new MediaError(failure));
    const timer = setTimeout(fail, SEEK_LIMIT);
    const settle = (then) => () => {
      clearTimeout(timer);
      then();
    };
    video.addEventListener(event, settle(resolve), { once: true });
    video.addEventListener("error", settle(fail), { once: true });
  });
}
