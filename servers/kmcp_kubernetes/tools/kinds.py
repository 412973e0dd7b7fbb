"""Which kinds the cluster has."""

from typing import Annotated

from pydantic import BaseModel

from kmcp_kubernetes.client import Kube
from kmcp_runtime import Cursor, Effect, Limit, Page, did_you_mean, quoted_list, sliced, tool
from kmcp_runtime.kube.discovery import Kind

CORE = "core"


class KindEntry(BaseModel):
    """One resource type, in the version that the API server prefers."""

    name: str
    short_names: list[str]
    api_version: str
    namespaced: bool
    kind: str
    verbs: list[str]


class Kinds(Page[KindEntry]):
    """Resource types, by group and name."""


@tool(Effect.READ, shows="kinds")
async def k8s_get_available_api_resources(
    kube: Kube,
    group: Annotated[str | None, "API group, or core"] = None,
    verb: Annotated[str | None, "Must support this verb"] = None,
    namespaced: Annotated[bool | None, "true: namespaced; false: cluster-scoped"] = None,
    match: Annotated[str | None, "Part of a name, kind or short name"] = None,
    limit: Limit = 200,
    cursor: Cursor = None,
) -> Kinds:
    """List the kinds that the cluster serves, custom ones included; use it when a kind is unknown."""
    known = _one_version(await kube.discovery.kinds())
    wanted = [kind for kind in known if _is_wanted(kind, group, verb, namespaced, match)]
    bound_to = {"context": kube.context.name, "group": group, "verb": verb, "namespaced": namespaced, "match": match}
    hint = None if wanted else _why_empty(known, group, verb)
    return sliced(Kinds, [_entry(kind) for kind in wanted], limit, cursor, bound_to, kube.discovery.warnings, hint)


def _one_version(kinds: tuple[Kind, ...]) -> list[Kind]:
    """Each kind once, in its preferred version, by group and name."""
    by_name: dict[tuple[str, str], Kind] = {}
    for kind in kinds:
        # Discovery puts the preferred version first.
        by_name.setdefault((kind.group, kind.plural), kind)
    return [by_name[key] for key in sorted(by_name)]


def _is_wanted(kind: Kind, group: str | None, verb: str | None, namespaced: bool | None, match: str | None) -> bool:
    return (
        (group is None or kind.group == ("" if group == CORE else group))
        and (verb is None or verb.lower() in kind.verbs)
        and (namespaced is None or kind.namespaced is namespaced)
        and (match is None or any(match.lower() in name for name in kind.names()))
    )


def _entry(kind: Kind) -> KindEntry:
    return KindEntry(
        name=kind.plural,
        short_names=list(kind.short_names),
        api_version=kind.api_version,
        namespaced=kind.namespaced,
        kind=kind.kind,
        verbs=list(kind.verbs),
    )


def _why_empty(known: list[Kind], group: str | None, verb: str | None) -> str:
    groups = {kind.group or CORE for kind in known}
    if group and group not in groups:
        suggestion = did_you_mean(group, groups) or f"it has {quoted_list(sorted(groups))}"
        return f"The cluster has no API group {group!r}: {suggestion}"
    verbs = {name for kind in known for name in kind.verbs}
    if verb and verb.lower() not in verbs:
        return f"No kind supports {verb!r}; the verbs are {', '.join(sorted(verbs))}."
    return "No kind matches: leave out a filter."
