"""An ASGI app that takes seconds to import and build: it comes up behind one that serves at once."""

import asyncio
import traceback
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager

from anyio import to_thread
from fastapi import FastAPI
from starlette.types import Receive, Scope, Send


class Later:
    """The app that `build` returns, built on a thread from the start on; requests wait until it is there."""

    def __init__(self, build: Callable[[], FastAPI]) -> None:
        self.build = build

    @asynccontextmanager
    async def lifespan(self, _: FastAPI) -> AsyncIterator[None]:
        """Build the app while the outer one serves, and end it with it."""
        self.built: asyncio.Future[FastAPI] = asyncio.get_running_loop().create_future()
        ending = asyncio.Event()
        life = asyncio.create_task(self._live(ending))
        yield
        ending.set()
        await life

    async def _live(self, ending: asyncio.Event) -> None:
        try:
            app = await to_thread.run_sync(self.build)
            async with app.router.lifespan_context(app):
                self.built.set_result(app)
                await ending.wait()
        except Exception as error:
            if ending.is_set():
                raise
            traceback.print_exception(error)  # at once: nobody waits for this task before the end
            if not self.built.done():
                self.built.set_exception(error)  # for all who ask for it

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        app = await asyncio.shield(self.built)
        await app(scope, receive, send)
