"""Sessions of ONNX Runtime: device, number of threads, and how threads wait."""

from __future__ import annotations

import contextlib
import io
import re
import warnings

import onnxruntime

from flawspot.errors import ConfigurationError, FlawspotWarning
from flawspot.runtime.arena import limited
from flawspot.runtime.environment import MAX_THREADS, whole_number
from flawspot.runtime.integers import IN_FLOAT, exact_in_integers, has_integers
from flawspot.telemetry import hush
from flawspot.texts import counted_digits

THREADS = "FLAWSPOT_THREADS"
"""Environment variable with the number of threads of a session that was given none, for processes that share a
machine."""

CPU, CUDA = "CPUExecutionProvider", "CUDAExecutionProvider"
DEVICES = {"cpu": [CPU], "cuda": [CUDA, CPU]}
"""The devices, and ONNX Runtime's providers for them."""
_SETTINGS = {CUDA: {"use_tf32": "0"}}
"""Settings of a provider. TensorFloat-32 rounds products to 10 bits. Maps would be wrong by a hundredth, for no
measurable gain in time (docs/edge.md)."""

WAIT_MICROSECONDS = 20
"""How long a thread waits for work within a prediction before it sleeps."""
SHORT_WAITS = (1, 26)
"""The first version of ONNX Runtime with a setting for this time. With older ones threads sleep at once."""
WHOLE_HALVES = (1, 30)
"""The first version of ONNX Runtime known not to crash by an assertion when it converts constants of half precision to
float. 1.28 does, on PaDiM with ``precision=float16``."""

hush(onnxruntime)


def open_session(
    model: bytes,
    *,
    threads: int | None = None,
    spin: bool = False,
    device: str | None = None,
    megabytes: int | None = None,
    integers: bool = True,
) -> onnxruntime.InferenceSession:
    """An ONNX Runtime session on `model`.

    Args:
        model: an ONNX model.
        threads: number of threads; None takes the number in FLAWSPOT_THREADS, else one for each physical core.
        spin: let idle threads wait under full load, also between photographs. This costs several times the detector's
            own processor time, and slows everything else on the same cores.
        device: ``cpu``, ``cuda``, or None for the GPU if ONNX Runtime can use one, else the CPU.
        integers: compute quantized operators in integers if this processor does so exactly, else in float.
        megabytes: the most main memory that its operators may take, without weights; None: no limit.

    Warns:
        FlawspotWarning: a GPU was asked for, or ONNX Runtime is built for one, but the session runs on the CPU.

    Raises:
        ConfigurationError: an unknown device, or an impossible number of threads.
    """
    if device is not None and device not in DEVICES:
        raise ConfigurationError(f"there is no device {device!r}: use {' or '.join(DEVICES)}")
    options = onnxruntime.SessionOptions()
    options.log_severity_level = 4  # errors that it logs are raised as well
    # Otherwise bytes that begin like ONNX Runtime's own format would be read as that, past all checks.
    options.add_session_config_entry("session.load_model_format", "ONNX")
    _set_waiting(options, spin)
    if has_integers(model) and not (integers and exact_in_integers()):
        options.add_session_config_entry(*IN_FLOAT)
    if threads is None:
        threads = whole_number(THREADS, 1, MAX_THREADS)
    # Memory patterns are planned from the first photograph. If later ones need other sizes, as in PatchCore's search,
    # they keep several times the memory.
    options.enable_mem_pattern = False
    if threads is not None:
        if not 1 <= threads <= MAX_THREADS:
            raise ConfigurationError(f"threads must be from 1 to {MAX_THREADS:,}, not {counted_digits(threads)}")
        options.intra_op_num_threads = threads
    wanted = DEVICES["cuda" if device is None else device]
    available = onnxruntime.get_available_providers()
    providers = [provider for provider in wanted if provider in available]
    if CUDA in providers:
        _load_cuda()
    with contextlib.nullcontext() if megabytes is None else limited(options, megabytes):
        session = onnxruntime.InferenceSession(
            model,
            options,
            providers=[(provider, _SETTINGS.get(provider, {})) for provider in providers],
            enable_fallback=0,
            disabled_optimizers=_left_out(),
        )
    if len(providers) == 1:  # the session keeps all weights a second time, in case it must change providers
        session._model_bytes = None
    if (device == "cuda" or len(providers) > 1) and session.get_providers()[0] != CUDA:
        warnings.warn(_no_gpu(available), FlawspotWarning, stacklevel=3)
    return session


def _set_waiting(options: onnxruntime.SessionOptions, spin: bool) -> None:
    """Set how threads wait for one another.

    Putting a thread to sleep between two operators costs a sixth of a small detector's time. Waiting for some
    microseconds within a prediction saves this and takes nothing from other programs; docs/performance.md has figures.
    """
    briefly = not spin and _version() >= SHORT_WAITS
    for kind in ("intra", "inter"):
        options.add_session_config_entry(f"session.{kind}_op.allow_spinning", str(int(spin or briefly)))
        if briefly:
            options.add_session_config_entry(f"session.{kind}_op.spin_duration_us", str(WAIT_MICROSECONDS))
    if briefly:  # no thread waits for the next prediction
        options.add_session_config_entry("session.force_spinning_stop", "1")


def _load_cuda() -> None:
    """Load CUDA's libraries from where pip has put them. ONNX Runtime searches only the system's folders."""
    preload = getattr(onnxruntime, "preload_dlls", None)  # since 1.21
    if preload is not None:
        with contextlib.suppress(OSError, RuntimeError), contextlib.redirect_stdout(io.StringIO()):
            preload()  # prints what is missing; the session reports it too


def _left_out() -> list[str]:
    """ONNX Runtime's optimizers that are switched off."""
    # They would compute constants in advance, in memory without a limit. Exported graphs have none left to compute.
    left_out = ["ConstantFolding"]
    if _version() < WHOLE_HALVES:
        left_out.append("FuseFp16InitializerToFp32NodeTransformer")
    return left_out


def _version() -> tuple[int, int]:
    """Major and minor version of ONNX Runtime."""
    major, minor = re.findall(r"\d+", onnxruntime.__version__)[:2]
    return int(major), int(minor)


def _no_gpu(available: list[str]) -> str:
    if CUDA not in available:
        cure = "this onnxruntime has no GPU support: `pip install onnxruntime-gpu` instead"
    else:
        cure = "onnxruntime-gpu could not use it: check that driver, CUDA and cuDNN have the versions that it needs"
    return f"no GPU is used, the detector runs on the CPU; {cure}"
