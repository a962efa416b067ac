"""Records made up for the report: the paper's grid with plausible figures, failures, gaps, axes and hostile names."""

from __future__ import annotations

import dataclasses
import hashlib
import math
from pathlib import Path

import numpy as np
from PIL import Image, ImageDraw

from flawspot.benchmark.record import DONE, FAILED, MISSING, Cell, Record, run_key
from flawspot.benchmark.report.tables import Table
from flawspot.costs.tables import paper_settings
from flawspot.runtime.manifest import Part

AREAS = {  # thousandths of the photograph
    "screw": 2.5,
    "pill": 21.0,
    "capsule": 8.5,
    "grid": 7.0,
    "cable": 44.0,
    "carpet": 16.0,
    "bottle": 61.0,
    "toothbrush": 17.0,
    "transistor": 75.0,
    "zipper": 22.0,
    "leather": 6.5,
    "tile": 83.0,
    "wood": 40.0,
    "hazelnut": 28.0,
    "metal_nut": 108.0,
}
BACKBONES = {  # F1, MiB of the trimmed network, MMAC, channels of the bank
    "mobilenet_v2": (0.53, 2.7, 225.5, 248),
    "mcunet_in3": (0.52, 1.6, 130.0, 200),
    "phinet": (0.49, 3.4, 210.0, 260),
    "micronet_m1": (0.38, 0.6, 12.0, 90),
    "wide_resnet50_2": (0.57, 95.0, 9100.0, 1792),
}
METHODS = {"patchcore": 0.01, "padim": -0.03, "cfa": 0.02, "stfpm": 0.0, "paste": 0.01}
GROUPS = {"low": -0.01, "mid": -0.02, "high": -0.06, "equiv": 0.0, "paste": 0.0}
TAPS = {"low": (4, 7, 10), "mid": (7, 10, 13), "high": (10, 13, 16), "equiv": (3, 8, 14), "paste": (7, 10, 14)}
BANDS = ((0, 0.5), (0.5, 2), (2, 10), (10, 50), (50, 1000))


def chance(*parts: object) -> float:
    """A number in -1..1 that hangs on the parts alone."""
    return np.random.default_rng([*"/".join(map(str, parts)).encode(errors="replace")]).uniform(-1, 1)


def cell(**changes: object) -> Cell:
    """A cell of the paper's grid, with the paper's settings unless others are given."""
    chosen: dict = {
        "data": "mvtec_ad",
        "category": "bottle",
        "backbone": "mobilenet_v2",
        "layers": "equiv",
        "method": "patchcore",
    } | changes
    settings = paper_settings(chosen["backbone"], chosen["method"])
    return Cell(**{"label": chosen["method"], "settings": settings} | chosen)


def record(of: Cell, status: str = DONE, **changes: object) -> Record:
    """A run of `of` with plausible figures."""
    key = run_key(of, data_fingerprint="d", weights_sha256="w", code_version="v")
    common = {
        "key": key,
        "cell": of,
        "status": status,
        "data_fingerprint": hashlib.sha256(f"{of.data}/{of.category}".encode(errors="replace")).hexdigest(),
        "weights": "none" if of.random_weights else "imagenet1k_official",
        "weights_sha256": "" if of.random_weights else "c0ffee" * 10 + "c0ff",
        "code_version": "0.1.0+52c48b6",
        "machine": {
            "system": "Linux 6.1",
            "processor": "x86_64",
            "cores": 2,
            "memory_bytes": 8 << 30,
            "host_hash": "5eed",
        },
        "versions": {"flawspot": "0.1.0", "python": "3.12.4", "torch": "2.13.0", "onnxruntime": "1.32.0"},
        "started": "2024-05-01T10:00:00Z",
        "finished": "2024-05-01T10:02:00Z",
    }
    if status != DONE:
        return Record(**common | changes)
    level, mib, mmac, channels = BACKBONES.get(of.backbone, (0.5, 3.0, 200.0, 200))
    area = AREAS.get(of.category, 20.0)
    f1 = level + METHODS.get(of.method, 0.0) + GROUPS.get(of.layers, 0.0) + 0.09 * math.log10(area / 20)
    f1 += 0.05 * chance(of.category) + 0.03 * chance(of.category, of.backbone, of.layers, of.method)
    f1 += 0.008 * chance(of.seed, of.category, of.backbone, of.method)
    f1 -= 0.25 if of.random_weights else 0.0
    f1 -= 0.035 * of.severity * {"blur": 0.8, "noise": 1.4, "rotation": 0.5}.get(of.corruption or "", 1.0)
    f1 -= 0.4 * of.contamination
    f1 -= 0.0 if of.shots is None else 0.35 / math.sqrt(of.shots)
    f1 = float(np.clip(f1, 0.02, 0.97))
    false_alarms = min(0.02 + 0.17 * of.severity * (1 + 0.3 * chance(of.corruption)), 1.0)
    head = {"patchcore": 30_000 * channels * 4, "padim": 49 << 20, "cfa": 1 << 20}.get(of.method, int(mib * 2**20))
    search = {"patchcore": 3136 * 30_000 * channels, "padim": 12_000_000, "cfa": 2_500_000_000}
    head_macs = search.get(of.method, int((0.5 if of.method == "paste" else 1.0) * mmac * 1e6))
    students = of.method in ("stfpm", "paste")
    paper_macs = int((mmac + (10 if of.method == "patchcore" else head_macs / 1e6)) * 1e6)
    done = {
        "taps": TAPS.get(of.layers, (1, 2)),
        "metrics": {
            "image_auroc": min(0.45 + f1, 1.0),
            "image_ap": min(0.5 + f1, 1.0),
            "image_f1_max": min(0.42 + f1, 1.0),
            "pixel_auroc": min(0.93 + 0.08 * f1, 0.999),
            "pixel_ap": f1 * 0.95,
            "pixel_f1_max": f1,
            "pixel_aupro": 0.3 * min(0.7 + 0.3 * f1, 1.0),
            "pixel_aupro_normalized": min(0.7 + 0.3 * f1, 1.0),
            "image_f1": min(0.3 + f1, 1.0),
            "image_false_alarm_rate": false_alarms,
            "image_recall": min(0.4 + f1, 1.0),
            "images": 83,
            "good_images": 20,
            "defective_images": 63,
            "regions": 70,
            "pixels": 83 * 224 * 224,
            "defective_pixels": int(63 * 224 * 224 * area / 1000),
        },
        "parts": (Part("backbone", int(mib * 2**20), int(mmac * 1e6)), Part("head", head, head_macs)),
        "paper_bytes": int(mib * 2**20) + head,
        "paper_macs": paper_macs,
        "training_macs": int(mmac * (0.9 if of.method == "paste" else 1.32) * 1e6) if students else None,
        "training_ram": int(mib * (8.4 if of.method == "paste" else 35) * 2**20) if students else None,
        "measured": {
            "training_seconds": 57.3,
            "latency_ms": mmac / 20,
            "latency_ms_p95": mmac / 16,
            **_measured(of, mmac, head),
        },
        "defect_sizes": tuple(
            {
                "smallest": low,
                "largest": high,
                "regions": (regions := max(0, int(14 + 10 * chance(of.category, low)))),
                "found": (found := int(regions * min(1, 0.25 + 0.14 * k + 0.2 * f1))),
                "recall": found / regions if regions else None,
                "f1_max": min(0.95, f1 * (0.25 + 0.2 * k)) if regions else None,
            }
            for k, (low, high) in enumerate(BANDS)
        ),
        "artifact_bytes": int(mib * 2**20) + head,
    }
    return Record(**common | done | changes)


def _measured(of: Cell, mmac: float, head: int) -> dict[str, float]:
    """On one thread, in a process that holds libraries and what the head takes."""
    return {"latency_threads": 1, "peak_rss_bytes": (500 << 20) + 2 * head + int(mmac * 1e5 * (1 + chance(of.method)))}


def paper_grid(seeds: int = 2, categories: tuple[str, ...] = tuple(AREAS)) -> list[Record]:
    """The paper's grid: MicroNet without weights, some runs failed, one not run."""
    records = []
    for category in categories:
        for backbone in BACKBONES:
            groups = ("equiv",) if backbone == "wide_resnet50_2" else ("low", "mid", "high", "equiv", "paste")
            for group in groups:
                for method in METHODS:
                    if (group == "paste") != (method == "paste"):
                        continue
                    for seed in range(seeds):
                        of = cell(category=category, backbone=backbone, layers=group, method=method, seed=seed)
                        records.append(_outcome(of))
    return [r for r in records if (r.cell.category, r.cell.backbone, r.cell.method) != ("zipper", "phinet", "cfa")]


def _outcome(of: Cell) -> Record:
    if of.backbone == "micronet_m1" and of.layers not in ("equiv", "paste"):
        return record(of, MISSING, error="no weights for micronet_m1: run `flawspot weights pull micronet_m1`")
    if of.backbone == "micronet_m1":
        return record(dataclasses.replace(of, random_weights=True))
    if of.backbone == "wide_resnet50_2" and of.method == "padim" and of.category == "screw":
        error = "ran out of memory: 3.9 GB needed, 2.1 GB free. Lower --workers or take fewer channels"
        return record(of, FAILED, error=error, traceback="Traceback (most recent call last):\nMemoryError")
    if of.category == "grid" and of.backbone == "mcunet_in3":
        return record(of, FAILED, error="cannot read test/bent/007.png: the image is damaged: copy it again")
    return record(of)


def axes(
    backbones: tuple[str, ...] = ("mobilenet_v2", "mcunet_in3"), methods: tuple[str, ...] = tuple(METHODS)
) -> list[Record]:
    """The axes beyond the paper, on two categories."""
    records = []
    for category in ("bottle", "screw"):
        for backbone in backbones:
            for method in methods:
                of = cell(category=category, backbone=backbone, method=method)
                of = dataclasses.replace(of, layers="paste") if method == "paste" else of
                for corruption in ("blur", "noise", "jpeg", "brightness", "contrast", "shift", "rotation"):
                    for severity in range(1, 6):
                        changed = dataclasses.replace(of, corruption=corruption, severity=severity)
                        records.append(record(changed))
                records += [record(dataclasses.replace(of, contamination=share)) for share in (0.05, 0.1, 0.2)]
                records += [record(dataclasses.replace(of, shots=shots)) for shots in (5, 10, 25, 50)]
    return records


def with_pictures(records: list[Record], folder: Path) -> list[Record]:
    """Pictures for every bottle and screw run of PatchCore, in `folder`."""
    changed = []
    for run in records:
        if run.cell.category in ("bottle", "screw") and run.cell.method == "patchcore" and run.status == DONE:
            examples = []
            for kind in ("best", "worst"):
                for number in range(2):
                    name = f"pictures/{run.key[:8]}-{kind}-{number}.png"
                    picture = Image.new("RGB", (640, 340), (40, 44, 60 + 60 * number))
                    ImageDraw.Draw(picture).ellipse((60, 30, 290, 290), fill=(120, 130, 150))
                    ImageDraw.Draw(picture).ellipse((390, 70, 490, 190), fill=(250, 170, 40))
                    (folder / "pictures").mkdir(parents=True, exist_ok=True)
                    picture.save(folder / name)
                    example = {"kind": kind, "image": f"test/broken/{number:03}.png", "defective": kind == "best"}
                    examples.append(example | {"score": 3.2 - number, "threshold": 2.6, "picture": name})
            run = dataclasses.replace(run, examples=tuple(examples))
        changed.append(run)
    return changed


def find(table: Table, *words: str) -> dict[str, str]:
    """The one row that begins with `words`, by heading."""
    (row,) = [row for row in table.rows if tuple(entry.text for entry in row[: len(words)]) == words]
    return dict(zip((column.heading for column in table.columns), (entry.text for entry in row), strict=True))
