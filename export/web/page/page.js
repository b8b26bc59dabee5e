// The page: a file goes in, classes and maps come out.

import { MediaError, decode } from "./media.js";
import { fit } from "./preprocessing.js";
import * as viewer from "./viewer.js";

const TOP = 5;
const SAID = 0.5; // from this probability on a multi-label network says a label

const $ = (id) => document.getElementById(id);
const worker = new Worker("inference.js", { type: "module" });
const waiting = new Map();
let page; // page.json: what the model takes and gives
let rules; // preprocessing.json
let turn = 0; // of the file that was picked last

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
  document.body.dataset.state = "failed";
}

async function json(path) {
  // Of this export, not of an earlier one.
  const response = await fetch(path, { cache: "no-cache" });
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
    await ask({ description: page });
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
    rules.multi_label
      ? `Takes ${what} and says which of ${rules.labels.length} labels it has: ${listed(rules.labels)}.`
      : `Takes ${what} and tells ${rules.labels.length} classes apart: ${listed(rules.labels)}.`;
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
  const number = ++turn;
  const current = () => number === turn; // unless another file was picked meanwhile
  document.body.dataset.state = "busy";
  $("error").hidden = true;
  viewer.stop();
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
    const whole = error instanceof MediaError; // which is a sentence
    fail(whole ? error.message : `${file.name} could not be classified. ${error.message}`);
  }
}

function show(file, frames, media, result, reading) {
  showClasses(result.probabilities);
  const ms = (value) => `${value < 10 ? value.toFixed(1) : value.toFixed(0)} ms`;
  const clip = media.total
    ? ` Frames ${media.indices[0]} to ${media.indices.at(-1)} of ${media.total}, ` +
      `${media.rate.toFixed(2)} per second.`
    : "";
  $("time").textContent =
    `${file.name}: classified in ${ms(result.milliseconds)}, read in ${ms(reading)}.${clip}`;
  Object.assign($("time").dataset, { indices: media.indices ?? "", total: media.total ?? "" });
  $("result").hidden = false;
  viewer.show(frames, rules.size, result.attention);
}

function showClasses(probabilities) {
  const classes = Array.from(probabilities.keys());
  const order = classes.sort((a, b) => probabilities[b] - probabilities[a]);
  const said = (i) => rules.multi_label === true && probabilities[i] >= SAID;
  $("classes").replaceChildren(
    ...order.filter((i, rank) => rank < TOP || said(i)).map((i) => {
      const row = document.createElement("li");
      row.classList.toggle("said", said(i));
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

function listen() {
  $("file").addEventListener("change", ({ target }) => {
    if (target.files.length) classify(target.files[0]);
    target.value = ""; // so that the same file may be chosen again
  });
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

viewer.listen();
listen();
start();
