"""X16: what is answered before the engine is there is what the engine answers, and whatever is not certain is its."""

import json
import subprocess
import sys
from collections.abc import Mapping, Sequence
from importlib.metadata import entry_points
from pathlib import Path
from types import MappingProxyType
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from pydantic import create_model

from kmcp_runtime import Server, apps, clients, publish, write_yaml
from kmcp_runtime.distributions import SERVERS
from kmcp_runtime.instant import choice, kubeconfig, messages
from kmcp_runtime.kube.clusters import context_argument
from kmcp_runtime.kube.settings import ClusterSettings
from kmcp_runtime.schema import described, input_schema
from tests.runtime.engine_answers import ENVELOPE, INFO, MODERN, engine_answers, lists_of_runbooks, opening

ALL = sorted((point.load() for point in entry_points(group=SERVERS)), key=lambda server: server.name)
OWN = [server for server in ALL if server.package.startswith("kmcp_")]
REVISIONS = ["2025-11-25", MODERN]
OLDER = ["2024-11-05", "2025-03-26", "2025-06-18", "1999-01-01", "2026-07-28x"]
SETTINGS: dict[str, tuple[list[str], dict[str, str]]] = {
    "none": ([], {}),
    "read-only": (["--read-only"], {}),
    "read-only by variable": ([], {"KMCP_READ_ONLY": "Yes"}),
    "not read-only": (["--no-read-only"], {"KMCP_READ_ONLY": "true"}),
    "no extras": ([], {"KMCP_EXTRAS": "false"}),
    "no question": (["--approval=off"], {"KMCP_AUDIT": "false"}),
    "only a person": (["--approval", "ask", "--no-audit"], {"KMCP_TIMEOUT": "12.5"}),
    "no tool": ([], {"KMCP_TOOLS": ","}),
    "settings of HTTP": ([], {"KMCP_PORT": "9000", "KMCP_JWT_ISSUER": "https://issuer"}),
    "empty settings": ([], {"KMCP_TOOLS": "", "KUBECONFIG": "", "KMCP_CONTEXTS": ""}),
}
CONTEXTS = ["staging", "prod-eu", "arn:aws:eks:eu-west-1:1234:cluster/x"]


def kubeconfig_text(names: Sequence[str], current: str, name_first: bool = False) -> str:
    """As kubectl writes it, or with the name of each context before the rest, as people do."""
    place = {"context": {"cluster": "c", "user": "u"}}
    return write_yaml(
        {
            "apiVersion": "v1",
            "clusters": [{"cluster": {"server": "https://127.0.0.1:6443"}, "name": "c"}],
            "contexts": [{"name": name, **place} if name_first else {**place, "name": name} for name in names],
            "current-context": current,
            "kind": "Config",
            "preferences": {},
            "users": [{"name": "u", "user": {"token": "t"}}],
        }
    )


async def same(
    servers: Sequence[Server],
    argv: list[str],
    environment: dict[str, str],
    revisions: Sequence[str] = REVISIONS,
    capabilities: Mapping[str, Any] = MappingProxyType({}),
    name: str = INFO["name"],
) -> bool:
    """Whether the desk answers all; what it answers must be as the engine answers it."""
    flags = ["--transport", "stdio", *argv]
    answers = choice.answers(servers, flags, environment)
    if answers is None:
        return False
    for revision in revisions:
        lines = [*opening(revision, capabilities, name), *(() if capabilities else lists_of_runbooks(revision))]
        real = await engine_answers(servers, flags, environment, lines)
        for line in lines:
            if "id" not in line:
                continue
            era = "modern" if revision == MODERN else "handshake"
            result = answers.of(line, "" if line["id"] == 1 else era)
            if result is None and not answers.has_lists:
                assert line["method"] not in ("initialize", "server/discover")
                continue
            if result is None:  # without a runbook nothing but tools is declared, and nobody asks
                assert line["method"] not in ("tools/list", "initialize", "server/discover", "ping")
                assert not any(real[line["id"]]["result"].get(key) for key in ("prompts", "resources")), line
                continue
            assert json.loads(messages.answer(line, result)) == real[line["id"]], (revision, line["method"])
    return answers.has_lists


@pytest.mark.parametrize("case", SETTINGS)
async def test_the_desk_answers_as_the_engine_does(case: str, tmp_path: Path) -> None:
    argv, environment = SETTINGS[case]
    assert await same(OWN, argv, {"HOME": str(tmp_path), **environment})


@pytest.mark.parametrize("server", OWN, ids=lambda server: server.name)
async def test_every_server_alone_is_answered_for_alike(server: Server, tmp_path: Path) -> None:
    assert await same([server], ["--read-only"], {"HOME": str(tmp_path)})
    assert await same([server], [], {"HOME": str(tmp_path)}, [*REVISIONS, *(OLDER if server.name == "clock" else ())])


@pytest.mark.parametrize(
    ("extensions", "argv"),
    [
        ({apps.EXTENSION: {"mimeTypes": [apps.MIME_TYPE]}}, []),
        ({apps.EXTENSION: {"mimeTypes": ["text/uri-list", apps.MIME_TYPE]}, "x.example/y": {}}, ["--read-only"]),
        ({apps.EXTENSION: {"mimeTypes": ["text/html"]}}, []),
        ({apps.EXTENSION: {}}, []),
    ],
)
async def test_a_client_that_shows_views_is_answered_for_alike(
    extensions: dict[str, Any], argv: list[str], tmp_path: Path
) -> None:
    environment = {"HOME": str(tmp_path), "KMCP_LISTING": "all"}
    assert await same(OWN, argv, environment, capabilities={"extensions": extensions})


@pytest.mark.parametrize("environment", [{}, {"KMCP_OUTPUT_SCHEMAS": "true"}, {"KMCP_OUTPUT_SCHEMAS": "false"}])
async def test_X17_a_client_that_pays_twice_is_answered_for_alike(environment: dict[str, str], tmp_path: Path) -> None:
    (name,) = clients.PAYING_TWICE
    assert await same(OWN, [], {"HOME": str(tmp_path), **environment}, name=name)


async def test_a_subset_of_tools_is_listed_alike(tmp_path: Path) -> None:
    names = ", ".join(tool.name for server in OWN for tool in server.tools()[::2])
    assert await same(OWN, [], {"HOME": str(tmp_path), "KMCP_TOOLS": names, "KMCP_READ_ONLY": "1"})


async def test_X12_the_list_is_fresh_for_an_hour() -> None:
    clock = next(server for server in OWN if server.name == "clock")
    answers = await engine_answers([clock], [], {}, opening(MODERN))
    assert [answers[number]["result"]["ttlMs"] for number in (1, 2)] == [3_600_000, 3_600_000]


@pytest.mark.parametrize(("count", "name_first"), [(0, False), (1, False), (3, False), (1, True), (3, True)])
async def test_the_contexts_of_a_kubeconfig_are_listed_alike(count: int, name_first: bool, tmp_path: Path) -> None:
    file = tmp_path / "config"
    file.write_text(kubeconfig_text(CONTEXTS[:count], CONTEXTS[0] if count else "", name_first))
    for argv in ([], ["--read-only"]):
        assert await same(OWN, argv, {"HOME": str(tmp_path), "KUBECONFIG": str(file)}) or count == 0


@settings(max_examples=200, suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
@given(
    names=st.lists(st.text("ab1.:/@-_ \n'\"#yesnotrue", min_size=1, max_size=8), max_size=4),
    current=st.integers(-1, 3),
    name_first=st.booleans(),
    damage=st.sampled_from(["", "contexts:\n- name: z\n", "#", "\t", "---\n", "current-context: [a]\n"]),
)
def test_any_kubeconfig_is_read_as_the_engine_reads_it_or_left_to_it(
    names: list[str], current: int, name_first: bool, damage: str, tmp_path: Path
) -> None:
    file = tmp_path / "config"
    chosen = names[current] if 0 <= current < len(names) else ""
    file.write_text(kubeconfig_text(names, chosen, name_first) + damage)
    found = kubeconfig.facts({"kubeconfig": str(file)}, {})
    if found is None:
        return
    arguments = context_argument(ClusterSettings(kubeconfig=str(file)))
    real = {name: _schema(name, annotation) for name, (annotation, _) in arguments.items()}
    assert found.get("arguments", {}) == real


def _schema(name: str, annotation: Any) -> Any:
    fields: dict[str, Any] = {name: (described(annotation), None)}
    return input_schema(create_model("Arguments", **fields))["properties"][name]


@pytest.mark.parametrize(
    ("argv", "environment"),
    [
        (["--help"], {}),
        (["--read"], {}),
        (["--read-only=true"], {}),
        (["--timeout"], {}),
        (["--timeout", "0"], {}),
        (["--timeout", "-1"], {}),
        (["--no-approval"], {}),
        (["--transport", "http"], {}),
        (["--tools", "datetime_get_current_tim"], {}),
        ([], {"KMCP_READ_ONLY": "perhaps"}),
        ([], {"KMCP_APPROVAL": "no"}),
        ([], {"KMCP_TIMEOUT": "1e400"}),
        ([], {"KMCP_APPROVAL": "${APPROVAL}"}),
        ([], {"KMCP_DOOR_SERVERS": "/etc/servers.yaml"}),
    ],
)
def test_what_is_wrong_or_unknown_is_left_to_the_engine(argv: list[str], environment: dict[str, str]) -> None:
    clock = next(server for server in OWN if server.name == "clock")
    assert choice.answers([clock], ["--transport", "stdio"], {}) is not None
    assert choice.answers([clock], ["--transport", "stdio", *argv], environment) is None


@pytest.mark.parametrize(
    "environment",
    [
        {"KMCP_STATE_KEY": "x" * 40, "KMCP_APPROVAL_LEDGER": "lease", "KMCP_APPROVAL_NAMESPACE": "kmcp"},
        {"KMCP_AUDIT_FILE": "/var/log/kmcp/{pid}.log", "KMCP_AUDIT_FILES": "3", "KMCP_AUDIT_FILE_MEGABYTES": "7"},
        {"KMCP_AUDIT_SINKS": "otlp,stderr", "KMCP_AUDIT_OTLP_ENDPOINT": "http://collector:4318"},
        {"KMCP_AUDIT_KEY_FILE": "/etc/kmcp/key", "KMCP_RATE_LIMITS": "60/min,destroy=5/hour"},
        {"KMCP_AUDIT": "required"},
    ],
)
def test_what_shapes_no_list_waits_for_no_engine(environment: dict[str, str]) -> None:
    for server in OWN:
        plain = choice.answers([server], ["--transport", "stdio"], {"HOME": "/nowhere"})
        found = choice.answers([server], ["--transport", "stdio"], {"HOME": "/nowhere", **environment})
        assert found is not None
        assert plain is not None
        assert vars(found) == vars(plain)


@pytest.mark.parametrize(
    ("name", "environment"),
    [
        ("kubernetes", {"KMCP_CONTEXTS": "a"}),
        ("kubernetes", {"KUBECONFIG": "/a:/b"}),
        ("kubernetes", {"KUBERNETES_SERVICE_HOST": "10.0.0.1", "KUBECONFIG": ""}),
        ("prometheus", {"PROMETHEUS_DATASOURCES_FILE": "/etc/sources"}),
        ("querydoc", {"KMCP_DOCS_INDEX": "/index"}),
        ("clock", {"KMCP_POLICY": "/etc/policy"}),
    ],
)
@pytest.mark.parametrize("revision", REVISIONS)
def test_a_list_that_only_the_engine_can_tell_is_left_to_it_and_the_handshake_is_not(
    name: str, environment: dict[str, str], revision: str
) -> None:
    server = next(each for each in OWN if each.name == name)
    plain = choice.answers([server], ["--transport", "stdio"], {"HOME": "/nowhere"})
    found = choice.answers([server], ["--transport", "stdio"], {"HOME": "/nowhere", **environment})
    assert plain is not None
    assert found is not None
    hello, *asked = (line for line in [*opening(revision), *lists_of_runbooks(revision)] if "id" in line)
    assert found.of(hello, "") == plain.of(hello, "")
    era = "modern" if revision == MODERN else "handshake"
    assert not [line for line in asked if line["method"] != "ping" and found.of(line, era) is not None]
    if revision != MODERN:  # of a client that shows views no less
        found.of(opening(revision, {"extensions": {apps.EXTENSION: {"mimeTypes": [apps.MIME_TYPE]}}})[0], "")
        assert found.of(asked[0], era) is None


def test_a_file_of_another_version_is_not_used(monkeypatch: pytest.MonkeyPatch) -> None:
    load = choice._load

    def older(path: str) -> Any:
        return {**load(path), **({"suite": "0.0.1"} if "kmcp_clock" in path else {})}

    monkeypatch.setattr(choice, "_load", older)
    clock = next(server for server in OWN if server.name == "clock")
    assert choice.answers([clock], ["--transport", "stdio"], {}) is None


@pytest.mark.parametrize(
    "params",
    [
        None,
        {},
        {"protocolVersion": "2025-11-25", "capabilities": {}},
        {"protocolVersion": 1, "capabilities": {}, "clientInfo": INFO},
        {"protocolVersion": "2025-11-25", "capabilities": [], "clientInfo": INFO},
        {"protocolVersion": "2025-11-25", "capabilities": {"roots": 5}, "clientInfo": INFO},
        {"protocolVersion": "2025-11-25", "capabilities": {}, "clientInfo": {"name": "x"}},
        {"protocolVersion": "2025-11-25", "capabilities": {}, "clientInfo": {"name": "x", "version": 1}},
    ],
)
def test_a_handshake_that_is_not_plain_is_left_to_the_engine(params: Any) -> None:
    answers = messages.Answers(
        {"suite": "1", "ttl_ms": 1, "handshakes": ["2025-11-25"], "modern": [MODERN]}, {}, "", []
    )
    hello = {"jsonrpc": "2.0", "id": 1, "method": "initialize", "params": params}
    assert answers.of(hello, "") is None
    assert answers.of({**hello, "method": "tools/list", "params": {}}, "") is None
    assert answers.of({**hello, "method": "tools/list", "params": {"cursor": "x"}}, "handshake") is None
    assert answers.of({**hello, "method": "tools/list", "params": ENVELOPE}, "handshake") is None
    assert answers.of({**hello, "method": "ping", "params": ENVELOPE}, "modern") is None


@pytest.mark.parametrize(
    "line",
    [b"", b"{", b"[]", b"null", b'{"jsonrpc":"1.0","id":1,"method":"ping"}', b'{"jsonrpc":"2.0","id":1,"method":5}']
    + [b'{"jsonrpc":"2.0","id":%b,"method":"ping"}' % each for each in (b"null", b"true", b"1.5", b"[]", b"1e400")]
    + [b'{"jsonrpc":"2.0","id":1,"result":{}}', b"[" * 100_000, b"\xff\xfe"],
)
def test_what_is_no_plain_request_is_left_to_the_engine(line: bytes) -> None:
    assert messages.read(line) is None


def test_the_front_is_made_of_the_standard_library() -> None:
    program = "import sys, kmcp_kubernetes.server, kmcp_runtime.instant.kubeconfig; print(*sys.modules)"
    run = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    loaded = {name.partition(".")[0] for name in run.stdout.split()}
    assert not loaded & {"pydantic", "fastmcp", "mcp", "mcp_types", "anyio", "asyncio", "yaml", "typing_extensions"}


def test_every_own_server_is_prepared() -> None:
    files = [path for path in publish.generated() if path.name == choice.FILE]
    assert len(files) == len(OWN) + 1
