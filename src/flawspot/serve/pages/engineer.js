// For engineers: the threshold under the pointer, and how far a trial is. All else on their page is plain HTML.
import { ask, at } from "./common.js";
const slider = at("slider"), trial = at("trial");
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
if (trial) setInterval(async () => {
  const { candidate } = await ask(trial.dataset.artifacts, 5);
  if (candidate?.state !== "trying") location.replace(trial.dataset.page);
  else trial.textContent = `Being tried: ${candidate.pictures} of ${candidate.of} pictures.`;
}, 500);
