"""What a password is called in other languages: in names of fields, and in what programs and people write.

A name is compared without accents, case and separators (`mot de passe`, `motDePasse`), and by its end. `_EVERYDAY`
words mean other things as well (a key, a word, a motto), so only a value that looks like a secret is hidden there.
"""

import re
import unicodedata
from typing import Literal

from kmcp_runtime.redaction.words import words

_LATIN = (
    "passwort",
    "kennwort",
    "zugangscode",
    "geheimnis",
    "motdepasse",
    "contrasena",
    "contrasenya",
    "contrasinal",
    "palabraclave",
    "senha",
    "wachtwoord",
    "toegangscode",
    "losenord",
    "adgangskode",
    "passord",
    "salasana",
    "jelszo",
    "haslo",
    "sifre",
    "lozinka",
    "zaporka",
    "slaptazodis",
    "parool",
    "matkhau",
    "katasandi",
    "katalaluan",
)
_EVERYDAY = ("clave", "parola", "parole", "heslo", "geslo", "mdp", "passe")
_ORDINARY = words("enclave conclave autoclave exclave semdp")
_SCRIPTS = (
    "пароль",
    "парола",
    "лозинка",
    "κωδικός",
    "密码",
    "密碼",
    "口令",
    "密钥",
    "密鑰",
    "パスワード",
    "暗証番号",
    "비밀번호",
    "암호",
    "סיסמה",
    "كلمة المرور",
    "كلمة السر",
    "पासवर्ड",
    "รหัสผ่าน",
    "mật khẩu",
    "salasõna",
)
_SEPARATORS = re.compile(r"[\s_.\-\d]+")
_DOTLESS = str.maketrans("łıøß", "lios")
"""Letters that are not taken apart into a plain one and an accent."""

IN_NAMES = "|".join(
    (
        r"kennwort|zugangscode|geheimnis|contrase(?:ñ|n)a|contrasinal|palabra[_ -]?clave|senha|wachtwoord|toegangscode",
        r"l(?:ö|o)senord|adgangskode|salasana|jelsz(?:ó|o)|has(?:ł|l)o|(?:ş|s)ifre|lozinka|zaporka|slapta(?:ž|z)odis",
        r"parool|kata[_ -]?(?:sandi|laluan)|\bclave|parol[ae]|heslo|geslo|\bmdp\b",
        "(?-i:Ş)ifre",
        "(?-i:" + "|".join((*_SCRIPTS, "П" + "ароль", "Κωδικός")) + ")",
    )
)
"""The same as an expression, of which one is part of every such name; those with `pass` or `key` are found anyway."""

FIRST_WORDS = "kata |كلمة |mật |palabra "
"""What begins those of two words."""

STATES = words(
    "obligatoria obligatorio requerida requerido incorrecta incorrecto incorrecte invalide requis obligatoire falsch "
    "ungültig erforderlich abgelaufen inválida inválido obrigatória obrigatório verplicht onjuist wymagane felaktigt "
    "неверный обязательное обязателен истёк 必填 必須 错误 錯誤 필수 obbligatoria errata"
)
"""What stands behind such a name and says something of it."""


def of_other_languages(name: str) -> Literal["strong", "weak"] | None:
    """`strong` or `weak`, as `names.strength` says it; None when it is no such word."""
    if not name.isascii() and any(word in name.lower() for word in _SCRIPTS):
        return "strong"
    plain = _plain(name)
    if plain.endswith(_LATIN):
        return "strong"
    return "weak" if plain.endswith(_EVERYDAY) and plain not in _ORDINARY else None


def _plain(name: str) -> str:
    lowered = _SEPARATORS.sub("", name).lower().translate(_DOTLESS)
    if lowered.isascii():
        return lowered
    return "".join(sign for sign in unicodedata.normalize("NFKD", lowered) if not unicodedata.combining(sign))
