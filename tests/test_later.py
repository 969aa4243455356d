"""The page comes up behind the API, and a page that can't come up leaves the API alone."""

import threading

import pytest
from fastapi import FastAPI
from fastapi.testclient import TestClient

from web.server.later import Later


def behind(build) -> FastAPI:
    api, later = FastAPI(), Later(build)

    @api.get("/ping")
    async def ping() -> str:
        return "pong"

    api.mount("/", later)
    api.router.lifespan_context = later.lifespan
    return api


def test_the_api_answers_before_the_page_is_there():
    go, ended = threading.Event(), []

    def build() -> FastAPI:
        go.wait(10)
        page = FastAPI(on_shutdown=[lambda: ended.append(True)])
        page.get("/")(lambda: "the page")
        return page

    with TestClient(behind(build)) as client:
        assert client.get("/ping").json() == "pong"
        go.set()
        assert client.get("/").json() == "the page"
        assert not ended
    assert ended


def test_a_page_that_fails_leaves_the_api_alone():
    def build() -> FastAPI:
        raise LookupError("no drawing")

    with TestClient(behind(build)) as client:
        with pytest.raises(LookupError, match="no drawing"):
            client.get("/")
        assert client.get("/ping").json() == "pong"
