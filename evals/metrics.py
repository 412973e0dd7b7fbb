"""A Prometheus with the faults that tasks ask about: a shop whose checkout fails, a target that is down, a bad rule."""

import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from tests.cluster import binaries
from tests.prometheus import exporter, program

MINUTES = 120
TROUBLE_MINUTES = 30
"""So long checkout has failed."""
_SCRAPED = """\
# TYPE shop_carts gauge
shop_carts{region="eu"} 4
shop_carts{region="us"} 9
# TYPE process_open_fds gauge
process_open_fds 970
# TYPE process_max_fds gauge
process_max_fds 1000
"""
SESSIONS = 500
"""One series for each user: what fills the storage."""
_CONFIGURATION = """\
global: {{scrape_interval: 1s, evaluation_interval: 1s}}
rule_files: [{rules}]
scrape_configs:
  - job_name: shop
    static_configs: [{{targets: ["{exporter}"], labels: {{team: checkout}}}}]
  - job_name: payments
    static_configs: [{{targets: ["127.0.0.1:1"], labels: {{team: payments}}}}]
"""
_RULES = """\
groups:
  - name: shop
    rules:
      - alert: PaymentsDown
        expr: up{job="payments"} == 0
        labels: {severity: page, team: payments}
        annotations: {summary: "no answer from {{ $labels.instance }}"}
      - alert: FilesAlmostGone
        expr: process_open_fds / process_max_fds > 0.9
        for: 9h
        labels: {severity: ticket, team: checkout}
      - record: shop:carts:sum
        expr: sum(shop_carts)
      - record: shop:broken
        expr: shop_carts + on () shop_carts
"""


@contextmanager
def prometheus(folder: Path) -> Iterator[str]:
    """Its URL while it runs; two hours of a past that ends now are in it."""
    programs = binaries.ensure((binaries.BACKENDS["prometheus"],), print)
    directory = folder / "prometheus"
    directory.mkdir()
    program.backfill(programs, directory, _past(int(time.time())))
    rules = directory / "rules.yaml"
    rules.write_text(_RULES)
    sessions = "".join(f'sessions{{user="u{number}"}} 1\n' for number in range(SESSIONS))
    with exporter.exporting(f"{_SCRAPED}# TYPE sessions gauge\n{sessions}# EOF\n") as target:
        configuration = _CONFIGURATION.format(rules=rules, exporter=target)
        with program.running(programs, directory, configuration, "--web.enable-admin-api") as url:
            yield url


def _past(now: int) -> Iterator[str]:
    """Requests by service and latencies, one sample a minute, as promtool takes them."""
    moments = [now - 60 * minutes for minutes in range(MINUTES, -1, -1)]
    yield "# TYPE http_requests counter"
    for service in ("checkout", "catalog", "search"):
        for code in ("200", "500"):
            total = 0
            for number, moment in enumerate(moments):
                total += _requests(service, code, MINUTES - number)
                yield f'http_requests_total{{service="{service}",code="{code}"}} {total} {moment}'
    yield "# TYPE http_request_duration_seconds histogram"
    for bound, step in {"0.1": 50, "0.5": 90, "2.5": 99, "+Inf": 100}.items():
        for number, moment in enumerate(moments):
            yield f'http_request_duration_seconds_bucket{{service="search",le="{bound}"}} {step * number} {moment}'
    for number, moment in enumerate(moments):
        yield f'http_request_duration_seconds_count{{service="search"}} {100 * number} {moment}'
        yield f'http_request_duration_seconds_sum{{service="search"}} {20 * number} {moment}'
    yield "# EOF"


def _requests(service: str, code: str, minutes_ago: int) -> int:
    """Of one minute."""
    if code == "200":
        return 60
    return 20 if service == "checkout" and minutes_ago < TROUBLE_MINUTES else 0
