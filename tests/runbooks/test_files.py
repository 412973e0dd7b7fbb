"""Each runbook names only tools and arguments that there are, is short, and asks before it changes anything."""

import re
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import jsonschema
import pytest
from fastmcp.skills._snapshot import parse_frontmatter

from kmcp_runtime import Effect, Server, SettingsError, ToolSpec
from kmcp_runtime.runbooks.reading import MOST_LINES, Runbook, parsed, runbooks_of
from kmcp_runtime.runbooks.steps import PLACEHOLDER, NamedCall, calls_in, steps_of
from kmcp_runtime.runbooks.wording import GENERATOR, skill_text
from tests.own_servers import OWN
from tests.runbooks.stock import RUNBOOKS

_REFERENCE = re.compile(r"\brunbook\s+([a-z]+(?:-[a-z]+)+)")
_TOOL_LIKE = re.compile(r"\b(?:k8s|helm|argo|istio|cilium|prometheus|grafana)_[a-z0-9_]+")
_WALK = re.compile(r'\bWalk\("([a-z-]+)"')
every = pytest.mark.parametrize("runbook", RUNBOOKS.values(), ids=lambda runbook: runbook.name)


def tools_of(runbook: Runbook) -> dict[str, ToolSpec]:
    return {tool.name: tool for server in runbook.servers for tool in OWN[server].tools()}


def literals(value: Any) -> bool:
    """Whether a value of a call is written out whole."""
    return not re.search(r"[<{]", str(value))


def test_there_are_runbooks_for_what_goes_wrong() -> None:
    wanted = {"diagnose-pod", "why-not-ready", "roll-back", "mesh-mtls", "who-changed-this"}
    assert RUNBOOKS.keys() >= wanted
    assert len(RUNBOOKS) >= 12


@every
def test_it_names_only_tools_and_arguments_that_there_are(runbook: Runbook) -> None:
    tools = tools_of(runbook)
    calls = list(calls_in(runbook.body))
    for call in calls:
        assert call.tool in tools, f"{call.tool}: no tool of {runbook.servers}"
        schema = tools[call.tool].input_schema()
        assert call.arguments.keys() <= schema["properties"].keys(), call
        assert set(schema.get("required", ())) <= call.arguments.keys(), call
        for name, value in call.arguments.items():
            if literals(value):
                jsonschema.validate(value, schema["properties"][name])
    assert set(_TOOL_LIKE.findall(runbook.body)) == {call.tool for call in calls}
    assert {tools[call.tool].name.split("_")[0] for call in calls} == {_prefix(server) for server in runbook.servers}


def _prefix(server: str) -> str:
    return OWN[server].tools()[0].name.split("_")[0]


@every
def test_each_step_names_a_tool_or_ends_the_runbook(runbook: Runbook) -> None:
    steps = steps_of(runbook.body)
    assert [step.number for step in steps] == list(range(1, len(steps) + 1))
    for step in steps[:-1]:
        asks = "Ask for a yes" in step.text
        assert step.calls or asks, f"step {step.number} says neither what to call nor to ask"
        assert step.words or asks, f"step {step.number} does not say what to look for"


@every
def test_it_is_short_and_its_arguments_are_used(runbook: Runbook) -> None:
    assert runbook.body.count("\n") <= MOST_LINES
    assert skill_text(runbook).count("\n") <= MOST_LINES
    assert set(PLACEHOLDER.findall(runbook.body)) == {argument.name for argument in runbook.arguments}
    assert all(len(line) <= 120 or list(calls_in(line)) for line in runbook.body.splitlines())


@every
def test_what_changes_something_is_only_rehearsed(runbook: Runbook) -> None:
    tools = tools_of(runbook)
    changing = [call for call in calls_in(runbook.body) if _changes(tools[call.tool], call)]
    assert all(call.arguments.get("dry_run") is True for call in changing), changing
    assert "approval" not in {name for call in calls_in(runbook.body) for name in call.arguments}
    if changing:
        assert "Ask for a yes" in runbook.body


def _changes(tool: ToolSpec, call: NamedCall) -> bool:
    if tool.by is None:
        return tool.effect is not Effect.READ
    name = tool.by.argument
    chosen = call.arguments.get(name, tool.input_schema()["properties"][name].get("default"))
    return tool.by.effects.get(str(chosen), tool.effect) is not Effect.READ


@every
def test_the_runbooks_that_it_continues_with_are_there(runbook: Runbook) -> None:
    assert set(_REFERENCE.findall(runbook.body)) <= RUNBOOKS.keys() - {runbook.name}


@every
def test_the_skill_is_one_by_the_rules_of_agent_skills(runbook: Runbook) -> None:
    front = parse_frontmatter(skill_text(runbook).encode())
    assert (front.name, front.description) == (runbook.name, runbook.description)
    assert front.root.keys() <= {"name", "description", "license", "compatibility", "metadata", "allowed-tools"}
    assert (front.metadata or {})["generator"] == GENERATOR


def test_a_process_has_the_runbooks_whose_servers_it_has() -> None:
    alone = {runbook.name for runbook in runbooks_of([OWN["kubernetes"]])}
    assert "diagnose-pod" in alone
    assert "who-changed-this" not in alone
    together = {runbook.name for runbook in runbooks_of([OWN["kubernetes"], OWN["helm"]])}
    assert together > alone | {"who-changed-this"}
    assert runbooks_of([OWN["clock"]]) == []


HEAD = "name: x\ntitle: X\ndescription: Follow it.\n"


def faulty() -> Iterator[tuple[str, str]]:
    yield "no front matter", "begins with front matter"
    yield f"---\n{HEAD}name: y\n---\nText\n", "not valid YAML"
    yield "---\n- a\n---\nText\n", "front matter is a mapping"
    yield f"---\n{HEAD}server: [a]\n---\nText\n", "front matter has 'server'"
    yield f"---\n{HEAD}servers: [other]\n---\nText\n", "servers: a list of names with 'depot'"
    yield f"---\n{HEAD.replace('x', 'X', 1)}---\nText\n", "name: lowercase words"
    yield "---\nname: x\ntitle: X\n---\nText\n", "description: one line"
    yield f"---\n{HEAD}arguments: {{a: b}}\n---\nText\n", "arguments: a list"
    yield f"---\n{HEAD}arguments: [{{name: A, description: b}}]\n---\nText\n", "lowercase letters"
    yield f"---\n{HEAD}---\nSee {{pod}}.\n", "the text names {pod}, which is no argument"
    yield f"---\n{HEAD}---\n" + "Line\n" * 60, "more than 60"


@pytest.mark.parametrize(("text", "says"), list(faulty()))
def test_a_faulty_file_is_named_with_its_fault(text: str, says: str) -> None:
    with pytest.raises(SettingsError, match=r"^acme_depot/runbooks/x\.md: ") as caught:
        parsed(text, "depot", "acme_depot/runbooks/x.md")
    assert says in str(caught.value)


@pytest.mark.parametrize("span", ["k8s_x(a)", "k8s_x(a=b)", "k8s_x(a=1 b=2)", "k8s_x(a=1, a=2)", 'k8s_x(a="b)'])
def test_a_call_that_cannot_be_read_is_refused(span: str) -> None:
    with pytest.raises(ValueError, match="k8s_x"):
        list(calls_in(f"Call `{span}`."))


def test_values_are_filled_in() -> None:
    (call,) = calls_in('`k8s_x(a={pod}, b=<node name>, c="app={pod}", d=["<node name>"], e={none}, f=2)`')
    assert call.filled({"pod": "web"}, {"node name": "n"}) == {"a": "web", "b": "n", "c": "app=web", "d": ["n"], "f": 2}


def test_each_runbook_is_followed_to_a_planted_fault() -> None:
    """The walks stand beside the tests of the server, which have its backend."""
    folder = Path(__file__).parents[1]
    walked = [_WALK.findall(path.read_text()) for path in folder.glob("*/test_runbook_walks.py")]
    assert {name for names in walked for name in names} == RUNBOOKS.keys()


@pytest.fixture
def depot(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[..., Server]:
    """Makes a server of somebody else's, whose package has these runbooks."""

    def made(name: str, **files: str) -> Server:
        package = tmp_path / f"acme_{name}"
        (package / "runbooks").mkdir(parents=True)
        (package / "__init__.py").write_text("")
        for stem, text in files.items():
            (package / "runbooks" / f"{stem}.md").write_text(text)
        monkeypatch.syspath_prepend(str(tmp_path))
        words = {"title": name, "description": name, "instructions": name, "port": 8099}
        return Server(package=package.name, name=name, **words)  # type: ignore[arg-type]  # a port among texts

    return made


def test_a_server_of_somebody_elses_has_runbooks(depot: Callable[..., Server]) -> None:
    text = f"---\n{HEAD}servers: [depot, kubernetes]\n---\n1. Say it.\n"
    server = depot("depot", x=text, z=text.replace("name: x", "name: z").replace("depot, kubernetes", "depot"))
    assert [found.name for found in runbooks_of([server])] == ["z"]
    assert {"x", "z"} <= {found.name for found in runbooks_of([server, OWN["kubernetes"]])}


def test_two_of_one_name_are_refused(depot: Callable[..., Server]) -> None:
    text = f"---\n{HEAD}---\n1. Say it.\n"
    with pytest.raises(SettingsError, match="runbook 'x': left and right both have one of this name"):
        runbooks_of([depot("left", x=text), depot("right", x=text)])


def test_a_faulty_file_stops_the_server_at_its_start(depot: Callable[..., Server]) -> None:
    with pytest.raises(SettingsError, match=r"acme_broken/runbooks/x\.md: a runbook begins with front matter"):
        runbooks_of([depot("broken", x="1. Say it.\n")])
