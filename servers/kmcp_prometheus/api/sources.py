"""The data sources that are configured: the one of PROMETHEUS_URL, and those of a file.

- name: eu                            # the names are the values of the argument `datasource`
  url: https://prometheus.eu.example/prometheus
  token_file: /run/secrets/eu         # or token; or username and password
  tenant: team-a                      # X-Scope-OrgID
  headers: {X-Extra: value}
  ca_file: /etc/ssl/eu.pem            # cert_file, key_file, insecure
"""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, SecretStr, TypeAdapter, ValidationError

from kmcp_prometheus.settings import PrometheusSettings
from kmcp_runtime import ToolFailure, YamlError, faults, read_yaml, unavailable, unpublished
from kmcp_runtime.upstream import Access, SetIn

API = "/api/v1"
DEFAULT = "default"
_GRACE_SECONDS = 2.0
"""Added to the deadline that is sent along, so that Prometheus' own timeout message arrives before ours."""
_TENANT_HEADER = "X-Scope-OrgID"
_OWN = SetIn(
    url="PROMETHEUS_URL",
    credentials="PROMETHEUS_TOKEN, or PROMETHEUS_USERNAME and PROMETHEUS_PASSWORD",
    tls="PROMETHEUS_CA_FILE or PROMETHEUS_CERT_FILE",
    timeout="PROMETHEUS_TIMEOUT",
)


@dataclass(frozen=True)
class Datasource:
    """One Prometheus, by name."""

    name: str
    access: Access
    seconds: float
    """Deadline that queries are given."""


class _Entry(BaseModel):
    """One data source as it stands in the file."""

    model_config = ConfigDict(extra="forbid")

    name: str = Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9._-]{0,62}$")
    url: str
    token: SecretStr | None = None
    token_file: str = ""
    username: str = ""
    password: SecretStr | None = None
    tenant: str = ""
    headers: dict[str, str] = Field(default_factory=dict)
    ca_file: str = ""
    cert_file: str = ""
    key_file: str = ""
    insecure: bool = False


def configured(settings: PrometheusSettings) -> tuple[Datasource, ...]:
    """Every data source, the default first; `unavailable` says what to set when there is none."""
    found = [_own(settings)] if settings.prometheus_url else []
    found += _of_file(settings) if settings.prometheus_datasources_file else []
    if not found:
        raise unavailable(
            "no Prometheus is configured",
            "set PROMETHEUS_URL to its address (http://prometheus:9090), or PROMETHEUS_DATASOURCES_FILE",
        )
    names = [source.name for source in found]
    # A name is the value of the argument `datasource`, so two of the same could not be told apart.
    for name in names:
        if names.count(name) > 1:
            raise unavailable(f"two data sources are named {name!r}", "rename one in PROMETHEUS_DATASOURCES_FILE")
    return tuple(found)


def known(settings: PrometheusSettings) -> tuple[Datasource, ...]:
    """The same, empty when the configuration cannot be used; the first call reports why."""
    try:
        return configured(settings)
    except ToolFailure:
        return ()


def arguments(settings: PrometheusSettings) -> Mapping[str, Any]:
    """`datasource`, when there is a choice; `prometheus_url` of older callers, when it names a configured one."""
    sources = known(settings)
    addresses = {_plain(source.access.url) for source in sources}

    def configured_one(url: str | None) -> str | None:
        if url is not None and _plain(url) not in addresses:
            raise ValueError("the address is configured on the server and callers cannot choose it: leave it out")
        return url

    # Taken, but never followed: an address from a caller would turn this server into a proxy into the cluster.
    legacy = Annotated[str | None, AfterValidator(configured_one), unpublished("Address, from older callers")]
    found: dict[str, Any] = {"prometheus_url": (legacy, None)}
    if len(sources) > 1:
        names = tuple(source.name for source in sources)
        choice = Literal[names]  # type: ignore[valid-type]  # the names are known at run time only
        found["datasource"] = (Annotated[choice | None, f"Which Prometheus; default {names[0]}"], None)
    return found


def chosen(sources: tuple[Datasource, ...], given: Mapping[str, Any]) -> Datasource:
    """The data source that a call's arguments name, or the default."""
    name, url = given.get("datasource"), given.get("prometheus_url")
    for source in sources:
        if source.name == name or (name is None and url is not None and _plain(source.access.url) == _plain(url)):
            return source
    return sources[0]


def _plain(url: str) -> str:
    # People paste the address with or without the API's path; both mean the same data source.
    return url.strip().rstrip("/").removesuffix(API).rstrip("/")


def _own(settings: PrometheusSettings) -> Datasource:
    access = Access(
        url=_plain(settings.prometheus_url),
        set_in=_OWN,
        token=settings.prometheus_token,
        token_file=settings.prometheus_token_file,
        username=settings.prometheus_username,
        password=settings.prometheus_password,
        headers=_tenant(settings.prometheus_tenant),
        ca_file=settings.prometheus_ca_file,
        cert_file=settings.prometheus_cert_file,
        key_file=settings.prometheus_key_file,
        insecure=settings.prometheus_insecure,
        seconds=settings.prometheus_timeout + _GRACE_SECONDS,
    )
    return Datasource(DEFAULT, access, settings.prometheus_timeout)


def _of_file(settings: PrometheusSettings) -> list[Datasource]:
    path = settings.prometheus_datasources_file
    try:
        entries = TypeAdapter(list[_Entry]).validate_python(read_yaml(Path(path).read_text()))
    except OSError as error:
        raise _unusable(path, error.strerror or str(error)) from None
    except (YamlError, UnicodeDecodeError) as error:
        raise _unusable(path, f"not valid YAML:  {' '.join(str(error).split())}") from None
    except ValidationError as error:
        raise _unusable(path, "; ".join(faults(list[_Entry], error, "field"))) from None
    return [_named(entry, settings) for entry in entries]


def _named(entry: _Entry, settings: PrometheusSettings) -> Datasource:
    where = f"of data source {entry.name} in {settings.prometheus_datasources_file}"
    set_in = SetIn(
        url=f"url {where}",
        credentials=f"token, or username and password, {where}",
        tls=f"ca_file or cert_file {where}",
        timeout="PROMETHEUS_TIMEOUT",
    )
    fields = entry.model_dump(exclude={"name", "url", "tenant", "headers"})
    # The tenant wins over a header of the same name, since it is the more specific setting.
    headers = {**entry.headers, **_tenant(entry.tenant)}
    seconds = settings.prometheus_timeout
    access = Access(url=_plain(entry.url), set_in=set_in, headers=headers, seconds=seconds + _GRACE_SECONDS, **fields)
    return Datasource(entry.name, access, seconds)


def _tenant(name: str) -> dict[str, str]:
    return {_TENANT_HEADER: name} if name else {}


def _unusable(path: str, why: str) -> ToolFailure:
    return unavailable(f"PROMETHEUS_DATASOURCES_FILE {path}: {why}", "a list of {name, url, token_file, tenant, …}")
