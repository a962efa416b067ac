"""What ``flawspot costs`` shows on a terminal."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from rich.table import Table

from flawspot.cli.console import out, styled

if TYPE_CHECKING:
    from flawspot.costs.detector_costs import DetectorCosts
    from flawspot.costs.training_costs import TrainingCosts
    from flawspot.measuring.processes import Latency, TrainingRun

MIB = 2**20


def print_parts(found: DetectorCosts, *, stored: bool) -> None:
    """Print memory and multiply-accumulates of each part. With `stored`, also its size at its own precision."""
    table = Table("MiB", box=None, pad_edge=False)
    table.columns[0].no_wrap = True
    for heading in (*(["stored"] if stored else []), "float32", "folded", "float16", "int8", "MMAC"):
        table.add_column(heading, justify="right", no_wrap=True)
    rows = []
    for part, memory in zip(found.parts, found.memory, strict=True):
        sizes = [part.bytes] if stored else []
        sizes += [memory.bytes("float32"), memory.bytes("float32", folded=True)]
        sizes += [memory.bytes("float16", folded=True), memory.bytes("int8", folded=True)]
        rows.append(sizes)
        table.add_row(part.name, *(f"{size / MIB:,.3f}" for size in sizes), f"{part.macs / 1e6:,.2f}")
    totals = [f"{sum(column) / MIB:,.3f}" for column in zip(*rows, strict=True)]
    table.add_row("total", *totals, f"{found.macs / 1e6:,.2f}", style="bold")
    if found.paper_bytes is not None:
        macs = "not derived" if found.paper_macs is None else f"{found.paper_macs / 1e6:,.2f}"
        table.add_row("as the paper counts", *([""] * stored), f"{found.paper_bytes / MIB:,.3f}", "", "", "", macs)
    out.print(table)
    explained = (
        "folded: float32 with batch norms folded into the convolutions, as in float16 and int8. "
        "MMAC: millions of multiply-accumulates for one photograph."
    )
    if stored:
        explained = "stored: what the detector holds, including the steps and biases of int8. " + explained
    out.print(styled(explained, "dim"))


def print_training(training: TrainingCosts | None) -> None:
    """Print the costs of training. Nothing is printed if they are unknown."""
    if training is None:
        return
    _print_heading("training, predicted")
    kept = ", ".join("the photograph" if layer < 0 else f"layer {layer}" for layer in training.cached_layers)
    rows = [
        ("backbone", f"{training.backbone_macs / 1e6:,.2f} MMAC a photograph, once"),
        *_copies(training.copies),
        ("cached", f"{kept}: {_mib(training.cache_bytes)}"),
    ]
    if training.epochs:
        rows.append(
            (
                "trained",
                f"{training.macs / 1e6:,.2f} MMAC a photograph and epoch: forward {training.forward_macs / 1e6:,.2f}, "
                f"backward to inputs {training.backward_input_macs / 1e6:,.2f}, "
                f"to weights {training.backward_weight_macs / 1e6:,.2f}",
            )
        )
        rows.append(("epochs", f"{training.epochs}, {training.batch_size} photographs at a time"))
    rows.append(("memory", f"{_mib(training.ram)}: " + ", ".join(f"{i.name} {_mib(i.bytes)}" for i in training.items)))
    if training.ram_paper is not None:
        rows.append(("", f"{_mib(training.ram_paper)} as the paper counts"))
    for name, value in rows:
        out.print(styled(f"{name:<9}", "dim"), value)


def _copies(copies: int) -> list[tuple[str, str]]:
    """A row about varied copies. There is none if nothing is tolerated."""
    of_each = f"{'1 varied copy' if copies == 1 else f'{copies} varied copies'} of each photograph"
    return [("copies", f"{of_each}: each counts as a photograph, also in the cache")] if copies else []


def _print_latencies(name: str, runs: Sequence[Latency]) -> None:
    _print_heading(f"{name}, measured")
    for run in runs:
        threads = "all threads" if run.threads is None else f"{run.threads} thread{'s' if run.threads > 1 else ''}"
        energy = "" if run.joules is None else f"  {run.joules:.3f} J a photograph"
        memory = f"peak memory {_mib(run.peak_bytes)} ({_mib(run.peak_bytes_before)} before loading)"
        out.print(f"{threads:<12} p50 {run.p50_ms:8.2f} ms  p95 {run.p95_ms:8.2f} ms  {memory}{energy}")


def print_measured(latencies: dict[str, list[Latency]], training: TrainingRun | None) -> None:
    """Print what was measured, under the name of its subject."""
    for name, runs in latencies.items():
        _print_latencies(name, runs)
    if training is None:
        return
    own = f", of which {_mib(training.peak_bytes_before)} before training began" if training.peak_bytes_before else ""
    _print_heading("training, measured")
    out.print(f"peak memory {_mib(training.peak_bytes)}{own}; {training.images} photographs, {training.seconds:.1f} s")


def _print_heading(text: str) -> None:
    out.print()
    out.print(styled(text, "bold"))


def _mib(size: int | None) -> str:
    return "unknown" if size is None else f"{size / MIB:,.1f} MiB"
