"""Servers as other catalogs list them: Docker's, the official server.json, ToolHive's, kagent's RemoteMCPServer.

Each says less than ours: Docker's flattens input schemas, ToolHive's has names of tools only, none but server.json's
`_meta` holds output schemas.
"""

import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from .exports import short_name
from .model import Catalog, EnvEntry, Metadata, ServerEntry, to_json

PUBLISHER = "io.modelcontextprotocol.registry/publisher-provided"
SUITE = "kmcp-suite"
NOT_PUBLISHED = "neither a package nor an image of it is published, so clients have to start the installed program"
_SERVER_SCHEMA = "https://static.modelcontextprotocol.io/schemas/2025-12-11/server.schema.json"
_TOOLHIVE = "io.github.stacklok"
_TOOLHIVE_SCHEMA = (
    "https://raw.githubusercontent.com/stacklok/toolhive-core/main/registry/types/data/upstream-registry.schema.json"
)
_TOOLHIVE_TAG = re.compile(r"[a-z0-9][a-z0-9_-]*[a-z0-9]")
_TOOL = ("name", "title", "description", "inputSchema", "outputSchema", "annotations", "effect", "tokens", "hash")
_NAMED = re.compile(r"\{([A-Z_][A-Z0-9_]*)\}")


@dataclass(frozen=True)
class Listed:
    """One server: of the shipped catalog, or of a cluster, where it has a URL and a place."""

    name: str
    registry_name: str  # <reversed domain>/<name>
    title: str
    description: str
    version: str
    tools: tuple[Mapping[str, Any], ...]  # as in a catalog, keys in camelCase
    env: tuple[EnvEntry, ...] = ()
    egress: tuple[str, ...] = ()
    metadata: Metadata | None = None
    image: str | None = None
    package: str = ""  # the distribution in the package index that holds it; empty: none does
    command: tuple[str, ...] = ()  # what starts it over stdio where it is installed
    homepage: str | None = None
    in_suite: bool = True  # it is a part of the suite's own distribution, an extra of its name
    own: bool = False  # it has an entry: its image and its command take the flags of the suite's servers
    url: str | None = None
    namespace: str | None = None
    uid: str | None = None


def listed(
    catalog: Catalog, images: str = "", package: str = "", registry_namespace: str = "local.cluster"
) -> tuple[Listed, ...]:
    """The servers of the shipped catalog, and those of other distributions under their own facts.

    `images` is the prefix of the repositories of the suite's images, `package` its name in the package index; both are
    empty where nothing is published, and then nothing is named.
    """
    return tuple(
        Listed(
            name=name,
            registry_name=entry_registry_name(name, entry, registry_namespace),
            title=entry.title,
            description=entry.description,
            version=entry_version(entry, catalog.version),
            tools=tuple(to_json(tool) for tool in entry.tools),
            env=entry.env,
            egress=entry.egress,
            metadata=entry.metadata,
            image=entry.origin.image if entry.origin else f"{images}/{name}:{catalog.version}" if images else None,
            package=entry_package(entry, package),
            command=(name, "--transport", "stdio"),
            homepage=entry.origin.homepage if entry.origin else None,
            in_suite=entry.origin is None,
            own=True,
        )
        for name, entry in sorted(catalog.servers.items())
    )


def entry_registry_name(name: str, entry: ServerEntry, namespace: str) -> str:
    """One form, wherever the server is listed: the name it was registered under, or that of its entry."""
    return entry.registry_name or f"{namespace}/{name}"


def entry_version(entry: ServerEntry, suite: str) -> str:
    return entry.origin.version if entry.origin else suite


def entry_package(entry: ServerEntry, suite: str) -> str:
    """The distribution in the index that holds a server; `suite` is the suite's own. Empty: none does."""
    if entry.origin is None:
        return suite
    return entry.origin.distribution if entry.origin.published else ""


def listing(form: str, servers: Iterable[Listed], updated: str) -> dict[str, Any]:
    """The document of one of LISTINGS, `updated` being a time as of RFC 3339; KeyError for another."""
    return LISTINGS[form](tuple(servers), updated)


def docker_entry(server: Listed) -> dict[str, Any]:
    """An entry of Docker's catalog: what a file of its own holds too."""
    found: dict[str, Any] = {"name": server.name, "title": server.title, "description": server.description}
    if server.own and server.image and not (server.url and is_local(server.image)):
        found |= {"type": "server", "image": server.image, "command": ["--transport", "stdio"]}
    else:  # how another image is to be started by a client is not known
        found |= {"type": "remote", "remote": {"transport_type": "streamable-http", "url": server.url}}
    found |= _docker_settings(server)
    if server.metadata:
        found["metadata"] = to_json(server.metadata)
    return found | {"tools": [_docker_tool(tool) for tool in server.tools]}


def is_local(image: str) -> bool:
    """Whether an image is one that was built on the machine that has it, and is in no registry."""
    return image.startswith("localhost/")


def _docker_settings(server: Listed) -> dict[str, Any]:
    plain = [env for env in server.env if not env.secret]
    settings: dict[str, Any] = {
        "secrets": [
            {
                "name": _docker_name(server, env.name),
                "env": env.name,
                "example": f"<{env.name}>",
                "description": env.description,
            }
            for env in server.env
            if env.secret
        ],
        "env": [{"name": env.name, "value": _docker_value(server, env.name)} for env in plain],
        "allowHosts": [_NAMED.sub(lambda found: _docker_value(server, found[1]), each) for each in server.egress],
    }
    if plain:
        properties = {env.name.lower(): {"type": "string", "description": env.description} for env in plain}
        required = [env.name.lower() for env in plain if env.required]
        about = f"Settings of {server.title}"
        config = {"name": server.name, "description": about, "type": "object", "properties": properties}
        settings["config"] = [config | ({"required": required} if required else {})]
    return {key: value for key, value in settings.items() if value}


def _docker_name(server: Listed, variable: str) -> str:
    return f"{server.name}.{variable.lower()}"


def _docker_value(server: Listed, variable: str) -> str:
    return "{{" + _docker_name(server, variable) + "}}"


def _docker_tool(tool: Mapping[str, Any]) -> dict[str, Any]:
    schema = tool["inputSchema"] if isinstance(tool["inputSchema"], Mapping) else {}
    required = schema.get("required") or ()
    arguments = [
        {"name": name, "type": _kind(each), "desc": _about(each)} | ({} if name in required else {"optional": True})
        for name, each in (schema.get("properties") or {}).items()
    ]
    found = {"name": tool["name"], "description": tool["description"]}
    return found | ({"arguments": arguments} if arguments else {})


def _kind(schema: Any) -> str:
    """The one type of an argument; where several are possible, the first that is no null."""
    if not isinstance(schema, Mapping):
        return "string"
    branches = schema.get("anyOf") or schema.get("oneOf") or ()
    kinds = [schema.get("type"), *(branch.get("type") for branch in branches if isinstance(branch, Mapping))]
    flat = [kind for each in kinds for kind in (each if isinstance(each, list) else [each])]
    return next((kind for kind in flat if isinstance(kind, str) and kind != "null"), "string")


def _about(schema: Any) -> str:
    return str(schema.get("description", "")) if isinstance(schema, Mapping) else ""


def server_json(server: Listed) -> dict[str, Any]:
    """The official server.json of 2025-12-11; the format has no place for tools but `_meta`."""
    variables = {"environmentVariables": [_variable(env) for env in server.env]} if server.env else {}
    found: dict[str, Any] = {
        "$schema": _SERVER_SCHEMA,
        "name": server.registry_name,
        "title": server.title[:100],
        "description": server.description,
        "version": server.version,
    }
    packages = _packages(server) if server.own else []
    if packages:
        found["packages"] = [{**package, **variables} for package in packages]
    if server.url:
        found["remotes"] = [{"type": "streamable-http", "url": server.url}]
    if server.homepage:
        found["websiteUrl"] = server.homepage
    tools = [{key: tool[key] for key in _TOOL if tool.get(key) is not None} for tool in server.tools]
    more: dict[str, Any] = {"tools": tools}
    if server.own and not packages and not server.url:
        # The format knows published packages and URLs alone; what is only installed here has its command in the remark.
        more |= {"remark": NOT_PUBLISHED, "command": list(server.command)}
    return found | {"_meta": {PUBLISHER: {"kmcp-suite": more}}}


def _packages(server: Listed) -> list[dict[str, Any]]:
    """What is published of a server: its distribution, its image, both or neither."""
    stdio = {"type": "named", "name": "--transport", "value": "stdio"}
    found: list[dict[str, Any]] = []
    if server.package:
        short = short_name(server.name)
        requirement = f"{server.package}[{short}]" if server.in_suite else server.package
        started = ("serve", short) if server.in_suite else ()
        found.append(
            {
                "registryType": "pypi",
                "identifier": server.package,
                "version": server.version,
                "runtimeHint": "uvx",
                "runtimeArguments": [{"type": "named", "name": "--with", "value": f"{requirement}=={server.version}"}],
                "packageArguments": [*({"type": "positional", "value": word} for word in started), stdio],
            }
        )
    if server.image and not is_local(server.image):
        image = {"registryType": "oci", "identifier": server.image, "runtimeHint": "docker"}
        found.append({**image, "packageArguments": [stdio]})
    return [{**package, "transport": {"type": "stdio"}} for package in found]


def _variable(env: EnvEntry) -> dict[str, Any]:
    found = {"name": env.name, "description": env.description, "isRequired": env.required, "isSecret": env.secret}
    return found | ({"default": env.default} if env.default is not None else {})


def _docker(servers: tuple[Listed, ...], updated: str) -> dict[str, Any]:
    return {
        "name": SUITE,
        "displayName": SUITE,
        # An entry is an image or a URL; what is neither is left out, and the export says so.
        "registry": {_place(server): docker_entry(server) for server in servers if server.image or server.url},
    }


def _server_jsons(servers: tuple[Listed, ...], updated: str) -> dict[str, Any]:
    return {"servers": [server_json(server) for server in servers]}


def _toolhive(servers: tuple[Listed, ...], updated: str) -> dict[str, Any]:
    found = [{**server_json(server), "_meta": {PUBLISHER: {_TOOLHIVE: _toolhive_more(server)}}} for server in servers]
    meta = {"last_updated": updated}
    return {"$schema": _TOOLHIVE_SCHEMA, "version": "1.0.0", "meta": meta, "data": {"servers": found}}


def _toolhive_more(server: Listed) -> dict[str, Any]:
    names = dict.fromkeys(tool["name"] for tool in server.tools if re.fullmatch(r"[\w-]+", tool["name"]))
    tags = dict.fromkeys(tag for tag in (server.metadata.tags if server.metadata else ()))
    more: dict[str, Any] = {"status": "active", "tier": "Community", "tools": [*names]}
    more["tags"] = [tag for tag in tags if _TOOLHIVE_TAG.fullmatch(tag)]
    if server.namespace:
        place = {"kind": "MCPServer", "namespace": server.namespace, "name": server.name, "uid": server.uid}
        where = {**place, "image": server.image, "transport": "streamable-http"}
        more["metadata"] = {"kubernetes": {key: value for key, value in where.items() if value}}
    if server.url is None:
        more["permissions"] = {"network": {"outbound": _outbound(server.egress)}}
    return {server.url or server.image or server.name: more}


def _outbound(egress: Iterable[str]) -> dict[str, Any]:
    """Hosts and ports that are fixed; one that a setting names is the user's to add."""
    fixed = [each.rpartition(":") for each in egress if not _NAMED.search(each)]
    hosts, ports = dict.fromkeys(host for host, _, _ in fixed), dict.fromkeys(int(port) for _, _, port in fixed)
    return {"allow_host": [*hosts], "allow_port": [*ports]}


def _remotes(servers: tuple[Listed, ...], updated: str) -> dict[str, Any]:
    """As one List, for kubectl; servers without a URL are left out."""
    items = [
        {
            "apiVersion": "kagent.dev/v1alpha2",
            "kind": "RemoteMCPServer",
            "metadata": {"name": server.name} | ({"namespace": server.namespace} if server.namespace else {}),
            "spec": {"description": server.description, "protocol": "STREAMABLE_HTTP", "url": server.url},
        }
        for server in servers
        if server.url
    ]
    return {"apiVersion": "v1", "kind": "List", "items": items}


def _place(server: Listed) -> str:
    return f"{server.namespace}.{server.name}" if server.namespace else server.name


LISTINGS: dict[str, Callable[[tuple[Listed, ...], str], dict[str, Any]]] = {
    "docker": _docker,
    "server-json": _server_jsons,
    "toolhive": _toolhive,
    "remotemcpserver": _remotes,
}
