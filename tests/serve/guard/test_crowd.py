"""1,000 clients at once, slow and hostile, while honest requests go on being answered, in bounded memory."""

import asyncio
import contextlib
import http.client
import json
import random
import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest

pytest.importorskip("uvicorn", reason="the station needs pip install 'flawspot[serve]'")
pytestmark = pytest.mark.skipif(
    not Path("/proc/self/status").exists(),
    reason="memory is read from /proc, and clients come from many loopback addresses",
)

CLIENTS = 1000
SECONDS = 8.0
MEMORY_MIB = 544
"""What the process may grow by. Its bound is 8 bodies of 32 MiB, an eighth of that for their growth and one body while
it is copied, 320 MiB; 128 MiB of answers that nobody reads; and for each of 1,000 connections 64 KiB of a body that
uvicorn keeps and 32 KiB of head, buffers and objects, 96 MiB."""

SERVER = """
import sys, threading
from flawspot.serve.guard import Guard, Limits, RefusedError
from flawspot.serve.guard.server import running, server

async def application(scope, receive, send):
    if scope["type"] == "lifespan":
        raise RuntimeError
    body = (await receive())["body"] if scope["method"] == "POST" else b""
    start = {"type": "http.response.start", "status": 200, "headers": []}
    await send(start)
    if scope["path"] == "/events":
        while (await receive())["type"] != "http.disconnect":
            pass
    answer = bytes(2**21) if scope["path"] == "/picture" else str(len(body)).encode()
    await send({"type": "http.response.body", "body": answer})

def admit(scope):
    known = scope["path"] != "/photograph" or (b"token", b"right") in scope["headers"]
    return None if known else RefusedError(401, "no")

limits = Limits(turn_seconds=30)  # for slow machines
guard = Guard(application, limits, admit=admit, on_error=lambda error: None)
with running(server(guard, limits=limits)) as runner:
    print(runner.server.port, flush=True)
    sys.stdin.read()
"""


def of_status(process: int, name: str) -> float:
    """MiB that ``/proc`` tells."""
    line = next(line for line in Path(f"/proc/{process}/status").read_text().splitlines() if line.startswith(name))
    return int(line.split()[1]) / 1024


@pytest.fixture
def process():
    """The server's, and its port."""
    with subprocess.Popen([sys.executable, "-c", SERVER], stdin=subprocess.PIPE, stdout=subprocess.PIPE) as started:
        assert started.stdout is not None
        try:
            yield started, int(started.stdout.readline())
        finally:
            started.communicate(timeout=30)
            assert started.returncode == 0


class Honest:
    """A client that asks five times a second; its photographs wait for their turns, and so may be fewer.

    Attributes:
        answers: seconds that each took, and whether it was the right one.
    """

    def __init__(self, port: int, until: float, photograph: bytes | None) -> None:
        self.answers: list[tuple[float, bool]] = []
        self._port, self._until, self._photograph = port, until, photograph
        self.thread = threading.Thread(target=self._ask_on)
        self.thread.start()

    def _ask_on(self) -> None:
        while (begun := time.monotonic()) < self._until:
            good = False
            with contextlib.suppress(OSError, http.client.HTTPException):
                good = self._ask()
            took = time.monotonic() - begun
            self.answers.append((took, good))
            time.sleep(max(0.0, 0.2 - took))

    def _ask(self) -> bool:
        connection = http.client.HTTPConnection("127.0.0.1", self._port, timeout=40)
        with contextlib.closing(connection):
            if self._photograph is None:
                connection.request("GET", "/health")
            else:
                connection.request("POST", "/photograph", self._photograph, {"token": "right"})
            answer = connection.getresponse()
            return answer.status == 200 and int(answer.read()) == len(self._photograph or b"")

    def figures(self) -> list[float]:
        """How many answers there were, and the seconds of the slowest."""
        return [len(self.answers), round(max(took for took, _ in self.answers), 2)]


HEAD = b"GET /health HTTP/1.1\r\nHost: localhost\r\n"
POST = b"POST /photograph HTTP/1.1\r\nHost: localhost\r\n"


async def drip(writer: asyncio.StreamWriter, part: bytes, pause: float) -> None:
    while True:
        writer.write(part)
        await writer.drain()
        await asyncio.sleep(pause)


async def slow_head(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    writer.write(HEAD)
    await drip(writer, b"a", 0.5)


async def endless_head(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    writer.write(HEAD)
    await drip(writer, b"x-y: " + bytes(60_000).replace(b"\0", b"z") + b"\r\n", 0.05)


async def many_headers(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    await drip(writer, HEAD + 2000 * b"a:\r\n" + b"\r\n", 0.2)


async def slow_body(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """With a token, of a body as large as any may be, most of which comes at once."""
    writer.write(POST + b"token: right\r\nContent-Length: 33554432\r\n\r\n")
    for _ in range(500):
        writer.write(bytes(60_000))
        await writer.drain()
    await drip(writer, b"x", 0.2)


async def stranger(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """Without a token."""
    writer.write(POST + b"Content-Length: 33554432\r\n\r\n")
    await drip(writer, bytes(60_000), 0.05)


async def endless_body(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    writer.write(POST + b"token: right\r\nTransfer-Encoding: chunked\r\n\r\n")
    await drip(writer, b"f000\r\n" + bytes(0xF000) + b"\r\n", 0.02)


async def garbage(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    await drip(writer, random.Random(0).randbytes(5000), 0.1)


async def wrong_length(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    writer.write(POST + b"token: right\r\nContent-Length: 100\r\n\r\n" + b"x" * 5000)
    await reader.read()


async def half_closed(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    writer.write(POST + b"token: right\r\nContent-Length: 100\r\n\r\nx")
    writer.write_eof()
    await reader.read()


async def never_reads(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    writer.write(HEAD.replace(b"health", b"picture") + b"\r\n")
    await asyncio.sleep(60)


async def pipelined(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    await drip(writer, 500 * (HEAD + b"\r\n"), 0.05)


async def silent(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    await asyncio.sleep(60)


async def listens(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """To events, and says nothing more."""
    writer.write(HEAD.replace(b"health", b"events") + b"\r\n")
    await asyncio.sleep(60)


KINDS = [slow_head, endless_head, many_headers, slow_body, stranger, endless_body, garbage, wrong_length]
KINDS += [half_closed, never_reads, pipelined, silent, listens]

WITH_TOKEN = (slow_body, endless_body, wrong_length, half_closed)
"""Those whose photographs are received; each kind of them has one address."""


async def hostile(number: int, port: int, met: list[int]) -> None:
    """One client that comes again whenever it is thrown out. It has one of 20 addresses."""
    while True:
        with contextlib.suppress(OSError):
            kind = KINDS[number % len(KINDS)]
            local = (f"127.0.0.{50 + WITH_TOKEN.index(kind) if kind in WITH_TOKEN else 2 + number % 20}", 0)
            reader, writer = await asyncio.open_connection("127.0.0.1", port, local_addr=local, limit=4096)
            met[number] += 1
            try:
                await kind(reader, writer)
            finally:
                writer.transport.abort()
        await asyncio.sleep(0.5)


async def crowd(port: int) -> list[int]:
    """How often each client was let in."""
    met = [0] * CLIENTS
    tasks = [asyncio.create_task(hostile(number, port, met)) for number in range(CLIENTS)]
    await asyncio.sleep(SECONDS)
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)
    return met


@pytest.mark.slow
def test_honest_requests_are_answered_among_a_thousand_clients(process):
    resource = pytest.importorskip("resource")
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if hard != resource.RLIM_INFINITY and hard < CLIENTS + 200:
        pytest.skip(f"this system allows {hard} open files")
    started, port = process
    at_rest = of_status(started.pid, "VmRSS")
    command = ["sh", "-c", f'ulimit -n {max(soft, CLIENTS + 200)} && exec "$@"', "sh", sys.executable, __file__, port]
    with subprocess.Popen([str(part) for part in command], stdout=subprocess.PIPE) as clients:
        until = time.monotonic() + SECONDS
        asking, sending = Honest(port, until, None), Honest(port, until, bytes(500_000))
        asking.thread.join()
        sending.thread.join()
        met = json.loads(clients.communicate(timeout=30)[0])
    peak = of_status(started.pid, "VmHWM")
    figures = {
        "at rest, peak MiB": [round(at_rest), round(peak)],
        "requests, slowest s": asking.figures(),
        "photographs, slowest s": sending.figures(),
        "connections": sum(met),
    }
    print(figures)
    assert min(met) >= 1  # every one of them was let in
    assert all(good for _, good in asking.answers + sending.answers), figures
    assert len(asking.answers) >= SECONDS, figures
    assert peak - at_rest < MEMORY_MIB, figures


if __name__ == "__main__":
    print(json.dumps(asyncio.run(crowd(int(sys.argv[1])))))
