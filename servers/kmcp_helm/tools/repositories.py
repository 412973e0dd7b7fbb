"""Chart repositories of this server."""

import asyncio
from datetime import UTC, datetime
from typing import Annotated, Any

from pydantic import BaseModel, BeforeValidator, Field

from kmcp_helm.client import Client
from kmcp_runtime import DryRun, Effect, Name, Page, Result, ToolFailure, denied, tool, unpublished
from kmcp_runtime.helm.repositories import Repository, absent

_LASTING = (
    "It is lost when this process ends; KMCP_CHART_REPOSITORIES or a volume at KMCP_HELM_HOME keeps repositories."
)


_CREDENTIALS = "whoever runs this server puts them into a repositories.yaml that KMCP_HELM_REPOSITORIES names"


def _names(given: Any) -> Any:
    """Names, also in the form that older callers write: separated by spaces or commas."""
    return given.replace(",", " ").split() if isinstance(given, str) else given


class AddedRepository(Result):
    """A repository that this server knows."""

    name: str
    url: str
    charts: int | None = Field(default=None, description="Number of its charts")
    changed: bool
    dry_run: bool | None = Field(default=None, description="True when nothing was changed")


@tool(Effect.WRITE, idempotent=True, timeout=150, shows="repositories")
async def helm_repo_add(
    client: Client,
    name: Annotated[Name, "Its name"],
    url: Annotated[str, "https, on an allowed host"],
    force_update: Annotated[bool, "Replace"] = False,
    username: Annotated[str | None, unpublished("Refused: credentials do not belong in a call")] = None,
    password: Annotated[str | None, unpublished("Refused: credentials do not belong in a call")] = None,
    dry_run: DryRun = False,
) -> AddedRepository:
    """Add a chart repository; its charts are then named repo/chart."""
    if username or password:
        raise denied("username, password: credentials of a repository do not belong in a call", _CREDENTIALS)
    known = client.helm.repositories
    before = known.named(name)
    await known.check(name, url, force=force_update)
    # A final slash makes no difference to where helm finds index.yaml.
    changed = before is None or before.url.rstrip("/") != url.rstrip("/")
    if not dry_run:
        await known.add(client.call, name, url, force=force_update)
    return AddedRepository(
        name=name,
        url=url,
        # Only adding reads the index, so a dry run does not know.
        charts=None if dry_run else len(known.charts(name)),
        changed=changed,
        dry_run=dry_run or None,
        hint=None if known.lasting else _LASTING,
    )


class RefreshedRepository(BaseModel):
    """A repository and what its index holds."""

    name: str
    url: str
    charts: int = Field(description="Number of its charts")
    updated: str | None = Field(default=None, description="When its index was last read")
    error: str | None = Field(default=None, description="Why it could not be read now")


class RefreshedRepositories(Page[RefreshedRepository]):
    """Repositories whose indexes were read again."""


@tool(Effect.READ, timeout=150, shows="repository_updates")
async def helm_repo_update(
    client: Client,
    names: Annotated[list[str] | None, BeforeValidator(_names), "Unset: all"] = None,
) -> RefreshedRepositories:
    """Refresh the indexes of chart repositories, to see new versions; lists them."""
    known = client.helm.repositories.all()
    for name in names or ():
        if client.helm.repositories.named(name) is None:
            raise absent(name, known)
    wanted = [repository for repository in known if not names or repository.name in names]
    items = await asyncio.gather(*(_refresh(client, repository) for repository in wanted))
    hint = None if items else "No repository is configured; helm_repo_add adds one of an allowed host."
    return RefreshedRepositories(items=list(items), total=len(items), hint=hint)


async def _refresh(client: Client, repository: Repository) -> RefreshedRepository:
    known = client.helm.repositories
    error = None
    try:
        await known.update(client.call, repository.name)
    except ToolFailure as failure:  # One that fails must not hide what the others found.
        error = failure.message
    read = known.read_at(repository.name)
    return RefreshedRepository(
        name=repository.name,
        url=repository.url,
        charts=len(known.charts(repository.name)),
        error=error,
        updated=datetime.fromtimestamp(read, UTC).isoformat(timespec="seconds") if read is not None else None,
    )
