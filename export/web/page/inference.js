// A worker: the network runs here, so that the page stays alive meanwhile.

import * as ort from "./runtime/ort.js";

ort.env.wasm.wasmPaths = { wasm: new URL("./runtime/ort.wasm", import.meta.url).href };
// Threads need a page that its server has isolated (COOP and COEP headers).
ort.env.wasm.numThreads = self.crossOriginIsolated
  ? Math.min(4, navigator.hardwareConcurrency || 1)
  : 1;

let session;
let page; // page.json

async function start(description) {
  page = description;
  const response = await fetch(page.model.path, { cache: "no-cache" });
  if (!response.ok) throw new Error(`${page.model.path}: ${response.status} ${response.statusText}`);
  session = await ort.InferenceSession.create(await response.arrayBuffer(), {
    executionProviders: ["wasm"],
  });
}

async function classify(pixels) {
  const tensor = new ort.Tensor("float32", pixels, [1, ...page.shape]);
  const begin = performance.now();
  const outputs = await session.run({ [page.input]: tensor });
  const milliseconds = performance.now() - begin;
  const plain = (name) => ({ data: outputs[name].data, dims: outputs[name].dims.slice(1) });
  return {
    milliseconds,
    probabilities: outputs[page.output].data,
    attention: page.attention.map(({ layer, gather, distribution }) => ({
      layer,
      gather: plain(gather),
      distribution: plain(distribution),
    })),
  };
}

self.onmessage = async ({ data: { id, description, pixels } }) => {
  try {
    const result = description ? await start(description) : await classify(pixels);
    self.postMessage({ id, result });
  } catch (error) {
    self.postMessage({ id, error: String(error?.message ?? error) });
  }
};
