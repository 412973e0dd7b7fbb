"""Every name that `kmcp_runtime` offers to a server's author; `from kmcp_runtime import tool` finds it here.

It loads neither the engine nor a backend's client. The doors to third parties are imports of their own:
`kmcp_runtime.kube`, `.helm`, `.web`, `.upstream`, `.command`.
"""

from kmcp_runtime import redaction
from kmcp_runtime.argument_sizes import DOCUMENT, Holds
from kmcp_runtime.arguments import (
    AllNamespaces,
    Cursor,
    DryRun,
    Duration,
    Limit,
    Name,
    Namespace,
    OptionalNamespace,
    OptionalTime,
    Selector,
    SignedDuration,
    Time,
    TimeoutSeconds,
    check_name,
    check_namespace,
    moment,
    moment_of,
    seconds_of,
    unpublished,
)
from kmcp_runtime.call import Call
from kmcp_runtime.catalog import Effect, Rule
from kmcp_runtime.declaration import (
    EffectByArgument,
    Function,
    ToolSpec,
    Verified,
    tool,
    tools_below,
    tools_in,
)
from kmcp_runtime.durations import parse_go as go_seconds
from kmcp_runtime.errors import (
    ERROR_META,
    Code,
    ToolFailure,
    bad_argument,
    conflict,
    denied,
    did_you_mean,
    forbidden,
    nearest,
    not_found,
    quoted,
    quoted_list,
    suggesting,
    timed_out,
    too_large,
    unavailable,
)
from kmcp_runtime.findings import faults
from kmcp_runtime.json_text import read as read_json
from kmcp_runtime.output import cursors
from kmcp_runtime.output.results import (
    Body,
    Change,
    Continued,
    Diff,
    Manifest,
    Page,
    Rendered,
    Rest,
    Result,
)
from kmcp_runtime.output.slices import Paged, sliced
from kmcp_runtime.output.trees import Beginning, Tree
from kmcp_runtime.patterns import Pattern, TooComplex, pattern
from kmcp_runtime.server import Backend, Home, Server
from kmcp_runtime.settings import RuntimeSettings, Settings, SettingsError, listed, setting
from kmcp_runtime.version import VERSION
from kmcp_runtime.yaml_text import YamlError
from kmcp_runtime.yaml_text import read as read_yaml
from kmcp_runtime.yaml_text import write as write_yaml

__all__ = [
    "DOCUMENT",
    "ERROR_META",
    "VERSION",
    "AllNamespaces",
    "Backend",
    "Beginning",
    "Body",
    "Call",
    "Change",
    "Code",
    "Continued",
    "Cursor",
    "Diff",
    "DryRun",
    "Duration",
    "Effect",
    "EffectByArgument",
    "Function",
    "Holds",
    "Home",
    "Limit",
    "Manifest",
    "Name",
    "Namespace",
    "OptionalNamespace",
    "OptionalTime",
    "Page",
    "Paged",
    "Pattern",
    "Rendered",
    "Rest",
    "Result",
    "Rule",
    "RuntimeSettings",
    "Selector",
    "Server",
    "Settings",
    "SettingsError",
    "SignedDuration",
    "Time",
    "TimeoutSeconds",
    "TooComplex",
    "ToolFailure",
    "ToolSpec",
    "Tree",
    "Verified",
    "YamlError",
    "bad_argument",
    "check_name",
    "check_namespace",
    "conflict",
    "cursors",
    "denied",
    "did_you_mean",
    "faults",
    "forbidden",
    "go_seconds",
    "listed",
    "moment",
    "moment_of",
    "nearest",
    "not_found",
    "pattern",
    "quoted",
    "quoted_list",
    "read_json",
    "read_yaml",
    "redaction",
    "seconds_of",
    "setting",
    "sliced",
    "suggesting",
    "timed_out",
    "too_large",
    "tool",
    "tools_below",
    "tools_in",
    "unavailable",
    "unpublished",
    "write_yaml",
]
