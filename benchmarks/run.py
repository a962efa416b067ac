"""Run the benchmarks one after the other and write what they print to a file in the work folder.

    python benchmarks/run.py --data DATA [--only search coreset] [--work bench] [--out bench/performance.md]

DATA is a folder with mvtec_ad/bottle and magnetic_tile. Each section is stored in the work folder when it is finished
and not measured again, so an interrupted run continues where it was. Remove a section's file to measure it again.
`recipes` trains students for hours, and `peer` installs another library from the package index: these two are measured
only where `--only` names them. docs/performance.md is never written: its remarks were written by hand. Take figures
over into it from the new file.
"""

from __future__ import annotations

import argparse
import datetime
import os
import platform
import subprocess
import sys
from collections.abc import Sequence
from importlib import metadata
from pathlib import Path

HERE = Path(__file__).resolve().parent
SECTIONS = {
    "search": ["search.py", "--data", "DATA", "--accuracy"],
    "coreset": ["coreset.py", "--data", "DATA", "--whole"],
    "cfa": ["cfa.py", "--data", "DATA"],
    "padim": ["padim.py", "--data", "DATA"],
    "students": ["students.py", "--data", "DATA"],
    "recipes": ["students.py", "--recipes", "--data", "DATA", "--work", "FOLDER"],
    "metrics": ["metrics.py"],
    "writing": ["writing.py"],
    "table2": ["table2.py", "--data", "DATA"],
    "pipeline": ["pipeline.py", "--data", "DATA"],
    "spinning": ["spinning.py", "--data", "DATA"],
    "waiting": ["waiting.py", "--epochs", "3", "--most", "40"],
    "int8": ["int8.py", "--data", "DATA"],
    "peer": ["peer.py", "--data", "DATA", "--work", "FOLDER"],
}
"""The scripts beside this one, in the order of the document. FOLDER keeps a script's own unfinished work."""
ASKED_FOR = {"recipes", "peer"}
HEADINGS = {"waiting": "## Threads that wait in training"}
"""Of scripts that print no heading."""
DOCUMENT = HERE.parent / "docs" / "performance.md"

HEADER = """# Performance, as printed

Each section was printed by the command below its heading, on {machine}, with {versions}. This file was put together
on {date}; a section that was in the work folder may be older. Seconds and milliseconds hold for that machine only. A
script fails if two results that must be equal are not.
"""


def section(name: str, data: Path, work: Path) -> str:
    """What one script prints; kept in `work`."""
    kept = work / f"{name}.md"
    if not kept.exists():
        script, *options = SECTIONS[name]
        places = {"DATA": str(data), "FOLDER": str(work / name)}
        command = [sys.executable, str(HERE / script), *(places.get(option, option) for option in options)]
        print(" ".join(command), file=sys.stderr, flush=True)
        done = subprocess.run(command, stdout=subprocess.PIPE, text=True, encoding="utf-8", check=False)
        if done.returncode:
            sys.exit(f"{name} failed")
        printed = done.stdout.strip()
        if name in HEADINGS:
            printed = f"{HEADINGS[name]}\n\n{printed}"
        heading, _, rest = printed.partition("\n")
        part = kept.with_suffix(".part")
        said = " ".join(["python", f"benchmarks/{script}", *options])
        part.write_text(f"{heading}\n\n    {said}\n{rest}\n", encoding="utf-8")
        part.replace(kept)
    return kept.read_text(encoding="utf-8").strip()


def parsed(arguments: Sequence[str] | None = None) -> argparse.Namespace:
    """The command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument(
        "--only", nargs="+", choices=SECTIONS, default=[name for name in SECTIONS if name not in ASKED_FOR]
    )
    parser.add_argument("--work", type=Path, default=Path("bench"))
    parser.add_argument("--out", type=Path, help="performance.md in the work folder by default")
    options = parser.parse_args(arguments)
    if options.out is None:
        options.out = options.work / "performance.md"
    if options.out.resolve() == DOCUMENT:
        parser.error(f"{options.out} has text that was written by hand and is not overwritten: give another --out")
    return options


def main() -> None:
    """Run what is not there yet and write the file."""
    options = parsed()
    options.work.mkdir(parents=True, exist_ok=True)
    for name in options.only:
        section(name, options.data, options.work)
    there = [section(name, options.data, options.work) for name in SECTIONS if (options.work / f"{name}.md").exists()]
    versions = ", ".join(f"{name} {metadata.version(name)}" for name in ("onnxruntime", "torch", "numpy"))
    header = HEADER.format(
        machine=f"{os.cpu_count()} cores of a server ({platform.machine()}, {platform.system()})",
        date=datetime.date.today().isoformat(),
        versions=versions,
    )
    options.out.write_text("\n\n".join([header.strip(), *there]) + "\n", encoding="utf-8", newline="\n")
    print(f"written: {options.out}", file=sys.stderr)


if __name__ == "__main__":
    main()
