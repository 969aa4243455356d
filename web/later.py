"""An ASGI app that takes seconds to import and build: it comes up behind one that serves at once."""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack, asynccontextmanager

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
        async with AsyncExitStack() as lives:

            async def come_up() -> FastAPI:
                app = await to_thread.run_sync(self.build)
                await lives.enter_async_context(app.router.lifespan_context(app))
                return app

            self.app = asyncio.create_task(come_up())
            yield
            await asyncio.wait([self.app])

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        app = await asyncio.shield(self.app)
        await app(scope, receive, send)
