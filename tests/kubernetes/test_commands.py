"""k8s_execute_command in real containers: output, exit codes, input, time, and every refusal."""

import pytest

from kmcp_kubernetes.tools.commands import words
from kmcp_runtime.judging import READS
from kmcp_runtime.kube.api import KubeApi
from kmcp_runtime.kube.failures import StatusFailure
from kmcp_runtime.tracing import backend_requests
from tests.cluster.model import Cluster
from tests.kubernetes.conftest import pod
from tests.kubernetes.making import make, pod_when, pods_path, running
from tests.mcp import ToolCaller


@pytest.mark.pods
async def test_commands_in_a_container(tools: ToolCaller, api: KubeApi, cluster: Cluster, namespace: str) -> None:
    body = pod("web", cluster.image, "sleep", "3600")
    body["spec"]["containers"].append({**body["spec"]["containers"][0], "name": "side"})
    await running(api, namespace, body)
    where = {"pod_name": "web", "namespace": namespace, "container": "main"}
    both = await tools.ok("k8s_execute_command", **where, command=["sh", "-c", "echo out; echo err >&2; exit 3"])
    assert (both["stdout"], both["stderr"], both["exit_code"], both["container"]) == ("out\n", "err\n", 3, "main")
    spaced = await tools.ok("k8s_execute_command", **where, command=["printf", "%s|", "a b", "$HOME", "*"])
    assert spaced["stdout"] == "a b|$HOME|*|"
    split = await tools.ok("k8s_execute_command", **where, command="echo 'a  b' c")
    assert split["stdout"] == "a  b c\n"
    fed = await tools.ok("k8s_execute_command", **where, command=["cat"], stdin="über\nlines\n")
    assert (fed["stdout"], fed["exit_code"]) == ("über\nlines\n", 0)
    absent = await tools.ok("k8s_execute_command", **where, command=["no-such-program"])
    assert absent["exit_code"] == 127
    assert "no-such-program" in absent["hint"]
    unusable = await tools.ok("k8s_execute_command", **where, command=["/etc/passwd"])
    assert unusable["exit_code"] == 126
    # The command outlasts the limit of this test: that there is an answer shows that nobody waited for its end.
    slow = await tools.ok(
        "k8s_execute_command", **where, command=["sh", "-c", "echo begun; sleep 36000"], timeout_seconds=2
    )
    assert (slow["timed_out"], slow["stdout"]) == (True, "begun\n")
    assert "exit_code" not in slow
    flood = await tools.ok("k8s_execute_command", **where, command=["seq", "1", "300000"])
    assert flood["truncated"] is True
    written = sum(len(str(number)) + 1 for number in range(1, 300001))
    assert (flood["bytes_total"], flood["stdout"].splitlines()[-1]) == (written, "300000")
    assert f"{written} bytes were written: these are from the end" in flood["hint"]
    less = await tools.ok("k8s_execute_command", **where, command=["seq", "1", "30000"])
    assert (less["bytes_total"], less["stdout"].splitlines()[-1]) == (168894, "30000")
    assert "What is shown is the end." in less["hint"]
    alone = await tools.ok("k8s_execute_command", **where, command=["FOO=bar", "env"])
    assert alone["exit_code"] == 127
    assert "an assignment of a shell" in alone["hint"]
    whole = await tools.ok("k8s_execute_command", **where, command=["ls -l /"])
    assert "words one by one" in whole["hint"]
    rehearsed = await tools.ok("k8s_execute_command", **where, command=["touch", "/tmp/x"], dry_run=True)
    assert rehearsed["dry_run"] is True
    assert "exit_code" not in rehearsed
    assert (await tools.ok("k8s_execute_command", **where, command=["test", "-e", "/tmp/x"]))["exit_code"] == 1
    unchosen = await tools.fails("k8s_execute_command", pod_name="web", namespace=namespace, command=["true"])
    assert (unchosen["code"], unchosen["hint"]) == ("bad_argument", "its containers: main, side")
    unknown = await tools.fails("k8s_execute_command", **{**where, "container": "mian"}, command=["true"])
    assert unknown["code"] == "bad_argument"
    assert "main" in unknown["message"]


@pytest.mark.pods
async def test_a_finished_pod_runs_nothing(tools: ToolCaller, api: KubeApi, cluster: Cluster, namespace: str) -> None:
    await make(api, pods_path(namespace), pod("done", cluster.image, "true", restartPolicy="Never"))
    await pod_when(api, namespace, "done", lambda found: found["status"].get("phase") == "Succeeded", "the end")
    refused = await tools.fails("k8s_execute_command", pod_name="done", namespace=namespace, command=["true"])
    assert refused["code"] == "conflict"
    assert "Succeeded" in refused["message"]


@pytest.mark.cluster
async def test_a_pod_that_does_not_run_yet(tools: ToolCaller, api: KubeApi, namespace: str) -> None:
    await make(api, pods_path(namespace), pod("later", "none", schedulerName="none"))
    refused = await tools.fails("k8s_execute_command", pod_name="later", namespace=namespace, command=["true"])
    assert refused["code"] == "conflict"
    assert "Pending" in refused["message"]
    absent = await tools.fails("k8s_execute_command", pod_name="latr", namespace=namespace, command=["true"])
    assert absent["code"] == "not_found"
    assert "later" in absent["hint"]


@pytest.mark.cluster
@pytest.mark.parametrize(
    "command",
    [
        "ls | wc",
        "a && b",
        "echo $HOME",
        'echo "$HOME"',
        "echo `id`",
        "ls *.txt",
        "a > b",
        "a; b",
        "(a)",
        "ls ~/x",
        "echo 'a",
        "FOO=bar cmd",
        "FOO=bar BAR='a b' env",
        "cd /tmp",
        "export A=1",
        "source /x",
        "if true",
    ],
)
async def test_shell_syntax_in_a_text_is_refused(tools: ToolCaller, command: str) -> None:
    refused = await tools.fails("k8s_execute_command", pod_name="web", command=command)
    assert refused["code"] == "bad_argument"
    assert '["sh","-c"' in refused["message"]


@pytest.mark.cluster
@pytest.mark.parametrize("arguments", [{"command": []}, {"command": ""}, {"command": ["a"], "timeout_seconds": 0}])
async def test_arguments_that_make_no_command_are_refused(tools: ToolCaller, arguments: dict[str, object]) -> None:
    assert (await tools.fails("k8s_execute_command", pod_name="web", **arguments))["code"] == "bad_argument"


def test_quoted_words() -> None:
    assert words("grep -c 'a|b; $c' \"x y\" z\\&") == ["grep", "-c", "a|b; $c", "x y", "z&"]
    assert words(["sh", "-c", "a | b"]) == ["sh", "-c", "a | b"]


async def test_a_refused_stream_is_counted_as_an_answer(api: KubeApi, namespace: str) -> None:
    ended: list[tuple[str, str]] = []
    path = f"/api/v1/namespaces/{namespace}/pods/absent/exec"
    with backend_requests.counted_by(lambda backend, outcome, seconds: ended.append((backend, outcome))):
        with pytest.raises(StatusFailure):
            await api.open_websocket(path, (("command", "true"),), ["v5.channel.k8s.io"], READS)
    # The stream, and the same request once more for the server's words.
    assert ended == [("kube-apiserver", "client_error")] * 2
