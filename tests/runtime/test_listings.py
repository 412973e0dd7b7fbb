"""The catalog as other catalogs want it: each format's shape, as strict as the format is."""

from dataclasses import replace
from typing import Any

import pytest
from jsonschema import Draft202012Validator

from kmcp_runtime import publish
from kmcp_runtime.catalog import LISTINGS, PUBLISHER, EnvEntry, Listed, Metadata, docker_entry, listed, listing
from tests.runtime.test_catalog import catalog, server, tool

UPDATED = "2026-01-31T12:00:00Z"
ENV = (
    EnvEntry(name="PROMETHEUS_URL", description="Base URL", required=True),
    EnvEntry(name="PROMETHEUS_TOKEN", description="Bearer token", secret=True),
    EnvEntry(name="PROMETHEUS_ORG", description="Tenant", default="none"),
)
SERVERS = listed(
    catalog(
        prometheus=server(
            tool(),
            tool("other", description="Something else."),
            env=ENV,
            egress=("api.example.com:443", "{PROMETHEUS_URL}"),
            metadata=Metadata(category="observability", tags=("metrics", "p", "prom ql"), license="Apache-2.0"),
        )
    ),
    "registry.example.com/kmcp",
    "kmcp-suite",
)


def closed(required: list[str], /, **properties: Any) -> dict[str, Any]:
    return {"type": "object", "required": required, "properties": properties, "additionalProperties": False}


def each(items: dict[str, Any]) -> dict[str, Any]:
    return {"type": "array", "items": items}


TEXT = {"type": "string", "minLength": 1}
NAMES = each({**TEXT, "pattern": r"^[\w-]+$"}) | {"uniqueItems": True}
INPUT = closed(
    ["name"], name=TEXT, description=TEXT, isRequired={"type": "boolean"}, isSecret={"type": "boolean"}, default=TEXT
)
ARGUMENT = {
    "anyOf": [
        closed(["type", "value"], type={"const": "positional"}, value=TEXT),
        closed(["type", "name"], type={"const": "named"}, name=TEXT, value=TEXT),
    ]
}
SERVER_JSON = closed(
    ["name", "description", "version"],
    **{"$schema": {"const": "https://static.modelcontextprotocol.io/schemas/2025-12-11/server.schema.json"}},
    name={"type": "string", "maxLength": 200, "pattern": r"^[a-zA-Z0-9.-]+/[a-zA-Z0-9._-]+$"},
    title={**TEXT, "maxLength": 100},
    description={**TEXT, "maxLength": 100},
    version={**TEXT, "maxLength": 255, "not": {"const": "latest"}},
    packages=each(
        closed(
            ["registryType", "identifier", "transport"],
            registryType={"enum": ["pypi", "oci"]},
            identifier=TEXT,
            version=TEXT,
            runtimeHint={"enum": ["uvx", "docker"]},
            runtimeArguments=each(ARGUMENT),
            packageArguments=each(ARGUMENT),
            transport=closed(["type"], type={"const": "stdio"}),
            environmentVariables=each(INPUT),
        )
    ),
    remotes=each(closed(["type", "url"], type={"const": "streamable-http"}, url={**TEXT, "pattern": "^https?://"})),
    _meta=closed([], **{PUBLISHER: {"type": "object"}}),
)
TOOLHIVE_MORE = closed(
    ["status"],
    status={"const": "active"},
    tier={"enum": ["Official", "Community"]},
    tools=NAMES,
    tags=each({"type": "string", "pattern": "^[a-z0-9][a-z0-9_-]*[a-z0-9]$"}),
    metadata=closed(
        [],
        kubernetes=closed(
            [], kind=TEXT, namespace=TEXT, name=TEXT, uid=TEXT, image=TEXT, transport={"const": "streamable-http"}
        ),
    ),
    permissions=closed(
        [],
        network=closed(
            [], outbound=closed([], allow_host=each(TEXT), allow_port=each({"type": "integer", "minimum": 1}))
        ),
    ),
)
DOCKER_ENTRY = closed(
    ["name", "type", "title", "description"],
    name=TEXT,
    type={"enum": ["server", "remote"]},
    title=TEXT,
    description=TEXT,
    image=TEXT,
    command=each(TEXT),
    remote=closed(["url"], url=TEXT, transport_type=TEXT),
    secrets=each(closed(["name", "env"], name=TEXT, env=TEXT, example=TEXT, description=TEXT)),
    env=each(closed(["name", "value"], name=TEXT, value={"type": "string", "pattern": r"^\{\{[\w.-]+\}\}$"})),
    config=each(
        closed(
            ["name", "description", "type", "properties"],
            name=TEXT,
            description=TEXT,
            type={"const": "object"},
            properties={"type": "object", "additionalProperties": closed(["type"], type=TEXT, description=TEXT)},
            required=each(TEXT),
        )
    ),
    allowHosts=each(TEXT),
    metadata=closed([], category=TEXT, tags=each(TEXT), license=TEXT, owner=TEXT),
    tools=each(
        closed(
            ["name"],
            name=TEXT,
            description=TEXT,
            arguments=each(
                closed(["name", "type"], name=TEXT, type=TEXT, desc={"type": "string"}, optional={"type": "boolean"})
            ),
        )
    ),
)
REMOTE = closed(
    ["apiVersion", "kind", "metadata", "spec"],
    apiVersion={"const": "kagent.dev/v1alpha2"},
    kind={"const": "RemoteMCPServer"},
    metadata=closed(["name"], name=TEXT, namespace=TEXT),
    spec=closed(["description", "url"], description=TEXT, protocol={"const": "STREAMABLE_HTTP"}, url=TEXT),
)
SHAPES = {
    "docker": closed(
        ["name", "displayName", "registry"],
        name=TEXT,
        displayName=TEXT,
        registry={"type": "object", "minProperties": 1, "additionalProperties": DOCKER_ENTRY},
    ),
    "server-json": closed(["servers"], servers=each(SERVER_JSON)),
    "toolhive": closed(
        ["version", "meta", "data"],
        **{"$schema": TEXT},
        version={"const": "1.0.0"},
        meta=closed(["last_updated"], last_updated=TEXT),
        data=closed(["servers"], servers=each(SERVER_JSON)),
    ),
    "remotemcpserver": closed(
        ["apiVersion", "kind", "items"], apiVersion={"const": "v1"}, kind={"const": "List"}, items=each(REMOTE)
    ),
}
LIVE = replace(
    SERVERS[0],
    url="http://kmcp-prometheus.tools.svc:3000/mcp",
    namespace="tools",
    uid="7f0c3f0e-5b0e-4c0e-9a55-0d5d3c1b2a10",
)
FOREIGN = Listed("any", "local.cluster/tools.any", "Any", "Any", "0.0.0-abc", (), url="http://any", namespace="tools")


@pytest.mark.parametrize("form", LISTINGS)
def test_each_format_has_its_shape(form: str) -> None:
    for servers in (SERVERS, (LIVE, FOREIGN), listed(publish.catalog(), "registry.example.com/kmcp", "kmcp-suite")):
        found = listing(form, servers, UPDATED)
        Draft202012Validator(SHAPES[form]).validate(found)
        for each_server in found.get("data", {}).get("servers", ()):
            extensions = each_server["_meta"][PUBLISHER]["io.github.stacklok"]
            for more in extensions.values():
                Draft202012Validator(TOOLHIVE_MORE).validate(more)


def test_docker_asks_for_settings_and_secrets_by_name() -> None:
    found = docker_entry(SERVERS[0])
    assert found["image"] == "registry.example.com/kmcp/kmcp-prometheus:1.4.0"
    assert found["secrets"][0]["name"] == "kmcp-prometheus.prometheus_token"
    assert found["secrets"][0]["env"] == "PROMETHEUS_TOKEN"
    assert found["env"][0] == {"name": "PROMETHEUS_URL", "value": "{{kmcp-prometheus.prometheus_url}}"}
    assert found["config"][0]["required"] == ["prometheus_url"]
    assert found["allowHosts"] == ["api.example.com:443", "{{kmcp-prometheus.prometheus_url}}"]
    assert found["tools"][0]["arguments"] == [{"name": "query", "type": "string", "desc": "PromQL — über"}]
    assert "example" not in docker_entry(FOREIGN).get("env", [])
    assert docker_entry(FOREIGN)["remote"]["url"] == "http://any"


@pytest.mark.parametrize(
    ("schema", "kind"),
    [
        ({"type": "integer"}, "integer"),
        ({"anyOf": [{"type": "null"}, {"type": "array"}]}, "array"),
        ({"type": ["null", "boolean"]}, "boolean"),
        ({"enum": ["a"]}, "string"),
        (True, "string"),
    ],
)
def test_docker_arguments_have_one_type(schema: Any, kind: str) -> None:
    flat = replace(
        FOREIGN, tools=({"name": "t", "description": "", "inputSchema": {"properties": {"a": schema}, "required": []}},)
    )
    argument = docker_entry(flat)["tools"][0]["arguments"][0]
    assert (argument["type"], argument["optional"]) == (kind, True)


def test_server_json_says_how_to_start_it_and_where_it_runs() -> None:
    found = listing("server-json", [LIVE], UPDATED)["servers"][0]
    pypi, oci = found["packages"]
    assert [argument["value"] for argument in pypi["packageArguments"]] == ["serve", "prometheus", "stdio"]
    assert pypi["runtimeArguments"][0]["value"] == "kmcp-suite[prometheus]==1.4.0"
    assert oci["identifier"] == "registry.example.com/kmcp/kmcp-prometheus:1.4.0"
    assert [(env["name"], env["isSecret"]) for env in oci["environmentVariables"]] == [
        ("PROMETHEUS_URL", False),
        ("PROMETHEUS_TOKEN", True),
        ("PROMETHEUS_ORG", False),
    ]
    assert found["remotes"] == [{"type": "streamable-http", "url": LIVE.url}]
    tools = found["_meta"][PUBLISHER]["kmcp-suite"]["tools"]
    assert (tools[0]["outputSchema"], tools[0]["hash"]) == (tool().output_schema, tool().hash)


def test_toolhive_is_told_hosts_tags_and_place() -> None:
    def more(one: Listed) -> Any:
        found = listing("toolhive", [one], UPDATED)
        assert found["meta"] == {"last_updated": UPDATED}
        return found["data"]["servers"][0]["_meta"][PUBLISHER]["io.github.stacklok"]

    (key, packaged), *_ = more(SERVERS[0]).items()
    assert key == SERVERS[0].image
    assert packaged["tools"] == ["query", "other"]
    assert packaged["tags"] == ["metrics"]
    assert packaged["permissions"]["network"]["outbound"] == {"allow_host": ["api.example.com"], "allow_port": [443]}
    live = more(LIVE)[LIVE.url]
    assert "permissions" not in live
    assert live["metadata"]["kubernetes"]["name"] == "kmcp-prometheus"


def test_remotes_are_the_servers_that_have_an_address() -> None:
    found = listing("remotemcpserver", [SERVERS[0], LIVE], UPDATED)["items"]
    assert [item["metadata"] for item in found] == [{"name": "kmcp-prometheus", "namespace": "tools"}]


@pytest.mark.parametrize("form", ["docker", "remotemcpserver", "cursor"])
def test_the_command_prints_every_format(form: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert publish.main(["export", form, "--url", "http://127.0.0.1:9"]) == 0
    printed = capsys.readouterr().out
    assert "kmcp-kubernetes" in printed
    assert ("http://127.0.0.1:9/kubernetes/mcp" in printed) == (form != "docker")
