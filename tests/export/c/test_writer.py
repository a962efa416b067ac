"""The C file: it compiles without a warning, computes what the artifact does, and touches nothing else."""

import dataclasses

import numpy as np
import pytest

from flawspot.export.c.compiling import FLAGS, compiled
from flawspot.export.c.writer import memory_blocks, plan_memory, write_c
from flawspot.export.gate import _layers
from flawspot.export.reading.from_onnx import read_form
from flawspot.export.source import Facts
from flawspot.runtime.detector import load

from ..graphs import SIZE, pictures

NAMES = [
    "floats",
    "codes",
    "codes in units",
    "wide",
    "gaussians",
    "gaussians of codes",
    "bank",
    "bank of halves",
    "bank of codes",
]
SANITIZERS = ("-std=c99", "-O1", "-g", "-fsanitize=address,undefined", "-fno-sanitize-recover=all")


def written(artifact, product="a part"):
    form = read_form(artifact.model, SIZE)
    return form, write_c(form, Facts("part", "title", SIZE, 0.5, product, "1", "ab", form.macs))


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.grid(5)
def test_map_and_score_are_those_of_the_artifact(name, detectors, compiler):
    artifact = detectors(name)
    form, program = written(artifact)
    detector = load(artifact)
    with compiled(program, SIZE, compiler, trace=form.quantized) as translation:
        maps, scores = translation.run(pictures())
        wanted = [detector.run(picture[None]) for picture in pictures()]
        scale = max(float(found.max()) for found, _ in wanted)
        for found, score, (wanted_map, wanted_score) in zip(maps, scores, wanted, strict=True):
            # A number of 16 bits may be rounded to its neighbour, where floats are summed in another order.
            tolerance = (0.02 if name == "wide" else 1e-5) * scale
            np.testing.assert_allclose(found, wanted_map[0], atol=tolerance)
            assert score == pytest.approx(wanted_score[0], abs=tolerance)
            assert score == found.max()
        if form.quantized:
            layers = _layers(artifact, form, translation, pictures())
            assert layers.steps <= 1
            assert layers.share <= 0.001
            assert layers.compared > 2


def test_a_score_that_is_not_a_number_is_told_as_such(detectors, compiler):
    """And the condition that the header shows rejects it."""
    form = read_form(detectors("floats").model, SIZE)
    head = form.operations[-1]
    first, second = head.factors
    columns, others = first.columns.copy(), second.columns.copy()
    columns[7], others[7] = 1e38, 0  # infinite times nothing
    factors = dataclasses.replace(first, rows=first.rows * np.float32(1e38), columns=columns)
    head = dataclasses.replace(head, factors=(factors, dataclasses.replace(second, columns=others)))
    form = dataclasses.replace(form, operations=(*form.operations[:-1], head))
    program = write_c(form, Facts("part", "title", SIZE, 0.5, "a part", "1", "ab", form.macs))
    with compiled(program, SIZE, compiler) as translation:
        maps, scores = translation.run(pictures(2))
    assert np.isnan(scores).all()
    assert np.isnan(maps[:, :, 7]).all()
    assert "!(flawspot_run(rgb, NULL) <= flawspot_threshold)" in program.header


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.grid(3)
def test_the_sanitizers_find_nothing(name, detectors, compiler):
    _, program = written(detectors(name))
    try:
        with compiled(program, SIZE, compiler, flags=SANITIZERS) as translation:
            first, again = (translation.run(pictures(2)) for _ in range(2))
    except Exception as error:
        if "does not compile" in str(error):
            pytest.skip("this compiler has no sanitizers")
        raise
    np.testing.assert_array_equal(first[0], again[0])


def test_optimisation_changes_no_bit(detectors, compiler):
    _, program = written(detectors("floats"))
    found = []
    for level in ("-O0", "-O3"):
        with compiled(program, SIZE, compiler, flags=(*FLAGS, level)) as translation:
            found.append(translation.run(pictures(2))[0])
    np.testing.assert_array_equal(*found)


def test_a_photograph_leaves_nothing_behind(detectors, compiler):
    _, program = written(detectors("codes"))
    several = pictures(3)
    with compiled(program, SIZE, compiler) as translation:
        alone = translation.run(several[2:])
        np.testing.assert_array_equal(translation.run(several)[0][2], alone[0][0])


@pytest.mark.parametrize("name", NAMES)
def test_what_is_needed_at_the_same_time_does_not_overlap(name, detectors):
    form = read_form(detectors(name).model, SIZE)
    blocks, roots = memory_blocks(form)
    places = plan_memory(form)[0].places
    for block in blocks:
        for other in blocks:
            together = block.first <= other.last and other.first <= block.last
            if block is not other and together:
                begin, end = places[block.name], places[other.name]
                assert begin + block.bytes <= end or end + other.bytes <= begin
    lasting = {block.name: block for block in blocks}
    for step, operation in enumerate(form.operations):  # each tensor is kept until it is read for the last time
        for tensor in operation.inputs:
            name_of_root = tensor.name
            while name_of_root in roots:
                name_of_root = roots[name_of_root]
            assert lasting[name_of_root].last >= step


def test_no_name_of_a_product_becomes_code(detectors, compiler):
    name = 'a"; int x = 1; /* ??/ \\ \n %s */ é'
    _, program = written(detectors("floats"), name)
    assert r'flawspot_product[] = "a\042\073 int x \075 1' in program.source
    with compiled(program, SIZE, compiler) as translation:
        assert translation.run(pictures(1))[1].shape == (1,)


def test_whole_numbers_take_a_quarter_of_the_memory(detectors):
    _, floats = written(detectors("floats"))
    _, codes = written(detectors("codes"))
    assert codes.arena < floats.arena / 3
    assert codes.bytes["weights"] < floats.bytes["weights"] / 2
