"""Configuration: one settings class per server, filled from flags, then environment, then defaults.

A field becomes the flag `--its-name` and the environment variable `KMCP_ITS_NAME`, unless it names the backend's own
variable (`KUBECONFIG`). Secret fields have no flag: a command line can be read by every user of a machine.
"""

import argparse
import logging
import re
import types
from collections.abc import Mapping, Sequence
from typing import Any, ClassVar, Literal, Union, get_args, get_origin

from pydantic import BaseModel, ConfigDict, Field, SecretStr, ValidationError, field_validator
from pydantic.fields import FieldInfo

from kmcp_runtime.findings import Finding, findings
from kmcp_runtime.identities import Caller, Identity

_SHORTEST_KEY_BYTES = 32
# As clients write a variable in their configuration: those that do not know it hand the very words on.
_PLACEHOLDER = re.compile(r"\$\{[^{}]*\}\Z")
log = logging.getLogger("kmcp.settings")


class SettingsError(Exception):
    """A setting that cannot be used; the text names it, its value's fault, and where it is set."""


def setting(
    default: Any,
    description: str,
    *,
    env: str | None = None,
    unit: str | None = None,
    required: bool = False,
    of_http: bool = False,
    may_be_empty: bool = False,
    **limits: Any,
) -> Any:
    """A field of a settings class. `required`: the server has no backend without it; `of_http`: it says nothing to a
    server over stdio, so whoever sets it does not want one; `may_be_empty`: an empty text is a value, not unset."""
    extra: Any = {"env": env, "unit": unit, "required": required, "of_http": of_http, "may_be_empty": may_be_empty}
    return Field(default=default, description=description, json_schema_extra=extra, **limits)


class Settings(BaseModel):
    """Base of a server's settings: each field is one, declared with `setting`."""

    # Input stays out of complaints: it may be a secret.
    model_config = ConfigDict(extra="forbid", frozen=True, hide_input_in_errors=True)
    restricting: ClassVar[bool] = False
    """Whether unset may mean more than what was meant, so that a value that did not arrive is a fault."""

    shaping: ClassVar[tuple[str, ...]] = ()
    """Settings that change the list of tools whatever their value, so that no prepared list holds."""
    facts: ClassVar[str] = ""
    """`module:function` that tells without the engine how the surroundings shape the list (`instant.choice`)."""
    surroundings: ClassVar[tuple[str, ...]] = ()
    """The arguments that it may add."""

    def extra_arguments(self) -> Mapping[str, Any]:
        """Arguments that every tool has under this configuration: name to (annotation, default)."""
        return {}

    def identity_of(self, caller: Caller) -> Identity | None:
        """As whom calls of this caller reach the backend; None as the server. Errors: `denied` for who may not."""
        return None


class RuntimeSettings(Settings):
    """What every server has."""

    restricting: ClassVar[bool] = True

    transport: Literal["auto", "stdio", "http"] = setting(
        "auto", "How clients connect; auto is stdio where stdin is a pipe and nothing of HTTP is set, and else http"
    )
    host: str = setting("127.0.0.1", "Address to listen on", of_http=True)
    port: int = setting(0, "Port of /mcp (0: the server's own default)", ge=0, le=65535, of_http=True)
    management_port: int = setting(
        8081, "Port of /healthz, /readyz and /metrics (0: none)", ge=0, le=65535, of_http=True
    )
    stateful: bool | None = setting(
        None,
        "Keep sessions of the older protocol revision, so that its clients can be asked (unset: for those that begin "
        "one, unless KMCP_STATE_KEY says that there may be replicas)",
        of_http=True,
    )
    read_only: bool = setting(False, "Offer only what changes nothing")
    tools: str | None = setting(
        None, "Only these tools, separated by commas (a comma alone: none; unset or empty: all)"
    )
    listing: Literal["auto", "all", "few"] = setting(
        "auto",
        "What tools/list shows: all tools, or the most used and a search for the others; auto is few where several "
        "servers are served together",
    )
    door_servers: str = setting(
        "",
        "File of foreign MCP servers whose tools are behind this server's door, too; it is read again when it changes",
    )
    output_schemas: bool | None = setting(
        None,
        "List the schemas of answers, and answer as text and as data (off: as text alone; unset: off for clients that "
        "are known to hand both to their model)",
    )
    extras: bool = setting(True, "Offer the tools beyond the registry")
    approval: Literal["plan", "ask", "off"] = setting(
        "plan", "Who approves destruction: a person or a second call with the plan's token, only a person, or nobody"
    )
    state_key: SecretStr | None = setting(
        None, "Key that seals approvals, shared by replicas, of 32 bytes or more (unset: one per process)"
    )
    approval_ledger: Literal["process", "lease"] = setting(
        "process",
        "Where used approvals are recorded: in the process, which then accepts only its own, or as Leases of the "
        "cluster, which replicas with the same key share",
    )
    approval_namespace: str = setting("", "Namespace of these Leases (unset: the server's own)")
    timeout: float = setting(
        30.0,
        "Deadline of a call; longer where it is asked to wait, and for a tool that takes longer by its nature: its "
        "page in the reference says so",
        unit="seconds",
        gt=0,
        le=3600,
    )
    concurrency: int = setting(32, "Backend calls at the same time", ge=1, le=1000)
    answer_tokens: int = setting(8000, "Budget of an answer", unit="tokens of 4 bytes", ge=500, le=20000)
    allow_unauthenticated: bool = setting(False, "Listen beyond loopback without authentication", of_http=True)
    auth_tokens_file: str = setting(
        "",
        "File with bearer tokens, each line `token name [scope …]`; scopes: read, write, destroy, list (sees the tools "
        "and calls none), or a server's name",
        of_http=True,
    )
    jwt_issuer: str = setting("", "Issuer of accepted JSON Web Tokens", of_http=True)
    jwt_audience: str = setting("", "Audience that a JSON Web Token must name", of_http=True)
    jwt_jwks_url: str = setting("", "Where the issuer's keys are", of_http=True)
    jwt_scopes: str = setting(
        "",
        "Scopes of a JSON Web Token that has no claim `scope` or `scp`, as in a token file, separated by commas "
        "(empty: everything)",
        of_http=True,
    )
    token_review: bool = setting(
        False,
        "Accept bearer tokens that the API server of this server's own cluster confirms (TokenReview)",
        of_http=True,
    )
    token_audience: str = setting("kmcp", "Audience that such a token must be for", min_length=1, of_http=True)
    token_grants: str = setting(
        "*=read",
        "What their callers may: `user=scope …` or `group:name=scope …`, separated by semicolons; * in a name stands "
        "for any text, the first that fits decides, and whom none fits may nothing",
        of_http=True,
    )
    policy: str = setting(
        "", "Policy of what callers may do, in Cedar: a file or a directory of *.cedar (unset: what their scopes allow)"
    )
    policy_contact: str = setting("", "Whom a caller asks for what the policy does not allow, as its failures say it")
    rate_limits: str = setting(
        "",
        "Calls that a caller may make: `60/min`, `k8s_*=10/min` by tool, `destroy=5/hour` by effect, separated by "
        "commas; each that fits counts (empty: no limit)",
    )
    base_url: str = setting("", "Public URL of this server, for the protected-resource metadata", of_http=True)
    allowed_hosts: str = setting("", "Host headers to accept beside loopback, separated by commas", of_http=True)
    allowed_origins: str = setting("", "Browser origins to accept, separated by commas", of_http=True)
    log_level: Literal["debug", "info", "warning", "error"] = setting("info", "Lowest severity that is logged")
    audit: bool | Literal["required"] = setting(
        True,
        "Write one JSON line for each call and each refused request; required: what changes something begins only when "
        "its line could be written",
    )
    audit_sinks: str = setting(
        "",
        "Where the lines go, of stderr, file and otlp, separated by commas (unset: to the file or the endpoint that is "
        "named, else to stderr)",
    )
    audit_file: str = setting("", "File of these lines; {hostname} and {pid} in it are those of the process")
    audit_file_megabytes: int = setting(100, "Size at which the file is rotated", unit="MiB", ge=1, le=10_000)
    audit_files: int = setting(10, "Files that are kept, the current one among them", ge=1, le=1000)
    audit_key_file: str = setting(
        "", "File with a key of 32 bytes or more: lines are then chained by HMAC, which only its holder can make"
    )
    audit_otlp_endpoint: str = setting(
        "", "URL of an OpenTelemetry collector that takes logs over OTLP/HTTP; without a path /v1/logs is asked"
    )
    audit_otlp_headers: SecretStr | None = setting(
        None, "Headers of these requests, as `name=value`, separated by commas"
    )

    @field_validator("state_key")
    @classmethod
    def _long_enough(cls, key: SecretStr | None) -> SecretStr | None:
        # With fewer, whoever holds one sealed text could find the key by trying them all, offline.
        if key is not None and len(key.get_secret_value().encode()) < _SHORTEST_KEY_BYTES:
            raise ValueError(f"needs at least {_SHORTEST_KEY_BYTES} bytes; `openssl rand -base64 32` makes a key")
        return key

    def tool_names(self) -> tuple[str, ...] | None:
        """The tools that are named; None where all are meant. An empty list means none."""
        return None if self.tools is None else listed(self.tools)


def listed(text: str) -> tuple[str, ...]:
    """The parts of a setting that holds several values, separated by commas; empty ones are left out."""
    return tuple(part for part in (piece.strip() for piece in text.split(",")) if part)


def variable(name: str, field: FieldInfo) -> str:
    """The environment variable of a field."""
    return str(_extra(field, "env") or f"KMCP_{name.upper()}")


def flag(name: str) -> str:
    return "--" + name.replace("_", "-")


def is_secret(field: FieldInfo) -> bool:
    return SecretStr in (field.annotation, *get_args(field.annotation))


def is_required(field: FieldInfo) -> bool:
    return bool(_extra(field, "required"))


def is_of_http(field: FieldInfo) -> bool:
    return bool(_extra(field, "of_http"))


def may_be_empty(field: FieldInfo) -> bool:
    return bool(_extra(field, "may_be_empty"))


def _extra(field: FieldInfo, name: str) -> Any:
    """What `setting` was told beside the type, the default and the description."""
    extra = field.json_schema_extra
    return extra.get(name) if isinstance(extra, dict) else None


def describe(field: FieldInfo) -> str:
    """The description with its unit and default, as help and the README show it."""
    unit = _extra(field, "unit")
    default = "" if field.default in (None, "", False) else f"; default {str(field.default).lower()}"
    return f"{field.description}{f' ({unit})' if unit else ''}{default}"


def parse(
    classes: Sequence[type[Settings]], argv: Sequence[str], environment: Mapping[str, str], program: str, about: str
) -> dict[type[Settings], Settings]:
    """Fill every class from the command line and the environment."""
    # No abbreviations: `--read` would become another flag's when a setting is added.
    parser = argparse.ArgumentParser(prog=program, description=about, allow_abbrev=False)
    fields = {name: field for cls in classes for name, field in cls.model_fields.items()}
    for name, field in fields.items():
        _add(parser, name, field)
    flags = {name: value for name, value in vars(parser.parse_args(argv)).items() if value is not None}
    return {cls: _filled(cls, flags, environment) for cls in classes}


def _add(parser: argparse.ArgumentParser, name: str, field: FieldInfo) -> None:
    # argparse formats its help with %, so a percent sign in a description must be doubled.
    about = f"{describe(field)} [{variable(name, field)}]".replace("%", "%%")
    if is_secret(field):
        return
    if words := _words_beside_a_switch(field.annotation):
        # `--x`, `--x=word` and `--no-x`.
        parser.add_argument(flag(name), dest=name, nargs="?", const="true", choices=words, default=None, help=about)
        parser.add_argument(flag(f"no_{name}"), dest=name, action="store_const", const="false", help=argparse.SUPPRESS)
    elif field.annotation in (bool, bool | None):
        parser.add_argument(flag(name), dest=name, action=argparse.BooleanOptionalAction, default=None, help=about)
    else:
        choices = get_args(field.annotation) if get_origin(field.annotation) is Literal else None
        metavar = None if choices else _metavar(field.annotation)
        parser.add_argument(flag(name), dest=name, choices=choices, metavar=metavar, default=None, help=about)


def _words_beside_a_switch(annotation: Any) -> tuple[str, ...]:
    """What `bool | Literal["word"]` takes on the command line; nothing for other types."""
    parts = get_args(annotation)
    words = tuple(word for part in parts for word in get_args(part))
    return ("true", "false", *words) if bool in parts and words else ()


def _metavar(annotation: Any) -> str:
    if get_origin(annotation) in (Union, types.UnionType):
        annotation = get_args(annotation)[0]
    return {int: "N", float: "SECONDS"}.get(annotation, "TEXT")


def _filled(cls: type[Settings], flags: Mapping[str, Any], environment: Mapping[str, str]) -> Settings:
    given: dict[str, Any] = {}
    for name, field in cls.model_fields.items():
        value = flags[name] if name in flags else environment.get(variable(name, field))
        if value is None or (value == "" and not may_be_empty(field)):
            continue
        if not _is_unexpanded(value):
            given[name] = value
        elif cls.restricting and not is_secret(field):
            raise SettingsError(
                f"{flag(name)} / {variable(name, field)}: {value} was not expanded by the client that starts this "
                "server; write the value itself, or remove it from the client's configuration"
            )
        else:
            log.warning("%s is %s, which nothing has expanded, so it counts as unset", variable(name, field), value)
    try:
        return cls.model_validate(given)
    except ValidationError as error:
        raise SettingsError("; ".join(_complaint(cls, found) for found in findings(error, cls))) from None


def read_variable(environment: Mapping[str, str], name: str) -> str:
    """A variable that is read outside of a settings class; empty where it is unset, as above."""
    value = environment.get(name, "")
    return "" if _is_unexpanded(value) else value


def _is_unexpanded(value: Any) -> bool:
    return isinstance(value, str) and _PLACEHOLDER.match(value.strip()) is not None


def _complaint(cls: type[Settings], found: Finding) -> str:
    name = str(found.path[0]) if found.path else ""
    field = cls.model_fields.get(name)
    where = f"{flag(name)} / {variable(name, field)}" if field else name
    return f"{where}: {found.text}" if where else found.text
