"""Start a station, let it inspect photographs by HTTP, read its record, and stop it.

    python examples/station.py [--out FOLDER] [--quick]

Needs flawspot[train,serve], and once: flawspot weights pull mobilenet_v2. About a minute on one core.
"""

from __future__ import annotations

import argparse
import json
import re
import subprocess
import sys
import urllib.request
from pathlib import Path
from typing import Any

import flawspot
from flawspot.data.demo_set import make_demo_set


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    out = Path("examples-out/station")
    parser.add_argument("--out", type=Path, default=out, metavar="FOLDER", help="for all files (default: %(default)s)")
    parser.add_argument("--quick", action="store_true", help="small and untrained: it runs, and finds little")
    options = parser.parse_args()
    out, quick = options.out, options.quick

    # 1. A detector, as in train_and_predict.py.
    (photographs,) = make_demo_set(
        out / "photographs", products=["keycap"], train=24 if quick else 80, size=64 if quick else 256
    )
    flawspot.train(
        photographs,
        method=flawspot.PatchCore(bank_size=50 if quick else 500),
        output=out / "keycap.onnx",
        layers=[1] if quick else None,
        input_size=64 if quick else 224,
        random_weights=quick,
        progress=sys.stderr.isatty(),
    )

    # 2. Start the station: a process of its own, so that nothing in this program can stop the line. Port 0 takes a free
    # port; the station's first line says which. On 127.0.0.1 it needs no tokens; elsewhere it demands them.
    command = [sys.executable, "-u", "-m", "flawspot", "serve", f"keycap={out / 'keycap.onnx'}"]
    command += ["--folder", str(out / "station"), "--port", "0"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as station:
        try:
            url = address(station)
            print(f"the station answers at {url} (it has a page there)")
            send_parts(url, photographs)  # 3.
        finally:
            # 4. Stop it: it finishes the part that it inspects, and says what it did. Nothing is lost if it is killed.
            station.terminate()
            print(f"the station has ended: {station.communicate(timeout=60)[0].strip()}")

    # 5. The record is a chain of hashes. Anybody who has a copy of the folder can check that no row was changed.
    print("is the record whole?")
    subprocess.run([sys.executable, "-m", "flawspot", "audit", "verify", out / "station"], check=True)
    print(f"look at {out / 'station' / 'record.sqlite'}; see its page again with:")
    print(f"  flawspot serve keycap={out / 'keycap.onnx'} --folder {out / 'station'}")


def send_parts(url: str, photographs: Path) -> None:
    """Each photograph is the body of a request; what identifies the part is in its address."""
    for number, kind in enumerate(("good", "scratch", "chip"), start=4711):
        picture = (photographs / "test" / kind / "000.png").read_bytes()
        answer = ask(f"{url}/v1/predict?part_id={number}", picture)
        # Look at the verdict, never at the HTTP status alone: it may be "not inspected", which is not "good".
        where = [region["box"] for region in answer["regions"]]
        print(f"part {number} ({kind}): {answer['verdict']}, severity {answer['severity']:.2f}, regions {where}")
        last, right = answer["number"], (answer["verdict"] == "good") == (kind == "good")

    # What somebody at the line says of a part goes into the record, beside the verdict. The last part has a chip.
    word = {"word": "confirmed" if right else "missed defect", "note": "seen by hand"}
    ask(f"{url}/v1/results/{last}/words", json.dumps(word).encode())
    result = ask(f"{url}/v1/results/{last}")
    print(f"the record of part {result['part']}, shortened:")
    for name in ("number", "time", "detector", "verdict", "severity", "threshold", "artifact", "picture", "hash"):
        print(f"  {name:10}{result[name]}")
    print(f"  {'words':10}{[(word['word'], word['note'], word['by']) for word in result['words']]}")


def address(station: subprocess.Popen[str]) -> str:
    """The address that the station prints once it answers."""
    assert station.stdout is not None
    for line in station.stdout:
        found = re.search(r"https?://\S+(?=/)", line)
        if found:
            return found[0]
    sys.exit("the station has not started: see what it says above")


def ask(url: str, body: bytes | None = None) -> dict[str, Any]:
    """The answer of the station: to a POST of `body`, or to a GET."""
    with urllib.request.urlopen(urllib.request.Request(url, body), timeout=30) as answer:
        told: dict[str, Any] = json.load(answer)
        return told


if __name__ == "__main__":
    try:
        main()
    except flawspot.FlawspotError as error:  # one line, with the cure: for example to fetch the weights
        sys.exit(str(error))
