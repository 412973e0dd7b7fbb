"""Every tool as a ServiceAccount that holds exactly what the tool declares: enough, and nothing in it to spare."""

from collections.abc import Mapping, Sequence
from typing import Any

import pytest

pytestmark = [pytest.mark.pods, pytest.mark.usefixtures("controller"), pytest.mark.timeout(300)]
_WEB = {"rollout_name": "web", "namespace": "{ns}"}
_REFERENCING = {"rollout_name": "referencing", "namespace": "{ns}"}
_GATEWAY = {"namespace": "{ns}", "should_install": True, "version": "v0.5.0", "restart_controller": True}
CALLS: Mapping[str, Sequence[Mapping[str, Any]]] = {
    "argo_verify_argo_rollouts_controller_install": ({},),
    "argo_verify_kubectl_plugin_install": ({},),
    "argo_rollouts_list": ({"namespace": "{ns}"}, {"namespace": "{ns}", "type": "experiments"}),
    "argo_check_plugin_logs": ({"timeout_seconds": 1},),
    "argo_promote_rollout": ({**_WEB, "full": True},),
    "argo_pause_rollout": (_WEB,),
    "argo_set_rollout_image": (
        {**_WEB, "container_image": "main=localhost/x:{fresh}"},
        {**_REFERENCING, "container_image": "main=localhost/x:{fresh}"},
    ),
    "argo_get_rollout": (_WEB,),
    "argo_rollout_action": (
        {**_WEB, "action": "restart"},
        {**_WEB, "action": "abort"},
        {"rollout_name": "trial", "namespace": "{ns}", "action": "retry_experiment"},
    ),
}
