"""Sources that need a program to fetch them: git repositories and Go modules."""

import hashlib
import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from kmcp_querydoc.sources.definitions import Source
from kmcp_querydoc.sources.page import Workshop
from kmcp_runtime import ToolFailure, command, not_found, unavailable

FETCH_SECONDS = 900.0
_PASSED_ON = re.compile(
    r"(?:PATH|HOME|USER|TMPDIR|LANG|SSH_AUTH_SOCK|SSL_CERT_\w+|XDG_\w+|https?_proxy|no_proxy|GO\w+|GIT_\w+)",
    re.IGNORECASE,
)


@dataclass(frozen=True)
class Fetched:
    """A folder with the files of one revision."""

    root: Path
    revision: str
    address: str
    """Template of a page's URL, empty when the place has none that a browser can open."""


def environment(of: Mapping[str, str]) -> dict[str, str]:
    """The variables that git and go get: paths and how to reach the network, none of our settings."""
    return {name: value for name, value in of.items() if _PASSED_ON.fullmatch(name)} | {"GIT_TERMINAL_PROMPT": "0"}


async def fetch_repository(source: Source, workshop: Workshop) -> Fetched:
    """One commit of a git repository, in a clone that is kept for the next build."""
    assert source.git is not None
    clone = workshop.cache / "git" / hashlib.sha256(source.git.encode()).hexdigest()[:16]
    if not (clone / ".git").is_dir():
        clone.mkdir(parents=True, exist_ok=True)
        await _run_git(source, workshop, "init", "--quiet", "--", str(clone))
    workshop.say(f"{source.title}: fetching {source.ref} of the repository")
    at = ("-C", str(clone))
    await _run_git(source, workshop, *at, "fetch", "--quiet", "--depth", "1", "--no-tags", "--", source.git, source.ref)
    await _run_git(source, workshop, *at, "checkout", "--quiet", "--force", "--detach", "FETCH_HEAD")
    revision = (await _run_git(source, workshop, *at, "rev-parse", "HEAD")).strip()
    web = str(source.public().git).removesuffix(".git").rstrip("/")
    ref = revision if source.ref == "HEAD" else source.ref
    return Fetched(clone, revision, f"{web}/blob/{ref}/{{path}}" if web.startswith("https://") else "")


async def _run_git(source: Source, workshop: Workshop, *arguments: str) -> str:
    # A repository's address could name a program to run (ext::); its files are only read, so none of its hooks matter.
    quiet = ("-c", "protocol.ext.allow=never", "-c", "core.hooksPath=/dev/null", "-c", "advice.detachedHead=false")
    return await _run(source, workshop, "git", ["git", *quiet, *arguments])


async def download_module(source: Source, workshop: Workshop) -> Fetched:
    """The files of a Go module, checked by the go command against the checksum database."""
    assert source.module is not None
    workshop.say(f"{source.title}: the module {source.module}")
    output = await _run(source, workshop, "go", ["go", "mod", "download", "-json", source.module])
    downloaded = json.loads(output)
    path, version = downloaded["Path"], downloaded["Version"]
    address = f"https://{path}/blob/{version}/{{path}}" if path.startswith("github.com/") else ""
    return Fetched(Path(downloaded["Dir"]), version, address)


async def _run(source: Source, workshop: Workshop, program: str, argv: Sequence[str]) -> str:
    missing = f"install {program} and put it on PATH, or leave {source.product} out with --only"
    ended = await command.run(argv, env=environment(workshop.environment), seconds=FETCH_SECONDS, missing=missing)
    if ended.code != 0:
        raise _refusal(source, program, ended)
    return ended.stdout


def _refusal(source: Source, program: str, ended: command.Ended) -> ToolFailure:
    said = " ".join((_error_of(ended.stdout) or ended.stderr).split())[-600:] or f"exit code {ended.code}"
    # Neither program has exit codes for this; only its text tells a wrong name from a network that is down.
    gone = re.search(r"not found|couldn't find remote ref|unknown revision|no matching versions", said)
    failure = not_found if gone else unavailable
    return failure(f"{source.title}: {program}: {said}", "check the source and the network", backend=program)


def _error_of(output: str) -> str:
    """The error that `go mod download -json` writes to its standard output."""
    try:
        return str(json.loads(output).get("Error", ""))
    except (ValueError, AttributeError):
        return ""
