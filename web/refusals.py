"""Errors of others' code, told as our own: one sentence of JSON, and a status that says whose fault it is."""

from fastapi import Request
from fastapi.exception_handlers import http_exception_handler
from fastapi.responses import JSONResponse
from starlette.exceptions import HTTPException
from starlette.responses import Response

from model import disk

NO_ROOM = "The server can't keep the photo, as its disk is full or closed; please try again later."


async def explain_form(request: Request, error: HTTPException) -> Response:
    """Tell that a form could not be kept, where FastAPI says that it could not be read."""
    if disk.trouble(error.__cause__):
        return JSONResponse({"detail": NO_ROOM}, 507)
    return await http_exception_handler(request, error)


async def explain_disk(_: Request, error: OSError) -> Response:
    """Tell that an upload to gradio could not be kept."""
    if not disk.trouble(error):
        raise error
    return JSONResponse({"detail": NO_ROOM}, 507)
