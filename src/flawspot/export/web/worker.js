// A worker, so that the page stays responsive. It holds the detector and inspects one photograph after the other.

const SCHEMA = 1;
const THREADS = 4;

async function fetched(name) {
  // Fetched again, so that no older detector in the browser's cache is used with a newer threshold.
  const response = await fetch(new URL(name, import.meta.url), { cache: "no-cache" });
  if (!response.ok) throw new Error(`${name} cannot be fetched (${response.status})`);
  return new Uint8Array(await response.arrayBuffer());
}

function crc32(bytes) { // ISO 3309, as zlib's
  const table = new Uint32Array(256);
  for (let n = 0; n < 256; n++) {
    table[n] = n;
    for (let bit = 0; bit < 8; bit++) table[n] = table[n] & 1 ? (table[n] >>> 1) ^ 0xedb88320 : table[n] >>> 1;
  }
  let crc = 0xffffffff;
  for (let at = 0; at < bytes.length; at++) crc = table[(crc ^ bytes[at]) & 255] ^ (crc >>> 8);
  return (crc ^ 0xffffffff) >>> 0;
}

async function load() {
  const setup = JSON.parse(new TextDecoder().decode(await fetched("detector.json")));
  if (setup.schema !== SCHEMA) throw new Error("page and detector are of different exports: reload the page");
  const [ort, wasm, model] = await Promise.all([import("./ort.js"), fetched("ort.wasm"), fetched("detector.onnx")]);
  if (crc32(model) !== setup.crc32) throw new Error("detector.onnx is damaged, or belongs to another export");
  ort.env.logLevel = "error";
  ort.env.wasm.wasmBinary = wasm.buffer;
  ort.env.wasm.numThreads = self.crossOriginIsolated ? Math.min(THREADS, navigator.hardwareConcurrency || 1) : 1;
  const session = await ort.InferenceSession.create(model, { executionProviders: ["wasm"] });
  return { ort, session, setup };
}

async function inspected({ ort, session, setup }, { pixels, width, height }) {
  const image = new ort.Tensor("uint8", pixels, [1, height, width, 3]);
  const began = performance.now();
  const found = await session.run({ image });
  const milliseconds = performance.now() - began;
  const map = found.anomaly_map.data, score = found.score.data[0];
  if (map.length !== setup.input_size ** 2) throw new Error("its map has a wrong size");
  if (!Number.isFinite(score) || !map.every(Number.isFinite)) throw new Error("its score or map is not finite");
  return { map, score, milliseconds };
}

const loading = load();
loading.catch(() => {}); // reported where the result is awaited

onmessage = async ({ data }) => {
  try {
    const loaded = await loading;
    postMessage(data.pixels ? await inspected(loaded, data) : { setup: loaded.setup });
  } catch (error) {
    postMessage({ error: String(error.message || error) });
  }
};
