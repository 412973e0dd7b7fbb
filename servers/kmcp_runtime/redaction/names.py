"""Which names are names of credentials: of environment variables, fields, columns, arguments and flags.

A name is read as words (`dbPassword`, `DB_PASSWORD_2`, `db-password`), from its end: the last word that is not a mere
qualifier (a number, `prod`, `old`) decides. `strong` names hide any value; `weak` ones (`pass`, `auth`, `pat`) are also
words of everyday life, so only a value that looks like a secret is hidden there.
"""

import re
from functools import lru_cache
from typing import Literal

from kmcp_runtime.redaction.languages import of_other_languages
from kmcp_runtime.redaction.words import words

Strength = Literal["strong", "weak"]

_WORD = re.compile(r"[A-Z]+(?![a-z])|[A-Z]?[a-z]+|\d+")
_HEADER_VALUE = re.compile(r"httpHeaderValue\d+")
"""A header of a data source, as Grafana names it: most hold a token."""
LONGEST_NAME = 128
"""Longer names are not looked at: nobody names a field so, and the look would cost more than it finds."""

_QUALIFIERS = words(
    "prod production dev development stage staging test qa live sandbox local old new current previous next primary "
    "secondary backup default main main2 v b64 base64 hash hashed plain plaintext raw encoded value val string str "
    "text md sha double hex bcrypt ro rw json confirmation confirm repeat again pem openssh pkcs binary"
)
_STRONG = words(
    "password passwords passwd passphrase passcode pwd secret secrets credential credentials creds apikey apikeys "
    "token dsn authorization htpasswd dockerconfigjson dockercfg requirepass masterauth mnemonic privatekey secretkey "
    "accesskey authtoken accesstoken refreshtoken clientsecret cookie connectionstring psk storepass keypass authtok "
    "bindpw rootpw dbpw userpw adminpw pswd psswd passw pincode accesscode kek authkey"
)
_WEAK = words("cred pass pw pat jwt auth otp salt tokens sig cookies passwds pin pepper bearer keytab")
_GLUED = (
    "password",
    "passwd",
    "passphrase",
    "apikey",
    "secretkey",
    "accesstoken",
    "authtoken",
    "authkey",
    "clientsecret",
    "appsecret",
    "jwtsecret",
    "cookiesecret",
    "sessionsecret",
)
_NO_PASSWORDS = words("bypass compass trespass surpass encompass overpass underpass")
# What kind of key: these open something, all others (`primary_key`, `topologyKey`) only find something.
_OPENING = words(
    "api access secret sec private signing sign encryption encrypt decryption master account license licence jwt hmac "
    "aes "
    "rsa ssh gpg pgp session auth authentication client service shared storage integration admin root deploy "
    "deployment ingest ingestion write crypto cipher cookie webhook state app application tls ssl server user "
    "vault unseal recovery preshared validation decryption machine bot project team activation product install "
    "subscription shared functions function host data fernet ticket"
)
_FINDING = words(
    "public primary foreign partition sort row cache map config label annotation topology object index sorting group "
    "routing translation unique shard dedup lookup hash s3 bucket file path name metadata field column range search "
    "redis lock idempotency storage data host message event template locale order item"
)
_GLUED_KEYS = tuple(f"{kind}key" for kind in sorted(_OPENING - _FINDING) if len(kind) > 2)
_FIXED = words("keys_base64 recovery_keys_base64 x-honeycomb-team x-jfrog-art-api x-scalyr-token")
"""Of single programs: the shares of Vault's key, headers that hold a token."""
_REFERRING = words("existing pull ref reference external")
_LOGINS = words("user users auth login credentials userpass")
_COUNTED = words(
    "max min num number total prompt completion input output used remaining limit page next continue continuation "
    "cursor csrf sync per cached reasoning stop"
)

_JOINED: dict[tuple[str, str], Strength] = {
    **dict.fromkeys((("pass", "phrase"), ("seed", "phrase"), ("recovery", "phrase")), "strong"),
    **dict.fromkeys((("security", "answer"), ("secret", "answer"), ("access", "code")), "strong"),
    **dict.fromkeys((("client", "assertion"), ("saml", "response"), ("saml", "assertion")), "strong"),
    **dict.fromkeys((("totp", "seed"), ("otp", "seed"), ("mfa", "seed"), ("snmp", "community")), "strong"),
    **{(kind, code): "weak" for kind in ("recovery", "backup", "scratch") for code in ("code", "codes")},
}
"""Two words that together name a credential, and apart do not."""
_CONNECTION = (["connection"], ["conn"])
_HELD = (["password"], ["authkey"], ["token"], ["credentials"], ["tls"], ["auth"], ["key"], ["cert"], ["certificate"])


@lru_cache(maxsize=8192)
def strength(name: str) -> Strength | None:
    """How surely a value under this name is a credential; None when the name says nothing of the kind."""
    if len(name) > LONGEST_NAME or name.startswith("checksum/"):
        return None
    if _HEADER_VALUE.fullmatch(name) or name.lower() in _FIXED:
        return "strong"
    return _of_words(name) or of_other_languages(name)


def _of_words(name: str) -> Strength | None:
    words = [word.lower() for word in _WORD.findall(name)]
    words = _without_qualifiers(words)
    if not words:
        return None
    last, before = words[-1], words[:-1]
    if last in ("key", "keys"):
        return _of_key(before, shouted=name.isupper())
    if (last == "id" and before[-2:] == ["access", "key"]) or (last == "string" and before[-1:] in _CONNECTION):
        return "strong"
    if last == "webhook" or (last in ("url", "uri", "endpoint") and "webhook" in before) or _refers(name, last, before):
        return "weak"
    return _of_word(last, before, shouted=name.isupper())


def _refers(name: str, last: str, before: list[str]) -> bool:
    """What names a Secret more often than it holds one: `…/auth-secret: web-basic`, `passwordSecret: web-db`.

    A `secret_id` is half of a role of Vault, and elsewhere the name of a secret.
    """
    if last == "id":
        return before[-1:] == ["secret"]
    return last in ("secret", "secrets") and ("/" in name or before[-1:] in _HELD)


def _without_qualifiers(words: list[str]) -> list[str]:
    kept = list(words)
    if kept[-2:] == ["connection", "string"]:
        return kept
    while kept and (kept[-1].isdigit() or kept[-1] in _QUALIFIERS):
        if kept.pop() == "64" and kept[-1:] in (["b"], ["base"]):
            kept.pop()
    if kept[-1:] in (["base"], ["data"], ["id"]) and kept[-2:-1] == ["key"] and kept[-1] != "id":
        kept.pop()
    return kept


def _of_key(before: list[str], shouted: bool) -> Strength | None:
    if not before:
        return None
    kind = before[-1]
    if "public" in before or "existing" in before:
        return None
    if kind in ("certificate", "cert"):
        return "weak"
    if kind in _OPENING and not (kind in _FINDING and not shouted):
        return "strong"
    # `STRIPE_KEY`: an environment variable that ends in KEY holds one, unless it names what it finds.
    return "strong" if shouted and kind not in _FINDING else None


def _of_word(last: str, before: list[str], shouted: bool) -> Strength | None:
    if before[-1:] and before[-1] in _REFERRING and last in ("secret", "secrets", "credentials"):
        return None
    if last in ("token", "tokens") and (_COUNTED & set(before)):
        return None
    if before and (before[-1], last) in _JOINED:
        return _JOINED[before[-1], last]
    if last in _STRONG:
        # A variable of a dashboard stands in its address, mostly as the name of something.
        return "weak" if before[:1] == ["var"] and not shouted else "strong"
    if last == "header":
        return "weak" if before[-1:] in (["auth"], ["authorization"]) else None
    if last == "sk":
        return "weak" if shouted and before else None
    if last == "auth":
        return "weak" if shouted or before else None
    return "weak" if last in _WEAK else _of_glued(last)


def _of_glued(last: str) -> Strength | None:
    """What a word says that is made of several: `dbpassword`, `bottoken`, `accountkey`."""
    if last.endswith(("pass", "wordsalt", "passsalt")) and last not in _NO_PASSWORDS:
        return "weak"
    if last.endswith("token"):
        return None if last.removesuffix("token") in _COUNTED else "strong"
    return "strong" if last.endswith((*_GLUED, *_GLUED_KEYS)) else None


@lru_cache(maxsize=8192)
def holds_login(name: str) -> bool:
    """Whether a user stands under this name, and with him sometimes a password."""
    words = [word.lower() for word in _WORD.findall(name[-LONGEST_NAME:])]
    return words[-1:] != [] and words[-1] in _LOGINS


CONTAINERS = frozenset(("secrets", "credentials", "passwords", "creds", "secretenv", "secretenvs", "secretdata"))
"""Keys under which every value is a secret, whatever its own key."""

REFERENCES = words(
    "name secretname key secretkey namespace optional path items mode defaultmode enabled existingsecret create "
    "annotations labels type kind apiversion mountpath property version engine provider refreshinterval ref file "
    "external source target store backend secretref secretkeyref secretrefs keyref configmapref secretkeyselector"
)
"""Keys inside such a container that say where a secret is, not what it is."""


def is_container(name: str) -> bool:
    return name.replace("_", "").replace("-", "").lower() in CONTAINERS


def is_reference(name: str) -> bool:
    return name.replace("_", "").replace("-", "").lower() in REFERENCES
