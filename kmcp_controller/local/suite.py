"""Rendered objects as local processes: what the controller does in a cluster, on this machine.

The suite's own servers share one `kmcp-suite serve`; another server of a suite image runs its script, and the command
of a stdio server runs behind the bridge. What cannot run here is listed with Ready=False and why. Service → loopback
port, emptyDir → temporary folder, Secret → files.
"""

import asyncio
import logging
import os
import shutil
import sys
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx2

from kmcp_controller import status
from kmcp_controller.catalog.live_document import LiveDocument
from kmcp_controller.discovery import mcp_client
from kmcp_controller.discovery.pins import entry_name, reference
from kmcp_controller.render import Surroundings, render
from kmcp_controller.spec import MCPServer, Platform, RefusedError, adapter_of, parse, repository
from kmcp_controller.spec.model import is_suite_image
from kmcp_runtime import json_text
from kmcp_runtime.catalog import Catalog, short_name
from kmcp_runtime.foreign.scrubbing import clean
from kmcp_runtime.urls import authority

from .child import Child
from .door_file import DoorFile
from .elsewhere import Elsewhere, is_elsewhere
from .local_server import LocalServer
from .own_manifest import NAMESPACE, manifest
from .pauses import ask_pause
from .ports import free_port

_LOG = logging.getLogger("kmcp.discovery")
_TRIES = 3  # failures in a row before a listing that was good is called bad


class UnavailableError(Exception):
    """Says why a server cannot run on this machine."""


@dataclass(frozen=True)
class Options:
    host: str = "127.0.0.1"
    port: int = 8080
    management_port: int = 8081
    catalog_port: int = 8082
    secrets: Path | None = None
    suite_images: tuple[str, ...] = ("localhost/kmcp",)
    serve: tuple[str, ...] = (sys.executable, "-m", "kmcp_runtime.commands", "serve")
    bridge: tuple[str, ...] = (sys.executable, "-m", "kmcp_bridge.program")
    scripts: Path = field(default_factory=lambda: Path(sys.executable).parent)
    installed: frozenset[str] | None = None  # what `serve` knows; None: whatever it is asked for
    missing: Mapping[str, str] = field(default_factory=dict)  # servers whose libraries are absent, and what to do
    output: Callable[[str, str], None] | None = None  # takes what the children print: their name, a line
    ending: str = "Ctrl-C ends it."  # as the greeting says it
    deadline: float = 90.0  # seconds for the first handshake

    def url(self, port: int) -> str:
        return f"http://{authority(self.host, port)}"

    @property
    def platform(self) -> Platform:
        return Platform(suite_images=self.suite_images, server_roles=("bind", "derive"))


class Suite:
    """Every server of a catalog and of further manifests, and the processes they need."""

    def __init__(
        self,
        catalog: Catalog,
        manifests: Iterable[Mapping[str, Any]],
        options: Options,
        live: LiveDocument,
        report: Callable[[str], None],
    ) -> None:
        self.options, self.live, self.report = options, live, report
        self.servers: list[LocalServer] = []
        self.children: list[Child] = []
        self.scratch = Path()
        self._own = [
            manifest(name, entry, catalog.version, options.suite_images[0]) for name, entry in catalog.servers.items()
        ]
        given = list(manifests)
        self._foreign = [each for each in given if not is_elsewhere(each)]
        self._elsewhere = [each for each in given if is_elsewhere(each)]
        self._catalog = catalog
        self._door: DoorFile | None = None
        self._shared = False

    def prepare(self, scratch: Path) -> None:
        """Decide what runs and how; starts nothing."""
        self.scratch = scratch
        self._door = DoorFile(scratch, {short_name(name) for name in self._catalog.servers}, self._say("kmcp-suite"))
        # A manifest of the user with the name of a shipped server is the user's version of it.
        replaced = {(each.get("metadata") or {}).get("name") for each in self._foreign}
        accepted = [self._accept(each) for each in self._own if each["metadata"]["name"] not in replaced]
        composed = [server for server in accepted if self._installed(server)]
        if composed:
            self._compose(composed)
        self._shared = bool(composed)
        for each in self._elsewhere:
            self._add_elsewhere(Elsewhere.of(each, self.options.secrets))
        for each in self._foreign:
            server = self._accept(each)
            try:
                if server.spec:
                    self._alone(server, server.spec)
            except UnavailableError as error:
                server.unavailable = str(error)
        for server in self.servers:
            server.rollout = status.Rollout(cause=server.unavailable or "starting")
            self._update(server)

    def _add_elsewhere(self, server: Elsewhere) -> None:
        if (server.namespace, server.name) in {(each.namespace, each.name) for each in self.servers}:
            self.report(f"RemoteMCPServer {server.namespace}/{server.name} is left out: another server has its name")
            return
        self.servers.append(server)
        if server.spec:
            server.reference = reference(server.spec, self._catalog, self.options.platform, {})

    @property
    def everything(self) -> str:
        """The address that has all tools; empty where several servers run, each at its own, or none."""
        if self._shared:
            return f"{self.options.url(self.options.port)}/mcp"
        found = [server.url for server in self.servers if server.url and not isinstance(server, Elsewhere)]
        return found[0] if len(found) == 1 else ""

    def _update(self, server: LocalServer) -> None:
        server.update()
        before = self.live.version
        self.live.update(server.live())
        # Every server is looked at every few seconds, and what the file says of them all is long in the making.
        if self._door and (self.live.version != before or self._door.is_behind):
            self._door.show(self.servers)

    def _installed(self, server: LocalServer) -> bool:
        """One package that is absent must not keep the process of all the others from starting."""
        short = short_name(server.name)
        if self.options.installed is None or short in self.options.installed - self.options.missing.keys():
            return not server.refused
        absent = f"no installed package declares it in the entry points kmcp.servers; install the one of {short}"
        server.unavailable = f"{server.name} is not installed: {self.options.missing.get(short, absent)}"
        return False

    def _accept(self, body: Mapping[str, Any]) -> LocalServer:
        metadata = body.get("metadata") or {}
        server = LocalServer(str(metadata.get("name", "")), str(metadata.get("namespace") or NAMESPACE))
        self.servers.append(server)
        platform = self.options.platform
        try:
            server.spec = spec = parse(body, platform)
            self._place(server, spec, platform)
        except RefusedError as error:
            server.refused, server.unavailable = error, "not accepted"
        return server

    def _place(self, server: LocalServer, spec: MCPServer, platform: Platform) -> None:
        server.entry_name = entry_name(spec, self._catalog, platform)
        server.entry = self._catalog.servers[server.entry_name] if server.entry_name else None
        server.reference = reference(spec, self._catalog, platform, {})
        server.adapter = adapter_of(spec.transport, spec.deployment, spec.extensions.stdio_adapter, platform)
        server.objects = render(spec, platform, Surroundings(entry=server.entry))

    def _compose(self, servers: Sequence[LocalServer]) -> None:
        options, env = self.options, dict[str, str]()
        base, management = map(options.url, (options.port, options.management_port))
        for server in servers:
            short = short_name(server.name)
            server.url, server.management = f"{base}/{short}/mcp", management
            env |= self._environment(server)
        # A file of the user's own comes first; with one that is not there nothing would start.
        if self._door and self._door.path.exists() and "KMCP_DOOR_SERVERS" not in os.environ:
            env["KMCP_DOOR_SERVERS"] = str(self._door.path)
        flags = ["--host", options.host, "--port", str(options.port), "--management-port", str(options.management_port)]
        names = [short_name(server.name) for server in servers]
        argv = [*options.serve, *names, *flags]
        self._start(self._child("kmcp-suite", argv, self._env(env, options.management_port)), servers)

    def _alone(self, server: LocalServer, spec: MCPServer) -> None:
        if spec.transport == "stdio":
            self._bridged(server, spec)
            return
        image = repository(spec.deployment.image)
        if not is_suite_image(spec.deployment.image, self.options.platform):
            raise UnavailableError(
                f"{image or 'it'} is not a suite image (see --suite-image), and other images run in a cluster only"
            )
        script = self.options.scripts / image.rpartition("/")[2]
        if not script.exists():
            raise UnavailableError(f"the script {script.name} is not installed; install the package that has it")
        env = self._environment(server)
        port, management = self._ports()
        server.url = self.options.url(port) + spec.path
        server.management = self.options.url(management)
        ours = ["--transport", "http", "--host", self.options.host, "--port", str(port)]
        argv = [str(script), *spec.deployment.args, *ours, "--management-port", str(management)]
        self._start(self._child(server.name, argv, self._env(env, management)), [server])

    def _bridged(self, server: LocalServer, spec: MCPServer) -> None:
        """Whatever adapter a cluster would use, and with the command as this machine has it."""
        program = shutil.which(spec.deployment.cmd)
        if program is None:
            raise UnavailableError(f"the command {spec.deployment.cmd} is not installed on this machine; install it")
        host, env = self.options.host, self._environment(server)
        port, management = self._ports()
        server.adapter = "bridge"
        server.url, server.management = self.options.url(port) + "/mcp", self.options.url(management)
        # In a cluster the adapter enforces `tools`; here it is the bridge, whatever the cluster would use.
        env |= {"KMCP_TOOLS": ",".join(spec.extensions.tools or ())}
        flags = ["--host", host, "--port", str(port), "--management-port", str(management)]
        argv = [*self.options.bridge, *flags, "--", program, *spec.deployment.args]
        self._start(self._child(server.name, argv, self._env(env, management)), [server])

    def _ports(self) -> tuple[int, int]:
        """MCP and management of a server with a process of its own: the ports that were asked for where it is alone."""
        if not self._shared and len(self._foreign) == 1:
            return self.options.port, self.options.management_port
        return free_port(self.options.host), free_port(self.options.host)

    def _child(self, name: str, argv: Sequence[str], env: Mapping[str, str]) -> Child:
        output = self.options.output
        return Child(argv, env, self._say(name), (lambda line: output(name, line)) if output else None)

    def _start(self, child: Child, servers: Iterable[LocalServer]) -> None:
        self.children.append(child)
        for server in servers:
            server.child = child

    def _say(self, name: str) -> Callable[[str], None]:
        return lambda text: self.report(f"{name}: {text}")

    def _env(self, rendered: Mapping[str, str], management_port: int) -> dict[str, str]:
        return {**os.environ, **rendered, "KMCP_MANAGEMENT_PORT": str(management_port)}

    def _environment(self, server: LocalServer) -> dict[str, str]:
        """The environment of the rendered container; what it reads from Secrets comes from their folder."""
        pod = next(each for each in server.objects if each["kind"] == "Deployment")["spec"]["template"]["spec"]
        container = pod["containers"][0]
        env: dict[str, str] = {}
        for source in container.get("envFrom", ()):
            env |= self._secret(server, source["secretRef"]["name"])
        for entry in container.get("env", ()):
            env[entry["name"]] = entry.get("value") or self._value(server, entry)
        return env | ({"TMPDIR": str(self.scratch)} if env.get("TMPDIR") == "/scratch" else {})

    def _value(self, server: LocalServer, entry: Mapping[str, Any]) -> str:
        reference = entry.get("valueFrom", {}).get("secretKeyRef")
        if "valueFrom" not in entry:
            return ""
        if reference is None:
            raise UnavailableError(f"env {entry['name']}: only secretKeyRef can be read on this machine")
        values = self._secret(server, reference["name"])
        if reference["key"] in values or reference.get("optional"):
            return values.get(reference["key"], "")
        raise self._missing(server, f"key {reference['key']} of Secret {reference['name']}")

    def _secret(self, server: LocalServer, name: str) -> dict[str, str]:
        # `.name`: a Secret called ../x must not leave the folder.
        folder = self.options.secrets / Path(name).name if self.options.secrets else None
        if folder is None or not folder.is_dir():
            raise self._missing(server, f"Secret {name}")
        return {file.name: file.read_text().rstrip("\n") for file in folder.iterdir() if file.is_file()}

    def _missing(self, server: LocalServer, what: str) -> UnavailableError:
        where = self.options.secrets or "the folder of --secrets"
        server.missing.append(("SecretNotFound", f"{what} is not in {where}; write it to <folder>/<Secret>/<key>"))
        return UnavailableError(f"{what} not found")

    async def watch(self, server: LocalServer, http: httpx2.AsyncClient) -> None:
        """Look at one server until cancelled: at once when its process changes, else every few seconds."""
        child = server.child
        while isinstance(server, Elsewhere) and server.spec:
            await self._discover(server)
            self._update(server)
            await asyncio.sleep(ask_pause(server.failures))
        if child is None:
            return
        while True:
            await self._look(server, child, http)
            settled = server.asked[0] == child.pid and child.pid is not None and not server.failures
            async with child.changed:
                try:
                    async with asyncio.timeout(5.0 if settled else 0.5):
                        await child.changed.wait()
                except TimeoutError:
                    continue  # nothing changed: time for the next look

    async def _look(self, server: LocalServer, child: Child, http: httpx2.AsyncClient) -> None:
        server.rollout = await _read_rollout(server, child, http)
        now = asyncio.get_running_loop().time()
        # Another pid is another process: it may have other tools.
        due = server.asked[0] != child.pid or now - server.asked[1] > ask_pause(server.failures)
        if server.rollout.available and due:
            await self._discover(server)
            server.asked = (child.pid, now)
        self._update(server)

    async def _discover(self, server: LocalServer) -> None:
        spec = server.spec
        if spec is None:
            return
        try:
            listing = await mcp_client.fetch_listing(server.url, server.sent_headers(), spec.timeout)
        except mcp_client.DiscoveryError as error:
            self._failed(server, error.reason, str(error))
            return
        except Exception as error:
            # A fault of ours, which must not end every other server.
            _LOG.exception("asking %s failed", server.name)
            self._failed(server, "ListFailed", f"the answer could not be used ({type(error).__name__})")
            return
        server.failures = 0
        server.listing = listing
        name = " ".join(listing.server_info.values())
        text = f"{len(listing.tools)} tools; {listing.protocol_version}; {name}; {server.url}"
        server.discovered = status.Discovery("Discovered", text)
        server.drift = server.reference.compare(listing) if server.reference else None

    @staticmethod
    def _failed(server: LocalServer, reason: str, text: str) -> None:
        server.failures += 1
        if server.listing is None or server.failures >= _TRIES:
            server.discovered = status.Discovery(reason, text)


async def _read_rollout(server: LocalServer, child: Child, http: httpx2.AsyncClient) -> status.Rollout:
    if child.pid is None:
        return status.Rollout(cause=child.cause)
    try:
        alive = await http.get(f"{server.management}/healthz")
        if alive.status_code != 200:
            return status.Rollout(replicas=1, updated=1, cause="starting")
        ready = await http.get(f"{server.management}/readyz/{short_name(server.name)}")
    except httpx2.TransportError as error:
        return status.Rollout(replicas=1, updated=1, cause=f"starting: {type(error).__name__}")
    backend = "" if ready.status_code == 200 else _backend(ready)
    return status.Rollout(replicas=1, updated=1, available=1, backend=backend)


def _backend(response: httpx2.Response) -> str:
    try:
        body = json_text.read(response.content)
    except ValueError:
        body = None
    if not isinstance(body, dict):
        return f"/readyz answered {response.status_code}"
    text = "; ".join(str(body[key]) for key in ("reason", "hint") if body.get(key))
    return clean(text or f"/readyz answered {response.status_code}", 1024)
