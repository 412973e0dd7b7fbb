"""What a request to the API server does: judged before it is sent, by the live object and what would become of it.

A patch is rehearsed by the API server itself (`dryRun=All`), since only it knows what a patch comes to. Nothing is
judged outside of a call.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from kmcp_runtime import judging, live_state, touched
from kmcp_runtime.catalog import Effect
from kmcp_runtime.errors import ToolFailure
from kmcp_runtime.json_text import TooDeepError
from kmcp_runtime.judging import NAMESPACES, READS, Judgement, Resource, Verdict, destroys, of_losses, writes
from kmcp_runtime.kube import losses, marks, scales, secret_values, takeovers
from kmcp_runtime.kube.failures import PolicyRefusal, StatusFailure
from kmcp_runtime.kube.request_targets import QUESTIONS, Target, resource, target
from kmcp_runtime.worker import read_json, run_in_thread

if TYPE_CHECKING:
    from kmcp_runtime.kube.api import KubeApi

_NO_REHEARSAL = "does not support dry run"
"""The API server's words when an admission webhook has side effects (`sideEffects` other than None)."""
_APPLY = "application/apply-patch+yaml"
_MERGES = ("application/merge-patch+json", "application/strategic-merge-patch+json")
_LABELS_TELL = takeovers.LABELLED | {"secrets", "configmaps"}
"""Kinds that are looked at before their labels change; of the last two, releases of Helm."""


@dataclass(frozen=True)
class KubeRequest:
    """One changing request."""

    method: str
    path: str
    query: Sequence[tuple[str, str]]
    body: Any
    content_type: str

    @property
    def is_rehearsal(self) -> bool:
        return ("dryRun", "All") in self.query or (isinstance(self.body, Mapping) and "dryRun" in self.body)


def reach(api: "KubeApi", path: str, *effects: Effect) -> None:
    """Ask the policy about a request that is about to be sent."""
    if judging.is_guarded():
        _ask_policy(resource(api, path), *effects)


def _reach(api: "KubeApi", request: KubeRequest, *effects: Effect) -> None:
    if not judging.is_guarded():
        return
    metadata = request.body.get("metadata") if isinstance(request.body, Mapping) else None
    named = metadata.get("name") if request.method == "POST" and isinstance(metadata, Mapping) else None
    about = resource(api, request.path, str(named) if named else None)
    if about is not None and request.method == "GET" and (about.group, about.kind) == NAMESPACES:
        # As a Role in a namespace may allow it: to look at the namespace itself is to be in it, to change it is not.
        # A list of namespaces, whatever selects among them, is a look at any of them.
        about = replace(about, namespace=about.name)
    _ask_policy(about, *effects)


def _ask_policy(about: Resource | None, *effects: Effect) -> None:
    if about is None:
        return
    try:
        judging.reach(about, *effects)
    except ToolFailure as failure:
        raise PolicyRefusal(failure) from None


async def judge_before(api: "KubeApi", request: KubeRequest) -> None:
    """Refuse, hold back or let through a request that is no rehearsal."""
    judgement = judging.current()
    if judgement is None:
        return
    # Before the live object is looked at: a refusal is the same whether or not it exists.
    _reach(api, request, *_foreseeable(judgement, request))
    if request.method == "GET":
        return
    if judgement.allowed == {Effect.READ}:
        # Not even a rehearsal: it runs the webhooks of others.
        asks = request.method == "POST" and QUESTIONS.match(request.path)
        judgement.admit(READS if asks else writes(f"{request.method} {target(request.path).words}"))
    elif not request.is_rehearsal:
        verdict = _at_sight(judgement, request)
        if verdict is None:
            verdict = await (_created(api, request) if request.method == "POST" else _rehearsed(api, request))
        _reach(api, request, verdict.effect)
        judgement.admit(verdict)


async def judge_after(api: "KubeApi", request: KubeRequest, content: bytes) -> None:
    """Note what a rehearsal has shown, and what this call itself has made or changed."""
    judgement = judging.current()
    if judgement is None or request.method == "GET":
        return
    found = await _read(content)
    if not request.is_rehearsal:
        _tell_done(judgement, request, found)
        if request.method == "POST":
            judgement.made.add(f"{request.path}/{found.get('metadata', {}).get('name')}")
        elif request.method != "DELETE":
            live_state.moved(*_state(found))
        return
    verdict = _at_sight(judgement, request, found)
    if verdict is None and request.method == "POST":
        verdict = await _created(api, request)
    elif verdict is None:
        verdict = await _compared(api, request, found)
    _reach(api, request, verdict.effect)
    judging.foresee(verdict)


def _tell_done(judgement: Judgement, request: KubeRequest, answer: Mapping[str, Any]) -> None:
    about = target(request.path)
    if not QUESTIONS.match(request.path):
        created = request.method == "POST" and about.name is None
        judgement.done.append(losses.in_words(answer) if created else about.words)


def _foreseeable(judgement: Judgement, request: KubeRequest) -> tuple[Effect, ...]:
    """The effects that a request may have, by itself."""
    if request.method == "GET":
        return (Effect.READ,)
    destroys_always = (request.method == "DELETE" and request.path not in judgement.made) or target(
        request.path
    ).subresource == "eviction"
    return (Effect.DESTROY,) if destroys_always else (Effect.WRITE, Effect.DESTROY)


def _at_sight(judgement: Judgement, request: KubeRequest, answer: Mapping[str, Any] | None = None) -> Verdict | None:
    """What needs no look at the live object."""
    about = target(request.path)
    if request.method == "DELETE":
        if request.path in judgement.made:
            return writes(f"removes {about.words}, which this call made")
        kind = (answer or {}).get("kind")
        named = losses.in_words(answer or {}) if kind and kind != "Status" else about.words
        return destroys(f"deletes {named}")
    if request.method == "POST":
        if QUESTIONS.match(request.path):
            return READS
        if about.subresource == "eviction":
            return destroys(f"evicts {about.words}")
        return None
    if request.content_type in _MERGES and _is_light(about, request.body):
        return writes(f"changes {about.words}")
    return None


def _is_light(about: Target, body: Any) -> bool:
    """A merge that sets harmless labels and annotations alone, or those of a template, or how many run, not none."""
    if not isinstance(body, Mapping):
        return False
    if about.subresource == "scale":
        replicas = (body.get("spec") or {}).get("replicas")
        # Fewer replicas of a StatefulSet may delete claims, and what another kind does is not known.
        return about.plural in ("deployments", "replicasets") and isinstance(replicas, int) and replicas > 0
    if set(body) == {"spec"} and isinstance(body["spec"], Mapping) and set(body["spec"]) == {"template"}:
        metadata = (body["spec"]["template"] or {}).get("metadata")
        return set(body["spec"]["template"] or {}) == {"metadata"} and _has_pairs_alone(metadata)
    metadata = body.get("metadata")
    return set(body) == {"metadata"} and _has_pairs_alone(metadata) and _are_harmless(about, metadata)


def _has_pairs_alone(metadata: Any) -> bool:
    return isinstance(metadata, Mapping) and set(metadata) <= {"labels", "annotations"}


def _are_harmless(about: Target, metadata: Any) -> bool:
    """Whether these labels and annotations move no controller, whatever is live."""
    if about.subresource or not all(isinstance(pairs, Mapping) for pairs in metadata.values()):
        return False
    if "labels" in metadata and about.plural in _LABELS_TELL:
        return False
    # A patch's own words (`$patch`) take more away than they name.
    return not any(marks.is_order(key) or key.startswith("$") for pairs in metadata.values() for key in pairs)


async def _created(api: "KubeApi", request: KubeRequest) -> Verdict:
    about = target(request.path)
    return await _made(api, about, request.body if isinstance(request.body, Mapping) else {})


async def _made(api: "KubeApi", about: Target, made: Mapping[str, Any]) -> Verdict:
    found = losses.of_creation(made)
    if about.subresource is None:
        found += await takeovers.of_creation(api, about.namespace, made)
    if found:
        # A yes is for taking over these, and no others.
        live_state.bind(f"{losses.in_words(made)} (to be made)", found)
    return of_losses(found, f"creates {losses.in_words(made)}")


async def _rehearsed(api: "KubeApi", request: KubeRequest) -> Verdict:
    try:
        query = [*request.query, ("dryRun", "All")]
        content = await api.unjudged(request.method, request.path, query, request.body, request.content_type)
    except ToolFailure as failure:
        if _NO_REHEARSAL not in failure.message:
            raise
        return destroys(f"what it does to {target(request.path).words} cannot be rehearsed: {failure.message}")
    return await _compared(api, request, await _read(content))


async def _compared(api: "KubeApi", request: KubeRequest, after: Mapping[str, Any]) -> Verdict:
    """By the live object and what the API server says would become of it."""
    about = target(request.path)
    # The status is part of the object, and to read it there needs no right of its own.
    before = await _live(api, request.path.removesuffix("/status") if about.subresource == "status" else request.path)
    if before is None:
        return await _made(api, about, after)
    if after.get("kind") == touched.METADATA_ALONE:  # asked for without the rest, which such a request leaves alone
        after = {**before, "metadata": after.get("metadata") or {}}
    found = await _all_losses(api, request, about, before, after)
    if found:
        live_state.bind(*_state(before))
    return of_losses(found, f"changes {about.words}")


def judge_steps(before: Mapping[str, Any], after: Mapping[str, Any], dry_run: bool) -> None:
    """Judge what several requests together make of an object, before the first of them is sent.

    Errors: `NeedsApproval` as of a request, and `conflict` when the object is no longer the one that was approved.
    """
    found = losses.of_change(before, after)
    if not found or judging.current() is None:
        return
    live_state.bind(*_state(before))
    judge = judging.foresee if dry_run else judging.allow
    judge(destroys(*found))


def _state(found: Mapping[str, Any]) -> tuple[str, dict[str, Any]]:
    """What an approval is bound to: the object without what changes by itself."""
    metadata = found.get("metadata") or {}
    written = {key: value for key, value in found.items() if key not in ("status", "metadata")}
    state = {"uid": metadata.get("uid"), "object": written, "finalizers": metadata.get("finalizers")}
    return f"{losses.in_words(found)} (judged)", state


async def _all_losses(
    api: "KubeApi", request: KubeRequest, about: Target, before: Mapping[str, Any], after: Mapping[str, Any]
) -> list[str]:
    if about.subresource == "status":
        return losses.of_status(about.plural, before, after)
    if about.subresource == "scale":
        return await _scaled(api, request, about, before, after)
    found = await run_in_thread(losses.of_change, before, after)
    found += await scales.of_change(api, about.plural, before, after)
    found += await _lost_owners(api, about, before, after)
    found += await takeovers.of_change(api, about.namespace, before, after)
    if request.content_type == _APPLY and ("force", "true") in request.query:
        found += await _overwritten(api, request, before)
    return found


async def _scaled(
    api: "KubeApi", request: KubeRequest, about: Target, before: Mapping[str, Any], after: Mapping[str, Any]
) -> list[str]:
    was, to = ((each.get("spec") or {}).get("replicas", 0) for each in (before, after))
    spec: dict[str, Any] = {"replicas": was}
    if about.plural == "statefulsets":
        parent = await _live(api, request.path.removesuffix("/scale")) or {}
        policy = (parent.get("spec") or {}).get("persistentVolumeClaimRetentionPolicy") or {}
        spec["persistentVolumeClaimRetentionPolicy"] = policy
    counted, then = {"metadata": before.get("metadata"), "spec": spec}, {"spec": {**spec, "replicas": to}}
    return losses.of_change(counted, then, about.words.split(" ")[0])


async def _lost_owners(api: "KubeApi", about: Target, before: Mapping[str, Any], after: Mapping[str, Any]) -> list[str]:
    """New owners that are not there, are others, or are going: the garbage collector deletes what they own."""
    known = [_owner(each) for each in (before.get("metadata") or {}).get("ownerReferences") or ()]
    found = []
    for reference in (after.get("metadata") or {}).get("ownerReferences") or ():
        if _owner(reference) in known:
            continue
        fault = await _fault_of_owner(api, about, reference)
        if fault:
            named = f"{reference.get('kind')} {reference.get('name')}"
            found.append(f"{losses.in_words(before)} would be deleted with its new owner {named}: {fault}")
    return found


def _owner(reference: Mapping[str, Any]) -> tuple[Any, ...]:
    return tuple(reference.get(field) for field in ("apiVersion", "kind", "name", "uid"))


async def _fault_of_owner(api: "KubeApi", about: Target, reference: Mapping[str, Any]) -> str | None:
    version = str(reference.get("apiVersion"))
    base = f"/apis/{version}" if "/" in version else f"/api/{version}"
    try:
        listed = (await _read(await api.unjudged("GET", base))).get("resources") or ()
    except ToolFailure as failure:
        return f"what that is cannot be seen ({failure.message})"
    kind = next((each for each in listed if each["kind"] == reference.get("kind") and "/" not in each["name"]), None)
    if kind is None:
        return f"the API server has no {reference.get('kind')} in {version}"
    if kind["namespaced"] and not about.namespace:
        return "an owner in a namespace does not count for what has none"
    within = f"/namespaces/{about.namespace}" if kind["namespaced"] else ""
    try:
        owner = await _live(api, f"{base}{within}/{kind['name']}/{reference.get('name')}")
    except ToolFailure as failure:
        return f"whether it exists cannot be seen ({failure.message})"
    if owner is None:
        return "it does not exist"
    metadata = owner["metadata"]
    if metadata.get("uid") != reference.get("uid"):
        return "it has another uid"
    return "it is being deleted" if metadata.get("deletionTimestamp") else None


async def _overwritten(api: "KubeApi", request: KubeRequest, before: Mapping[str, Any]) -> list[str]:
    """What an apply with force takes from other field managers."""
    name, manager = losses.in_words(before), dict(request.query).get("fieldManager", "")
    if before.get("kind") == "Secret":
        # Whatever the values are: a question for a value that differs alone would show whether a guess is right.
        sent = secret_values.sent_keys(request.body, before)
        owners = secret_values.owners_elsewhere(before, sent, manager)
        return [
            f"overwrites key {key} of {name}, which {owner} has set"
            for key, owner in sorted(owners.items())
            if owner != manager
        ]
    query = [*(pair for pair in request.query if pair[0] not in ("force", "dryRun")), ("force", "false")]
    try:
        await api.unjudged("PATCH", request.path, [*query, ("dryRun", "All")], request.body, request.content_type)
    except StatusFailure as failure:
        if failure.http_status != 409:
            raise
        # What this server itself has set by other kinds of requests counts as another manager for the API server.
        others = [cause for cause in failure.causes if f'"{manager}"' not in str(cause.get("message"))]
        return [f"overwrites {cause.get('field')} of {name}: {cause.get('message')}" for cause in others]
    return []


async def _live(api: "KubeApi", path: str) -> dict[str, Any] | None:
    """None when it does not exist."""
    try:
        return await _read(await api.unjudged("GET", path))
    except ToolFailure as failure:
        if failure.code == "not_found":
            return None
        raise


async def _read(content: bytes) -> dict[str, Any]:
    """An answer of the API server, which is JSON; what is not an object counts as an empty one.

    Errors: `TooDeepError`, since nobody can judge what is not looked into.
    """
    try:
        found = await read_json(content)
    except TooDeepError:
        raise
    except ValueError:
        return {}
    return found if isinstance(found, dict) else {}
