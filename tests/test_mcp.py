"""The model as an MCP tool, asked by a real MCP client."""

import base64
import json

from conftest import HTTP, run_async
from drawing import draw
from making import encode
from mcp import ClientSession
from mcp.client.streamable_http import streamable_http_client
from mcp.types import CallToolResult, Tool

from web.texts import LANGUAGES


def ask(url: str, **arguments: str) -> tuple[list[Tool], CallToolResult]:
    """List the tools and call the first one."""

    async def talk():
        async with (
            streamable_http_client(f"{url}/gradio_api/mcp/") as (receive, send, _),
            ClientSession(receive, send) as session,
        ):
            await session.initialize()
            tools = (await session.list_tools()).tools
            return tools, await session.call_tool(tools[0].name, arguments)

    return run_async(talk)


def data_url(data: bytes) -> str:
    return "data:image/png;base64," + base64.b64encode(data).decode()


def test_an_agent_gets_the_same_answer(server):
    photo = encode(draw("Potato___Late_blight", seed=99))
    tools, result = ask(server.url, photo=data_url(photo), language="es")
    assert [tool.name for tool in tools] == ["predict"]
    assert "photo" in tools[0].inputSchema["required"]
    *codes, last = LANGUAGES
    said = tools[0].inputSchema["properties"]["language"]["description"]
    assert said == f"of the advice: {', '.join(codes)} or {last}"
    assert not result.isError
    rest = server.predict(photo).json()
    answer = json.loads(result.content[0].text)
    assert (answer["class"], answer["confidence"]) == (rest["class"], rest["confidence"])
    assert "Cómo se propaga" in [part["title"] for part in answer["what_to_do"]["parts"]]


def test_an_agent_is_told_what_is_wrong(server):
    _, result = ask(server.url, photo=data_url(b"text"))
    assert result.isError
    assert result.content[0].text.startswith("This is not a picture we can read; please send one of JPEG")


def test_a_photo_that_an_agent_names_otherwise_is_not_repeated_to_it(server):
    not_base64 = [f"data:image/png;base64,{odd}" for odd in ("", "xx", "abcde", "é")]
    otherwise = [data_url(bytes(1_000)).split(",")[1], " " + data_url(b"text"), {"url": data_url(b"text")}]
    for photo in otherwise + not_base64:
        _, result = ask(server.url, photo=photo)
        assert result.isError
        assert [part.text for part in result.content] == [
            "Give the photo as its http(s) address, or as a data URL: data:image/jpeg;base64,..."
        ]


def test_how_large_a_photo_an_agent_may_send(server):
    photo = encode(draw("Potato___Late_blight", seed=99))
    large = photo + bytes(2_900_000)
    _, result = ask(server.url, photo=data_url(large))
    assert json.loads(result.content[0].text)["class"] == server.predict(photo).json()["class"]
    refused = HTTP.post(f"{server.url}/gradio_api/mcp/", json={"photo": data_url(large + bytes(200_000))})
    assert (refused.status_code, refused.json()) == (
        413,
        {"detail": "The call has more than 4 MB; give a photo of more than 3 MB as its http(s) address."},
    )
