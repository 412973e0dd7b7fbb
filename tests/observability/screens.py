"""`python -m tests.observability.screens DIRECTORY`: both dashboards, drawn from what a Prometheus recorded.

No Grafana draws them: each panel shows the answer to its own query as lines, under its title, and headless Chromium
makes a PNG of the page.
"""

import asyncio
import html
import subprocess
import sys
import tempfile
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from tests.browser.chromium import CHROMIUM
from tests.cluster import binaries
from tests.observability.loaded import Prometheus, dashboards, expressions, scraped

SECONDS = 45
_WIDTH, _HEIGHT = 420, 150
_COLOURS = ("#3274d9", "#e0752d", "#56a64b", "#a352cc", "#d44a3a", "#806eb7", "#b5a000", "#008c8c")


async def _record(directory: Path) -> None:
    built = binaries.ensure((binaries.BACKENDS["prometheus"],), print)
    with tempfile.TemporaryDirectory() as folder:
        async with scraped(built, Path(folder)) as prometheus:
            await asyncio.sleep(SECONDS)
            for name, board in dashboards().items():
                page = directory / f"{name}.html"
                page.write_text(await _page(prometheus, board))
                _photograph(page)


async def _page(prometheus: Prometheus, board: Mapping[str, Any]) -> str:
    end = time.time()
    panels: dict[str, list[dict[str, Any]]] = {}
    for title, text in expressions(board):
        panels.setdefault(title, []).extend(await prometheus.query_range(text, end - SECONDS, end))
    drawn = "".join(f"<div><b>{html.escape(title)}</b>{_lines(series)}</div>" for title, series in panels.items())
    style = "body{font:13px sans-serif;display:grid;grid-template-columns:repeat(3,1fr);gap:12px}h1{grid-column:1/-1}"
    return f"<meta charset=utf-8><style>{style}</style><h1>{html.escape(board['title'])}</h1>{drawn}"


def _lines(series: list[dict[str, Any]]) -> str:
    points = [[(float(at), float(value)) for at, value in each["values"] if value != "NaN"] for each in series]
    flat = [point for each in points for point in each]
    if not flat:
        return "<p>no data</p>"
    first, last, most = min(x for x, _ in flat), max(x for x, _ in flat), max(y for _, y in flat)
    shown, legend = [], []
    for number, (each, line) in enumerate(zip(series, points, strict=True)):
        colour = _COLOURS[number % len(_COLOURS)]
        places = " ".join(
            f"{(x - first) / (last - first or 1) * _WIDTH:.1f},{_HEIGHT - y / (most or 1) * (_HEIGHT - 10):.1f}"
            for x, y in line
        )
        shown.append(f'<polyline points="{places}" fill="none" stroke="{colour}" stroke-width="1.5"/>')
        named = ", ".join(value for key, value in each["metric"].items() if key not in ("__name__", "job"))
        legend.append(f'<span style="color:{colour}">{html.escape(named or "all")}</span>')
    chart = f'<svg width="{_WIDTH}" height="{_HEIGHT}" style="background:#f4f5f5">{"".join(shown)}</svg>'
    return f"<br>{chart}<br><small>highest {most:.3g} · {' · '.join(legend[:6])}</small>"


def _photograph(page: Path) -> None:
    if CHROMIUM is None:
        print(f"no Chromium here: open {page} in a browser")
        return
    flags = ("--headless", "--no-sandbox", "--disable-gpu", "--hide-scrollbars", "--window-size=1360,1500")
    picture = page.with_suffix(".png")
    subprocess.run([CHROMIUM, *flags, f"--screenshot={picture}", page.as_uri()], check=True, capture_output=True)
    print(picture)


if __name__ == "__main__":
    target = Path(sys.argv[1]).resolve()
    target.mkdir(parents=True, exist_ok=True)
    asyncio.run(_record(target))
