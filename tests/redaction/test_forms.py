"""Forms in which a secret comes: in base64, cut off above, under a word of another language, in a cookie; and code."""

import base64
import gzip

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kmcp_runtime import redaction

SECRET = "Zq7planted9Xw"
WORDS = st.text(st.characters(codec="utf-8", exclude_categories=("Cc", "Cs")), max_size=60)
BODY = [base64.b64encode(bytes(range(number, number + 48))).decode() for number in range(5)]
PASSWORDS = [
    "Passwort",
    "contraseña",
    "contrasena",
    "motDePasse",
    "mot_de_passe",
    "senha",
    "wachtwoord",
    "hasło",
    "lösenord",
    "şifre",
    "salasana",
    "jelszó",
    "пароль",
    "密码",
    "パスワード",
    "비밀번호",
    "kata_sandi",
    "DB_PASSWORT",
    "kennwort2",
    "סיסמה",
]


def encoded(text: str) -> str:
    return base64.b64encode(text.encode()).decode()


@given(before=WORDS, times=st.integers(1, 3))
def test_what_base64_says_is_looked_into_however_often_it_is_encoded(before: str, times: int) -> None:
    text = f"password: {SECRET}\nnote: {before}\n"
    for _ in range(times):
        text = encoded(text)
    assert redaction.text(f"values: {text}") == "values: [hidden]"


@pytest.mark.parametrize("behind", ["\ncolour = blue, and so on", "\nplace = café Größe 東京 \U0001f40b and so on"])
def test_base64_that_was_cut_anywhere_is_looked_into(behind: str) -> None:
    whole = encoded(f"DB_PASSWORD={SECRET}{behind}").rstrip("=")
    first = len(encoded(f"DB_PASSWORD={SECRET}\n"))
    for end in range(first, len(whole) + 1):
        assert whole[:first] not in redaction.text(f"read {whole[:end]}…"), end
    packed = base64.b64encode(gzip.compress(f"-DB_PASSWORD={SECRET}{'é' * 200_000}".encode())).decode()
    assert packed not in redaction.text(f"read {packed}")


@given(text=WORDS)
def test_base64_that_says_nothing_secret_is_shown(text: str) -> None:
    plain = f"a list of words and what they say: {text}"
    if redaction.text(plain) == plain:
        assert redaction.text(f"note {encoded(plain)}") == f"note {encoded(plain)}"


def test_packed_and_wide_texts_are_looked_into() -> None:
    packed = base64.b64encode(gzip.compress(f"#!/bin/sh\nexport DB_PASSWORD={SECRET}\n".encode())).decode()
    wide = base64.b64encode(f"$env:PASSWORD = '{SECRET}'".encode("utf-16-le")).decode()
    assert redaction.value({"userData": packed}) == {"userData": "[hidden]"}
    assert redaction.text(f"powershell -enc {wide}") == "powershell -enc [hidden]"
    harmless = base64.b64encode(gzip.compress(b"apiVersion: v1\nkind: List\n" * 9)).decode()
    assert redaction.value({"userData": harmless}) == {"userData": harmless}


@pytest.mark.parametrize("prefix", ["", "    ", "2026-11-02T10:00:00Z stdout F ", "[pod/web-7/app] ", "> ", "# "])
def test_the_end_of_a_private_key_whose_beginning_is_gone_is_hidden(prefix: str) -> None:
    lines = [
        "the last of it is:",
        *(prefix + line for line in (*BODY, "Qw==", "-----END RSA PRIVATE KEY-----")),
        "done",
    ]
    shown = redaction.text("\n".join(lines))
    assert not any(line in shown for line in BODY)
    assert shown.startswith("the last of it is:")
    assert shown.endswith("done")


def test_the_end_of_a_certificate_is_shown() -> None:
    text = "\n".join((*BODY, "-----END CERTIFICATE-----", "and -----END PRIVATE KEY is how one ends"))
    assert redaction.text(text) == text


@pytest.mark.parametrize("name", PASSWORDS)
def test_a_password_is_one_in_other_languages(name: str) -> None:
    assert redaction.value({name: SECRET}) == {name: "[hidden]"}
    assert redaction.text(f"{name}: {SECRET}") == f"{name}: [hidden]"
    assert redaction.text(f'{{"user": "bob", "{name}": "{SECRET}"}}').count(SECRET) == 0
    assert redaction.text(f"user=bob {name}={SECRET} port=1") == f"user=bob {name}=[hidden] port=1"


@pytest.mark.parametrize(
    "text",
    [
        "contraseña: obligatoria",
        "密码: 必填",
        "La clave primaria: id",
        "Set-Cookie: lang=de; Path=/; Expires=Wed, 21 Oct 2026 07:28:00 GMT",
        "Cookie: theme=dark; lang=de",
        'token := os.Getenv("TOKEN")',
        "token = lexer.next()",
        "this.password = password;",
        "secret = base64.b64encode(value)",
        "DB_PASSWORD:  <set to the key 'password' in secret 'db'>  Optional: false",
        "TOKEN=`cat /run/token`",
        "Image pull secrets:  regcred",
        "UPDATE users SET password=$1 WHERE id=$2",
        "GET /users?key=name&sort=asc",
    ],
)
def test_what_only_looks_like_an_assignment_is_shown(text: str) -> None:
    assert redaction.text(text) == text


def test_every_cookie_that_may_open_something_is_hidden_and_preferences_are_not() -> None:
    text = f"> Cookie: theme=dark; x_tok={SECRET}; lang=de; visit=1"
    assert redaction.text(text) == "> Cookie: theme=dark; x_tok=[hidden]; lang=de; visit=1"


@pytest.mark.parametrize(
    "text",
    [
        "[('user', 'bob'), ('password', '{}')]",
        "<password><![CDATA[{}]]></password>",
        "- op: add\n  path: /data/token\n  value: {}\n",
        'resource {{ key: "password" value {{ string_value: "{}" }} }}',
        '{{ APIKey: (string) (len=13) "{}" }}',
        "INSERT INTO settings (name, value) VALUES ('region', 'eu'), ('smtp_password', '{}');",
    ],
)
def test_pairs_as_programs_print_them(text: str) -> None:
    assert redaction.text(text.format(SECRET)) == text.format("[hidden]")


@pytest.mark.parametrize("template", ["{{ .password }}", "${PASSWORD}", "$(DB_PASSWORD)"])
def test_an_address_that_only_refers_to_its_password_is_shown(template: str) -> None:
    shown = {"DATABASE_DSN": f"postgres://app:{template}@db:5432/app"}
    assert redaction.value(shown) == shown


def test_objects_that_name_a_secret_beside_its_value() -> None:
    rows = {"columns": ["name", "value"], "rows": [["db_password", SECRET], ["region", "eu"]]}
    patch = {"op": "replace", "path": "/data/password", "value": SECRET}
    shown = redaction.value([rows, patch, {"sensitive": True, "value": {"kubeconfig": SECRET}}])
    assert SECRET not in str(shown)
    assert shown[0]["rows"][1] == ["region", "eu"]
    series = {"metric": {"secret": "web-tls", "namespace": "shop"}, "value": [1, "1"]}
    sealed = {"kind": "SealedSecret", "spec": {"encryptedData": {"password": "AgBplanted9Xw"}}}
    assert redaction.value([series, sealed]) == [series, sealed]


def test_what_a_dashboard_variable_is_set_to_is_looked_at_whole() -> None:
    made = "hunter22Xa1"
    variable = {
        "name": "password",
        "value": made,
        "current": {
            "text": [made],
            "value": [made, "all"],
            "password": "correcthorse",
            "n": {"password": "correcthorse"},
        },
    }
    shown = str(redaction.value(variable))
    assert made not in shown
    assert "correcthorse" not in shown
    assert "'all'" in shown


@pytest.mark.parametrize(
    "value", ["!env Hunter22Xa", "!ref Abcd1234xyz", "!secret hunter22Xa1", "!sub hunter22Xa1", "!file Hunter22Xa1"]
)
def test_a_tag_before_a_value_is_no_reference(value: str) -> None:
    made = value.rpartition(" ")[2]
    assert made not in str(redaction.value({"password": value}))
    assert made not in redaction.text(f'password: "{value}"\n')


@pytest.mark.parametrize(
    "value",
    [
        "!Ref DBSecret1",
        "!env_var DB_PASSWORD",
        "!secret db_password",
        "!GetAtt Secret.Arn",
        "!Sub ${Password}",
        "!vault |",
    ],
)
def test_a_reference_by_a_tag_is_shown(value: str) -> None:
    assert redaction.value({"password": value}) == {"password": value}


@pytest.mark.parametrize(
    "value",
    ["github:user1234x", "oidc:00u1a2b3c4d5", "system:node1abcd2", "sha256:abcd1234efgh", "saml:user1234x"],
)
def test_who_somebody_is_to_a_provider_is_shown(value: str) -> None:
    assert redaction.value({"user": value}) == {"user": value}


def test_a_short_password_of_digits_and_a_letter_is_hidden() -> None:
    assert "1234a" not in redaction.text("redis-cli -a 1234a ping")
    assert redaction.text("psql -p 5432 -h db") == "psql -p 5432 -h db"
