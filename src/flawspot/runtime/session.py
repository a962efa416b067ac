"""Sessions of ONNX Runtime: on which processor, with how many threads, and quiet in between."""

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
"""Threads of a session that was not told how many, for processes that share a machine."""

CPU, CUDA = "CPUExecutionProvider", "CUDAExecutionProvider"
DEVICES = {"cpu": [CPU], "cuda": [CUDA, CPU]}
"""What may be asked for, and which of ONNX Runtime's providers that is."""
_SETTINGS = {CUDA: {"use_tf32": "0"}}
"""Of a provider. TensorFloat-32 rounds products to 10 bits: maps would be off by a hundredth, for no time that could be
measured (docs/edge.md)."""

WAIT_MICROSECONDS = 20
"""How long a thread waits for work within a prediction before it sleeps."""
SHORT_WAITS = (1, 26)
"""The first ONNX Runtime that knows how long; with older ones threads sleep at once."""
WHOLE_HALVES = (1, 30)
"""The first ONNX Runtime that is known not to end the process, by an assertion of its own, where it turns constants of
half precision into floats; 1.28 does, on PaDiM with ``precision=float16``."""

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
        threads: None takes as many as FLAWSPOT_THREADS says, else one for each physical core.
        spin: let idle threads wait at full load, also between photographs. That costs several times the detector's own
            processor time there, and slows whatever else runs on the same cores.
        device: ``cpu``, ``cuda``, or None for the GPU where ONNX Runtime has one, else the CPU.
        integers: compute what is quantized in integers, where this processor does so exactly; else in float.
        megabytes: what its operators may take of the memory beside the GPU's, weights not counted; None: anything.

    Warns:
        FlawspotWarning: a GPU was asked for, or ONNX Runtime is built for one, and the session runs on the CPU.

    Raises:
        ConfigurationError: another device, or a number of threads that no machine has.
    """
    if device is not None and device not in DEVICES:
        raise ConfigurationError(f"there is no device {device!r}: use {' or '.join(DEVICES)}")
    options = onnxruntime.SessionOptions()
    options.log_severity_level = 4  # what it logs as errors it raises as well
    # Bytes that begin as ONNX Runtime's own format does would else be read as that, past all checks.
    options.add_session_config_entry("session.load_model_format", "ONNX")
    _set_waiting(options, spin)
    if has_integers(model) and not (integers and exact_in_integers()):
        options.add_session_config_entry(*IN_FLOAT)
    if threads is None:
        threads = whole_number(THREADS, 1, MAX_THREADS)
    # Patterns of memory are planned from the first photograph; where later ones need other sizes, as PatchCore's search
    # does, that keeps several times the memory.
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
    if len(providers) == 1:  # the session keeps all weights a second time, for the day that it must change providers
        session._model_bytes = None
    if (device == "cuda" or len(providers) > 1) and session.get_providers()[0] != CUDA:
        warnings.warn(_no_gpu(available), FlawspotWarning, stacklevel=3)
    return session


def _set_waiting(options: onnxruntime.SessionOptions, spin: bool) -> None:
    """How threads wait for one another.

    To put a thread to sleep between two operators costs a sixth of a small detector's time. Waiting for some
    microseconds within a prediction gives that back and takes nothing from others; docs/performance.md has the figures.
    """
    briefly = not spin and _version() >= SHORT_WAITS
    for kind in ("intra", "inter"):
        options.add_session_config_entry(f"session.{kind}_op.allow_spinning", str(int(spin or briefly)))
        if briefly:
            options.add_session_config_entry(f"session.{kind}_op.spin_duration_us", str(WAIT_MICROSECONDS))
    if briefly:  # none waits for the next prediction
        options.add_session_config_entry("session.force_spinning_stop", "1")


def _load_cuda() -> None:
    """Find CUDA's libraries where pip has put them; ONNX Runtime looks for them in the system's places alone."""
    preload = getattr(onnxruntime, "preload_dlls", None)  # since 1.21
    if preload is not None:
        with contextlib.suppress(OSError, RuntimeError), contextlib.redirect_stdout(io.StringIO()):
            preload()  # prints what is not there; the session says so as well


def _left_out() -> list[str]:
    """Optimizers of ONNX Runtime that are not let at a graph."""
    # Constants would be worked out in advance, in memory that has no limit; exported graphs have none left.
    left_out = ["ConstantFolding"]
    if _version() < WHOLE_HALVES:
        left_out.append("FuseFp16InitializerToFp32NodeTransformer")
    return left_out


def _version() -> tuple[int, int]:
    """Of ONNX Runtime: major and minor."""
    major, minor = re.findall(r"\d+", onnxruntime.__version__)[:2]
    return int(major), int(minor)


def _no_gpu(available: list[str]) -> str:
    if CUDA not in available:
        cure = "this onnxruntime has none: `pip install onnxruntime-gpu` in its place"
    else:
        cure = "onnxruntime-gpu could not use it: see that the driver, CUDA and cuDNN are those that it asks for"
    return f"no GPU is used, the detector runs on the CPU; {cure}"
