// The engineer's page: the threshold under the pointer, and the progress of a trial or an update. The rest is HTML.
import { ask, at } from "./common.js";
const slider = at("slider");
if (slider) {
  const { points, good, defective, low, high } = JSON.parse(slider.dataset.known);
  slider.oninput = () => {
    const threshold = slider.valueAsNumber, none = { false_alarms: good, missed: 0 };
    const { false_alarms: alarms, missed } = points.findLast((point) => point.threshold <= threshold) ?? none;
    for (const end of ["x1", "x2"]) at("chosen-line").setAttribute(end, 600 * (threshold - low) / (high - low));
    at("trade").textContent = `A threshold of ${threshold.toPrecision(4)} calls ${alarms} of ${good} good parts `
      + `anomalous and ${missed} of ${defective} defective ones good.`;
  };
  at("curves").onpointermove = ({ clientX }) => {
    const { left, width } = at("curves").getBoundingClientRect();
    slider.value = low + (high - low) * (clientX - left) / width;
    slider.oninput();
  };
}
for (const shown of document.querySelectorAll("[data-artifacts]")) setInterval(async () => {
  const { candidate: c, update } = await ask(shown.dataset.artifacts, 5);
  const trial = c?.state === "trying" && `Being tried: ${c.pictures} of ${c.of} pictures.`, far = { trial, ...update };
  if (far[shown.id]) shown.textContent = far[shown.id]; else location.replace(shown.dataset.page);
}, 500);
