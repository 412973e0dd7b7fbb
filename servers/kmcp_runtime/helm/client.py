"""Helm as servers use it: releases changed through the binary, charts shown and rendered."""

import asyncio
from collections.abc import AsyncIterator, Iterator, Mapping
from contextlib import AbstractAsyncContextManager, asynccontextmanager, contextmanager, nullcontext
from dataclasses import dataclass, field, replace
from json import loads
from pathlib import Path
from typing import Any, Literal

from kmcp_runtime import judging, private_files
from kmcp_runtime.call import Call
from kmcp_runtime.catalog import Effect
from kmcp_runtime.errors import ToolFailure, quoted_list, unavailable
from kmcp_runtime.helm import faults, home, hook_logs, manifests, release_effects, schemas, templates
from kmcp_runtime.helm.binary import Binary
from kmcp_runtime.helm.charts import Chart, Charts
from kmcp_runtime.helm.release import Release
from kmcp_runtime.helm.releases import Releases, bind
from kmcp_runtime.helm.repositories import Repositories
from kmcp_runtime.helm.revision import Revision, reach_objects
from kmcp_runtime.helm.settings import HelmSettings
from kmcp_runtime.helm.waiting import Waiting
from kmcp_runtime.judging import Resource, Verdict, destroys
from kmcp_runtime.kube.cluster import Cluster
from kmcp_runtime.worker import run_in_thread

ValuesMode = Literal["default", "reset", "reuse", "reset_then_reuse"]
Cascade = Literal["background", "orphan", "foreground"]
Shown = Literal["values", "chart", "readme", "crds"]
_MOST_DEFINITIONS = 5
_SLACK_SECONDS = 8.0
"""Beyond helm's own timeout, so that it can still record the failure in the release."""
_FLAGS: Mapping[ValuesMode, tuple[str, ...]] = {
    "default": (),
    "reset": ("--reset-values",),
    "reuse": ("--reuse-values",),
    "reset_then_reuse": ("--reset-then-reuse-values",),
}


@dataclass(frozen=True, kw_only=True)
class Upgrade:
    """A requested install or upgrade."""

    name: str
    namespace: str
    chart: str
    version: str | None = None
    values: Mapping[str, Any] = field(default_factory=dict)
    set_text: str = ""
    """As after `helm --set`, over the values; helm reads it from its command line."""
    values_mode: ValuesMode = "default"
    install: bool = False
    create_namespace: bool = False
    atomic: bool = False
    wait: bool = False
    timeout_seconds: int = 300
    dry_run: bool = False


@dataclass(frozen=True)
class Helm:
    """The binary with its repositories, for all calls of a server."""

    settings: HelmSettings
    binary: Binary
    repositories: Repositories
    charts: Charts

    def releases(self, cluster: Cluster) -> Releases:
        return Releases(cluster, self.settings.helm_driver)

    async def upgrade(self, cluster: Cluster, wanted: Upgrade) -> Release:
        """The new revision, or, in a dry run, the one that would be. A real upgrade is rehearsed and judged first."""
        # Fetched once: what is rehearsed is what is installed.
        async with self.fetch_chart(cluster.call, wanted.chart, wanted.version) as chart:
            text = await self.show(cluster.call, chart, "crds")
            definitions = manifests.objects(text)
            await self._reach_first(cluster, wanted, text)
            after = await self._judged_upgrade(cluster, wanted, chart)
        about = _of_definitions([each.name for each in definitions], after, wanted.dry_run)
        return replace(after, warnings=[*after.warnings, *about])

    async def _reach_first(self, cluster: Cluster, wanted: Upgrade, definitions: str) -> None:
        """Ask the policy about what only an installation makes: the chart's definitions of kinds, and a namespace."""
        if not judging.is_guarded() or not wanted.install:
            return
        if definitions and await self.releases(cluster).find_deployed(wanted.namespace, wanted.name) is None:
            await reach_objects(cluster, wanted.namespace, [definitions], Effect.WRITE)
        if wanted.create_namespace:
            judging.reach(Resource(cluster.context.name, "", "", "namespaces", wanted.namespace, ""), Effect.WRITE)

    async def _judged_upgrade(self, cluster: Cluster, wanted: Upgrade, chart: Chart) -> Release:
        if judging.current() is None:
            return await self._upgrade(cluster, wanted, chart, None)
        if wanted.dry_run:
            after = await self._upgrade(cluster, wanted, chart, None)
            judging.foresee(await self._judge(cluster, wanted, chart))
            return after
        return await self._upgrade(cluster, wanted, chart, await self._judge(cluster, wanted, chart))

    async def _judge(self, cluster: Cluster, wanted: Upgrade, chart: Chart) -> Verdict:
        before = await self.releases(cluster).find_deployed(wanted.namespace, wanted.name)
        if before is not None:
            bind(before, cluster.context.name)
        revised = Revision(cluster, wanted.namespace, wanted.name, before.manifest if before else "")
        rehearsed = replace(wanted, dry_run=True)
        try:
            # Rendered as the upgrade itself is, with what templates look up; it is judged, and shown to nobody.
            after = [await self._upgrade(cluster, rehearsed, chart, None, looks_up=True)]
            if await run_in_thread(templates.may_differ, Path(chart.operand), wanted.values, wanted.set_text):
                after.append(await self._upgrade(cluster, rehearsed, chart, None, looks_up=True))
        except ToolFailure as failure:
            if not wanted.dry_run:
                raise
            # The words may hold what was looked up.
            return destroys(f"what the chart looks up for release {wanted.name} cannot be foreseen ({failure.code})")
        texts = [*(before.texts if before else ()), *(text for each in after for text in each.texts)]
        await reach_objects(cluster, wanted.namespace, texts, Effect.WRITE, Effect.DESTROY)
        return await revised.judge(*(each.manifest for each in after))

    async def _upgrade(
        self, cluster: Cluster, wanted: Upgrade, chart: Chart, verdict: Verdict | None, *, looks_up: bool = False
    ) -> Release:
        # Helm 4 renamed the flag.
        atomic = "--atomic" if await self.binary.read_major(cluster.call) == 3 else "--rollback-on-failure"
        flags = [
            f"--namespace={wanted.namespace}",
            "--output=json",
            "--debug",
            f"--timeout={wanted.timeout_seconds}s",
            *_FLAGS[wanted.values_mode],
            *([f"--set={wanted.set_text}"] if wanted.set_text else []),
            *(["--install"] if wanted.install else []),
            *(["--create-namespace"] if wanted.create_namespace else []),
            *(["--wait"] if wanted.wait else []),
            *([atomic] if wanted.atomic else []),
            # What is shown is not of `server`: a template could look up any Secret and render its value.
            *([f"--dry-run={'server' if looks_up else 'client'}"] if wanted.dry_run else []),
        ]
        # Atomic implies --wait.
        waits = (wanted.wait or wanted.atomic) and not wanted.dry_run
        async with (
            self._told(cluster, wanted.namespace, wanted.name),
            self._watch(cluster, wanted.namespace, wanted.name, waits),
        ):
            ended = await self.binary.run(
                cluster.call,
                ("upgrade",),
                (wanted.name, chart.operand),
                flags=flags,
                given=wanted.values,
                cluster=cluster,
                seconds=wanted.timeout_seconds + _SLACK_SECONDS,
                verdict=verdict,
            )
        return replace(_release(ended.stdout), warnings=faults.warnings(ended.stderr))

    async def uninstall(
        self,
        cluster: Cluster,
        namespace: str,
        name: str,
        *,
        keep_history: bool = False,
        cascade: Cascade = "background",
        wait: bool = False,
        timeout_seconds: int = 300,
    ) -> list[str]:
        """Uninstall a release; returns helm's warnings."""
        flags = [
            f"--namespace={namespace}",
            "--debug",
            f"--cascade={cascade}",
            f"--timeout={timeout_seconds}s",
            *(["--keep-history"] if keep_history else []),
            *(["--wait"] if wait else []),
        ]
        async with self._told(cluster, namespace, name):
            ended = await self.binary.run(
                cluster.call,
                ("uninstall",),
                (name,),
                flags=flags,
                cluster=cluster,
                seconds=timeout_seconds + _SLACK_SECONDS,
                verdict=release_effects.judge_removal(namespace, name),
            )
        return faults.warnings(ended.stderr)

    async def rollback(
        self,
        cluster: Cluster,
        namespace: str,
        name: str,
        revision: int,
        *,
        wait: bool = False,
        timeout_seconds: int = 300,
    ) -> list[str]:
        """Roll back to a revision (0 is the previous one); returns helm's warnings."""
        verdict = await self.judge_rollback(cluster, namespace, name, revision)
        flags = [
            f"--namespace={namespace}",
            "--debug",
            f"--timeout={timeout_seconds}s",
            *(["--wait"] if wait else []),
        ]
        async with self._told(cluster, namespace, name), self._watch(cluster, namespace, name, wait):
            ended = await self.binary.run(
                cluster.call,
                ("rollback",),
                (name, str(revision)),
                flags=flags,
                cluster=cluster,
                seconds=timeout_seconds + _SLACK_SECONDS,
                verdict=verdict,
            )
        return faults.warnings(ended.stderr)

    async def judge_rollback(self, cluster: Cluster, namespace: str, name: str, revision: int) -> Verdict:
        """What a rollback to a revision (0 is the previous one) does to the objects of the latest."""
        releases = self.releases(cluster)
        now = await releases.read_current(namespace, name)
        target = await releases.read_current(namespace, name, revision or now.revision - 1)
        bind(now, cluster.context.name)
        texts = [*now.texts, *target.texts]
        await reach_objects(cluster, namespace, texts, Effect.WRITE, Effect.DESTROY)
        return await Revision(cluster, namespace, name, now.manifest).judge(target.manifest)

    def _told(self, cluster: Cluster, namespace: str, name: str) -> AbstractAsyncContextManager[None]:
        return hook_logs.told(cluster, self.releases(cluster), namespace, name)

    def _watch(self, cluster: Cluster, namespace: str, name: str, waits: bool) -> AbstractAsyncContextManager[None]:
        if not waits:
            return nullcontext()
        return Waiting(cluster, self.releases(cluster), namespace, name).watch()

    @asynccontextmanager
    async def fetch_chart(self, call: Call, reference: str, version: str | None = None) -> AsyncIterator[Chart]:
        """The chart on this machine while the context is open: fetched once, however often it is read."""
        chart = await self.charts.resolve(call, reference, version)
        if chart.local:
            yield await self._checked(chart)
            return
        content = await self.charts.fetch(call, chart)
        with self.binary.home.run() as directory:
            path = directory / "chart.tgz"
            await asyncio.to_thread(private_files.write_bytes, path, content)
            yield await self._checked(Chart(str(path), local=True))

    async def _checked(self, chart: Chart) -> Chart:
        """The chart, if the schemas of its values refer to nothing outside of themselves."""
        await asyncio.to_thread(schemas.check, Path(chart.operand))
        return chart

    async def template(
        self,
        call: Call,
        chart: Chart,
        *,
        name: str = "release",
        namespace: str = "default",
        values: Mapping[str, Any] | None = None,
        crds: bool = False,
        kube_version: str | None = None,
        api_versions: tuple[str, ...] = (),
    ) -> str:
        """The manifest that a chart (of `fetch_chart`) renders to; without asking a cluster."""
        flags = [
            f"--namespace={namespace}",
            *(["--include-crds"] if crds else []),
            *([f"--kube-version={kube_version}"] if kube_version else []),
            *(f"--api-versions={each}" for each in api_versions),
        ]
        return (await self.binary.run(call, ("template",), (name, chart.operand), flags=flags, given=values)).stdout

    async def show(self, call: Call, chart: Chart, what: Shown) -> str:
        """The values.yaml, Chart.yaml, README or CRDs of a chart (of `fetch_chart`)."""
        return (await self.binary.run(call, ("show", what), (chart.operand,))).stdout


def _of_definitions(names: list[str], after: Release, dry_run: bool) -> list[str]:
    """What becomes of the definitions in a chart's crds/, of which its manifest has nothing."""
    if not names:
        return []
    shown = quoted_list(names[:_MOST_DEFINITIONS]) + (", …" if len(names) > _MOST_DEFINITIONS else "")
    if after.revision > 1:
        return [f"helm leaves the definitions in the chart's crds/ as they are: apply newer ones yourself ({shown})"]
    done = "would be installed" if dry_run else "were installed"
    return [f"the definitions in the chart's crds/ {done} where they are absent, and stay after an uninstall ({shown})"]


@contextmanager
def opened(settings: HelmSettings) -> Iterator[Helm]:
    """Helm for the life of a server. Needs neither the binary nor a cluster to be there."""
    with home.opened(settings) as directories:
        binary = Binary(settings.helm, directories)
        known = Repositories(binary, settings)
        yield Helm(settings, binary, known, Charts(known, settings.chart_directory))


def _release(printed: str) -> Release:
    try:
        # Helm 4 first prints what it fetched from a registry, then the JSON.
        return Release.of(loads(printed[printed.index("{") :]))
    except (ValueError, AttributeError, TypeError):
        raise unavailable(f"helm did not print a release: {printed[:200]!r}", "is KMCP_HELM a helm binary?") from None
