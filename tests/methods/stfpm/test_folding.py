"""The constants that a graph holds of a student, against the exporter that folds batch norms."""

import warnings

import numpy as np
import pytest
import torch
from torch import nn

from flawspot.backbones.block_list import initialise
from flawspot.backbones.registry import create, families
from flawspot.methods.stfpm.folding import constants, norms_behind, states
from flawspot.runtime.stores import names_of_stores, stores

BACKBONES = [
    pytest.param(name, marks=[] if name == "mobilenet_v2" else [pytest.mark.slow]) for name in sorted(families())
]


def student_of(backbone):
    """With batch norms that do something, and no biases that are all the same."""
    student = create(backbone, families()[backbone].layer_groups.get("paste", (1, 2)))
    initialise(student, 3)
    generator = torch.Generator().manual_seed(1)
    for name, parameter in student.named_parameters():
        if name.endswith("bias"):
            parameter.data.uniform_(-1, 1, generator=generator)
    for module in student.modules():
        if isinstance(module, nn.BatchNorm2d):
            for tensor, low, high in (
                (module.weight.data, 0.5, 2),
                (module.running_mean, -1, 1),
                (module.running_var, 0.5, 2),
            ):
                tensor.uniform_(low, high, generator=generator)
    return student.frozen()


def exported(student):
    with warnings.catch_warnings(), torch.no_grad():
        warnings.simplefilter("ignore")
        batch = {0: torch.export.Dim("N", min=1)}
        program = torch.onnx.export(
            student, (torch.zeros(2, 3, 64, 64),), dynamic_shapes=(batch,), dynamo=True, verbose=False
        )
    return program.model_proto.SerializeToString()


@pytest.mark.slow
@pytest.mark.parametrize("backbone", BACKBONES)
def test_what_the_exporter_folds_is_folded_alike(backbone):
    student = student_of(backbone)
    model = exported(student)
    names = names_of_stores(model)
    with torch.device("meta"):
        norms = norms_behind(create(backbone, student.taps).eval(), torch.zeros(1, 3, 64, 64))
    found = constants(student, norms, names)
    there = stores(model, found)
    assert there.keys() == found.keys()
    for name, array in found.items():
        np.testing.assert_allclose(array, there[name], rtol=1e-4, atol=1e-5 * np.abs(array).max(), err_msg=name)
    parameters = {name for name, _ in student.named_parameters()} & set(names)
    assert parameters <= found.keys()
    assert len(norms) == sum(isinstance(module, nn.BatchNorm2d) for module in student.modules())


def test_states_are_told_by_number_without_counters():
    student = create("mobilenet_v2", (3,))
    found = states([student, student])
    assert {name.partition("/")[0] for name in found} == {"0", "1"}
    assert len(found) == 2 * sum(not name.endswith("num_batches_tracked") for name in student.state_dict())
