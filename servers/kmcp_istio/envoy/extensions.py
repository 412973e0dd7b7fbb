"""Extension configurations: filters that istiod sends over ECDS."""

from pydantic import BaseModel

from kmcp_istio.envoy.dump import Section
from kmcp_istio.envoy.entries import Entry
from kmcp_istio.envoy.fields import at, each, text, type_of


class Extension(BaseModel):
    """One filter."""

    name: str
    type: str


def entries(section: Section) -> list[Entry]:
    found = [at(wrapped, "ecds_filter") for wrapped in each(section, "ecds_filters")]
    rows = [
        (Extension(name=text(one, "name"), type=type_of(at(one, "typed_config"))), one)
        for one in found
        if one is not None
    ]
    return sorted((Entry(row.name, row, one) for row, one in rows), key=lambda entry: entry.name)
