"""Labels and annotations of any object."""

from typing import Annotated

from pydantic import BeforeValidator, Field, WithJsonSchema

from kmcp_kubernetes.arguments import ResourceName, ResourceType
from kmcp_kubernetes.client import Kube
from kmcp_kubernetes.writing import marking
from kmcp_kubernetes.writing.marking import Marked, Marking
from kmcp_runtime import DryRun, Effect, Holds, OptionalNamespace, Rule, tool

_NEEDS = (Rule("*", ("*",), ("get", "patch")),)
Pairs = Annotated[
    dict[str, str],
    BeforeValidator(marking.read_pairs),
    WithJsonSchema({"type": "object", "additionalProperties": {"type": "string"}}),
    "Keys and values",
    # Annotations of one object may have 256 KiB together.
    Holds(characters=256 << 10, values=1_000),
    Field(min_length=1),
]
Key = Annotated[str, "Key", Field(min_length=1)]
Overwrite = Annotated[bool, "Replace other values"]


class WithLabels(Marked):
    """An object and its labels."""

    labels: dict[str, str]


class WithAnnotations(Marked):
    """An object and its annotations."""

    annotations: dict[str, str]


@tool(Effect.WRITE, needs=_NEEDS, idempotent=True)
async def k8s_label_resource(
    kube: Kube,
    resource_type: ResourceType,
    resource_name: ResourceName,
    labels: Pairs,
    namespace: OptionalNamespace = None,
    overwrite: Overwrite = False,
    dry_run: DryRun = False,
) -> WithLabels:
    """Set labels of one object, by which selectors find it."""
    place = await kube.place(resource_type, namespace)
    return _with_labels(
        await marking.put(kube, place, resource_name, "labels", labels, overwrite=overwrite, dry_run=dry_run)
    )


@tool(Effect.WRITE, needs=_NEEDS, idempotent=True)
async def k8s_remove_label(
    kube: Kube,
    resource_type: ResourceType,
    resource_name: ResourceName,
    label_key: Key,
    namespace: OptionalNamespace = None,
    dry_run: DryRun = False,
) -> WithLabels:
    """Remove one label of an object."""
    place = await kube.place(resource_type, namespace)
    return _with_labels(await marking.remove(kube, place, resource_name, "labels", label_key, dry_run=dry_run))


@tool(Effect.WRITE, needs=_NEEDS, idempotent=True)
async def k8s_annotate_resource(
    kube: Kube,
    resource_type: ResourceType,
    resource_name: ResourceName,
    annotations: Pairs,
    namespace: OptionalNamespace = None,
    overwrite: Overwrite = False,
    dry_run: DryRun = False,
) -> WithAnnotations:
    """Set annotations of one object; values may hold any text."""
    place = await kube.place(resource_type, namespace)
    return _with_annotations(
        await marking.put(kube, place, resource_name, "annotations", annotations, overwrite=overwrite, dry_run=dry_run)
    )


@tool(Effect.WRITE, needs=_NEEDS, idempotent=True)
async def k8s_remove_annotation(
    kube: Kube,
    resource_type: ResourceType,
    resource_name: ResourceName,
    annotation_key: Key,
    namespace: OptionalNamespace = None,
    dry_run: DryRun = False,
) -> WithAnnotations:
    """Remove one annotation of an object."""
    place = await kube.place(resource_type, namespace)
    return _with_annotations(
        await marking.remove(kube, place, resource_name, "annotations", annotation_key, dry_run=dry_run)
    )


def _with_labels(marking: Marking) -> WithLabels:
    return WithLabels.model_validate({**marking.fields(), "labels": marking.shown()})


def _with_annotations(marking: Marking) -> WithAnnotations:
    return WithAnnotations.model_validate({**marking.fields(), "annotations": marking.shown()})
