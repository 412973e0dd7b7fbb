"""The catalog document: strict to read, the same bytes to write, hashes, drift and client configuration."""

import json
import re
from typing import Any

import pytest
import yaml
from pydantic import ValidationError

from kmcp_runtime.catalog import (
    CLIENTS,
    Catalog,
    Effect,
    EnvEntry,
    InvalidDocumentError,
    Rule,
    ServerEntry,
    ToolEntry,
    Transport,
    canonical,
    diff,
    dump,
    effect_of,
    http_connections,
    load,
    stdio_connections,
    tokens_of,
    union,
)

READ = {"readOnlyHint": True, "destructiveHint": False, "idempotentHint": True, "openWorldHint": True}
DESTROY = {"readOnlyHint": False, "destructiveHint": True, "idempotentHint": False, "openWorldHint": True}


def schema(required: tuple[str, ...] = ("query",), **properties: Any) -> dict[str, Any]:
    properties = properties or {"query": {"type": "string", "description": "PromQL — über"}}
    return {
        "type": "object",
        "properties": properties,
        "required": list(required),
        "additionalProperties": False,
    }


def tool(name: str = "query", **changes: Any) -> ToolEntry:
    values: dict[str, Any] = {
        "name": name,
        "title": "Run an instant query",
        "description": "Evaluate an expression at one moment.",
        "effect": Effect.READ,
        "input_schema": schema(),
        "output_schema": {"type": "object", "properties": {"value": {"type": "number"}}},
        "annotations": READ,
    }
    return ToolEntry(**(values | changes))


def server(*tools: ToolEntry, **changes: Any) -> ServerEntry:
    values: dict[str, Any] = {
        "title": "Prometheus",
        "description": "Query metrics",
        "transport": Transport(port=8084),
        "tools": tools or (tool(),),
    }
    return ServerEntry(**(values | changes))


def catalog(**servers: ServerEntry) -> Catalog:
    named = {f"kmcp-{name}": entry for name, entry in servers.items()} or {"kmcp-prometheus": server()}
    return Catalog(name="kmcp-suite", version="1.4.0", servers=named)


@pytest.mark.parametrize(
    ("value", "text"),
    [
        ({"b": 1, "a": [True, None, "é\u2028\x01\n"]}, '{"a":[true,null,"é\u2028\\u0001\\n"],"b":1}'),
        ({"\ue000": 1, "😀": 2}, '{"😀":2,"\ue000":1}'),  # by UTF-16 code units, not code points
        ([1.0, 1e21, 1e-7, 0.000001, -0.0, 333333333.3333333, 1e20], None),
        ([2**63 - 1, 5e-324, -1.5], "[9223372036854776000,5e-324,-1.5]"),
        ({"a": None, "b": {"c": None}}, '{"b":{}}'),
    ],
)
def test_canonical_json_follows_rfc_8785(value: Any, text: str | None) -> None:
    assert canonical(value) == (text or "[1,1e+21,1e-7,0.000001,0,333333333.3333333,100000000000000000000]")


def test_no_number_is_refused() -> None:
    with pytest.raises(ValueError, match="not a JSON number"):
        canonical(float("nan"))


def test_tokens_count_bytes_of_what_a_model_reads() -> None:
    shape = {"type": "object", "description": "ü"}
    assert tokens_of("né", "abc", shape) == (3 + 3 + len('{"type":"object","description":"ü"}'.encode())) // 4
    assert tool().tokens == tokens_of(tool().name, tool().description, tool().input_schema)


def test_hash_covers_contract_and_texts_only() -> None:
    assert tool().hash == tool(aliases=("Q",), needs=(Rule("", ("pods",), ("get",)),), since="1.0").hash
    assert tool().hash.startswith("sha256:")
    assert len(tool().hash) == 71
    for change in ({"title": "x"}, {"description": "x"}, {"output_schema": None}, {"input_schema": schema(())}):
        assert tool(**change).hash != tool().hash


def test_dump_and_load_are_inverse_and_deterministic() -> None:
    odd = tool("odd", description="a: 'b'\n# no | 1e3", title="1e3", aliases=("0o7", "yes", "null"), when="extras")
    first = catalog(b=server(tool("z"), odd), a=server(tool("a")))
    text = dump(first)
    assert dump(load(text)) == text
    assert "\r" not in text
    assert text.endswith("\n")
    assert list(yaml.safe_load(text)["servers"]) == ["kmcp-a", "kmcp-b"]
    assert [each.name for each in load(text).servers["kmcp-b"].tools] == ["odd", "z"]
    loaded = load(text).servers["kmcp-b"].tools[0]
    assert (loaded.title, loaded.aliases, loaded.hash) == ("1e3", ("0o7", "yes", "null"), odd.hash)


@pytest.mark.parametrize(
    ("old", "new", "expected"),
    [
        ("title: Prometheus", "titel: Prometheus", r'line \d+|unknown key; did you mean "title"\?'),
        ("title: Prometheus", "title: &x Prometheus", "anchor"),
        ("title: Prometheus", "title: !!str Prometheus", "tag"),
        ("title: Prometheus", "title: Prometheus\n    title: Again", "given twice"),
        ("port: 8084", 'port: "8084"', "must be a whole number"),
        ("port: 8084", "port: 80840", "must be at most 65535"),
        ("effect: read", "effect: write", "effect write against hints that say read"),
        ("effect: read", "effect: reads", "'read', 'write' or 'destroy'"),
        ("      tokens: ", "      tokens: 9", r"tokens is \d+, not 9\d+; run `make catalog`"),
        ("    hash: sha256:", "    hash: sha256:0", "hash is .* not .*; run"),
        ("name: kmcp-suite\n", "name: kmcp-suite\n---\nname: other\n", "2 YAML documents"),
        ("inputSchema", "input_schema", 'did you mean "inputSchema"'),
        ("title: Prometheus", "title: [", "correct the YAML"),
    ],
)
def test_a_faulty_file_is_refused_with_line_and_next_step(old: str, new: str, expected: str) -> None:
    text = dump(catalog())
    assert old in text
    with pytest.raises(InvalidDocumentError, match=expected) as refused:
        load(text.replace(old, new, 1), "catalog.yaml")
    assert str(refused.value).startswith("catalog.yaml:")


def test_the_line_of_a_fault_is_the_line_of_the_text() -> None:
    lines = dump(catalog()).splitlines()
    number = next(i for i, line in enumerate(lines, 1) if "annotations:" in line)
    text = "\n".join(lines).replace("annotations:", "anotations:")
    with pytest.raises(InvalidDocumentError) as refused:
        load(text, "catalog.yaml")
    path = "servers.kmcp-prometheus.tools[0]"
    report = refused.value.report()
    assert f'catalog.yaml:{number}: {path}.anotations: unknown key; did you mean "annotations"?' in report
    assert any(f"{path}.annotations: required; set it" in line for line in report)


def test_deep_nesting_is_refused_before_it_is_composed() -> None:
    with pytest.raises(InvalidDocumentError, match="nested deeper"):
        load("a: " + "[" * 100_000)


@pytest.mark.parametrize(
    ("change", "expected"),
    [
        ({"name": "a" * 65}, "1 to 64"),
        ({"name": "a.b"}, "1 to 64"),
        ({"effect": None}, "both or neither"),
        ({"actions": {"get": Effect.READ}}, "both or neither"),
        ({"annotations": DESTROY}, "effect read against hints that say destroy"),
        ({"verified": "cli"}, "without why"),
        ({"hash": "sha256:0"}, "hash is"),
    ],
)
def test_a_tool_that_contradicts_itself_is_refused(change: dict[str, Any], expected: str) -> None:
    with pytest.raises(ValidationError, match=expected):
        tool(**change)


def test_mixed_effects_take_the_strongest() -> None:
    mixed = tool(effect=None, actions={"get": Effect.READ, "delete": Effect.DESTROY}, annotations=DESTROY)
    assert mixed.strongest_effect is Effect.DESTROY
    assert [effect_of(h) for h in (READ, DESTROY, {"destructiveHint": False}, {})] == [
        Effect.READ,
        Effect.DESTROY,
        Effect.WRITE,
        Effect.DESTROY,
    ]


def test_average_tokens_over_the_limit_are_refused() -> None:
    wordy = tool(description="x" * 2000)
    with pytest.raises(ValidationError, match="tokens on average, the limit is 150"):
        server(wordy)
    assert server(wordy, token_limit=700).token_limit == 700


def test_a_tool_name_twice_in_the_suite_is_refused() -> None:
    with pytest.raises(ValidationError, match=r"twice in the suite: query \(kmcp-a, kmcp-b\)"):
        catalog(a=server(), b=server())


def test_union_of_rules_is_minimal() -> None:
    rules = union(
        [
            Rule("", ("pods",), ("list", "get")),
            Rule("apps", ("deployments",), ("get",)),
            Rule("", ("pods",), ("watch",)),
            Rule("", ("services",), ("get", "list", "watch")),
        ]
    )
    assert rules == (
        Rule("", ("pods", "services"), ("get", "list", "watch")),
        Rule("apps", ("deployments",), ("get",)),
    )


STRING, INTEGER = {"type": "string"}, {"type": "integer"}
CLOSED = {"type": "string", "enum": ["a", "b"]}


@pytest.mark.parametrize(
    ("before", "after", "why"),
    [
        (schema((), ns=STRING), schema(("ns",), ns=STRING), 'argument "ns" became required'),
        (schema((), a=STRING, b=STRING), schema((), a=STRING), 'argument "b" is gone'),
        (schema((), a={"type": "number"}), schema((), a=INTEGER), 'argument "a" narrowed from integer or number'),
        (schema((), a=CLOSED), schema((), a={"type": "string", "enum": ["a"]}), 'argument "a" lost the values b'),
        (schema((), a=STRING), schema((), a=CLOSED), 'argument "a" takes fixed values only'),
        (schema((), a={"anyOf": [STRING, {"type": "null"}]}), schema((), a=STRING), "narrowed from null or string"),
        (schema((), a=STRING) | {"additionalProperties": True}, schema((), a=STRING), "no further names"),
        (schema((), a=INTEGER), schema((), a=INTEGER | {"minimum": 1}), "narrower minimum 1"),
        (
            schema((), a={"$ref": "#/$defs/A"}) | {"$defs": {"A": CLOSED}},
            schema((), a={"$ref": "#/$defs/A"}) | {"$defs": {"A": {"const": "a"}}},
            "narrowed|lost the values b",
        ),
        (
            schema((), a={"type": "array", "items": schema((), b=STRING)}),
            schema((), a={"type": "array", "items": schema(("b",), b=STRING)}),
            r'argument "a\[\].b" became required',
        ),
    ],
)
def test_narrowed_arguments_break(before: dict[str, Any], after: dict[str, Any], why: str) -> None:
    drift = diff([tool(input_schema=before)], [tool(input_schema=after)])
    assert drift.changed == ("query",)
    assert [re.search(why, reason) is not None for _, reason in drift.breaking] == [True]
    assert not diff([tool(input_schema=after)], [tool(input_schema=before)]).breaking or "narrowed" in why


@pytest.mark.parametrize(
    "change",
    [
        {"description": "Now with more words."},
        {"title": "New"},
        {"input_schema": schema(("query",), query={"type": "string"}, extra=STRING)},
        {"input_schema": schema((), query={"type": ["string", "integer"]})},
        {"output_schema": {"type": "object", "properties": {"value": {"type": "number"}, "unit": STRING}}},
    ],
)
def test_texts_and_widening_change_without_breaking(change: dict[str, Any]) -> None:
    drift = diff([tool()], [tool(**change)])
    assert (drift.changed, drift.breaking) == (("query",), ())


def test_tools_added_removed_renamed_and_stronger() -> None:
    old = [tool("a"), tool("b"), tool("c", title="other", description="Something else.")]
    new = [tool("a", effect=Effect.DESTROY, annotations=DESTROY), tool("d"), tool("e", when="extras")]
    drift = diff(old, new)
    assert (drift.added, drift.removed, drift.changed) == (("d",), ("b", "c"), ("a",))
    assert dict(drift.breaking) == {
        "b": "renamed to d",
        "c": "removed",
        "a": "effect read became destroy; readOnlyHint lost",
    }
    assert drift.summary().startswith("added 1 (d); removed 2 (b, c); changed 1 (a); breaking 3 (b: renamed to d, ")


def test_what_a_configuration_brings_is_no_drift() -> None:
    more = schema(("query", "context"), query=tool().input_schema["properties"]["query"], context=STRING)
    assert not diff([tool(), tool("x", when="extras")], [tool(input_schema=more)])


def test_a_long_summary_is_cut_and_says_so() -> None:
    summary = diff([], [tool(f"tool_{number}") for number in range(200)]).summary()
    assert len(summary) <= 1024
    assert summary.startswith("added 200 (tool_0, ")
    assert " more); removed 0" in summary


ENV = (
    EnvEntry(name="PROMETHEUS_URL", description="Base URL", required=True),
    EnvEntry(name="PROMETHEUS_TOKEN", description="Bearer token", secret=True),
    EnvEntry(name="PROMETHEUS_ORG", description="Tenant"),
)


@pytest.mark.parametrize(
    ("form", "root", "reference"),
    [
        ("claude-code", "mcpServers", "${PROMETHEUS_TOKEN}"),
        ("windsurf", "mcpServers", "${env:PROMETHEUS_TOKEN}"),
        ("gemini-cli", "mcpServers", "${PROMETHEUS_TOKEN}"),
        ("vscode", "servers", "${input:PROMETHEUS_TOKEN}"),
        ("cursor", "mcpServers", "${env:PROMETHEUS_TOKEN}"),
    ],
)
def test_stdio_exports_name_secrets_and_hold_none(form: str, root: str, reference: str) -> None:
    servers = {"kmcp-prometheus": server(env=ENV)}
    found = CLIENTS[form].document(stdio_connections(servers, lambda name: (name, "--transport", "stdio")))
    entry = found[root]["kmcp-prometheus"]
    assert (entry["command"], entry["args"]) == ("kmcp-prometheus", ["--transport", "stdio"])
    assert entry["env"]["PROMETHEUS_TOKEN"] == reference
    assert "PROMETHEUS_ORG" not in entry["env"]
    json.dumps(found)


def test_a_client_that_knows_no_variables_gets_none() -> None:
    found = stdio_connections({"kmcp-prometheus": server(env=ENV)}, lambda name: (name,))
    for form, root in (("claude-desktop", "mcpServers"), ("zed", "context_servers")):
        assert CLIENTS[form].document(found)[root]["kmcp-prometheus"] == {"command": "kmcp-prometheus", "args": []}
    handed = CLIENTS["codex"].document(found)["mcp_servers"]["kmcp-prometheus"]["env_vars"]
    assert handed == ["PROMETHEUS_URL", "PROMETHEUS_TOKEN"]


def test_http_exports_give_each_server_its_address() -> None:
    connections = http_connections({"kmcp-prometheus": server()}, "http://127.0.0.1:8080/", token="SUITE_TOKEN")
    url = "http://127.0.0.1:8080/prometheus/mcp"
    code = CLIENTS["claude-code"].document(connections)["mcpServers"]["kmcp-prometheus"]
    assert code == {"type": "http", "url": url, "headers": {"Authorization": "Bearer ${SUITE_TOKEN}"}}
    code = CLIENTS["vscode"].document(connections)
    assert code["servers"]["kmcp-prometheus"]["headers"] == {"Authorization": "Bearer ${input:SUITE_TOKEN}"}
    assert code["inputs"] == [
        {
            "type": "promptString",
            "id": "SUITE_TOKEN",
            "description": "Bearer token of kmcp-prometheus",
            "password": True,
        }
    ]
    cursor = CLIENTS["cursor"].document(connections)["mcpServers"]["kmcp-prometheus"]
    assert cursor == {"url": url, "headers": {"Authorization": "Bearer ${env:SUITE_TOKEN}"}}
    desktop = CLIENTS["claude-desktop"].document(connections)["mcpServers"]["kmcp-prometheus"]
    assert desktop == {"command": "npx", "args": ["-y", "mcp-remote", url]}
