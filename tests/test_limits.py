"""Uploads that are too slow or too many together, and clients that ask too often."""

import asyncio
import contextlib
import resource
import select
import shlex
import socket
import subprocess
import sys
import time
from collections.abc import Iterator

import httpx2
import pytest
from conftest import HTTP, ROOT, run, run_async, serve
from connecting import HEAD, answer_to_the_end, begun, connected, listening
from fastapi import FastAPI
from fastapi.responses import StreamingResponse
from making import JPEG

import app
from model.serving import Serving
from web.environment import networks, origins, whole_number
from web.server import connections, limits
from web.server.connections import Connection, listen


@pytest.fixture
def impatient(tiny, monkeypatch) -> Iterator[str]:
    """The API with a single place, and little patience with uploads."""
    monkeypatch.setattr(app, "MAX_AT_ONCE", 1)
    api = app.create_api(Serving(str(tiny)))
    api.add_middleware(limits.LimitUploads, megabytes=1, batch=1, patience=0.5)
    with listening(api) as url:
        yield url


def predict(url: str, **more: object) -> httpx2.Response:
    return HTTP.post(f"{url}/predict", files={"file": ("leaf.jpg", JPEG)}, **more)


def test_an_upload_that_stalls_is_given_up_and_holds_no_place(impatient):
    # However much came at once before: at the least speed allowed it would take longer than we wait here.
    with begun(impatient, HEAD + bytes(900_000), 1_000_000) as connection:
        assert predict(impatient).status_code == 200  # the only place is free
        answer = b""
        while not answer.endswith(b"}") and (part := connection.recv(10_000)):
            answer += part
    assert answer.startswith(b"HTTP/1.1 408 ")
    assert b"\r\nconnection: close\r\n" in answer.lower()
    assert answer.endswith(b'{"detail":"The upload took too long; please send it again."}')


def test_a_slow_upload_that_goes_on_is_answered(impatient):
    padded = JPEG + bytes(100_000)
    parts = [padded[at : at + 15_000] for at in range(0, len(padded), 15_000)]
    parts = [HEAD + parts[0], *parts[1:], b"\r\n--b--\r\n"]

    def trickle() -> Iterator[bytes]:
        for part in parts:
            yield part
            time.sleep(0.1)  # together longer than the patience with an upload that stalls

    form = {"Content-Type": "multipart/form-data; boundary=b"}
    answer = HTTP.post(f"{impatient}/predict", content=trickle(), headers=form)
    assert answer.status_code == 200


def test_uploads_that_are_together_too_much_have_to_wait(impatient, monkeypatch):
    monkeypatch.setattr(limits, "MOST_BYTES", 200_000)
    answered = 200
    while answered == 200:  # the other one has not arrived yet, or came last and was refused itself
        with begun(impatient, HEAD + bytes(199_900), 300_000):
            refused = predict(impatient)
            answered = refused.status_code
    assert (answered, refused.headers["retry-after"]) == (503, "1")
    assert refused.json() == {"detail": "Too many photos at once; please try again."}
    while (answer := predict(impatient)).status_code == 503:  # until the other one's end is noticed
        pass
    assert answer.status_code == 200


def test_a_setting_is_a_whole_number_or_one_sentence(monkeypatch):
    for told, number in (("", 20), ("0", 0), (" 7 ", 7), ("65535", 65_535)):
        monkeypatch.setenv("SETTING", told)
        assert whole_number("SETTING", 20, most=65_535) == number
    for told in ("0.5", "many", "-1", "65536", "٣"):
        monkeypatch.setenv("SETTING", told)
        with pytest.raises(SystemExit, match=r"^app.py: SETTING must be a whole number, from 0 to 65535\.$"):
            whole_number("SETTING", 20, most=65_535)
    monkeypatch.setenv("SETTING", "0")
    with pytest.raises(SystemExit, match="from 1 to 1000000"):
        whole_number("SETTING", 20, least=1)


def test_sites_are_named_as_browsers_name_them_or_it_ends_in_one_sentence(monkeypatch):
    for told, sites in (
        ("", []),
        ("*", ["*"]),
        ("null, HTTPS://Farm.example/,", ["null", "https://farm.example"]),
        ("https://a.example:443,http://a.example:80", ["https://a.example", "http://a.example"]),
        ("https://a.example:80,http://a.example:443", ["https://a.example:80", "http://a.example:443"]),
    ):
        monkeypatch.setenv("SETTING", told)
        assert origins("SETTING") == sites
    for told in ("farm.example", "https://farm.example/page", "*, https://", "https://*.farm.example"):
        monkeypatch.setenv("SETTING", told)
        with pytest.raises(SystemExit, match=r"^app.py: SETTING names sites like https://farm.example, "):
            origins("SETTING")


def test_proxies_are_addresses_or_networks_or_it_ends_in_one_sentence(monkeypatch):
    for told in ("", "*", "127.0.0.1", "10.0.0.0/8,fc00::/7"):
        monkeypatch.setenv("SETTING", f" {told.replace(',', ' , ')},")
        assert networks("SETTING") == told
    for told in ("bananas", "10.0.0.0/99", "10.0.0.1, bananas", "*, 10.0.0.1"):
        monkeypatch.setenv("SETTING", told)
        with pytest.raises(
            SystemExit, match=r"^app.py: SETTING names addresses or networks, like 10.0.0.0/8; "
        ):
            networks("SETTING")


def test_a_name_that_is_no_address_is_one_sentence():
    for host in ("ü..x", "no such host", "\udcff"):
        with pytest.raises(SystemExit, match=r", port 1, can't be used \(.+\); choose others with "):
            connections.listen(host, 1)


def test_a_client_that_asks_too_often_has_to_wait(space):
    assert [predict(space.url).status_code for _ in range(3)] == [200] * 3
    refused = predict(space.url)
    wait = refused.headers["retry-after"]
    assert (refused.status_code, refused.json()) == (
        429,
        {"detail": f"Too many requests in a minute; please wait {wait} s and try again."},
    )
    assert 1 <= int(wait) <= 20
    assert HTTP.get(f"{space.url}/ping").status_code == 200  # looking costs nothing


def waiting(url: str, length: int, kind: str = "multipart/form-data; boundary=b") -> bytes:
    """Wait to be told to send an upload; return the answer, once the connection is closed."""
    head = f"POST /predict HTTP/1.1\r\nHost: x\r\nContent-Type: {kind}\r\nContent-Length: {length}\r\n"
    with connected(url) as connection:
        connection.sendall(f"{head}Expect: 100-continue\r\n\r\n".encode())
        return answer_to_the_end(connection)


def test_who_waits_to_send_what_is_not_wanted_is_told_so_and_hung_up_on(server, space):
    while predict(space.url).status_code == 200:
        pass
    for answer, status in (
        (waiting(server.url, 30_000_000), b"413"),
        (waiting(server.url, 1_000, "image/jpeg"), b"422"),
        (waiting(space.url, 1_000), b"429"),
    ):
        assert answer.startswith(b"HTTP/1.1 " + status)
        assert b"\r\nconnection: close\r\n" in answer.lower()


@pytest.mark.parametrize(
    ("client", "neighbour", "stranger"),
    [
        ("198.51.100.7", "198.51.100.7", "198.51.100.8"),
        ("2001:db8::1", "2001:db8::2", "2001:db8:0:1::1"),  # one client has 2^64 of these
        ("::ffff:198.51.100.9", "198.51.100.9", "::ffff:198.51.100.10"),
    ],
)
def test_clients_are_told_apart_behind_the_proxies_of_a_space(space, client, neighbour, stranger):
    def statuses(said: str, times: int) -> list[int]:
        # What a client claims itself stands further left.
        return [predict(space.url, headers={"X-Forwarded-For": said}).status_code for _ in range(times)]

    assert statuses(f"203.0.113.5, {client}, 10.16.3.80", 3) == [200] * 3
    assert statuses(f"{stranger}, {neighbour}", 1) == [429]
    assert statuses(stranger, 1) == [200]


@pytest.mark.skipif(not socket.has_dualstack_ipv6(), reason="this machine can't listen to both at once")
def test_a_proxy_is_trusted_as_well_where_the_app_listens_to_both_kinds_of_addresses(tiny):
    with serve(MODEL_REPO=tiny, GRADIO_SERVER_NAME="::", MAX_PER_MINUTE=1) as server:
        clients = ("198.51.100.7", "198.51.100.8", "198.51.100.7")
        told = [predict(server.url, headers={"X-Forwarded-For": client}).status_code for client in clients]
        # Off a Space, only this machine's own address is a proxy's.
        with httpx2.Client(transport=httpx2.HTTPTransport(local_address="127.0.0.2"), timeout=60) as other:
            sent = [
                other.post(
                    f"{server.url}/predict", files={"file": JPEG}, headers={"X-Forwarded-For": client}
                ).status_code
                for client in ("198.51.100.9", "198.51.100.10")
            ]
    assert (told, sent) == ([200, 200, 429], [200, 429])


def test_what_is_remembered_of_clients_is_limited():
    limit = limits.LimitRate(app=None, per_minute=2)
    assert [limit.seconds_to_wait("a", 0) for _ in range(3)] == [0, 0, 30]
    assert limit.seconds_to_wait("a", 30) == 0
    for i in range(limits.CLIENTS + 50):
        limit.seconds_to_wait(str(i), 31)
    assert len(limit.buckets) == limits.CLIENTS
    assert "a" not in limit.buckets


class Hasty(Connection):
    """Gives a client little time to ask."""

    patience = 1


@pytest.fixture(scope="module")
def hasty() -> Iterator[str]:
    api = FastAPI()
    api.get("/ping")(lambda: "pong")

    @api.get("/stream")
    def stream() -> StreamingResponse:
        def slowly() -> Iterator[str]:
            for _ in range(5):
                time.sleep(0.4)
                yield "on "

        return StreamingResponse(slowly())

    with listening(api, Hasty) as url:
        yield url


ASKED = b"GET /ping HTTP/1.1\r\nHost: x\r\n\r\n"


@pytest.mark.parametrize("said", [b"", ASKED[:-2], ASKED + ASKED[:-2]])
def test_a_connection_that_says_nothing_or_not_all_is_closed(hasty, said):
    with connected(hasty) as connection:
        connection.sendall(said)
        answer = answer_to_the_end(connection)
    assert answer.count(b"HTTP/1.1 200 ") == said.count(ASKED)


@pytest.mark.parametrize("size", [connections.HEAD, 2_000])
def test_a_head_that_does_not_end_is_refused(hasty, size):
    with connected(hasty) as connection, contextlib.suppress(ConnectionError):
        connection.sendall(ASKED[:-2] + b"X: ")
        answered = []
        while not answered:
            connection.sendall(b"x" * size)
            answered, _, _ = select.select([connection], [], [], 0.005)
        assert connections.TOO_MUCH_TO_SAY.encode() in connection.recv(1000)


def test_answers_leave_at_once():
    async def accepted() -> int:
        came = asyncio.get_running_loop().create_future()
        server = await asyncio.start_server(
            lambda _, writer: came.set_result(writer.get_extra_info("socket")), sock=listen("127.0.0.1", 0)
        )
        _, writer = await asyncio.open_connection(*server.sockets[0].getsockname())
        no_delay = (await came).getsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY)
        writer.close()
        server.close()
        return no_delay

    assert run_async(accepted)


def test_a_client_that_could_do_http_2_is_answered_all_the_same(impatient):
    # As Java's own client asks, each time.
    upgrade = {"Connection": "Upgrade, HTTP2-Settings", "Upgrade": "h2c", "HTTP2-Settings": "AAEAAEAA"}
    assert predict(impatient, headers=upgrade).status_code == 200


def test_the_end_of_a_body_is_no_part_of_the_next_head(hasty):
    body = bytes(2 * connections.HEAD)
    post = b"POST /ping HTTP/1.1\r\nHost: x\r\nContent-Length: %d\r\n\r\n" % len(body)
    with connected(hasty) as connection:
        connection.sendall(post + body + ASKED[:-2])
        connection.sendall(ASKED[-2:])
        answer = answer_to_the_end(connection)
    assert (answer.count(b"HTTP/1.1 405 "), answer.count(b"pong")) == (1, 1)


def test_requests_may_be_sent_before_the_answer_and_take_longer(hasty):
    streams = b"GET /stream HTTP/1.1\r\nHost: x\r\n\r\n"
    with connected(hasty) as connection:
        connection.sendall(streams + streams + ASKED)
        answer = answer_to_the_end(connection)
    assert (answer.count(b"HTTP/1.1 200 "), answer.count(b"on "), answer.count(b"pong")) == (3, 10, 1)


def test_a_client_that_asks_a_byte_at_a_time_is_given_up(hasty):
    started = time.monotonic()
    with connected(hasty) as connection, contextlib.suppress(ConnectionError):
        while time.monotonic() < started + 20:
            connection.sendall(b"x")
            time.sleep(0.02)
    assert time.monotonic() < started + 20


def test_an_answer_may_take_longer_and_the_next_request_is_answered(hasty):
    with httpx2.Client(base_url=hasty) as client:
        for _ in range(2):
            assert client.get("/stream").text == "on " * 5
            assert client.get("/ping").json() == "pong"


def test_too_many_connections_are_told(monkeypatch):
    api = FastAPI()
    api.get("/ping")(lambda: "pong")
    monkeypatch.setattr(connections, "MOST", 2)
    with (
        listening(api) as url,
        httpx2.Client(base_url=url, limits=httpx2.Limits(max_connections=1)) as client,
    ):
        with connected(url), connected(url):
            while (refused := client.get("/ping", headers={"Connection": "close"})).status_code == 200:
                pass  # they are not all seen yet
            assert (refused.status_code, refused.headers["retry-after"]) == (503, "1")
            assert refused.json() == {"detail": "Too many connections at once; please try again."}
        while (answer := client.get("/ping")).status_code == 503:
            pass  # their ends are not all seen yet
        assert answer.status_code == 200


def test_more_files_may_be_open_than_a_process_is_given():
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = connections.FILES if hard == resource.RLIM_INFINITY else min(connections.FILES, hard)
    program = "import resource; from web.server.connections import allow_many_files; allow_many_files()"
    program += "; print(*resource.getrlimit(resource.RLIMIT_NOFILE))"
    few = f"ulimit -S -n 500 && exec {shlex.quote(sys.executable)} -c {shlex.quote(program)}"
    told = subprocess.run(["sh", "-c", few], cwd=ROOT, capture_output=True, text=True, check=True)
    assert [int(number) for number in told.stdout.split()] == [wanted, hard]


def test_on_a_space_a_client_may_ask_120_times_a_minute_and_elsewhere_at_will():
    program = "from web.environment import MAX_PER_MINUTE; print(MAX_PER_MINUTE)"
    told = [run("-c", program, MAX_PER_MINUTE="", **more).stdout for more in ({"SPACE_ID": "a/b"}, {})]
    assert told == ["120\n", "0\n"]


def test_an_upload_that_drips_is_given_up(impatient):
    sent = 0
    with begun(impatient, HEAD, 1_000) as connection:
        # However often something comes: at this speed it has half a second in all.
        while not (answered := select.select([connection], [], [], 0.05)[0]) and sent < 100:
            sent += connection.send(b"x")
        assert answered
        assert connection.recv(100).startswith(b"HTTP/1.1 408 ")


def test_who_was_away_for_long_may_not_ask_more_often_than_others():
    limit = limits.LimitRate(app=None, per_minute=2)
    assert [limit.seconds_to_wait("a", now) for now in (0, 0, 15)] == [0, 0, 15]
    assert [limit.seconds_to_wait("a", 10_000) for _ in range(3)] == [0, 0, 30]
