// The picture with its maps, and the controls that choose what is drawn.

import { Layer, draw } from "./maps.js";

const THUMBNAILS = 8;
const THUMBNAIL_SIDE = 72; // pixels
const PLAY_MS = 160; // per frame

const $ = (id) => document.getElementById(id);
let current; // {frames, size, layers}: what is on the screen
let player;

/** Shows frames, RGB bytes (size, size) each, with the attention that the network paid to them. */
export function show(frames, size, attention) {
  current = { frames, size, layers: attention.map((each) => new Layer(each)) };
  $("frames").hidden = frames.length === 1;
  $("frame").max = frames.length - 1;
  $("frame").value = 0;
  $("attention").hidden = current.layers.length === 0;
  $("layer").replaceChildren(
    ...current.layers.map((layer, i) => new Option(layer.name.replace(/_attention$/, ""), i)),
  );
  $("layer").value = current.layers.length - 1;
  chooseLayer();
}

export function listen() {
  $("play").addEventListener("click", play);
  $("frame").addEventListener("input", redraw);
  $("descriptor").addEventListener("input", chooseMap);
  $("kind").addEventListener("change", chooseMap);
  $("layer").addEventListener("change", chooseLayer);
}

function layer() {
  return current.layers[Number($("layer").value)] ?? null;
}

function chooseLayer() {
  if (layer()) {
    $("descriptor").max = layer().descriptors - 1;
    $("descriptor").value = layer().order[0];
    $("descriptors").textContent = `of ${layer().descriptors}, from 0`;
    $("thumbnails").replaceChildren(...layer().order.slice(0, THUMBNAILS).map(thumbnail));
  }
  chooseMap();
}

/** Shows another map, at the frame where it has its largest weight. */
function chooseMap() {
  const { kind, descriptor } = view();
  const single = kind === "gather" || kind === "distribution";
  $("single").hidden = $("concentrated").hidden = $("thumbnails").hidden = !single;
  if (single) {
    $("frame").value = peakFrame(kind, descriptor);
    for (const button of $("thumbnails").children) drawThumbnail(button, kind, descriptor);
  }
  redraw();
}

function peakFrame(kind, descriptor) {
  return Math.ceil((layer().peak(kind, descriptor).time * current.frames.length) / layer().times);
}

function drawThumbnail(button, kind, chosen) {
  const descriptor = Number(button.value);
  button.setAttribute("aria-pressed", descriptor === chosen);
  const frame = peakFrame(kind, descriptor);
  const { time } = layer().peak(kind, descriptor);
  const small = { kind, descriptor, time, side: THUMBNAIL_SIDE };
  draw(button.firstChild, current.frames[frame], current.size, layer(), small);
}

function thumbnail(descriptor) {
  const button = document.createElement("button");
  button.type = "button";
  button.value = descriptor;
  button.setAttribute("aria-label", `descriptor ${descriptor}`);
  button.append(document.createElement("canvas"));
  button.addEventListener("click", () => {
    $("descriptor").value = descriptor;
    chooseMap();
  });
  return button;
}

/** The frame, the descriptor and the kind of map that the controls stand at. */
function view() {
  const frame = Number($("frame").value);
  const kind = layer() ? $("kind").value : "none";
  const time = layer() ? layer().step(frame, current.frames.length) : 0;
  const most = layer() ? layer().descriptors - 1 : 0;
  const descriptor = Math.min(most, Math.max(0, Math.trunc(Number($("descriptor").value) || 0)));
  return { frame, kind, time, descriptor };
}

function redraw() {
  const now = view();
  const plain = now.kind === "none";
  draw($("picture"), current.frames[now.frame], current.size, plain ? null : layer(), now);
  const caption = captionOf(now);
  $("caption").textContent = caption;
  $("picture").setAttribute("aria-label", caption);
  $("frame-number").textContent = `${now.frame + 1} of ${current.frames.length}`;
}

function captionOf({ kind, descriptor }) {
  if (kind === "none") return "The picture as it enters the network.";
  const name = $("layer").selectedOptions[0].text;
  if (kind === "choice") {
    return `${name}: one colour for each descriptor that positions take most of, ` +
      `${layer().choices.used} of ${layer().descriptors}.`;
  }
  const { weight } = layer().peak(kind, descriptor);
  const times = weight * (kind === "gather" ? layer().positions : layer().descriptors);
  const what = kind === "gather" ? "is collected" : "is handed out";
  return `${name}: where descriptor ${descriptor} ${what}. Brightest: ` +
    `${times.toFixed(times < 10 ? 1 : 0)} × the weight of a uniform map.`;
}

/** Stops the clip. */
export function stop() {
  clearInterval(player);
  player = undefined;
  $("play").textContent = "Play";
  $("play").setAttribute("aria-pressed", "false");
}

function play() {
  if (player !== undefined) return stop();
  $("play").textContent = "Pause";
  $("play").setAttribute("aria-pressed", "true");
  player = setInterval(() => {
    $("frame").value = (Number($("frame").value) + 1) % current.frames.length;
    redraw();
  }, PLAY_MS);
}
