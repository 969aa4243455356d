"""Which of gradio's routes are open: those that the page, gradio's clients and agents use; the rest is 404.

Gradio brings more than this page needs: a proxy, fetching of any address, saved sessions, a code editor,
monitoring. A route that a later gradio adds stays closed until it is listed here.
"""

import re

from starlette.responses import JSONResponse
from starlette.types import ASGIApp, Receive, Scope, Send

from web.server.refusals import other_method

LOOK = ("GET",)
OPEN = {  # route -> methods; * stands for anything
    "/": ("GET", "HEAD"),
    "/config": LOOK,
    "/gradio_api/app_id": LOOK,  # asked again and again by a page that lost the server, which waits for it
    "/assets/*": LOOK,
    "/static/*": LOOK,
    "/theme.css": LOOK,
    "/favicon.ico": LOOK,
    "/robots.txt": LOOK,
    "/manifest.json": LOOK,
    "/pwa_icon": LOOK,
    "/gradio_api/info": LOOK,
    "/gradio_api/openapi.json": LOOK,  # agents that know Spaces look here
    "/gradio_api/heartbeat/*": LOOK,
    "/gradio_api/upload": ("POST",),
    "/gradio_api/upload_progress": LOOK,
    "/gradio_api/file=*": LOOK,  # visitors' own photos, by names nobody can guess
    "/gradio_api/run/predict": ("POST",),
    "/gradio_api/call/predict": ("POST",),
    "/gradio_api/call/v2/predict": ("POST",),
    "/gradio_api/call/predict/*": LOOK,
    "/gradio_api/queue/join": ("POST",),
    "/gradio_api/queue/data": LOOK,
    "/gradio_api/cancel": ("POST",),
    "/gradio_api/reset": ("POST",),
    "/gradio_api/mcp": ("GET", "POST", "DELETE"),
    "/gradio_api/mcp/": ("GET", "POST", "DELETE"),
    "/gradio_api/mcp/schema": ("GET", "HEAD"),
}

# Here gradio itself looks whether the reader is still there. By this version of ASGI Starlette leaves that to
# it: cut short at once, gradio would leave a task behind, for ever.
STREAMS = ("/gradio_api/queue/data", "/gradio_api/call/predict/")
# Of these gradio makes addresses, and stumbles over what can't be one.
HOST = re.compile(rb"([a-z0-9._-]{1,253}|\[[0-9a-f:.]{2,45}\])(:[0-9]{1,5})?", re.IGNORECASE)


def is_sound(name: bytes, value: bytes) -> bool:
    """Tell whether gradio may see a header."""
    if name in (b"host", b"x-forwarded-host"):
        host = HOST.fullmatch(value.split(b",")[0].strip())
        return host is not None and int((host[2] or b":0")[1:]) < 65_536
    return name != b"x-gradio-server"  # which overrides both


def methods_of(path: str) -> tuple[str, ...]:
    """Return the methods that are meant to be open of a path, decoded; none if it is closed."""
    # Where gradio takes a file's path, it would fetch an address as well; control characters trip it.
    if re.search(r"://|[\x00-\x1f\x7f]", path):
        return ()
    for route, methods in OPEN.items():
        if path.startswith(route[:-1]) if route.endswith("*") else path == route:
            return methods
    return ()


class OnlyOpen:
    """ASGI middleware: answers 404 to all that is not open, and 405 to other methods.

    It hides headers that are not sound, and lets gradio itself end its STREAMS.
    """

    def __init__(self, app: ASGIApp) -> None:
        self.app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            return await self.app(scope, receive, send)
        methods = methods_of(scope["path"])
        if not methods:
            nothing = JSONResponse({"detail": "There is nothing here; see /docs."}, 404)
            return await nothing(scope, receive, send)
        if scope["method"] not in methods:
            refusal = other_method(f"Ask by {methods[0]}; see /docs.", methods)
            return await refusal(scope, receive, send)
        scope = scope | {"headers": [header for header in scope["headers"] if is_sound(*header)]}
        if scope["path"].startswith(STREAMS):
            scope["asgi"] = scope["asgi"] | {"spec_version": "2.4"}
        return await self.app(scope, receive, send)
