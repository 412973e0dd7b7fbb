"""`kmcp-suite up --unit`: the service is set up as the shell that it was printed in."""

import os
import plistlib
import re
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kmcp_controller.cli.up import up
from kmcp_runtime.connect.programs import known_values, shell_settings
from kmcp_runtime.entries import installed

SECRET = "planted-password-of-the-shell"
SET = {
    "KMCP_READ_ONLY": "true",
    "KMCP_TOOLS": ",",
    "KMCP_AUDIT_FILES": "7",
    "PROMETHEUS_URL": "http://prometheus:9090/50%$HOME",
    "GRAFANA_URL": "https://grafana.example.com",
    "OTEL_EXPORTER_OTLP_ENDPOINT": "http://collector:4318",
    "KMCP_OF_A_FOREIGN_SERVER": 'a "b" \\ c\nd',
}
SECRETS = {
    "PROMETHEUS_TOKEN": SECRET,
    "KMCP_STATE_KEY": SECRET * 2,
    "KMCP_FOREIGN_TOKEN": SECRET,
    "HTTPS_PROXY": f"http://user:{SECRET}@proxy:3128",
}
RELATIVE = {"KMCP_POLICY": "policy", "KMCP_AUTH_TOKENS_FILE": "tokens", "KMCP_ISTIOCTL": "bin/istioctl"}


def as_systemd_reads(line: str) -> str:
    """The value of `Environment=` with one word in double quotes, by systemd.syntax(7) and systemd.unit(5)."""
    word = re.fullmatch(r'"((?:[^"\\\n]|\\.)*)"', line)
    assert word, line
    escapes = {"\\": b"\\", '"': b'"'}
    plain = re.sub(
        rb"\\(x[0-9a-f]{2}|.)",
        lambda found: bytes([int(found[1][1:], 16)]) if found[1][:1] == b"x" else escapes[found[1].decode()],
        word[1].encode(),
    )
    assert not re.search(rb"(?<!%)(%%)*%(?!%)", plain), "a specifier"
    return os.fsdecode(plain.replace(b"%%", b"%"))


def environment_of(unit: str, text: str) -> dict[str, str]:
    if unit == "launchd":
        found: dict[str, str] = plistlib.loads(text.encode())["EnvironmentVariables"]
        return found
    lines = [line.removeprefix("Environment=") for line in text.splitlines() if line.startswith("Environment=")]
    return dict(word.split("=", 1) for word in map(as_systemd_reads, lines))


@pytest.mark.parametrize("unit", ["systemd", "launchd"])
def test_a_unit_keeps_every_setting_of_the_shell_but_secrets(
    unit: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("KUBECONFIG", f"kc{os.pathsep}/x/other")
    monkeypatch.setenv("UNRELATED", "of another program")
    for name, value in (SET | SECRETS | RELATIVE).items():
        monkeypatch.setenv(name, value)
    assert up(["--unit", unit]) == 0
    text = capsys.readouterr().out
    environment = environment_of(unit, text)
    assert environment.items() >= SET.items()
    assert environment["KUBECONFIG"] == f"{tmp_path}/kc{os.pathsep}/x/other"
    assert {name: environment[name] for name in RELATIVE} == {n: f"{tmp_path}/{value}" for n, value in RELATIVE.items()}
    assert environment["PATH"] == os.environ["PATH"]
    assert "UNRELATED" not in environment
    assert SECRET not in text
    assert not environment.keys() & SECRETS.keys()
    comment = next(line for line in text.splitlines() if "Secrets of this shell" in line)
    assert all(name in comment for name in SECRETS), "whoever reads the file learns what is left to give"
    assert "600" in text
    if unit == "systemd":
        assert "\nEnvironmentFile=%h/.config/kmcp-suite.env\n" in text


@pytest.mark.parametrize("unit", ["systemd", "launchd"])
def test_without_secrets_a_unit_wants_none(
    unit: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    every = [each for server in installed().servers.values() for each in server.env]
    for name in shell_settings(every, os.environ).secrets:
        monkeypatch.delenv(name)
    assert up(["--unit", unit]) == 0
    text = capsys.readouterr().out
    assert "EnvironmentFile" not in text
    assert "Secrets" not in text


def test_a_value_that_no_property_list_can_hold_is_refused(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("KMCP_POLICY_CONTACT", "a\x1bb")
    assert up(["--unit", "launchd"]) == 1
    assert "cannot stand in a file for launchd" in capsys.readouterr().err


@given(st.text(st.characters(blacklist_characters="\0", blacklist_categories=["Cs"])))
def test_any_value_comes_back_as_it_was(value: str) -> None:
    from kmcp_controller.cli.units import systemd

    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("KMCP_POLICY_CONTACT", value)
        left = [*shell_settings([], os.environ).secrets]
        found = environment_of("systemd", systemd([]))
    if "KMCP_POLICY_CONTACT" not in left:
        assert found["KMCP_POLICY_CONTACT"] == value


def test_a_placeholder_goes_along_as_it_stands() -> None:
    """Dropped, it would lift a restriction; as it stands the server refuses to start."""
    assert shell_settings([], {"KMCP_READ_ONLY": "${X}", "KMCP_POLICY": "${X}"}).values == {
        "KMCP_READ_ONLY": "${X}",
        "KMCP_POLICY": "${X}",
    }


def test_a_number_of_files_is_not_a_path() -> None:
    assert known_values([], {"KMCP_AUDIT_FILES": "7", "KMCP_POLICY": "/p"}) == {
        "KMCP_AUDIT_FILES": "7",
        "KMCP_POLICY": "/p",
    }
