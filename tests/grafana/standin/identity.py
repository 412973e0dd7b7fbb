"""Who a request is from, in which organisation, and what it may do."""

import base64
import binascii
from collections.abc import Mapping
from dataclasses import dataclass

from tests.grafana.standin.shapes import Route
from tests.grafana.standin.state import Organisation, Refusal, State, User

TOKENS = {
    "glsa_AdminAdminAdminAdminAdmin12_0a1b2c3d": "Admin",
    "glsa_EditorEditorEditorEditor123_0a1b2c3d": "Editor",
    "glsa_ViewerViewerViewerViewer123_0a1b2c3d": "Viewer",
}
"""Tokens of service accounts of the first organisation, and their roles."""
ADMIN_TOKEN, EDITOR_TOKEN, VIEWER_TOKEN = TOKENS
_RANK = {"None": 0, "Viewer": 1, "Editor": 2, "Admin": 3}


@dataclass(frozen=True)
class Identity:
    role: str
    organisation: Organisation
    user: User | None
    """None for a service account."""

    @property
    def is_server_admin(self) -> bool:
        return self.user is not None and self.user.is_admin


def identified(state: State, headers: Mapping[str, str]) -> Identity:
    scheme, _, value = headers.get("authorization", "").partition(" ")
    wanted = headers.get("x-grafana-org-id")
    if scheme == "Bearer":
        if value not in TOKENS:
            raise Refusal(401, "Invalid API key", messageId="api-key.invalid", statusCode=401, traceID="")
        if wanted not in (None, "1"):
            raise Refusal(403, "You'll need additional permissions to perform this action.", title="Access denied")
        return Identity(TOKENS[value], state.organisations[1], None)
    if scheme == "Basic":
        user = _user(state, value)
        number = int(wanted) if wanted else user.org_id
        organisation = state.organisations.get(number)
        if organisation is None or user.id not in organisation.members:
            raise Refusal(401, "Unauthorized", messageId="user.sync.not-member", statusCode=401, traceID="")
        return Identity(organisation.members[user.id], organisation, user)
    raise Refusal(401, "Unauthorized", messageId="auth.unauthorized", statusCode=401, traceID="")


def allowed(identity: Identity, route: Route) -> None:
    if not _may(identity, route.role):
        denied(route.needs or "the right one")


def _may(identity: Identity, role: str) -> bool:
    if role == "Server admin":
        return identity.is_server_admin
    return _RANK[identity.role] >= _RANK[role]


def denied(needed: str) -> None:
    told = f"You'll need additional permissions to perform this action. Permissions needed: {needed}"
    raise Refusal(403, told, accessErrorId="ACE0123456789", title="Access denied")


def _user(state: State, encoded: str) -> User:
    try:
        login, _, password = base64.b64decode(encoded).decode().partition(":")
    except (binascii.Error, UnicodeDecodeError):
        login, password = "", ""
    for user in state.users.values():
        if login in (user.login, user.email) and user.password == password and not user.is_disabled:
            return user
    raise Refusal(401, "Invalid username or password", messageId="password-auth.failed", statusCode=401, traceID="")
