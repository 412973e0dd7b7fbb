"""The model of MCPServer and of the platform settings that its meaning depends on."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field, StrictBool, StrictInt, model_validator
from pydantic.alias_generators import to_camel

OURS = "kmcp-suite/"  # prefix of every annotation and label of ours
API_GROUP, API_VERSION, KIND = "kagent.dev", "kagent.dev/v1alpha1", "MCPServer"
LAUNCHERS = ("uvx", "npx")  # commands that fetch their program, so that no image need be named
DEFAULT_PORT = 3000

Adapter = Literal["none", "agentgateway", "bridge"]
Object = dict[str, Any]  # a core/v1 object, left open: the API server checks it when it is applied


class Model(BaseModel):
    # forbid: a misspelt field must be a fault here, since the API server takes any where the schema is open.
    model_config = ConfigDict(
        extra="forbid", frozen=True, alias_generator=to_camel, validate_by_name=True, validate_by_alias=True
    )

    @model_validator(mode="before")
    @classmethod
    def _without_nulls(cls, given: Any) -> Any:
        """As an API server drops the null of a known field before it fills in defaults."""
        if not isinstance(given, Mapping):
            return given
        known = {each.alias for each in cls.model_fields.values()}
        return {key: value for key, value in given.items() if value is not None or key not in known}


class LocalObjectReference(Model):
    name: str = ""


class TLS(Model):
    secret_ref: str | None = None
    insecure_skip_verify: StrictBool = False


class HttpTransport(Model):
    target_port: StrictInt | None = None
    path: str | None = None
    tls: TLS | None = None


class InitContainer(Model):
    image: str | None = None
    image_pull_policy: Literal["Always", "Never", "IfNotPresent"] | None = None
    resources: Object | None = None
    security_context: Object | None = None


class ServiceAccount(Model):
    annotations: dict[str, str] = Field(default_factory=dict)
    labels: dict[str, str] = Field(default_factory=dict)


class Deployment(Model):
    image: str = ""
    image_pull_policy: Literal["Always", "Never", "IfNotPresent"] = "IfNotPresent"
    port: StrictInt = DEFAULT_PORT
    cmd: str = ""
    args: tuple[str, ...] = ()
    env: dict[str, str] = Field(default_factory=dict)
    secret_refs: tuple[LocalObjectReference, ...] = ()
    config_map_refs: tuple[LocalObjectReference, ...] = ()
    volumes: tuple[Object, ...] = ()
    volume_mounts: tuple[Object, ...] = ()
    init_container: InitContainer | None = None
    service_account: ServiceAccount | None = None
    service_account_name: str = ""
    sidecars: tuple[Object, ...] = ()
    labels: dict[str, str] = Field(default_factory=dict)
    annotations: dict[str, str] = Field(default_factory=dict)
    security_context: Object = Field(default_factory=dict)
    pod_security_context: Object = Field(default_factory=dict)
    resources: Object | None = None
    tolerations: tuple[Object, ...] = ()
    affinity: Object | None = None
    node_selector: dict[str, str] | None = None
    image_pull_secrets: tuple[LocalObjectReference, ...] = ()
    replicas: StrictInt | None = None


class Spec(Model):
    transport_type: str | None = None  # checked by `parse`, for a fault that names the choices
    stdio_transport: Object | None = None
    http_transport: HttpTransport = Field(default_factory=HttpTransport)
    timeout: str = "30s"
    deployment: Deployment
    extensions: Object | None = None


class EnvVar(Model):
    name: str
    value: str | None = None
    value_from: Object | None = None


class Probes(Model):
    startup: Object | None = None
    readiness: Object | None = None
    liveness: Object | None = None


class UpdateStrategy(Model):
    type: str | None = None
    rolling_update: Object | None = None
    grace_period_seconds: StrictInt | None = Field(default=None, ge=0)


class Network(Model):
    ingress_from: tuple[Object, ...] | None = None
    egress_to: tuple[Object, ...] | None = None


class Remote(Model):
    enabled: StrictBool = False
    description: str = ""
    allowed_namespaces: Object | None = None


class HeaderSource(Model):
    type: Literal["Secret", "ConfigMap"]
    name: str
    key: str


class Header(Model):
    """As of a RemoteMCPServer, which takes a copy."""

    name: str
    value: str | None = None
    value_from: HeaderSource | None = None


class Extensions(Model):
    """What upstream's resource has no field for: one block, in `spec.extensions` or in an annotation."""

    env: tuple[EnvVar, ...] = ()
    probes: Probes = Field(default_factory=Probes)
    tools: tuple[str, ...] | None = None
    read_only: StrictBool = False
    update_strategy: UpdateStrategy | None = None
    scaling: Literal["fixed", "external"] = "fixed"
    security: Literal["auto", "restricted", "compatible", "none"] = "auto"
    network: Network | None = None
    rbac: Literal["none", "bind", "derive"] = "none"
    remote: Remote = Field(default_factory=Remote)
    headers_from: tuple[Header, ...] = ()
    stdio_adapter: Literal["agentgateway", "bridge"] | None = None


@dataclass(frozen=True)
class MCPServer:
    """A manifest that was accepted."""

    name: str
    namespace: str
    uid: str
    generation: int
    annotations: Mapping[str, str]  # ours only
    transport: Literal["stdio", "http"]
    timeout: float  # seconds
    timeout_text: str
    http: HttpTransport
    deployment: Deployment
    extensions: Extensions
    extensions_hash: str | None  # sha256:<12 hex>

    @property
    def port(self) -> int:
        return self.deployment.port

    @property
    def target_port(self) -> int:
        return (self.http.target_port if self.transport == "http" else None) or self.port

    @property
    def path(self) -> str:
        return (self.http.path if self.transport == "http" else None) or "/mcp"

    @property
    def host(self) -> str:
        return f"{self.name}.{self.namespace}.svc"

    @property
    def url(self) -> str:
        return f"{self._scheme}://{self.host}:{self.port}{self.path}"

    def url_at(self, address: str) -> str:
        """Where one pod listens."""
        # Brackets around IPv6 in a URL: RFC 3986, 3.2.2.
        host = f"[{address}]" if ":" in address else address
        return f"{self._scheme}://{host}:{self.target_port}{self.path}"

    @property
    def blocks(self) -> bool:
        """Pods with other tools than the reference get no traffic."""
        return self.annotations.get(OURS + "pin") == "block"

    @property
    def _scheme(self) -> str:
        return "https" if self.transport == "http" and self.http.tls else "http"


@dataclass(frozen=True)
class Platform:
    """What whoever runs the platform has set; in a cluster the chart's values."""

    suite_images: tuple[str, ...] = ("localhost/kmcp",)
    namespace: str = "kmcp-system"
    labels: Mapping[str, str] = field(default_factory=lambda: {"app.kubernetes.io/name": "kmcp"})
    app_protocol: str = "kgateway.dev/mcp"
    adapter_image: str = "ghcr.io/agentgateway/agentgateway:0.9.0-musl"
    bridge_image: str = "localhost/kmcp/kmcp-bridge:latest"
    default_images: Mapping[str, str] = field(
        default_factory=lambda: {"uvx": "ghcr.io/astral-sh/uv:debian", "npx": "node:24-alpine3.21"}
    )
    remote: Literal["never", "requested", "always"] = "requested"
    allow_block: bool = False
    server_roles: tuple[Literal["bind", "derive"], ...] = ()  # what the extension rbac may be, beside none
    discovery_token: str = ""  # file with what discovery shows to the suite's own servers
    role_prefix: str = "kmcp"  # of the ClusterRoles of the catalog: the name of the chart's release


def repository(image: str) -> str:
    """An image's name without tag and digest."""
    name = image.partition("@")[0]
    head, colon, tail = name.rpartition(":")
    return head if colon and "/" not in tail else name


def variant(image: str, suffix: str) -> str:
    """The image whose tag continues with this suffix; a digest names one image, whatever is beside it."""
    if not suffix or "@" in image:
        return image
    name = repository(image)
    return f"{name}:{image[len(name) + 1 :] or 'latest'}{suffix}"


def is_suite_image(image: str, platform: Platform) -> bool:
    name = repository(image)
    return any(name == prefix or name.startswith((f"{prefix}/", f"{prefix}-")) for prefix in platform.suite_images)


def adapter_of(
    transport: str | None, deployment: Deployment, choice: Literal["agentgateway", "bridge"] | None, platform: Platform
) -> Adapter:
    """What speaks HTTP for a server of stdio; decided by manifest and platform alone, the first match wins."""
    if transport != "stdio":
        return "none"
    if choice:
        return choice
    if deployment.init_container and deployment.init_container.image:
        return "agentgateway"
    if not deployment.image and deployment.cmd in LAUNCHERS:
        return "bridge"
    return "bridge" if is_suite_image(deployment.image, platform) else "agentgateway"
