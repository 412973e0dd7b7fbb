"""Telling open pages that something has changed, by server-sent events; what it is they then ask for themselves."""

from collections.abc import AsyncIterator

from starlette.responses import PlainTextResponse, Response, StreamingResponse

from .live_document import LiveDocument

_MOST = 200
"""Open pages; each holds a connection."""
_ALIVE_SECONDS = 15.0
"""Between signs of life, so that a proxy does not close the stream and a page that is gone is noticed."""
_CALM_SECONDS = 0.5
"""After news: a rollout changes many things in a moment, and a page needs only the last."""


class News:
    """The open pages of one catalog."""

    def __init__(self, live: LiveDocument) -> None:
        self._live = live
        self._open = 0
        self._ended = False

    def end(self) -> None:
        """End every stream: a server that stops waits for its answers, and these would have no end."""
        self._ended = True
        self._live.wake()

    def stream(self) -> Response:
        """An endless answer; a refusal where too many are open."""
        if self._open >= _MOST:
            return PlainTextResponse("too many pages are open\n", 503, {"Retry-After": "30"})
        headers = {"Cache-Control": "no-store", "X-Accel-Buffering": "no"}
        return StreamingResponse(self._events(), media_type="text/event-stream", headers=headers)

    async def _events(self) -> AsyncIterator[str]:
        self._open += 1
        try:
            yield "retry: 1000\n\n"
            seen = self._live.version
            while not self._ended:
                found = await self._live.wait_beyond(seen, _ALIVE_SECONDS)
                if found == seen:
                    yield ": alive\n\n"
                    continue
                await self._live.wait_beyond(found, _CALM_SECONDS)
                seen = self._live.version
                yield "data: changed\n\n"
        finally:
            self._open -= 1
