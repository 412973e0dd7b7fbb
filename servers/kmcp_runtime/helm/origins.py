"""Where charts may come from: the configured hosts; a private address only when its origin is configured in full."""

from collections.abc import Iterable
from dataclasses import dataclass
from urllib.parse import SplitResult, urlsplit

from kmcp_runtime.errors import ToolFailure, bad_argument, denied, unavailable
from kmcp_runtime.web import Resolve, is_public, system_resolver

_PORTS = {"https": 443, "http": 80}
_SETTING = "KMCP_CHART_HOSTS (--chart-hosts) lists the allowed hosts"


@dataclass(frozen=True)
class Origin:
    """Scheme, host and port; a registry is an origin of https."""

    scheme: str
    place: str

    @classmethod
    def of(cls, parts: SplitResult, scheme: str | None = None) -> "Origin":
        found = scheme or ("https" if parts.scheme == "oci" else parts.scheme)
        # `host.` is the same host, fully qualified: an allowlist must not see two.
        host = (parts.hostname or "").rstrip(".")
        port = parts.port
        return cls(found, host if port in (None, _PORTS.get(found)) else f"{host}:{port}")


@dataclass(frozen=True)
class Reach:
    """How an admitted URL is reached."""

    plain: bool
    """Over plain HTTP; an `oci://` URL does not say it."""
    addresses: tuple[str, ...] | None
    """The addresses that were checked, the only ones to connect to; None where any is trusted."""


class Origins:
    """The allowlist. A bare host is https at public addresses; an origin with its scheme may be private."""

    def __init__(self, entries: Iterable[str], resolve: Resolve = system_resolver) -> None:
        written = [entry.strip().lower().rstrip("/") for entry in entries]
        try:
            self._whole = {Origin.of(urlsplit(entry)) for entry in written if "://" in entry}
            self._public = {Origin.of(urlsplit(f"https://{entry}")).place for entry in written if "://" not in entry}
        except ValueError:  # whose words may hold a password
            raise unavailable(
                "the host or the port of a place that charts may come from is malformed", _SETTING
            ) from None
        self._resolve = resolve

    def __str__(self) -> str:
        named = sorted({*self._public, *(f"{origin.scheme}://{origin.place}" for origin in self._whole)})
        return ", ".join(named) or "none"

    async def admit(self, url: str, argument: str) -> Reach:
        """How to reach the URL; refuses one that no entry allows.

        Errors: `bad_argument` (not a URL), `denied` (scheme, host, credentials, address), `unavailable` (no address).
        """
        parts = _split(url, argument)
        origin = Origin.of(parts)
        # Written with its scheme, an origin is trusted wherever it is: no check of addresses.
        if origin in self._whole:
            return Reach(origin.scheme == "http", None)
        # A registry over plain HTTP has no scheme of its own: it is configured as http:// and referred to as oci://.
        if parts.scheme == "oci" and Origin.of(parts, "http") in self._whole:
            return Reach(True, None)
        if origin.scheme != "https":
            raise denied(f"{argument}: only https and oci are allowed, not {parts.scheme}", _SETTING)
        if origin.place not in self._public:
            raise denied(
                f"{argument}: {origin.place} is not among the hosts that charts may come from ({self})", _SETTING
            )
        # A public name can point into the cluster's network (SSRF).
        return Reach(False, await self._check_addresses(parts, argument))

    async def _check_addresses(self, parts: SplitResult, argument: str) -> tuple[str, ...]:
        host = parts.hostname or ""
        try:
            found = await self._resolve(host, parts.port or 443)
        except OSError as error:
            raise unavailable(f"the name {host} cannot be resolved: {error}", "check the host name") from None
        private = next((address for address in found if not is_public(address)), None)
        if private is not None:
            raise denied(
                f"{argument}: {host} resolves to {private}, which is not a public address",
                f"to allow it, configure it with its scheme: KMCP_CHART_HOSTS=https://{Origin.of(parts).place}",
            )
        if not found:
            raise unavailable(f"the name {host} has no address", "check the host name")
        return tuple(found)


def _split(url: str, argument: str) -> SplitResult:
    fault = _fault(url, argument)
    if fault:
        raise fault
    return urlsplit(url)


def _fault(url: str, argument: str) -> ToolFailure | None:
    form = "give https://host/path or oci://host/path"
    if not url.isprintable() or " " in url:
        return bad_argument(f"{argument}: {url!r} contains spaces or control characters", form)
    try:
        parts = urlsplit(url)
        # urlsplit reports a bad port only when it is asked for.
        _ = parts.port
    except ValueError as error:
        return bad_argument(f"{argument}: {error}", form)
    if parts.scheme not in ("https", "http", "oci"):
        return denied(f"{argument}: only https and oci are allowed, not {parts.scheme}", _SETTING)
    if not parts.hostname:
        return bad_argument(f"{argument}: {url!r} has no host", form)
    if parts.username is not None or parts.password is not None:
        return denied(
            f"{argument}: the URL contains credentials",
            "leave them out of the URL and put them into KMCP_HELM_REPOSITORIES or KMCP_HELM_REGISTRIES",
        )
    return None
