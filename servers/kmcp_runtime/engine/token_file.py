"""Bearer tokens of a file, one `token name [scope …]` per line; the file is read again when it changes."""

import logging
from pathlib import Path
from typing import Any

from fastmcp.server.auth import StaticTokenVerifier
from fastmcp.server.auth.auth import AccessToken

from kmcp_runtime.engine.grants import Grant, GrantedToken, unknown_scope
from kmcp_runtime.settings import SettingsError
from kmcp_runtime.stamps import stamp_of

log = logging.getLogger("kmcp.auth")


class FileTokenVerifier(StaticTokenVerifier):
    """Refuses to start with a file that cannot be used; while running, such a file lets nobody call."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._stamp = stamp_of(path)
        super().__init__(tokens=_read(path))

    async def verify_token(self, token: str) -> AccessToken | None:
        # At each call: a stat takes microseconds, and a token that was taken out must not work for another minute.
        stamp = stamp_of(self.path)
        if stamp != self._stamp:
            self._stamp = stamp
            self._read_again()
        found = await super().verify_token(token)
        return found and GrantedToken(**found.model_dump(), grant=Grant.of(found.scopes), proof="file")

    def _read_again(self) -> None:
        """Once for each change of the file, so that one which stays broken is logged once."""
        try:
            self.tokens = _read(self.path)
        except SettingsError as error:
            self.tokens = {}
            log.error("%s; every token is refused until the file changes", error)


def _read(path: Path) -> dict[str, dict[str, Any]]:
    try:
        lines = path.read_text(encoding="utf-8").splitlines()
    except OSError as error:
        raise SettingsError(f"--auth-tokens-file {path}: {error.strerror}") from None
    except UnicodeDecodeError:
        raise SettingsError(f"--auth-tokens-file {path} is not UTF-8 text") from None
    tokens: dict[str, dict[str, Any]] = {}
    for number, line in enumerate(lines, 1):
        words = line.split()
        if not words or words[0].startswith("#"):
            continue
        if len(words) < 2:
            raise SettingsError(f"--auth-tokens-file {path}, line {number}: write `token name [scope …]`")
        wrong = unknown_scope(words[2:])
        if wrong:
            raise SettingsError(f"--auth-tokens-file {path}, line {number}: {wrong}")
        if words[0] in tokens:
            raise SettingsError(f"--auth-tokens-file {path}, line {number}: its token stands in a line before, too")
        tokens[words[0]] = {"client_id": words[1], "sub": words[1], "scopes": words[2:]}
    if not tokens:
        raise SettingsError(f"--auth-tokens-file {path} contains no token, so nobody could call")
    return tokens
