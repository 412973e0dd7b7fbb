"""What `kmcp-suite connect` is given of secrets, and what the commands that it prints say of them."""

import shlex
from pathlib import Path
from typing import Any

import pytest

from kmcp_runtime import commands
from tests.runtime.test_connect import SECRET, printed, read, shell

__all__ = ["shell"]


@pytest.mark.parametrize(
    "url",
    [
        f"http://user:{SECRET}@kmcp.example.com/mcp",
        f"http://{SECRET}@kmcp.example.com",
        f"https://kmcp.example.com/mcp?a=1&token={SECRET}",
        "https://kmcp.example.com/mcp?token=tok-123",
        "https://kmcp.example.com/mcp?tools=all;api_key=tok-123",
        "https://kmcp.example.com/mcp?%74oken=tok-123",
        "https://kmcp.example.com/mcp?key=tok-123",
        "https://kmcp.example.com/mcp#access_token=tok-123",
        f"ftp://user:{SECRET}@kmcp.example.com",
        f"http://user:{SECRET}@[kmcp",
        f"http://user:{SECRET}@kmcp:port/",
    ],
)
@pytest.mark.parametrize(
    "command", [("connect", "claude-code", "--write", "--no-test"), ("catalog", "export", "cursor")]
)
def test_an_address_with_a_secret_is_refused(
    command: tuple[str, ...], url: str, capsys: pytest.CaptureFixture[str], shell: Path
) -> None:
    """It would be written without `--reveal`; the failure does not show it either."""
    with pytest.raises(SystemExit) as ended:
        commands.main([*command, "--url", url])
    out, err = capsys.readouterr()
    assert ended.value.code == 2
    assert "--token-env" in err.splitlines()[-1] or "not an address" in err
    assert "tok-123" not in out + err
    assert SECRET not in out + err
    assert not [file for file in shell.rglob("*") if file.is_file()], "nothing is written"


def test_an_address_keeps_parameters_that_are_no_secrets(capsys: pytest.CaptureFixture[str]) -> None:
    url = "http://[::1]:8080/mcp?tools=all"
    text, _ = printed(capsys, "claude-code", "--url", url, "--no-test")
    assert read("claude-code", text)["kmcp"]["url"] == url


@pytest.mark.parametrize("command", ["connect claude-code", "deploy", "test"])
@pytest.mark.parametrize("seconds", ["0", "-1", "nan", "inf", "soon"])
def test_a_time_limit_is_more_than_nothing(command: str, seconds: str, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as ended:
        commands.main([*command.split(), f"--timeout={seconds}"])
    assert ended.value.code == 2
    assert f"'{seconds}' is not a time limit; write seconds, more than 0" in capsys.readouterr().err


def test_the_line_hands_on_what_the_file_does(capsys: pytest.CaptureFixture[str], monkeypatch: Any) -> None:
    monkeypatch.setenv("PROMETHEUS_TOKEN", SECRET)
    monkeypatch.setenv("PROMETHEUS_URL", f"http://user:{SECRET}@prometheus:9090")
    monkeypatch.setenv("KMCP_READ_ONLY", "true")
    given = ("--stdio", "--server", "prometheus", "--no-test")
    text, err = printed(capsys, "claude-code", *given)
    line = shlex.split(next(each for each in err.splitlines() if " or: " in each).partition(" or: ")[2])
    handed = dict(line[n + 1].split("=", 1) for n, word in enumerate(line) if word == "--env")
    assert handed == read("claude-code", text)["kmcp-prometheus"]["env"]
    assert handed["PROMETHEUS_TOKEN"] == "${PROMETHEUS_TOKEN}"
    _, err = printed(capsys, "codex", *given)
    assert " or: " not in err, "its command cannot say which variables to hand on"
