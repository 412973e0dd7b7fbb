"""Istio itself: its manifests and its installation."""

from typing import Annotated, Literal

from pydantic import Field

from kmcp_istio import istioctl
from kmcp_istio.arguments import Kinds, Profile, Revision, SetValues
from kmcp_istio.client import Mesh
from kmcp_istio.installers import manifests
from kmcp_istio.installers.choice import installer
from kmcp_istio.installers.components import Component, list_components
from kmcp_istio.installers.order import Installer, Order
from kmcp_runtime import Body, Cursor, DryRun, Effect, Result, Rule, TimeoutSeconds, cursors, tool, write_yaml
from kmcp_runtime.judging import foresee

_PART_BYTES = 20_000
"""Bytes of YAML in one answer; with the list of objects beside it, it stays within the usual budget."""


class GeneratedManifest(Body):
    """The objects of an installation."""

    cuttable = "yaml"

    objects: list[manifests.Named] = Field(description="All, or those of this part of the YAML")
    yaml: manifests.Yaml | None = None
    bytes_returned: int | None = None
    cursor: str | None = Field(default=None, description="Pass it for the rest of the YAML")


@tool(Effect.READ, timeout=90)
async def istio_generate_manifest(
    mesh: Mesh,
    profile: Profile = "default",
    set: SetValues = None,
    kinds: Kinds = None,
    output: Annotated[Literal["summary", "yaml"], "Shape"] = "summary",
    revision: Revision = None,
    cursor: Cursor = None,
) -> GeneratedManifest:
    """Render Istio's installation without touching the cluster: its objects or their YAML, of all or some kinds."""
    found = await installer(mesh).render(Order(profile, set or {}, revision))
    chosen = manifests.of_kinds(found.documents, kinds or ())
    if output == "summary":
        hint = "output=yaml with kinds shows the objects; istio_install_istio dry_run=true shows what would change."
        named = [manifests.named(document) for document in chosen]
        return GeneratedManifest(objects=named, warnings=found.warnings, hint=hint)
    bound_to = {"profile": profile, "set": set, "kinds": kinds, "revision": revision}
    start = cursors.decode(cursor, bound_to, o=cursors.COUNT).get("o", 0) if cursor else 0
    sizes = [len((manifests.SEPARATOR + write_yaml(document.content)).encode()) for document in chosen]
    end = _end(sizes, start)
    more = end < len(chosen)
    return GeneratedManifest(
        objects=[manifests.named(document) for document in chosen[start:end]],
        truncated=more,
        yaml=manifests.Yaml(chosen[start:end]),
        bytes_total=sum(sizes) if more or start else None,
        bytes_returned=sum(sizes[start:end]) if more or start else None,
        cursor=cursors.encode({"o": end}, bound_to) if more else None,
        warnings=found.warnings,
        hint="More objects follow: pass cursor, or choose kinds." if more else None,
    )


def _end(sizes: list[int], start: int) -> int:
    """The index after the last document of a part, which has at least one document."""
    end, length = start, 0
    while end < len(sizes) and (end == start or length + sizes[end] <= _PART_BYTES):
        length += sizes[end]
        end += 1
    return end


class Installation(Result):
    """What an installation did, or would do."""

    engine: str = Field(description="istioctl, or helm")
    installed: bool
    components: list[Component] = Field(description="Workloads in the control plane's namespace")
    version: str | None = Field(default=None, description="Of istioctl, which installs its own version")
    messages: list[str] | None = Field(default=None, description="What istioctl reported")
    changes: list[manifests.Rehearsed] | None = Field(default=None, description="dry_run: outcomes by kind")
    objects: list[manifests.Named] | None = Field(default=None, description="dry_run: what would be applied")
    dry_run: bool | None = Field(default=None, description="True when nothing was changed")


@tool(
    Effect.WRITE,
    needs=(
        # update is for Helm's release records, delete for objects that a new configuration no longer has.
        Rule("*", ("*",), ("get", "list", "create", "update", "patch", "delete")),
        # The roles of Istio hold rights that this server need not have itself.
        Rule("rbac.authorization.k8s.io", ("clusterroles", "roles"), ("escalate", "bind")),
    ),
    timeout=90,
    idempotent=True,
    worst=Effect.DESTROY,
)
async def istio_install_istio(
    mesh: Mesh,
    profile: Profile = "default",
    set: SetValues = None,
    verify: Annotated[bool, "Verify it afterwards"] = False,
    revision: Revision = None,
    timeout_seconds: TimeoutSeconds = 300,
    dry_run: DryRun = False,
) -> Installation:
    """Install, upgrade or reconfigure Istio; use dry_run=true first to see what would change."""
    way, order = installer(mesh), Order(profile, set or {}, revision)
    if dry_run:
        return await _plan(mesh, way, order)
    # Before installing: afterwards the versions are those that have just been installed.
    warnings = await way.read_warnings(order)
    done = await way.install(order, verify, timeout_seconds)
    return Installation(
        engine=way.title,
        installed=True,
        components=await list_components(mesh),
        version=done.version,
        messages=done.messages,
        warnings=warnings,
    )


async def _plan(mesh: Mesh, way: Installer, order: Order) -> Installation:
    found = await way.render(order)
    foresee(await way.judge(order))
    changes, refused = await manifests.rehearse(mesh, found.documents)
    warnings = dict.fromkeys([*found.warnings, *await way.read_warnings(order), *refused])
    return Installation(
        engine=way.title,
        installed=False,
        components=await list_components(mesh),
        version=await istioctl.read_version(mesh),
        objects=[manifests.named(document) for document in found.documents],
        changes=changes,
        dry_run=True,
        warnings=[*warnings],
    )
