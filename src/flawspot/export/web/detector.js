// Runs a detector: the worker that computes, the regions of its maps, and the self-test.

import { decoded, isDeep } from "./photograph.js";

const LONGEST = 120_000; // milliseconds to wait for an answer of the detector
const WHITE = 65535; // white of 16 bits, unless the detector was trained with another value
const SQUARES = 8; // squares in a row of the coarse map that the self-test compares

/** The anomalous regions of a map, size x size: 8-connected cells above the threshold, the highest peak first.
 *  Boxes are [left, top, right, bottom] in pixels of a photograph of width x height, rounded outwards. */
export function regions(map, size, threshold, width, height) {
  const seen = new Uint8Array(map.length), found = [];
  for (let first = 0; first < map.length; first++) {
    if (seen[first] || !(map[first] > threshold)) continue;
    let left = size, top = size, right = 0, bottom = 0, peak = -Infinity;
    const open = [first];
    seen[first] = 1;
    while (open.length) {
      const cell = open.pop(), x = cell % size, y = (cell - x) / size;
      [left, top] = [Math.min(left, x), Math.min(top, y)];
      [right, bottom] = [Math.max(right, x + 1), Math.max(bottom, y + 1)];
      peak = Math.max(peak, map[cell]);
      for (let v = Math.max(y - 1, 0); v <= Math.min(y + 1, size - 1); v++) {
        for (let u = Math.max(x - 1, 0); u <= Math.min(x + 1, size - 1); u++) {
          const near = v * size + u;
          if (seen[near] || !(map[near] > threshold)) continue;
          seen[near] = 1;
          open.push(near);
        }
      }
    }
    const box = [
      Math.floor((left * width) / size), Math.floor((top * height) / size),
      Math.ceil((right * width) / size), Math.ceil((bottom * height) / size),
    ];
    found.push({ box, peak });
  }
  return found.sort((one, other) => other.peak - one.peak);
}

/** Inspects photographs one after the other, in a worker that is replaced if it fails. */
export class Detector {
  #worker = null;
  #last = Promise.resolve();

  /** Resolves to the result; rejects if the photograph could not be inspected. */
  inspect(source) {
    const found = this.#last.then(() => this.#inspect(source));
    this.#last = found.catch(() => {});
    return found;
  }

  /** Resolves to the content of detector.json, once the detector is loaded and has passed its self-test. */
  get ready() {
    const ready = this.#last.then(() => this.#started());
    this.#last = ready.catch(() => {});
    return ready;
  }

  async #inspect(source) {
    const setup = await this.#started();
    if (setup.white !== WHITE && (await isDeep(source))) {
      throw new Error(`it has 16 bits, of which ${setup.white} is white for this detector: no browser knows that`);
    }
    const photograph = await decoded(source, setup.input_size);
    const found = await this.#run(photograph);
    const boxes = regions(found.map, setup.input_size, setup.region_threshold, photograph.width, photograph.height);
    const anomalous = !(found.score <= setup.threshold); // so that a NaN is never good
    return { ...found, ...photograph, setup, regions: boxes, verdict: anomalous ? "anomalous" : "good" };
  }

  async #started() {
    if (this.#worker) return this.setup;
    this.#worker = new Worker(new URL("worker.js", import.meta.url), { type: "module" });
    const { setup } = await this.#ask({});
    if (setup.self_test) {
      const probe = await fetch(new URL("probe.png", import.meta.url));
      this.#selfTest(setup, await this.#run(await decoded(await probe.blob(), setup.input_size)));
    }
    this.setup = setup;
    return setup;
  }

  #selfTest({ input_size: size, self_test: wanted }, { map, score }) {
    const edges = [...new Set(Array.from({ length: SQUARES + 1 }, (_, n) => Math.floor((n * size) / SQUARES)))];
    const got = [score];
    for (let row = 0; row + 1 < edges.length; row++) {
      for (let column = 0; column + 1 < edges.length; column++) {
        let sum = 0;
        for (let y = edges[row]; y < edges[row + 1]; y++) {
          for (let x = edges[column]; x < edges[column + 1]; x++) sum += map[y * size + x];
        }
        got.push(sum / ((edges[row + 1] - edges[row]) * (edges[column + 1] - edges[column])));
      }
    }
    const want = [wanted.score, ...wanted.map_means];
    const largest = Math.max(...want.map(Math.abs), 1e-30);
    const worst = Math.max(...want.map((value, n) => Math.abs(value - got[n]))) / largest;
    if (got.length === want.length && worst <= wanted.tolerance) return;
    this.#drop();
    throw new Error(
      "the detector fails its self-test: this browser computes something else, or changes the pixels of pictures",
    );
  }

  #run({ pixels, columns, rows }) {
    return this.#ask({ pixels, width: columns, height: rows }, [pixels.buffer]);
  }

  #drop() {
    this.#worker?.terminate();
    this.#worker = null;
  }

  #ask(message, given = []) {
    return new Promise((resolve, reject) => {
      const fail = (why) => {
        clearTimeout(timer);
        this.#drop();
        reject(new Error(why));
      };
      const timer = setTimeout(() => fail("the detector does not answer"), LONGEST);
      this.#worker.onerror = (event) => fail(`the detector cannot be loaded: ${event.message || "worker.js"}`);
      this.#worker.onmessage = ({ data }) => {
        if (data.error) return fail(data.error);
        clearTimeout(timer);
        resolve(data);
      };
      this.#worker.postMessage(message, given);
    });
  }
}
