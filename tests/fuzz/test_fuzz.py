"""The harness in short, its cases made by hand, and every case that has ever failed."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from fuzzing import catalogue, detectors
from fuzzing.campaign import KINDS, Campaign, made, target_of
from fuzzing.child_process import Child
from fuzzing.handmade import HandMade
from fuzzing.limits import ACCEPTED, FAILURES, REFUSED
from fuzzing.targets import TARGETS

HERE = Path(__file__).parent
BY_HAND = [case for case in catalogue.cases() if not case.slow]
KEPT = sorted(path for path in (HERE / "cases").glob("*_*") if path.is_file())
SEED = 20
SHORT = 12
"""Cases of each kind."""


@pytest.fixture(scope="module")
def tiny(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The suite's tiny artifact."""
    return detectors.tiny(tmp_path_factory.mktemp("detector") / "tiny.onnx")


@pytest.fixture(scope="module")
def child(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Child]:
    """One process for all; it is made anew where it dies."""
    with Child(tmp_path_factory.mktemp("child")) as running:
        yield running


@pytest.mark.slow
def test_a_short_campaign_finds_nothing(tiny: Path, tmp_path: Path) -> None:
    result = Campaign([tiny], tmp_path).run(SEED, seconds=600, most=SHORT)
    assert not result.failures
    assert sum(result.counts.values()) == SHORT * len(KINDS)
    of_all = {what: sum(count for (_, w), count in result.counts.items() if w == what) for what in (REFUSED, ACCEPTED)}
    assert min(of_all.values()) > SHORT  # the cases are neither all right nor all beyond recognition


@pytest.mark.parametrize("case", BY_HAND, ids=[case.name for case in BY_HAND])
@pytest.mark.grid(50)
def test_cases_made_by_hand_end_as_they_should(case: HandMade, child: Child, tmp_path: Path, tiny: Path) -> None:
    outcome = case.tried(child, tmp_path, tiny)
    assert not outcome.is_failure, outcome


@pytest.mark.parametrize("path", KEPT, ids=[path.name for path in KEPT])
def test_what_failed_once_fails_no_more(path: Path, child: Child, tiny: Path) -> None:
    outcome = child.tried_file(target_of(path.name), path, tiny)
    assert not outcome.is_failure, outcome


@pytest.mark.parametrize("kind", KINDS)
def test_a_case_is_known_by_its_seed_and_number(kind: str, tiny: Path) -> None:
    from fuzzing.artifacts import base

    assert target_of(kind) in TARGETS
    cases = [made(kind, base(tiny), SEED, index) for index in (0, 1, 0)]
    assert cases[0] == cases[2]
    assert cases[0] != cases[1]


@pytest.mark.parametrize(
    ("body", "what"),
    [
        ("os.kill(os.getpid(), 11)", "crash"),
        ("sys.exit(3)", "foreign exception"),
        ("os._exit(3)", "crash"),
        ("raise ValueError", "foreign exception"),
        ("raise type('TwoLinesError', (FlawspotError,), {'__str__': lambda _: 'a\\nb'})", "message"),
        ("raise FlawspotError('')", "message"),
        ("os.write(2, b'a warning')", "printed"),
        ("print('a warning')", "printed"),
        ("warnings.warn('a warning')", "printed"),
        ("raise NotFiniteError", "not finite"),
        ("bytearray(700_000_000)[::4096] = b'1' * 170899", "too much memory"),
        ("[None for _ in iter(int, 1)]", "too slow"),
        ("raise FlawspotError('one line')", REFUSED),
        ("pass", ACCEPTED),
    ],
)
@pytest.mark.skipif(sys.platform != "linux", reason="asks /proc for the memory, and the system for limits")
@pytest.mark.grid(5)
def test_the_harness_sees_each_kind_of_failure(body: str, what: str, tmp_path: Path, monkeypatch) -> None:
    """A flawspot that does as `body` says, in a child as it is."""
    program = tmp_path / "program"
    program.mkdir()
    (program / "__main__.py").write_text(
        "import os, sys, warnings\n"
        f"sys.path.insert(0, {str(HERE)!r})\n"
        "answers = os.dup(1)\nos.dup2(2, 1)\n"
        "from flawspot.errors import FlawspotError\n"
        "from fuzzing import limits\nlimits.CPU_SECONDS = 1\n"
        "from fuzzing import child, targets\nfrom fuzzing.targets import NotFiniteError\n"
        f"def target(path, detector):\n    {body}\n"
        "targets.TARGETS['artifact'] = target\n"
        "child.main(answers)\n"
    )
    monkeypatch.setattr("fuzzing.child_process._ROOT", program)
    with Child(tmp_path) as running:
        assert running.tried("artifact", b"", tmp_path).what == what
        assert what in (*FAILURES, REFUSED, ACCEPTED)


def test_make_fuzz_prints_a_table(tmp_path: Path) -> None:
    options = [
        "--tiny",
        "--most",
        "1",
        "--kinds",
        "manifest",
        "--hand-made",
        "no",
        "--seed",
        "1",
        "--keep",
        str(tmp_path),
    ]
    done = subprocess.run([sys.executable, str(HERE), *options], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert done.stdout.startswith("seed 1\n| kind | cases | refused | accepted |")
    assert "| all | 3 |" in done.stdout
