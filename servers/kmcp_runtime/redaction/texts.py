"""Secrets in a text: what is known, what has the shape of one, what is assigned to a credential's name.

Everything here is linear in the length of the text: expressions are RE2's over bytes, and what Python does at a match
looks at the rest of a line or of a block and then goes on behind it.
"""

import re
from bisect import bisect_right
from collections.abc import Callable, Iterator, Sequence
from functools import cache, partial
from itertools import accumulate
from typing import Any

from kmcp_runtime.redaction import encodings, languages, private_keys, shapes, tables, values
from kmcp_runtime.redaction.assignments import Assignment
from kmcp_runtime.redaction.cleaning import clean
from kmcp_runtime.redaction.known import REGISTER
from kmcp_runtime.redaction.marks import HIDDEN, mark
from kmcp_runtime.redaction.names import strength
from kmcp_runtime.redaction.private_keys import without_private_keys

Hide = Callable[[bytes], bytes]
"""What stands in place of a secret."""
Look = Callable[[Any], tuple[int, int] | None]
"""Where the secret stands in a match; None when there is none."""

_HIDDEN = HIDDEN.encode()
_NOTHING = (b"false\n", b"true\n", b"null\n")
"""What stands most often under such a name in manifests (`automountServiceAccountToken`)."""

# At least one of these is part of everything that is hidden by shape or name: most texts hold none.
_TRIGGER = shapes.compiled(
    r"(?i)pass|pwd|github_pat|\bpat[a-z0-9]{14}\.|pw\b|secret|token|cred|key|auth|cookie|dsn|hook|_pat\b"
    r"|\bpat\b|jwt|salt|otp|\bpin\b|sig|license|htpasswd"
    r"|mnemonic|seed|phrase|backup|mlsn|swd|pepper|pincode|access.?code|answer|kek|_sk\b|kinit|lftp|%3[ad]|@[a-z]|--stdin|connection.?string|login|identified|://|@(?:tcp|unix|udp|\()|eyj|bearer"
    r"|basic|\{sha\}|\$(?:2|apr1|1|5|6|y|argon|scrypt|7)"
    r"|a[kb]ia|asia|acca|gh[pousr]_|glpat|gl[a-z]{2,5}-|xox|xapp|[srp]k[-_]|hf_"
    r"|api_org|do[opr]_v1|sg\.|pypi-|npm_|rubygems_|dckr_|hv[sbr]\.|\b[sb]\."
    r"|atatt|atctt|atbb|gls|glc_|aiza|ya29|gocspx|lin_|ntn_|dapi|shp|sq0|:aa"
    r"|\b[mno][a-z0-9_-]{23}|\bsk[a-f0-9]{32}|hrku|nra|dt0|pmak|pul-|dp\."
    r"|atlasv1|sntry|sq[pua]_|sb(?:p|_)|nf[pcou]_|pscale|fig[dou]_|akcp|tskey|fm[12]"
    r"|flyv1|gsk_|r8_|pplx|xai-|tvly|sgp_|ops_|lsv2|phc_|phx|ez[at]k|cfpat|k10|q~"
    r"|curl|mysql|mariadb|redis|requirepass|masterauth|sshpass|:\*:|:\d{2,5}:"
    r"|-us\d|s4t2|1//0|\bcio|live_|test_|access-|api-[a-f0-9]{8}-|[a-z0-9][_.-][a-z0-9_-]{18}|rootpw|ipmitool|rabbitmqctl"
    r"|sqlcmd|\bbcp\b|--user|\bhttps? -a|\d/\d{16}/|\bsl\."
    r"|akid|\bscw|\bexo|\bst\.|\b1000\.|\b0\.[a-f0-9]{8}-|app_usr|amzn|_[a-f0-9]{32}|[a-f0-9]:::|\bzip|unzip|7z|\brar\b"
    r"|sqlplus|impdp|expdp|sqlldr|rman|connect|\s-(?:u|l)\b|\s--(?:login|user)|insert into"
    r"|securestring|\bsetenv|net (?:ads|rpc)"
    r"|sensitive|swmtkn|aqvn|\byc[a-z0-9_-]{38}|\bt1\.|a3-[a-z0-9]{6}-|ltai|absk|4b1d|cf(?:k|ut|at)_|v1\.0-|eaa|flw(?:sec|pub)k|fio-u-|p8e-|ico-|gr1348941"
    r"|\b[ps]at\.|_mmk|api-[a-z0-9]{25}|sha256~|xkeysib|xsmtpsib|snyk_|waka_|sdk-|mob-|clojars_|duffel_|shippo_"
    r"|fo1_|pn[ub]_|rdme_|sm_[aps]at|bk[a-z]{2}_|ccip|es[su]u_|mdb_|napi_|rnd_|vc[a-z]_|apify|nvapi|tfp_"
    r"|sha\}|sha\d+\}|smd5\}|pbkdf2|scrypt:|scram-|ls0tls1crudjti|digest|sess|sid=|remember_|csrf|xsrf|code="
    r"|<master>|jdbc:oracle|openssl|smbclient|snmp|@[a-z0-9.-]{1,80}:\S{6}|ew[ok][a-z0-9+/]{40}|w3si"
    r"|pdo\(|mysqli|community|xauth|\x22[ \t]+\\{0,4}\x22|kty|master|encrypt|initial_m|agent_r"
    r"|ssws|<<<|user_|mc alias|mc config|mcli |bearer|keytab|(?:recovery|backup|scratch)[ _-]?codes?\b"
    r"|net +use|influx|com2sec|\beap[ \t]|2fa|mfa|passcode|(?:verification|security|confirmation)[ _-](?:code|pin)"
    r"|/(?:reset|verif|confirm|magic|invit|activat|unsubscribe|login|join)[a-z_-]{0,24}/"
    rf"|{languages.IN_NAMES}|{encodings.ENCODED}|saml|assertion|identify|csk-|ctx7sk-|dtn_|e2b_|fc-[a-f0-9]{{32}}"
    r"|cmvmdg|00d[a-z0-9]|@//|\s-[a-z][ \t\n=]?[\x22']?[a-z0-9+/_=-]{18}"
    r"|\s-a\s+[\x22']?[a-z][\w.@-]{0,63}:|radtest|wpa_pass|obscure|--value|[\x22'],[ \t]*[\x22'][a-z0-9+/=_-]{18}"
    r"|@\(description|\]:\d{2,5}[ \t]|static:|sonar\."
    r"|user(?:add|mod)|honeycomb|x-jfrog|\x22[ \t]+\*|[?&](?:t|k|h|hash|ticket|nonce)="
    r"|createuser|ldap[a-z]|(?:user|allow)[\x22']?[ \t:=]+[\x22']?[a-z_][\w.-]{0,40}:\S"
    r"|rclone|az (?:login|acr)|stats auth|>[^\s~*&@]{6}|psk"
    r"|\s/p:|cryptsetup|routing_key|crypt\("
)
_NAME_PART = (
    r"(?:pass|p?swd|psswd|pwd|secret|token|cred|auth|cookie|dsn|webhook|jwt|license|licence|htpasswd|mnemonic|psk|pepper"
    r"|(?:seed|recovery)[_-]?phrase|pincode|access[_-]?code|security[_-]?answer|(?:otp|mfa)[_-]seed|snmp[_-]community"
    r"|(?:pw|pat|salt|otp|pin|sig|kek|_sk)(?:\b|[_0-9])|connection[_-]?string|connstr|dockercfg|dockerconfigjson"
    rf"|saml_?response|assertion|{languages.IN_NAMES})"
)
_NAME = rf"(?:[A-Za-z0-9_.\-]{{0,64}}?{_NAME_PART}|[A-Za-z0-9_.\-]{{1,64}}?key)[A-Za-z0-9_.\-]{{0,64}}"
"""What may be the name of a credential (`names.strength` says whether it is one): no `path`, and `key` not alone."""
_BEHIND = (
    r"%s(?:\\{0,8}[\"'`])?\]?)"
    r"%s[ \t]*(?:=>|->|[:?]=|={1,2}|:|：|为|是)[ \t]*|[ \t]+(?:is|was|set to)[ \t]+|[ \t]+|\\?[\"'],[ \t]*\\?[\"'])"
)
_ASSIGNED = shapes.compiled(rf"(?i)(?:{_NAME})" + _BEHIND % ("(?:", "(?:"))
"""Without groups: RE2 then needs its automaton alone, which is five times as fast where names are long."""
_ASSIGNED_PARTS = re.compile(
    (rf"((?:{languages.FIRST_WORDS})?[A-Za-z0-9_.\-\x80-\xff]+)" + _BEHIND % ("(", "(")).encode(), re.IGNORECASE
)
"""The name, what closes it and the separator, in such a match."""
_PAIR = shapes.compiled(
    r"(?i)\b(?:name|key|path)\\{0,4}[\"']?[ \t]*[:=][ \t]*\\{0,4}[\"']?(?:/[\w./~-]{0,80}/)?"
    rf"({_NAME})\\{{0,4}}[\"']?[ \t]*[,;]?\s*(?:-[ \t]+)?"
    r"\\{0,4}[\"']?\bvalue\\{0,4}[\"']?"
    r"(?:[ \t]*[:=]?[ \t]*\{\s{0,40}\\{0,4}[\"']?\w{0,20}value\\{0,4}[\"']?)?([ \t]*[:=][ \t]*)"
)
"""`name: DB_PASSWORD, value: …`, as JSON, as YAML, and as Go prints it in errors."""
_XML = shapes.compiled(r"(?is)<([a-z][a-z0-9:_.-]{0,80})(?:\s[^<>]{0,300})?>(?:<!\[CDATA\[)?([^<>]+?)(?:\]\]>)?</")
_XML_NAMED = shapes.compiled(
    r"(?is)<[a-z][a-z0-9:_.-]{0,40}\s[^<>]{0,100}?\b(?:name|key|id)=[\"']([^\"'<>]{1,128})[\"'][^<>]{0,100}>([^<>]+)</"
)
_XML_PAIR = shapes.compiled(
    r"(?is)<(?:key|name|param-name|env-entry-name)>([^<>]{1,128})</[a-z-]{1,20}>\s*<[a-z-]{1,20}>([^<>]+)</"
)
"""`<name>db.password</name> <value>…</value>`, of Hadoop, servlets and property lists."""
_OF_LINES = (*private_keys.ENDS, tables.INSERT, _XML, _XML_NAMED, _XML_PAIR, _PAIR, _ASSIGNED)
"""With the shapes and what is encoded all that may change a text of one line; a table has several."""
MOST_LOOKS = 3_500
"""What is spent on one text: a match costs one, a look behind a credential's name five. A text that is
made of such names is finished by one coarse expression, which hides more than it must and is fast."""
_LOOK_COST = 5
_ENCODED_COST = 20
_LENGTH_OF_A_LOOK = 32
"""Bytes of a match that cost as much as a short match."""
_SHORTEST_FOUND = 4
_LONGEST_PORT = 5
_TOKENS = re.compile(rb"[A-Za-z0-9_+/=.~$-]{16,}")
"""What stands in for the shapes of tokens in a text that is made of them."""
_CREDENTIALS = ("passw", "passphrase", "pwd", "secret", "token", "key", "auth", "cred", "cookie", "dsn")


def _any_case(word: str) -> str:
    """The word in upper and lower case, begun by a fixed letter: `re` then skips all bytes that begin no match."""
    rest = "".join(f"[{letter}{letter.upper()}]" for letter in word[1:])
    return f"{word[0]}{rest}|{word[0].upper()}{rest}"


_COARSE = re.compile(
    rf"((?:{'|'.join(map(_any_case, _CREDENTIALS))})[\w.-]{{0,24}}+[\"']?+[ \t]{{0,2}}+[:=][ \t]{{0,2}}[\"']?)"
    r"(?!\[hidden|false\b|true\b|null\b|[{\[])[^\s\"',;&]{1,4096}".encode()
)
"""Bounded everywhere, begun by fixed letters, and never tried again with a shorter name (`+`), which would take three
times as long; the group is what stays."""
_COARSE_CAN_MATCH = shapes.compiled(
    rf"(?i)(?:{'|'.join(_CREDENTIALS)})[\w.-]{{0,24}}[\"']?[ \t]{{0,2}}[:=][ \t]{{0,2}}[^\s,;&]"
)
"""Faster by far, and finds no match in most texts."""
_COARSE_URL = re.compile(rb"://[^\s/:@]{0,64}:[^\s/@]{1,256}(?=@)")
_SPLITS = 10_000
"""Matches of one step, some 5 ms."""
_NO_SECRET = re.compile(rb"\d{1,5}/|HTTP/\d")
"""`host:8443/path@x`: a port and a path, not a password; `GET /token HTTP/1.1`: the protocol."""


def may_hold_secret(data: bytes) -> bool:
    return _TRIGGER.search(data) is not None


def hide_in_text(text: str, place: str = "") -> str:
    """The text, cleaned, with every secret in it replaced by a mark."""
    # Keys first: the register may know a line of one, and without that line the rest is not seen as a key.
    hide = partial(_mark, place)
    readable = without_private_keys(clean(text), hide)
    known = REGISTER.hide(readable, place)
    shown = _without_shapes(known, hide)
    # What is known may stand where a name tells what the next value is: so the text as it was is looked at, too.
    for secret in _found_by_shape(readable) if known != readable else ():
        shown = shown.replace(secret, mark(place, secret))
    return shown


def is_plain(text: str) -> bool:
    """Whether nothing has to be cleaned in a text or hidden for its shape; what is known is not looked for."""
    return clean(text) == text and _without_shapes(without_private_keys(text, _unplaced), _unplaced) == text


def plain_lines(lines: Sequence[str]) -> Iterator[str]:
    """Those of many printable lines that surely are plain (`is_plain`): no expression matches in them.

    Each expression looks at all of them at once, which takes a tenth of the time; others may be plain as well.
    """
    begins = [0, *accumulate(len(line.encode(errors="surrogatepass")) + 1 for line in lines)]
    # A line break before the first and behind the last: there an expression sees what it sees at the ends of a text.
    data = "\n".join(["", *lines, ""]).encode(errors="surrogatepass")
    touched: set[int] = set()
    of_shapes = (shapes.whole(), encodings.expression(), *(each for _, each in shapes.parts_in(data)))
    for expression in (*_OF_LINES, *of_shapes):
        start = 0
        while (match := expression.search(data, start)) is not None:
            begin, end = match.span()
            touched.update(range(bisect_right(begins, begin - 1) - 1, bisect_right(begins, end - 1)))
            start = max(end, begin + 1)
    return (line for number, line in enumerate(lines) if number not in touched)


def _found_by_shape(text: str) -> list[str]:
    """What shapes hide of a text, without what is too short to be looked for elsewhere; the longest first."""
    found: set[bytes] = set()

    def keep(secret: bytes) -> bytes:
        found.add(secret)
        return _HIDDEN

    _without_shapes(text, keep)
    long_enough = (each for each in found if len(each) >= _SHORTEST_FOUND and each not in _HIDDEN)
    return [each.decode(errors="surrogatepass") for each in sorted(long_enough, key=len, reverse=True)]


def _without_shapes(text: str, hide: Hide) -> str:
    """The text with what its shape or the name before it gives away replaced."""
    data = text.encode(errors="surrogatepass")
    if not may_hold_secret(data):
        return text

    looks = _Looks(hide)
    for hide_in in (tables.hide_in_tables, tables.hide_in_inserts, tables.hide_in_copies):
        data = hide_in(data, looks.hide)
    data = looks.replace(data, shapes.whole(), _all, _TOKENS)
    for shape, expression in shapes.parts_in(data):
        look = _PARTS[shape.looks]
        data = looks.replace(data, expression, _behind(shape.value, look) if shape.value else look)
    data = looks.replace(data, encodings.expression(), looks.encoded, encodings.COARSE)
    if b"</" in data:
        data = looks.replace(data, _XML, _element)
        data = looks.replace(data, _XML_NAMED, _named_element)
        data = looks.replace(data, _XML_PAIR, _named_element)
    data = looks.replace(data, _PAIR, looks.pair)
    data = looks.replace(data, _ASSIGNED, looks.assigned)
    return data.decode(errors="surrogatepass")


def _coarsely(data: bytes) -> bytes:
    if _COARSE_CAN_MATCH.search(data) is not None:
        data = b"".join(_coarse_parts(data))
    return _COARSE_URL.sub(b"://" + _HIDDEN, data)


def _coarse_parts(data: bytes) -> Iterator[bytes]:
    # What stays stands between what is cut out. Splitting calls no Python at a match, as expanding a template does; not
    # all at once, since no other thread runs meanwhile.
    while True:
        *parts, data = _COARSE.split(data, _SPLITS)
        parts[1::2] = [kept + _HIDDEN for kept in parts[1::2]]
        yield from parts
        if not parts:
            break
    yield data


def _mark(place: str, secret: bytes) -> bytes:
    return mark(place, secret.decode(errors="replace")).encode()


_unplaced = partial(_mark, "")


class _Looks:
    """The passes over one text, and how much they may still cost."""

    def __init__(self, hide: Hide) -> None:
        self.hide = hide
        self.left = MOST_LOOKS

    def replace(self, data: bytes, expression: Any, look: Look, coarse: Any = None) -> bytes:
        """The text with those parts replaced that `look` finds at the matches of an expression.

        `coarse` stands in for an expression of whose kind a text has too many.
        """
        if self.left <= 0:
            return data
        out: list[bytes] = []
        position = start = 0
        while (match := expression.search(data, start)) is not None:
            begin, end = match.span()
            self.left -= 1 + (end - begin) // _LENGTH_OF_A_LOOK
            if self.left <= 0:
                # The passes that follow are left out: what they would find is part of what this expression hides.
                rest = data[position:]
                return _coarsely(b"".join([*out, rest if coarse is None else coarse.sub(_HIDDEN, rest)]))
            span = look(match)
            if span is not None and span[0] >= position:
                out += (data[position : span[0]], self.hide(data[span[0] : span[1]]))
                position = span[1]
            # Behind what was hidden: a long value may hold many more matches.
            start = max(end, position)
        return b"".join([*out, data[position:]]) if out else data

    def pair(self, match: Any) -> tuple[int, int] | None:
        """The value of a name/value pair whose name is a credential's."""
        name = match.group(1).decode("latin-1")
        found = strength(name)
        if not found:
            return None
        self.left -= _LOOK_COST
        return Assignment(match.string, match.start(), match.end(), name, b'"', bytes(match[2])).secret(found)

    def encoded(self, match: Any) -> tuple[int, int] | None:
        """A text in base64 that holds a secret: hidden whole, since a part of it cannot be replaced."""
        plain = encodings.plain(match.group())
        if plain is None or not may_hold_secret(plain.encode(errors="surrogatepass")):
            return None
        self.left -= _ENCODED_COST
        # What is inside is shorter by a quarter, so this ends soon.
        span: tuple[int, int] = match.span()
        return span if hide_in_text(plain) != clean(plain) else None

    def assigned(self, match: Any) -> tuple[int, int] | None:
        """The value behind a credential's name and a separator."""
        data: bytes = match.string
        start, end = match.span()
        parts = _ASSIGNED_PARTS.fullmatch(data, start, end)
        if parts is None or data.startswith(_NOTHING, end):
            return None
        name = parts[1].decode(errors="replace")
        found = strength(name.strip("-."))
        if not found:
            return None
        self.left -= _LOOK_COST
        return Assignment(data, start, end, name, parts[2], parts[3]).secret(found)


def _all(match: Any) -> tuple[int, int]:
    span: tuple[int, int] = match.span()
    return span


def _part(match: Any) -> tuple[int, int] | None:
    """The group of a shape that is hidden in part."""
    span: tuple[int, int] = match.span(1)
    secret = match.string[slice(*span)]
    return None if values.is_empty(secret.decode(errors="replace")) or _NO_SECRET.match(secret) else span


def _flag_part(match: Any) -> tuple[int, int] | None:
    """The same, where other programs take the number of a port."""
    secret = match.group(1)
    return None if secret.isdigit() and len(secret) <= _LONGEST_PORT else _part(match)


def _odd_part(match: Any) -> tuple[int, int] | None:
    """The same, where a word or a number may stand as well."""
    return _part(match) if values.is_odd(match.group(1).decode(errors="replace")) else None


def _made_part(match: Any) -> tuple[int, int] | None:
    """The same, where names may stand as well."""
    return _part(match) if values.is_made(match.group(1).decode(errors="replace")) else None


def _random_part(match: Any) -> tuple[int, int] | None:
    """The same, behind a prefix of letters, unless that names a digest (`sha512-…`)."""
    if match.string.startswith((b"sha", b"md5", b"SHA"), match.start()):
        return None
    return _part(match) if values.is_random(match.group(1).decode(errors="replace")) else None


@cache
def _behind(value: str, look: Look) -> Look:
    """The look at what stands behind a match."""
    expression = re.compile(value.encode())

    def following(match: Any) -> tuple[int, int] | None:
        found = expression.match(match.string, match.end())
        return look(found) if found else None

    return following


_PARTS: dict[str, Look] = {"": _part, "flag": _flag_part, "odd": _odd_part, "made": _made_part, "random": _random_part}


def _named_element(match: Any) -> tuple[int, int] | None:
    """The text of `<property name="db.password">…</property>`."""
    found = strength(match.group(1).decode("latin-1"))
    if not found or not values.hides_in_structure(match.group(2).decode(errors="replace").strip(), found):
        return None
    span: tuple[int, int] = match.span(2)
    return span


def _element(match: Any) -> tuple[int, int] | None:
    """The text of an XML element whose name is a credential's."""
    found = strength(match.group(1).decode("latin-1").rpartition(":")[2])
    if not found or not values.hides_in_structure(match.group(2).decode(errors="replace").strip(), found):
        return None
    span: tuple[int, int] = match.span(2)
    return span
