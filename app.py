"""The page and the REST API over one model.

    python app.py                               the default model, on http://127.0.0.1:7860
    MODEL_REPO=someone/leaf python app.py       a model from the Hugging Face Hub (or a local folder)

Settings are environment variables: MODEL_REPO, MODEL_REFRESH_MINUTES, HF_TOKEN, HF_ENDPOINT,
GRADIO_SERVER_NAME, GRADIO_SERVER_PORT, MAX_UPLOAD_MB, MAX_PER_MINUTE, FORWARDED_ALLOW_IPS, ALLOWED_ORIGINS,
FEEDBACK_REPO.
"""

import argparse
import contextlib
import logging
import os
import signal
import sys
import tempfile
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

os.environ.setdefault("GRADIO_ANALYTICS_ENABLED", "False")  # nothing is sent anywhere

import uvicorn
from anyio import to_thread
from fastapi import FastAPI, HTTPException, Request, UploadFile
from fastapi.middleware.cors import CORSMiddleware
from fastapi.middleware.gzip import GZipMiddleware
from fastapi.responses import JSONResponse
from fastapi_offline import FastAPIOffline

from model import bundle, disk, hub, photo
from model.answers import one_as_json, together_as_json
from model.classifier import Classifier, Diagnosis
from model.feedback import Feedback
from model.plant import joint_answer
from model.serving import Serving
from web import environment, pictures
from web.environment import MAX_PER_MINUTE, MAX_PHOTOS, MAX_UPLOAD_MB, MEGABYTE
from web.server import refusals
from web.server.answering import Answering
from web.server.connections import Connection, allow_many_files, listen
from web.server.headers import BrowserHeaders
from web.server.later import Later
from web.server.limits import CloseUnread, LimitRate, LimitUploads
from web.server.memory import use_little_memory
from web.server.schema import Answer, Batch, Health, OnePhoto, SeveralPhotos, WithHeatmap, responses
from web.server.startup import quick_start

GRACE = 3  # seconds to finish what is in hand when stopped
# Networks of the proxies in front of a Space, which name the client they forward for (X-Forwarded-For).
SPACE_PROXIES = "127.0.0.0/8,10.0.0.0/8,172.16.0.0/12,192.168.0.0/16,fc00::/7"
IDLE = 0.02  # seconds between gradio's looks for work; its own 0.001 would keep a core 6 % busy for nothing
SESSIONS = 800  # whose last answers gradio keeps, up to 300 KB each; its own 10,000 would take gigabytes
MAX_AT_ONCE = 64  # requests in progress or waiting; others are told at once that we are too busy

# HTTP status for a photo that can't be answered; 400 if it is not listed.
STATUS = {
    photo.UnreadTypeError: 415,
    photo.TooLargeError: 413,
    photo.TooLongError: 413,
    photo.OverloadedError: 413,
}


def create_api(serving: Serving) -> FastAPI:
    """Build the REST API, documented at /docs."""
    api = FastAPIOffline(
        title="Blightcheck",
        summary="Early blight, late blight or healthy? A potato leaf checker.",
        version="1",
        exception_handlers=refusals.OF_API,
    )
    for route in api.routes:
        if route.path in refusals.DOCS:
            route.methods.add("HEAD")
    started = time.monotonic()
    answering = Answering(MAX_AT_ONCE)

    def answer(
        classifier: Classifier, upload: UploadFile, with_heatmap: bool = False
    ) -> tuple[Diagnosis, dict]:
        if upload.size > MAX_UPLOAD_MB * MEGABYTE:
            raise HTTPException(
                413, f"The photo has more than {MAX_UPLOAD_MB} MB; please send a smaller one."
            )
        data = upload.file.read()
        try:
            diagnosis = classifier.diagnose(data, with_heatmap)
            answered = one_as_json(diagnosis)
            if with_heatmap:
                has_heat = diagnosis.heat is not None  # not every model has a heat map
                answered["heatmap"] = pictures.heat_over(data, diagnosis) if has_heat else None
        except photo.PhotoError as error:
            raise HTTPException(STATUS.get(type(error), 400), str(error)) from error
        return diagnosis, answered

    @api.post("/predict", operation_id="predict", response_model=None, responses=responses(Answer))
    async def predict(request: Request, file: OnePhoto, heatmap: WithHeatmap = False) -> JSONResponse:
        """Diagnose one photo: JPEG, PNG, WebP, GIF, BMP, AVIF or HEIC.

        `class` is "Unsure" or "Not a potato leaf" if the verdict is no diagnosis.
        """
        if len((await request.form()).getlist("file")) > 1:
            raise HTTPException(422, "Send one photo at a time, or several to /predict/batch.")
        with answering.place():
            classifier, found = serving.now
            _, answered = await answering.run(answer, classifier, file, heatmap)
            return JSONResponse(answered | {"model": _named(found)})

    @api.post("/predict/batch", operation_id="predict_batch", response_model=None, responses=responses(Batch))
    async def predict_batch(files: SeveralPhotos) -> dict:
        """Diagnose photos of one plant or field, each and together; a bad one is an error in its place."""
        if len(files) > MAX_PHOTOS:
            raise HTTPException(413, f"At most {MAX_PHOTOS} photos at once, please; these are {len(files)}.")
        results, diagnoses = [], []
        with answering.place():
            classifier, found = serving.now
            for upload in files:
                try:
                    diagnosis, answered = await answering.run(answer, classifier, upload)
                    diagnoses.append(diagnosis)
                except HTTPException as error:
                    answered = {"error": error.detail, "status": error.status_code}
                results.append({"file": disk.printable(upload.filename)} | answered)
        joint = joint_answer(diagnoses) if diagnoses else None
        summary = {
            "photos": len(results),
            "errors": len(results) - len(diagnoses),
            "classes": joint.counts if joint else {},
            "together": together_as_json(joint) if joint else None,
        }
        return {"results": results, "summary": summary, "model": _named(found)}

    @api.head("/ping", include_in_schema=False)  # as uptime monitors ask
    @api.get("/ping", operation_id="ping")
    async def ping() -> str:
        """Answer as soon as the process serves."""
        return "pong"

    @api.head("/health", include_in_schema=False)
    @api.get("/health", operation_id="health", response_model=None, responses={200: {"model": Health}})
    async def health() -> dict:
        """Tell which model answers."""
        classifier, found = serving.now
        return {
            "model": _named(found),
            "classes": classifier.labels,
            "notice": serving.notice,
            "uptime_seconds": round(time.monotonic() - started, 1),
        }

    api.router.routes += refusals.OTHER_METHODS  # behind those above, which come first
    return api


def _named(found: hub.Found) -> dict:
    return {"name": found.name, "revision": found.revision}


def create_app() -> FastAPI:
    """Build the whole app: the REST API, and the page at /."""
    minutes = environment.number_of_minutes("MODEL_REFRESH_MINUTES")
    serving = Serving(os.environ.get("MODEL_REPO"))
    if serving.notice:
        print(f"app.py: {serving.notice}", file=sys.stderr)
    if minutes:
        serving.keep_fresh(minutes)
    api = create_api(serving)
    if MAX_PER_MINUTE:
        api.add_middleware(LimitRate, per_minute=MAX_PER_MINUTE)
    api.add_middleware(LimitUploads, megabytes=MAX_UPLOAD_MB, batch=MAX_PHOTOS)
    if allowed := environment.origins("ALLOWED_ORIGINS"):
        api.add_middleware(
            CORSMiddleware,
            allow_origins=allowed,
            allow_methods=["*"],
            allow_headers=["*"],  # those of gradio's clients and of agents
            expose_headers=["Retry-After", "Mcp-Session-Id"],
        )
    api.add_middleware(BrowserHeaders)
    api.add_middleware(CloseUnread)
    photos = photos_folder()
    behind = Later(lambda: create_page(serving, photos))
    api.mount("/", behind)
    api.router.lifespan_context = behind.lifespan
    return api


def photos_folder() -> tempfile.TemporaryDirectory:
    """Make the folder for visitors' photos, readable by nobody else. Ends the program if that can't be."""
    try:
        return tempfile.TemporaryDirectory(prefix="blightcheck-")
    except FileNotFoundError:  # what tempfile raises then
        sys.exit("app.py: no folder for temporary files can be written; name one in TMPDIR.")


@quick_start()
def create_page(serving: Serving, photos: tempfile.TemporaryDirectory) -> FastAPI:
    """Build the page, also for gradio's clients and, as an MCP tool, for agents; `photos` is for uploads."""
    os.environ["GRADIO_TEMP_DIR"] = photos.name
    import gradio as gr  # here, because it takes longer than all the rest together
    from gradio.routes import templates

    from web import page, preview, uploads
    from web.server.calls import Calls
    from web.server.doors import OnlyOpen

    feedback_store = open_feedback()
    preview.of_our_own(templates)

    @asynccontextmanager
    async def lifespan(_: FastAPI) -> AsyncIterator[None]:
        with photos:
            async with uploads.kept_small(Path(photos.name), blocks):
                yield
        if feedback_store:
            await to_thread.run_sync(feedback_store.close)

    blocks = page.build(serving, feedback_store).queue(max_size=MAX_AT_ONCE)
    blocks.space_id = None  # or on a Space gradio's page would ask other hosts for its header and fonts
    blocks.state_session_capacity = SESSIONS
    blocks._queue.sleep_when_free = blocks._queue.progress_update_sleep_when_free = IDLE
    mounted = FastAPI(openapi_url=None, lifespan=lifespan)
    mounted.add_middleware(Calls, blocks=blocks)
    mounted.add_middleware(OnlyOpen)
    mounted.add_middleware(GZipMiddleware, compresslevel=5)  # for what gradio does not compress itself
    mounted.add_middleware(CORSMiddleware)  # allows nothing; without it gradio would let every site in
    return gr.mount_gradio_app(
        mounted,
        blocks,
        path="/",
        app_kwargs={"exception_handlers": refusals.OF_GRADIO},
        max_file_size=MAX_UPLOAD_MB * MEGABYTE,
        show_error=False,
        mcp_server=True,
        ssr_mode=False,  # whatever GRADIO_SSR_MODE says, as on Spaces: Node would have to serve the page
        **page.LOOKS,
    )


def open_feedback() -> Feedback | None:
    """Open what FEEDBACK_REPO names; return None, so that the page goes without, if it can't be written."""
    if not (place := os.environ.get("FEEDBACK_REPO")):
        return None
    try:
        return Feedback(place)
    except hub.HubError as error:
        print(f"app.py: no feedback is kept: {error}", file=sys.stderr)
        return None


def main() -> None:
    """Serve until stopped."""
    use_little_memory()
    allow_many_files()
    for name in (None, "mcp", "python_multipart"):  # mcp writes to the root's log as well
        logging.getLogger(name).setLevel(logging.ERROR)  # callers' mistakes are told to callers
    sys.modules["matplotlib"] = None  # gradio would import it with its first answer: 0.2 s, 29 MB for nothing
    try:
        app = create_app()
    except (hub.HubError, bundle.BundleError) as error:
        sys.exit(f"app.py: {error}")
    except OSError as error:
        if not (why := disk.trouble(error)):
            raise
        sys.exit(f"app.py: {why}.")
    if hasattr(signal, "SIGHUP") and signal.getsignal(signal.SIGHUP) is signal.SIG_DFL:
        # When the terminal closes, stop in order, so that no photo is left behind; unless nohup forbids it.
        signal.signal(signal.SIGHUP, lambda *_: signal.raise_signal(signal.SIGTERM))
    proxies = environment.networks("FORWARDED_ALLOW_IPS") or (SPACE_PROXIES if environment.ON_SPACE else None)
    host = os.environ.get("GRADIO_SERVER_NAME") or ("0.0.0.0" if environment.ON_SPACE else "127.0.0.1")
    listening = listen(host, environment.whole_number("GRADIO_SERVER_PORT", 7860, most=65_535))
    config = uvicorn.Config(
        app,
        log_level="error",  # no warning for every malformed request
        http=Connection,
        ws="none",
        forwarded_allow_ips=proxies,
        timeout_graceful_shutdown=GRACE,
    )
    with contextlib.suppress(KeyboardInterrupt):
        uvicorn.Server(config).run(sockets=[listening])


if __name__ == "__main__":
    how = argparse.RawDescriptionHelpFormatter
    argparse.ArgumentParser(description=__doc__, formatter_class=how).parse_args()
    main()
