"""Connections that are slow, hostile or too many, on real sockets."""

import contextlib
import socket
import time

import pytest

HEAD = b"GET /echo HTTP/1.1\r\nHost: localhost\r\n"


def test_a_head_that_does_not_end_is_given_up(station, rest):
    there = station(header_seconds=0.5)
    begun = time.monotonic()
    with there.connect() as silent, there.connect() as slow:
        slow.sendall(HEAD)
        with contextlib.suppress(ConnectionError):
            for _ in range(10):
                slow.sendall(b"a")
                time.sleep(0.1)
        assert rest(slow) == rest(silent) == b""
    assert time.monotonic() - begun < 5
    assert there.application.served == []


def test_a_second_head_has_its_time_too(station, rest):
    there = station(header_seconds=0.5)
    with there.connect() as client:
        client.sendall(HEAD + b"\r\n")
        assert client.recv(4096).startswith(b"HTTP/1.1 200 ")
        client.sendall(b"G")
        begun = time.monotonic()
        rest(client)
        assert time.monotonic() - begun < 5


@pytest.mark.parametrize("size", [20_000, 60_000, 500_000])
def test_a_long_head_is_refused(station, said, size):
    there = station()
    assert "its head is too long" in said(there.say(HEAD + b"x: " + size * b"y"))
    with contextlib.suppress(ConnectionError):
        assert b" 400 " in there.say(HEAD + b"x: " + size * b"y" + b"\r\n\r\n").partition(b"\r\n")[0]
    assert there.application.served == []


def test_many_headers_are_refused(station, rest):
    there = station()
    assert there.say(HEAD + 200 * b"a:\r\n" + b"\r\n").startswith(b"HTTP/1.1 431 ")
    assert there.application.served == []
    lines = HEAD + b"Content-Length: 3000\r\nConnection: close\r\n" + 90 * b"a:\r\n" + b"\r\n" + 3000 * b"\n"
    with there.connect() as client:
        client.sendall(lines.replace(b"GET", b"POST"))
        assert rest(client).endswith(b'{"bytes": 3000}')


@pytest.mark.parametrize(
    "garbage",
    [
        b"\x16\x03\x01\x02\x00" + bytes(100),
        b"hello\r\n\r\n",
        HEAD + b"Content-Length: -1\r\n\r\n",
        HEAD + b"Content-Length: " + b"9" * 5000 + b"\r\n\r\n",
        HEAD + b"Content-Length: 1\r\nContent-Length: 2\r\n\r\n",
        HEAD + b"Host: other\r\n\r\n",
        HEAD + b"Transfer-Encoding: gzip\r\n\r\n",
    ],
)
def test_garbage_is_answered_and_the_connection_closed(station, garbage):
    answer = station().say(garbage)
    assert answer.startswith((b"HTTP/1.1 400 ", b"HTTP/1.1 501 "))
    assert b"content-security-policy" in answer


def test_garbage_behind_an_answer_ends_the_connection(station):
    there = station()
    head = b"POST /events HTTP/1.1\r\nHost: localhost\r\nContent-Length: 1\r\n\r\nx"
    with there.connect() as client:
        client.sendall(head)
        assert client.recv(4096).startswith(b"HTTP/1.1 200 ")
        client.sendall(b"garbage" * 10_000)
        assert client.recv(4096)  # events go on; what is behind the request is not looked at
    assert there.request("GET", "/echo")[0] == 200


def test_a_malformed_chunk_ends_the_request(station):
    there = station()
    head = b"POST /echo HTTP/1.1\r\nHost: localhost\r\nTransfer-Encoding: chunked\r\n\r\n"
    assert there.say(head + b"5\r\nhello\r\nno number\r\n").startswith(b"HTTP/1.1 400 ")
    assert there.application.served == []


def test_requests_sent_at_once_are_answered_in_turn_or_the_connection_closed(station):
    there = station()
    answer = there.say(3 * (HEAD + b"\r\n") + HEAD + b"Connection: close\r\n\r\n")
    assert answer.count(b"HTTP/1.1 200 ") == 4
    answer = there.say(5000 * (HEAD + b"\r\n"))
    assert 1 <= answer.count(b"HTTP/1.1 200 ") < 5000


def test_who_does_not_read_is_given_up(station, until):
    there = station(unread_seconds=1)
    with socket.socket() as client:
        client.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        client.connect(("127.0.0.1", there.server.port))
        client.sendall(b"GET /large HTTP/1.1\r\nHost: localhost\r\n\r\n")
        until(lambda: there.application.served == ["/large"])
        time.sleep(0.5)
        assert there.application.sent < 500  # 64 KiB each: kernel and buffers take some MiB and no more
        assert there.server.server_state.connections
        until(lambda: not there.server.server_state.connections)


def test_what_nobody_reads_is_given_up_for_others(station, until, rest):
    there = station(unread_bytes=40 * 1024**2)
    with contextlib.ExitStack() as stack:
        clients = [stack.enter_context(there.connect()) for _ in range(4)]
        for number, client in enumerate(clients):
            client.sendall(b"GET /huge HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n")
            until(lambda number=number: len(there.application.served) == number + 1)
            time.sleep(0.2)
        assert min(len(rest(client)) for client in clients[2:]) > 16 * 1024**2
        assert len(there.request("GET", "/huge")[2]) == 16 * 1024**2
        assert max(len(rest(client)) for client in clients[:2]) < 16 * 1024**2
    assert there.errors == []


def test_connections_are_counted_too(station, rest):
    there = station(requests_per_second=1, burst=3)
    with contextlib.ExitStack() as stack:
        clients = [stack.enter_context(there.connect()) for _ in range(5)]
        assert [rest(client) for client in clients[3:]] == [b"", b""]
        for client in clients[:3]:
            client.sendall(HEAD + b"\r\n")
            assert client.recv(4096).startswith(b"HTTP/1.1 200 ")


def test_who_reads_slowly_gets_all(station, until):
    there = station(unread_seconds=0.5)
    with there.connect() as client:
        client.sendall(b"GET /large HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n")
        received, begun = 0, time.monotonic()
        while part := client.recv(256 * 1024):
            received += len(part)
            time.sleep(0.002)
    assert received > 1000 * 64 * 1024
    assert time.monotonic() - begun > 0.5


def test_idle_connections_are_closed(station, rest):
    there = station(idle_seconds=1)
    with there.connect() as client:
        client.sendall(HEAD + b"\r\n")
        assert rest(client).endswith(b'{"bytes": 0}')


def test_a_refused_body_is_thrown_away_for_a_while(station, monkeypatch):
    monkeypatch.setattr("flawspot.serve.guard.protocol._DISCARD_SECONDS", 0.5)
    there = station(body_bytes=1000)
    with there.connect() as client:
        client.sendall(b"POST /echo HTTP/1.1\r\nHost: localhost\r\nContent-Length: 99999999\r\n\r\n")
        assert client.recv(4096).startswith(b"HTTP/1.1 413 ")
        with pytest.raises(ConnectionError):
            for _ in range(100):
                client.sendall(b"x")
                time.sleep(0.05)


def test_a_half_closed_connection_is_let_go(station, until):
    there = station()
    with there.connect() as client:
        client.sendall(b"POST /echo HTTP/1.1\r\nHost: localhost\r\nContent-Length: 99999\r\n\r\nabc")
        client.shutdown(socket.SHUT_WR)
        until(lambda: not there.server.server_state.connections)
    assert there.application.served == []


def test_newcomers_take_the_place_of_those_that_wait(station, rest):
    there = station(connections=3)
    with contextlib.ExitStack() as stack:
        waiting = [stack.enter_context(there.connect()) for _ in range(3)]
        time.sleep(0.2)
        for _ in range(2):
            assert there.request("GET", "/echo")[0] == 200
        assert rest(waiting[0]) == b""


def test_requests_under_way_are_not_closed_for_newcomers(station, rest):
    there = station(connections=2)
    with contextlib.ExitStack() as stack:
        streams = [stack.enter_context(there.connect()) for _ in range(2)]
        for stream in streams:
            stream.sendall(b"GET /events HTTP/1.1\r\nHost: localhost\r\n\r\n")
            assert stream.recv(4096).startswith(b"HTTP/1.1 200 ")
        assert rest(stack.enter_context(there.connect())) == b""
        assert all(stream.recv(4096) for stream in streams)


def test_no_websockets(station):
    headers = {"Connection": "Upgrade", "Upgrade": "websocket"}
    assert station().request("GET", "/echo", headers=headers)[0] == 200  # as plain HTTP, which is what a server may do
