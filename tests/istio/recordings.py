"""Recorded answers of real proxies, and what istioctl prints for them: test data of the Istio module."""

import json
from pathlib import Path
from typing import Any

from tests.istio.definitions import module

CLUSTERS = json.dumps(
    {
        "cluster_statuses": [
            {
                "name": "outbound|9080|v1|reviews.shop.svc.cluster.local",
                "added_via_api": True,
                "host_statuses": [
                    {
                        "address": {"socket_address": {"address": "10.1.0.2", "port_value": 9080}},
                        "health_status": {"eds_health_status": "HEALTHY"},
                        "weight": 1,
                    },
                    {
                        "address": {"socket_address": {"address": "10.1.0.1", "port_value": 9080}},
                        "health_status": {"eds_health_status": "UNHEALTHY", "failed_outlier_check": True},
                    },
                ],
            },
            {
                "name": "sds-grpc",
                "host_statuses": [{"address": {"pipe": {"path": "./var/run/secrets/workload-spiffe-uds/socket"}}}],
            },
            {
                "name": "inbound-vip|80|http|web.shop.svc.cluster.local",
                "host_statuses": [
                    {
                        "address": {
                            "envoy_internal_address": {
                                "server_listener_name": "connect_originate",
                                "endpoint_id": "10.1.0.3:80",
                            }
                        },
                        "health_status": {"eds_health_status": "DRAINING"},
                    }
                ],
            },
            {"name": "empty"},
        ]
    }
)
"""An answer of `/clusters?format=json` by Envoy's protocol: of this one the module has no recording."""
STATS = json.dumps(
    {
        "stats": [
            {"name": "server.uptime", "value": 7},
            {"name": "server.live", "value": 1},
            {"name": "control_plane.identifier", "value": "istiod"},
            {"histograms": {"supported_quantiles": [50]}},
        ]
    }
)


def data() -> Path:
    return module("istio.io/istio") / "istioctl/pkg"


def text(path: str) -> str:
    return (data() / path).read_text()


def whole() -> str:
    """The dump of one proxy of Istio 1.21, every section of it."""
    return text("proxyconfig/testdata/config_dump.json")


def mixed() -> str:
    """Sections of proxies of Istio 1.10 to 1.20, as one dump; the kind of some comes several times."""
    folder = "writer/envoy/configdump/testdata"
    parts = (
        f"{folder}/configdump.json",
        "writer/compare/testdata/configdump.json",
        f"{folder}/endpoint/configdump.json",
        f"{folder}/ecds/configdump.json",
        f"{folder}/routes/k8s-gateway-http-route-path-prefix/configdump.json",
        f"{folder}/secret/spire/config_dump.json",
    )
    return json.dumps({"configs": [section for part in parts for section in json.loads(text(part))["configs"]]})


def table(printed: str, *headers: str) -> list[dict[str, str]]:
    """The rows below this header line in what istioctl printed."""
    lines = printed.splitlines()
    at = next(index for index, line in enumerate(lines) if all(header in line for header in headers))
    starts: list[int] = []
    for header in headers:
        starts.append(lines[at].index(header, starts[-1] + 1 if starts else 0))
    rows = []
    for line in lines[at + 1 :]:
        if not line.strip():
            break
        ends: list[Any] = [*starts[1:], None]
        cells = [line[start:end].strip() for start, end in zip(starts, ends, strict=True)]
        rows.append(dict(zip(headers, cells, strict=True)))
    return rows
