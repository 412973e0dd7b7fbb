"""A corpus of planted secrets: what they look like where, and the part that must never come out."""

from dataclasses import dataclass

PRIVATE_KEY = """-----BEGIN RSA PRIVATE KEY-----
MIIEpAIBAAKCAQEAx4wM2v7Zq1PLANTEDKEYMATERIALq8Y3o
b1VtS0plantedsecondlineofkeymaterial0aZ9QbYc3k1w
-----END RSA PRIVATE KEY-----"""
TOKEN = "eyJhbGciOiJSUzI1NiIsImtpZCI6IngifQ.eyJzdWIiOiJzeXN0ZW06c2VydmljZWFjY291bnQifQ.c2lnbmF0dXJlLXBsYW50ZWQ"


@dataclass(frozen=True)
class Planted:
    """A text that holds a secret, and the secret itself."""

    text: str
    secret: str


IN_TEXTS = (
    Planted(f"starting with key\n{PRIVATE_KEY}\ndone", "PLANTEDKEYMATERIAL"),
    Planted(f"starting with key\n{PRIVATE_KEY}\ndone", "plantedsecondline"),
    Planted(f"token is {TOKEN}", "c2lnbmF0dXJlLXBsYW50ZWQ"),
    Planted("Authorization: Bearer planted-opaque-bearer-1234", "planted-opaque-bearer-1234"),
    Planted("authorization: basic cGxhbnRlZDpiYXNpYw==", "cGxhbnRlZDpiYXNpYw"),
    Planted("dial postgres://app:planted-db-pass@db.prod:5432/app failed", "planted-db-pass"),
    Planted("GET https://planteduserinfotoken99@git.example/x 403", "planteduserinfotoken99"),
    Planted("redis://:planted-redis@cache:6379/0", "planted-redis"),
    Planted("DB_PASSWORD=planted-assignment-1 LOG_LEVEL=debug", "planted-assignment-1"),
    Planted("password: planted-yaml-2", "planted-yaml-2"),
    Planted("password:\n  planted-next-line", "planted-next-line"),
    Planted("user: bob; password:\n  planted-below-a-part; port: 80", "planted-below-a-part"),
    Planted('{"apiKey": "planted-json-3", "user": "bob"}', "planted-json-3"),
    Planted("client_secret='planted quoted 4'", "planted quoted 4"),
    Planted("aws AKIAPLANTEDKEY123456 used", "AKIAPLANTEDKEY123456"),
    Planted("AWS_SECRET_ACCESS_KEY=planted/aws/secret/5", "planted/aws/secret/5"),
    Planted("push with ghp_plantedplantedplantedplanted01", "ghp_plantedplantedplantedplanted01"),
    Planted("slack xoxb-1111-planted-slack", "xoxb-1111-planted-slack"),
    Planted("glpat-plantedplanted-123456", "glpat-plantedplanted-123456"),
    Planted("login --token planted-after-flag-6 x", "planted-after-flag-6"),
    Planted("login --password=planted-after-flag-7", "planted-after-flag-7"),
    Planted("pass\x00word=planted-nul-8", "planted-nul-8"),
    Planted("connectionString=planted-conn-9", "planted-conn-9"),
)

HARMLESS = (
    "it needs basic authentication of an administrator",
    "bearer authorization is missing",
    "secretName: web-tls",
    "token: ${TOKEN}",
    "password: <redacted>",
    "use_token=true",
    "tokens: 512",
    "secret/web created",
    "kubectl get secrets",
    "image: nginx@sha256:0123456789abcdef0123456789abcdef",
    "https://example.com:8443/a@b",
    "serviceAccountToken:",
    "sources:\n- serviceAccountToken:\n    expirationSeconds: 3607\n    path: token\n",
    "credentials:\n  - name: web\n    path: a",
    "automountServiceAccountToken: false",
    "passwordPolicy: strict",
    "key: password",
    'Failed to pull image "registry.example/app:1": not found',
    'pods "web" is forbidden: User "system:x" cannot get',
    "supports TLS, basic authentication, bearer authorization and OAuth2",
    "the basic building-blocks, basic documentation",
    "--token string  Bearer token for authentication",
    "use the --hide-secret flag. Then",
    "set hubble.tls.server.existingSecret=hubble-server-certs",
    "existingSecret: web-credentials",
    "Save it as a secret:\n\n```yaml\nkind: Secret\n```",
)
