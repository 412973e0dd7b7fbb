"""Stored releases: every shape that Helm 3 and 4 have written, and data that is none."""

import base64
import gzip
import json
from typing import Any

import pytest

from kmcp_runtime.helm import payload
from kmcp_runtime.helm.release import Release

HELM_3: dict[str, Any] = {
    "name": "web",
    "info": {
        "first_deployed": "2026-11-01T10:00:00.123456789Z",
        "last_deployed": "2026-11-02T10:00:00.5+01:00",
        "deleted": "",
        "description": "Upgrade complete",
        "status": "deployed",
        "notes": "hello\n",
    },
    "chart": {
        "metadata": {"name": "nginx", "version": "1.2.3", "appVersion": "4.5"},
        "lock": None,
        "templates": [{"name": "templates/a.yaml", "data": "YQ=="}],
        "values": {"replicas": 1},
        "schema": None,
        "files": [],
    },
    "config": {"replicas": 2},
    "manifest": "---\nkind: ConfigMap\n",
    "hooks": [{"name": "h", "kind": "Job", "manifest": "kind: Job", "events": ["pre-install"]}],
    "version": 7,
    "namespace": "prod",
}
# Helm 4 leaves empty times out and says how it applied.
HELM_4 = {
    **HELM_3,
    "info": {key: value for key, value in HELM_3["info"].items() if key != "deleted"},
    "chart": {**HELM_3["chart"], "schemamodtime": "0001-01-01T00:00:00Z"},
    "apply_method": "ssa",
}


def stored(body: Any, *, zipped: bool = True) -> str:
    """What Helm puts into `data.release`, before the Secret's own base64."""
    raw = json.dumps(body).encode()
    return base64.b64encode(gzip.compress(raw) if zipped else raw).decode()


def in_secret(text: str) -> str:
    return base64.b64encode(text.encode()).decode()


@pytest.mark.parametrize("body", [HELM_3, HELM_4])
@pytest.mark.parametrize("zipped", [True, False])
def test_releases_of_both_versions_decode_from_both_drivers(body: dict[str, Any], zipped: bool) -> None:
    text = stored(body, zipped=zipped)
    assert payload.of_configmap(text) == body
    assert payload.of_secret(in_secret(text)) == body


def test_a_release_has_the_same_fields_from_both_versions() -> None:
    three, four = Release.of(HELM_3), Release.of(HELM_4)
    assert (three.apply_method, four.apply_method) == ("", "ssa")
    for release in (three, four):
        assert (release.name, release.namespace, release.revision, release.status) == ("web", "prod", 7, "deployed")
        assert (release.chart_name, release.chart_version, release.app_version) == ("nginx", "1.2.3", "4.5")
        assert release.last_deployed == "2026-11-02T10:00:00.5+01:00"
        assert (release.deleted, release.notes, release.description) == ("", "hello\n", "Upgrade complete")
        assert (release.config, release.defaults, release.values()) == (
            {"replicas": 2},
            {"replicas": 1},
            {"replicas": 2},
        )
        assert release.hooks[0]["kind"] == "Job"


def test_a_release_without_its_optional_parts_is_one() -> None:
    release = Release.of({"name": "a", "namespace": "b", "version": 1, "info": None, "chart": None, "config": None})
    assert (release.status, release.chart_name, release.config, release.hooks) == ("unknown", "", {}, ())


@pytest.mark.parametrize(
    ("data", "why"),
    [
        ("%%%", "not base64"),
        (in_secret("%%%"), "not base64"),
        (in_secret(base64.b64encode(b"\x1f\x8b\x08 no gzip").decode()), "gzip"),
        (in_secret(base64.b64encode(gzip.compress(b"{}")[:-9]).decode()), "cut short"),
        (in_secret(base64.b64encode(b"no json").decode()), "not JSON"),
        (in_secret(base64.b64encode(b"[1]").decode()), "not an object"),
        (in_secret(base64.b64encode(b"{}").decode()), "not an object"),
        ("", "not JSON"),
    ],
    # The data holds the time of its packing, and names of tests must be the same in every process.
    ids=["text", "text in a Secret", "gzip", "cut", "text inside", "list", "empty object", "nothing"],
)
def test_data_that_is_no_release_says_at_which_layer(data: str, why: str) -> None:
    with pytest.raises(payload.Undecodable, match=why):
        payload.of_secret(data)


def test_a_payload_cannot_unpack_without_end() -> None:
    bomb = base64.b64encode(gzip.compress(b" " * (payload.LARGEST_PAYLOAD + 10))).decode()
    with pytest.raises(payload.Undecodable, match="more than 64 MiB"):
        payload.of_configmap(bomb)
