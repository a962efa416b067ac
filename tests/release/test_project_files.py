"""The files around the code: one version, pinned tools, and nothing named that is not there."""

import re
import tomllib
from importlib import metadata
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
VERSION = PROJECT["project"]["version"]
TARGETS = set(re.findall(r"^([a-z][a-z-]*):", (ROOT / "Makefile").read_text(encoding="utf-8"), re.M))
WORKFLOWS = sorted((ROOT / ".github" / "workflows").glob("*.yml"))


@pytest.fixture
def yaml():
    return pytest.importorskip("yaml", reason="reads the files: pip install 'flawspot[benchmark]'")


def text(*names):
    return ROOT.joinpath(*names).read_text(encoding="utf-8")


def test_the_version_is_one():
    assert re.fullmatch(r"\d+\.\d+\.\d+", VERSION)
    assert metadata.version("flawspot") == VERSION  # else install again: make does, as pyproject.toml has changed


def test_the_changelog_has_what_is_unreleased_or_this_version():
    sections = re.findall(r"^## \[(.+?)\]", text("CHANGELOG.md"), re.M)
    assert sections[0] == "Unreleased"
    assert VERSION in sections or f" {VERSION}" in text("CHANGELOG.md").partition("### ")[0]
    for heading in re.findall(r"^### (.+)", text("CHANGELOG.md"), re.M):
        assert heading in ("Added", "Changed", "Deprecated", "Removed", "Fixed", "Security")


def test_the_citation_is_of_this_version(yaml):
    citation = yaml.safe_load(text("CITATION.cff"))
    assert citation["cff-version"] == "1.2.0"
    assert {"message", "title", "authors", "references"} <= set(citation)
    assert (citation["title"], citation["version"]) == ("flawspot", VERSION)
    assert citation["license"] == PROJECT["project"]["license"]
    assert all({"type", "title", "authors", "year"} <= set(each) for each in citation["references"])


def test_every_method_and_backbone_has_its_paper(yaml):
    import flawspot

    citation = text("CITATION.cff")
    ours = {"jury", "pasted"}
    for name in {*flawspot.methods(), *flawspot.backbones()} - ours:
        assert re.search(rf"\b{name}\b", citation), name


def test_what_the_sdist_holds_is_there():
    for name in PROJECT["tool"]["hatch"]["build"]["targets"]["sdist"]["include"]:
        assert (ROOT / name).exists(), name


def test_the_tools_of_a_release_are_pinned():
    lines = [line for line in text("release", "requirements.txt").splitlines() if line and not line.startswith("#")]
    assert all(re.match(r"[\w.-]+==[\w.]+(; .+)?$", line) for line in lines)
    names = {line.partition("==")[0].lower().replace("_", "-") for line in lines}
    assert {"build", "cyclonedx-bom", "hatchling", "pre-commit", "twine"} <= names


def test_no_marker_stands_at_an_extra_of_our_own():
    """The built metadata lose it: `dev` would then ask for wheels that a platform does not have."""
    for name, packages in PROJECT["project"]["optional-dependencies"].items():
        for package in packages:
            assert not re.match(r"flawspot\[.+\] *;", package), (name, package)


@pytest.mark.parametrize("path", WORKFLOWS, ids=[path.name for path in WORKFLOWS])
def test_workflows_call_make(path, yaml):
    found = yaml.safe_load(path.read_text(encoding="utf-8"))
    assert found["permissions"] == {"contents": "read"}
    steps = [step for job in found["jobs"].values() for step in job["steps"]]
    called = [target for step in steps for target in re.findall(r"\bmake ([a-z-]+)", step.get("run", ""))]
    assert called
    assert set(called) <= TARGETS
    assert all(re.fullmatch(r"actions/[\w-]+@v\d+", step["uses"]) for step in steps if "uses" in step)
    assert all("timeout-minutes" in job for job in found["jobs"].values())


def test_there_are_workflows():
    assert [path.name for path in WORKFLOWS] == ["checks.yml", "release.yml"]


def test_workflows_try_what_is_declared(yaml):
    matrix = yaml.safe_load(text(".github", "workflows", "checks.yml"))["jobs"]["test"]["strategy"]["matrix"]["include"]
    tried = {each["python"] for each in matrix}
    declared = {line.rpartition(" ")[2] for line in PROJECT["project"]["classifiers"] if " 3." in line}
    assert declared <= tried
    assert {"windows-latest", "macos-latest", "ubuntu-24.04-arm"} <= {each["os"] for each in matrix}


def test_hooks_call_make(yaml):
    (local,) = yaml.safe_load(text(".pre-commit-config.yaml"))["repos"]
    assert local["repo"] == "local"
    for hook in local["hooks"]:
        make, target = hook["entry"].split()
        assert make == "make"
        assert target in TARGETS


def test_targets_that_are_told_of_are_there():
    for name in ("README.md", "CONTRIBUTING.md"):
        for target in re.findall(r"(?:`|^    )make ([a-z][a-z-]*)", text(name), re.M):
            assert target in TARGETS, (name, target)


@pytest.mark.parametrize("name", ["README.md", "CONTRIBUTING.md", "SECURITY.md", "CHANGELOG.md"])
def test_links_lead_somewhere(name):
    for link in re.findall(r"\]\(([^)#]+)(?:#[^)]*)?\)", text(name)):
        assert link.startswith("https://") or (ROOT / link).exists(), link
