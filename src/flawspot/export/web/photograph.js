// Photographs as a detector's input: upright, 8 bits of sRGB, with the stored values (no colour profile is applied).

const DIRECT_PIXELS = 2 ** 21; // most that enter the graph unresized: it holds a photograph several times, in 32 bits
const MOST_PIXELS = 100e6;
const MOST_TIMES = 64; // one side may be at most this many times the other
const STRIP = 64; // rows

/** From a file or a film's frame: a canvas to show, and the pixels for the graph, rows x columns of RGB. A photograph
 *  too large for the graph is resized here, by the graph's rule, rounded to whole grey levels. */
export async function decoded(source, size) {
  const began = performance.now();
  const options = { colorSpaceConversion: "none", imageOrientation: "from-image" };
  const bitmap = await createImageBitmap(source, options).catch(() => {
    throw new Error("this browser cannot read it: save it as PNG or JPEG");
  });
  const { width, height } = bitmap;
  if (width * height > MOST_PIXELS) throw new Error("it has more than 100 megapixels: make it smaller");
  if (Math.max(width, height) > MOST_TIMES * Math.min(width, height)) {
    throw new Error(`one side has more than ${MOST_TIMES} times the other: cut it into pieces`);
  }
  const shrink = Math.min(1, Math.sqrt(DIRECT_PIXELS / (width * height)));
  const canvas = blank(Math.max(Math.floor(width * shrink), 1), Math.max(Math.floor(height * shrink), 1));
  const context = canvas.getContext("2d", { willReadFrequently: true });
  context.drawImage(bitmap, 0, 0, canvas.width, canvas.height);
  const [columns, rows] = shrink < 1 ? [size, size] : [width, height];
  const pixels = shrink < 1 ? resized(bitmap, size) : rgb(context.getImageData(0, 0, width, height).data);
  bitmap.close();
  return { canvas, pixels, columns, rows, width, height, decoding: performance.now() - began };
}

/** Whether it is a PNG of 16 bits (byte 24 of its header), which browsers scale to 8 bits from the full range. */
export async function isDeep(source) {
  if (!(source instanceof Blob)) return false;
  const start = new Uint8Array(await source.slice(0, 25).arrayBuffer());
  return start[0] === 0x89 && start[1] === 0x50 && start[24] === 16;
}

export function blank(width, height) {
  const canvas = document.createElement("canvas");
  [canvas.width, canvas.height] = [width, height];
  return canvas;
}

function rgb(rgba) {
  const pixels = new Uint8Array((rgba.length / 4) * 3);
  for (let from = 0, to = 0; from < rgba.length; from += 4) {
    if (rgba[from + 3] !== 255) throw new Error("it is transparent in places: save it without transparency");
    pixels[to++] = rgba[from];
    pixels[to++] = rgba[from + 1];
    pixels[to++] = rgba[from + 2];
  }
  return pixels;
}

/** For each place along a resized side: the first covered pixel, and the weights of it and the following ones. */
function shares(from, to) {
  const scale = from / to, reach = Math.max(scale, 1);
  return Array.from({ length: to }, (_, n) => {
    const centre = (n + 0.5) * scale;
    const begin = Math.max(Math.floor(centre - reach + 0.5), 0);
    const end = Math.min(Math.floor(centre + reach + 0.5), from);
    const parts = Float64Array.from({ length: end - begin }, (_, k) =>
      Math.max(1 - Math.abs(begin + k + 0.5 - centre) / reach, 0));
    const sum = parts.reduce((all, part) => all + part);
    return { begin, end, parts: parts.map((part) => part / sum) };
  });
}

/** Bilinear, antialiased, to size x size, in strips of rows: not every browser has a canvas for 100 megapixels. */
function resized(bitmap, size) {
  const { width, height } = bitmap;
  const [across, down] = [shares(width, size), shares(height, size)];
  const sums = new Float64Array(size * size * 3), line = new Float64Array(size * 3);
  const context = blank(width, STRIP).getContext("2d", { willReadFrequently: true });
  let pixels, first = 0; // the first row that is not complete yet
  for (let y = 0; y < height; y++) {
    if (y % STRIP === 0) {
      context.clearRect(0, 0, width, STRIP);
      context.drawImage(bitmap, 0, -y);
      pixels = rgb(context.getImageData(0, 0, width, Math.min(STRIP, height - y)).data);
    }
    const start = (y % STRIP) * width * 3;
    across.forEach(({ begin, parts }, n) => {
      let [red, green, blue] = [0, 0, 0];
      for (let k = 0, at = start + 3 * begin; k < parts.length; k++, at += 3) {
        red += parts[k] * pixels[at];
        green += parts[k] * pixels[at + 1];
        blue += parts[k] * pixels[at + 2];
      }
      [line[3 * n], line[3 * n + 1], line[3 * n + 2]] = [red, green, blue];
    });
    while (down[first].end <= y) first++;
    for (let n = first; n < size && down[n].begin <= y; n++) {
      const part = down[n].parts[y - down[n].begin];
      for (let k = 0; k < line.length; k++) sums[n * line.length + k] += part * line[k];
    }
  }
  return new Uint8Array(Uint8ClampedArray.from(sums).buffer);
}
