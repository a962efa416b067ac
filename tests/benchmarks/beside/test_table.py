"""The section of docs/performance.md, to the digit."""

from beside.rows import Rows
from beside.subjects import EXPORTED, OWN, PEER, Subject
from beside.table import section

SETTINGS = {
    "anomalib": "9.9",
    "torch": "8.8",
    "openvino": "7.7",
    "product": "bottle",
    "images": 83,
    "calls": 24,
    "training_threads": 2,
}
BANK, STFPM = Subject("patchcore", bank=30_000), Subject("stfpm", epochs=100)


def lines(rows: Rows) -> list[str]:
    return [line for line in section(rows, [BANK, STFPM], [1, 2]).splitlines() if line.startswith("|")]


def test_times_and_their_ratios(tmp_path) -> None:
    rows = Rows(tmp_path / "rows.jsonl", SETTINGS)
    sides = {
        OWN: {"ms": 20.0, "alone": None, "times": [1.0, 1.0, 1.0], "peak_mib": 150.4},
        PEER: {"ms": 500.0, "alone": 490.0, "times": [24.04, 25.5, 26.0], "peak_mib": 1500.6},
        EXPORTED: {"ms": 210.0, "alone": None, "times": [10.0, 10.5, 11.2], "peak_mib": None},
    }
    rows.add({"row": "turns", "subject": "patchcore-30000", "threads": 2, "sides": sides})
    assert lines(rows)[2:] == [
        "| PatchCore, bank of 30,000 | 2 | 20.0 | 500.0 | 25.0 (24.0 to 26.0) | 490.0 | 24.5 | 210.0 | "
        "10.5 (10.0 to 11.2) | 150, 1501, ? |"
    ]
    assert "medians of 24 turns" in section(rows, [BANK], [2])


def test_training_is_told_where_both_have_been_trained(tmp_path) -> None:
    rows = Rows(tmp_path / "rows.jsonl", SETTINGS)
    rows.add({"row": "training", "subject": "stfpm", "side": OWN, "photographs": 209, "seconds": 40, "peak_mib": 700})
    assert lines(rows) == []
    rows.add({"row": "training", "subject": "stfpm", "side": PEER, "photographs": 209, "seconds": 90, "peak_mib": 900})
    assert lines(rows)[2:] == ["| STFPM, 100 epochs | 209 | 40.0 | 90.0 | 2.2 | 700, 900 |"]


def test_a_bank_at_random_is_no_training(tmp_path) -> None:
    rows = Rows(tmp_path / "rows.jsonl", SETTINGS)
    for side in (OWN, PEER):
        row = {"row": "training", "subject": BANK.name, "side": side, "photographs": 9, "seconds": 1, "peak_mib": 1}
        rows.add({**row, "drawn": side == PEER})
    assert lines(rows) == []


def test_accuracy_of_each_side(tmp_path) -> None:
    rows = Rows(tmp_path / "rows.jsonl", SETTINGS)
    figures = {"pixel_f1_max": 0.7, "pixel_auroc": 0.98765, "image_auroc": None}
    rows.add({"row": "accuracy", "subject": "stfpm", "side": PEER, **figures})
    assert lines(rows)[2:] == ["| STFPM | anomalib | 0.700 | 0.988 |  |"]
    assert "all 83 test photographs" in section(rows, [STFPM], [1])


def test_what_was_not_measured_has_no_table(tmp_path) -> None:
    rows = Rows(tmp_path / "rows.jsonl", SETTINGS)
    assert lines(rows) == []
    assert section(rows, [BANK], [1]).startswith("## Beside the field's most used library\n\nanomalib 9.9 (torch 8.8, ")
