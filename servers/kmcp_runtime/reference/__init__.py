"""Pages of the documentation that follow from the code: tools, settings, metrics, fields of the audit, costs, rights
(for the chart, too), runbooks, the values of the chart, and the README's table of servers.

`generated()` is an entry point of the group `kmcp.generated`: `kmcp-suite catalog write` writes what it returns and
`kmcp-suite catalog check` fails when a file differs from it. Prose does not belong here; it is in `docs/`.
"""

from pathlib import Path

from kmcp_runtime.publish import servers
from kmcp_runtime.reference import (
    audit_fields,
    chart,
    chart_readme,
    chart_rights,
    costs,
    metrics,
    readme,
    rights,
    runbooks,
    settings,
    tools,
)

FOLDER = Path("docs/reference")
README = Path("README.md")
RIGHTS = Path("charts/kmcp/files/rights.yaml")
CHART_README = Path("charts/kmcp/README.md")
VALUES = Path("charts/kmcp/values.yaml")


def generated() -> dict[Path, str]:
    """Every generated page, by its path in the checkout."""
    found = servers()
    files = {
        README: readme.filled(README.read_text(), found),
        FOLDER / "tools/index.md": tools.overview(found),
        FOLDER / "settings.md": settings.page(found),
        FOLDER / "metrics.md": metrics.page(),
        FOLDER / "audit.md": audit_fields.page(),
        FOLDER / "rights.md": rights.page(found),
        FOLDER / "costs.md": costs.page(found),
        FOLDER / "runbooks.md": runbooks.page(found),
        RIGHTS: chart_rights.text(found),
        CHART_README: chart_readme.text(VALUES.read_text()),
        FOLDER / "chart.md": chart.page(VALUES.read_text()),
    }
    return files | {FOLDER / f"tools/{server.name}.md": tools.page(server) for server in found}
