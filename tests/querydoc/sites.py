"""A site with a sitemap, on loopback, that counts what is asked of it."""

import asyncio
import gzip
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import RedirectResponse, Response
from starlette.routing import Route

from kmcp_querydoc.sources.definitions import Source
from tests.serving import served


class Site:
    """Pages `/docs/page-N`; each is dated in the sitemap."""

    def __init__(self, pages: int) -> None:
        self.url = ""
        self.pages = {f"/docs/page-{number:03}": f"word{number}" for number in range(pages)}
        self.changed = dict.fromkeys(self.pages, "2026-01-01")
        self.asked: list[str] = []
        self.dated = True
        self.tagged = True
        self.held = asyncio.Event()
        self._hold_from = 1 << 30
        self._go_on = asyncio.Event()
        self.answers: dict[str, Response] = {}
        self.sitemap: Response | None = None

    @classmethod
    @asynccontextmanager
    async def serve(cls, pages: int) -> AsyncIterator["Site"]:
        site = cls(pages)
        async with served(Starlette(routes=[Route("/{path:path}", site.answer)])) as url:
            site.url = url
            try:
                yield site
            finally:
                site.release()

    def hold_from(self, number: int) -> None:
        """Let the answer to that many-th question, and those after it, wait."""
        self._hold_from = number
        self._go_on.clear()

    def release(self) -> None:
        self._hold_from = 1 << 30
        self._go_on.set()

    def source(self, **more: Any) -> Source:
        return Source(product="site", version="1", sitemap=f"{self.url}/sitemap.xml", **more)

    async def answer(self, request: Request) -> Response:
        path = request.url.path
        if path == "/sitemap.xml":
            return self.sitemap or Response(self.map(), media_type="application/xml")
        self.asked.append(path)
        if len(self.asked) >= self._hold_from:
            self.held.set()
            await self._go_on.wait()
        return self.answers.get(path) or self._page(request, path)

    def _page(self, request: Request, path: str) -> Response:
        if path not in self.pages:
            return Response("gone", 404)
        tag = f'"{hash(self.pages[path])}"'
        headers = {"etag": tag} if self.tagged else {}
        if self.tagged and request.headers.get("if-none-match") == tag:
            return Response(status_code=304, headers=headers)
        text = f"<html><main><h1>Page {path[-3:]}</h1><p>{self.pages[path]}</p></main></html>"
        return Response(text, media_type="text/html", headers=headers)

    def map(self, more: str = "") -> str:
        dates = {path: f"<lastmod>{self.changed[path]}</lastmod>" if self.dated else "" for path in self.pages}
        entries = "".join(f"<url><loc>{self.url}{path}</loc>{dates[path]}</url>" for path in self.pages)
        return f'<urlset xmlns="http://www.sitemaps.org/schemas/sitemap/0.9">{entries}{more}</urlset>'

    def packed(self) -> Response:
        return Response(gzip.compress(self.map().encode()), media_type="application/gzip")

    def redirect(self, path: str, to: str) -> None:
        self.answers[path] = RedirectResponse(to)
