"""Calls that none of gradio's clients makes, answered with a sentence before gradio sees them.

Gradio would treat them as errors of its own: status 500, and a traceback in the log.
"""

import base64
import json
import re
from pathlib import Path

import gradio as gr
from gradio.blocks import BlockFunction
from gradio.components import Component
from gradio_client.utils import is_http_url_like
from starlette.exceptions import HTTPException
from starlette.responses import JSONResponse
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from web.server.limits import MCP
from web.server.refusals import NO_ADDRESS, NO_CALL, as_json
from web.texts import LANGUAGES
from web.uploads import LostError, uploaded

RUN = "/gradio_api/run/predict"  # this and the next call any function by its number
JOIN = "/gradio_api/queue/join"
CALL = "/gradio_api/call/predict"
BY_NAME = "/gradio_api/call/v2/predict"
NAMED = re.compile(r"https?://|data:[^,]*;base64,")  # a photo, as agents name it
MANY = 10_000  # values and names in a call: to read millions would take seconds


class Calls:
    """ASGI middleware: answers a call that does not fit any function of `blocks`, mostly by 400."""

    def __init__(self, app: ASGIApp, blocks: gr.Blocks) -> None:
        self.app, self.functions = app, blocks.fns
        self.predict = next(function for function in blocks.fns.values() if function.api_name == "predict")
        parameters = blocks.get_api_info()["named_endpoints"]["/predict"]["parameters"]
        self.names = [known["parameter_name"] for known in parameters]
        self.needed = {known["parameter_name"] for known in parameters if not known["parameter_has_default"]}

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        path = scope.get("path", "")
        checked = path in (RUN, JOIN, CALL, BY_NAME) or path.startswith(MCP)
        if not checked or scope["type"] != "http" or scope["method"] != "POST":
            return await self.app(scope, receive, send)
        body, messages = bytearray(), []
        try:
            while not messages or messages[-1].get("more_body"):
                messages.append(await receive())
                body += messages[-1].get("body", b"")
        except HTTPException as error:  # of LimitUploads
            return await as_json(error)(scope, receive, send)
        if refusal := self.refuse(path, bytes(body)):
            return await refusal(scope, receive, send)

        async def again() -> Message:
            return messages.pop(0) if messages else await receive()

        return await self.app(scope, again, send)

    def refuse(self, path: str, body: bytes) -> JSONResponse | None:
        """Tell what is wrong with a call, if anything."""
        try:
            if sum(map(body.count, (b",", b"[", b"{"))) > MANY:
                raise ValueError("too many values")
            sent = json.loads(body)
            if b"\\u" in body:
                json.dumps(sent, ensure_ascii=False).encode()  # a ValueError, of half a character
            if path.startswith(MCP):  # whose own protocol tells what else is wrong
                return _refuse_agent(sent)
            self._check(path, sent)
        except LostError as error:
            return JSONResponse({"detail": str(error)}, 400)
        except (ValueError, RecursionError):
            return JSONResponse({"detail": NO_CALL}, 400)
        return None

    def _check(self, path: str, sent: object) -> None:
        """Raise a ValueError unless this is a call that a function of the page can take."""
        if not isinstance(sent, dict):
            raise ValueError("no object")
        if path == BY_NAME:
            if not self.needed <= sent.keys() <= set(self.names):
                raise ValueError("other parameters")
            function, data = self.predict, [sent.get(name) for name in self.names]
        else:
            function, data = self._function(path, sent.get("fn_index")), sent.get("data")
            if not isinstance(data, list) or len(data) < len(function.inputs):
                raise ValueError("too few values")
        for component, value in zip(function.inputs, data, strict=False):
            _check_value(component, value, function is self.predict)

    def _function(self, path: str, number: object) -> BlockFunction:
        if path == CALL or (path == RUN and number is None):
            return self.predict
        function = self.functions.get(number) if isinstance(number, int) else None
        if not function or not function.fn:  # those without run in the browser
            raise ValueError("no function")
        return function


def _refuse_agent(sent: object) -> JSONResponse | None:
    """Tell an agent that its photo is none: gradio itself would repeat all of it."""
    match sent:
        case {"method": "tools/call", "id": number, "params": {"arguments": {"photo": photo}}}:
            if not (isinstance(photo, str) and _is_address(photo)):
                told = {"content": [{"type": "text", "text": NO_ADDRESS}], "isError": True}
                return JSONResponse({"jsonrpc": "2.0", "id": number, "result": told})
    return None


def _is_address(photo: str) -> bool:
    """Tell whether a string can be a photo's http(s) address, or a data URL that can be read."""
    start = NAMED.match(photo)
    try:
        return bool(start and (photo.startswith("http") or base64.b64decode(photo[start.end() :])))
    except ValueError:
        return False


def _check_value(component: Component, value: object, of_predict: bool) -> None:
    """Raise a ValueError unless a component may have this value; for `predict` languages may be any."""
    if isinstance(component, gr.Dropdown):
        known = isinstance(value, str) and value in LANGUAGES
        if not known and not (of_predict and isinstance(value, str | None)):
            raise ValueError("no language")
    if component.data_model and value is None and of_predict:
        raise ValueError("no photo")
    if component.data_model and value is not None:
        component.data_model.model_validate(value, context={"validate_meta": True})
        for file in value if isinstance(value, list) else [value]:
            if not (path := file.get("path")):
                raise ValueError("no upload")
            # Only programs name addresses: the page uploads, and gradio fetches many one after the other.
            if not (of_predict and is_http_url_like(path)):
                # Of several, those still there are answered.
                uploaded(file, Path(component.GRADIO_CACHE), there=not isinstance(value, list))
