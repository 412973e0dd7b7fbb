"""Which Service, port and path a connectivity check means."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import parse_qsl, quote, unquote, urlsplit

from kmcp_runtime import bad_argument, check_name, check_namespace

# What RFC 3986 allows in a path, and `%`: the caller has already quoted what needs it.
_SAFE_IN_PATH = "/%:@!$&'()*+,;=~-._"


@dataclass(frozen=True)
class Target:
    """A Service by name; the port by name or number, None when the caller left it open."""

    name: str
    namespace: str
    port: str | None


def target(service_name: str, namespace: str, port: str | None) -> Target:
    """`name`, `name:port`, `name.namespace[.svc…][:port]`."""
    if "://" in service_name:
        raise bad_argument(
            f"service_name: {service_name!r} is a URL",
            "give its host as service_name (name.namespace:port) and the rest as path",
        )
    host, _, own_port = service_name.partition(":")
    name, *domain = host.split(".")
    if own_port and port and own_port != port:
        raise bad_argument(f"port: {port!r} differs from {own_port!r} in service_name", "give the port once")
    if len(domain) > 1 and domain[1] != "svc":
        raise bad_argument(
            f"service_name: {service_name!r} is not a Service of this cluster",
            "write name, name:port or name.namespace.svc:port",
        )
    try:
        return Target(check_name(name), check_namespace(domain[0]) if domain else namespace, own_port or port)
    except ValueError as error:
        raise bad_argument(f"service_name: {error}") from None


def port_of(service: Mapping[str, Any], wanted: str | None) -> Mapping[str, Any]:
    """The Service's port of that name or number, or its only one."""
    ports: list[Mapping[str, Any]] = list((service.get("spec") or {}).get("ports") or ())
    known = (
        ", ".join(f"{port['port']}{' (' + port['name'] + ')' if port.get('name') else ''}" for port in ports) or "none"
    )
    name = service["metadata"]["name"]
    if wanted is None:
        if len(ports) == 1:
            return ports[0]
        raise bad_argument(f"port: required because Service {name} has {len(ports)} ports", f"its ports: {known}")
    found = [port for port in ports if wanted in (str(port["port"]), port.get("name"))]
    if not found:
        raise bad_argument(f"port: Service {name} has no port {wanted!r}", f"its ports: {known}")
    return found[0]


def scheme(port: Mapping[str, Any]) -> str:
    words = (port.get("name") or "", port.get("appProtocol") or "")
    # The API server's proxy does not find out the scheme, it must be in the path.
    return "https" if port["port"] in (443, 8443) or any(word.lower().startswith("https") for word in words) else "http"


def proxied(namespace: str, name: str, port: Mapping[str, Any], path: str) -> tuple[str, list[tuple[str, str]]]:
    """Path and query of a request through the API server's Service proxy."""
    try:
        split = urlsplit(path if path.startswith("/") else f"/{path}")
    except ValueError:  # `//[x` is a host to it, and a malformed one
        split = None
    # A path that climbs out of the proxy would be another request of this server's identity.
    if split is None or split.netloc or any(part in (".", "..") for part in unquote(unquote(split.path)).split("/")):
        raise bad_argument(f"path: {path!r} must be the path of a URL, without '..'")
    # `scheme:name:port` is how the proxy subresource names a Service and its port.
    service = f"{scheme(port)}:{quote(name)}:{port.get('name') or port['port']}"
    proxy = f"/api/v1/namespaces/{quote(namespace)}/services/{service}/proxy"
    return proxy + quote(split.path, safe=_SAFE_IN_PATH), parse_qsl(split.query, keep_blank_values=True)
