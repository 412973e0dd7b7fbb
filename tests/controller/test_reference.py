"""What a server is compared with, and what is called drift."""

from collections.abc import Iterable
from typing import Any

import pytest
from fastmcp import Client

from kmcp_controller import status
from kmcp_controller.discovery.pins import (
    entry_name,
    first_sight,
    pin_mode,
    reference,
    tools_hash,
    wants_first_sight,
)
from kmcp_controller.spec import MCPServer, parse
from kmcp_controller.spec.catalog_entry import is_the_entrys_own, narrowed
from kmcp_kubernetes.server import SERVER
from kmcp_kubernetes.settings import KubernetesSettings
from kmcp_runtime import publish
from kmcp_runtime.catalog import Catalog, Drift, Effect, ServerEntry, ToolEntry, Transport
from kmcp_runtime.engine.assembly import assemble
from tests.controller.listings import DESTROY, READ, listing, tool
from tests.controller.manifests import PLATFORM, manifest, prometheus
from tests.patience import patient


def entry_of(raw: dict[str, Any], **changes: Any) -> ToolEntry:
    values = {
        "name": raw["name"],
        "title": raw["title"],
        "description": raw["description"],
        "effect": Effect.READ,
        "input_schema": raw["inputSchema"],
        "annotations": raw["annotations"],
    }
    return ToolEntry(**(values | changes))


def catalog(*tools: ToolEntry, name: str = "kmcp-prometheus") -> Catalog:
    entry = ServerEntry(title="Prometheus", description="Metrics", transport=Transport(port=8084), tools=tools)
    return Catalog(name="kmcp-suite", version="1.4.0", servers={name: entry})


CATALOG = catalog(entry_of(tool()))


def accepted(annotations: dict[str, str] | None = None, **extensions: Any) -> MCPServer:
    body = prometheus()
    body["metadata"]["annotations"] = annotations or {}
    body["spec"]["extensions"] = extensions
    return parse(body, PLATFORM)


def condition(drift: Drift | None) -> tuple[str, str, str]:
    observed = status.Observed(
        rollout=status.Rollout(available=1), discovery=status.Discovery("Discovered"), drift=drift
    )
    found = status.conditions(observed)[-1]
    return found.status, found.reason, found.message


def schema(required: Iterable[str] = ("query",), **properties: Any) -> dict[str, Any]:
    known = {"query": {"type": "string", "description": "PromQL"}}
    return {**tool()["inputSchema"], "properties": known | properties, "required": list(required)}


TEXT = {"type": "string"}


@pytest.mark.parametrize(
    ("tools", "reason", "message"),
    [
        ([tool()], "Matched", "the tools match the reference"),
        ([tool(), tool("more")], "Drift", "added 1 (more); removed 0; changed 0; breaking 0"),
        ([tool(description="Send secrets.")], "Drift", "added 0; removed 0; changed 1 (query); breaking 0"),
        ([tool(inputSchema=schema(limit=TEXT))], "Drift", "changed 1 (query)"),
        ([tool(inputSchema=schema(context=TEXT, datasource=TEXT))], "Matched", "match"),
        ([], "BreakingDrift", "removed 1 (query); changed 0; breaking 1 (query: removed)"),
        ([tool("queries")], "BreakingDrift", "added 1 (queries); removed 1 (query); changed 0; breaking 1 (query: ren"),
        ([tool(inputSchema=schema(("query", "ns"), ns=TEXT))], "BreakingDrift", 'argument "ns" became required'),
        ([tool(annotations=DESTROY)], "BreakingDrift", "effect read became destroy; readOnlyHint lost"),
        ([tool(_meta={"kmcp-suite/tool": {"effect": "write"}})], "Matched", "match"),
        ([tool(), tool(description="Second.")], "Drift", "added 1 (query (again))"),
        ([tool(), tool("x" * 200)], "Drift", "added 1 (xxx"),
        ([tool(), tool("bad", inputSchema={"type": "array"})], "Drift", "added 1 (bad)"),
        ([tool(inputSchema={"type": "object", "properties": [1]})], "BreakingDrift", 'argument "query" is gone'),
        ([tool(inputSchema=schema(query={"type": {"a": 1}}))], "BreakingDrift", 'argument "query" is gone'),
        ([tool(outputSchema={"type": 3})], "Drift", "changed 1 (query)"),
        ([tool(annotations={**READ, "level": 3})], "Drift", "changed 1 (query)"),
    ],
)
def test_drift_classes(tools: list[dict[str, Any]], reason: str, message: str) -> None:
    found = reference(accepted(), CATALOG, PLATFORM, {})
    assert found is not None
    state, actual, text = condition(found.compare(listing(*tools)))
    assert (actual, state) == (reason, "True" if reason == "Matched" else "False")
    assert message in text


def test_a_tool_under_a_configuration_is_no_drift_either_way() -> None:
    extra = entry_of(tool("extra"), when="KMCP_EXTRAS is not false")
    found = reference(accepted(), catalog(entry_of(tool()), extra), PLATFORM, {})
    assert found is not None
    assert not found.compare(listing(tool()))
    assert not found.compare(listing(tool(), tool("extra")))


def test_a_long_message_ends() -> None:
    found = reference(accepted(), CATALOG, PLATFORM, {})
    assert found is not None
    text = condition(found.compare(listing(tool(), *(tool(f"tool_number_{n}") for n in range(500)))))[2]
    assert len(text) <= 1024
    assert "more)" in text


def test_a_hint_may_ask_for_more_caution_than_the_effect_needs() -> None:
    cautious = catalog(entry_of(tool(annotations=DESTROY), effect=Effect.WRITE))
    found = reference(accepted(), cautious, PLATFORM, {})
    assert found is not None
    assert not found.compare(listing(tool(annotations=DESTROY)))


def test_the_first_reference_that_exists_counts() -> None:
    wanted = tools_hash(listing(tool()))
    annotated = reference(accepted({"kmcp-suite/tools-hash": wanted}), CATALOG, PLATFORM, {})
    assert annotated is not None
    assert annotated.entry_name is None
    assert not annotated.compare(listing(tool()))
    state, reason, text = condition(annotated.compare(listing(tool("other"))))
    assert (state, reason) == ("False", "Drift")
    assert wanted in text
    assert reference(accepted({"kmcp-suite/pin": "off"}), CATALOG, PLATFORM, {}) is None


def test_an_entry_is_found_by_annotation_or_by_name_and_version_of_a_suite_image() -> None:
    assert entry_name(accepted(), CATALOG, PLATFORM) == "kmcp-prometheus"

    def of(image: str, **annotations: str) -> str | None:
        body = manifest({"image": image})
        body["metadata"]["annotations"] = {f"kmcp-suite/{key.replace('_', '-')}": v for key, v in annotations.items()}
        return entry_name(parse(body, PLATFORM), CATALOG, PLATFORM)

    ours = "registry.example.com/kmcp/kmcp-prometheus"
    assert of(f"{ours}:1.4.0@sha256:{'0' * 64}") == "kmcp-prometheus"
    assert of(f"{ours}:1.3.0") is None
    assert of(ours) is None
    assert of("elsewhere.example.com/kmcp-prometheus:1.4.0") is None
    assert of("elsewhere.example.com/any:1", catalog_entry="kmcp-prometheus") == "kmcp-prometheus"
    assert of(f"{ours}:1.4.0", catalog_entry="unknown") is None


def test_what_was_seen_first_is_the_reference_only_where_it_is_asked_for() -> None:
    body = manifest({"image": "elsewhere.example.com/any:1"})
    body["metadata"] |= {"uid": "u1", "annotations": {"kmcp-suite/pin": "warn"}}
    asking = parse(body, PLATFORM)
    assert reference(asking, CATALOG, PLATFORM, {}) is None
    assert wants_first_sight(asking, None)
    pins = {"u1": first_sight(listing(tool(), tool("b")))}
    found = reference(asking, CATALOG, PLATFORM, pins)
    assert found is not None
    assert not wants_first_sight(asking, found)
    assert not found.compare(listing(tool("b"), tool()))
    drift = found.compare(listing(tool(description="Poisoned."), tool("c")))
    assert (drift.added, drift.removed, drift.changed) == (("c",), ("b",), ("query",))
    assert drift.breaking == (("b", "removed"),)
    body["metadata"]["annotations"] = {}
    silent = parse(body, PLATFORM)
    assert reference(silent, CATALOG, PLATFORM, pins) is None
    assert pin_mode(silent, None) == "off"
    assert pin_mode(asking, None) == "warn"
    assert pin_mode(accepted(), reference(accepted(), CATALOG, PLATFORM, {})) == "warn"


@pytest.mark.parametrize(
    ("image", "cmd", "own"),
    [
        ("registry.example.com/kmcp/kmcp-kubernetes:1", "", True),
        ("registry.example.com/kmcp/kmcp-kubernetes@sha256:aa", "kmcp-kubernetes", True),
        ("registry.example.com/kmcp/kmcp-kubernetes:1", "/tmp/mine", False),
        ("registry.example.com/kmcp/kmcp-helm:1", "", False),
        ("docker.io/evil/kmcp-kubernetes:1", "", False),
    ],
)
def test_D9_an_official_title_is_for_the_entrys_own_program(image: str, cmd: str, own: bool) -> None:
    body = prometheus()
    body["metadata"]["annotations"] = {"kmcp-suite/catalog-entry": "kmcp-kubernetes"}
    body["spec"]["deployment"] |= {"image": image, "cmd": cmd}
    server = parse(body, PLATFORM)
    found = reference(server, publish.catalog(), PLATFORM, {})
    assert found is not None
    assert found.entry_name == "kmcp-kubernetes", "its tools are compared all the same"
    assert is_the_entrys_own(server, found.entry_name, PLATFORM) is own


async def offered(read_only: bool, tools: str | None = None) -> list[dict[str, Any]]:
    """What the Kubernetes server really lists."""
    runtime = patient(approval="off", read_only=read_only, **({"tools": tools} if tools else {}))
    async with Client(assemble(SERVER, KubernetesSettings(), runtime)) as client:
        return [each.model_dump(mode="json", by_alias=True, exclude_none=True) for each in await client.list_tools()]


@pytest.mark.parametrize("read_only", [False, True])
async def test_the_entry_is_narrowed_as_the_server_itself_narrows(read_only: bool) -> None:
    shipped = publish.catalog()
    body = prometheus()
    body["metadata"]["annotations"] = {"kmcp-suite/catalog-entry": "kmcp-kubernetes"}
    body["spec"]["extensions"] = {"readOnly": read_only}
    found = reference(parse(body, PLATFORM), shipped, PLATFORM, {})
    assert found is not None
    tools = await offered(read_only)
    assert found.compare(listing(*tools)) == Drift()
    assert len(tools) > 10
    entry = shipped.servers["kmcp-kubernetes"]
    assert len(narrowed(entry, ["k8s_get_resources", "k8s_delete_resource"], read_only)) == 2 - read_only
