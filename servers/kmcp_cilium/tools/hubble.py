"""Switching Hubble on and off."""

from typing import Annotated

from kmcp_cilium.chart import releases
from kmcp_cilium.chart.releases import ReleaseChange
from kmcp_cilium.client import Cilium
from kmcp_cilium.declaring import chart_tool
from kmcp_runtime import DryRun, Effect, bad_argument


@chart_tool(Effect.WRITE, worst=Effect.DESTROY, timeout=releases.SECONDS, idempotent=True)
async def cilium_toggle_hubble(
    cilium: Cilium,
    enable: Annotated[bool, "On or off"] = True,
    relay: Annotated[bool, "Serve flows of all nodes"] = True,
    ui: Annotated[bool, "Serve its web UI"] = False,
    dry_run: DryRun = False,
) -> ReleaseChange:
    """Switch Hubble (flow visibility) on or off; its agents restart with the new setting."""
    if ui and not (enable and relay):
        raise bad_argument("ui needs enable and relay", "the UI reads flows from the relay")
    release = await releases.read_release(cilium)
    # Relay and UI cannot work without Hubble, so they are switched off with it.
    values = {"hubble.enabled": enable, "hubble.relay.enabled": enable and relay, "hubble.ui.enabled": enable and ui}
    return await releases.change_values(cilium, release, releases.nested(values), dry_run)
