"""Patches: choosing their type, checking their shape, and showing what they changed as a diff."""

from collections.abc import Mapping
from typing import Any

from kmcp_kubernetes.client import Kube, Place
from kmcp_kubernetes.writing.batch import written
from kmcp_kubernetes.writing.refusals import explain_refusal
from kmcp_runtime import Change, Diff, ToolFailure, bad_argument, redaction
from kmcp_runtime.json_patch import check_operations
from kmcp_runtime.kube import objects, secret_values
from kmcp_runtime.kube.discovery import Kind
from kmcp_runtime.kube.failures import BACKEND, StatusFailure
from kmcp_runtime.kube.manifests import parse_value
from kmcp_runtime.kube.objects import PatchType
from kmcp_runtime.worker import run_in_thread


def read_patch(patch: Any) -> Any:
    """The patch as data, also when it is given as JSON or YAML text."""
    if isinstance(patch, str):
        patch = parse_value(patch, "patch")
    if not isinstance(patch, dict | list):
        raise bad_argument(f"patch: it must be an object or a list of operations, not {type(patch).__name__}")
    return patch


def chosen_type(patch: Any, wanted: PatchType | None, kind: Kind) -> PatchType:
    """The type of a patch, which its shape must fit: a list is a JSON patch, an object is a merge."""
    if wanted is None:
        # Custom resources have no strategic merge: the API server answers 415.
        wanted = "json" if isinstance(patch, list) else "strategic" if kind.built_in else "merge"
    if wanted == "json":
        check_operations(patch, "patch")
    elif not isinstance(patch, dict):
        raise bad_argument(f"patch: a {wanted} patch is an object, not a list", "patch_type=json takes a list")
    return wanted


async def patch_object(
    kube: Kube,
    place: Place,
    name: str,
    patch: Any,
    patch_type: PatchType,
    *,
    dry_run: bool,
    subresource: str | None = None,
) -> Change:
    """Patch an object and show how it differs from what it was before."""
    before = await kube.read(place, name)
    secret = objects.is_secret(place.kind)
    sent = secret_values.sent_keys(patch, before) if secret else frozenset()
    secret_values.refuse_probe(f"{place.kind.kind} {name}", before, sent)
    if patch_type == "json" and not secret:  # Of a Secret the door to the API server refuses more.
        await run_in_thread(redaction.refuse_exposure, patch, before, "patch")
    patch = await run_in_thread(restored, patch, patch_type, objects.slim(before))
    try:
        after = await objects.patch(
            kube.api, place.kind, name, place.namespace, patch, patch_type, dry_run=dry_run, subresource=subresource
        )
    except StatusFailure as failure:
        raise await _explain(failure, kube, place.kind, patch_type) from None
    if not secret:
        return change_between(place, before, after, dry_run, whole=subresource is not None)
    shown = secret_values.cover(before, after, sent)
    change = change_between(place, shown[0] or {}, shown[1], dry_run)
    if dry_run and sent:
        change.resource_version = None  # It stays the same when a value is the one that is there.
    return change


def change_between(
    place: Place,
    before: Mapping[str, Any],
    after: Mapping[str, Any],
    dry_run: bool,
    *,
    whole: bool = False,
    result: str = "patched",
) -> Change:
    """The change between two states; the status counts only when `whole`, since controllers write it at any time."""
    if whole:
        diff = Diff(objects.comparable(before), objects.comparable(after))
    else:
        diff = Diff(written(place.kind, before), written(place.kind, after))
    metadata = after.get("metadata") or {}
    return Change(
        kind=place.kind.kind,
        name=str(metadata.get("name", "")),
        namespace=place.namespace,
        result=result if diff.changed else "unchanged",
        changed=diff.changed,
        diff=diff if diff.changed else None,
        resource_version=metadata.get("resourceVersion"),
        dry_run=dry_run or None,
    )


def restored(patch: Any, patch_type: PatchType, live: objects.Object) -> Any:
    """The patch with the live values where it repeats the marks that an answer showed."""
    if patch_type == "json":
        return redaction.restore_operations(patch, live, "patch")
    # What is hidden depends on the object that it is in: its kind and its name.
    known = {key: live[key] for key in ("apiVersion", "kind") if key in live}
    named = {key: live["metadata"].get(key) for key in ("name", "namespace", "uid")}

    def around(merged: Any) -> Any:
        metadata = merged.get("metadata")
        return {**merged, **known, "metadata": {**(metadata if isinstance(metadata, dict) else {}), **named}}

    return redaction.restore(patch, live, "patch", around)


async def _explain(failure: StatusFailure, kube: Kube, kind: Kind, patch_type: PatchType) -> ToolFailure:
    if failure.http_status == 415:
        return ToolFailure("bad_argument", failure.message, "use patch_type merge or json", backend=BACKEND)
    if failure.http_status == 404 and failure.reason != "NotFound":
        return failure
    if patch_type == "json" and failure.http_status == 422 and not failure.causes:
        hint = "a path does not exist, or a test did not hold: read the object with k8s_get_resource_yaml"
        return ToolFailure("bad_argument", failure.message, hint, backend=BACKEND)
    return await explain_refusal(failure, kube.openapi, kind)
