"""Translate a detector into plain C, compile it, and let it inspect the photographs that the artifact inspects.

    python examples/export_to_c.py [--out FOLDER] [--quick]

Needs flawspot[train], a C compiler, and once: flawspot weights pull mobilenet_v2. About a minute on one core.
"""

from __future__ import annotations

import argparse
import json
import os
import shlex
import shutil
import subprocess
import sys
from pathlib import Path

from PIL import Image

import flawspot
from flawspot.data.demo_set import make_demo_set

# A program around the detector: it reads photographs as binary PPM and prints what `flawspot_run` says. On a device the
# pixels come from the camera, and the verdict goes to the gripper.
MAIN = r"""
#include <stdio.h>
#include <stdlib.h>
#include "washer.h"

static uint8_t rgb[FLAWSPOT_SIZE * FLAWSPOT_SIZE * 3]; /* what the network sees */

int main(int count, char **names) {
  for (int i = 1; i < count; i++) {
    int width, height;
    FILE *file = fopen(names[i], "rb");
    if (!file || fscanf(file, "P6 %d %d 255", &width, &height) != 2 || fgetc(file) == EOF) return 1;
    uint8_t *camera = malloc((size_t)width * height * 3);
    if (!camera || fread(camera, 3, (size_t)width * height, file) != (size_t)width * height) return 1;
    flawspot_resize(camera, height, width, rgb);
    float score = flawspot_run(rgb, NULL);
    /* Written like this, a score that is not a number is anomalous: what was not inspected is never good. */
    printf("%.6g %s\n", score, score <= flawspot_threshold ? "good" : "anomalous");
    free(camera);
    fclose(file);
  }
  return 0;
}
"""


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    out = Path("examples-out/export_to_c")
    parser.add_argument("--out", type=Path, default=out, metavar="FOLDER", help="for all files (default: %(default)s)")
    parser.add_argument("--quick", action="store_true", help="small and untrained: it runs, and finds little")
    options = parser.parse_args()
    out, quick = options.out, options.quick

    # 1. Look for the compiler first: the export uses it to compare the C with the artifact, before anything is written.
    usual = [name for name in ("cc", "gcc", "clang") if shutil.which(name)]
    command = shlex.split(os.environ.get("CC", "")) or usual[:1]
    if not command:
        sys.exit(
            "there is no C compiler: install one (Debian and Ubuntu: apt install gcc; macOS: xcode-select --install; "
            "Windows: MSYS2 or WSL), or name yours in the environment variable CC, and start this again"
        )

    # 2. A detector with 8-bit integers: a quarter of the memory, and no floating-point networks. It is trained so. A
    # finished detector is not converted, because its threshold would no longer be right.
    (photographs,) = make_demo_set(
        out / "photographs", products=["washer"], train=24 if quick else 80, size=64 if quick else 256
    )
    flawspot.train(
        photographs,
        method=flawspot.PatchCore(bank_size=50 if quick else 500),
        precision="int8",
        output=out / "washer.onnx",
        layers=[1] if quick else None,
        input_size=64 if quick else 160,
        random_weights=quick,
        progress=sys.stderr.isatty(),
    )

    # 3. Translate. This is the command `flawspot export`; it ends with an error if the C computes something else.
    good = photographs / "train" / "good"
    export = ["export", out / "washer.onnx", "--to", "c", "-o", out / "washer.c", "--photographs", good, "--json"]
    done = subprocess.run([sys.executable, "-m", "flawspot", *export], stdout=subprocess.PIPE, check=False)
    if done.returncode:
        sys.exit(done.returncode)  # the command has said why
    report = json.loads(done.stdout)
    print(f"written: {out / 'washer.c'} with {sum(report['parts'].values()):,} bytes of constants")
    print(f"working memory: {report['arena']:,} bytes; {report['macs'] / 1e6:.0f} million multiply-accumulates")
    print(f"compared on {report['parity']['pictures']}: {report['parity']['verdicts']:.0%} of the verdicts agree")

    # 4. Compile. -std=c99 keeps the arithmetic as it is written; never use -ffast-math.
    (out / "main.c").write_text(MAIN, encoding="utf-8")
    program = (out / "inspect").absolute()
    sources = [out / "main.c", out / "washer.c", out / "washer_resize.c"]
    subprocess.run([*command, "-std=c99", "-O2", *sources, "-lm", "-o", program], check=True)
    print(f"compiled: {program.name}, with {' '.join(command)}")

    # 5. Let both inspect the same photographs.
    detector = flawspot.load(out / "washer.onnx")
    chosen = [photographs / "test" / kind / "000.png" for kind in ("good", "scratch", "stain", "chip", "fibre", "pit")]
    pixmaps = [out / f"{path.parent.name}.ppm" for path in chosen]
    for path, pixmap in zip(chosen, pixmaps, strict=True):
        Image.open(path).convert("RGB").save(pixmap)
    told = subprocess.run([program, *pixmaps], stdout=subprocess.PIPE, text=True, check=True).stdout.splitlines()
    print(f"{'photograph':12}{'artifact':>10}{'C':>10}  verdict of C (artifact)")
    for path, line in zip(chosen, told, strict=True):
        score, verdict = line.split()
        artifact = detector.predict(path)
        print(f"{path.parent.name:12}{artifact.score:10.4g}{float(score):10.4g}  {verdict} ({artifact.verdict})")
    print("the scores differ a little: C rounds the resized photograph to whole grey levels, the artifact does not")
    print(f"look at {out / 'washer.h'} for what a firmware calls, and at {out / 'washer.c.report.json'}")


if __name__ == "__main__":
    try:
        main()
    except flawspot.FlawspotError as error:  # one line, with the cure: for example to fetch the weights
        sys.exit(str(error))
