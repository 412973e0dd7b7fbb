"""Pages of a site by its sitemap."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from starlette.responses import Response

from kmcp_querydoc.building import Outcome
from tests.querydoc.making import build, open_tools
from tests.querydoc.sites import Site


@pytest.fixture
async def site() -> AsyncIterator[Site]:
    async with Site.serve(6) as found:
        yield found


async def build_site(site: Site, tmp_path: Path, **more: object) -> Outcome:
    (outcome,) = await build(tmp_path / "i.sqlite", site.source(**more))
    return outcome


async def search(tmp_path: Path, query: str) -> list[str]:
    async with open_tools(tmp_path / "i.sqlite") as tools:
        return [item["url"] for item in (await tools.ok("query_documentation", query=query))["items"]]


async def test_the_pages_of_the_sitemap_are_indexed_under_their_urls(site: Site, tmp_path: Path) -> None:
    outcome = await build_site(site, tmp_path)
    assert (outcome.pages, outcome.changed, outcome.failure) == (6, 6, None)
    assert await search(tmp_path, "word3") == [f"{site.url}/docs/page-003"]


async def test_by_its_dates_only_what_changed_is_asked_for(site: Site, tmp_path: Path) -> None:
    await build_site(site, tmp_path)
    site.asked.clear()
    site.pages["/docs/page-003"], site.changed["/docs/page-003"] = "crocodile", "2026-02-01"
    outcome = await build_site(site, tmp_path)
    assert site.asked == ["/docs/page-003"]
    assert (outcome.pages, outcome.changed) == (6, 1)
    assert await search(tmp_path, "crocodile") == [f"{site.url}/docs/page-003"]


async def test_without_dates_the_site_is_asked_by_its_tags(site: Site, tmp_path: Path) -> None:
    site.dated = False
    await build_site(site, tmp_path)
    site.pages["/docs/page-003"] = "crocodile"
    del site.pages["/docs/page-005"]
    outcome = await build_site(site, tmp_path)
    assert (outcome.pages, outcome.changed, outcome.removed) == (5, 1, 1)


async def test_without_dates_and_tags_the_text_decides(site: Site, tmp_path: Path) -> None:
    site.dated = site.tagged = False
    await build_site(site, tmp_path)
    outcome = await build_site(site, tmp_path)
    assert (outcome.pages, outcome.changed) == (6, 0)


async def test_only_pages_of_the_site_below_the_wanted_path_are_asked_for(site: Site, tmp_path: Path) -> None:
    others = (
        "http://other.test/docs/x",
        "http://127.0.0.1:1/docs/x",
        f"{site.url}/blog/x",
        "not a url",
        "file:///etc/passwd",
    )
    more = "".join(f"<url><loc>{url}</loc></url>" for url in others)
    site.sitemap = Response(site.map(more), media_type="application/xml")
    outcome = await build_site(site, tmp_path, under=("docs",), exclude=("*/page-000",))
    assert (outcome.pages, outcome.skipped) == (5, [])
    assert set(site.asked) == set(site.pages) - {"/docs/page-000"}


async def test_a_sitemap_may_be_packed_and_an_index_of_others(site: Site, tmp_path: Path) -> None:
    site.answers["/maps/docs.xml.gz"] = site.packed()
    index = f"<loc>{site.url}/maps/docs.xml.gz</loc></sitemap><sitemap><loc>http://other.test/x.xml</loc>"
    site.sitemap = Response(f"<sitemapindex><sitemap>{index}</sitemap></sitemapindex>", media_type="application/xml")
    assert (await build_site(site, tmp_path)).pages == 6


async def test_a_page_that_cannot_be_read_is_told_and_keeps_what_was_indexed(site: Site, tmp_path: Path) -> None:
    await build_site(site, tmp_path)
    site.dated = site.tagged = False
    site.answers["/docs/page-001"] = Response("broken", 500)
    site.answers["/docs/page-002"] = Response(b"\x89PNG", media_type="image/png")
    site.redirect("/docs/page-003", "http://other.test/x")
    site.redirect("/docs/page-000", "http://[x")
    site.redirect("/docs/page-004", "/docs/page-005")
    outcome = await build_site(site, tmp_path)
    assert outcome.failure is None
    told = {skipped.path: skipped.why for skipped in outcome.skipped}
    assert told["/docs/page-001"] == "HTTP 500, text/plain" or told["/docs/page-001"].startswith("HTTP 500")
    assert told["/docs/page-002"] == "HTTP 200, image/png"
    assert "redirects to another host" in told["/docs/page-003"]
    assert "redirects to what is not an address" in told["/docs/page-000"]
    assert "/docs/page-004" not in told
    assert await search(tmp_path, "word1") == [f"{site.url}/docs/page-001"]


@pytest.mark.parametrize(
    ("answer", "told"),
    [
        (Response("gone", 404), "answered HTTP 404"),
        (Response("<html>"), "is not a sitemap"),
        (Response('<!DOCTYPE x [<!ENTITY a "b">]><urlset>&a;</urlset>'), "declares entities"),
        (Response(b"\x1f\x8bnonsense"), "sitemap.xml"),
        (Response("<urlset></urlset>"), "lists no page that matches"),
    ],
)
async def test_what_is_no_sitemap_fails_its_source(site: Site, tmp_path: Path, answer: Response, told: str) -> None:
    site.sitemap = answer
    failure = (await build_site(site, tmp_path)).failure
    assert failure is not None
    assert told in failure.message


async def test_a_site_that_is_not_there_fails_its_source(site: Site, tmp_path: Path) -> None:
    site.url = "http://127.0.0.1:1"
    failure = (await build_site(site, tmp_path)).failure
    assert failure is not None
    assert failure.code == "unavailable"
    assert "127.0.0.1" in failure.message
