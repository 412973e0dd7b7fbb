"""Whether policies are valid for an agent's version: the agent's own check, and the objects' conditions."""

from collections.abc import Mapping
from typing import Any

from pydantic import BaseModel

from kmcp_cilium.agents.agent import Agent
from kmcp_cilium.agents.log_lines import log_fields
from kmcp_cilium.client import Cilium
from kmcp_cilium.policy import policy_objects

SECONDS = 120.0
_MARGIN_SECONDS = 10.0


class Verdict(BaseModel):
    """Whether a policy is valid."""

    kind: str
    namespace: str | None = None
    name: str
    valid: bool
    error: str | None = None


async def validate_policies(cilium: Cilium, agent: Agent, discovery: bool = False) -> list[Verdict]:
    """Every Cilium policy of the cluster, invalid ones first."""
    found = await _run_preflight(agent, discovery)
    for kind in policy_objects.CUSTOM:
        for policy in await policy_objects.list_custom(cilium, policy_objects.RESOURCES[kind]):
            _add_condition(found, kind, policy)
    return sorted(found.values(), key=lambda each: (each.valid, each.kind, each.namespace or "", each.name))


Verdicts = dict[tuple[str, str | None, str], Verdict]


async def _run_preflight(agent: Agent, discovery: bool) -> Verdicts:
    """The verdicts in the log of `cilium-dbg preflight validate-cnp`."""
    words = ["preflight", "validate-cnp", *(("--enable-k8s-api-discovery",) if discovery else ())]
    ended = await agent.run("cilium-dbg", *words, seconds=SECONDS - _MARGIN_SECONDS)
    # The exit code says only whether all are valid, so the verdicts are read from the log.
    text = ended.stderr.decode(errors="replace") + ended.stdout.decode(errors="replace")
    found: Verdicts = {}
    # Not `splitlines`: a policy may be named in an error with characters that are ends of lines for Python alone.
    for line in text.split("\n"):
        verdict = _verdict(log_fields(line))
        if verdict is not None:
            found[verdict.kind, verdict.namespace, verdict.name] = verdict
    # A failure without an invalid policy is one of the command itself.
    if ended.exit_code and not any(not each.valid for each in found.values()):
        raise agent.failure(tuple(words), ended)
    return found


def _verdict(fields: Mapping[str, str]) -> Verdict | None:
    """What a line of the log says of a policy; None for one about something else.

    From 1.18 the line has `type` and `name`; up to 1.17 the kind is itself the name of the field.
    """
    message = fields.get("msg", "")
    valid = message.startswith("Validation OK")
    kind = next((kind for kind in policy_objects.CUSTOM if kind in fields), fields.get("type"))
    named = fields.get(kind, fields.get("name")) if kind else None
    if not named or not (valid or "validation error" in message):
        return None
    namespace, _, name = named.rpartition("/")
    error = None if valid else fields.get("error")
    return Verdict(kind=str(kind), namespace=namespace or None, name=name, valid=valid, error=error)


def _add_condition(verdicts: Verdicts, kind: str, policy: Mapping[str, Any]) -> None:
    """Add what the condition of a policy says that the command found nothing wrong with."""
    reason = policy_objects.invalid_because(policy)
    metadata = policy["metadata"]
    key = (kind, metadata.get("namespace"), metadata["name"])
    known = verdicts.get(key)
    if reason and (known is None or known.valid):
        verdicts[key] = Verdict(kind=kind, namespace=key[1], name=key[2], valid=False, error=reason)
