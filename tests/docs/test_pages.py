"""README and docs as they are read in the sources: links, anchors, and commands that there are."""

import html
import re
import shlex
from pathlib import Path

import pytest
from commands import commands, reference

ROOT = Path(__file__).parents[2]
PAGES = [
    ROOT / "README.md",
    ROOT / "deploy" / "README.md",
    ROOT / "CONTRIBUTING.md",
    *sorted((ROOT / "docs").rglob("*.md")),
]
NAMES = [page.relative_to(ROOT).as_posix() for page in PAGES]
COMMANDS = dict(commands())
_FENCE = re.compile(r"^```.*?^```$", re.M | re.S)


def text(page: Path) -> str:
    return page.read_text(encoding="utf-8")


def anchors(page: Path) -> set[str]:
    """Those of headings, as MkDocs and GitHub make them; and of what mkdocstrings documents."""
    found = {f"{name}" for name in re.findall(r"^::: (\S+)", text(page), re.M)}
    for heading in re.findall(r"^#+ (.+)", _FENCE.sub("", text(page)), re.M):
        plain = re.sub(r"[`*]|\]\([^)]*\)|\[", "", html.unescape(heading)).strip().lower()
        found.add(re.sub(r"[\s-]+", "-", re.sub(r"[^\w\s-]", "", plain)))
    return found


@pytest.mark.parametrize("page", PAGES, ids=NAMES)
def test_links_and_anchors_lead_somewhere(page):
    for place, anchor in re.findall(r"\]\((?!https?://)([^)#\s]*)#?([^)\s]*)\)", _FENCE.sub("", text(page))):
        target = page.parent / place if place else page
        assert target.exists(), place
        if anchor:
            assert anchor in anchors(target), f"{place}#{anchor}"


def told_commands(page: Path) -> list[list[str]]:
    """The words of each ``flawspot`` command in a block of code, of one line or several."""
    blocks = "\n".join(re.findall(r"^(?:    .*|```[\s\S]*?^```)$", text(page), re.M)).replace("\\\n", " ")
    found = []
    for line in blocks.splitlines():
        for part in re.split(r"\||&&|;", line.partition("  # ")[0]):
            words = re.match(r"\s*(?:\$ |[A-Z_]+=\S+ |\S*/bin/)*flawspot (.+)", part)
            if words and "..." not in words[1]:
                found.append(shlex.split(words[1], comments=True))
    return found


@pytest.mark.parametrize("page", PAGES, ids=NAMES)
def test_commands_and_options_are_there(page):
    for words in told_commands(page):
        if words[0].startswith("-") or words[0] == "COMMAND":
            continue
        name = next((name for name in (" ".join(words[:2]), words[0]) if name in COMMANDS), None)
        assert name, words
        known = {option for each in COMMANDS[name].params for option in (*each.opts, *each.secondary_opts)}
        for word in words:
            option = word.partition("=")[0]
            if option.startswith("--") or re.fullmatch(r"-[a-z]", option):
                assert option in known | {"--help"}, (name, option)


def test_commands_are_found_in_pages():
    """The test above looks at something."""
    assert len(told_commands(ROOT / "docs" / "index.md")) >= 8
    assert ["predict", "part.onnx", "--list", "-"] in told_commands(ROOT / "docs" / "predicting.md")


def test_every_command_is_in_the_reference():
    told = reference()
    assert re.findall(r"^## flawspot (.+)$", told, re.M) == list(COMMANDS)
    assert {"train", "audit verify", "benchmark run", "tokens add"} <= set(COMMANDS)
    assert "| `-o`, `--output PATH` |" in told.partition("## flawspot export")[2]
    assert "\n    flawspot export FILE [OPTIONS]\n" in told
