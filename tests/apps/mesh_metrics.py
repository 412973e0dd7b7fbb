"""Metrics of a mesh, with the labels that Istio's standard metrics have (recorded from its Bookinfo example), and a
series that means harm."""

from collections.abc import Iterator
from typing import NamedTuple

from tests.prometheus import known

EVIL = "<img src=x onerror='window.ran=1'><script>window.ran=1</script>\u202egnp.exe"


class Edge(NamedTuple):
    """Requests a minute from one workload to another, with a response code."""

    source: str
    target: str
    code: str
    amount: int


EDGES = (
    Edge("istio-ingressgateway", "productpage-v1", "200", 600),
    Edge("istio-ingressgateway", "productpage-v1", "503", 12),
    Edge("productpage-v1", "details-v1", "200", 590),
    Edge("productpage-v1", "reviews-v1", "200", 200),
    Edge("productpage-v1", "reviews-v2", "200", 190),
    Edge("productpage-v1", "reviews-v3", "200", 180),
    Edge("reviews-v2", "ratings-v1", "200", 190),
    Edge("reviews-v3", "ratings-v1", "200", 60),
    Edge("reviews-v3", "ratings-v1", "500", 120),
)
_ENDS = ", ".join(f"{side}_{what}" for side in ("source", "destination") for what in ("workload", "workload_namespace"))
REQUESTS = f"sum by ({_ENDS}, response_code, connection_security_policy) (rate(istio_requests_total[5m]))"


def openmetrics() -> Iterator[str]:
    """As promtool takes it."""
    yield from list(known.openmetrics())[:-1]
    yield "# TYPE istio_requests counter"
    for edge in EDGES:
        policy = "none" if edge.source == "istio-ingressgateway" else "mutual_tls"
        labels = {
            "reporter": "destination",
            "source_workload": edge.source,
            "source_workload_namespace": "istio-system" if "gateway" in edge.source else "bookinfo",
            "destination_workload": edge.target,
            "destination_workload_namespace": "bookinfo",
            "response_code": edge.code,
            "connection_security_policy": policy,
        }
        for minute in range(known.MINUTES + 1):
            yield f"istio_requests_total{{{_written(labels)}}} {edge.amount * minute} {known.at(minute)}"
    yield "# TYPE evil gauge"
    for minute in range(known.MINUTES + 1):
        yield f"evil{{{_written({'name': EVIL})}}} {minute} {known.at(minute)}"
        yield f"evil{{{_written({'name': 'long' * 2500})}}} 5 {known.at(minute)}"
        source = {"source_workload": EVIL, "destination_workload": "long" * 2500, "response_code": EVIL}
        yield f"evil_traffic{{{_written(source)}}} 5 {known.at(minute)}"
    yield "# EOF"


def _written(labels: dict[str, str]) -> str:
    return ",".join(f'{name}="{value}"' for name, value in labels.items())
