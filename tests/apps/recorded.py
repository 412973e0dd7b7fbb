"""Answers of tools whose backends are not in every test: of the tools' own classes, so their form is the real one."""

from collections.abc import Mapping
from typing import Any

from kmcp_argo.tools.inspection import RolloutDetails
from kmcp_kubernetes.tools.trees import ResourceTree
from kmcp_runtime import Result

_IMAGE = "registry.example.com/shop/checkout"
ROLLOUT = RolloutDetails.model_validate(
    {
        "rollout": {
            "name": "checkout",
            "namespace": "shop",
            "strategy": "Canary",
            "status": "Paused",
            "message": "CanaryPauseStep",
            "step": "3/6",
            "set_weight": 40,
            "ready": 5,
            "desired": 5,
            "up_to_date": 2,
            "available": 5,
            "images": [f"{_IMAGE}:1.9.0"],
        },
        "pause_conditions": ["CanaryPauseStep since 2026-01-05T08:00:00Z"],
        "steps": [
            {"step": "setWeight: 20"},
            {"step": "pause: 5m"},
            {"step": "setWeight: 40"},
            {"step": "pause", "current": True},
            {"step": "analysis"},
            {"step": "setWeight: 80"},
        ],
        "replica_sets": [
            {
                "revision": 7,
                "name": "checkout-7f9c6d4b88",
                "role": "canary",
                "images": [f"{_IMAGE}:1.9.0"],
                "replicas": 2,
                "ready": 1,
                "created": "2026-01-05T08:00:00Z",
            },
            {
                "revision": 6,
                "name": "checkout-66aa5c9f7d",
                "role": "stable",
                "images": [f"{_IMAGE}:1.8.2"],
                "replicas": 3,
                "ready": 3,
                "created": "2026-01-04T08:00:00Z",
            },
        ],
        "analysis_runs": [
            {
                "name": "checkout-7-1",
                "phase": "Running",
                "metrics": [
                    {
                        "name": "success-rate",
                        "phase": "Running",
                        "successful": 4,
                        "failed": 1,
                        "last_value": "[0.97]",
                    }
                ],
            }
        ],
        "conditions": [{"type": "Healthy", "status": "False", "message": "Rollout is not healthy"}],
        "hint": "argo_promote_rollout rollout_name=checkout continues; argo_rollout_action action=abort goes back.",
    }
)
TREE = ResourceTree.model_validate(
    {
        "namespace": "shop",
        "items": [
            {
                "level": 0,
                "kind": "Deployment",
                "name": "checkout",
                "health": "progressing",
                "reason": "1 of 2 updated replicas are available",
            },
            {
                "level": 1,
                "kind": "ReplicaSet",
                "name": "checkout-66aa5c9f7d",
                "health": "healthy",
                "reason": "scaled to 0",
            },
            {
                "level": 1,
                "kind": "ReplicaSet",
                "name": "checkout-7f9c6d4b88",
                "health": "progressing",
                "reason": "1 of 2 replicas are available",
            },
            {"level": 2, "kind": "Pod", "name": "checkout-7f9c6d4b88-4xk2p", "health": "healthy"},
            {
                "level": 2,
                "kind": "Pod",
                "name": "checkout-7f9c6d4b88-q8w7z",
                "health": "degraded",
                "reason": "CrashLoopBackOff, exit code 1, 3 restarts",
            },
        ],
        "total": 5,
        "truncated": False,
    }
)


def result(answer: Result | Mapping[str, Any]) -> dict[str, Any]:
    """As it is on the wire."""
    content = answer.model_dump(mode="json", exclude_none=True) if isinstance(answer, Result) else dict(answer)
    return {"content": [{"type": "text", "text": "an answer"}], "structuredContent": content}
