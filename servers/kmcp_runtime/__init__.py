"""What every tool server of the suite shares; it knows no server.

    from kmcp_runtime import Effect, Result, Rule, Server, bad_argument, tool

A server declares its tools (`tool`) and itself (`Server`); everything between the transport and a tool's body
(arguments, policy, approval, deadline, audit, metrics, redaction, bounding, rendering) happens in `engine`, once.
The names for authors are listed in `public`; a backend is reached through a door: `kube`, `helm`, `web`, `upstream`,
`command`. What knows one server, or the controller, does not belong here.
"""

import importlib
import importlib.util
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from kmcp_runtime.public import *  # noqa: F403  # `__all__` of `public` is the list
else:  # Hidden from the type checker, which would take every name to exist.

    def __getattr__(name: str) -> Any:
        """A public name, loaded when it is first asked for: the script `kmcp-suite` and the controller need none."""
        # `from kmcp_runtime import web` asks here before Python looks for the module of that name.
        if name.startswith("_") or importlib.util.find_spec(f"{__name__}.{name}") is not None:
            raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
        # A server's script needs its declaration alone, to answer the first requests before anything else is loaded.
        module = "kmcp_runtime.server" if name in ("Server", "Home") else "kmcp_runtime.public"
        return getattr(importlib.import_module(module), name)
