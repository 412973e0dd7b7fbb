"""Rules in pages of groups, as Prometheus returns them; where a backend has no pages, they are made here."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from pydantic import BaseModel, Field

from kmcp_prometheus.answers import active_alerts as active
from kmcp_prometheus.answers.samples import Number, plain
from kmcp_prometheus.client import Prometheus
from kmcp_prometheus.promql import guard, matching
from kmcp_runtime import cursors
from kmcp_runtime.worker import run_in_thread

_TYPES = {"alerting": "alert", "recording": "record"}
PARTS: dict[str, cursors.Part] = {"token": str, "groups": cursors.COUNT, "rules": cursors.COUNT}
"""Of a position in the rules."""
_MOST_PAGES = 20
"""Pages that are read at most in search of a rule that fits."""


class Rule(BaseModel):
    """One rule with its state."""

    group: str
    file: str
    name: str
    type: str = Field(description="alert or record")
    query: str
    duration_seconds: Number | None = Field(default=None, description="How long it must hold before it fires")
    state: str | None = Field(default=None, description="firing, pending or inactive")
    health: str
    last_error: str | None = None
    evaluation_seconds: Number | None = None
    labels: dict[str, str] | None = None
    annotations: dict[str, str] | None = None
    alerts: list[active.Alert] | None = None


@dataclass(frozen=True)
class Wanted:
    """Which rules are asked for."""

    type: str | None = None
    rule_name: Sequence[str] = ()
    rule_group: Sequence[str] = ()
    file: Sequence[str] = ()
    match: Sequence[str] = ()
    state: str | None = None
    health: str | None = None
    alerts: bool = False

    def parameters(self) -> list[tuple[str, Any]]:
        return [
            ("type", self.type),
            ("rule_name[]", self.rule_name),
            ("rule_group[]", self.rule_group),
            ("file[]", self.file),
            ("match[]", self.match),
            ("exclude_alerts", str(not self.alerts).lower()),
        ]

    def among(self, rules: Sequence[Rule]) -> list[Rule]:
        """Those that are wanted; checked here again because backends ignore parameters that they do not know."""
        selectors = [guard.matchers(text) for text in self.match]
        return [rule for rule in rules if self._takes(rule) and _match(rule.labels or {}, selectors)]

    def _takes(self, rule: Rule) -> bool:
        return (
            self.type in (None, rule.type)
            and (not self.rule_name or rule.name in self.rule_name)
            and (not self.rule_group or rule.group in self.rule_group)
            and (not self.file or rule.file in self.file)
            and self.state in (None, rule.state)
            and self.health in (None, rule.health)
        )


def _match(labels: Mapping[str, str], selectors: Sequence[Sequence[matching.Matcher]]) -> bool:
    return not selectors or any(matching.match(labels, matchers) for matchers in selectors)


@dataclass
class Found:
    """Rules of some groups, and where the next groups begin."""

    rules: list[Rule]
    warnings: list[str]
    position: dict[str, Any]
    """Where these groups begin."""
    following: dict[str, Any] | None
    """Where the next ones do."""


async def read_rules(prometheus: Prometheus, wanted: Wanted, limit: int, position: dict[str, Any]) -> Found:
    """Read the next groups with a wanted rule, skipping pages without one."""
    # A filter that the backend ignores leaves pages empty here; without a limit a search would read them all.
    for _ in range(_MOST_PAGES):
        found = await _read_page(prometheus, wanted, limit, position)
        if found.rules or found.following is None:
            break
        position = found.following
    return found


async def _read_page(prometheus: Prometheus, wanted: Wanted, limit: int, position: dict[str, Any]) -> Found:
    token, skipped = position.get("token"), position.get("groups", 0)
    parameters = [*wanted.parameters(), ("group_limit", limit), ("group_next_token", token)]
    reply = await prometheus.get("/rules", parameters)
    data = reply.mapping()
    groups = data.get("groups") or []
    following = data.get("groupNextToken") or None
    after: dict[str, Any] | None = {"token": following} if following else None
    if len(groups) > limit:  # A backend without pages has sent every group.
        after = {"groups": skipped + limit} if len(groups) > skipped + limit else None
        groups = groups[skipped : skipped + limit]
    rules = reply.read(lambda _: [_rule(group, entry, wanted.alerts) for group in groups for entry in group["rules"]])
    return Found(await run_in_thread(wanted.among, rules), reply.warnings, position, after)


def cursor_at(found: Found, kept: int, arguments: dict[str, Any]) -> str:
    """The cursor of what follows when only `kept` rules of these groups are shown; empty when nothing follows."""
    skipped = found.position.get("rules", 0)
    # The budget may cut in the middle of a page: the cursor then stays on it and counts the rules already shown.
    if kept + skipped < len(found.rules):
        return cursors.encode({**found.position, "rules": kept + skipped}, arguments)
    return cursors.encode(found.following, arguments) if found.following else ""


def _plain(value: Any) -> Number | None:
    return None if value is None else plain(value)


def _rule(group: dict[str, Any], entry: dict[str, Any], alerts: bool) -> Rule:
    return Rule(
        group=group["name"],
        file=group["file"],
        name=entry["name"],
        type=_TYPES.get(entry["type"], entry["type"]),
        query=entry["query"],
        duration_seconds=_plain(entry.get("duration")),
        state=entry.get("state"),
        health=entry["health"],
        last_error=entry.get("lastError") or None,
        evaluation_seconds=entry.get("evaluationTime"),
        labels=entry.get("labels") or None,
        annotations=entry.get("annotations") or None,
        alerts=[active.of(one) for one in entry.get("alerts") or ()] if alerts and "alerts" in entry else None,
    )
