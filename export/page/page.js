// The page: a file goes in, classes and maps come out.

import { Layer, draw } from "./maps.js";
import { MediaError, decode } from "./media.js";
import { fit } from "./preprocessing.js";

const TOP = 5;
const THUMBNAILS = 8;
const THUMBNAIL_SIDE = 72; // pixels
const PLAY_MS = 160; // per frame

const $ = (id) => document.getElementById(id);
const worker = new Worker("inference.js", { type: "module" });
const waiting = new Map();
let page; // page.json: what the model takes and gives
let rules; // preprocessing.json
let shown; // {frames, layers}: the result on the screen
let turn = 0; // of the file that was picked last
let player;

worker.onmessage = ({ data: { id, result, error } }) => {
  const { resolve, reject } = waiting.get(id);
  waiting.delete(id);
  error === undefined ? resolve(result) : reject(new Error(error));
};
worker.onerror = () => fail("The runtime did not start: is every file of the export here?");

function ask(message, transfer = []) {
  return new Promise((resolve, reject) => {
    const id = waiting.size ? Math.max(...waiting.keys()) + 1 : 0;
    waiting.set(id, { resolve, reject });
    worker.postMessage({ ...message, id }, transfer);
  });
}

function say(text) {
  $("status").textContent = text;
}

function fail(text) {
  say("");
  $("error").textContent = text;
  $("error").hidden = false;
}

async function json(path) {
  const response = await fetch(path, { cache: "no-cache" }); // of this export, not of an earlier one
  if (!response.ok) throw new Error(`${path}: ${response.status} ${response.statusText}`);
  return response.json();
}

async function start() {
  $("unstarted").remove();
  $("pick").hidden = false;
  try {
    [page, rules] = await Promise.all([json("page.json"), json("preprocessing.json")]);
    describe();
    const size = (page.model.bytes / 2 ** 20).toFixed(1);
    say(`Loading the network (${size} MB) and its runtime…`);
    await ask({ page });
  } catch (error) {
    fail(`The network could not be loaded. ${error.message}`);
    return;
  }
  say("");
  $("file").disabled = false;
  document.body.dataset.state = "ready";
}

function describe() {
  const video = rules.frames !== null;
  const what = video ? "a short video clip" : "an image";
  $("title").textContent = document.title = page.name;
  $("subtitle").textContent =
    `Takes ${what} and tells ${rules.labels.length} classes apart: ${listed(rules.labels)}.`;
  $("ask").textContent = `Choose ${what}`;
  $("seen").textContent = video
    ? `What the network sees: ${rules.frames} frames`
    : "What the network sees";
  $("file").accept = video ? "video/*" : "image/*";
}

function listed(labels) {
  return labels.length <= 12 ? labels.join(", ") : `${labels.slice(0, 10).join(", ")}, …`;
}

async function classify(file) {
  const mine = ++turn;
  const current = () => mine === turn; // unless another file was picked meanwhile
  document.body.dataset.state = "busy";
  $("error").hidden = true;
  stop();
  say(`Reading ${file.name}…`);
  try {
    const begin = performance.now();
    const media = await decode(file, rules);
    const frames = media.frames.map((pixels) => fit(pixels, rules));
    const reading = performance.now() - begin;
    if (!current()) return;
    say(`Classifying ${file.name}…`);
    const pixels = new Float32Array(frames.length * frames[0].length);
    frames.forEach((frame, i) => pixels.set(frame, i * frame.length));
    const result = await ask({ pixels }, [pixels.buffer]);
    if (!current()) return;
    show(file, frames, media, result, reading);
    say("");
    document.body.dataset.state = "done";
  } catch (error) {
    if (!current()) return;
    $("result").hidden = true;
    fail(error instanceof MediaError ? error.message : `${file.name} could not be classified. ${error.message}`);
    document.body.dataset.state = "failed";
  }
}

function show(file, frames, media, result, reading) {
  shown = { frames, layers: result.attention.map((each) => new Layer(each)) };
  showClasses(result.probabilities);
  const ms = (value) => `${value < 10 ? value.toFixed(1) : value.toFixed(0)} ms`;
  const clip = media.total
    ? ` Frames ${media.indices[0]} to ${media.indices.at(-1)} of ${media.total}, ${media.rate.toFixed(2)} per second.`
    : "";
  $("time").textContent =
    `${file.name}: classified in ${ms(result.milliseconds)}, read in ${ms(reading)}.${clip}`;
  Object.assign($("time").dataset, { indices: media.indices ?? "", total: media.total ?? "" });
  $("frames").hidden = frames.length === 1;
  $("frame").max = frames.length - 1;
  $("frame").value = 0;
  $("attention").hidden = shown.layers.length === 0;
  $("layer").replaceChildren(
    ...shown.layers.map((layer, i) => new Option(layer.name.replace(/_attention$/, ""), i)),
  );
  $("layer").value = shown.layers.length - 1;
  $("result").hidden = false;
  chooseLayer();
}

function showClasses(probabilities) {
  const order = Array.from(probabilities.keys()).sort((a, b) => probabilities[b] - probabilities[a]);
  $("classes").replaceChildren(
    ...order.slice(0, TOP).map((i) => {
      const row = document.createElement("li");
      Object.assign(row.dataset, { label: rules.labels[i], probability: probabilities[i] });
      const [name, value, bar] = ["span", "span", "div"].map((tag) => document.createElement(tag));
      name.textContent = rules.labels[i];
      value.textContent = `${(100 * probabilities[i]).toFixed(2)} %`;
      bar.className = "bar";
      bar.style.setProperty("--share", probabilities[i]);
      row.append(name, value, bar);
      return row;
    }),
  );
}

function layer() {
  return shown.layers[Number($("layer").value)] ?? null;
}

function chooseLayer() {
  if (layer()) {
    $("descriptor").max = layer().descriptors - 1;
    $("descriptor").value = layer().order[0];
    $("many").textContent = `of ${layer().descriptors}, from 0`;
    $("thumbnails").replaceChildren(...layer().order.slice(0, THUMBNAILS).map(thumbnail));
  }
  chooseMap();
}

/** Shows another map, at the frame where it has its largest weight. */
function chooseMap() {
  const { kind, descriptor } = view();
  const one = kind === "gather" || kind === "distribution";
  $("one").hidden = $("concentrated").hidden = $("thumbnails").hidden = !one;
  if (one) {
    $("frame").value = peakFrame(kind, descriptor);
    for (const button of $("thumbnails").children) drawThumbnail(button, kind, descriptor);
  }
  redraw();
}

function peakFrame(kind, descriptor) {
  return Math.ceil((layer().peak(kind, descriptor).time * shown.frames.length) / layer().times);
}

function drawThumbnail(button, kind, chosen) {
  const descriptor = Number(button.value);
  button.setAttribute("aria-pressed", descriptor === chosen);
  const frame = peakFrame(kind, descriptor);
  const { time } = layer().peak(kind, descriptor);
  const one = { kind, descriptor, time, side: THUMBNAIL_SIDE };
  draw(button.firstChild, shown.frames[frame], rules.size, layer(), one);
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
  const time = layer() ? layer().step(frame, shown.frames.length) : 0;
  const most = layer() ? layer().descriptors - 1 : 0;
  const descriptor = Math.min(most, Math.max(0, Math.trunc(Number($("descriptor").value) || 0)));
  return { frame, kind, time, descriptor };
}

function redraw() {
  const now = view();
  const plain = now.kind === "none";
  draw($("picture"), shown.frames[now.frame], rules.size, plain ? null : layer(), now);
  const caption = captionOf(now);
  $("caption").textContent = caption;
  $("picture").setAttribute("aria-label", caption);
  $("frame-number").textContent = `${now.frame + 1} of ${shown.frames.length}`;
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

function stop() {
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
    $("frame").value = (Number($("frame").value) + 1) % shown.frames.length;
    redraw();
  }, PLAY_MS);
}

function listen() {
  $("file").addEventListener("change", ({ target }) => {
    if (target.files.length) classify(target.files[0]);
    target.value = ""; // so that the same file may be chosen again
  });
  $("play").addEventListener("click", play);
  $("frame").addEventListener("input", redraw);
  $("descriptor").addEventListener("input", chooseMap);
  $("kind").addEventListener("change", chooseMap);
  $("layer").addEventListener("change", chooseLayer);
  for (const kind of ["dragenter", "dragover", "dragleave", "drop"]) {
    document.addEventListener(kind, (event) => {
      event.preventDefault();
      const over = kind === "dragenter" || kind === "dragover";
      document.body.classList.toggle("over", over && !$("file").disabled);
      if (kind !== "drop" || $("file").disabled) return;
      const files = event.dataTransfer.files;
      if (files.length === 1) classify(files[0]);
      else fail(files.length ? "Drop one file at a time." : "What was dropped is not a file.");
    });
  }
}

listen();
start();
