"""Active alerts as tools answer them."""

from typing import Any

from pydantic import BaseModel, Field

from kmcp_prometheus.answers.samples import Number, number

ALERT_NAME = "alertname"


class Alert(BaseModel):
    """One active alert; a rule has one for each set of labels."""

    name: str
    state: str
    labels: dict[str, str]
    annotations: dict[str, str] = Field(default_factory=dict)
    active_at: str | None = None
    value: Number | None = None
    note: str | None = None

    def all_labels(self) -> dict[str, str]:
        """The labels that matchers look at, the alert's name included."""
        return {ALERT_NAME: self.name, **self.labels}


def of(entry: dict[str, Any]) -> Alert:
    value, note = number(entry["value"]) if entry.get("value") not in (None, "") else (None, None)
    # A copy: the name is taken out below, and the entry belongs to the reply.
    labels = dict(entry["labels"])
    return Alert(
        name=labels.pop(ALERT_NAME, ""),
        state=entry["state"],
        labels=labels,
        annotations=entry.get("annotations") or {},
        active_at=entry.get("activeAt"),
        value=value,
        note=note,
    )
