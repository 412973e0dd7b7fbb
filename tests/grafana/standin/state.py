"""What the stand-in remembers."""

import itertools
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

Row = dict[str, Any]
NOW = "2026-11-25T10:00:00Z"


class Refusal(Exception):
    """An answer of status 400 or more."""

    def __init__(self, code: int, message: str, /, **more: Any) -> None:
        super().__init__(message)
        self.status = code
        self.body: Row = {"message": message, **more}


@dataclass
class User:
    id: int
    login: str
    email: str
    name: str
    password: str
    is_admin: bool = False
    is_disabled: bool = False
    theme: str = ""
    org_id: int = 1
    preferences: Row = field(default_factory=dict)

    @property
    def uid(self) -> str:
        return f"u{self.id:06d}"


@dataclass
class Dashboard:
    uid: str
    spec: Row
    folder: str
    id: int
    version: int = 1
    versions: list[Row] = field(default_factory=list)
    permissions: list[Row] = field(default_factory=list)
    manager: str | None = None
    stored: str = "v1"


@dataclass
class Folder:
    uid: str
    title: str
    parent: str
    id: int
    description: str = ""
    version: int = 1
    permissions: list[Row] = field(default_factory=list)
    manager: str | None = None


@dataclass
class Organisation:
    id: int
    name: str
    members: dict[int, str] = field(default_factory=dict)
    preferences: Row = field(default_factory=dict)
    teams: dict[int, Row] = field(default_factory=dict)
    dashboards: dict[str, Dashboard] = field(default_factory=dict)
    folders: dict[str, Folder] = field(default_factory=dict)
    datasources: dict[str, Row] = field(default_factory=dict)
    annotations: dict[int, Row] = field(default_factory=dict)
    rules: dict[str, Row] = field(default_factory=dict)
    points: dict[str, Row] = field(default_factory=dict)
    policies: Row = field(default_factory=lambda: {"receiver": "grafana-default-email", "group_by": ["alertname"]})
    timings: dict[str, Row] = field(default_factory=dict)
    playlists: dict[str, Row] = field(default_factory=dict)
    snapshots: dict[str, Row] = field(default_factory=dict)
    silences: dict[str, Row] = field(default_factory=dict)
    alerts: list[Row] = field(default_factory=list)
    states: dict[str, Row] = field(default_factory=dict)


@dataclass
class State:
    users: dict[int, User] = field(default_factory=dict)
    organisations: dict[int, Organisation] = field(default_factory=dict)
    numbers: Iterator[int] = field(default_factory=lambda: itertools.count(100))

    def number(self) -> int:
        return next(self.numbers)

    def uid(self, letter: str) -> str:
        return f"{letter}{next(self.numbers):08x}"


def new_state() -> State:
    """Two organisations and an administrator; all else is made through the API."""
    state = State()
    state.users[1] = User(1, "admin", "admin@example.com", "Admin", "admin-password", is_admin=True)
    state.users[2] = User(2, "eve", "eve@example.com", "Eve Editor", "eve-password")
    state.organisations[1] = Organisation(1, "Main Org.", {1: "Admin", 2: "Editor"})
    state.organisations[2] = Organisation(2, "Second Org.", {1: "Admin"})
    return state
