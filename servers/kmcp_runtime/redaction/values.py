"""Whether what stands under a credential's name is one: a value, not a placeholder, a state or a sentence."""

import re

from kmcp_runtime.redaction import languages
from kmcp_runtime.redaction.marks import MARK
from kmcp_runtime.redaction.names import Strength
from kmcp_runtime.redaction.words import words

_EMPTY = words("true false null none nil undefined yes no on off ~ - n/a unset empty")
_PLACEHOLDER = re.compile(
    r"<[^<>]*>|\$\d{1,3}|:[a-z_]+|your[_-][a-z_-]*(?:key|token|password|secret)[a-z_-]*|(?-i:[A-Z][A-Z0-9]*(?:_[A-Z0-9]+)*"
    r"_(?:KEY|TOKEN|PASSWORD|SECRET))"
    r"|(?:see|run|use|check|get|stored in|set in|read from) [^\n]*\b(?:secret|kubectl|file|vault|manager)\b[^\n]*"
    r"|(?-i:\$[a-z]+(?:_[a-z]+)+)|bcrypt|argon2(?:id|i|d)?|scrypt|pbkdf2(?:[-_]sha\d+)?|scram-sha-\d+"
    r"|[a-z][a-z0-9+.-]*://(?:[^\s{}]|\{\{[^{}]*\}\})*(?:\{\{[^{}]*\}\}|\$\{[^{}]*\}|\$\(\w+\))@[^\s]*"
    r"|\w{1,40}\(\$\d{1,3}\)?|[a-z][a-z0-9-]{0,60}-(?:token|dockercfg)-[a-z0-9]{5}"
    r"|!env(?:_var)?[ \t]+(?-i:[A-Z_][A-Z0-9_]*)|!(?:ref|sub|getatt|secret|vault\w*|reference|file)[ \t]+[\x22']?"
    r"(?:[a-z_./:|-]+\d{0,2}|\$\{[^{}]*\}|\[[a-z_.*/:, -]*\])[\x22']?"
    r"|\*+|x{3,}|\.{2,}|…|\$\{[^{}]*\}|\$\([^()]*\)?|(?-i:\$[A-Z_][A-Z0-9_]*)|%[A-Za-z0-9_]+%|%[a-z]"
    r"|\{\{.*\}\}|\{[a-z_]+\}|sha256:[0-9a-f…]+|\[?redacted\]?|\(?hidden\)?|ref\+\S+|secretref:\S+|env:\S+"
    r"|(?:var|local|data|module|each|self|random_[a-z_]+|[a-z]+_secret[a-z_]*)\.[a-z_][\w.\[\]\"'*-]*"
    r"|arn:aws[a-z-]*:(?:secretsmanager|ssm):\S+|(?:os\.)?environ\S*|process\.env\.\S+",
    re.IGNORECASE,
)
_TYPES = words("string str int bool boolean duration file path name value integer number optional required")
# What programs say after a name and a colon; no secret is one of these words.
_SAID = words(
    "invalid expired missing unauthorized denied incorrect wrong required empty failed failure error unknown revoked "
    "rejected accepted valid ok success created deleted updated not no permission unset absent malformed forbidden "
    "timeout mismatch unsupported enabled disabled default refreshed renewed rotated found loaded stored set got "
    "changed unchanged configured strict authentication authorization auth the a an is was has must cannot could "
    "should be for of in to from with and or if open reading parsing validating conflict exists pending skipped "
    "mounted retrying await yield see run use reset located"
)
STATES = _SAID | languages.STATES
_PATH = re.compile(
    r"(?:/(?:etc|var|run|usr|home|opt|tmp|mnt|root|app|secrets?|data|vault|certs?|config|tls|ssl|keys?|srv)/|\.{1,2}/|~/"
    r"|file:/)[\w./@%+-]*|[\w./@-]+\.(?:pem|key|crt|cer|json|ya?ml|txt|conf|ini|p12|jks|pub)"
)
_DIGIT = re.compile(r"\d")
_LETTER = re.compile(r"[A-Za-z]")
_NAMED = re.compile(
    r"[A-Z][A-Z0-9_]*|[a-z0-9]+(?:[-./:_][a-z0-9]+)+|v\d[\w.-]*|[a-z]+\d{1,3}|\d+\w{1,3}|[a-z0-9_.-]*(?:/[a-z0-9_.:-]+)+/?|/\S*|sha\d+:\S*"
)
_STRANGE = re.compile(r"[^\w./:-]")
_SMALL = re.compile(r"[a-z]")
_CAPITAL = re.compile(r"[A-Z]")
_CHANGE = re.compile(r"(?=[a-z][A-Z0-9]|[A-Z][a-z0-9]|[0-9][A-Za-z])")
_SHORTEST_RANDOM = 18
_LEAST_CHANGES = 0.42
"""Of random letters and digits 0.62 change on average; of names as Java has them 0.3."""
_SHORTEST_MADE = 8
_SHORTEST_ODD = 6
_LONGEST_COUNT = 3
_LONGEST_SIGN = 3
"""Signs of a language (`unexpected token: '}'`) are no value."""

# Each part has one reading, or names of many parts would be tried in all of them.
_OBJECT = r"[a-z]+(?:-(?>(?:[a-z]+\d{0,3}|\d{1,4}|[a-z0-9]{5})(?![a-z0-9])))"
_NAME_OF_OBJECT = re.compile(rf"{_OBJECT}+")
_PATH_OF_OBJECT = re.compile(rf"{_OBJECT}*/{_OBJECT}*")
_SIMPLE_NAME = re.compile(rf"{_OBJECT}*")
_LOGIN = re.compile(
    r"(?!(?i:system|oidc|saml|ldap|github|gitlab|google|keycloak|dex|user|group|serviceaccount|sha\d+|md5):)"
    r"[A-Za-z_][\w.-]{0,40}:([^\s\"':,;/@]{8,})"
)
"""A user and a password; not who somebody is to a provider of identities, nor a digest."""


def names_object(value: str, *, in_namespace: bool) -> bool:
    """Whether it is the name of an object such as a Secret: `prod/web-tls`, beside a namespace `web-tls`."""
    return bool(_PATH_OF_OBJECT.fullmatch(value) or (in_namespace and _SIMPLE_NAME.fullmatch(value)))


def is_object_name(value: str) -> bool:
    """Whether several words are joined as in the name of an object."""
    return _NAME_OF_OBJECT.fullmatch(value) is not None


def is_login(value: str) -> bool:
    """A user and a password that looks made, as `admin:hunter22`."""
    match = _LOGIN.fullmatch(value)
    return match is not None and is_made(match[1])


def is_empty(value: str) -> bool:
    """True for what says that there is no value here, or where it is: a boolean, a placeholder, a mark."""
    plain = value.strip()
    return (
        not plain
        or plain.lower() in _EMPTY
        or MARK.fullmatch(plain) is not None
        or (len(plain) <= _LONGEST_SIGN and not any(map(str.isalnum, plain)))
        or _PLACEHOLDER.fullmatch(plain) is not None
        or _PATH.fullmatch(plain) is not None
    )


def is_odd(value: str) -> bool:
    """Looks made, not written: letters and digits mixed, or long and not a word."""
    if len(value) < _SHORTEST_ODD or value.endswith((":", "…")):
        return False
    if value.startswith(("http://", "https://")) and "?" not in value and "@" not in value:
        return False
    if _DIGIT.search(value) and _LETTER.search(value):
        return True
    return _STRANGE.search(value) is not None or (len(value) >= 20 and value.lower() != value)


def is_made(value: str) -> bool:
    """Surely made: letters and digits mixed, and no name of an object, a version, a path or a setting."""
    if len(value) < _SHORTEST_MADE or is_empty(value) or _NAMED.fullmatch(value):
        return False
    return bool(_DIGIT.search(value) and _LETTER.search(value)) or (value.isalpha() and is_random(value))


def is_random(value: str) -> bool:
    """Drawn from capitals, small letters and digits: one kind follows another far more often than in names."""
    if len(value) < _SHORTEST_RANDOM or not all(kind.search(value) for kind in (_SMALL, _CAPITAL)):
        return False
    mixed = value.isalpha() or _DIGIT.search(value) is not None
    return mixed and len(_CHANGE.findall(value)) >= _LEAST_CHANGES * len(value)


def hides_in_structure(value: str, strength: Strength) -> bool:
    """In a field of its own: there a strong name is enough."""
    if is_empty(value):
        return False
    if strength == "weak":
        if value.startswith(("http://", "https://")):
            return value.count("/") > 3 or "?" in value
        return is_odd(value)
    return True


def hides_in_line(value: str, strength: Strength, assigned: bool) -> bool:
    """In a line of text. `assigned`: by `=`, in quotes, or as a line of its own in a file of settings."""
    if is_empty(value) or value.lower().strip(".,;:!") in _TYPES:
        return False
    if strength == "weak":
        return hides_in_structure(value, strength) and (assigned or is_odd(value))
    if value.isdigit() and len(value) <= _LONGEST_COUNT:
        return False
    if assigned:
        return value.lower().rstrip(".,;:!") not in STATES
    first = value.split(maxsplit=1)[0].lower().strip(".,;:!\"'")
    return first not in STATES and not value.endswith(":") and (is_odd(value) or " " not in value)


def all_hide(texts: list[str], found: Strength | None) -> bool:
    """Whether a list under such a name is one of credentials; a weak name alone does not tell."""
    return found == "strong" or (found == "weak" and all(map(is_made, texts)))
