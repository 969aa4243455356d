"""Refusing what is too large while it streams in, before anything keeps it."""

import os

from fastapi import HTTPException
from starlette.responses import JSONResponse
from starlette.types import ASGIApp, Message, Receive, Scope, Send

MAX_UPLOAD_MB = int(os.environ.get("MAX_UPLOAD_MB") or 20)  # megabytes of a photo
MOST = 32  # photos at once
MEGABYTE = 1_000_000  # bytes
FORM_OVERHEAD = 100_000  # bytes a multipart form may need beside its photos
DRAIN = 4  # times the limit that we still take in, so that a client that is sending can read our answer


class LimitUploads:
    """ASGI middleware: answers 413 to a request body beyond the limit (`batch` times it for several)."""

    def __init__(self, app: ASGIApp, megabytes: int, batch: int) -> None:
        self.app, self.megabytes, self.batch = app, megabytes, batch

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            return await self.app(scope, receive, send)
        several = scope["path"].endswith(("/batch", "/upload"))  # gradio checks each upload by itself too
        megabytes = self.megabytes * (self.batch if several else 1)
        limit = megabytes * MEGABYTE + FORM_OVERHEAD
        sentence = f"The upload has more than {megabytes} MB; please send a smaller photo."
        seen = 0

        async def counted() -> Message:
            nonlocal seen
            message = await receive()
            seen += len(message.get("body", b""))
            if seen > limit:
                await drain(message)
                raise HTTPException(413, sentence)
            return message

        async def drain(message: Message) -> None:
            nonlocal seen
            while message.get("more_body") and seen < DRAIN * limit:
                message = await receive()
                seen += len(message.get("body", b""))

        declared = dict(scope["headers"]).get(b"content-length", b"0")
        if declared.isdigit() and int(declared) > limit:
            await drain({"more_body": True})
            return await JSONResponse({"detail": sentence}, 413)(scope, receive, send)
        return await self.app(scope, counted, send)
