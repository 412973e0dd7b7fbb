"""Chart repositories of this server."""

import asyncio
from datetime import UTC, datetime
from typing import Annotated, Any

from pydantic import BaseModel, BeforeValidator, Field

from kmcp_helm.client import Client
from kmcp_runtime import DryRun, Effect, Name, Page, Result, ToolFailure, Word, injected, tool
from kmcp_runtime.helm.repositories import Repository, absent

_LASTING = "This process alone knows it; KMCP_CHART_REPOSITORIES, or a volume at KMCP_HELM_HOME, keeps repositories."


def _names(given: Any) -> Any:
    """Names, also as older callers write them: separated by blanks or commas."""
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
    name: Annotated[Name, Word("Its name")],
    url: Annotated[str, Word("https, allowed host")],
    force_update: Annotated[bool, Word("Replace")] = False,
    dry_run: DryRun = False,
    client: Client = injected(),
) -> AddedRepository:
    """Add a chart repository of an allowed host, to name charts repo/chart."""
    known = client.helm.repositories
    before = known.named(name)
    await known.check(name, url, force=force_update)
    changed = before is None or before.url.rstrip("/") != url.rstrip("/")
    if not dry_run:
        await known.add(client.call, name, url, force=force_update)
    return AddedRepository(
        name=name,
        url=url,
        charts=None if dry_run else len(known.charts(name)),
        changed=changed,
        dry_run=dry_run or None,
        hint=None if known.lasting else _LASTING,
    )


class RefreshedRepository(BaseModel):
    """A repository and what is known of it."""

    name: str
    url: str
    charts: int = Field(description="Number of its charts")
    updated: str | None = Field(default=None, description="When its index was read last")
    error: str | None = Field(default=None, description="Why it could not be read now")


class RefreshedRepositories(Page[RefreshedRepository]):
    """Repositories whose indexes were read anew."""


@tool(Effect.READ, timeout=150, shows="repository_updates")
async def helm_repo_update(
    names: Annotated[list[str] | None, BeforeValidator(_names), Word("None = all")] = None,
    client: Client = injected(),
) -> RefreshedRepositories:
    """Refresh the indexes of chart repositories, to see new versions; lists them."""
    known = client.helm.repositories.all()
    for name in names or ():
        if client.helm.repositories.named(name) is None:
            raise absent(name, known)
    wanted = [repository for repository in known if not names or repository.name in names]
    items = await asyncio.gather(*(_refreshed(client, repository) for repository in wanted))
    hint = None if items else "No repository is configured; helm_repo_add adds one of an allowed host."
    return RefreshedRepositories(items=list(items), total=len(items), hint=hint)


async def _refreshed(client: Client, repository: Repository) -> RefreshedRepository:
    known = client.helm.repositories
    error = None
    try:
        await known.update(client.call, repository.name)
    except ToolFailure as failure:  # One that fails is no reason to keep the others' news back.
        error = failure.message
    read = known.read_at(repository.name)
    return RefreshedRepository(
        name=repository.name,
        url=repository.url,
        charts=len(known.charts(repository.name)),
        error=error,
        updated=datetime.fromtimestamp(read, UTC).isoformat(timespec="seconds") if read is not None else None,
    )
