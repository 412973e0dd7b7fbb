"""Settings of the controller in a cluster: flags, else the environment that the chart sets."""

from typing import Literal

from kmcp_controller.reconcile.tenants import Tenancy
from kmcp_controller.spec import Platform, repository
from kmcp_controller.spec.privileges import Allowed
from kmcp_runtime.settings import Settings, listed, setting

_STATIC = "-musl"
_TAG = r"([A-Za-z0-9][A-Za-z0-9.\-]{0,120})?"


class ControllerSettings(Settings):
    kubeconfig: str = setting("", "Kubeconfig (unset: the pod's own account)", env="KUBECONFIG")
    controller_namespace: str = setting("kmcp-system", "Namespace of the controller and of its Lease")
    controller_pod: str = setting("", "Name of this replica (unset: a random one)")
    controller_deployment: str = setting("", "The controller's own Deployment; its Lease is deleted with it")
    controller_labels: str = setting("app.kubernetes.io/name=kmcp", "Labels of the controller's pods")
    watch_namespaces: str = setting("", "Only these namespaces, separated by commas (empty: all)")
    catalog_file: str = setting(
        "",
        "Catalogs, separated by commas: each a file, a folder of parts, URL#sha256=DIGEST or "
        "oci://…@sha256:DIGEST; the shipped one first",
    )
    suite_images: str = setting("localhost/kmcp", "Prefixes of the suite's images, separated by commas")
    adapter_image: str = setting(Platform.adapter_image, "Image of agentgateway")
    transport_adapter_version: str = setting(
        "",
        "Version of agentgateway (empty: the tag of its image)",
        env="TRANSPORT_ADAPTER_VERSION",
        pattern=f"^{_TAG}$",
    )
    bridge_image: str = setting(Platform.bridge_image, "Image of the suite's stdio adapter")
    uvx_image: str = setting("ghcr.io/astral-sh/uv:debian", "Image for uvx behind agentgateway")
    npx_image: str = setting("node:24-alpine3.21", "Image for npx behind agentgateway")
    app_protocol: str | None = setting(None, "appProtocol of Services (empty: none)")
    disable_app_protocol: bool = setting(False, "No appProtocol", env="DISABLE_KGATEWAY_MCP_APP_PROTOCOL")
    reference_secrets: Literal["get", "watch", "none"] = setting(
        "get", "How Secrets are read: polled, watched, or not at all"
    )
    workers: int = setting(16, "Passes at the same time", ge=1, le=256)
    requests_per_second: int = setting(500, "Budget of requests to the API server", ge=1, le=10000)
    max_concurrent_rollouts: int = setting(
        10, "Servers that a new version of the controller rolls out at the same time", ge=1
    )
    former_managers: str = setting("manager", "Field managers of earlier controllers, separated by commas")
    leader_election: bool = setting(True, "Hold a Lease: needed with more than one replica")
    discovery: bool = setting(True, "Ask ready servers for their tools")
    discovery_interval: int = setting(300, "How often a ready server is asked again", unit="seconds", ge=5)
    discovery_token_file: str = setting(
        "", "File with the token that the suite's own servers are shown when they are asked (empty: none)"
    )
    pin: Literal["off", "warn"] = setting("warn", "What happens on drift unless the MCPServer says otherwise")
    catalog_port: int = setting(8082, "Port of the catalog's pages (0: none)", ge=0, le=65535)
    catalog_auth: Literal["none", "kubernetes"] = setting(
        "none", "Who may read the catalog: anyone, or callers whose token has the right"
    )
    registry_namespace: str = setting("local.cluster", "Namespace of servers' names in the registry API")
    health_address: str = setting(":8081", "Where /healthz and /readyz are served (empty: nowhere)", may_be_empty=True)
    metrics_address: str = setting("", "Where /metrics is served (empty: nowhere)")
    metrics_certificate: str = setting(
        "", "Folder with tls.crt and tls.key: /metrics over TLS, for callers with the right to get that path"
    )
    remote_mcp_servers: Literal["never", "requested", "always"] = setting("requested", "Create RemoteMCPServers")
    server_roles: Literal["none", "bind", "derive"] = setting("none", "What the extension rbac may ask for")
    role_prefix: str = setting("kmcp", "Prefix of the ClusterRoles of the catalog")
    tenants: bool = setting(True, "Hold MCPServers to what their authors may do")
    tenant_policy: str = setting(
        "", "The ValidatingAdmissionPolicy that asks for the rights of who writes an MCPServer (empty: there is none)"
    )
    trusted_namespaces: str = setting(
        "", "Beside the controller's, namespaces whose MCPServers are taken as they are, separated by commas"
    )
    allowed_service_accounts: str = setting("", "ServiceAccounts that every author may use, separated by commas")
    allowed_tolerations: str = setting("", "Keys of taints that every author may tolerate, separated by commas")
    allowed_annotations: str = setting("", "Keys of annotations that every author may set, separated by commas")
    allow_block: bool = setting(False, "Allow the annotation kmcp-suite/pin: block")
    log_level: Literal["debug", "info", "warning", "error"] = setting("info", "Lowest severity that is logged")

    def tenancy(self) -> Tenancy | None:
        if not self.tenants:
            return None
        allowed = Allowed(
            service_accounts=listed(self.allowed_service_accounts),
            tolerations=listed(self.allowed_tolerations),
            annotations=listed(self.allowed_annotations),
        )
        trusted = frozenset((self.controller_namespace, *listed(self.trusted_namespaces)))
        return Tenancy(policy=self.tenant_policy, trusted=trusted, allowed=allowed)

    def trusted_remotes(self) -> list[str] | None:
        """Namespaces whose RemoteMCPServers are asked; None: all."""
        watched, tenancy = listed(self.watch_namespaces), self.tenancy()
        if self.remote_mcp_servers == "never":
            return []  # the chart gives no right to read them
        if tenancy is None:
            return list(watched) or None
        return sorted(each for each in tenancy.trusted if not watched or each in watched)

    def platform(self) -> Platform:
        adapter = self.adapter_image
        if version := self.transport_adapter_version:
            # As upstream means it: a version of agentgateway, whose images for any base have this suffix.
            tag = version if version.endswith(_STATIC) else version + _STATIC
            adapter = f"{repository(adapter)}:{tag}"
        protocol = Platform.app_protocol if self.app_protocol is None else self.app_protocol
        return Platform(
            suite_images=listed(self.suite_images),
            namespace=self.controller_namespace,
            labels=dict(part.split("=", 1) for part in listed(self.controller_labels) if "=" in part),
            app_protocol="" if self.disable_app_protocol else protocol,
            adapter_image=adapter,
            bridge_image=self.bridge_image,
            default_images={"uvx": self.uvx_image, "npx": self.npx_image},
            remote=self.remote_mcp_servers,
            allow_block=self.allow_block,
            server_roles=() if self.server_roles == "none" else (self.server_roles,),
            discovery_token=self.discovery_token_file,
            role_prefix=self.role_prefix,
        )
