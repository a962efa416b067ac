"""What a card says, of every kind of detector; and what no name in it can do."""

import dataclasses

import pytest

from flawspot.card import model_card
from flawspot.runtime.artifact import Artifact, assemble
from flawspot.runtime.calibration import set_threshold
from flawspot.runtime.found_sizes import FoundSize, FoundSizes
from flawspot.runtime.inspected import Inspected
from flawspot.runtime.manifest import Manifest, Part
from flawspot.runtime.tolerated import Tolerated
from flawspot.runtime.updates import UpdateInfo
from flawspot.runtime.view import View

from .test_markdown import HOSTILE, parsed

HEADINGS = [
    "The detector",
    "Data",
    "False alarms",
    "Tolerance",
    "What it finds",
    "The smallest defect that is seen",
    "Costs",
    "Limits",
]


@pytest.fixture
def card(tiny_model, tiny_manifest):
    """The card of the tiny detector, some of whose manifest, or of its calibration, is changed."""

    def write(calibration=None, **changes):
        if calibration:
            changes["calibration"] = dataclasses.replace(tiny_manifest.calibration, **calibration)
        return model_card(assemble(tiny_model, dataclasses.replace(tiny_manifest, **changes)))

    return write


def test_every_section_is_there_and_the_text_is_always_the_same(card):
    text = card()
    assert text == card()
    assert [line[3:] for line in text.splitlines() if line.startswith("## ")] == HEADINGS
    assert text.startswith("# Model card of `a part`\n")
    assert text.endswith("\n")
    for part in (
        "`paste`, with `share=auto`, `epochs=3`",
        "10 photographs of good parts, in a folder `a part`",
        "Could not be read: 1 file, `broken.png`",
        "at most 0.2 of good parts are called anomalous",
        "used for nothing else (split conformal prediction)",
        "no further variation was learned",
        "Not measured: no pasted defects",
        "Not measured. `flawspot smallest` measures it",
        "| `backbone` | 0.000 | 0.00 |",
        "Signed: no",
        "made before self-tests",
    ):
        assert part in text


def test_folds_are_not_told_as_a_proof_of_the_rate(card):
    text = card(calibration={"folds": 2})
    assert "In the worst case a rate of 0.57 is proved for the detectors of the folds" in text
    assert "the threshold is set for 0.2. What is proved is that at most 0.57 of good parts" in text
    assert "at most 0.2 of good parts" not in text
    assert "used for nothing else" not in text


def test_a_rate_that_too_few_photographs_promise(card):
    text = card(calibration={"false_alarm_rate": 0.01})
    assert "The rate asked for was 0.01, which needs 99 photographs" in text


def test_an_estimate_and_a_given_threshold_promise_nothing(card, tiny_manifest):
    assert "an estimate from a tail" in card(calibration={"rule": "pareto"})
    text = card(calibration=vars(set_threshold(tiny_manifest.calibration, 85.0)))
    assert "nothing is promised, because the threshold was given" in text
    assert "the rate is 0.6." in text
    assert "it is unknown how the given threshold was chosen" in text
    assert "no false-alarm rate is promised" in text.partition("## Limits")[2]


def test_photographs_of_one_part_count_once(card):
    assert "4 good photographs, which show 2 parts: " in card(calibration={"groups": (0, 0, 1, 1)})


@pytest.mark.parametrize(("decisive", "told"), [(True, "in varied copies"), (False, "the unchanged photographs")])
def test_tolerance(card, decisive, told):
    text = card(calibration={"tolerated": Tolerated({"noise": 2.0, "shift": 0.5}, 2, decisive)})
    assert "| `noise` | 2 |\n| `shift` | 0.5 |" in text
    assert "2 varied copies of each photograph" in text
    assert told in text


def test_updates(card):
    step = UpdateInfo("2026-02-01T00:00:00+00:00", "a" * 64, "b" * 64, 5, 0, 2, ("3 of 5 are <odd>",))
    text = card(updates=(step,))
    assert "It warned: `3 of 5 are <odd>`" in text
    assert "learned from 5 new photographs of good parts as well, 2 further ones for the threshold" in text
    assert "b" * 64 in text


def test_what_was_measured(card):
    sizes = (FoundSize("spot", 3, 3, 30.0, 10), FoundSize("spot", 2, 2, 30.0, 1))
    found = FoundSizes(100.0, 10, 0.9, 4, 0, False, (64, 64), (64, 64), 0, sizes)
    text = card(calibration={"pasted": (50.0, 150.0, 160.0, 170.0)}, smallest=found)
    assert "It finds this share of 4 photographs with pasted defects, not real ones" in text
    assert "| this detector | 100 | 75 % |" in text
    assert "| 0.2 | 100 | 75 % |" in text
    assert "spots of 3 pixels across and more, 30 grey levels: 10 of 10" in text


def test_limits_of_what_is_seen(card, tiny_manifest):
    half = Inspected(2, 2, "wA==")
    text = card(geometry=View(8, 8, fit="crop", inspected=half), bits=16, white=4095)
    assert "inspects 50 % of a photograph" in text
    assert "cut off at two edges" in text
    assert "16 bits a channel, white at 4095," in text
    assert "distorted" in card(geometry=View(8, 16))


def test_limits_of_how_it_was_made(card, tiny_manifest):
    training = dataclasses.replace(tiny_manifest.training, dropped=("odd.png",))
    backbone = dataclasses.replace(tiny_manifest.backbone, weights="random, seed 0")
    text = card(training=training, backbone=backbone, precision="int8")
    assert "Left out, as outliers: 1 file, `odd.png`" in text
    for part in ("1 photograph given as good was left out", "random weights", "compute in 8-bit integers"):
        assert part in text.partition("## Limits")[2]


@pytest.mark.parametrize("name", HOSTILE)
def test_no_name_is_markup(name, tiny_model, tiny_manifest):
    changed = dataclasses.replace(
        tiny_manifest,
        product=name,
        method=name,
        hyperparameters={name: name},
        backbone=dataclasses.replace(tiny_manifest.backbone, name=name, layers=name, weights=name, weights_sha256=name),
        training=dataclasses.replace(tiny_manifest.training, fingerprint=name, skipped=(name,), dropped=(name,)),
        parts=(Part(name, 1, 1),),
        versions={name: name},
        created=name,
    )
    # As a manifest of somebody else's comes: read back from its text.
    manifest = Manifest.from_json(changed.to_json())
    text = model_card(Artifact(manifest, assemble(tiny_model, tiny_manifest).model))
    blocks, inline = parsed(text)
    assert {token.type for token in inline} <= {"text", "code_inline", "em_open", "em_close", "softbreak"}
    assert {block.partition("_")[0] for block in blocks} <= {
        *("heading", "paragraph", "bullet", "list", "inline", "table", "thead", "tbody", "tr", "th", "td"),
    }
    assert blocks.count("heading_open") == 1 + len(HEADINGS)
    assert blocks.count("table_open") == 1
    assert all(line.isprintable() for line in text.split("\n"))
