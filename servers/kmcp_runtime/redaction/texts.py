"""Secrets in a text: what is known, what has the shape of one, what is assigned to a credential's name.

Everything here is linear in the length of the text: expressions are RE2's over bytes, and what Python does at a match
looks at the rest of a line or of a block and then goes on behind it.
"""

import re
from collections.abc import Callable

from kmcp_runtime.redaction import shapes, values
from kmcp_runtime.redaction.known import REGISTER
from kmcp_runtime.redaction.marks import HIDDEN, mark
from kmcp_runtime.redaction.names import strength

Hide = Callable[[bytes], bytes]
"""What stands in place of a secret."""

# Escape sequences; control characters but tab and newline; what is invisible or turns the direction of writing: zero
# width, soft hyphen, byte order mark, line separators, variation selectors, tags. They hide or fake text.
_INVISIBLE = re.compile(
    "\x1b\\[[0-?]*[ -/]*[@-~]|\x1b\\][^\x07\x1b]{0,1000}(?:\x07|\x1b\\\\)|\x1b[@-_]?|[\x00-\x08\x0b-\x1f\x7f-\x9f\u00ad\u061c\u180e"
    "\u200b-\u200f\u2028-\u202f\u205f-\u206f\u3164\ufe00-\ufe0f\ufeff\ufff9-\ufffb\U000e0000-\U000e0fff]"
)
_ENVIRONMENT = re.compile(r"[A-Za-z_]\w*=")

# At least one of these is part of everything that is hidden by shape or name: most texts hold none.
_TRIGGER = shapes.compiled(
    r"(?i)pass|pwd|_pw\b|\bpw\b|pw=|secret|token|cred|key|auth|cookie|dsn|hook|_pat\b|\bpat\b|jwt|salt|otp|\bpin\b|sig|license|htpasswd"
    r"|mnemonic|connection.?string|login|identified|://|@(?:tcp|unix|udp)|eyj|bearer|basic|\{sha\}|\$(?:2|apr1|1|5|6|y|argon|scrypt|7)"
    r"|a[kb]ia|asia|acca|gh[pousr]_|glpat|gl[a-z]{2,5}-|xox|xapp|[srp]k[-_]|hf_|api_org|do[opr]_v1|sg\.|pypi-|npm_|rubygems_|dckr_|hv[sbr]\.|\b[sb]\."
    r"|atatt|atctt|atbb|gls|glc_|aiza|ya29|gocspx|lin_|ntn_|dapi|shp|sq0|:aa|\b[mno][a-z0-9_-]{23}|\bsk[a-f0-9]{32}|hrku|nra|dt0|pmak|pul-|dp\."
    r"|atlasv1|sntry|sq[pua]_|sb(?:p|_)|nf[pcou]_|pscale|fig[dou]_|akcp|tskey|fm[12]|flyv1|gsk_|r8_|pplx|xai-|tvly|sgp_|ops_|lsv2|phc_|phx|ez[at]k|cfpat|k10|q~"
    r"|curl|mysql|mariadb|redis|requirepass|masterauth|sshpass|:\*:|:\d{2,5}:"
)
_NAME_PART = (
    r"(?:pass|pwd|pw|secret|token|cred|key|auth|cookie|dsn|webhook|pat|jwt|license|licence|htpasswd|mnemonic|salt|otp|pin|sig"
    r"|connection[_-]?string|connstr|dockercfg|dockerconfigjson)"
)
_ASSIGNED = shapes.compiled(
    rf"(?i)([A-Za-z0-9_.\-]{{0,64}}?{_NAME_PART}[A-Za-z0-9_.\-]{{0,64}})((?:\\{{0,8}}[\"'`])?\]?)"
    r"([ \t]*(?:=>|:=|={1,2}|:)[ \t]*|[ \t]+(?:is|was|set to)[ \t]+|[ \t]+|\\?[\"'],[ \t]*\\?[\"'])"
)
_PAIR = shapes.compiled(
    r"(?i)\b(?:name|key)\\{0,4}[\"']?[ \t]*[:=][ \t]*\\{0,4}[\"']?([A-Za-z0-9_.-]{1,128})\\{0,4}[\"']?[ \t]*[,;]?\s*(?:-[ \t]+)?"
    r"\\{0,4}[\"']?\bvalue\\{0,4}[\"']?([ \t]*[:=][ \t]*)"
)
"""`name: DB_PASSWORD, value: …`, as JSON, as YAML, and as Go prints it in errors."""
_XML = shapes.compiled(r"(?is)<([a-z][a-z0-9:_.-]{0,80})(?:\s[^<>]{0,300})?>([^<>]+)</")
_PEM_BEGIN = shapes.compiled(r"-----BEGIN [A-Z0-9 ]{0,40}PRIVATE KEY(?: BLOCK)?-----|PuTTY-User-Key-File-\d")
_PEM_END = b"-----END "
_PARTS_NEED: dict[str, tuple[bytes, ...]] = {
    "bearer": (b"bearer", b"basic", b"digest", b"token", b"negotiate", b"splunk"),
    "basic": (b"basic",),
    "go-dsn": (b"@tcp(", b"@unix(", b"@udp("),
    "discord-hook": (b"discord",),
    "netrc": (b"login",),
    "mysql-password": (b"mysql", b"mariadb"),
    "curl-user": (b"curl",),
    "bootstrap": (b"token",),
    "htpasswd": (b"{sha}", b":$"),
    "redis-config": (b"requirepass", b"masterauth", b"sentinel"),
    "identified-by": (b"identified", b"password"),
    "azure-key": (b"accountkey", b"sharedaccess", b"endpointsecret"),
}


MOST_LOOKS = 4_000
"""Names of credentials that are looked behind in one text: what follows more of them is hidden whole, to bound the time."""
_TOO_MANY = b"[hidden: the rest, which holds too many names of credentials]"


def clean(text: str) -> str:
    """The text without what a reader cannot see; an environment that is separated by NUL gets lines."""
    if text.isprintable():
        return text
    if "\0" in text:
        parts = [part for part in text.split("\0") if part]
        # /proc/1/environ begins with a variable, /proc/1/cmdline ends with a NUL.
        if len(parts) > 1 and (_ENVIRONMENT.match(parts[0]) or text.endswith("\0")):
            text = "\n".join(parts)
    return _INVISIBLE.sub("", text)


def may_hold_secret(data: bytes) -> bool:
    return _TRIGGER.search(data) is not None


def hide_in_text(text: str, place: str = "") -> str:
    """The text, cleaned, with every secret in it replaced by a mark."""
    text = REGISTER.hide(clean(text))
    data = text.encode(errors="surrogatepass")
    if not may_hold_secret(data):
        return text

    def hide(secret: bytes) -> bytes:
        return mark(place, secret.decode(errors="replace")).encode()

    data = _hide_keys(data, hide)
    data = shapes.whole().sub(lambda match: hide(match.group()), data)
    data = _hide_parts(data, hide)
    data = _hide_elements(data, hide)
    data = _hide_pairs(data, hide)
    data = _hide_assigned(data, hide)
    return data.decode(errors="surrogatepass")


def _hide_keys(data: bytes, hide: Hide) -> bytes:
    """Private keys in PEM, whole or cut off; also where line ends are written as `\\n`."""
    if b"PRIVATE KEY" not in data and b"PuTTY-User-Key-File" not in data:
        return data
    out: list[bytes] = []
    position = 0
    for begin in _PEM_BEGIN.finditer(data):
        if begin.start() < position:
            continue
        end = data.find(_PEM_END, begin.end())
        stop = len(data) if end < 0 else end
        if end >= 0:
            closing = data.find(b"-----", end + len(_PEM_END))
            stop = closing + 5 if 0 <= closing <= end + 80 else end
        out += (data[position : begin.start()], hide(data[begin.start() : stop]))
        position = stop
    return b"".join([*out, data[position:]])


def _hide_parts(data: bytes, hide: Hide) -> bytes:
    lowered = data.lower()
    for shape, expression in zip(shapes.PARTS, shapes.parts(), strict=True):
        needed = _PARTS_NEED.get(shape.name)
        if needed is None and b"://" not in lowered and shape.name.startswith(("url", "query", "slack", "teams", "chat")):
            continue
        if needed and not any(word in lowered for word in needed):
            continue
        data = _hide_group(data, expression, hide)
    return data


def _hide_group(data: bytes, expression: "object", hide: Hide) -> bytes:
    out: list[bytes] = []
    position = 0
    for number, match in enumerate(expression.finditer(data)):  # type: ignore[attr-defined]
        if number > MOST_LOOKS:
            return b"".join([*out, data[position : match.start()], _TOO_MANY])
        start, stop = match.span(1)
        secret = data[start:stop]
        if start < position or values.is_empty(secret.decode(errors="replace")) or _PORT.match(secret):
            continue
        out += (data[position:start], hide(secret))
        position = stop
    return b"".join([*out, data[position:]]) if out else data


def _hide_elements(data: bytes, hide: Hide) -> bytes:
    """XML elements whose name is a credential's."""
    if b"</" not in data:
        return data
    out: list[bytes] = []
    position = 0
    for match in _XML.finditer(data):
        name = match.group(1).decode("latin-1").rpartition(":")[2]
        start, stop = match.span(2)
        found = strength(name)
        if found and values.hides_in_structure(data[start:stop].decode(errors="replace").strip(), found):
            out += (data[position:start], hide(data[start:stop]))
            position = stop
    return b"".join([*out, data[position:]]) if out else data


def _hide_pairs(data: bytes, hide: Hide) -> bytes:
    """The value of a name/value pair whose name is a credential's."""
    out: list[bytes] = []
    position = 0
    for number, match in enumerate(_PAIR.finditer(data)):
        if number > MOST_LOOKS:
            return b"".join([*out, data[position : match.start()], _TOO_MANY])
        name = match.group(1).decode("latin-1")
        found = strength(name)
        if not found or match.start() < position:
            continue
        span = _Assignment(data, match.start(), match.end(), name, b'"', bytes(match[2])).secret(found)
        if span is not None:
            out += (data[position : span[0]], hide(data[span[0] : span[1]]))
            position = span[1]
    return b"".join([*out, data[position:]]) if out else data


def _hide_assigned(data: bytes, hide: Hide) -> bytes:
    """Values behind a credential's name and a separator."""
    out: list[bytes] = []
    position = 0
    looks = 0
    for match in _ASSIGNED.finditer(data):
        if match.start() < position:
            continue
        name = match.group(1).decode("latin-1")
        found = strength(name.strip("-."))
        if not found:
            continue
        looks += 1
        if looks > MOST_LOOKS:
            return b"".join([*out, data[position : match.start()], _TOO_MANY])
        span = _Assignment(data, match.start(), match.end(), name, bytes(match[2]), bytes(match[3])).secret(found)
        if span is None:
            continue
        start, stop = span
        out += (data[position:start], hide(data[start:stop]))
        position = stop
    return b"".join([*out, data[position:]]) if out else data


_PORT = re.compile(rb"\d{1,5}/")
"""`host:8443/path@x`: a port and a path, not a password."""
_STOPS = re.compile(rb"[\s\"',;&|{}()<>\[\]]")
_LINE = re.compile(rb"^[ \t]*(?:[-*][ \t]+)?(?:export[ \t]+|set[ \t]+|setx[ \t]+|ENV[ \t]+|ARG[ \t]+|-e[ \t]+|#[ \t]*)?[\"'`]?$")
_KEYED = re.compile(rb"^[ \t]*(?:-[ \t]+)?[\"']?[\w./-]+[\"']?[ \t]*:(?:[ \t]|$)")
_SETTING = re.compile(rb"^[ \t]*[\w./\"'-]+[ \t]*[:=]")
_BLOCK = re.compile(rb"(?:!!\w+[ \t]+)?[|>][+-]?\d?[+-]?[ \t]*(?:#[^\n]*)?$")
_LONGEST_LOOK = 4_096


class _Assignment:
    """A name, a separator, and what follows."""

    def __init__(self, data: bytes, start: int, after: int, name: str, close: bytes, separator: bytes) -> None:
        self.data = data
        self.name = name
        self.close = close
        self.separator = separator.strip()
        self.spaced = separator != separator.strip() or not self.separator
        self.after = after
        self.line_start = data.rfind(b"\n", max(0, start - _LONGEST_LOOK), start) + 1 or max(0, start - _LONGEST_LOOK)
        if self.line_start and data[self.line_start - 1 : self.line_start] != b"\n":
            self.line_start = start if start - self.line_start >= _LONGEST_LOOK else self.line_start
        self.before = data[self.line_start : start]
        end = data.find(b"\n", after, after + _LONGEST_LOOK)
        # Of a longer line only so much is looked at; a value without a space is followed to its end all the same.
        self.line_end = min(len(data), after + _LONGEST_LOOK) if end < 0 else end

    def secret(self, found: str) -> tuple[int, int] | None:
        """Where the secret stands; None when there is none."""
        data, at = self.data, self.after
        if not self.separator:
            return self._flagged(found) if self.name.startswith("-") else None
        if self.separator[:1] not in (b":", b"="):
            if b"," in self.separator:
                return self._quoted(at - 1, found) if self.name.startswith("-") else None
            return self._bare(found, assigned=False)
        head = data[at : at + 12]
        if not head or head[:1] == b"\n":
            return self._next_lines(found) if self.separator == b":" else None
        if head[:1] in b"\"'`" or (head[:1] == b"\\" and head.lstrip(b"\\")[:1] in (b'"', b"'")):
            return self._quoted(at, found)
        if self.separator == b":" and _BLOCK.match(data[at : self.line_end][:200]):
            return self._block()
        if head[:1] in b"{[(<&*" and not values.is_empty(head.decode("latin-1")):
            return None if head[:1] in b"{[(" else self._bare(found, assigned=self._alone())
        return self._bare(found, assigned=self._assigns())

    def _alone(self) -> bool:
        """The name begins its line, as in a file of settings."""
        return _LINE.match(self.before) is not None

    def _assigns(self) -> bool:
        if self.separator != b":":
            return True
        if self.before[-1:] in (b"/", b"\\"):
            return False
        if not self.spaced and self.close:
            return True
        return self._alone() and (bool(self.before.strip()) or self.line_start != 0 or True)

    def _flagged(self, found: str) -> tuple[int, int] | None:
        if self.data[self.after : self.after + 1] in (b"-", b"\n", b""):
            return None
        if self.data[self.after : self.after + 1] in (b'"', b"'"):
            return self._quoted(self.after, found)
        stop = self._stop(self.after)
        value = self.data[self.after : stop].decode(errors="replace")
        # `--token string  Bearer token for …` is a help text.
        rest = self.data[stop : stop + 2]
        if rest == b"  " or value.lower().rstrip(".,;:") in ("is", "was", "and", "or", "flag", "to", "for", "in", "option"):
            return None
        return (self.after, stop) if values.hides_in_line(value, found, assigned=True) else None  # type: ignore[arg-type]

    def _quoted(self, at: int, found: str) -> tuple[int, int] | None:
        data = self.data
        start = at
        while data[start : start + 1] == b"\\":
            start += 1
        delimiter = data[at : start + 1]
        start += 1
        stop = start
        limit = min(len(data), start + 65_536)
        while True:
            stop = data.find(delimiter, stop, limit)
            if stop < 0:
                stop = min(self.line_end, limit)
                break
            if len(delimiter) > 1 or data[stop - 1 : stop] != b"\\" or data[stop - 2 : stop] == b"\\\\":
                break
            stop += 1
        value = data[start:stop].decode(errors="replace")
        if self.before[-1:] == b"/" and self.separator == b":":
            return None
        return (start, stop) if stop > start and values.hides_in_line(value, found, assigned=True) else None  # type: ignore[arg-type]

    def _bare(self, found: str, assigned: bool) -> tuple[int, int] | None:
        at = self.after
        alone = self._alone() and self.separator != b""
        stop = self._stop(at)
        line = self.data[at : self.line_end].rstrip()
        whole = line.split(b" #", 1)[0].rstrip().rstrip(b",")
        cut = len(line) >= _LONGEST_LOOK - 1
        if alone and not cut and b" " not in whole and b"\t" not in whole and whole[:1] not in b"\"'":
            # A line of settings: the value is all of it, whatever characters it has.
            stop = at + len(whole)
        value = self.data[at:stop].decode(errors="replace")
        if alone and self.separator == b":" and b" " in whole:
            return self._sentence(found, at, whole)
        if alone and b" " in whole and self.separator == b"=" and self.spaced:
            stop = at + len(whole)
        if not assigned and b" " in self.data[at : self.line_end].strip() and not values.is_odd(value.rstrip(".,;")):
            return None
        if not values.hides_in_line(value, found, assigned):  # type: ignore[arg-type]
            return None
        return at, stop

    def _sentence(self, found: str, at: int, whole: bytes) -> tuple[int, int] | None:
        """Several words after `name:` at the start of a line: a passphrase in a file of settings, else prose."""
        value = whole.decode(errors="replace")
        first = value.split(maxsplit=1)[0]
        if values.is_odd(first) and not first.endswith((":", ",")):
            return at, at + len(first.encode(errors="replace"))
        if found != "strong" or not values.hides_in_line(value, "strong", assigned=False):
            words = value.lower().split()
            if found != "strong" or any(word.strip(".,:;!") in values._STATES for word in words):
                return None
        return (at, at + len(whole)) if self._in_settings() else None

    def _in_settings(self) -> bool:
        """The line before or the line after is a setting, too."""
        before = self.data[max(0, self.line_start - 300) : max(0, self.line_start - 1)].rsplit(b"\n", 1)[-1]
        after = self.data[self.line_end + 1 : self.line_end + 300].split(b"\n", 1)[0]
        return any(_SETTING.match(line) is not None for line in (before, after) if line.strip())

    def _indent(self) -> int:
        stripped = self.before.lstrip(b" \t")
        dash = 2 if stripped.startswith(b"- ") else 0
        return len(self.before) - len(stripped) + dash

    def _block(self) -> tuple[int, int] | None:
        """A YAML block scalar: all lines that are indented deeper than its key."""
        if not self._alone():
            return None
        start = self.line_end + 1
        stop = self._deeper(start)
        first = start + len(self.data[start:stop]) - len(self.data[start:stop].lstrip())
        return (first, stop) if stop > first else None

    def _deeper(self, start: int) -> int:
        indent = self._indent()
        stop = start
        while stop < len(self.data):
            end = self.data.find(b"\n", stop)
            end = len(self.data) if end < 0 else end
            line = self.data[stop:end]
            if line.strip() and len(line) - len(line.lstrip(b" \t")) <= indent:
                break
            stop = end + 1
        stop = min(stop, len(self.data))
        return stop - 1 if stop > start and self.data[stop - 1 : stop] == b"\n" else stop

    def _next_lines(self, found: str) -> tuple[int, int] | None:
        """`password:` and the value on the next line; a list below it counts, fields of its own do not."""
        if not self._alone():
            return None
        start = self.line_end + 1
        stop = self._deeper(start)
        lines = [line for line in self.data[start:stop].split(b"\n") if line.strip()]
        if not lines or any(_KEYED.match(line) for line in lines) or lines[0].lstrip()[:1] in b"`#*":
            return None
        first = start + len(self.data[start:stop]) - len(self.data[start:stop].lstrip())
        value = self.data[first:stop].decode(errors="replace").lstrip("- ")
        return (first, stop) if values.hides_in_structure(value, found) else None  # type: ignore[arg-type]

    def _stop(self, at: int) -> int:
        match = _STOPS.search(self.data, at)
        return match.start() if match else len(self.data)
