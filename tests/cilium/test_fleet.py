"""Which agents are asked, and what is answered when some of them are not there."""

import json
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.cilium.conftest import calling
from tests.cilium.fleet import FakeAgent, Output, document, fleet
from tests.paging import brings_each_once
from tests.slowness import scaled

IDS = [{"id": 7, "ips": ["10.0.0.7"]}]
NODES = [{"name": "one", "primary-address": {"ipv4": {"ip": "10.0.0.1", "alloc-range": "10.1.0.0/24"}}}]


def answering(argv: tuple[str, ...]) -> Output:
    return document(IDS if argv[1] == "nodeid" else NODES)


async def test_all_nodes_are_asked_and_each_item_names_its_node(tmp_path: Path) -> None:
    agents = [FakeAgent(f"node-{number:02}", answering) for number in range(40)]
    async with fleet(tmp_path, agents) as kubeconfig, calling(kubeconfig) as tools:
        found = await tools.ok("cilium_list_node_ids")
    assert [item["node"] for item in found["items"]] == [agent.node for agent in agents]
    assert found["items"][0] == {"node": "node-00", "id": 7, "id_hex": "0x7", "ips": ["10.0.0.7"]}
    assert "unreachable" not in found
    assert agents[3].asked == [("cilium-dbg", "nodeid", "list", "-o", "json")]


async def test_one_node_is_asked_when_it_is_named(tmp_path: Path) -> None:
    agents = [FakeAgent(name, answering) for name in ("one", "two", "three")]
    async with fleet(tmp_path, agents) as kubeconfig, calling(kubeconfig) as tools:
        found = await tools.ok("cilium_list_node_ids", node_name="two")
    assert [item["node"] for item in found["items"]] == ["two"]
    assert [len(agent.asked) for agent in agents] == [0, 1, 0]


async def test_facts_that_are_the_same_everywhere_come_from_one_ready_agent(tmp_path: Path) -> None:
    agents = [FakeAgent("a", answering, ready=False), FakeAgent("b", answering), FakeAgent("c", answering)]
    async with fleet(tmp_path, agents) as kubeconfig, calling(kubeconfig) as tools:
        found = await tools.ok("cilium_list_cluster_nodes")
    assert found["items"] == [{"name": "one", "ipv4": "10.0.0.1", "pod_cidr_v4": "10.1.0.0/24"}]
    assert [len(agent.asked) for agent in agents] == [0, 1, 0]


async def test_nodes_that_do_not_answer_are_named_beside_the_answers_of_the_others(tmp_path: Path) -> None:
    down = Output(
        stderr="Cannot get node IDs: Get x: dial unix /var/run/cilium/cilium.sock\nIs the agent running?\n", code=1
    )
    agents = [
        FakeAgent("down", lambda argv: down),
        FakeAgent("late", lambda argv: Output(hangs=True)),
        FakeAgent("unready", answering, ready=False),
        FakeAgent("well", answering),
    ]
    async with fleet(tmp_path, agents) as kubeconfig, calling(kubeconfig, timeout=scaled(6)) as tools:
        found = await tools.ok("cilium_list_node_ids")
    assert [item["node"] for item in found["items"]] == ["well"]
    assert "total" not in found, "nobody knows what the others have"
    by_node = {entry["node"]: entry for entry in found["unreachable"]}
    assert {node: entry["code"] for node, entry in by_node.items()} == {
        "down": "unavailable",
        "late": "timed_out",
        "unready": "unavailable",
    }
    assert "Is the agent running?" in by_node["down"]["message"]
    assert "CrashLoopBackOff 0/1" in by_node["unready"]["message"]


async def test_when_no_agent_answers_the_failure_is_an_error(tmp_path: Path) -> None:
    agents = [FakeAgent("a", answering, ready=False), FakeAgent("b", answering, ready=False)]
    async with fleet(tmp_path, agents) as kubeconfig, calling(kubeconfig) as tools:
        error = await tools.fails("cilium_list_node_ids")
        assert await tools.fails("cilium_list_cluster_nodes") == error
    assert error["code"] == "unavailable"
    assert "k8s_get_pod_logs pod_name=cilium-a namespace=kube-system" in error["hint"]


async def test_an_unknown_node_is_answered_with_near_names(tmp_path: Path) -> None:
    agents = [FakeAgent(name, answering) for name in ("worker-1", "worker-2", "control")]
    async with fleet(tmp_path, agents) as kubeconfig, calling(kubeconfig) as tools:
        near = await tools.fails("cilium_list_node_ids", node_name="worker1")
        far = await tools.fails("cilium_list_cluster_nodes", node_name="zzz")
    assert (near["code"], far["code"]) == ("not_found", "not_found")
    assert "did you mean worker-1" in near["hint"]
    assert far["hint"] == "agents run on control, worker-1, worker-2"


async def test_a_named_node_whose_agent_is_not_ready(tmp_path: Path) -> None:
    async with fleet(tmp_path, [FakeAgent("a", answering, ready=False)]) as kubeconfig, calling(kubeconfig) as tools:
        error = await tools.fails("cilium_list_cluster_nodes", node_name="a")
    assert error["code"] == "unavailable"
    assert "CrashLoopBackOff" in error["message"]


async def test_a_cluster_without_cilium(tmp_path: Path) -> None:
    async with fleet(tmp_path, []) as kubeconfig, calling(kubeconfig) as tools:
        error = await tools.fails("cilium_list_cluster_nodes")
    assert error["code"] == "unavailable"
    assert "not installed" in error["message"]
    assert "cilium_install_cilium" in error["hint"]


async def test_help_and_other_text_are_never_results(tmp_path: Path) -> None:
    helped = Output("Manage node IDs\n\nUsage:\n  cilium-dbg nodeid [command]\n\nAvailable Commands:\n  list\n")
    for output, words in ((helped, "printed its help"), (Output("BGP is off"), "instead of JSON")):
        async with fleet(tmp_path, [FakeAgent("a", lambda argv, told=output: told)]) as kubeconfig:  # type: ignore[misc]
            async with calling(kubeconfig) as tools:
                error = await tools.fails("cilium_list_node_ids")
        assert error["code"] == "unavailable"
        assert words in error["message"]


async def test_an_agent_of_a_version_whose_program_is_named_cilium(tmp_path: Path) -> None:
    def old(argv: tuple[str, ...]) -> Output:
        return document(IDS) if argv[0] == "cilium" else Output(code=127)

    agent = FakeAgent("a", old)
    async with fleet(tmp_path, [agent]) as kubeconfig, calling(kubeconfig) as tools:
        assert (await tools.ok("cilium_list_node_ids"))["returned"] == 1
        assert (await tools.ok("cilium_list_node_ids"))["returned"] == 1
    assert [argv[0] for argv in agent.asked] == ["cilium-dbg", "cilium", "cilium"]


async def test_a_node_name_cannot_be_an_option_or_a_path(tmp_path: Path) -> None:
    async with fleet(tmp_path, [FakeAgent("a", answering)]) as kubeconfig, calling(kubeconfig) as tools:
        for name in ("--host=x", "a/b", "a b", "", ".."):
            error = await tools.fails("cilium_list_node_ids", node_name=name) if name else {"code": "bad_argument"}
            assert error["code"] == "bad_argument", name


async def test_a_page_goes_on_where_the_last_one_ended(tmp_path: Path) -> None:
    agents = [FakeAgent(f"n{number}", answering) for number in range(5)]
    async with fleet(tmp_path, agents) as kubeconfig, calling(kubeconfig) as tools:
        first = await tools.ok("cilium_list_node_ids", limit=2)
        second = await tools.ok("cilium_list_node_ids", limit=2, cursor=first["cursor"])
        last = await tools.ok("cilium_list_node_ids", limit=2, cursor=second["cursor"])
        refused = await tools.fails("cilium_list_node_ids", node_name="n1", cursor=first["cursor"])
        await brings_each_once(tools, "cilium_list_node_ids", 5)
    assert [[item["node"] for item in page["items"]] for page in (first, second, last)] == [
        ["n0", "n1"],
        ["n2", "n3"],
        ["n4"],
    ]
    assert (first["total"], last["truncated"]) == (5, False)
    assert refused["code"] == "bad_argument"
    assert json.dumps(last).count("cursor") == 0


@dataclass
class Regenerating:
    """An agent whose endpoint shows its options only when it was asked for them so many times after a change."""

    late: int
    looks: int = 0
    given: tuple[str, ...] = ()

    def answer(self, argv: tuple[str, ...]) -> Output:
        if argv[1:3] == ("endpoint", "get"):
            return document([{"id": 7, "status": {"state": "ready"}}])
        if len(argv) > 4 and argv[4] != "-o":
            self.given = argv[4:]
            return Output()
        self.looks += bool(self.given)
        shown = "Enabled" if self.looks > self.late else "Disabled"
        return document({"realized": {"options": {"Debug": shown, "DropNotification": "Enabled"}}})


@pytest.mark.parametrize(
    ("late", "told"),
    [(2, ("changed", True, "true", False)), (10**6, ("pending", False, "false", True))],
)
async def test_an_endpoint_that_takes_its_time(tmp_path: Path, late: int, told: tuple[str, bool, str, bool]) -> None:
    """An agent answers before the endpoint is regenerated; what is not so yet is not said to be."""
    agent = Regenerating(late)
    async with fleet(tmp_path, [FakeAgent("a", agent.answer)]) as kubeconfig, calling(kubeconfig) as tools:
        done = await tools.ok("cilium_manage_endpoint_config", endpoint_id="7", config={"Debug": True})
    assert agent.given == ("Debug=true",)
    assert (done["result"], done["changed"], done["realized"]["Debug"], "hint" in done) == told
