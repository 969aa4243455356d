"""Response headers: what browsers may load, who may show the page in a frame, and what to cache."""

from starlette.datastructures import MutableHeaders
from starlette.types import ASGIApp, Message, Receive, Scope, Send

# gradio runs scripts that stand in the page or are made of texts; they reach no other host. Blobs and data
# URLs are the photos, drawings and downloads. The Hub shows a Space in a frame.
POLICY = "; ".join(
    (
        "default-src 'self' blob: data:",
        "script-src 'self' 'unsafe-inline' 'unsafe-eval' blob:",
        "style-src 'self' 'unsafe-inline'",
        "object-src 'none'",
        "base-uri 'self'",
        "form-action 'self'",
        "frame-ancestors 'self' https://huggingface.co",
    )
)
HEADERS = {
    "content-security-policy": POLICY,
    "x-content-type-options": "nosniff",
    "referrer-policy": "same-origin",
}
# The names of gradio's scripts and styles tell what is in them: a later visit need not ask for these 290 KB.
ASSETS = "/assets/"
KEEP = {"cache-control": "public, max-age=31536000, immutable"}


class BrowserHeaders:
    """ASGI middleware: adds HEADERS to every answer, and KEEP to those of ASSETS."""

    def __init__(self, app: ASGIApp) -> None:
        self.app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        async def with_headers(message: Message) -> None:
            if message["type"] == "http.response.start":
                asset = message["status"] == 200 and scope["path"].startswith(ASSETS)
                MutableHeaders(scope=message).update(HEADERS | (KEEP if asset else {}))
            await send(message)

        await self.app(scope, receive, with_headers if scope["type"] == "http" else send)
