"""Catalogs as artifacts: pushed by oras to a real registry, and every way in which a registry can be wrong."""

import asyncio
import hashlib
import json
import subprocess
import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, RedirectResponse, Response
from starlette.routing import Route

from bench.programs import Program, running
from kmcp_controller.program.catalog_sources import SourceError, sources_of
from kmcp_runtime import pinned_artifact
from kmcp_runtime.errors import ToolFailure
from kmcp_runtime.pinned_artifact import parse
from kmcp_runtime.pinned_catalog import Fetched, PinError
from kmcp_runtime.web import Timeouts
from tests.cluster import binaries
from tests.controller import test_catalog_sources as addresses
from tests.controller.driving import Driver
from tests.controller.test_discovery import serving
from tests.slowness import scaled

DIGITS = "ab" * 32
Push = Callable[..., str]


@pytest.fixture(scope="module")
def programs() -> dict[str, Path]:
    return binaries.ensure(binaries.REGISTRY, lambda text: None)


def registry_of(programs: dict[str, Path]) -> AbstractContextManager[Program]:
    return running([str(programs["registry"]), "-port", "{port}"], {})


@pytest.fixture
def registry(programs: dict[str, Path]) -> Iterator[str]:
    with registry_of(programs) as found:
        yield host_of(found)


def host_of(program: Program) -> str:
    return program.url.removeprefix("http://").removesuffix("/mcp")


def push(programs: dict[str, Path], folder: Path, place: str, *files: str) -> str:
    """The reference with its pin, as oras prints it."""
    command = [str(programs["oras"]), "push", "--plain-http", "--format", "json", place, *files]
    done = subprocess.run(command, cwd=folder, capture_output=True, text=True, check=True, timeout=scaled(60))
    return f"oci://{json.loads(done.stdout)['reference']}"


async def test_what_oras_pushed_is_read(programs: dict[str, Path], registry: str, tmp_path: Path) -> None:
    (tmp_path / "catalog.yaml").write_text(addresses.THEIRS)
    written = push(programs, tmp_path, f"{registry}/acme/catalog:1", "catalog.yaml")
    found = await parse(written).fetch()
    assert found.text == addresses.THEIRS
    place, _, digest = written.partition("@")
    tagged = parse(f"{place}:1@{digest}")
    assert await tagged.fetch() == found
    assert tagged.vouches_for(found)
    assert not tagged.vouches_for(Fetched(addresses.NEWER, found.manifest))
    assert not tagged.vouches_for(Fetched(found.text))


async def test_what_is_no_single_file_is_told(programs: dict[str, Path], registry: str, tmp_path: Path) -> None:
    (tmp_path / "folder").mkdir()
    for name in ("catalog.yaml", "other.yaml", "folder/catalog.yaml"):
        (tmp_path / name).write_text(addresses.THEIRS)
    two = push(programs, tmp_path, f"{registry}/acme/two:1", "catalog.yaml", "other.yaml")
    archive = push(programs, tmp_path, f"{registry}/acme/archive:1", "folder")
    other = f"oci://{registry}/acme/two@sha256:{DIGITS}"
    for written, told in ((two, "has 2 layers"), (archive, "is an archive"), (other, "does not exist")):
        with pytest.raises(ToolFailure, match=told):
            await parse(written).fetch()


@pytest.mark.cluster
async def test_an_artifact_is_kept_while_its_registry_is_away(
    driver: Driver, programs: dict[str, Path], tmp_path: Path
) -> None:
    (tmp_path / "catalog.yaml").write_text(addresses.THEIRS)
    with registry_of(programs) as found:
        written = push(programs, tmp_path, f"{host_of(found)}/acme/catalog:1", "catalog.yaml")
        async with addresses.running(driver, written) as (_, current, cluster):
            assert (set(current), addresses.counted(cluster)) == ({"kmcp-vault"}, {"current": 1})
    async with addresses.running(driver, written) as (_, current, cluster):
        assert (set(current), addresses.counted(cluster)) == ({"kmcp-vault"}, {"current": 1})


class Registry:
    """One artifact, and what an attacker may put in the place of each answer."""

    def __init__(self) -> None:
        self.layer = addresses.THEIRS.encode()
        described = {"mediaType": "application/yaml", "digest": _digest(self.layer), "size": len(self.layer)}
        self.manifest = json.dumps({"schemaVersion": 2, "layers": [described]}).encode()
        self.pin = _digest(self.manifest)
        self.instead: dict[str, Response] = {}
        self.wants, self.host = "", ""
        self.asked: list[str] = []

    async def answer(self, request: Request) -> Response:
        path = request.url.path
        self.asked.append(path)
        if path == "/token":
            return self.instead.get("token") or JSONResponse({"token": "for-anybody"})
        if self.wants and request.headers.get("authorization") != "Bearer for-anybody":
            return Response(status_code=401, headers={"WWW-Authenticate": self.wants.replace("HOST", self.host)})
        for name, content in (("manifests", self.manifest), ("blobs", self.layer)):
            if f"/{name}/" in path:
                return self.instead.get(name) or Response(content)
        return Response(self.layer)

    async def fetch(self) -> str:
        async with serving(Starlette(routes=[Route("/{path:path}", self.answer)])) as base:
            self.host = base.removeprefix("http://")
            return (await parse(f"oci://{self.host}/acme/catalog@{self.pin}").fetch()).text


def _digest(content: bytes) -> str:
    return f"sha256:{hashlib.sha256(content).hexdigest()}"


async def test_three_redirects_are_followed() -> None:
    registry = Registry()
    ways = iter(("/one", "/two", "/three"))

    async def answer(request: Request) -> Response:
        found = await Registry.answer(registry, request)
        way = next(ways, "") if "/manifests/" not in request.url.path else ""
        return RedirectResponse(way) if way else found

    registry.answer = answer  # type: ignore[method-assign]
    assert await registry.fetch() == addresses.THEIRS


BEARER = 'Bearer realm="http://HOST/token",service="registry",scope="repository:acme/catalog:pull"'


async def test_a_registry_gives_a_token_to_anybody_and_may_lead_elsewhere_on_its_host() -> None:
    registry = Registry()
    registry.wants = BEARER
    registry.instead["blobs"] = RedirectResponse("/elsewhere")
    assert await registry.fetch() == addresses.THEIRS
    assert registry.asked.count("/token") == 1


ATTACKS: dict[str, tuple[dict[str, Response], str, str]] = {
    "another manifest": ({"manifests": Response(b"{}")}, "", "which is not that of the pin"),
    "another layer": ({"blobs": Response(addresses.NEWER)}, "", "another one than the manifest names"),
    "a large manifest": ({"manifests": Response(b" " * (2 * 2**20))}, "", "is larger than 1 MiB"),
    "a large layer": ({"blobs": Response(b"#" * (5 * 2**20))}, "", "is larger than 4 MiB"),
    "a fault": ({"blobs": Response(status_code=500)}, "", "answered HTTP 500"),
    "a host inside": ({"blobs": RedirectResponse("https://169.254.169.254/latest")}, "", "not a public address"),
    "another scheme": ({"blobs": RedirectResponse("http://example.com/layer")}, "", "only https is supported"),
    "no address": ({"blobs": Response(status_code=302, headers={"Location": "http://[::1"})}, "", "is not valid"),
    "a user on its host": (
        {"blobs": Response(status_code=302, headers={"Location": "//a:b@127.0.0.1/x"})},
        "",
        "an address with credentials",
    ),
    "a circle": ({"blobs": RedirectResponse("/v2/acme/catalog/blobs/x")}, "", "redirects more than 3 times"),
    "a user": ({}, 'Basic realm="x"', "wants credentials"),
    "no challenge": ({}, "Bearer", "wants credentials"),
    "a token inside": ({}, 'Bearer realm="https://10.0.0.1/token"', "not a public address"),
    "a token from a file": ({}, 'Bearer realm="file:///etc/passwd"', "has no host"),
    "no token": ({"token": JSONResponse([])}, BEARER, "gives no token"),
    "a token that is none": ({"token": JSONResponse({"token": "a\r\nX: b"})}, BEARER, "gives no token"),
    "a token that does not help": ({"token": JSONResponse({"token": "other"})}, BEARER, "without credentials"),
}


@pytest.mark.parametrize("attack", ATTACKS)
async def test_what_a_registry_can_do_is_a_clear_failure(attack: str) -> None:
    registry = Registry()
    registry.instead, registry.wants, told = ATTACKS[attack]
    with pytest.raises((PinError, ToolFailure), match=told):
        await registry.fetch()


@pytest.mark.parametrize("challenge", ["a" * 60_000, 'a="' * 20_000, 'a=""' * 15_000])
async def test_a_long_challenge_takes_no_time(challenge: str) -> None:
    registry = Registry()
    registry.wants = f"Bearer {challenge}"
    began = time.process_time()
    with pytest.raises(ToolFailure, match="wants credentials"):
        await registry.fetch()
    assert time.process_time() - began < scaled(2)  # it was 20 s


async def test_the_whole_of_an_artifact_has_its_time(monkeypatch: pytest.MonkeyPatch) -> None:
    """However it is spread over the answers."""
    limit = Timeouts(connect=5, read=5, whole=scaled(1))
    monkeypatch.setattr(pinned_artifact, "TIMEOUTS", limit)
    registry = Registry()

    async def answer(request: Request) -> Response:
        await asyncio.sleep(limit.whole * 0.7)
        return await Registry.answer(registry, request)

    registry.answer = answer  # type: ignore[method-assign]
    with pytest.raises(ToolFailure, match="did not come within"):
        await registry.fetch()


MANIFESTS: list[Any] = [[], {}, {"layers": 1}, {"layers": []}, {"layers": [{}]}, {"layers": [{"digest": "md5:x"}]}]


@pytest.mark.parametrize("manifest", MANIFESTS)
async def test_a_manifest_that_leads_nowhere_is_a_clear_failure(manifest: Any) -> None:
    registry = Registry()
    registry.manifest = json.dumps(manifest).encode()
    registry.pin = _digest(registry.manifest)
    with pytest.raises(ToolFailure, match=r"no artifact with layers|has 0 layers|names its layer by"):
        await registry.fetch()


@pytest.mark.parametrize(
    ("source", "told"),
    [
        ("oci://example.com/acme/catalog", "has no pin: write .*@sha256:DIGEST"),
        ("oci://example.com/acme/catalog:1", "has no pin"),
        ("oci://example.com/acme/catalog@sha256:abc", "has no pin"),
        (f"oci://example.com/acme/catalog@sha512:{DIGITS}", "has no pin"),
        (f"oci://example.com/acme/catalog#sha256={DIGITS}", "names no repository"),
        (f"oci://example.com/Acme/../catalog@sha256:{DIGITS}", "names no repository"),
        (f"oci://example.com@sha256:{DIGITS}", "names no repository"),
        (f"oci:///acme/catalog@sha256:{DIGITS}", "has no host"),
        (f"oci://[::1/acme@sha256:{DIGITS}", "is not an address"),
        (f"oci://example.com:99999/acme@sha256:{DIGITS}", "its host or its port is malformed"),
        (f"oci://example.com:0/acme@sha256:{DIGITS}", "its port is 0"),
        ("oci://me:secret@example.com", "contains credentials"),
        ("oci://me:secret@example.com:5000", "contains credentials"),
        (f"oci://me:secret@example.com/acme/catalog@sha256:{DIGITS}", "contains credentials"),
    ],
)
def test_an_artifact_without_a_pin_is_refused(source: str, told: str) -> None:
    with pytest.raises(SourceError, match=told) as caught:
        sources_of([source], None)  # type: ignore[arg-type]  # not reached
    assert "secret" not in str(caught.value)


@given(st.text(st.characters(codec="utf-8") | st.sampled_from("/@:.[]%#? "), max_size=60))
def test_any_text_is_an_artifact_or_a_clear_failure(text: str) -> None:
    for source in (f"oci://{text}", f"oci://{text}@sha256:{DIGITS}"):
        try:
            found = parse(source)
        except ValueError:
            continue
        assert found.sha256 in source
        assert found.registry.path == "/"


def test_the_hub_is_where_it_serves() -> None:
    assert parse(f"oci://docker.io/acme/catalog@sha256:{DIGITS}").registry.host == "registry-1.docker.io"
