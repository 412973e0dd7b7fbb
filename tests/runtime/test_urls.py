"""Addresses that a person has written wrongly: a clear error wherever one is taken, which shows no password."""

from argparse import ArgumentTypeError
from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from prometheus_client import CollectorRegistry
from pydantic import ValidationError

from kmcp_controller.cli.top_sources import address_of
from kmcp_controller.spec.remote import parse_remote
from kmcp_kubernetes.services import targets
from kmcp_runtime import pinned_catalog, urls
from kmcp_runtime.audit.audit_metrics import AuditMetrics
from kmcp_runtime.audit.otlp import open_exporter
from kmcp_runtime.catalog import InvalidDocumentError
from kmcp_runtime.connect.addresses import checked
from kmcp_runtime.errors import ToolFailure
from kmcp_runtime.foreign.servers_file import ForeignEntry
from kmcp_runtime.helm.origins import Origins
from kmcp_runtime.settings import RuntimeSettings, SettingsError
from kmcp_runtime.upstream.access import Access, SetIn

MALFORMED = {
    "http://me:hunter2@[x/mcp": "its host or its port is malformed",
    "http://me:hunter2@h:99999/mcp": "its host or its port is malformed",
    "http://me:hunter2@h:port/mcp": "its host or its port is malformed",
    "http://me:hunter2@h:0/mcp": "its port is 0",
    "http://me:hunter2@:80/mcp": "it has no host",
    "http://me:hunter2@h h/mcp": "a host with blanks",
    "http://me:hunter2@h/\nmcp": "control characters",
    "http://me:hunter2@{host}/mcp": "its host holds a character that no host has",
    "http://me:hunter2@h%41:80/mcp": "its host holds a character that no host has",
    "http://me:hunter2@h\\mcp": "its host holds a character that no host has",
    "gopher://me:hunter2@h/mcp": "it does not begin with http:// or https://",
}


def _remote(url: str) -> object:
    return parse_remote({"metadata": {"name": "a", "namespace": "b", "uid": "c"}, "spec": {"url": url}})


def _exporter(url: str) -> object:
    return open_exporter(RuntimeSettings(audit_otlp_endpoint=url), None, AuditMetrics(CollectorRegistry()))


READERS: dict[str, tuple[Callable[[str], Any], type[Exception]]] = {
    "spec.url of a RemoteMCPServer": (_remote, InvalidDocumentError),
    "connect --url": (checked, ArgumentTypeError),
    "KMCP_DOOR_SERVERS": (lambda url: ForeignEntry(name="a", url=url), ValidationError),
    "the collector of the audit": (_exporter, SettingsError),
    "the address of a backend": (
        lambda url: Access(url=url, set_in=SetIn(url="KMCP_X_URL", credentials="", tls="", timeout="")).base(),
        ToolFailure,
    ),
}


@pytest.mark.parametrize("reader", READERS)
@pytest.mark.parametrize("url", MALFORMED)
def test_a_malformed_address_is_a_clear_error(reader: str, url: str) -> None:
    read, error = READERS[reader]
    with pytest.raises(error) as caught:
        read(url)
    said = str(caught.value)
    # What a pattern of the file refuses already has its own words.
    assert MALFORMED[url].replace("http:// or https://", "http") in said or reader == "KMCP_DOOR_SERVERS"
    assert "hunter2" not in said or reader == "KMCP_DOOR_SERVERS"


def test_an_address_that_kagent_cannot_read_is_refused() -> None:
    assert _remote("http://h/100%25/mcp?of=100%") is not None
    for url in ("http://h/100%/mcp", "http://h/%zz", "http://h/mcp#%4"):
        with pytest.raises(InvalidDocumentError, match="write %25 for the sign itself"):
            _remote(url)


@pytest.mark.parametrize("text", ["[x", "h:99999", ":99999", ":port", "h:0", "http://[x", "ftp://h", "http://"])
def test_an_address_of_metrics_is_checked(text: str) -> None:
    with pytest.raises(ValueError, match=r"is not an address: .*; use http://HOST:PORT, or :PORT"):
        address_of(text)


@pytest.mark.parametrize("address", ["https://h:99999/c", "https://h:port/c", "https://[x/c", "https://h:0/c"])
def test_a_pinned_address_is_checked(address: str) -> None:
    with pytest.raises(ValueError, match="is not an address: its "):
        pinned_catalog.parse(f"{address}#sha256={'a' * 64}")


@pytest.mark.parametrize("entry", ["https://[x", "h:99999", "https://h:port"])
def test_hosts_of_charts_are_checked(entry: str) -> None:
    with pytest.raises(ToolFailure, match="charts may come from is malformed"):
        Origins(["charts.example.com", entry])


@pytest.mark.parametrize("path", ["//[x", "//[x]/a", "//h/a", "/../a", "/%2e%2e/a"])
def test_a_path_of_a_service_is_no_address(path: str) -> None:
    with pytest.raises(ToolFailure, match="must be the path of a URL"):
        targets.proxied("default", "web", {"port": 80}, path)


@given(st.text(max_size=40) | st.from_regex(r"https?://[a-z@:\[\]0-9 .]{0,20}(/.{0,5})?", fullmatch=True))
def test_any_text_is_an_address_with_host_and_port_or_refused(text: str) -> None:
    try:
        found = urls.split(text, ("http", "https"))
    except ValueError:
        return
    assert found.scheme in ("http", "https")
    assert found.hostname
    assert found.port is None or 0 < found.port < 65536
