"""How an API is reached: the address, who we are there, and whom we trust."""

import base64
import ssl
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import unquote

import httpx2
from pydantic import SecretStr

from kmcp_runtime import redaction, urls
from kmcp_runtime.errors import unavailable

_HIDDEN = "***"
_SHORTEST_SECRET = 4

_OPEN_HEADERS = frozenset(("accept", "content-type", "user-agent", "x-scope-orgid", "x-grafana-org-id"))


@dataclass(frozen=True, kw_only=True)
class SetIn:
    """Where a person sets each part, as hints name it: an environment variable, or a field of a file."""

    url: str
    credentials: str
    tls: str
    timeout: str


@dataclass(frozen=True, kw_only=True)
class Access:
    """All of it. Files are read when they are needed: tokens and certificates are renewed while a server runs."""

    url: str
    """`http(s)://host[:port][/prefix]`; `user:password@` in it is taken as basic credentials."""
    set_in: SetIn
    token: SecretStr | None = None
    token_file: str = ""
    username: str = ""
    password: SecretStr | None = None
    headers: Mapping[str, str] = field(default_factory=dict)
    ca_file: str = ""
    cert_file: str = ""
    key_file: str = ""
    insecure: bool = False
    """Trust any certificate."""
    seconds: float = 25.0
    """Deadline of one request."""

    def base(self) -> httpx2.URL:
        """The address without userinfo, query and a trailing slash; `unavailable` when there is none."""
        if not self.url.strip():
            raise unavailable("no address is configured", f"set {self.set_in.url}")
        try:
            urls.split(self.url.strip(), ("http", "https"))
            found = httpx2.URL(self.url.strip())
        except (httpx2.InvalidURL, ValueError) as error:
            raise unavailable(f"{self.set_in.url} is not an http or https URL: {error}", self._wanted()) from None
        path = found.raw_path.partition(b"?")[0].rstrip(b"/")
        return found.copy_with(userinfo=b"", raw_path=path, fragment=None)

    def authorization(self) -> dict[str, str]:
        """The header that says who we are, if anybody: a token is preferred to user and password."""
        token = self._token()
        self._learn(token)
        if token:
            return {"Authorization": f"Bearer {token}"}
        username, password = self._pair()
        if not username and not password:
            return {}
        pair = base64.b64encode(f"{username}:{password}".encode()).decode()
        return {"Authorization": f"Basic {pair}"}

    def _learn(self, token: str) -> None:
        """Our own credentials are known, wherever an API, a proxy or an error repeats them."""
        # Any header may be what opens the door (`X-Acme: …`), but those that say who asks or in which form.
        headers = (value for name, value in self.headers.items() if name.lower() not in _OPEN_HEADERS)
        for secret in (token, self._pair()[1], *headers):
            redaction.learn(secret)
            redaction.learn(secret.rpartition(" ")[2])

    def tls(self) -> ssl.SSLContext:
        # Reading the public authorities takes a third of a second: not for an address that has no TLS.
        if self.insecure or self.base().scheme == "http":
            context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
            context.check_hostname = False
            context.verify_mode = ssl.CERT_NONE
        else:
            context = self._trusting()
        if self.cert_file:
            try:
                context.load_cert_chain(self.cert_file, self.key_file or None)
            except OSError as error:  # An SSLError is one, too.
                raise self._unreadable(f"{self.cert_file} with its key", error) from None
        return context

    def scrubbed(self, text: str) -> str:
        """A text without our own credentials, should an API or a proxy repeat them."""
        for secret in self._secrets():
            text = text.replace(secret, _HIDDEN)
        return text

    def _trusting(self) -> ssl.SSLContext:
        if not self.ca_file:
            return httpx2.create_ssl_context()
        try:
            return ssl.create_default_context(cafile=self.ca_file)
        except OSError as error:
            raise self._unreadable(self.ca_file, error) from None

    def _unreadable(self, what: str, error: OSError) -> Exception:
        why = error.strerror or str(error)
        return unavailable(f"{what} cannot be used: {why}", f"check {self.set_in.tls}: PEM files are expected")

    def _token(self) -> str:
        if self.token is not None:
            return self.token.get_secret_value().strip()
        if not self.token_file:
            return ""
        try:
            return Path(self.token_file).read_text().strip()
        except (OSError, UnicodeDecodeError) as error:
            why = getattr(error, "strerror", None) or "it is not text"
            raise unavailable(
                f"the token file {self.token_file} cannot be read: {why}", f"check {self.set_in.credentials}"
            ) from None

    def _pair(self) -> tuple[str, str]:
        password = self.password.get_secret_value() if self.password else ""
        if self.username or password:
            return self.username, password
        return self._userinfo()

    def _userinfo(self) -> tuple[str, str]:
        try:
            info = httpx2.URL(self.url.strip()).userinfo.decode("ascii")
        except (httpx2.InvalidURL, ValueError):
            return "", ""
        username, _, password = info.partition(":")
        return unquote(username), unquote(password)

    def _secrets(self) -> list[str]:
        headers = self.authorization()
        found = [*(value.partition(" ")[2] for value in headers.values()), self._pair()[1]]
        return [secret for secret in found if len(secret) >= _SHORTEST_SECRET]

    def _wanted(self) -> str:
        return f"set {self.set_in.url} to http(s)://host[:port][/prefix]"
