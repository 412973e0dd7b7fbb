"""How often `up` asks a server that does not list its tools, and how the line of such a server reads."""

from kmcp_controller import status
from kmcp_controller.cli.instances import _text
from kmcp_controller.local.local_server import LocalServer
from kmcp_controller.local.pauses import ask_pause
from kmcp_controller.local.up import _line


def test_a_server_that_fails_is_asked_ever_more_seldom_and_says_so() -> None:
    assert [ask_pause(failures) for failures in (1, 2, 3, 7, 5000)] == [1, 2, 4, 60, 60]
    assert ask_pause(0) == 300
    server = LocalServer("large", "local", rollout=status.Rollout(replicas=1, updated=1, available=1))
    server.discovered = status.Discovery("TooLarge", "more than 4 MiB")
    server.update()
    assert _line(server) == "large: no tools listed, Ready, TooLarge: more than 4 MiB"
    shown = {"name": "large", "ready": True, "toolCount": 0, "unlisted": "TooLarge: more than 4 MiB"}
    assert "Ready, TooLarge: more than 4 MiB" in _text({"port": 1, "state": "running", "servers": [shown]})
