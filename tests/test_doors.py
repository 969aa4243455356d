"""What can be reached from outside: the routes that are meant to be, and no file but one's own photo."""

import http.client
import re
from collections.abc import Iterator
from urllib.parse import quote, urlsplit

import httpx2
import pytest
from conftest import HTTP, ROOT, Server
from making import JPEG
from starlette.routing import BaseRoute

import app
from model.serving import Serving
from web.server import doors

REST = {
    ("GET", "/ping"),
    ("GET", "/health"),
    ("POST", "/predict"),
    ("POST", "/predict/batch"),
    ("GET", "/docs"),
    ("GET", "/docs/oauth2-redirect"),
    ("GET", "/redoc"),
    ("GET", "/openapi.json"),
}


def routes(listed: list[BaseRoute], before: str = "") -> Iterator[tuple[str, str]]:
    """Yield (method, path) of all routes, also of what is mounted or included."""
    for route in listed:
        if included := getattr(route, "original_router", None):
            yield from routes(included.routes, before)
        elif methods := getattr(route, "methods", None):
            yield from ((method, before + route.path) for method in methods)
        elif below := getattr(route, "routes", None):
            yield from routes(below, before + route.path)
        else:
            yield "GET", f"{before}{route.path}/"  # a file server, or an app of its own


@pytest.fixture(scope="module")
def serving(tiny) -> Serving:
    return Serving(str(tiny))


@pytest.fixture(scope="module")
def of_gradio(serving) -> set[tuple[str, str]]:
    """All that gradio would answer, with something in place of each parameter."""
    page = app.create_page(serving, app.photos_folder())
    return {(method, re.sub(r"\{[^}]*\}", "x", path)) for method, path in routes(page.routes)}


def test_the_rest_api_has_these_routes_and_no_other(serving):
    api = app.create_api(serving)
    found = {route for route in routes(api.routes) if route[0] != "HEAD"}
    told = {("GET", f"{path}/") for _, path in REST}  # of other methods
    assert {route for route in found if "static-offline-docs" not in route[1]} == REST | told


def test_gradio_s_other_routes_are_closed(server, of_gradio):
    closed = {(method, path) for method, path in of_gradio if method not in doors.methods_of(path)}
    for gone in ("proxy=x", "file/x", "deep_link", "component_server", "vibe-edit", "dev/reload"):
        assert any(path == f"/gradio_api/{gone}" for _, path in closed), gone
    with httpx2.Client(base_url=server.url, timeout=60) as client:
        for method, path in closed:
            if path == "/openapi.json":  # the REST API's own comes first
                continue
            status = 405 if doors.methods_of(path) else 404
            assert client.request(method, path).status_code == status, (method, path)


def test_every_open_route_is_one_that_gradio_has(of_gradio):
    known = {path.rstrip("/") for _, path in of_gradio}
    for route in doors.OPEN:
        example = (
            "/gradio_api/file=x" if "file=" in route else route.replace("*", "x").replace("predict", "x")
        )
        assert example.rstrip("/") in known, route


def raw(server: Server, path: str, method: str = "GET") -> tuple[int, bytes]:
    """Ask for a path exactly as it is written."""
    connection = http.client.HTTPConnection(urlsplit(server.url).netloc, timeout=60)
    connection.putrequest(method, path, skip_accept_encoding=True)
    connection.endheaders()
    answer = connection.getresponse()
    return answer.status, answer.read()


@pytest.fixture
def own_photo(server) -> str:
    """Where gradio keeps a photo that was uploaded."""
    sent = HTTP.post(f"{server.url}/gradio_api/upload", files={"files": ("leaf.jpg", JPEG)})
    return sent.json()[0]


def test_no_file_is_readable_but_an_uploaded_photo(server, tiny, own_photo):
    assert raw(server, f"/gradio_api/file={own_photo}") == (200, JPEG)
    folder = own_photo.rsplit("/", 2)[0]
    wanted = (
        "/etc/passwd",
        "/proc/self/environ",
        f"{ROOT}/app.py",
        f"{ROOT}/README.md",
        f"{tiny}/bundle.json",
    )
    for file in wanted:
        for path in (
            file,
            file[1:],
            f"/{file}",
            quote(file, safe=""),
            quote(quote(file, safe=""), safe=""),
            f"{folder}/..{'/..' * 9}{file}",
            f"{folder}/%2e%2e{'/%2e%2e' * 9}{file}",
            f"{folder}/..%2f{'..%2f' * 9}{file[1:]}",
            f"{own_photo}/../..{'/..' * 9}{file}",
            f"{folder}/{file}",
            f"{folder}/%00{file}",
            f"file://{file}",
        ):
            for prefix in ("/gradio_api/file=", "/gradio_api/file/", "/file=", "/static/", "/assets/", "/"):
                status, body = raw(server, prefix + path)
                assert status in (307, 400, 403, 404), prefix + path
                assert b"root:" not in body
                assert b"PATH=" not in body
                assert b"format_version" not in body
                assert b"Blightcheck" not in body
    assert raw(server, f"/gradio_api/file={folder}")[0] == 403
    assert raw(server, f"/gradio_api/file={folder}/")[0] == 403


def test_it_fetches_and_passes_on_no_address(server):
    for address in (f"{server.url}/ping", "https://huggingface.co", "http://169.254.169.254/latest"):
        for route in ("file=", "proxy=", "file/"):
            assert raw(server, f"/gradio_api/{route}{address}")[0] == 404


@pytest.mark.parametrize(
    "header",
    [
        *({"X-Forwarded-Host": host} for host in ("[::1", "a:x", "a:99999", "a" * 5_000, "a/b", "")),
        {"X-Gradio-Server": "http://evil.example"},
    ],
)
def test_the_page_believes_no_address_that_is_none(server, header):
    shown = HTTP.get(f"{server.url}/config", headers=header)
    assert shown.json()["root"] == server.url
    shown = HTTP.get(f"{server.url}/config", headers={"X-Forwarded-Host": "page.example, proxy"})
    assert shown.json()["root"] == "http://page.example"


def test_a_link_names_no_saved_session_of_somebody_else(server, own_photo):
    folder = own_photo.rsplit("/", 2)[1]
    page = HTTP.get(f"{server.url}/?deep_link=../{folder}")
    assert '"deep_link_state":"invalid"' in page.text.replace(" ", "")


def test_only_the_sites_allowed_may_call_gradio(server):
    asked = {"Origin": "http://evil.example", "Host": "page.example", "Access-Control-Request-Method": "POST"}
    for method, path in (("OPTIONS", "run/predict"), ("GET", "info")):
        answer = HTTP.request(method, f"{server.url}/gradio_api/{path}", headers=asked)
        assert "access-control-allow-origin" not in answer.headers
        assert "access-control-allow-credentials" not in answer.headers


def test_a_page_that_lost_the_server_may_ask_whether_it_is_back(server):
    assert HTTP.get(f"{server.url}/gradio_api/app_id").json().keys() == {"app_id"}
