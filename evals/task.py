"""A task as its file declares it: what is set up, what a person asks, what must hold afterwards, what it may cost."""

import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Annotated, Any, Literal

import yaml
from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

FOLDER = Path(__file__).parent / "tasks"
MOST_CALLS, MOST_TOKENS = 6, 6_000
Server = Literal["kubernetes", "helm", "argo", "istio", "prometheus", "door"]
Need = Literal["contexts", "prometheus", "argo", "mesh", "storage", "grafana", "cilium", "documentation"]
Command = Annotated[str, Field(pattern="^(kubectl|helm) ")]
_PLACE = re.compile(r"<([a-z_0-9]+)>")


class Part(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class Look(Part):
    """A question to the backend itself, asked until its answer is as wanted.

    `kubectl` and `helm` are the words after the program, in the task's namespace; `promql` is asked of Prometheus, and
    `grafana` is a path of its API.
    """

    kubectl: str | None = None
    helm: str | None = None
    promql: str | None = None
    grafana: str | None = None
    equals: str | None = None
    matches: str | None = Field(default=None, description="Regular expression that is found in the output")
    lacks: str | None = Field(default=None, description="Regular expression that is not found in the output")
    seconds: float = Field(default=60, description="Longest wait, in seconds of a quiet machine")

    @model_validator(mode="after")
    def _one_question(self) -> "Look":
        if sum(word is not None for word in (self.kubectl, self.helm, self.promql, self.grafana)) != 1:
            raise ValueError("name one of kubectl, helm, promql and grafana")
        if self.equals is None and self.matches is None and self.lacks is None:
            raise ValueError("name what is wanted: equals, matches or lacks")
        return self


class Step(Part):
    """A call of the reference script, and what its answer must say so that the next one follows from it."""

    tool: str
    arguments: dict[str, Any] = Field(default_factory=dict, alias="with")
    when: Look | None = Field(default=None, description="What the client waits for before the call")
    sees: list[str] = []
    take: dict[str, str] = Field(default={}, description="Names for later steps: first group of an expression")
    person: Literal["yes", "no", "token"] | None = None
    """What a person says when the server asks; `token`: the client cannot be asked, and sends the plan's token."""
    fails: str | None = Field(default=None, description="Expected code of a failure; `error` with another server")


class Budget(Part):
    calls: int = MOST_CALLS
    tokens: int = MOST_TOKENS
    listed: int | None = Field(default=None, description="Most tools that the client takes in its list")


class Task(Part):
    name: str = Field(pattern=r"^[a-z][a-z0-9-]{2,40}$")
    server: Server
    address: str = Field(default="", description="Query of the address: what the client lists and may call")
    core: bool = Field(default=False, description="kubernetes-mcp-server's own evaluation asks for the same")
    needs: list[Need] = []
    prompt: str
    manifests: str = ""
    commands: list[Command] = Field(default=[], description="After the manifests")
    ready: list[Look] = Field(default=[], description="The planted fault shows")
    remember: dict[str, str] = Field(default={}, description="Values before the task, by kubectl")
    steps: list[Step] = Field(min_length=1)
    peer: list[Step] = Field(default=[], description="The same task with the tools of kubernetes-mcp-server")
    find: list[str] = Field(default=[], description="Expressions that the answer must hold")
    never: list[str] = Field(default=[], description="Expressions that it must not hold")
    check: list[Look] = []
    clean: list[Command] = Field(default=[], description="Commands that remove what lies outside the namespace")
    budget: Budget = Budget()

    @model_validator(mode="after")
    def _judged(self) -> "Task":
        if not self.find and not self.check:
            raise ValueError("nothing is judged: name find or check")
        return self

    @property
    def query(self) -> str:
        """What follows `/mcp` in the address of this task."""
        return self.address or ("" if self.server == "door" else f"servers={self.server}&tools=all")


def filled(value: Any, names: Mapping[str, str]) -> Any:
    """The value with each `<name>` that is known replaced, in all its texts."""
    if isinstance(value, str):
        return _PLACE.sub(lambda match: names.get(match[1], match[0]), value)
    if isinstance(value, list):
        return [filled(item, names) for item in value]
    if isinstance(value, dict):
        return {key: filled(item, names) for key, item in value.items()}
    return value


def load(folder: Path = FOLDER) -> list[Task]:
    """Every task below the folder, by file and place. Errors: ValueError with the file and the task's fault."""
    tasks = list(_read(folder))
    names = [task.name for task in tasks]
    if twice := sorted({name for name in names if names.count(name) > 1}):
        raise ValueError(f"names used twice: {', '.join(twice)}")
    return tasks


def _read(folder: Path) -> Iterator[Task]:
    for path in sorted(folder.rglob("*.yaml")):
        for document in yaml.safe_load_all(path.read_text()):
            try:
                yield Task.model_validate(document)
            except ValidationError as error:
                name = document.get("name", "?") if isinstance(document, dict) else "?"
                raise ValueError(f"{path.relative_to(folder)}: task {name}: {error}") from error
