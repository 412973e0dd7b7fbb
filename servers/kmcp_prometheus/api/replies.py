"""Answers of the API, and the failure when something else answers."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, TypeVar

from kmcp_prometheus.api.failures import BACKEND
from kmcp_runtime import ToolFailure, unavailable

Found = TypeVar("Found")
_CUT = "results truncated due to limit"
_SHOWN = 100
PARTIAL = "the answer is partial: the backend could not ask all of its storage, so something may be missing"


@dataclass(frozen=True)
class Reply:
    """The `data` of an answer, with the warnings and infos that the backend added."""

    data: Any
    warnings: list[str]
    infos: list[str]
    cut: bool
    """True when the backend reports that it left out what is beyond `limit`."""

    def read(self, reader: Callable[[Any], Found]) -> Found:
        """What a reader makes of the data; `unavailable` when it does not have the shape that the API gives it."""
        try:
            return reader(self.data)
        except (KeyError, IndexError, TypeError, ValueError, AttributeError):
            raise _foreign(self.data) from None

    def texts(self) -> list[str]:
        """A list of names or values."""
        return self.read(lambda data: [str(item) for item in data or ()])

    def mapping(self) -> dict[str, Any]:
        return self.read(lambda data: dict(data or {}))


def reply(body: Any) -> Reply:
    """The answer in a body of the API."""
    if not isinstance(body, dict) or body.get("status") != "success":
        raise _foreign(body)
    warnings = [str(text) for text in body.get("warnings") or ()]
    # The remark on `limit` arrives among the warnings; `truncated` says the same in its own field.
    kept = [text for text in warnings if text != _CUT]
    if body.get("isPartial"):  # VictoriaMetrics says so beside the data; Thanos and Mimir say it in warnings.
        kept.append(PARTIAL)
    infos = [str(text) for text in body.get("infos") or ()]
    return Reply(body.get("data"), kept, infos, cut=_CUT in warnings)


def _foreign(found: Any) -> ToolFailure:
    return unavailable(
        f"this is not an answer from the Prometheus API: {str(found)[:_SHOWN]}",
        "check PROMETHEUS_URL: another service may be listening there",
        backend=BACKEND,
    )
