// Not exported. Passes the pictures of the parity gate through the page's own code, and returns their maps.

import { Detector } from "./detector.js";

const detector = new Detector();

async function answer(picture) {
  try {
    const { score, map } = await detector.inspect(picture);
    return ["found", new Blob([new Float32Array([score]), map])];
  } catch (error) {
    return ["failed", String(error.message || error)];
  }
}

try {
  for (;;) {
    const given = await fetch("next", { cache: "no-store" });
    if (given.status !== 200) break;
    const [name, body] = await answer(await given.blob());
    await fetch(name, { method: "POST", body });
  }
} finally {
  window.close(); // so that the browser ends even if the process that started it was killed
}
