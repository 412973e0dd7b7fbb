"""Istio itself: its manifests, and its installation."""

from typing import Annotated, Literal

from pydantic import Field

from kmcp_istio import istioctl, manifests, versions
from kmcp_istio.client import Mesh
from kmcp_istio.components import Component, installed
from kmcp_istio.words import Kinds, Profile, Revision, SetValues
from kmcp_runtime.arguments import Cursor, DryRun, TimeoutSeconds, Word
from kmcp_runtime.errors import timed_out
from kmcp_runtime.output import cursor as cursors
from kmcp_runtime.output.results import Body, Result, to_yaml
from kmcp_runtime.tool import Effect, Rule, injected, tool

_PART_BYTES = 20_000
"""YAML in one answer: with the list of objects beside it, it stays within the usual budget."""
_GRACE_SECONDS = 60.0


class GeneratedManifest(Body):
    """The objects of an installation."""

    cuttable = "yaml"

    objects: list[manifests.Named] = Field(description="Of the summary, or of this part of the YAML")
    yaml: str | None = None
    bytes_returned: int | None = None
    cursor: str | None = Field(default=None, description="Pass it back for the rest of the YAML")


@tool(Effect.READ, timeout=90)
async def istio_generate_manifest(
    profile: Profile = "default",
    set: SetValues = None,
    kinds: Kinds = None,
    output: Annotated[Literal["summary", "yaml"], Word("Shape")] = "summary",
    revision: Revision = None,
    cursor: Cursor = None,
    mesh: Mesh = injected(),
) -> GeneratedManifest:
    """Render Istio's installation without touching the cluster: the objects, or their YAML, all or of some kinds."""
    found = await manifests.rendered(mesh, profile, set or {}, revision)
    chosen = manifests.of_kinds(found.documents, kinds or ())
    if output == "summary":
        hint = (
            "output=yaml with kinds shows the objects themselves; istio_install_istio dry_run=true what would change."
        )
        named = [manifests.named(document) for document in chosen]
        return GeneratedManifest(objects=named, warnings=found.warnings, hint=hint)
    bound_to = {"profile": profile, "set": set, "kinds": kinds, "revision": revision}
    start = int(cursors.decode(cursor, bound_to).get("o", 0)) if cursor else 0
    texts = [to_yaml(document.content) for document in chosen]
    end = _end(texts, start)
    more = end < len(chosen)
    text = "---\n".join(texts[start:end])
    return GeneratedManifest(
        objects=[manifests.named(document) for document in chosen[start:end]], yaml=text, truncated=more,
        bytes_total=len("---\n".join(texts).encode()) if more or start else None,
        bytes_returned=len(text.encode()) if more or start else None,
        cursor=cursors.encode({"o": end}, bound_to) if more else None, warnings=found.warnings,
        hint="More objects follow: pass cursor, or choose kinds." if more else None,
    )  # fmt: skip


def _end(texts: list[str], start: int) -> int:
    """After how many documents a part ends; it has one at least."""
    end, length = start, 0
    while end < len(texts) and (end == start or length + len(texts[end].encode()) <= _PART_BYTES):
        length += len(texts[end].encode())
        end += 1
    return end


class Installation(Result):
    """What an installation did, or would do."""

    installed: bool
    components: list[Component] = Field(description="Workloads of the control plane's namespace")
    version: str | None = Field(default=None, description="Of istioctl, and so of what it installs")
    messages: list[str] | None = Field(default=None, description="What istioctl told")
    objects: list[manifests.Named] | None = Field(default=None, description="dry_run: what is applied")
    changes: list[manifests.Rehearsed] | None = Field(default=None, description="dry_run: outcomes by kind")
    dry_run: bool | None = Field(default=None, description="True when nothing was changed")


@tool(
    Effect.WRITE,
    needs=(
        Rule("*", ("*",), ("get", "list", "watch", "create", "update", "patch", "delete")),
        Rule("rbac.authorization.k8s.io", ("clusterroles", "roles"), ("escalate", "bind")),
    ),
    timeout=90,
    idempotent=True,
    destructive=True,
)
async def istio_install_istio(
    profile: Profile = "default",
    set: SetValues = None,
    verify: Annotated[bool, Word("Check the installation after")] = False,
    revision: Revision = None,
    timeout_seconds: TimeoutSeconds = 300,
    dry_run: DryRun = False,
    mesh: Mesh = injected(),
) -> Installation:
    """Install, upgrade or reconfigure Istio; look at dry_run=true first, it shows what would change."""
    if dry_run:
        return await _plan(mesh, profile, set or {}, revision)
    given = [
        *manifests.flags(mesh, profile, set or {}, revision), "--skip-confirmation",
        f"--readiness-timeout={timeout_seconds}s", *(["--verify"] if verify else []),
    ]  # fmt: skip
    warnings = await versions.warnings(mesh, revision)
    ended = await istioctl.run(mesh, ("install",), given, seconds=timeout_seconds + _GRACE_SECONDS)
    if ended.code != 0:
        failure = istioctl.failure(ended)
        if "failed to wait" in failure.message or "timed out" in failure.message:
            raise timed_out(failure.message, "k8s_describe_resource of what is not ready tells why", backend="istioctl")
        raise failure
    return Installation(
        installed=True, components=await installed(mesh), version=await istioctl.version(mesh),
        messages=istioctl.messages(ended), warnings=warnings,
    )  # fmt: skip


async def _plan(mesh: Mesh, profile: str, settings: dict[str, str], revision: str | None) -> Installation:
    found = await manifests.rendered(mesh, profile, settings, revision)
    changes, refused = await manifests.rehearsed(mesh, found.documents)
    return Installation(
        installed=False, components=await installed(mesh), version=await istioctl.version(mesh),
        objects=[manifests.named(document) for document in found.documents], changes=changes, dry_run=True,
        warnings=[*found.warnings, *await versions.warnings(mesh, revision), *refused],
    )  # fmt: skip
