"""The peer's process: trains its detectors, and looks at photographs with them. Runs in the peer's environment.

It looks in the fastest ordinary way that its documentation offers: its bare torch module in evaluation and inference
mode, or, where ``exported``, that module with its pre-processing as an OpenVINO model, which needs no torch.
"""

from __future__ import annotations

import time
from importlib import import_module
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from beside.subjects import SIZE, Subject
from beside.talking import serve
from flawspot.measuring.peak_memory import peak_resident_bytes
from flawspot.runtime.images import read_image

Looked = tuple[NDArray[np.float32], float, float | None]
"""Map (S, S), score, and the milliseconds of the module alone where those are known."""


def torch_threads(count: int) -> None:
    """Let torch use so many threads."""
    import torch

    torch.set_num_threads(count)


class TorchModule:
    """The module as the peer's own training leaves it."""

    def __init__(self, file: Path, subject: Subject, threads: int) -> None:
        import torch

        from beside.peer_models import build, preparation

        torch_threads(threads)
        self._torch, self._prepare = torch, preparation().transform
        self._module = build(subject)
        self._module.load_state_dict(torch.load(file, weights_only=True))
        self._module.eval()

    def look(self, image: NDArray[np.uint8]) -> Looked:
        """Of a photograph (H, W, 3)."""
        with self._torch.inference_mode():
            prepared = self._prepare(self._torch.from_numpy(image).permute(2, 0, 1)[None].float() / 255)
            begin = time.perf_counter()
            found = self._module(prepared)
            score = float(found.pred_score)
            anomaly_map = found.anomaly_map[0, 0].numpy()
            return anomaly_map, score, 1e3 * (time.perf_counter() - begin)


class ExportedModel:
    """The OpenVINO model of pre-processing and module."""

    def __init__(self, file: Path, threads: int) -> None:
        openvino = import_module("openvino")
        # Without the hint it rounds to bfloat16 on processors that can; all other sides compute in float32.
        settings = {
            "INFERENCE_NUM_THREADS": threads,
            "PERFORMANCE_HINT": "LATENCY",
            "INFERENCE_PRECISION_HINT": "f32",
        }
        self._compiled = openvino.Core().compile_model(file, "CPU", settings)

    def look(self, image: NDArray[np.uint8]) -> Looked:
        """Of a photograph (H, W, 3)."""
        found = self._compiled([(image.astype(np.float32) / 255).transpose(2, 0, 1)[None]])
        anomaly_map = found["anomaly_map"].reshape(SIZE, SIZE)
        return anomaly_map, float(found["pred_score"].reshape(())), None


class Peer:
    """Answers requests: ``train``, ``load``, ``look``."""

    def __init__(self) -> None:
        self._looker: TorchModule | ExportedModel | None = None

    def __call__(self, request: dict[str, Any]) -> dict[str, Any]:
        if request["do"] == "look":
            return self._look(request["photograph"], request.get("keep"))
        subject, folder = Subject(**request["subject"]), Path(request["folder"])
        if request["do"] == "train":
            torch_threads(request["threads"])
            return _train(subject, [Path(path) for path in request["photographs"]], folder, request["drawn"])
        if request["exported"]:
            self._looker = ExportedModel(folder / f"{subject.name}.xml", request["threads"])
        else:
            self._looker = TorchModule(folder / f"{subject.name}.pt", subject, request["threads"])
        return {}

    def _look(self, photograph: str, keep: str | None) -> dict[str, Any]:
        assert self._looker is not None
        image = read_image(Path(photograph))
        begin = time.perf_counter()
        anomaly_map, score, alone = self._looker.look(image)
        milliseconds = 1e3 * (time.perf_counter() - begin)
        if keep is not None:
            np.save(keep, anomaly_map)
        told = {"ms": milliseconds, "alone": alone, "score": score, "size": image.shape[:2]}
        return {**told, "peak": peak_resident_bytes()}


def _train(subject: Subject, photographs: list[Path], folder: Path, drawn: bool) -> dict[str, Any]:
    """Learn, and leave the module's state and its OpenVINO model in `folder`; the export is not in the seconds."""
    import torch

    from beside.peer_models import learn, preparation

    pre_processor = preparation()
    begin = time.perf_counter()
    prepared = torch.cat(
        [
            pre_processor.transform(torch.from_numpy(read_image(path)).permute(2, 0, 1)[None].float() / 255)
            for path in photographs
        ]
    )
    module = learn(subject, prepared, drawn)
    file = folder / f"{subject.name}.pt"
    torch.save(module.state_dict(), file)
    told = {"seconds": time.perf_counter() - begin, "peak": peak_resident_bytes()}
    height, width = read_image(photographs[0]).shape[:2]
    _export(pre_processor.export_transform, module, (height, width), folder / f"{subject.name}.xml")
    return told


def _export(transform: Any, module: Any, size: tuple[int, int], file: Path) -> None:
    """Write the OpenVINO model for photographs of `size` (height, width), in float32."""
    import torch

    openvino = import_module("openvino")

    class Whole(torch.nn.Module):
        """As the peer exports: what it does to photographs, then the module."""

        def __init__(self) -> None:
            super().__init__()
            self.module = module

        def forward(self, x: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
            found = self.module(transform(x))
            return found.pred_score, found.anomaly_map

    with torch.no_grad():
        model = openvino.convert_model(Whole().eval(), example_input=torch.zeros(1, 3, *size))
    for output, name in zip(model.outputs, ("pred_score", "anomaly_map"), strict=True):
        output.get_tensor().set_names({name})
    model.reshape([1, 3, *size])
    openvino.save_model(model, file, compress_to_fp16=False)


if __name__ == "__main__":
    serve(Peer())
