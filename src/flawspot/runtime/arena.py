"""A bound on the memory that an artifact takes while it runs.

A graph of a few numbers can ask for any amount: one operator that repeats, expands or multiplies is enough. What ONNX
Runtime gives to operators comes from an arena, and that of a session can be limited; an operator that asks for more
fails, before it has got anything. Weights lie outside of it, for a file cannot hold more of them than it is long.
"""

from __future__ import annotations

import contextlib
import threading
from collections.abc import Iterator

import onnxruntime

from flawspot.runtime.environment import whole_number

MEMORY = "FLAWSPOT_MEMORY"
"""Megabytes (2^20 bytes) that an artifact may take while it runs, where it is not `DEFAULT_MEMORY`."""
DEFAULT_MEMORY = 1024
"""Megabytes. At an input size of 224 detectors take some 70 on the photographs that need most, and at 1024 some 250."""
_MOST_MEMORY = 1 << 20

_registering = threading.Lock()


def allowed_megabytes() -> int:
    """What FLAWSPOT_MEMORY says, or `DEFAULT_MEMORY`.

    Raises:
        ConfigurationError: it is no whole number of megabytes.
    """
    found = whole_number(MEMORY, 16, _MOST_MEMORY)
    return DEFAULT_MEMORY if found is None else found


@contextlib.contextmanager
def limited(options: onnxruntime.SessionOptions, megabytes: int) -> Iterator[None]:
    """The session that is made with `options` within the ``with`` block gets an arena of its own, of limited size.

    ONNX Runtime has no such option for a session, but it has one arena for the process, which a session may take. So it
    is put there, and when the session has it, an ordinary one in its place: for a host program that has registered an
    arena of its own, its later sessions find that one.
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
    """What to say of it."""
    return f"it asks for more than {allowed_megabytes():,} MB of memory; if you trust it, set {MEMORY} to more"
