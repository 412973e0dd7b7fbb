"""First drafts of manifests."""

from typing import Annotated, Any, Literal

from pydantic import Field

from kmcp_kubernetes.client import Kube
from kmcp_kubernetes.drafts import skeletons
from kmcp_kubernetes.drafts.intent import Facts, facts_of
from kmcp_kubernetes.drafts.skeletons import Placeholder
from kmcp_kubernetes.openapi import Schema, document_of
from kmcp_kubernetes.writing.refusals import explain_refusal
from kmcp_runtime import Effect, Manifest, Result, ToolFailure, bad_argument, tool, unavailable
from kmcp_runtime.kube import objects
from kmcp_runtime.kube.discovery import Kind
from kmcp_runtime.kube.failures import StatusFailure

DryRunOutcome = Literal["passed", "failed", "not_run"]
_CURATED = "curated example"


class Generated(Result):
    """A manifest to complete: `placeholders` are values that the description did not give."""

    yaml: Manifest
    placeholders: list[Placeholder]
    schema_source: str = Field(description="What the fields were taken from")
    server_dry_run: DryRunOutcome


@tool(Effect.READ)
async def k8s_generate_resource(
    kube: Kube,
    resource_type: Annotated[str, "Any kind, or istio_virtual_service, argo_rollout, …"],
    resource_description: Annotated[
        str,
        "Name, image, replicas, port, key=value, …",
        Field(max_length=2000, examples=["named web, nginx:1.27, 3 replicas, port 80"]),
    ],
) -> Generated:
    """Draft a manifest from the cluster's schema and facts in the description; nothing is created."""
    facts = facts_of(resource_description)
    kind, absence = await _find_kind(kube, resource_type)
    if kind is None:
        return _without_cluster(resource_type, facts, absence)
    warnings: list[str] = []
    schema = await _read_schema(kube, kind, warnings)
    draft, source = _draft(kind, schema, facts)
    content, placeholders = skeletons.settled(draft)
    # The example may be of another version than the one that this cluster prefers.
    content["apiVersion"] = kind.api_version
    outcome = await _rehearse(kube, kind, content, warnings)
    hint = None
    if outcome == "not_run":
        hint = f"The server's dry run needs the right to create {kind.full_name}."
    if outcome == "not_run" and schema is not None:
        warnings += skeletons.faults(schema, content)
    if kind.kind == "Secret":
        warnings.append("values of a Secret are not shown: put in the real ones before you apply it")
    return Generated(
        yaml=Manifest(content),
        placeholders=placeholders,
        schema_source=source,
        server_dry_run=outcome,
        warnings=warnings,
        hint=hint,
    )


async def _find_kind(kube: Kube, resource_type: str) -> tuple[Kind | None, ToolFailure | None]:
    """The cluster's kind, or None with the reason when only a curated example knows it."""
    wanted = skeletons.LEGACY.get(resource_type, resource_type)
    try:
        return await kube.discovery.resolve(wanted), None
    except ToolFailure as failure:
        if failure.code != "not_found" or not skeletons.known_skeletons(resource_type):
            raise
        return None, failure


def _without_cluster(resource_type: str, facts: Facts, absence: ToolFailure | None) -> Generated:
    keys = skeletons.known_skeletons(resource_type)
    if len(keys) > 1:
        names = [name for name, key in skeletons.LEGACY.items() if key in keys]
        raise bad_argument(f"resource_type {resource_type!r} is ambiguous: {', '.join(names)}", "use one of these")
    content, placeholders = skeletons.settled(skeletons.from_example(keys[0], facts))
    reason = absence.message if absence else "the cluster does not have this kind"
    return Generated(
        yaml=Manifest(content),
        placeholders=placeholders,
        schema_source=f"{_CURATED} of {keys[0]}",
        server_dry_run="not_run",
        warnings=[f"{reason}: is its CustomResourceDefinition installed? Nothing was checked."],
    )


async def _read_schema(kube: Kube, kind: Kind, warnings: list[str]) -> Schema | None:
    try:
        return await kube.openapi.read_schema(kind)
    except ToolFailure as failure:
        warnings.append(f"drafted without a schema: {failure.message}")
        return None


def _draft(kind: Kind, schema: Schema | None, facts: Facts) -> tuple[Any, str]:
    """The draft and where its fields come from."""
    fields: list[skeletons.Written] = []
    if kind.kind not in ("ConfigMap", "Secret"):
        fields, facts["given_pairs"] = skeletons.split_pairs(schema, facts["given_pairs"])
    key = f"{kind.kind}.{kind.group}" if kind.group else kind.kind
    draft = skeletons.from_example(key, facts)
    sources = [_CURATED] if draft is not None else []
    if schema is not None:
        sources.append(f"/openapi/v3/{document_of(kind)}")
        draft = draft or skeletons.from_schema(schema, kind.api_version, kind.kind, kind.namespaced, facts)
    if draft is None:
        raise unavailable(f"the API server publishes no schema for {kind.full_name}", "write the manifest yourself")
    skeletons.put(draft, fields)
    return draft, " and ".join(sources)


async def _rehearse(kube: Kube, kind: Kind, content: Any, warnings: list[str]) -> DryRunOutcome:
    """Whether the API server would accept the draft, as far as this identity may ask."""
    place = kube.scoped(kind, content["metadata"].get("namespace") if kind.namespaced else None)
    try:
        await objects.create(kube.api, kind, place.namespace, content, dry_run=True)
    except StatusFailure as failure:
        # The name is checked last, on storing: validation and admission have passed by then.
        if failure.reason == "AlreadyExists":
            warnings.append(failure.message)
            return "passed"
        # 405: the kind is read-only, such as metrics or component statuses.
        if failure.http_status in (403, 405):
            return "not_run"
        why = await explain_refusal(failure, kube.openapi, kind)
        warnings.append(f"the server's dry run failed: {why.message}" + (f" ({why.hint})" if why.hint else ""))
        return "failed"
    return "passed"
