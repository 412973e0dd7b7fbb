"""Installation by istioctl."""

import re

from kmcp_istio import istioctl
from kmcp_istio.control_plane import versions
from kmcp_istio.installers.components import list_components
from kmcp_istio.installers.manifests import Drafted
from kmcp_istio.installers.order import Done, Installer, Order
from kmcp_runtime import ToolFailure, live_state, timed_out
from kmcp_runtime.command import Ended
from kmcp_runtime.judging import Verdict, destroys, writes
from kmcp_runtime.kube import manifests

_RENDER_SECONDS = 60.0
_GRACE_SECONDS = 60.0
_DEFAULT_NAMESPACE = "istio-system"
_NOTICE = re.compile(r"(?:[!⚠]\S*|WARNING:)\s*(.+)", re.IGNORECASE)


class ByIstioctl(Installer):
    title = "istioctl"

    async def render(self, order: Order) -> Drafted:
        ended = await istioctl.run(
            self.mesh, ("manifest", "generate"), self._flags(order), seconds=_RENDER_SECONDS, cluster=False
        )
        if ended.code != 0:
            raise istioctl.failure(ended)
        text = ended.stdout.strip()  # Empty for the profile "empty", which installs nothing.
        documents = manifests.parse(text, "the manifest of istioctl") if text else []
        return Drafted(documents, _notices(ended.stderr))

    async def install(self, order: Order, verify: bool, seconds: int) -> Done:
        given = [
            *self._flags(order),
            # Without a terminal it would ask and end.
            "--skip-confirmation",
            f"--readiness-timeout={seconds}s",
            *(["--verify"] if verify else []),
        ]
        # istioctl waits for readiness itself; the grace is for applying the objects before that.
        verdict = await self.judge(order)
        ended = await istioctl.run(self.mesh, ("install",), given, seconds=seconds + _GRACE_SECONDS, verdict=verdict)
        if ended.code != 0:
            raise self._failure(ended)
        return Done(istioctl.messages(ended), await istioctl.read_version(self.mesh))

    async def judge(self, order: Order) -> Verdict:
        there = await list_components(self.mesh)
        live_state.bind("components of Istio", sorted(component.name for component in there))
        if not there:
            return writes("installs Istio")
        # It deletes what it has installed and no longer has in its manifest, and tells which only afterwards.
        names = ", ".join(component.name for component in there)
        return destroys(f"changes the installation of {names}, and deletes what the new configuration no longer has")

    async def read_warnings(self, order: Order) -> list[str]:
        return await versions.check_versions(self.mesh, order.revision)

    def _flags(self, order: Order) -> list[str]:
        namespace = self.mesh.settings.istio_namespace
        # Two settings: where the objects go, and where they look for istiod. The default needs neither.
        placed = {"namespace": namespace, "values.global.istioNamespace": namespace}
        pairs = {"profile": order.profile, **(placed if namespace != _DEFAULT_NAMESPACE else {}), **order.settings}
        revision = [f"--revision={order.revision}"] if order.revision else []
        return [*(f"--set={key}={value}" for key, value in pairs.items()), *revision]

    def _failure(self, ended: Ended) -> ToolFailure:
        failure = istioctl.failure(ended)
        if "failed to wait" in failure.message or "timed out" in failure.message:
            hint = "k8s_describe_resource shows why an object is not ready"
            return timed_out(failure.message, hint, backend=istioctl.BACKEND)
        return failure


def _notices(text: str) -> list[str]:
    found = (_NOTICE.fullmatch(line.strip()) for line in text.splitlines())
    return [match[1].strip() for match in found if match]
