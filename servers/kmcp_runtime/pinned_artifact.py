"""A catalog as an artifact of an OCI registry: `oci://HOST/REPOSITORY@sha256:DIGEST`, as `oras push` prints it.

Read without credentials, bounded in size and time. The pin is the digest of the manifest, and the manifest names the
digest of the one layer that is the catalog: nothing that a registry, or a host that it leads to, sends instead is used.
"""

import asyncio
import hashlib
import json
import re
from dataclasses import dataclass
from typing import Any

import httpx2

from kmcp_runtime import challenges, urls
from kmcp_runtime.errors import ToolFailure, bad_argument, denied, not_found, timed_out, unavailable
from kmcp_runtime.pinned_catalog import (
    LARGEST_BYTES,
    MOST_REDIRECTS,
    REDIRECTS,
    TIMEOUTS,
    Fetched,
    PinError,
    origin,
    redirected,
)
from kmcp_runtime.web import PLAIN, Answer, Web

SCHEME = "oci://"
_MANIFEST = "application/vnd.oci.image.manifest.v1+json"
_LARGEST_MANIFEST = 2**20
_LARGEST_TOKEN = 2**16
_DIGEST = re.compile(r"sha256:([0-9a-f]{64})")
_LIKE_DIGEST = re.compile(r"sha\d+:[^@/]*")
_PART = r"[a-z0-9]+(?:(?:\.|_|__|-+)[a-z0-9]+)*"
_REPOSITORY = re.compile(rf"{_PART}(?:/{_PART})*")
_TAG = re.compile(r":[A-Za-z0-9_][A-Za-z0-9._-]{0,127}$")
_HUB, _HUB_REGISTRY = "docker.io", "registry-1.docker.io"


@dataclass(frozen=True)
class PinnedArtifact:
    registry: httpx2.URL
    repository: str
    sha256: str  # 64 hexadecimal digits, of the manifest as it is sent
    name: str

    async def fetch(self) -> Fetched:
        """Errors: PinError, ToolFailure, ValueError for what is not UTF-8."""
        try:
            async with asyncio.timeout(TIMEOUTS.whole), Web(TIMEOUTS) as web:
                return await _Pulling(web, self).pull()
        except TimeoutError:
            told = f"{self.name} did not come within {TIMEOUTS.whole:.0f} s"
            raise timed_out(told, "try again", backend=self.registry.host) from None

    def vouches_for(self, kept: Fetched) -> bool:
        try:
            layer = _layer(self, kept.manifest.encode())
        except (PinError, ToolFailure):
            return False
        return _sha256(kept.text.encode()) == layer


def is_artifact(source: str) -> bool:
    return source.lower().startswith(SCHEME)


def parse(source: str) -> PinnedArtifact:
    """`oci://HOST/REPOSITORY[:TAG]@sha256:<64 hexadecimal digits>`; the tag is for readers. Errors: ValueError."""
    reference, _, digest = source[len(SCHEME) :].partition("@")
    host, _, repository = reference.partition("/")
    if digest and not _LIKE_DIGEST.fullmatch(digest):
        # Nothing of it is shown: it may hold a password.
        raise ValueError("the address of a catalog contains credentials, or no digest behind its @; leave them out")
    written = f"https://{_HUB_REGISTRY if host == _HUB else host}"
    try:
        urls.split(written, ("https",))
        registry = httpx2.URL(written)
    except (httpx2.InvalidURL, ValueError) as error:
        raise ValueError(f"{source!r} is not an address: {error}") from error
    if registry.path != "/" or registry.query:
        raise ValueError(f"{source!r} has no host; write oci://HOST/REPOSITORY@sha256:DIGEST")
    if urls.is_loopback(registry.host):
        registry = registry.copy_with(scheme="http")
    repository = _TAG.sub("", repository)
    if not _REPOSITORY.fullmatch(repository):
        raise ValueError(f"{source!r} names no repository; write oci://HOST/REPOSITORY@sha256:DIGEST")
    pin = _DIGEST.fullmatch(digest)
    if not pin:
        raise ValueError(
            f"{source} has no pin: write {SCHEME}{reference}@sha256:DIGEST, with the 64 digits that `oras push` and "
            "`oras resolve` print for the artifact as you have read it"
        )
    return PinnedArtifact(registry, repository, pin[1], source)


class _Pulling:
    """One pull: the manifest, then its layer, with the token that the registry gives to anybody."""

    def __init__(self, web: Web, artifact: PinnedArtifact) -> None:
        self._web, self._artifact = web, artifact
        self._token = ""

    async def pull(self) -> Fetched:
        manifest = await self._get(f"manifests/sha256:{self._artifact.sha256}", _LARGEST_MANIFEST, Accept=_MANIFEST)
        layer = _layer(self._artifact, manifest)
        content = await self._get(f"blobs/sha256:{layer}", LARGEST_BYTES)
        if _sha256(content) != layer:
            raise PinError(f"{self._artifact.name}: its layer is another one than the manifest names")
        return Fetched(content.decode(), manifest.decode())

    async def _get(self, what: str, largest_bytes: int, **headers: str) -> bytes:
        artifact = self._artifact
        url = artifact.registry.join(f"/v2/{artifact.repository}/{what}")
        for _ in range(MOST_REDIRECTS + 1):
            answer = await self._send(url, largest_bytes, headers)
            if answer.status == 401 and not self._token:
                self._token = await self._ask_for_token(answer)
                answer = await self._send(url, largest_bytes, headers)
            if answer.status not in REDIRECTS:
                return self._content(answer, url)
            following = redirected(url, answer)
            if origin(following) != origin(url):
                # Where registries keep their layers: a public host, which is sent no token.
                return (await self._web.fetch_text(str(following), [_place(following)], largest_bytes)).encode()
            url = following
        raise denied(f"{url.host} redirects more than {MOST_REDIRECTS} times", "take another registry")

    async def _send(self, url: httpx2.URL, largest_bytes: int, headers: dict[str, str]) -> Answer:
        token = {"Authorization": f"Bearer {self._token}"} if self._token else {}
        sent = {**PLAIN, **headers, **token}
        return await self._web.send("GET", url, headers=sent, largest_bytes=largest_bytes, unpack=False)

    async def _ask_for_token(self, answer: Answer) -> str:
        scheme, named = challenges.parse(answer.headers.get("www-authenticate", ""))
        host = self._artifact.registry.host
        if scheme != "bearer" or "realm" not in named:
            raise denied(
                f"{host} wants credentials, and only what anybody may read is read", "take a public repository"
            )
        asked = {"service": named.get("service", ""), "scope": f"repository:{self._artifact.repository}:pull"}
        try:
            realm = httpx2.URL(named["realm"]).copy_merge_params(asked)
        except httpx2.InvalidURL:
            raise unavailable(f"{host} names an address for tokens that is not valid", backend=host) from None
        if origin(realm) == origin(self._artifact.registry):
            text = (await self._send(realm, _LARGEST_TOKEN, {})).text
        else:
            text = await self._web.fetch_text(str(realm), [_place(realm)], _LARGEST_TOKEN)
        return _token(text, host)

    def _content(self, answer: Answer, url: httpx2.URL) -> bytes:
        name, host = self._artifact.name, url.host
        if answer.status in (401, 403):
            raise denied(f"{host} gives {name} to nobody without credentials", "take a public repository")
        if answer.status in (404, 410):
            raise not_found(f"{name} does not exist (HTTP {answer.status})", "correct the address", backend=host)
        if answer.status != 200:
            raise unavailable(f"{name}: {host} answered HTTP {answer.status}", backend=host)
        return answer.content


def _layer(artifact: PinnedArtifact, manifest: bytes) -> str:
    """The digits of the catalog's digest. Errors: PinError, `bad_argument`."""
    found = _sha256(manifest)
    if found != artifact.sha256:
        raise PinError(f"{artifact.name}: its manifest has the digest sha256:{found}, which is not that of the pin")
    try:
        read: Any = json.loads(manifest)
        layers = [(str(each["digest"]), str(each.get("mediaType"))) for each in read["layers"]]
    except (ValueError, TypeError, KeyError, AttributeError, RecursionError):
        raise bad_argument(f"{artifact.name} is no artifact with layers", "pin the digest of a manifest") from None
    if len(layers) != 1:
        raise bad_argument(f"{artifact.name} has {len(layers)} layers", "push the one file that is the catalog")
    digest, kind = layers[0]
    if kind.endswith(("+gzip", "+zstd")):
        raise bad_argument(f"{artifact.name} is an archive ({kind[:80]})", "push the file itself, not its folder")
    named = _DIGEST.fullmatch(digest)
    if not named:
        raise bad_argument(f"{artifact.name} names its layer by {digest[:20]!r}", "push it with sha256 digests")
    return named[1]


def _token(text: str, host: str) -> str:
    try:
        read: Any = json.loads(text)
        token = str(read.get("token") or read.get("access_token") or "")
    except (ValueError, AttributeError, RecursionError):
        token = ""
    if not re.fullmatch(r"[!-~]{1,16384}", token):
        raise unavailable(f"{host} gives no token to read with", backend=host)
    return token


def _place(url: httpx2.URL) -> str:
    return url.host if url.port in (None, 443) else f"{url.host}:{url.port}"


def _sha256(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()
