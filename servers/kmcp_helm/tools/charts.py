"""Charts, shown before they are installed."""

from typing import Annotated, Any, Literal

from pydantic import Field

from kmcp_helm.arguments import ChartReference, ReleaseName, Values, Version
from kmcp_helm.client import Client
from kmcp_helm.shapes import Object, objects_of
from kmcp_runtime import Body, Cursor, Effect, Rendered, Rest, bad_argument, cursors, read_yaml, tool
from kmcp_runtime.helm.charts import Chart
from kmcp_runtime.helm.manifests import Text

What = Literal["values", "chart", "readme", "crds", "template"]


class ShownChart(Body):
    """A part of a chart."""

    cuttable = "content"

    chart: str
    version: str
    app_version: str | None = None
    objects: list[Object] | None = Field(default=None, description="template: the objects it renders to")
    content: Rendered = Field(description="Its text; for template, the manifest")


class _Plain(Rendered):
    """A text as it is."""

    def __init__(self, text: str) -> None:
        self.text = text

    def render(self, redact: Any) -> str:
        found: str = redact(self.text)
        return found


@tool(
    Effect.READ,
    extra=True,
    shows="charts",
    timeout=150,
    why="helm 3 and repositories are real; the registry of an oci:// chart is a stand-in on loopback",
)
async def helm_show(
    client: Client,
    chart: ChartReference,
    version: Version = None,
    what: Annotated[What, "Part"] = "values",
    values: Annotated[Values, "For template"] = None,
    name: Annotated[ReleaseName, "For template"] = "release",
    cursor: Cursor = None,
) -> ShownChart:
    """Show a chart's default values, README or CRDs, or what it renders to; use it before an upgrade."""
    if values and what != "template":
        raise bad_argument(f"values: they do not change {what}", "what=template uses them")
    # Fetched once: each `helm show` of a remote chart would download it again.
    async with client.helm.fetch_chart(client.call, chart, version) as found:
        about = await client.helm.show(client.call, found, "chart")
        text = about if what == "chart" else await _read_part(client, found, what, values, name)
    metadata = read_yaml(about, repeated_keys=True)
    bound_to = {"chart": chart, "version": version, "what": what, "values": values, "name": name}
    skipped = cursors.decode(cursor, bound_to, l=cursors.COUNT).get("l", 0) if cursor else 0
    result = ShownChart(
        chart=str(metadata.get("name")),
        version=str(metadata.get("version")),
        app_version=str(metadata["appVersion"]) if metadata.get("appVersion") else None,
        # A later page continues the text; it need not repeat the list.
        objects=objects_of(text) if what == "template" and not cursor else None,
        content=Rest(Text(text) if what in ("template", "crds") else _Plain(text), skipped),
        hint=None if text.strip() else f"The chart has no {what}.",
    )
    return result.continues_at(lambda kept: cursors.encode({"l": skipped + kept}, bound_to))


async def _read_part(client: Client, chart: Chart, what: What, values: dict[str, Any] | None, name: str) -> str:
    if what == "template":
        return await client.helm.template(client.call, chart, name=name, values=values)
    return await client.helm.show(client.call, chart, what)
