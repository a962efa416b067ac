// The page at the line: the newest part, large. An old verdict is never shown as if it were live.
import { ask, at } from "./common.js";
const KEPT = 100, THUMBNAILS = 24, BACK = 30_000, SILENT = 5000, BROKEN = 2000, JUST = 400; // most in milliseconds
const parts = [], now = () => performance.now(); // the newest first
let pinned = null, pictured = null, drawn = null, corner = null; // the earlier part in view, and boxes drawn on it
let heard = now(), answered = heard, came = heard, troubled = 0, until = 0, trouble = null, isLost = false, stream;
let empty = ["none", "WAIT", "Asking the station."];
const note = (text, look) => Object.assign(at("note"), { textContent: text, className: look });
const when = (time) => time ? new Date(time).toLocaleString("sv-SE") : "not recorded"; // 2026-01-31 12:00:00, local
const kind = (verdict) => verdict.replace(" ", "-");
const shape = (verdict, more, ...held) =>
  make("use", { href: `#${kind(verdict)}`, class: kind(verdict), ...more }, ...held);
const named = ({ number, part, name }) => `${part === null ? name : `Part ${part}`} · No ${number ?? "none"}`;
const severity = ({ severity: value, verdict }) => value === null ? { anomalous: "severity ∞" }[verdict] ?? ""
  : `severity ${[2, 3, 5, 8, 17].map((n) => Number(value.toPrecision(n))).find((told) => told > 1 === value > 1)}`;

function make(name, attributes, ...held) { // an element; its content is inserted as text, never as markup
  const isDrawn = /^(svg|use|image|rect|line|title)$/.test(name);
  const node = document.createElementNS(`http://www.w3.org/${isDrawn ? "2000/svg" : "1999/xhtml"}`, name);
  for (const [key, value] of Object.entries(attributes)) node.setAttribute(key, value);
  node.append(...held);
  return node;
}
function take(result) { // a result, or a word on one
  const known = parts.find(({ number }) => number !== null && number === result.number);
  if (known || !result.verdict) return Object.assign(known ?? {}, result);
  parts.unshift({ ...result, order: result.number ?? parts[0]?.order ?? 0 });
  return parts.sort((a, b) => b.order - a.order).splice(KEPT);
}
async function load() {
  const asked = new URLSearchParams({ limit: KEPT, detector: at("detector").value });
  (await ask(`/v1/results?${asked}`, 5)).results.reverse().forEach(take);
  empty = ["none", "NO PART YET", "The first part will be shown here."];
  draw();
}
function listen() { // the stream reconnects by itself, unless it was refused
  const hear = (name, act) => stream.addEventListener(name, (event) => { heard = now(); act(JSON.parse(event.data)); });
  stream = new EventSource("/events");
  stream.onopen = () => load().catch((error) => note(error.message, "bad"));
  stream.onerror = () => { heard = Math.min(heard, now() - SILENT + BROKEN); };
  stream.onmessage = () => { heard = now(); }; // a sign of life
  hear("word", ({ result, word, by, boxes }) => { take({ number: result, word, by, boxes }); draw(); });
  hear("result", (result) => {
    const before = parts[0];
    if (["", result.detector].includes(at("detector").value)) take(result);
    if (parts[0] !== before) [came, at("verdict").dataset.beat] = [now(), at("verdict").dataset.beat ^ 1];
    draw();
  });
}
function state(part) { // the verdict in large words, and its reason
  if (isLost && !pinned) return ["broken", "NO CONNECTION", "The station does not answer: verdicts are not seen here."];
  if (trouble && troubled > came && !pinned) return ["broken", "NO PICTURES", trouble];
  return part ? [kind(part.verdict), part.verdict.toUpperCase(), part.reason ?? ""] : empty;
}
function draw() {
  const part = pinned ?? parts[0], [look, word, reason] = state(part), shown = look === "broken" ? null : part;
  const texts = { word, reason, number: shown && named(shown), severity: shown && severity(shown),
    facts: shown && `${when(shown.time)} · ${shown.detector}`, said: shown?.word && `${shown.by}: ${shown.word}`,
    banner: look === "broken" ? "" : isLost ? "NO CONNECTION: the station does not answer" : trouble,
    count: drawn && `${drawn.length} drawn` };
  for (const [id, text] of Object.entries(texts)) if (at(id).textContent !== `${text ?? ""}`) at(id).textContent = text;
  at("verdict").dataset.kind = look;
  at("shape").setAttribute("href", `#${look}`);
  document.body.dataset.mode = drawn ? "drawing" : pinned ? "earlier" : "live";
  if (pictured !== shown) at("picture").replaceChildren(shown ? photo(shown) : "");
  pictured = shown;
  if (shown && !corner) mark(drawn ?? []);
  for (const button of at("actions").children) button.disabled = !shown?.number || button.dataset.not === shown.verdict;
  parts.slice(0, THUMBNAILS).forEach(thumbnail);
  while (at("thumbnails").children.length > Math.min(THUMBNAILS, parts.length)) at("thumbnails").lastChild.remove();
  strip(at("strip"));
}
function photo({ picture, image_size: [width, height] = [1280, 960] }) { // in the picture's own pixels
  const image = make("image", { href: `/v1/pictures/${picture}/view`, width, height });
  const words = make("p", {}, picture ? "This picture cannot be shown." : "There is no picture.");
  image.onerror = () => image.parentNode?.replaceWith(words);
  return picture ? make("svg", { viewBox: `0 0 ${width} ${height}` }, image) : words;
}
function mark(more) { // regions that the detector found, boxes that people drew, and the box being drawn
  const all = { found: pictured.regions.map(({ box }) => box), said: pictured.boxes ?? [], drawn: more };
  at("picture").querySelectorAll("rect").forEach((each) => each.remove());
  at("picture").firstChild.append(...Object.entries(all).flatMap(([name, boxes]) => boxes.map(([x, y, right, bottom]) =>
    make("rect", { class: name, x, y, width: right - x, height: bottom - y }))));
}
function thumbnail(part, place) {
  const image = make("img", { alt: "", ...(part.picture && { src: `/v1/pictures/${part.picture}/view?side=160` }) });
  part.button ??= make("button", { type: "button", title: `${named(part)}: ${part.verdict}` }, image,
    make("svg", { class: "shape", viewBox: "0 0 100 100" }, shape(part.verdict)), make("span", {}));
  part.button.onclick = () => look(part);
  part.button.lastChild.textContent = part.word ?? "";
  part.button.setAttribute("aria-current", part === pictured);
  const there = at("thumbnails").children[place]; // the focused element is not moved
  if (there !== part.button) at("thumbnails").insertBefore(part.button, there ?? null);
}
function strip({ clientWidth: width, clientHeight: height }) { // severities from 1/4 to 4
  const count = width < 700 ? THUMBNAILS : KEPT, step = width / count, size = Math.min(step, 15);
  const down = (value) => height / 2 - height * 0.2 * Math.max(-2, Math.min(2, Math.log2(value ?? 4)));
  at("strip").replaceChildren(make("line", { x2: width, y1: height / 2, y2: height / 2 }),
    ...parts.slice(0, count).map((part, n) => shape(part.verdict,
      { x: width - step * (n + 1), y: down(part.severity) - size / 2, width: size, height: size },
      make("title", {}, `${named(part)}: ${part.verdict} ${severity(part)}, ${when(part.time)}`))));
}
function look(part, boxes = null) { // show an earlier part, perhaps to draw on it; null shows the newest one again
  [pinned, drawn, corner, until] = [part, boxes, null, now() + BACK];
  draw();
}
async function say(word, boxes = []) {
  const part = pinned ?? parts[0]; // stays the same until the word is sent
  try {
    if (!pinned && now() - came < JUST) throw new Error("the part changed just now: choose it below, and say it again");
    const { by } = await ask(`/v1/results/${part.number}/words`, 5, { word, boxes });
    Object.assign(part, { word, by, boxes });
    note(`Said of No ${part.number}: ${word}`, "");
    look(drawn ? null : pinned);
  } catch (error) { note(`Not said: ${error.message}`, "bad"); }
}
function pull(event, isDone) { // a box from the corner to the pointer, in pixels of the picture
  const matrix = at("picture").firstChild.getScreenCTM().inverse();
  const { x, y } = new DOMPoint(event.clientX, event.clientY).matrixTransform(matrix);
  const [c, d] = [x, y].map((value, n) => Math.round(Math.max(0, Math.min(value, pinned.image_size[n]))));
  const [a, b] = corner ??= [c, d], box = [Math.min(a, c), Math.min(b, d), Math.max(a, c), Math.max(b, d)];
  mark([...drawn, box]);
  if (isDone) look(pinned, a !== c && b !== d ? [...drawn, box] : drawn);
}
async function poll() {
  const { station, detectors, lamps, today, trouble: told } = await ask("/v1/status", 3);
  [answered, document.title, at("name").textContent] = [now(), station, station];
  at("lamps").replaceChildren(...lamps.map(({ lamp, name, text }) => make("li", { class: lamp }, `${name}: ${text}`)));
  for (const [verdict, count] of Object.entries(today)) at(`today-${kind(verdict)}`).textContent = count;
  if (at("detector").length < 2) at("detector").append(...detectors.map(({ name }) => make("option", {}, name)));
  if (trouble === told) return;
  [trouble, troubled] = [told, now()];
  draw();
}
function tick() {
  const wasLost = isLost, seconds = Math.round((now() - came) / 1000);
  at("age").textContent = seconds > 2 && parts.length ? `No new part for ${seconds} s` : "";
  if (stream.readyState === EventSource.CLOSED) listen();
  document.body.dataset.lost = isLost = now() - Math.min(heard, answered) > SILENT;
  if (pinned && !drawn && now() > until) look(null);
  else if (isLost !== wasLost) draw();
}

at("picture").onpointerdown = (event) => drawn && pinned.image_size && event.isPrimary && pull(event, false);
window.onpointermove = (event) => corner && pull(event, false);
window.onpointerup = (event) => corner && pull(event, true);
at("draw").onclick = () => { look(pinned ?? parts[0], []); at("send").focus(); };
at("undo").onclick = () => look(pinned, drawn.slice(0, -1));
at("send").onclick = () => say("missed defect", drawn);
at("cancel").onclick = at("live").onclick = () => look(null);
at("detector").onchange = () => { parts.length = 0; look(null); load(); };
for (const button of document.querySelectorAll("[data-word]")) button.onclick = () => say(button.dataset.word);
document.onkeydown = ({ key, ctrlKey, altKey, metaKey, repeat }) => {
  const keyed = [...document.querySelectorAll(`[data-key="${CSS.escape(key.toLowerCase())}"]`)];
  if (!ctrlKey && !altKey && !metaKey && !repeat) keyed.find((button) => button.offsetParent)?.click();
};
setInterval(() => poll().catch(() => {}), 2000); // if nothing answers, the silence is shown
setInterval(tick, 500);
listen();
poll().catch(() => {});
