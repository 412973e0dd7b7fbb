"""Rules about the tree: how long things are, what is named twice, what is started where."""

import ast
import re
import subprocess
from collections import defaultdict
from collections.abc import Iterator
from pathlib import Path

from checks.declared import declared_servers, read_project

LONGEST_FUNCTION = 40
LONGEST_FILE = 400
PRODUCT = ("servers", "kmcp_controller", "kmcp_develop", "checks")
ORACLES = frozenset({"httpx", "prometheus_api_client", "pyhelm3", "grafana_client"})
"""Other people's clients: the tests ask them the same questions as ours, so ours must not stand on them."""
CHILDREN = Path("servers/kmcp_runtime/command")
"""The one door to child processes."""
_STARTS = frozenset(
    {"create_subprocess_exec", "create_subprocess_shell", "subprocess_exec", "subprocess_shell", "Popen", "popen"}
    | {f"{verb}{kind}" for verb in ("exec", "spawn") for kind in ("l", "le", "lp", "lpe", "v", "ve", "vp", "vpe")}
    | {"posix_spawn", "posix_spawnp", "forkpty"}
)
_OF_A_MACHINE = re.compile(
    r"(?<![\w.}~])/(?:work/|root/|tmp/[\w.-]+/[\w.-]+/|(?:home|Users)/(?!me\b|app\b|argo-rollouts\b)[\w.-]+)"
)
"""A folder of whoever wrote the file. `me` and `app` are examples; in an image `/root` is the image's own."""


def find_faults(root: Path) -> Iterator[str]:
    """Every breach, each with its place and what to do."""
    yield from _undeclared(root)
    yield from _repeated_names(root)
    yield from _machine_paths(root)
    for path in _files(root, "*.py"):
        text = (root / path).read_text()
        lines = text.count("\n")
        if lines > LONGEST_FILE:
            yield f"{path}: {lines} lines, more than {LONGEST_FILE}; split it by subject"
        if path.parts[0] in PRODUCT:
            yield from _product_faults(path, ast.parse(text))


def _files(root: Path, pattern: str) -> list[Path]:
    """What git knows, and what it would take in."""
    listed = ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard", "--", pattern]
    names = subprocess.run(listed, cwd=root, capture_output=True, text=True, check=True).stdout  # noqa: S603
    return sorted({Path(name) for name in names.split("\0") if name and (root / name).is_file()})


def _machine_paths(root: Path) -> Iterator[str]:
    """Paths that exist on one machine alone, in any file of text."""
    for path in _files(root, "*"):
        if "Dockerfile" in path.name:
            continue
        text = (root / path).read_bytes().decode(errors="replace")
        for number, line in enumerate(text.splitlines() if _OF_A_MACHINE.search(text) else (), 1):
            if found := _OF_A_MACHINE.search(line):
                yield f"{path}:{number}: names {found[0]}, a folder of one machine; write a path within the checkout"


def _product_faults(path: Path, tree: ast.Module) -> Iterator[str]:
    for node in ast.walk(tree):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            lines = (node.end_lineno or node.lineno) - node.lineno + 1
            if lines > LONGEST_FUNCTION:
                yield f"{path}:{node.lineno}: {node.name} has {lines} lines, more than {LONGEST_FUNCTION}; name a part"
        for module in _imported(node):
            if module in ORACLES:
                yield f"{path}: imports {module}, which only tests may: it is what they compare with"
        started = _started(node)
        if started and CHILDREN not in path.parents and path.parts[0] != "checks":
            yield f"{path}: calls {started}; child processes are started by kmcp_runtime.command alone"


def _imported(node: ast.AST) -> list[str]:
    if isinstance(node, ast.Import):
        return [alias.name.partition(".")[0] for alias in node.names]
    if isinstance(node, ast.ImportFrom) and node.module and not node.level:
        return [node.module.partition(".")[0]]
    return []


def _started(node: ast.AST) -> str | None:
    """The name of a call that starts a program, if it is one; `os.system` too."""
    if not (isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute)):
        return None
    name = node.func.attr
    of = node.func.value.id if isinstance(node.func.value, ast.Name) else ""
    return f"{of}.{name}" if name in _STARTS or (of, name) == ("os", "system") else None


def _repeated_names(root: Path) -> Iterator[str]:
    """A file name stands once in a server, so that its name alone says which file is meant."""
    for server in declared_servers(root):
        places: dict[str, list[Path]] = defaultdict(list)
        for path in (root / server.folder).rglob("*.py"):
            if path.name != "__init__.py":
                places[path.name].append(path.relative_to(root))
        for paths in places.values():
            if len(paths) > 1:
                yield f"one name for several files: {', '.join(map(str, sorted(paths)))}; name each for its subject"


def _undeclared(root: Path) -> Iterator[str]:
    """A server in the tree is declared whole: entry point, extra, script, place in the wheel."""
    project = read_project(root)
    packages = set(project["tool"]["hatch"]["build"]["targets"]["wheel"]["packages"])
    extras = project["project"]["optional-dependencies"]
    servers = declared_servers(root)
    known = {server.package for server in servers}
    for folder in sorted((root / "servers").iterdir()):
        if (folder / "tools").is_dir() and folder.name not in known:
            yield f"servers/{folder.name}: no entry point in pyproject.toml; add one under kmcp.servers"
    for server in servers:
        if str(server.folder) not in packages:
            yield f"pyproject.toml: {server.folder} is not in the wheel; add it to its packages"
        if f"kmcp-{server.name}" not in project["project"]["scripts"]:
            yield f"pyproject.toml: no script kmcp-{server.name}"
        if server.name not in extras:
            yield f"pyproject.toml: no extra {server.name}; add it with the server's libraries, or an empty list"
        if server.name not in extras["all"][0].partition("[")[2].rstrip("]").split(","):
            yield f"pyproject.toml: the extra `all` lacks {server.name}"
