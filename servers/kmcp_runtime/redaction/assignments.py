"""A credential's name, a separator, and what follows: where the secret stands, if there is one.

The same words stand in settings (`token: abc`), in prose (`token: permission denied`), in code and in help texts; what
is hidden depends on the separator, on the quotes, and on whether the name begins its line.
"""

import re

from kmcp_runtime.redaction import values
from kmcp_runtime.redaction.marks import MARK
from kmcp_runtime.redaction.names import Strength
from kmcp_runtime.redaction.words import words

_STOPS = re.compile(rb"[\s\"',;&|{}()<>\[\]]")
_LINE = re.compile(
    rb"^[ \t]*(?:[-*][ \t]+)?(?:export[ \t]+|set[ \t]+|setx[ \t]+|ENV[ \t]+|ARG[ \t]+|-e[ \t]+|#[ \t]*)?[\"'`]?$"
)
_KEYED = re.compile(rb"^[ \t]*(?:-[ \t]+)?[\"']?[\w./-]+[\"']?[ \t]*:(?:[ \t]|$)")
_SETTING = re.compile(rb"^[ \t]*[\w./\"'-]+[ \t]*[:=]")
_DIRECTIVE = re.compile(rb"([ \t]*)@?[a-z][\w.-]*[ \t]+[^\s]+[ \t]*;?$")
_BLOCK = re.compile(rb"(?:!!\w+[ \t]+)?[|>][+-]?\d?[+-]?[ \t]*(?:#[^\n]*)?$")
_SETTER = re.compile(rb"(?i)\b(?:define|set\w*|put\w*|add\w*|env\w*|config\w*|with\w*)\([ \t]*(?:[urb]?\\?[\"'])?$")
"""A call that takes a name and a value: `define('DB_PASSWORD', '…')`."""
_TUPLE = re.compile(rb"(?:^|[\s\[({,])\([ \t]*[bu]?\\?[\"']$")
"""A pair as Python prints it, which no call's name stands before: `[('password', '…')]`."""
_WRAPPED = re.compile(rb"[({][ \t]*(?:\w{1,40}[:=][ \t]*)?\\?[\"']([^\"'\n\\]{1,4096})\\?[\"']")
_IN_QUOTES = re.compile(rb"\"[^\"]+\"|'[^']+'")
_LITERAL = re.compile(rb"(?i)[bruf]{1,2}[\"']")
"""A text as Python writes it."""
_DEFAULT = re.compile(rb"(?i)[ \t]*(?:default|value|plain|content|example)[ \t]*:[ \t]*")
"""What may stand below a credential's name and be its value: of parameters of templates, of schemas."""
_BESIDE = re.compile(
    r"(?i)(?:password|passwd|passphrase|api[_-]?key|auth[_-]?token|(?:secret|access)[_-]?key|requirepass|masterauth)$"
)
_DECLARED = re.compile(rb"^[ \t]*(?:ENV|ARG|setx|setenv|SetEnv|fastcgi_param|set[ \t]+-\w+)[ \t]+$")
_PROSE = words("is was and or flag to for in option")
_REFERRING = ("secret", "secrets")
"""Under such a name it is more often the name of a Secret."""
_STRUCT = re.compile(rb"(?:\{|\bmap\[)(?:[^{}\[\]\n]*[ ,])?$")
"""Before a field of a struct or a map as Go prints it: `&{user:bob password:…}`."""
_LONGEST_STRUCT = 300
_LONGEST_LOOK = 4_096
_QUOTES = (b'"', b"'", b"`")
_SIGNS = {"：".encode(): b":", "为".encode(): b"=", "是".encode(): b"=", b"?=": b"="}
"""What stands for a colon and for `is` in Chinese and Japanese."""
_TYPED = re.compile(rb"\(\*?[\w.\[\]]{1,60}\)[ \t]*(?:\(len=\d+(?:[ \t]+cap=\d+)?\)[ \t]*)?(?=\")")
"""The type before a value, as Go's debuggers print it."""
_REMARK = re.compile(rb"<[^<>\n]{1,200}>(?:[ \t,;.]|$)")
"""`<set to the key 'password' in secret 'db'>`"""
_CALLEE = re.compile(r"[A-Za-z_]\w*(?:(?:\.|->|::)[A-Za-z_]\w*)+|[A-Za-z_]+")
_SHORTEST_VARIABLE = 3
_SIGNS_OF_A_NAME = re.compile(r"[^a-z0-9]")
_COOKIE = re.compile(rb"[ \t]*([^\s=;,\"']{1,100})=([^;\n\"'<>]*)")
_NO_COOKIES = words("path domain expires max-age samesite priority")
"""Attributes of a cookie."""
_SHORTEST_COOKIE = 8
_HOLDS_SESSION = re.compile(r"(?i)sess|auth|tok|sid|jwt|login|csrf|xsrf|remember|key|secret|pass")


class Assignment:
    """A name, a separator, and what follows."""

    def __init__(self, data: bytes, start: int, after: int, name: str, close: bytes, separator: bytes) -> None:
        self.data = data
        self.name = name
        self.close = close
        self.separator = _SIGNS.get(separator.strip(), separator.strip())
        self.spaced = separator != separator.strip() or not self.separator
        self.after = after
        self.line_start = data.rfind(b"\n", max(0, start - _LONGEST_LOOK), start) + 1 or max(0, start - _LONGEST_LOOK)
        if self.line_start and data[self.line_start - 1 : self.line_start] != b"\n":
            self.line_start = start if start - self.line_start >= _LONGEST_LOOK else self.line_start
        self.before = data[self.line_start : start]
        # A quote that stands before the name and is still open (`"token:abc"`): it ends the value.
        self.opened = b"" if close or self.before[-1:] not in _QUOTES else self.before[-1:]
        end = data.find(b"\n", after, after + _LONGEST_LOOK)
        # Of a longer line only so much is looked at; a value without a space is followed to its end all the same.
        self.line_end = min(len(data), after + _LONGEST_LOOK) if end < 0 else end

    def secret(self, found: Strength) -> tuple[int, int] | None:
        """Where the secret stands; None when there is none."""
        span = self._secret(found)
        if span is None or self.name.lower() not in _REFERRING:
            return span
        value = self.data[slice(*span)].decode(errors="replace")
        return None if values.names_object(value, in_namespace=b"namespace=" in self.before) else span

    def _secret(self, found: Strength) -> tuple[int, int] | None:
        if self._is_reference():
            return None
        if self.name.lower().endswith("cookie") and self.separator == b":" and _COOKIE.match(self.data, self.after):
            return self._cookies()
        if not self.separator:
            return self._flagged(found) if self.name.startswith("-") else self._beside(found)
        if self.separator[:1] in (b":", b"="):
            return self._behind(self.data[self.after : self.after + 12], found)
        if self.separator == b"->":
            span = self._bare(found, assigned=False)
            return span if span and values.is_odd(self.data[slice(*span)].decode(errors="replace")) else None
        if b"," in self.separator:
            if self.name.startswith("-") or _SETTER.search(self.before):
                return self._quoted(self.after - 1, found)
            span = self._quoted(self.after - 1, found) if _TUPLE.search(self.before) else None
            return span if span and values.is_made(self.data[slice(*span)].decode(errors="replace")) else None
        # `the secret is located …`: of what is called so, more is said than its value.
        return self._bare("weak" if self.name.lower() in _REFERRING else found, assigned=False)

    def _is_reference(self) -> bool:
        """The name is part of a variable of a shell (`${PASSWORD:?unset}`) or of a path (`arn:…:secret:db`)."""
        if self.before.endswith(b"${"):
            return True
        return self.separator == b":" and not self.spaced and self.before[-1:] == b":"

    def _behind(self, head: bytes, found: Strength) -> tuple[int, int] | None:
        """What stands behind a colon or an equals sign, by how it begins."""
        at = self.after
        if not head or head[:1] == b"\n":
            return self._next_lines(found) if self.separator == b":" else None
        if self.opened and head[:1] == self.opened:
            return None
        if head[:1] in b"\"'`" or (head[:1] == b"\\" and head.lstrip(b"\\")[:1] in (b'"', b"'")):
            return self._quoted(at, found)
        if literal := _LITERAL.match(head):
            return self._quoted(at + literal.end() - 1, found)
        if self.separator == b":" and _BLOCK.match(self.data[at : self.line_end][:200]):
            return self._block()
        if head[:1] == b"(" and (typed := _TYPED.match(self.data, at)):
            return self._quoted(typed.end(), found)
        if head[:1] == b"<" and _REMARK.match(self.data[at : self.line_end][:210]):
            return None
        if head[:1] == b"[":
            return self._flow(at, found)
        if head[:1] in b"{[(<&*" and not values.is_empty(head.decode("latin-1")):
            return None if head[:1] in b"{[(" else self._bare(found, assigned=self._alone())
        return self._bare(found, assigned=self._assigns())

    def _cookies(self) -> tuple[int, int] | None:
        """From the first cookie that may open something to the last; preferences are shown."""
        first = last = 0
        at = self.after
        while (cookie := _COOKIE.match(self.data, at)) and cookie.start() < self.line_end:
            name, value = (part.decode(errors="replace") for part in cookie.groups())
            made = len(value) >= _SHORTEST_COOKIE and values.is_odd(value)
            if name.lower() not in _NO_COOKIES and (made or _HOLDS_SESSION.search(name)) and not values.is_empty(value):
                first, last = first or cookie.start(2), cookie.end(2)
            at = cookie.end() + 1
            if self.data[cookie.end() : at] != b";":
                break
        return (first, last) if first else None

    def _alone(self) -> bool:
        """The name begins its line, as in a file of settings."""
        return _LINE.match(self.before) is not None

    def _assigns(self) -> bool:
        if self.separator != b":":
            return True
        if self.before[-1:] in (b"/", b"\\"):
            return False
        if not self.spaced and (self.close or _STRUCT.search(self.before[-_LONGEST_STRUCT:])):
            return True
        return self._alone()

    def _flagged(self, found: Strength) -> tuple[int, int] | None:
        if self.data[self.after : self.after + 1] in (b"-", b"\n", b""):
            return None
        if self.data[self.after : self.after + 1] in (b'"', b"'"):
            return self._quoted(self.after, found)
        stop = self._stop(self.after)
        value = self.data[self.after : stop].decode(errors="replace")
        # `--token string  Bearer token for …` is a help text.
        rest = self.data[stop : stop + 2]
        if rest == b"  " or value.lower().rstrip(".,;:") in _PROSE:
            return None
        return (self.after, stop) if values.hides_in_line(value, found, assigned=True) else None

    def _beside(self, found: Strength) -> tuple[int, int] | None:
        """`password hunter22`, of programs that need no sign between: only what looks made, behind a certain name."""
        stop = self._stop(self.after)
        # A name and a value are a whole line in files of settings: `bindpw …`, `auth_pass …`.
        whole = self.data[self.after : self.line_end].strip()
        if self._alone() and "pass" in self.name.lower() and _IN_QUOTES.fullmatch(whole) and self._in_directives():
            return self._quoted(self.after, found)
        line = self._alone() and b" " not in whole and b"\t" not in whole
        if line and whole[:1] in _QUOTES and whole[-1:] == whole[:1] and "pass" in self.name.lower():
            return self._quoted(self.after, found)
        if line:
            stop = self.after + len(whole)
        if not line and found == "strong" and "pass" in self.name.lower() and whole[:1] in (b'"', b"'"):
            span = self._quoted(self.after, found)
            return span if span and values.is_made(self.data[slice(*span)].decode(errors="replace")) else None
        certain = found == "strong" and (_BESIDE.search(self.name) or _DECLARED.match(self.before))
        if not line and not certain:
            return None
        value = self.data[self.after : stop].decode(errors="replace").rstrip(".")
        made = values.is_made(value) and self.data[stop : stop + 1] not in (b"(", b"[", b"{")
        return (self.after, self.after + len(value.encode(errors="replace"))) if made else None

    def _wrapped(self, stop: int) -> tuple[int, int] | None:
        """`password=Secret("hunter22")`: the text inside, when it looks made and not like the name of something."""
        match = _WRAPPED.match(self.data, stop)
        if match is None or not values.is_made(match[1].decode(errors="replace")):
            return None
        return match.span(1)

    def _quoted(self, at: int, found: Strength) -> tuple[int, int] | None:
        data = self.data
        start = at
        while data[start : start + 1] == b"\\":
            start += 1
        delimiter = data[at : start + 1]
        if data[at : at + 3] == delimiter * 3:
            start, delimiter = start + 2, delimiter * 3
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
        if delimiter == b"`" and " " in value:
            # A command, whose output is the value.
            return None
        if self.before[-1:] == b"/" and self.separator == b":":
            return None
        return (start, stop) if stop > start and values.hides_in_line(value, found, assigned=True) else None

    def _flow(self, at: int, found: Strength) -> tuple[int, int] | None:
        """A list in square brackets: all of its items."""
        stop = self.data.find(b"]", at, self.line_end)
        inner = self.data[at + 1 : stop]
        if stop < 0 or b"{" in inner or MARK.match(self.data[at : stop + 1].decode(errors="replace")):
            return None
        first = inner.split(b",", 1)[0].decode(errors="replace").strip(" \"'")
        hides = (self._alone() or bool(self.close)) and values.hides_in_line(first, found, assigned=True)
        return (at + 1, stop) if hides else None

    def _bare(self, found: Strength, assigned: bool) -> tuple[int, int] | None:
        at = self.after
        alone = self._alone() and self.separator != b""
        stop = self._stop(at)
        if self.data[stop : stop + 1] in (b"(", b"{") and (inner := self._wrapped(stop)):
            return inner
        if self._is_code(self.data[at:stop].decode(errors="replace"), stop):
            return None
        line = self.data[at : self.line_end].rstrip()
        whole = line.split(b" #", 1)[0].rstrip().rstrip(b",")
        if self.opened:
            whole = whole.partition(self.opened)[0]
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
        named = self.name.lower() in _REFERRING and values.is_object_name(value)
        listed = self.name == "secrets" and not alone and value.isalpha() and value.islower()
        if found == "weak" and "_" in self.name and " " not in value and value.lower() not in values.STATES:
            # Several words, of which the first alone looks like none.
            value = self.data[at:stop].decode(errors="replace")
        return (at, stop) if values.hides_in_line(value, found, assigned) and not named and not listed else None

    def _is_code(self, value: str, stop: int) -> bool:
        """A call (`token = lexer.next()`), or a variable of the same name (`this.password = password;`)."""
        after = self.data[stop : stop + 1]
        rest = self.data[stop : self.line_end]
        if after == b"(" and (b")" in rest or rest.rstrip() == b"("):
            return _CALLEE.fullmatch(value) is not None and not values.is_random(value)
        if not self.spaced or after not in (b";", b",", b")") or len(value) < _SHORTEST_VARIABLE:
            return False
        return value.isidentifier() and value.lower() in _SIGNS_OF_A_NAME.sub("", self.name.lower())

    def _sentence(self, found: Strength, at: int, whole: bytes) -> tuple[int, int] | None:
        """Several words after `name:` at the start of a line: a passphrase in a file of settings, else prose."""
        value = whole.decode(errors="replace")
        if values.is_empty(value):
            return None
        first = value.split(maxsplit=1)[0]
        if values.is_odd(first) and not first.endswith((":", ",")):
            return at, at + len(first.encode(errors="replace"))
        if found != "strong" or not values.hides_in_line(value, "strong", assigned=False):
            words = value.lower().split()
            if found != "strong" or any(word.strip(".,:;!") in values.STATES for word in words):
                return None
        return (at, at + len(whole)) if self._in_settings() or self._shouted() else None

    def _shouted(self) -> bool:
        """`DB_PASSPHRASE`: the name of a variable, which no prose has."""
        return self.name.isupper() and "_" in self.name

    def _in_settings(self) -> bool:
        """The line before or the line after is a setting, too."""
        before = self.data[max(0, self.line_start - 300) : max(0, self.line_start - 1)].rsplit(b"\n", 1)[-1]
        after = self.data[self.line_end + 1 : self.line_end + 300].split(b"\n", 1)[0]
        return any(_SETTING.match(line) is not None for line in (before, after) if line.strip())

    def _in_directives(self) -> bool:
        """The line before or the line after is indented alike and has a name and a value, too."""
        before = self.data[max(0, self.line_start - 300) : max(0, self.line_start - 1)].rsplit(b"\n", 1)[-1]
        after = self.data[self.line_end + 1 : self.line_end + 300].split(b"\n", 1)[0]
        own = len(self.before) - len(self.before.lstrip(b" \t"))
        found = (_DIRECTIVE.match(line) for line in (before, after))
        return any(match is not None and len(match[1]) == own for match in found)

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
            depth = len(line) - len(line.lstrip(b" \t"))
            # YAML lets the items of a list stand as deep as the key that they belong to.
            if line.strip() and depth <= indent and not (depth == indent and line.lstrip()[:2] == b"- "):
                break
            stop = end + 1
        stop = min(stop, len(self.data))
        return stop - 1 if stop > start and self.data[stop - 1 : stop] == b"\n" else stop

    def _next_lines(self, found: Strength) -> tuple[int, int] | None:
        """`password:` and the value on the next line; a list below it counts, fields of its own do not."""
        start = self.line_end + 1
        if not self._alone():
            return self._next_word(start, found)
        stop = self._deeper(start)
        lines = [line for line in self.data[start:stop].split(b"\n") if line.strip()]
        if lines and all(_KEYED.match(line) for line in lines):
            return self._default(start, stop, found)
        if not lines or any(_KEYED.match(line) for line in lines) or lines[0].lstrip()[:1] in b"`#*":
            return None
        first = start + len(self.data[start:stop]) - len(self.data[start:stop].lstrip())
        value = self.data[first:stop].decode(errors="replace").lstrip("- ")
        return (first, stop) if values.hides_in_structure(value, found) else None

    def _default(self, start: int, stop: int, found: Strength) -> tuple[int, int] | None:
        """The value of a field such as `default:` below the name."""
        at = start
        for line in self.data[start:stop].split(b"\n"):
            match = _DEFAULT.match(line)
            if match and found == "strong":
                value = line[match.end() :].rstrip()
                plain = value.strip(b"\"'")
                first = at + match.end() + value.index(plain)
                hides = values.hides_in_line(plain.decode(errors="replace"), found, assigned=True)
                return (first, first + len(plain)) if hides else None
            at += len(line) + 1
        return None

    def _next_word(self, start: int, found: Strength) -> tuple[int, int] | None:
        """As above, in a text of several parts on one line: `…; password:`, and the value indented below it."""
        if self.before.rstrip()[-1:] not in (b";", b",", b"|") or self.data[start : start + 1] not in (b" ", b"\t"):
            return None
        line = self.data[start : start + _LONGEST_LOOK].split(b"\n", 1)[0]
        first = start + len(line) - len(line.lstrip())
        stop = self._stop(first)
        value = self.data[first:stop].decode(errors="replace")
        hides = not _KEYED.match(line) and stop > first and values.hides_in_line(value, found, assigned=True)
        return (first, stop) if hides else None

    def _stop(self, at: int) -> int:
        match = _STOPS.search(self.data, at)
        return match.start() if match else len(self.data)
