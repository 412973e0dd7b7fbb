"""Configuration: flags before environment before defaults, help that lists all of it, faults that say where."""

import subprocess
import sys

import pytest

from kmcp_runtime import RuntimeSettings, SettingsError, commands
from kmcp_runtime.settings import describe, flag, is_secret, parse, read_variable, variable
from tests.runtime import shelf
from tests.slowness import scaled


def filled(argv: list[str], environment: dict[str, str]) -> RuntimeSettings:
    found = parse([RuntimeSettings, shelf.ShelfSettings], argv, environment, "test", "test")[RuntimeSettings]
    assert isinstance(found, RuntimeSettings)
    return found


def test_flags_come_before_the_environment_and_that_before_defaults() -> None:
    assert filled([], {}).port == 0
    assert filled([], {"KMCP_PORT": "7"}).port == 7
    assert filled(["--port", "8"], {"KMCP_PORT": "7"}).port == 8
    assert filled(["--no-extras"], {"KMCP_EXTRAS": "true"}).extras is False
    assert filled([], {"KMCP_READ_ONLY": "true"}).read_only is True


def test_a_backend_keeps_the_name_that_it_is_known_by() -> None:
    own = parse([shelf.ShelfSettings], [], {"SHELF_URL": "there"}, "test", "test")[shelf.ShelfSettings]
    assert own == shelf.ShelfSettings(shelf_url="there")


@pytest.mark.parametrize(
    ("argv", "environment", "told"),
    [
        (["--port", "70000"], {}, "--port / KMCP_PORT: "),
        ([], {"KMCP_TIMEOUT": "soon"}, "--timeout / KMCP_TIMEOUT: "),
        ([], {"KMCP_READ_ONLY": "perhaps"}, "--read-only / KMCP_READ_ONLY: "),
        (["--concurrency", "0"], {"KMCP_PORT": "x"}, "--port / KMCP_PORT: "),
    ],
)
def test_a_fault_names_the_flag_and_the_variable(argv: list[str], environment: dict[str, str], told: str) -> None:
    with pytest.raises(SettingsError, match=told):
        filled(argv, environment)


def test_a_secret_has_no_flag() -> None:
    with pytest.raises(SystemExit):
        filled(["--state-key", "x"], {})
    environment = {"KMCP_STATE_KEY": "planted-state-key-of-forty-four-characters=="}
    assert filled([], environment).state_key is not None
    assert "planted" not in repr(filled([], environment))


def test_D7_a_short_state_key_is_refused_with_the_way_to_make_one() -> None:
    with pytest.raises(
        SettingsError, match="KMCP_STATE_KEY: needs at least 32 bytes; `openssl rand -base64 32`"
    ) as told:
        filled([], {"KMCP_STATE_KEY": "planted-and-of-31-bytes-in-all."})
    assert "planted" not in str(told.value)


def test_help_lists_every_setting_with_unit_and_default(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        shelf.SERVER.main(["--help"])
    text = " ".join(capsys.readouterr().out.split())
    for settings in (RuntimeSettings, shelf.ShelfSettings):
        for name, field in settings.model_fields.items():
            if not is_secret(field):
                assert flag(name) in text
                assert f"[{variable(name, field)}]" in text
                assert " ".join(describe(field).split()) in text


@pytest.mark.parametrize(
    ("argv", "told"),
    [
        (["kubernetes", "--host", "0.0.0.0"], "--allow-unauthenticated"),
        (["kubernets"], "did you mean kubernetes?"),
        (["kubernetes", "--tools", "k8s_get_resorces"], "did you mean k8s_get_resources"),
        (
            ["kubernetes", "--port", "1", "--management-port", "0", "--host", "192.0.2.77", "--allow-unauthenticated"],
            "cannot listen on 192.0.2.77:1",
        ),
    ],
)
def test_a_server_that_cannot_start_says_why_in_one_line(argv: list[str], told: str) -> None:
    command = [sys.executable, "-m", "kmcp_runtime.commands", "serve", *argv]
    ended = subprocess.run(command, capture_output=True, text=True, check=False, timeout=scaled(60))
    assert ended.returncode == 2
    assert told in ended.stderr
    assert "Traceback" not in ended.stderr


def test_an_unknown_command_is_answered_with_a_suggestion(capsys: pytest.CaptureFixture[str]) -> None:
    assert commands.main(["srve"]) == 2
    assert "did you mean serve?" in capsys.readouterr().err
    assert commands.main([]) == 0
    assert "serve" in capsys.readouterr().out


@pytest.mark.parametrize("left", ["${SHELF_URL}", "${env:SHELF_URL}", "${input:url}", "${SHELF_URL:-}", " ${X} "])
def test_X14_what_a_client_has_not_expanded_counts_as_unset(left: str) -> None:
    default = parse([shelf.ShelfSettings], [], {}, "test", "test")
    assert parse([shelf.ShelfSettings], [], {"SHELF_URL": left}, "test", "test") == default
    assert parse([shelf.ShelfSettings], ["--shelf-url", left], {}, "test", "test") == default
    assert filled([], {"KMCP_STATE_KEY": left}).state_key is None
    assert read_variable({"KUBECONFIG": left}, "KUBECONFIG") == ""


@pytest.mark.parametrize("kept", ["$HOME", "a${b}", "${a}/b", "${a", "{a}"])
def test_what_only_looks_like_it_is_a_value(kept: str) -> None:
    found = parse([shelf.ShelfSettings], [], {"SHELF_URL": kept}, "test", "test")[shelf.ShelfSettings]
    assert found == shelf.ShelfSettings(shelf_url=kept)
    assert read_variable({"KUBECONFIG": kept}, "KUBECONFIG") == kept


@pytest.mark.parametrize("name", ["KMCP_READ_ONLY", "KMCP_TOOLS", "KMCP_APPROVAL", "KMCP_AUTH_TOKENS_FILE"])
def test_a_restriction_that_did_not_arrive_is_no_permission(name: str) -> None:
    with pytest.raises(SettingsError, match=f"{name}: .* was not expanded"):
        filled([], {name: "${X}"})
