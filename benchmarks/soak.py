"""A station's day in some minutes: memory, time for each part, and size of its folder.

    python benchmarks/soak.py --parts 144000

144,000 parts are eight hours at five a second. They come as fast as they are inspected. One in fifty is brighter, one
in a thousand is not a picture, and one in a hundred gets a word.
"""

from __future__ import annotations

import argparse
import io
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np
from PIL import Image

from flawspot.serve.keeping import Keeping
from flawspot.serve.parts import Part
from flawspot.serve.record import Record
from flawspot.serve.station import Settings, Station
from flawspot.serve.status import status_of


def main() -> None:
    """Print a line for each tenth."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--parts", type=int, default=144_000)
    parser.add_argument("--folder", type=Path, help="of the station; default: a temporary one")
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as temporary:
        folder = arguments.folder or Path(temporary) / "station"
        artifact = trained(Path(temporary))
        with Station({"part": artifact}, Settings(folder, keeping=Keeping(one_good_in=20))) as station:
            soak(station, arguments.parts)
        with Record(folder / "record.sqlite", create=False) as record:
            print(
                f"rows: {record.last.number if record.last else 0}, breaks of the chain: {len(list(record.verify()))}"
            )


def trained(folder: Path) -> Path:
    """A small detector of good photographs, made in a process of its own: training takes memory."""
    chance = np.random.default_rng(1)
    for number in range(1, 81):
        path = folder / "good" / f"{number}.jpg"
        path.parent.mkdir(exist_ok=True)
        path.write_bytes(picture(number, chance))
    command = [sys.executable, "-m", "flawspot", "train", str(folder / "good"), "-o", str(folder / "part.onnx")]
    command += ["--method", "padim", "--input-size", "64", "--set", "channels=20"]
    subprocess.run(command, check=True, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    return folder / "part.onnx"


def soak(station: Station, parts: int) -> None:
    """Inspect so many parts."""
    chance = np.random.default_rng(0)
    inspection = station.inspection(None)
    print(f"{'parts':>8} {'RSS MiB':>8} {'ms a part':>10} {'record MiB':>11} {'pictures':>9}")
    begin = time.perf_counter()
    for number in range(1, parts + 1):
        part = Part(picture(number, chance), f"{number}", "http", part=str(number))
        inspection.put(part)
        if number % 100 == 0:
            row = part.outcome.result().row
            assert row is not None
            station.record.add("word", {"result": row.number, "word": "confirmed", "boxes": [], "by": "soak"})
            status_of(station)
        if number % max(parts // 10, 1) == 0:
            elapsed = (time.perf_counter() - begin) / max(parts // 10, 1) * 1e3
            kept = sum(1 for _ in station.pictures.folder.rglob("*.*"))
            size = station.record.path.stat().st_size / 2**20
            print(f"{number:8} {memory():8.1f} {elapsed:10.2f} {size:11.1f} {kept:9}", flush=True)
            begin = time.perf_counter()


def picture(number: int, chance: np.random.Generator) -> bytes:
    """The bytes of a small photograph, each another one."""
    if number % 1000 == 0:
        return b"no picture " + str(number).encode()
    level = 200 if number % 50 == 0 and number > 80 else 60
    pixels = chance.integers(level - 5, level + 5, (64, 64, 3), np.uint8)
    file = io.BytesIO()
    Image.fromarray(pixels).save(file, "JPEG")
    return file.getvalue()


def memory() -> float:
    """Resident memory of this process in MiB; NaN where the system does not tell it."""
    try:
        lines = Path("/proc/self/status").read_text().splitlines()
    except OSError:
        return float("nan")
    return next(int(line.split()[1]) for line in lines if line.startswith("VmRSS")) / 1024


if __name__ == "__main__":
    main()
