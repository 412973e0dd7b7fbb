"""Finding faults of the mesh's configuration."""

import re
from collections.abc import Sequence
from typing import Annotated, Literal

from pydantic import AfterValidator, BeforeValidator, Field

from kmcp_istio import istioctl
from kmcp_istio.analysis import checks, permissions, snapshot
from kmcp_istio.analysis.findings import Finding, Level, at_least, counts, spelled
from kmcp_istio.arguments import Revision
from kmcp_istio.client import Mesh
from kmcp_istio.control_plane import versions
from kmcp_istio.rights import FORWARD
from kmcp_runtime import AllNamespaces, Effect, OptionalNamespace, Page, TimeoutSeconds, read_json, tool, unavailable

_SUPPRESSION = re.compile(r"(IST\d{4})=([A-Za-z*]+ [^\s=,]+)")
_GRACE_SECONDS = 10.0
_LONGEST_SAID = 200


def check_suppressions(given: list[str] | None) -> list[str] | None:
    for each in given or ():
        if not _SUPPRESSION.fullmatch(each):
            raise ValueError(
                f"{each!r}: write CODE=KIND name.namespace, such as IST0103=Pod web.shop; * matches any part"
            )
    return given


Suppressions = Annotated[
    list[str] | None,
    BeforeValidator(lambda given: [given] if isinstance(given, str) else given),
    AfterValidator(check_suppressions),
    "CODE=KIND name.ns",
]


class Analysis(Page[Finding]):
    """The findings, the worst first."""

    counts: dict[str, int] = Field(description="Findings by level")
    engine: Literal["istioctl", "built-in checks"]


@tool(Effect.READ, needs=(*permissions.NEEDED, FORWARD))
async def istio_analyze_cluster_configuration(
    mesh: Mesh,
    namespace: OptionalNamespace = None,
    all_namespaces: AllNamespaces = True,
    suppress: Suppressions = None,
    level: Annotated[Level, "Least severe"] = "Info",
    revision: Revision = None,
    timeout_seconds: TimeoutSeconds = 60,
) -> Analysis:
    """Find configuration faults of the mesh: missing hosts, gateways and subsets, conflicts, pods without a proxy."""
    place = namespace or (None if all_namespaces else mesh.context.namespace)
    # istioctl reports no fault for a namespace that does not exist.
    if place and await mesh.namespace_is_missing(place):
        raise await mesh.explain_missing_namespace(place)
    if not istioctl.present(mesh.settings):
        return await _run_own_checks(mesh, place, suppress or (), level, "it is not on this server", istioctl.MISSING)
    lacking = await permissions.list_missing(mesh)
    if lacking:
        hint = f"grant {mesh.api.who} the missing rights"
        return await _run_own_checks(mesh, place, suppress or (), level, f"this identity {lacking[0]}", hint)
    return await _analyze_by_istioctl(mesh, place, suppress or (), level, revision, timeout_seconds)


async def _analyze_by_istioctl(
    mesh: Mesh, namespace: str | None, suppress: Sequence[str], level: Level, revision: str | None, seconds: int
) -> Analysis:
    flags = [
        "--output=json",
        f"--namespace={namespace}" if namespace else "--all-namespaces",
        # istioctl ends by itself first; the grace leaves it time to say why.
        f"--timeout={seconds}s",
        f"--output-threshold={level}",
        *(f"--suppress={spelling}" for each in suppress for spelling in spelled(each)),
        *([f"--revision={revision}"] if revision else []),
    ]
    ended = await istioctl.run(mesh, ("analyze",), flags, seconds=seconds + _GRACE_SECONDS)
    if ended.code != 0:
        raise istioctl.failure(ended)
    try:
        findings = [Finding.model_validate(each) for each in read_json(ended.stdout) or ()]
    except ValueError:
        # It ends with 0 also where it did not look, such as without the namespace of the context.
        said = "; ".join(istioctl.messages(ended))[:_LONGEST_SAID]
        raise unavailable(f"istioctl did not answer with an analysis: {said!r}") from None
    warnings = await versions.check_versions(mesh, revision)
    return _answer(findings, level, "istioctl", warnings, _hint(findings, namespace))


async def _run_own_checks(
    mesh: Mesh, namespace: str | None, suppress: Sequence[str], level: Level, why: str, remedy: str
) -> Analysis:
    seen = await snapshot.take_snapshot(mesh)
    findings = at_least(checks.run_checks(seen, namespace, suppress), level)
    warnings = [
        f"istioctl did not run: {why}; only the most frequent faults were checked ({', '.join(checks.CODES)}); "
        f"to check all of them, {remedy}",
        *(f"only the first {kind} were checked: there are too many to read all" for kind in seen.cut),
    ]
    return _answer(findings, level, "built-in checks", warnings, _hint(findings, namespace))


def _answer(
    findings: Sequence[Finding],
    level: Level,
    engine: Literal["istioctl", "built-in checks"],
    warnings: list[str],
    hint: str | None,
) -> Analysis:
    # istioctl reports what is worse than its threshold unsorted.
    shown = at_least(findings, level)
    return Analysis(items=shown, total=len(shown), counts=counts(shown), engine=engine, warnings=warnings, hint=hint)


def _hint(findings: Sequence[Finding], namespace: str | None) -> str | None:
    if findings:
        return None
    return f"No faults were found in {f'namespace {namespace}' if namespace else 'the mesh'}."
