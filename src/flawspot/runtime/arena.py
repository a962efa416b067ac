"""A limit on the memory that an artifact may take while it runs.

A graph of a few numbers can ask for any amount of memory: one operator that repeats, expands or multiplies is enough.
ONNX Runtime gives memory to operators from an arena, and the arena of a session can be limited. An operator that asks
for more then fails before it gets any. Weights are outside of the arena, but they cannot be larger than the file.
"""

from __future__ import annotations

import contextlib
import threading
from collections.abc import Iterator

import onnxruntime

from flawspot.runtime.environment import whole_number

MEMORY = "FLAWSPOT_MEMORY"
"""Name of the environment variable that replaces `DEFAULT_MEMORY`, in megabytes (2^20 bytes)."""
DEFAULT_MEMORY = 1024
"""In megabytes (2^20 bytes). At an input size of 224 detectors take up to about 70, and at 1024 up to about 250."""
_MOST_MEMORY = 1 << 20

_registering = threading.Lock()


def allowed_megabytes() -> int:
    """The value of FLAWSPOT_MEMORY, or `DEFAULT_MEMORY`.

    Raises:
        ConfigurationError: the value is not a whole number of megabytes.
    """
    found = whole_number(MEMORY, 16, _MOST_MEMORY)
    return DEFAULT_MEMORY if found is None else found


@contextlib.contextmanager
def limited(options: onnxruntime.SessionOptions, megabytes: int) -> Iterator[None]:
    """Give the session that is made with `options` in the ``with`` block its own arena of limited size.

    ONNX Runtime has no such option for a session, but one arena for the process, which a session may use. So a limited
    arena is registered, and once the session has it, an ordinary one replaces it. A host program that has registered an
    arena of its own gets the ordinary one for its later sessions.
    """
    options.add_session_config_entry("session.use_env_allocators", "1")
    info = onnxruntime.OrtMemoryInfo(
        "Cpu", onnxruntime.OrtAllocatorType.ORT_ARENA_ALLOCATOR, 0, onnxruntime.OrtMemType.DEFAULT
    )
    with _registering:
        onnxruntime.create_and_register_allocator(info, onnxruntime.OrtArenaCfg({"max_mem": megabytes << 20}))
        try:
            yield
        finally:
            onnxruntime.create_and_register_allocator(info, onnxruntime.OrtArenaCfg({}))


def exhausted(error: Exception) -> bool:
    """Whether ONNX Runtime failed because an operator asked for more than the arena has."""
    return "Available memory of" in str(error)


def exhausted_reason() -> str:
    """The message for such a failure."""
    return f"it asks for more than {allowed_megabytes():,} MB of memory; if you trust it, set {MEMORY} to more"
