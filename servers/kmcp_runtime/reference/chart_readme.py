"""`charts/kmcp/README.md`: how to install the chart, and its values as a table, from the comments of values.yaml."""

import json
import re
from collections.abc import Iterator, Mapping
from typing import Any

from kmcp_runtime import yaml_text
from kmcp_runtime.reference.markdown import code, table
from kmcp_runtime.reference.markdown import page as joined

_ABOUT = """\
MCP tool servers for Kubernetes platforms, and the small controller that runs them. With its defaults the chart asks
every caller for a token of the cluster, lets in its own namespace and kagent's alone, reads the cluster without its
Secrets, and holds what an MCPServer asks of the platform to what its author may do himself."""
_INSTALL = """\
```
helm install kmcp charts/kmcp --namespace kmcp --create-namespace
```

Helm installs the definition of MCPServer once and never changes it. With a new chart, apply it, and let the new chart's
defaults hold for what the values of the old one do not name:

```
helm show crds charts/kmcp | kubectl apply --server-side --force-conflicts -f -
helm upgrade kmcp charts/kmcp --namespace kmcp --reset-then-reuse-values
```

MCPServers and their pods stay through an upgrade and a rollback. `values.schema.json` refuses values that are misspelt
before anything is installed."""
_KEY = re.compile(r"^( *)([A-Za-z]\w*):")
_LONGEST = 60  # characters of a default in the table
_INDENT = 2  # of values.yaml
_ABSENT = object()


def text(values: str) -> str:
    """The page for these values, given as the text of values.yaml."""
    rows = _rows(values)
    values_table = table(("Value", "Default", "Meaning"), rows)
    return joined("# kmcp", _ABOUT, "## Install and upgrade", _INSTALL, "## Values", values_table)


def _rows(values: str) -> Iterator[tuple[str, str, str]]:
    """Path, default and meaning of each value; without a default it has values below it."""
    defaults, path, comments = yaml_text.read(values), list[str](), list[str]()
    for line in values.splitlines():
        if line.lstrip().startswith("#"):
            comments.append(line.strip().removeprefix("#").strip())
            continue
        if key := _KEY.match(line):
            path = [*path[: len(key[1]) // _INDENT], key[2]]
            default = _at(defaults, path)
            section = isinstance(default, Mapping) and bool(default)
            if default is not _ABSENT and (comments or not section):
                yield code(".".join(path)), "" if section else code(_shown(default)), " ".join(comments)
        comments = []


def _at(values: Any, path: list[str]) -> Any:
    """The default there. Keys of what stands in a list are no values of the chart."""
    for name in path:
        values = values[name] if isinstance(values, Mapping) and name in values else _ABSENT
    return values


def _shown(default: Any) -> str:
    shown = json.dumps(default, ensure_ascii=False)
    return shown if len(shown) <= _LONGEST else "see values.yaml"
