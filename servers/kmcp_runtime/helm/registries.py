"""Charts of OCI registries: the few requests of the distribution API that a pull needs, each through the fetcher.

The helm binary asks whatever address a registry names for tokens and blobs; here those are held to the configuration.
"""

import hashlib
import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import quote, urlencode

from kmcp_runtime import challenges, json_text, redaction
from kmcp_runtime.errors import bad_argument, forbidden, not_found, unavailable
from kmcp_runtime.helm.fetching import Fetcher
from kmcp_runtime.looks import Looked
from kmcp_runtime.web import Answer

_CHART_LAYERS = (
    "application/vnd.cncf.helm.chart.content.v1.tar+gzip",
    "application/tar+gzip",
)
_MANIFESTS = "application/vnd.oci.image.manifest.v1+json, application/vnd.docker.distribution.manifest.v2+json"
_REFERENCE = re.compile(
    r"oci://(?P<host>[^/]+)/(?P<name>[a-z0-9][a-z0-9._/-]*)(?::(?P<tag>[\w][\w.-]*))?(?P<digest>@sha256:[0-9a-f]{64})?"
)
_MOST_TAG_PAGES = 50


@dataclass(frozen=True)
class Place:
    """A chart in a registry."""

    host: str
    name: str
    reference: str | None
    """A tag or a digest, where the reference to the chart has one."""

    @classmethod
    def of(cls, reference: str) -> "Place":
        found = _REFERENCE.fullmatch(reference)
        if found is None:
            raise bad_argument(f"chart: {reference!r} is not a chart of a registry", "give oci://host/path/chart")
        return cls(found["host"], found["name"], (found["digest"] or "")[1:] or found["tag"])


class Registry:
    """One registry, asked for one chart: a token that it gives is kept for the pull."""

    def __init__(self, fetcher: Fetcher, place: Place, logins: str, *, plain: bool) -> None:
        self._fetcher, self._place = fetcher, place
        self._base = f"{'http' if plain else 'https'}://{place.host}/v2/{place.name}"
        self._basic = _basic(logins, place.host)
        self._headers: dict[str, str] = {}

    async def list_tags(self) -> Looked[str]:
        """The tags of the chart, which are not all where a registry has more than fifty pages of them."""
        found: list[str] = []
        url = f"{self._base}/tags/list?n=1000"
        for _ in range(_MOST_TAG_PAGES):
            answer = await self._get(url)
            found += _document(answer).get("tags") or ()
            following = re.match(r'<([^>]+)>;\s*rel="?next', answer.headers.get("link", ""))
            if following is None:
                return Looked(found, of="tags")
            # Of the link only the query counts, and its host may be malformed.
            url = f"{self._base}/tags/list?{following[1].partition('#')[0].partition('?')[2]}"
        return Looked(found, of="tags", complete=False)

    async def pull(self, reference: str) -> bytes:
        """The chart's archive; its digest is compared with the one in the manifest."""
        manifest = _document(await self._get(f"{self._base}/manifests/{quote(reference, safe=':')}", _MANIFESTS))
        layer = next((each for each in manifest.get("layers") or () if each.get("mediaType") in _CHART_LAYERS), None)
        if layer is None:
            raise bad_argument(f"{self._named()}:{reference} is not a chart", "check the chart reference")
        content = (await self._get(f"{self._base}/blobs/{layer['digest']}")).content
        digest = f"sha256:{hashlib.sha256(content).hexdigest()}"
        if digest != layer["digest"]:
            raise unavailable(f"{self._named()}:{reference}: its content is not that of its digest", "try again")
        return content

    async def _get(self, url: str, accept: str = "*/*") -> Answer:
        answer = await self._fetcher.get(url, "chart", headers={**self._headers, "Accept": accept})
        if answer.status == 401 and not self._headers:
            self._headers = await self._log_in(answer.headers.get("www-authenticate", ""))
            answer = await self._fetcher.get(url, "chart", headers={**self._headers, "Accept": accept})
        if answer.status == 404:
            raise not_found(
                f"{self._named()} has no {url.rpartition('/')[2]}: not found", "check the chart's name and version"
            )
        if answer.status in (401, 403):
            raise forbidden(
                f"{self._named()} refuses: {answer.status}", "KMCP_HELM_REGISTRIES holds logins of registries"
            )
        if answer.status != 200:
            raise unavailable(f"{self._named()} answered HTTP {answer.status}", "check that the registry answers")
        return answer

    async def _log_in(self, challenge: str) -> dict[str, str]:
        """Headers that answer a challenge: our login itself, or a token that the named realm gives for it."""
        own = {"Authorization": f"Basic {self._basic}"} if self._basic else {}
        scheme, asked = challenges.parse(challenge)
        if scheme != "bearer" or "realm" not in asked:
            return own
        query = {
            "service": asked.get("service", ""),
            "scope": asked.get("scope") or f"repository:{self._place.name}:pull",
        }
        url = f"{asked['realm']}?{urlencode({key: value for key, value in query.items() if value})}"
        answer = await self._fetcher.get(
            url, f"chart: {self._place.host} asks for a token of {asked['realm']}", headers=own
        )
        if answer.status != 200:
            raise forbidden(
                f"{self._named()}: no token ({answer.status})", "KMCP_HELM_REGISTRIES holds logins of registries"
            )
        document = _document(answer)
        token = str(document.get("token") or document.get("access_token") or "")
        redaction.learn(token)
        return {"Authorization": f"Bearer {token}"}

    def _named(self) -> str:
        return f"{self._place.host}/{self._place.name}"


def _document(answer: Answer) -> Mapping[str, Any]:
    try:
        found = json_text.read(answer.text)
    except ValueError:
        found = None
    if not isinstance(found, dict):
        raise unavailable("the registry did not answer with a JSON object", "check the chart reference")
    return found


def _basic(path: str, host: str) -> str:
    """The login of a host, base64 of `user:password`, from a registry config.json."""
    if not path:
        return ""
    try:
        document = json_text.read(Path(path).read_text())
    except (OSError, ValueError) as error:
        raise unavailable(
            f"KMCP_HELM_REGISTRIES: cannot read {path}: {error}", "it is a config.json with auths"
        ) from None
    found = (document.get("auths") or {}).get(host) or {}
    return str(found.get("auth") or "")
