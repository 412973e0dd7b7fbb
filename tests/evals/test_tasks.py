"""Each task names tools and arguments that exist, and what judges it is none of our tools."""

import re
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import Any

import jsonschema
import pytest

from evals.reference import judge
from evals.task import Step, Task, load
from evals.world import SERVERS
from kmcp_runtime.catalog import load as read_catalog

CATALOG = Path(__file__).parents[2] / "catalog.yaml"
DOOR = {
    "search_tools": {"query": {"type": "string"}, "limit": {"type": "integer"}},
    "call_tool": {"name": {"type": "string"}, "arguments": {"type": "object"}},
}
TASKS = load()


@cache
def schemas() -> dict[str, dict[str, Any]]:
    """Input schemas by tool, of all servers; `context` is there where several clusters are configured."""
    catalog = read_catalog(CATALOG.read_text())
    found = {tool.name: tool.input_schema for server in catalog.servers.values() for tool in server.tools}
    door = {name: {"properties": fields, "additionalProperties": False} for name, fields in DOOR.items()}
    return found | door


def calls(step: Step) -> Iterator[tuple[str, dict[str, Any]]]:
    """The step's call, and the one that it passes on."""
    yield step.tool, step.arguments
    if step.tool == "call_tool":
        yield step.arguments["name"], step.arguments["arguments"]


@pytest.mark.parametrize("task", TASKS, ids=[task.name for task in TASKS])
def test_a_task_names_tools_and_arguments_that_exist(task: Task) -> None:
    for step in task.steps:
        for tool, arguments in calls(step):
            schema = schemas()[tool]
            given = {key: value for key, value in arguments.items() if key != "context" or "contexts" not in task.needs}
            jsonschema.validate(given, schema)


@pytest.mark.parametrize("task", TASKS, ids=[task.name for task in TASKS])
def test_a_prompt_is_what_a_person_writes(task: Task) -> None:
    """It names no tool and no step, or it would give away what is to be found."""
    words = task.prompt.split()
    assert 5 <= len(words) <= 90
    assert not set(words) & schemas().keys()
    assert "<ns>" not in task.prompt or task.server != "prometheus"


@pytest.mark.parametrize("task", TASKS, ids=[task.name for task in TASKS])
def test_an_answer_that_says_nothing_holds_nothing_of_what_is_to_be_found(task: Task) -> None:
    for answer in ("Done, as you know; it was deleted and is gone now.", "https://127.0.0.1:1234 answered."):
        assert not any(re.search(expression, answer) for expression in task.find)


@pytest.mark.parametrize(
    "answer", ["The web deployment was NOT deleted.", "You declined.", "the person who was asked did not approve x"]
)
def test_the_ways_to_say_that_a_person_said_no_are_found(answer: str) -> None:
    (task,) = (task for task in TASKS if task.name == "the-person-says-no")
    assert judge(task, answer, {}) == []


def test_a_client_with_room_for_40_tools_needs_every_server_for_three_tasks() -> None:
    """The budget of `listed` is what such a client takes; the run fails where the list is longer."""
    tasks = [task for task in TASKS if task.budget.listed is not None]
    assert len(tasks) == 3
    assert all(task.budget.listed == 40 and task.server == "door" and not task.address for task in tasks)
    catalog = read_catalog(CATALOG.read_text())
    server_of = {
        tool.name: name.removeprefix("kmcp-") for name, server in catalog.servers.items() for tool in server.tools
    }
    asked = {tool for task in tasks for step in task.steps for tool, _ in calls(step)} - DOOR.keys()
    assert {server_of[tool] for tool in asked} == set(SERVERS)


@pytest.mark.parametrize(
    ("change", "told"),
    [
        ({"check": []}, "nothing is judged"),
        ({"check": [{"kubectl": "get x"}]}, "name what is wanted"),
        ({"check": [{"equals": "x"}]}, "name one of kubectl"),
        ({"promt": "x"}, "promt"),
        ({"steps": []}, "at least 1"),
        ({"name": "No name"}, "pattern"),
    ],
)
def test_a_faulty_file_is_refused_with_file_task_and_fault(tmp_path: Path, change: dict[str, Any], told: str) -> None:
    sound = {
        "name": "one-task",
        "server": "helm",
        "prompt": "x",
        "steps": [{"tool": "helm_list_releases"}],
        "check": [{"kubectl": "get x", "equals": "y"}],
    }
    (tmp_path / "a.yaml").write_text(str(sound))
    assert [task.name for task in load(tmp_path)] == ["one-task"]
    (tmp_path / "a.yaml").write_text(str(sound | change))
    with pytest.raises(ValueError, match=told) as caught:
        load(tmp_path)
    assert "a.yaml" in str(caught.value)


def test_a_name_stands_once(tmp_path: Path) -> None:
    sound = "{name: one-task, server: helm, prompt: x, steps: [{tool: t}], find: [y]}"
    (tmp_path / "a.yaml").write_text(f"{sound}\n---\n{sound}\n")
    with pytest.raises(ValueError, match="names used twice: one-task"):
        load(tmp_path)
