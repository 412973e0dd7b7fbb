"""Who is asked for: tokens, certificates, passwords, whom to act as."""

from tests.kubernetes.kubeconfigs.corpus.model import BEARER, TOKEN, doc, one

IDENTITY = [
    one("token", doc(), reaches=BEARER),
    one("token as a quoted number", doc({"token": "123"}), reaches={"authorization": "Bearer 123"}),
    one("tokenFile with a line break", doc({"tokenFile": "token"}), reaches={"authorization": "Bearer from-file"}),
    one(
        "tokenFile before token",
        doc({"tokenFile": "token", "token": "t1"}),
        reaches={"authorization": "Bearer from-file"},
    ),
    one("token where tokenFile is missing", doc({"tokenFile": "gone", "token": "t1"}), reaches=BEARER),
    one("tokenFile that is missing", doc({"tokenFile": "gone"}), refused=r"cannot read the token file .*gone"),
    one(
        "tokenFile that is empty",
        doc({"tokenFile": "empty"}),
        refused=r"token file .*empty is empty",
        files={"empty": "\n"},
    ),
    one("password", doc({"username": "me", "password": "pw"}), reaches={"authorization": "Basic bWU6cHc="}),
    one(
        "token and password",
        doc({**TOKEN, "username": "me", "password": "pw"}),
        refused=r"users\[0\].user has a token and a password",
    ),
    one(
        "certificate files",
        doc({"client-certificate": "client.crt", "client-key": "client.key"}),
        reaches={"client": "dev"},
    ),
    one(
        "certificate data",
        doc({"client-certificate-data": "<cert64>", "client-key-data": "<key64>"}),
        reaches={"client": "dev"},
    ),
    one(
        "certificate and token",
        doc({"client-certificate": "client.crt", "client-key": "client.key", **TOKEN}),
        reaches={"client": "dev", **BEARER},
    ),
    one(
        "certificate without key",
        doc({"client-certificate": "client.crt"}),
        refused=r"users\[0\].user.client-key is missing",
    ),
    one("key without certificate", doc({"client-key": "client.key", **TOKEN}), reaches=BEARER),
    one(
        "certificate with another's key",
        doc({"client-certificate-data": "<cert64>", "client-key-data": "<other64>"}),
        refused="client-certificate and client-key are not",
    ),
    one(
        "key data that is no PEM",
        doc({"client-certificate-data": "<cert64>", "client-key-data": "aGVsbG8="}),
        refused="client-certificate and client-key are not",
    ),
    one(
        "key data that is no base64",
        doc({"client-certificate-data": "<cert64>", "client-key-data": "%%%"}),
        refused=r"users\[0\].user.client-key-data is not valid base64",
    ),
    one(
        "certificate twice",
        doc({"client-certificate": "client.crt", "client-certificate-data": "<cert64>", "client-key": "client.key"}),
        refused="client-certificate and client-certificate-data are both given",
    ),
    one(
        "certificate file that is missing",
        doc({"client-certificate": "gone.crt", "client-key": "client.key"}),
        refused=r"client-certificate cannot be read: .*gone.crt",
    ),
    one(
        "acting as a user",
        doc({**TOKEN, "as": "system:serviceaccount:ns:view"}),
        reaches={**BEARER, "acting": [("Impersonate-User", "system:serviceaccount:ns:view")]},
    ),
    one(
        "acting as a user with groups, uid and extra",
        doc(
            {
                **TOKEN,
                "as": "jane",
                "as-groups": ["a", "b"],
                "as-uid": "7",
                "as-user-extra": {"scopes": ["x", "y"], "example.org/p": ["1"]},
            }
        ),
        reaches={
            **BEARER,
            "acting": [
                ("Impersonate-Extra-Example.Org%2Fp".title(), "1"),
                ("Impersonate-Extra-Scopes", "x"),
                ("Impersonate-Extra-Scopes", "y"),
                ("Impersonate-Group", "a"),
                ("Impersonate-Group", "b"),
                ("Impersonate-Uid", "7"),
                ("Impersonate-User", "jane"),
            ],
        },
    ),
    one(
        "groups without a user to act as", doc({**TOKEN, "as-groups": ["a"]}), refused=r"users\[0\].user.as is missing"
    ),
    one("uid without a user to act as", doc({**TOKEN, "as-uid": "1"}), refused=r"users\[0\].user.as is missing"),
    one(
        "acting as a user over plain HTTP",
        doc({**TOKEN, "as": "jane"}, {}, server="<plain>"),
        reaches={"server": "plain", "acting": [("Impersonate-User", "jane")]},
    ),
    one("no credential goes over plain HTTP", doc(TOKEN, {}, server="<plain>"), reaches={"server": "plain"}),
    one(
        "no user over plain HTTP",
        doc(contexts=[{"name": "x", "context": {"cluster": "c"}}], cluster={}, server="<plain>"),
        reaches={"server": "plain"},
    ),
    one("a user without credentials", doc({}), refused=r"users\[0\].user has no credentials"),
    one(
        "a context without user",
        doc(contexts=[{"name": "x", "context": {"cluster": "c"}}]),
        refused=r"contexts\[0\].context names no user",
    ),
    one(
        "a user that is absent",
        doc(users=[]),
        refused=r"contexts\[0\].context.user names 'u', and the kubeconfig has no such user",
    ),
    one("a token with a line break", doc({"token": "a\nb"}), refused="holds a line break"),
    one(
        "a removed auth-provider",
        doc({"auth-provider": {"name": "gcp"}}),
        refused=r"auth-provider.name is 'gcp', which Kubernetes has removed",
    ),
    one("an unknown auth-provider", doc({"auth-provider": {"name": "corp"}}), refused=r"auth-provider.name is 'corp'"),
]
