"""The model as an MCP tool, asked by a real MCP client."""

import base64
import json

from conftest import run_async
from drawing import draw
from mcp import ClientSession
from mcp.client.streamable_http import streamable_http_client
from mcp.types import CallToolResult, Tool
from test_photo import encode


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
    assert not result.isError
    rest = server.predict(photo).json()
    answer = json.loads(result.content[0].text)
    assert (answer["class"], answer["confidence"]) == (rest["class"], rest["confidence"])
    assert "Cómo se propaga" in [part["title"] for part in answer["what_to_do"]["parts"]]


def test_an_agent_is_told_what_is_wrong(server):
    _, result = ask(server.url, photo=data_url(b"text"))
    assert result.isError
    assert "This is not a picture we can read; please send one of JPEG" in result.content[0].text
