"""Makes what a release consists of, from the last commit: wheel, sdist, bills of material and checksums, each tried.

Run by ``make release``, in the environment of ``release/requirements.txt``; needs git and a package index that pip
knows. It publishes nothing. What it sees:

- wheel and sdist have the same bits when they are built again in another folder, and so has the sdist's own wheel;
- twine finds no fault in them;
- in fresh environments flawspot can be installed from either, says its version, and ``flawspot doctor`` finds nothing
  broken; with the training half ``flawspot demo`` finds defects;
- the running half and each extra have a bill of material (CycloneDX, JSON) of what pip has installed with them.
"""

from __future__ import annotations

import argparse
import dataclasses
import hashlib
import io
import os
import re
import shutil
import subprocess
import sys
import tarfile
import tempfile
import time
import tomllib
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[1]
NOT_SHIPPED = ("dev", "docs")
"""Extras that have no bill of material: what they bring is for those who work on flawspot."""
SUMS = "SHA256SUMS"
WEIGHTS = "mobilenet_v2"
"""Of the demo."""


class ReleaseError(Exception):
    """Why there is no release, in one line."""


@dataclasses.dataclass(frozen=True)
class Commit:
    """What is released.

    Attributes:
        name: its hash.
        seconds: when it was made, since 1970: the time that everything built from it bears.
        tags: that name it, such as ``v0.1.0``.
    """

    name: str
    seconds: int
    tags: tuple[str, ...] = ()


def last_commit(root: Path) -> Commit:
    """Of the repository at `root`.

    Raises:
        ReleaseError: there is none, or files differ from it.
    """
    changed = _git(root, "status", "--porcelain")
    if changed:
        raise ReleaseError(f"in no commit is, among others, {changed.splitlines()[0].strip()}: commit it first")
    name, seconds = _git(root, "log", "-1", "--format=%H %ct").split()
    return Commit(name, int(seconds), tuple(_git(root, "tag", "--points-at", "HEAD").split()))


def check_version(root: Path, commit: Commit) -> str:
    """The version that pyproject.toml names, held against the changelog and the commit's tags.

    Raises:
        ReleaseError: it is not MAJOR.MINOR.PATCH; the commit is tagged as another version; or it is tagged as this one,
            which the changelog does not tell of.
    """
    version = str(_project(root)["version"])
    if not re.fullmatch(r"\d+\.\d+\.\d+", version):
        raise ReleaseError(f"the version in pyproject.toml is {version}: give MAJOR.MINOR.PATCH")
    tagged = [tag for tag in commit.tags if re.fullmatch(r"v\d.*", tag)]
    others = [tag for tag in tagged if tag != f"v{version}"]
    if others:
        raise ReleaseError(f"the commit is tagged {others[0]}, and pyproject.toml says {version}")
    told = f"\n## [{version}]" in (root / "CHANGELOG.md").read_text(encoding="utf-8")
    if tagged and not told:
        raise ReleaseError(f"CHANGELOG.md has no section [{version}]: what is unreleased there goes into one")
    if not told:
        _say(f"a rehearsal: CHANGELOG.md has no section [{version}] yet")
    return version


def extras(root: Path) -> list[str]:
    """Those that are shipped, in the order of pyproject.toml."""
    return [name for name in _project(root)["optional-dependencies"] if name not in NOT_SHIPPED]


def sha256(path: Path) -> str:
    """Of a file, in hex."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def check_same(one: Path, other: Path) -> None:
    """See that two folders hold the same files to the bit.

    Raises:
        ReleaseError: they do not; names the first that differs.
    """
    found = [{path.name: sha256(path) for path in folder.iterdir()} for folder in (one, other)]
    if not found[0]:
        raise ReleaseError(f"nothing was built in {one}")
    for name in sorted({*found[0], *found[1]}):
        if found[0].get(name) != found[1].get(name):
            raise ReleaseError(f"{name} has other bits when it is built again: {[each.get(name) for each in found]}")


def check_replaceable(out: Path) -> None:
    """Refuse a folder for the release that holds anything but an older one.

    Raises:
        ReleaseError: it does.
    """
    if not out.exists():
        return
    others = [path.name for path in out.iterdir() if path.name != SUMS and not path.name.startswith("flawspot-")]
    if others:
        raise ReleaseError(f"{out} holds {others[0]}, which is of no release: name another folder")


def export(root: Path, folder: Path) -> None:
    """Lay out the last commit's files, and no other, in `folder`."""
    archive = subprocess.run(["git", "archive", "HEAD"], cwd=root, check=True, stdout=subprocess.PIPE).stdout
    with tarfile.open(fileobj=io.BytesIO(archive)) as files:
        files.extractall(folder, filter="data")


def build(root: Path, work: Path, commit: Commit) -> Path:
    """Build sdist and wheel, see that they are the same each time, and return their folder."""
    built = []
    # Of the wheel the first is made from the sdist, the second from the repository's files.
    for number, kinds in enumerate(([], ["--sdist", "--wheel"])):
        source, made = work / f"source {number}", work / f"built {number}"
        export(root, source)
        _run(
            [sys.executable, "-m", "build", "--no-isolation", *kinds, "--outdir", str(made), str(source)],
            cwd=work,
            environment={"SOURCE_DATE_EPOCH": str(commit.seconds)},
        )
        built.append(made)
    check_same(*built)
    _run([sys.executable, "-m", "twine", "check", "--strict", *map(str, sorted(built[0].iterdir()))], cwd=work)
    return built[0]


class Environment:
    """A fresh virtual environment, in which flawspot is installed from one file."""

    def __init__(self, folder: Path, file: Path, extra: str = "") -> None:
        self.folder = folder
        self.python = folder / "environment" / ("Scripts/python.exe" if os.name == "nt" else "bin/python")
        folder.mkdir(parents=True)
        _run([sys.executable, "-m", "venv", "--without-pip", str(folder / "environment")], cwd=folder)
        pip = [sys.executable, "-m", "pip", "--python", str(self.python)]
        what = f"{file}[{extra}]" if extra else str(file)
        # Most of what is installed is never imported here: Python compiles what is.
        options = ["--quiet", "--no-compile", "--constraint", str(ROOT / "constraints.txt")]
        _run([*pip, "install", *options, what], cwd=folder)

    def flawspot(self, *arguments: str) -> str:
        """What a command prints."""
        return _run([str(self.python), "-m", "flawspot", *arguments], cwd=self.folder)

    def check(self, version: str) -> None:
        """See that it starts, is the right version, and finds nothing broken.

        Raises:
            ReleaseError: it does not.
        """
        said = self.flawspot("--version").strip()
        if said != f"flawspot {version}":
            raise ReleaseError(f"what was installed calls itself {said!r}, not flawspot {version}")
        self.flawspot("doctor")

    def demo(self) -> None:
        """Train and find defects in photographs that flawspot makes."""
        self.flawspot("weights", "pull", WEIGHTS)
        self.flawspot("demo", "--out", "demo")
        if not (self.folder / "demo" / "summary.html").is_file():
            raise ReleaseError("flawspot demo left no summary.html")


def write_bill(environment: Environment, file: Path, commit: Commit) -> None:
    """The bill of material of what is installed in an environment."""
    tool = [sys.executable, "-m", "cyclonedx_py", "environment", "--pyproject", str(ROOT / "pyproject.toml")]
    _run(
        [*tool, "--output-reproducible", "--of", "JSON", "--output-file", str(file), str(environment.python)],
        cwd=environment.folder,
        environment={"SOURCE_DATE_EPOCH": str(commit.seconds)},
    )


def release(out: Path, *, demo: bool = True) -> None:
    """Do it all; `out` is replaced when everything has been seen to work.

    Raises:
        ReleaseError: something has not.
    """
    check_replaceable(out)
    commit = last_commit(ROOT)
    version = check_version(ROOT, commit)
    _say(f"flawspot {version} from {commit.name[:12]}")
    with tempfile.TemporaryDirectory(prefix="flawspot-release-") as temporary:
        work = Path(temporary)
        made = build(ROOT, work, commit)
        (wheel,), (sdist,) = made.glob("*.whl"), made.glob("*.tar.gz")
        _say("wheel and sdist have the same bits when they are built again, the wheel from the sdist too")
        for extra in ["", *extras(ROOT)]:
            name = extra or "running-half"
            environment = Environment(work / name, wheel, extra)
            environment.check(version)
            write_bill(environment, made / f"flawspot-{version}-{name}.cdx.json", commit)
            if demo and extra == "train":
                environment.demo()
            shutil.rmtree(environment.folder)
            _say(f"from the wheel: {name}{', and the demo' if demo and extra == 'train' else ''}")
        environment = Environment(work / "from-sdist", sdist, "train" if demo else "")
        environment.check(version)
        if demo:
            environment.demo()
        _say(f"from the sdist: {'train, and the demo' if demo else 'running-half'}")
        sums = "".join(f"{sha256(path)}  {path.name}\n" for path in sorted(made.iterdir()))
        (made / SUMS).write_text(sums, encoding="utf-8", newline="\n")
        shutil.rmtree(out, ignore_errors=True)
        shutil.copytree(made, out)
    print(sums, end="")


def _project(root: Path) -> dict[str, Any]:
    project: dict[str, Any] = tomllib.loads((root / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    return project


def _git(root: Path, *arguments: str) -> str:
    done = subprocess.run(["git", *arguments], cwd=root, capture_output=True, text=True, check=False)
    if done.returncode:
        raise ReleaseError(f"a release is made of a commit, in a git repository: {done.stderr.strip()}")
    return done.stdout.strip()


def _run(command: Sequence[str], *, cwd: Path, environment: Mapping[str, str] | None = None) -> str:
    """What it prints on standard output.

    Raises:
        ReleaseError: it fails; with what it said last.
    """
    inherited = {name: value for name, value in os.environ.items() if not name.startswith("PYTHON")}
    done = subprocess.run(
        command, cwd=cwd, env={**inherited, **(environment or {})}, capture_output=True, text=True, check=False
    )
    if done.returncode:
        said = "\n".join((done.stdout + done.stderr).strip().splitlines()[-20:])
        raise ReleaseError(f"this failed: {' '.join(command)}\n{said}")
    return done.stdout


def _say(what: str) -> None:
    print(f"[{time.strftime('%H:%M:%S')}] {what}", flush=True)


def main() -> None:
    """See the module."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--out", type=Path, default=ROOT / "dist", help="the folder for it, which is replaced")
    parser.add_argument("--no-demo", dest="demo", action="store_false", help="train nothing: for a quick look")
    options = parser.parse_args()
    try:
        release(options.out.absolute(), demo=options.demo)
    except ReleaseError as error:
        sys.exit(f"no release: {error}")


if __name__ == "__main__":
    main()
