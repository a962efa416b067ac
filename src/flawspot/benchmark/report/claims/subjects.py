"""The subjects of the claims: detectors, quantities, and limits for small differences."""

from __future__ import annotations

from flawspot.benchmark.record import Record
from flawspot.benchmark.report.claims.pairing import SMALL, Quantity, Side
from flawspot.benchmark.report.detector_tables import measured, memory, mmac
from flawspot.benchmark.report.names import backbone_name, method_name
from flawspot.benchmark.report.names import plain as printable
from flawspot.benchmark.report.paper_comparison import paper_memory, paper_mmac, training_mmac, training_ram
from flawspot.benchmark.report.statistics import metric

LITTLE = 0.05
"""Pixel F1. The paper calls .57 and .53 similar (section 5.1): .04, and .01 for the rounding of both."""
AS_GOOD = 0.01
"""Pixel F1. The paper calls .52 and .53 very similar (table 2)."""
POINTS = 1.0
"""Percentage points by which a counted saving may miss the paper's and still hold: two figures of three digits."""
MEASURED_POINTS = 5.0
"""The same for a measured time: the difference of the paper's own two figures for the time of inference (25 % in its
abstract, 30 % in its conclusion)."""
FACTOR = 0.95
"""Share of the paper's factor that must be reached, because its figures have two or three digits."""

LIGHT_BACKBONES = ("mobilenet_v2", "mcunet_in3", "phinet", "micronet_m1")
METHODS = ("patchcore", "padim", "cfa", "stfpm")
LEAST_REGIONS = 10
"""Smallest number of small defects in a category for a meaningful figure."""


def backbone(*names: str, called: str | None = None) -> Side:
    """The detectors on these backbones."""
    return Side(called or _listed(list(map(backbone_name, names))), lambda setup: setup.backbone in names)


def method(*names: str, called: str | None = None) -> Side:
    """The detectors of these methods, each on the layers that the paper compares it on."""
    name = called or _listed(list(map(method_name, names)))
    return Side(name, lambda setup: setup.method in names and setup.own_layers)


def _listed(names: list[str]) -> str:
    return " and ".join(filter(None, [", ".join(names[:-1]), names[-1]]))


def group(name: str) -> Side:
    """The detectors on a group of layers, of the methods that the paper compares groups with."""
    return Side(name, lambda setup: setup.layers == name and setup.method in METHODS)


LIGHT = backbone(*LIGHT_BACKBONES, called="light networks")
LARGE = backbone("wide_resnet50_2")
MOBILENET = backbone("mobilenet_v2")
PASTE, STFPM = method("paste"), method("stfpm")
EVERY_METHOD = method(*METHODS, called="all methods")

F1 = Quantity("pixel F1", metric("pixel_f1_max"))


def small_f1(record: Record) -> float | None:
    """Pixel F1 for the defects of at most `SMALL` thousandths alone: the mean over the bands of area that hold any."""
    bands = [
        band for band in record.defect_sizes if float(band.get("largest") or SMALL + 1) <= SMALL and band.get("regions")
    ]
    figures = [float(f1) for band in bands if (f1 := band.get("f1_max")) is not None]
    if not figures or sum(int(band["regions"] or 0) for band in bands) < LEAST_REGIONS:
        return None
    return sum(figures) / len(figures)


SMALL_F1 = Quantity(f"pixel F1 for the defects of at most {SMALL:g} ‰ alone", small_f1)

PAPER_MEMORY = Quantity("memory as the paper counts it", paper_memory, counted=True)
MEMORY = Quantity("memory, all of it", memory, counted=True)
PAPER_MACS = Quantity("inference as the paper counts it", paper_mmac, counted=True)
MACS = Quantity("inference, all that is computed", mmac, counted=True)
TRAINING_MACS = Quantity("training computation", training_mmac, counted=True)
TRAINING_RAM = Quantity("training RAM", training_ram, counted=True)

_RECIPES = {"stfpm": "paper", "paste": "fast"}
"""The default recipes, which a cell does not contain."""


def recipe(record: Record) -> str:
    """The recipe of the students' training."""
    return printable(record.cell.settings.get("recipe", _RECIPES.get(record.cell.method, "")))


def _one_machine(first: Record, second: Record) -> bool:
    hosts = {record.machine.get("host_hash") for record in (first, second)}
    return len(hosts) == 1 and None not in hosts


def _one_way(first: Record, second: Record) -> bool:
    """Whether two latencies were measured on the same machine with the same number of threads."""
    threads = {record.measured.get("latency_threads") for record in (first, second)}
    return _one_machine(first, second) and len(threads) == 1


def _one_schedule(first: Record, second: Record) -> bool:
    """Whether both runs trained, on the same machine with as many threads, by the same recipe."""
    if first.trained is not True or second.trained is not True or not _one_machine(first, second):
        return False
    ways = {(recipe(run), run.machine.get("training_threads"), run.machine.get("cores")) for run in (first, second)}
    return len(ways) == 1


LATENCY = Quantity(
    "measured latency",
    measured("latency_ms"),
    median=True,
    fair=_one_way,
    unfair="no two latencies were measured on one machine with as many threads",
)
FITTING = Quantity(
    "measured time of the fit",
    measured("seconds_fitting"),
    median=True,
    fair=_one_schedule,
    unfair="no two of them were trained on one machine with as many cores by one recipe (`--recipe`)",
)
