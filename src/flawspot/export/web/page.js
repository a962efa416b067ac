// The page: a photograph is dropped, chosen or taken, and its verdict, map and regions are shown.

import { Detector } from "./detector.js";
import { blank } from "./photograph.js";

const VIEW_SIDE = 1024;
const MOST_ENLARGED = 4;
const LIMIT = 1e-30;
const CAMERA = { video: { facingMode: "environment", width: { ideal: 1920 }, height: { ideal: 1080 } } };

// For a position v / (v + threshold) on the scale of severity: its colour and its opacity.
const COLOURS = [
  [0, 8, 12, 36], [0.25, 24, 44, 104], [0.44, 52, 84, 150], [0.5, 196, 84, 60],
  [0.6, 238, 118, 34], [0.75, 252, 178, 44], [0.9, 255, 226, 104], [1, 255, 250, 205],
];
const COVERING = [[0.4, 0], [0.49, 0.15], [0.51, 0.45], [0.7, 0.62], [1, 0.75]];

const at = (id) => document.getElementById(id);
const detector = new Detector();
let shown = null; // the result of the photograph in view
let stream = null; // the camera's stream
let turn = 0; // number of the last given photograph

/** The values at a place in a table of [place, values...], interpolated between its neighbours. */
function between(table, place) {
  const next = Math.max(1, table.findIndex(([from]) => from >= place));
  const [[from, ...low], [to, ...high]] = [table[next - 1], table[next]];
  const share = Math.min(Math.max((place - from) / (to - from), 0), 1);
  return low.map((value, n) => value + share * (high[n] - value));
}

function painted(places, width, height, opacity) {
  const image = new ImageData(width, height);
  places.forEach((place, n) => image.data.set([...between(COLOURS, place), opacity(place)], 4 * n));
  const canvas = blank(width, height);
  canvas.getContext("2d").putImageData(image, 0, 0);
  return canvas;
}

function heat({ map, setup }) {
  const middle = Math.max(setup.region_threshold, LIMIT);
  const places = Array.from(map, (value) => Math.max(value, 0) / (Math.max(value, 0) + middle));
  return painted(places, setup.input_size, setup.input_size, (place) => 255 * between(COVERING, place)[0]);
}

/** The score in units of the threshold, with enough digits that it is not shown on the wrong side of 1. */
function severity({ score, setup: { threshold } }) {
  if (!(threshold > 0)) return score > threshold ? "∞" : "0";
  const texts = [3, 5, 8, 12, 17].map((digits) => String(Number((score / threshold).toPrecision(digits))));
  return texts.find((text) => Number(text) > 1 === score / threshold > 1);
}

function say(kind, verdict, told) {
  at("verdict").dataset.verdict = kind;
  at("verdict").firstElementChild.textContent = verdict;
  at("verdict").lastElementChild.textContent = told;
}

function draw() {
  at("view").hidden = !shown;
  at("hint").hidden = Boolean(shown);
  if (!shown) return;
  const { canvas: photograph, width, height, heated, regions, verdict } = shown;
  const scale = Math.min(VIEW_SIDE / Math.max(photograph.width, photograph.height), MOST_ENLARGED);
  const view = at("view"), context = view.getContext("2d");
  view.width = Math.max(Math.round(photograph.width * scale), 1);
  view.height = Math.max(Math.round(photograph.height * scale), 1);
  context.imageSmoothingQuality = "high";
  context.drawImage(photograph, 0, 0, view.width, view.height);
  context.globalAlpha = at("opacity").value / 100;
  context.drawImage(heated, 0, 0, view.width, view.height);
  context.globalAlpha = 1;
  const line = Math.max(view.width, view.height) / 250;
  for (const { box: [left, top, right, bottom] } of regions) {
    const [x, y] = [view.width / width, view.height / height];
    for (const [colour, thickness] of [["#000", 2 * line], ["#ff9628", line]]) {
      [context.strokeStyle, context.lineWidth] = [colour, thickness];
      context.strokeRect(left * x, top * y, (right - left) * x, (bottom - top) * y);
    }
  }
  view.setAttribute("aria-label", `The photograph: ${verdict}, regions above the threshold: ${regions.length}`);
}

/** Shows a result, or nothing. */
function show(found) {
  shown = found && { ...found, heated: heat(found) };
  const { width, height, columns, rows } = found ?? {};
  const smaller = columns === width && rows === height ? "" : `, resized to ${columns} × ${rows} here`;
  const figures = {
    severity: () => severity(found),
    score: () => String(Number(found.score.toPrecision(5))),
    regions: () => found.regions.length,
    pixels: () => `${width} × ${height}${smaller}`,
    decoding: () => `${found.decoding.toFixed(0)} ms`,
    inspection: () => `${found.milliseconds.toFixed(0)} ms`,
  };
  for (const [id, text] of Object.entries(figures)) at(id).textContent = found ? text() : "–";
  draw();
}

async function inspect(source, name) {
  const mine = ++turn;
  if (source instanceof Blob) { // with a film, the last picture stays until the next is inspected
    say("none", "inspecting", name);
    show(null);
  }
  try {
    const found = await detector.inspect(source);
    if (mine !== turn) return; // another photograph was given in the meantime
    show(found);
    say(found.verdict, found.verdict, name);
  } catch (error) {
    if (mine !== turn || (source === at("film") && !stream)) return; // or the camera was stopped in the meantime
    show(null);
    say("not", "not inspected", `${name}: ${error.message || error}`);
  }
}

function given(files) {
  if (!files.length) return say("not", "not inspected", "that was no file");
  at("note").textContent = files.length > 1 ? `Of ${files.length} files the first was inspected: one at a time.` : "";
  at("continuously").checked = false;
  return inspect(files[0], files[0].name);
}

function stop() {
  for (const track of stream?.getTracks() ?? []) track.stop();
  stream = null;
  at("film").srcObject = null;
  at("continuously").checked = false;
  for (const id of ["film", "take", "always"]) at(id).hidden = true;
  at("camera").textContent = "Use the camera";
}

async function camera() {
  if (stream) return stop();
  at("note").textContent = "";
  at("camera").disabled = true; // until it has started: it is asked for once
  try {
    stream = await navigator.mediaDevices.getUserMedia(CAMERA);
    at("film").srcObject = stream;
    at("film").hidden = false;
    at("camera").textContent = "Stop the camera";
    stream.getVideoTracks()[0].onended = () => {
      stop();
      show(null);
      say("not", "not inspected", "the camera has stopped");
    };
    await at("film").play(); // before that it has no frame to take
    for (const id of ["take", "always"]) at(id).hidden = false;
  } catch (error) {
    stop();
    at("note").textContent = `The camera cannot be used: ${error.message || error}`;
  } finally {
    at("camera").disabled = false;
  }
}

async function watch() {
  while (stream && at("continuously").checked) {
    await inspect(at("film"), "camera");
    await new Promise(requestAnimationFrame);
  }
}

async function start() {
  const ramp = Array.from({ length: 256 }, (_, n) => n / 255);
  at("ramp").getContext("2d").drawImage(painted(ramp, 256, 1, () => 255), 0, 0);
  at("title").textContent = "";
  at("opacity").oninput = draw;
  at("file").onchange = ({ target }) => {
    given([...target.files]);
    target.value = ""; // so that the same one can be chosen again
  };
  at("camera").onclick = camera;
  at("take").onclick = () => inspect(at("film"), "camera");
  at("continuously").onchange = watch;
  if (!navigator.mediaDevices?.getUserMedia) {
    at("camera").hidden = true;
    at("note").textContent = "The camera can be used where the page comes by https, or from this very machine.";
  }
  window.ondragover = (event) => event.preventDefault();
  window.ondrop = (event) => {
    event.preventDefault();
    given([...event.dataTransfer.files]);
  };
  try {
    const setup = await detector.ready;
    at("product").textContent = document.title = setup.product || "flawspot";
    at("title").textContent = setup.title;
    at("threshold").textContent = String(Number(setup.threshold.toPrecision(5)));
    at("about").textContent = `flawspot ${setup.flawspot}, detector ${setup.graph_sha256.slice(0, 12)}`;
    if (!turn) say("none", "ready", "no photograph yet");
  } catch (error) {
    if (!turn) say("not", "not inspected", `nothing can be: ${error.message || error}`);
  }
}

start();
