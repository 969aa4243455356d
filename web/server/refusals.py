"""Errors of the libraries, answered like our own: one sentence of JSON, and the right status."""

from collections.abc import Sequence

from fastapi import Request
from fastapi.exception_handlers import http_exception_handler
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse
from python_multipart.exceptions import FormParserError
from starlette.exceptions import HTTPException
from starlette.requests import ClientDisconnect
from starlette.responses import Response
from starlette.routing import Route

from model import disk
from model.photo import PhotoError

NO_CALL = (
    "The call fits no function of the page: a photo is a file uploaded before (handle_file in gradio's "
    "Python client), or its http(s) address as path; see /gradio_api/info."
)
NO_ADDRESS = "Give the photo as its http(s) address, or as a data URL: data:image/jpeg;base64,..."
NO_FILE = (
    "Send the photo as a file of multipart form data, with a file name, in the field {field} (curl -F "
    "{field}=@leaf.jpg)."
)
TOO_MANY = "The form has too many parts; send only photos, in the field {field}."
NO_FORM = NO_FILE.format(field="files")
FIELD = {"/predict": "file", "/predict/batch": "files"}
COMPRESSED = "Send the form as it is, without Content-Encoding."
NOT_WHOLE = "The form can't be read; please send the photo again, as multipart form data."
NO_ROOM = "The server can't keep the photo, as its disk is full or closed; please try again later."


def as_json(error: HTTPException) -> JSONResponse:
    """Return the answer that tells an error, for where no handler of FastAPI's does."""
    return JSONResponse({"detail": error.detail}, error.status_code, error.headers)


def other_method(sentence: str, allowed: Sequence[str]) -> JSONResponse:
    """Return the answer to a method that is not allowed."""
    return JSONResponse({"detail": sentence}, 405, {"Allow": ", ".join(allowed)})


# For whoever opens the address in a browser, for example.
ONLY_POST = other_method("Send photos by POST, as multipart form data; see /docs.", ("POST",))
ONLY_GET = other_method("Ask by GET; see /docs.", ("GET", "HEAD"))
DOCS = ("/docs", "/docs/oauth2-redirect", "/redoc", "/openapi.json")
OTHER_METHODS = [
    *(Route(path, ONLY_POST) for path in FIELD),
    *(Route(path, ONLY_GET) for path in ("/ping", "/health", *DOCS)),
]


async def explain_form(request: Request, error: HTTPException) -> Response:
    """Tell why a form could not be read, where its reader has words of its own, or the disk is full."""
    if disk.trouble(error.__cause__):
        return JSONResponse({"detail": NO_ROOM}, 507)
    if error.status_code != 400 or isinstance(error.__cause__, PhotoError):
        return await http_exception_handler(request, error)
    field = "files" if request.url.path.endswith("/batch") else "file"
    if str(error.detail).startswith("Too many"):  # files, or other fields
        return JSONResponse({"detail": TOO_MANY.format(field=field)}, 413)
    if str(error.detail).startswith("Part exceeded"):  # a megabyte of text, such as a photo in base64
        return JSONResponse({"detail": NO_FILE.format(field=field)}, 422)
    if "content-encoding" in request.headers:
        return JSONResponse({"detail": COMPRESSED}, 415)
    return JSONResponse({"detail": NOT_WHOLE}, 400)


async def explain_disk(_: Request, error: OSError) -> Response:
    """Tell that an upload to gradio could not be kept."""
    if not disk.trouble(error):
        raise error
    return JSONResponse({"detail": NO_ROOM}, 507)


async def explain_call(_: Request, error: RequestValidationError) -> Response:
    """Tell that a call of gradio's has the wrong form."""
    return JSONResponse({"detail": NO_CALL}, 400)


async def explain_upload(request: Request, error: Exception) -> Response:
    """Tell that a form is none, where gradio's reader of forms stumbles."""
    if not request.url.path.endswith("/upload"):
        raise error
    return JSONResponse({"detail": NO_FORM}, 400)


async def nobody_there(_: Request, error: ClientDisconnect) -> Response:
    """End an upload that broke off, as phones' do; nobody reads the answer."""
    return Response(status_code=400)


async def explain_field(_: Request, error: RequestValidationError) -> Response:
    """Tell which field of a request to the REST API is wrong."""
    first = error.errors()[0]
    field = str(first["loc"][1])
    if field in FIELD.values():
        return JSONResponse({"detail": NO_FILE.format(field=field)}, 422)
    return JSONResponse({"detail": f"The parameter {field} is either true or false."}, 422)  # as all are


OF_API = {HTTPException: explain_form, RequestValidationError: explain_field}
OF_GRADIO = {
    ClientDisconnect: nobody_there,
    OSError: explain_disk,
    RequestValidationError: explain_call,
    FormParserError: explain_upload,
    AttributeError: explain_upload,  # over a field of text,
    TypeError: explain_upload,  # and over an empty one
    UnicodeError: explain_upload,  # and over a name with half a character
}
