"""The peer's torch modules on flawspot's backbone, and how they learn. Runs in the peer's environment.

Its documentation has models made by name, with weights that are fetched; its feature extractor takes any torch module
as well, with the names of the layers. That is given torchvision's MobileNetV2 with the weights that flawspot uses, so
that both see the same features, which `check_features` holds it to. The rest are the peer's own defaults.
"""

from __future__ import annotations

from importlib import import_module
from typing import Any

import torch
from torch import Tensor, nn

from beside.subjects import BACKBONE, BATCH, CHANNELS, LAYERS, SEED, SIZE, Subject
from flawspot.backbones.registry import create_pretrained, family
from flawspot.backbones.weights import load_checkpoint, require

NODES = [f"features.{layer}" for layer in LAYERS]
"""What torchvision calls the blocks: it counts them as flawspot does."""
AGREEMENT = 1e-4


def preparation() -> Any:
    """The peer's pre-processing of photographs: a resize and ImageNet's normalisation."""
    models = import_module("anomalib.models")
    return models.Patchcore.configure_pre_processor(image_size=(SIZE, SIZE))


def network(pretrained: bool) -> nn.Module:
    """torchvision's MobileNetV2, with flawspot's weights or untrained."""
    made: nn.Module = import_module("torchvision.models").mobilenet_v2(weights=None)
    if pretrained:
        known = family(BACKBONE)
        file, path = require(BACKBONE, known.weights)
        named = {f"features.{name}": tensor for name, tensor in known.rename(load_checkpoint(path, file)).items()}
        missing, unexpected = made.load_state_dict(named, strict=False)
        if unexpected or any(not name.startswith("classifier.") for name in missing):
            raise ValueError(f"{path} does not fit the peer's network: {sorted({*missing, *unexpected})[:3]}")
    return made


def build(subject: Subject) -> nn.Module:
    """The peer's module of a detector that has learned nothing yet."""
    torch.manual_seed(SEED)
    if subject.method == "stfpm":
        module: nn.Module = lightning_stfpm().model
        return module
    common = {"backbone": network(pretrained=True), "layers": NODES, "pre_trained": False}
    if subject.method == "padim":
        padim = import_module("anomalib.models.image.padim.torch_model").PadimModel
        made: nn.Module = padim(**common, n_features=CHANNELS)
    else:
        made = import_module("anomalib.models.image.patchcore.torch_model").PatchcoreModel(**common)
    return made


def lightning_stfpm() -> Any:
    """The peer's STFPM with its loss and optimizer.

    Of a network that is given as a module the peer makes teacher and student alike; the student gets one of its own.
    """
    components = import_module("anomalib.models.components")
    made = import_module("anomalib.models").Stfpm(
        backbone=network(pretrained=True), layers=NODES, evaluator=False, visualizer=False
    )
    made.model.student_model = components.TimmFeatureExtractor(
        backbone=network(pretrained=False), layers=NODES, pre_trained=False, requires_grad=True
    )
    return made


def check_features(prepared: Tensor, module: nn.Module) -> None:
    """Hold the peer's features of prepared photographs (N, 3, S, S) against flawspot's.

    Raises:
        ValueError: they differ.
    """
    extractor: Any = module.get_submodule("teacher_model" if hasattr(module, "teacher_model") else "feature_extractor")
    own, _ = create_pretrained(BACKBONE, LAYERS)
    with torch.inference_mode():
        theirs, ours = extractor(prepared), own(prepared)
    for node, layer in zip(NODES, LAYERS, strict=True):
        difference = float((theirs[node] - ours[layer]).abs().max() / ours[layer].abs().max())
        if not difference <= AGREEMENT:
            raise ValueError(f"the peer's features of {node} differ from flawspot's by {difference:.1e}")


def learn(subject: Subject, prepared: Tensor, drawn: bool) -> nn.Module:
    """The peer's module, fitted on prepared photographs (N, 3, S, S), in evaluation mode.

    Args:
        drawn: its bank is drawn at random and not selected; as many patches, and so the same work for each photograph.

    Raises:
        ValueError: features that are not flawspot's, or too few photographs for a bank.
    """
    if subject.method == "stfpm":
        return _learn_stfpm(subject, prepared)
    module: Any = build(subject)
    check_features(prepared[:1], module)
    module.train()
    with torch.no_grad():
        for batch in torch.split(prepared, BATCH):
            module(batch)
    if subject.method == "padim":
        module.fit()
    else:
        _fill_bank(module, subject.bank, drawn)
    evaluated: nn.Module = module.eval()
    return evaluated


def _fill_bank(module: Any, bank: int, drawn: bool) -> None:
    """Make PatchCore's bank of the embeddings that its module has stored."""
    patches = sum(len(embedding) for embedding in module.embedding_store)
    if patches <= bank:
        raise ValueError(f"{patches:,} patches are too few for a bank of {bank:,}: take more photographs")
    if drawn:
        chosen = torch.randperm(patches, generator=torch.Generator().manual_seed(SEED))[:bank]
        module.memory_bank = torch.vstack(module.embedding_store)[chosen]
        module.embedding_store.clear()
    else:
        module.subsample_embedding((bank + 0.5) / patches)


def _learn_stfpm(subject: Subject, prepared: Tensor) -> nn.Module:
    """With the loss and optimizer of the peer's own training, and no logger, checkpoint or validation."""
    torch.manual_seed(SEED)
    lightning = lightning_stfpm()
    module: nn.Module = lightning.model
    check_features(prepared[:1], module)
    optimizer = lightning.configure_optimizers()
    order = torch.Generator().manual_seed(SEED)
    module.train()
    for _ in range(subject.epochs):
        for rows in torch.split(torch.randperm(len(prepared), generator=order), BATCH):
            loss = lightning.loss(*module(prepared[rows]))
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
    return module.eval()
