"""What never reaches the application, seen from a client on a real socket."""

import contextlib
import http.client
import json
import threading
import time

import pytest

from flawspot.errors import ConfigurationError
from flawspot.serve.guard import Limits, RefusedError
from flawspot.serve.guard.rates import Rates

KIB = 1024
HEADERS = {
    "content-security-policy": "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' blob: data:; "
    "connect-src 'self'; form-action 'self'; frame-ancestors 'none'; base-uri 'none'",
    "x-content-type-options": "nosniff",
    "referrer-policy": "no-referrer",
    "cross-origin-resource-policy": "same-origin",
}


@pytest.mark.parametrize(
    ("name", "value"),
    [("body_bytes", 0), ("body_bytes", 1.5), ("burst", True), ("idle_seconds", -1), ("body_seconds", float("inf"))],
)
def test_a_limit_that_is_none_is_refused(name, value):
    with pytest.raises(ConfigurationError, match=f"the limit {name} is .*: give a"):
        Limits(**{name: value})


def test_an_honest_request_is_answered(station):
    there = station()
    status, headers, body = there.request("POST", "/echo", bytes(300 * KIB))
    assert (status, json.loads(body)) == (200, {"bytes": 300 * KIB})
    assert headers.items() >= HEADERS.items()
    assert headers["cache-control"] == "no-store"
    assert "server" not in headers


def test_a_body_in_chunks_is_one_body(station):
    there = station()
    chunks = b"".join(b"%x\r\n%b\r\n" % (len(part), part) for part in [bytes(5), bytes(40_000), bytes(1)])
    head = b"POST /echo HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\nTransfer-Encoding: chunked\r\n\r\n"
    assert there.say(head + chunks + b"0\r\n\r\n").endswith(b'{"bytes": 40006}')


def test_an_answer_may_say_how_long_it_keeps_and_nothing_else(station):
    _, headers, _ = station().request("GET", "/own")
    assert headers["cache-control"] == "max-age=60"
    assert headers["content-security-policy"] == HEADERS["content-security-policy"]


def test_a_large_answer_comes_whole(station):
    assert station().request("GET", "/whole")[2] == bytes(range(256)) * 4000


def test_too_large_a_body_is_refused_before_it_comes(station):
    there = station(body_bytes=100 * KIB)
    head = b"POST /echo HTTP/1.1\r\nHost: localhost\r\nContent-Length: 999999999999\r\nExpect: 100-continue\r\n\r\n"
    with there.connect() as client:
        client.sendall(head)
        assert client.recv(4096).startswith(b"HTTP/1.1 413 ")
    assert there.application.served == []


def test_who_sends_too_large_a_body_all_the_same_reads_why(station):
    there = station(body_bytes=100 * KIB)
    status, headers, body = there.request("POST", "/echo", bytes(20 * KIB * KIB))
    assert status == 413
    assert "larger than 102,400 bytes: send a smaller photograph" in json.loads(body)["error"]
    assert headers.items() >= HEADERS.items()


def test_a_body_of_unknown_length_is_counted(station):
    there = station(body_bytes=100 * KIB)
    chunk = b"4000\r\n" + bytes(0x4000) + b"\r\n"
    head = b"POST /echo HTTP/1.1\r\nHost: localhost\r\nTransfer-Encoding: chunked\r\n\r\n"
    with there.connect() as client:
        client.sendall(head + 10 * chunk)
        assert client.recv(4096).startswith(b"HTTP/1.1 413 ")
    assert there.application.served == []


@pytest.mark.parametrize("length", [100, 50 * KIB])
def test_a_slow_body_is_given_up(station, said, length):
    there = station(body_seconds=0.5)
    with there.connect() as client:
        client.sendall(b"POST /echo HTTP/1.1\r\nHost: localhost\r\nContent-Length: %d\r\n\r\n" % length)
        for _ in range(8):
            client.sendall(b"1")
            time.sleep(0.1)
        answer = client.recv(4096)
    assert answer.startswith(b"HTTP/1.1 408 ")
    assert "within 0.5 s" in said(answer)
    assert there.application.served == []


def test_so_many_bodies_are_held_and_no_more(station, until):
    there = station(bodies_at_once=4, turn_seconds=0.5)
    there.application.held = True
    answers = []

    def send():
        answers.append(there.request("POST", "/hold", bytes(100 * KIB)))

    threads = [threading.Thread(target=send) for _ in range(5)]
    for thread in threads:
        thread.start()
    until(lambda: len(answers) == 3)
    assert {(status, headers["retry-after"]) for status, headers, _ in answers} == {(503, "1")}
    assert there.request("POST", "/echo", b"small ones need no turn")[0] == 200
    there.application.held = False
    for thread in threads:
        thread.join()
    assert sorted(status for status, _, _ in answers) == [200, 200, 503, 503, 503]
    assert there.application.most == 2  # half of them, for all came from one address


def test_a_turn_is_waited_for_and_given_back(station):
    there = station(bodies_at_once=1)
    answers = []
    threads = [
        threading.Thread(target=lambda: answers.append(there.request("POST", "/hold", bytes(100 * KIB))[0]))
        for _ in range(6)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert answers == [200] * 6
    assert there.application.most == 1


def test_requests_are_counted(station):
    there = station(requests_per_second=2, burst=3)
    connection = http.client.HTTPConnection("127.0.0.1", there.server.port, timeout=10)
    with contextlib.closing(connection):
        for status in (200, 200, 200, 429):
            connection.request("GET", "/echo")
            answer = connection.getresponse()
            answer.read()
            assert answer.status == status
        assert answer.headers["retry-after"] == "1"
        assert answer.headers["x-content-type-options"] == "nosniff"
        time.sleep(0.6)
        connection.request("GET", "/echo")
        assert connection.getresponse().status == 200


def test_addresses_are_counted_one_by_one_and_few_are_remembered():
    now = [0.0]
    rates = Rates(1, 2, addresses=3, clock=lambda: now[0])
    assert [rates.seconds_to_wait("a") for _ in range(3)] == [0, 0, 1]
    assert rates.seconds_to_wait("b") == 0
    now[0] = 0.25
    assert rates.seconds_to_wait("a") == pytest.approx(0.75)
    now[0] = 100
    assert [rates.seconds_to_wait("a") for _ in range(3)] == [0, 0, 1]
    for number in range(1000):
        rates.seconds_to_wait(str(number))
    assert len(rates) == 3


@pytest.mark.parametrize("host", ["127.0.0.1", "localhost:80", "LOCALHOST", "[::1]:8080", "192.168.1.5", "line-3:8080"])
def test_the_station_is_asked_by_its_names(station, host):
    assert station(hosts=["Line-3"]).request("GET", "/echo", headers={"Host": host})[0] == 200


@pytest.mark.parametrize(
    "host", ["evil.example", "localhost.evil.example", "a@localhost", "localhost/", "[", "x:y", ""]
)
def test_another_name_is_refused(station, host):
    there = station(hosts=["line-3"])
    status, headers, body = there.request("GET", "/echo", headers={"Host": host})
    assert status == 421
    assert "this station is not called" in json.loads(body)["error"]
    assert headers.items() >= HEADERS.items()
    assert there.application.served == []


def test_no_name_is_refused(station, said):
    assert "send one" in said(station().say(b"GET /echo HTTP/1.0\r\n\r\n"))


@pytest.mark.parametrize(
    ("headers", "status"),
    [
        ({}, 200),
        ({"Sec-Fetch-Site": "same-origin"}, 200),
        ({"Sec-Fetch-Site": "none"}, 200),
        ({"Sec-Fetch-Site": "cross-site"}, 403),
        ({"Sec-Fetch-Site": "same-site", "Origin": "http://line-3:8080"}, 403),
        ({"Origin": "http://line-3:8080"}, 200),
        ({"Origin": "https://LINE-3:8080"}, 200),
        ({"Origin": "http://line-3:8081"}, 403),
        ({"Origin": "http://evil.example"}, 403),
        ({"Origin": "http://["}, 403),
        ({"Origin": "null"}, 403),
    ],
)
def test_other_sites_change_nothing(station, headers, status):
    there = station(hosts=["line-3"])
    headers = {"Host": "line-3:8080", **headers}
    assert there.request("POST", "/echo", b"x", headers)[0] == status
    assert there.request("DELETE", "/echo", None, headers)[0] == status
    assert there.request("GET", "/echo", None, headers)[0] == 200


def test_who_is_not_admitted_sends_no_photograph(station):
    def admit(scope):
        known = (b"authorization", b"Bearer right") in scope["headers"]
        return None if known else RefusedError(401, "no token: send one", [("WWW-Authenticate", "Bearer")])

    there = station(admit=admit)
    status, headers, body = there.request("POST", "/echo", bytes(KIB * KIB))
    assert (status, headers["www-authenticate"], json.loads(body)) == (401, "Bearer", {"error": "no token: send one"})
    assert there.request("POST", "/echo", b"x", {"Authorization": "Bearer right"})[0] == 200
    assert there.application.served == ["/echo"]


def test_events_are_without_end(station):
    there = station(header_seconds=0.3, body_seconds=0.3, unread_seconds=0.3, turn_seconds=0.3, idle_seconds=1)
    connection = http.client.HTTPConnection("127.0.0.1", there.server.port, timeout=10)
    with contextlib.closing(connection):
        connection.request("GET", "/events")
        answer = connection.getresponse()
        assert [answer.readline() for _ in range(60)] == 30 * [b"data: 1\n", b"\n"]


def test_a_bug_is_told_and_the_client_hears_of_it(station):
    there = station()
    status, headers, body = there.request("GET", "/broken")
    assert (status, json.loads(body)) == (500, {"error": "the station failed on this request: see its log"})
    assert headers.items() >= HEADERS.items()
    with pytest.raises(http.client.IncompleteRead):
        there.request("GET", "/half")
    assert [type(error) for error in there.errors] == [ZeroDivisionError] * 2
    assert there.request("GET", "/echo")[0] == 200


def test_a_body_that_stops_gives_its_turn_to_one_that_waits(station, said):
    there = station(bodies_at_once=1)
    with there.connect() as client:
        client.sendall(b"POST /echo HTTP/1.1\r\nHost: localhost\r\nContent-Length: 99999\r\n\r\n" + bytes(70_000))
        time.sleep(0.2)
        assert there.request("POST", "/echo", bytes(100 * KIB))[0] == 200
        answer = client.recv(4096)
    assert answer.startswith(b"HTTP/1.1 408 ")
    assert "stopped while others waited" in said(answer)
