"""What a secret looks like when nothing else says that it is one: token formats, and places in text.

Each shape has a text that it must hide and one that it must not; the tests walk the table. Expressions are RE2's, over
bytes, so the time is linear whatever stands in the text. A `whole` shape is hidden whole; of the others the group in
round brackets is hidden and what is around it stays.
"""

from dataclasses import dataclass
from functools import cache
from typing import Any

import re2

_END = r"(?:[^A-Za-z0-9_-]|$)"


@dataclass(frozen=True)
class Shape:
    """A format: `hides` is an example whose capital `X…`-part must go, `shows` one that stays as it is."""

    name: str
    expression: str
    hides: str
    shows: str = "nothing to hide"


def _example(prefix: str, length: int, alphabet: str = "a1B2c3D4e5F6g7H8j9K0") -> str:
    return prefix + (alphabet * (length // len(alphabet) + 1))[:length]


_HEX = "0123456789abcdef"

WHOLE: tuple[Shape, ...] = (
    Shape("jwt", r"\beyJ[A-Za-z0-9_-]{8,}\.[A-Za-z0-9_-]{8,}(?:\.[A-Za-z0-9_-]*)?(?:\.[A-Za-z0-9_.-]*)?", "eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxIn0.c2lnbmF0dXJl", "eyJ is how JSON begins"),
    Shape("aws-key-id", r"\b(?:AKIA|ASIA|ABIA|ACCA)[A-Z0-9]{16}\b", "AKIA" + "Q3EXAMPLE7ABCDEF", "AKIABOX"),
    Shape("github", r"\bgh[pousr]_[A-Za-z0-9]{20,}", _example("ghp_", 36), "ghp_short"),
    Shape("github-fine", r"\bgithub_pat_[A-Za-z0-9_]{20,}", _example("github_pat_", 60), "github_pat_docs"),
    Shape("gitlab", r"\bgl(?:pat|rt|rtr|dt|ptt|ft|soat|cbt|imt|agent|oas|ffct)-[A-Za-z0-9_.-]{16,}", _example("glrt-", 20), "glrt-short"),
    Shape("slack", r"\bxox[abeoprs]-[A-Za-z0-9-]{10,}|\bxapp-[A-Za-z0-9-]{10,}|\bxoxe\.[A-Za-z0-9.-]{10,}", _example("xapp-1-A", 40), "xapp-1"),
    Shape("stripe", r"\b(?:sk|rk|pk)_(?:live|test|prod)_[A-Za-z0-9]{10,}|\bwhsec_[A-Za-z0-9+/=]{16,}", _example("sk_live_", 24), "sk_live_"),
    Shape("openai", r"\bsk-(?:proj-|svcacct-|admin-|ant-[a-z0-9]+-|or-v1-)?[A-Za-z0-9_-]{20,}", _example("sk-proj-", 48), "sk-learn"),
    Shape("hugging-face", r"\b(?:hf|api_org)_[A-Za-z0-9]{20,}", _example("hf_", 34), "hf_home"),
    Shape("digitalocean", r"\bdo[opr]_v1_[a-f0-9]{40,}", _example("dop_v1_", 64, _HEX), "dop_v1_"),
    Shape("sendgrid", r"\bSG\.[A-Za-z0-9_-]{16,}\.[A-Za-z0-9_-]{16,}", _example("SG.", 22) + _example(".", 43), "SG.short"),
    Shape("pypi", r"\bpypi-[A-Za-z0-9_-]{32,}", _example("pypi-AgEIcHlwaS5vcmc", 60), "pypi-package-index"),
    Shape("npm", r"\bnpm_[A-Za-z0-9]{30,}", _example("npm_", 36), "npm_config_cache"),
    Shape("rubygems", r"\brubygems_[a-f0-9]{40,}", _example("rubygems_", 48, _HEX), "rubygems_mirror"),
    Shape("docker-hub", r"\bdckr_(?:pat|oat)_[A-Za-z0-9_-]{20,}", _example("dckr_pat_", 27), "dckr_pat_"),
    Shape("vault", r"\bhv[sbr]\.[A-Za-z0-9_-]{20,}|\b[sb]\.[A-Za-z0-9]{24}\b", _example("hvs.", 90), "hvs.short"),
    Shape("atlassian", r"\bAT(?:ATT|CTT|BB)[A-Za-z0-9_=-]{24,}", _example("ATATT3x", 60), "ATATT3"),
    Shape("grafana", r"\bglsa_[A-Za-z0-9_]{20,}|\bglc_[A-Za-z0-9+/=]{30,}", _example("glsa_", 41), "glsa_x"),
    Shape("google", r"\bAIza[A-Za-z0-9_-]{30,}|\bya29\.[A-Za-z0-9_-]{20,}|\bGOCSPX-[A-Za-z0-9_-]{20,}", _example("AIza", 35), "AIzawa"),
    Shape("linear", r"\blin_(?:api|oauth)_[A-Za-z0-9]{30,}", _example("lin_api_", 40), "lin_api_"),
    Shape("notion", r"\bntn_[A-Za-z0-9]{30,}|\bsecret_[A-Za-z0-9]{43}\b", _example("ntn_", 46), "secret_name"),
    Shape("databricks", r"\bdapi[a-f0-9]{32}(?:-\d)?\b", _example("dapi", 32, _HEX), "dapidocs"),
    Shape("shopify", r"\bshp(?:at|ca|pa|ss|tka)_[a-fA-F0-9]{32}", _example("shpat_", 32, _HEX), "shpat_"),
    Shape("square", r"\bsq0(?:atp|csp|idp)-[A-Za-z0-9_-]{22,}", _example("sq0atp-", 22), "sq0atp-"),
    Shape("telegram", r"\b\d{8,10}:AA[A-Za-z0-9_-]{32,33}\b", "123456789:AA" + _example("", 33), "123456789:AA"),
    Shape("discord-bot", r"\b[MNO][A-Za-z0-9_-]{23,25}\.[A-Za-z0-9_-]{6}\.[A-Za-z0-9_-]{27,}", _example("M", 23) + ".GabcDe." + _example("", 38), "M.G.a"),
    Shape("mailgun", r"\bkey-[a-f0-9]{32}\b", _example("key-", 32, _HEX), "key-value"),
    Shape("twilio", r"\bSK[a-f0-9]{32}\b", _example("SK", 32, _HEX), "SKU1234"),
    Shape("heroku", r"\bHRKU-[A-Za-z0-9_-]{30,}", _example("HRKU-AA", 58), "HRKU-"),
    Shape("new-relic", r"\bNRA[KALI][A-Z]?-[A-Za-z0-9]{20,}|\b[a-f0-9]{36}NRAL\b", _example("NRAK-", 27), "NRAK-"),
    Shape("dynatrace", r"\bdt0[a-z]\d{2}\.[A-Z0-9]{24}\.[A-Z0-9]{64}", "dt0c01." + _example("", 24, "ABC123") + "." + _example("", 64, "ABC123"), "dt0c01"),
    Shape("postman", r"\bPMAK-[a-f0-9]{24}-[a-f0-9]{34}", "PMAK-" + _example("", 24, _HEX) + "-" + _example("", 34, _HEX), "PMAK-"),
    Shape("pulumi", r"\bpul-[a-f0-9]{40}\b", _example("pul-", 40, _HEX), "pul-up"),
    Shape("doppler", r"\bdp\.(?:pt|st|ct|sa|scim|audit)\.[A-Za-z0-9._-]{30,}", _example("dp.pt.", 43), "dp.pt."),
    Shape("terraform", r"\b[A-Za-z0-9]{14}\.atlasv1\.[A-Za-z0-9_-]{60,}", _example("", 14) + ".atlasv1." + _example("", 64), "x.atlasv1.y"),
    Shape("age", r"\bAGE-SECRET-KEY-1[A-Z0-9]{50,}", _example("AGE-SECRET-KEY-1", 58, "QPZRY9X8GF2TVDW0"), "AGE-SECRET-KEY-1"),
    Shape("sentry", r"\bsntry[su]_[A-Za-z0-9+/=_-]{40,}", _example("sntrys_", 64), "sntrys_"),
    Shape("sonar", r"\bsq[pua]_[a-f0-9]{40}\b", _example("sqp_", 40, _HEX), "sqp_"),
    Shape("supabase", r"\bsb(?:p|_secret)_[A-Za-z0-9_-]{20,}", _example("sbp_", 40, _HEX), "sbp_"),
    Shape("netlify", r"\bnf[pcou]_[A-Za-z0-9_-]{36,}", _example("nfp_", 36), "nfp_"),
    Shape("planetscale", r"\bpscale_(?:tkn|pw|oauth)_[A-Za-z0-9_.-]{30,}", _example("pscale_pw_", 43), "pscale_pw_"),
    Shape("airtable", r"\bpat[A-Za-z0-9]{14}\.[a-f0-9]{64}\b", _example("pat", 14) + "." + _example("", 64, _HEX), "patch.json"),
    Shape("figma", r"\bfig[dou]_[A-Za-z0-9_-]{36,}", _example("figd_", 40), "figd_"),
    Shape("artifactory", r"\bAKCp[A-Za-z0-9]{60,}", _example("AKCp", 69), "AKCp"),
    Shape("tailscale", r"\btskey-[a-z]+-[A-Za-z0-9-]{20,}", _example("tskey-auth-", 40), "tskey-auth-"),
    Shape("fly", r"\bfm[12][a-z]?_[A-Za-z0-9+/=_-]{60,}|\bFlyV1 [A-Za-z0-9+/=_,-]{60,}", _example("fm2_", 90), "fm2_"),
    Shape("flyio-groq-others", r"\b(?:gsk|r8|pplx|xai|tvly|sgp|ops|lsv2_[ps][tk]|phc|phx|tk)[-_][A-Za-z0-9_-]{36,}", _example("gsk_", 52), "gsk_x"),
    Shape("easypost-others", r"\b(?:EZ[AT]K|PRIVATE-TOKEN-|CFPAT-|shippo_live_|duffel_live_)[A-Za-z0-9_-]{30,}", _example("CFPAT-", 43), "CFPAT-"),
    Shape("k3s", r"\bK10[a-f0-9]{64}::[A-Za-z0-9:._-]+", _example("K10", 64, _HEX) + "::server:abc", "K10"),
    Shape("crypt", r"\$(?:2[abxy]|apr1|1|5|6|y|argon2id?|scrypt|7)\$[A-Za-z0-9./$=,+-]{20,}", "$2y$10$" + _example("", 53), "$1.20"),
    Shape("azure-client", r"\b[A-Za-z0-9_.-]{3}\dQ~[A-Za-z0-9_.~-]{31,34}", "abc8Q~" + _example("", 34), "8Q~"),
)

PARTS: tuple[Shape, ...] = (
    Shape("bearer", r"(?i)\b(?:bearer|basic|digest|token|negotiate|splunk)[ \t]+((?:[A-Za-z0-9._~+/-]*\d[A-Za-z0-9._~+/-]{6,}|[A-Za-z0-9._~+/-]{6,}\d[A-Za-z0-9._~+/-]*|[A-Za-z0-9._~+/-]{20,})=*)", "Authorization: Bearer planted-opaque-1234", "basic authentication of an administrator"),
    Shape("basic", r"(?i)\bbasic[ \t]+([A-Za-z0-9+/]{8,}={1,2})", "authorization: basic cGxhbnRlZDpiYQ=="),
    Shape("url-password", r"(?i)\b[a-z][a-z0-9+.-]{0,30}://[^\s/@:\"'<>]{0,200}:([^\s/@\"'<>]{1,500})@", "postgres://app:hunter2@db:5432/app", "http://a:8080/x@y"),
    Shape("url-password-with-slash", r"(?i)\b[a-z][a-z0-9+.-]{0,30}://[A-Za-z0-9._%-]{1,100}:([^\s@\"'<>]*[/][^\s@\"'<>]*)@[A-Za-z0-9.-]+(?::\d+)?(?:[/\s\"'?]|$)", "amqp://app:hunter/2@mq:5672/v", "http://a:8080/x"),
    Shape("url-token", r"(?i)\b[a-z][a-z0-9+.-]{0,30}://([^\s/@:\"'<>]{12,500}):?@", "https://0123456789abcdef@host/x", "ssh://git@host/x"),
    Shape("go-dsn", r"[A-Za-z0-9_.-]+:([^\s@:/\"']{1,200})@(?:tcp|unix|udp)\(", "app:hunter2@tcp(db:3306)/app", "a@tcp(db:3306)"),
    Shape("query", r"(?i)[?&;](?:sig|signature|x-amz-signature|x-amz-security-token|x-goog-signature|key|api[_-]?key|apikey|token|access[_-]?token|auth|code|pass|password|pwd|secret|client[_-]?secret|integrationkey)=([^\s&\"'<>;#]{3,})", "https://x/y?sv=1&sig=abc%2Fdef", "https://x/y?page=2"),
    Shape("azure-key", r"(?i)\b(?:AccountKey|SharedAccessKey|SharedAccessSignature|EndpointSecret)=([^\s;\"']{8,})", "AccountName=a;AccountKey=abcd1234efgh==;X=1", "AccountName=abc"),
    Shape("slack-hook", r"(?i)https://hooks\.slack(?:-gov)?\.com/(?:services|workflows|triggers)/([A-Za-z0-9/_-]{8,})", "https://hooks.slack.com/services/T000/B000/abcdEFGH1234", "https://hooks.slack.com/docs"),
    Shape("discord-hook", r"(?i)https://(?:\w+\.)?discord(?:app)?\.com/api(?:/v\d+)?/webhooks/(\d+/[A-Za-z0-9_-]{16,})", "https://discord.com/api/webhooks/123456789/abcdefghijklmnop1234", "https://discord.com/api/webhooks"),
    Shape("teams-hook", r"(?i)https://[a-z0-9.-]+\.(?:webhook\.office\.com|logic\.azure\.com|powerplatform\.com)/([^\s\"'<>]{16,})", "https://a.webhook.office.com/webhookb2/0a-1b@2c/IncomingWebhook/abc/def", "https://office.com/x"),
    Shape("chat-hook", r"(?i)https://(?:chat\.googleapis\.com/v1/spaces/|open\.(?:feishu\.cn|larksuite\.com)/open-apis/bot/v2/hook/|oapi\.dingtalk\.com/robot/send\?access_token=|qyapi\.weixin\.qq\.com/cgi-bin/webhook/send\?key=|hooks\.zapier\.com/hooks/catch/|api\.telegram\.org/bot|maker\.ifttt\.com/trigger/\w+/with/key/)([^\s\"'<>]{8,})", "https://hooks.zapier.com/hooks/catch/123456/abcdef", "https://zapier.com/x"),
    Shape("netrc", r"(?i)\b(?:machine[ \t]+\S+|default)\s+login\s+\S+\s+password\s+(\S+)", "machine h login u password hunter2", "machine learning password"),
    Shape("curl-user", r"(?i)\bcurl\b[^\n|;]{0,300}?\s(?:-u|--user|--proxy-user)[ \t=]?[\"']?[^\s:\"']+:([^\s\"']+)", "curl -s -u admin:hunter2 https://x", "curl -u admin https://x"),
    Shape("mysql-password", r"(?i)\b(?:mysql|mysqldump|mysqladmin|mariadb|mariadb-dump)\b[^\n|;]{0,300}?\s-p([^\s\"'-][^\s\"']*)", "mysql -u root -phunter2 db", "mysql -u root -p db"),
    Shape("program-password", r"(?i)\b(?:sshpass|docker[ \t]+login|podman[ \t]+login|helm[ \t]+registry[ \t]+login|smbclient|ldapsearch|redis-cli|mongo|mongosh|psql|sqlcmd)\b[^\n|;]{0,300}?\s(?:-p|-a|-w|-P)[ \t]?[\"']?([^\s\"'-][^\s\"']{2,})", "redis-cli -h r -a hunter22 ping", "psql -h db"),
    Shape("xml", r"(?i)<([a-z][a-z0-9:_.-]*?(?:password|passwd|passphrase|secret|token|apikey|api-key|privatekey|accesskey))(?:\s[^<>]{0,200})?>", "", ""),
    Shape("redis-config", r"(?im)^[ \t]*(?:requirepass|masterauth|sentinel[ \t]+auth-pass[ \t]+\S+)[ \t]+(\S+)", "requirepass hunter2", "requirepass"),
    Shape("htpasswd", r"(?m)^[A-Za-z0-9._@-]{1,64}:(\{SHA\}[A-Za-z0-9+/=]{20,}|\$(?:apr1|2[aby]|5|6)\$\S+)", "admin:{SHA}abcdefghijklmnopqrstuvwxyz0=", "a:b"),
    Shape("pgpass", r"(?m)^[A-Za-z0-9.*_-]+:(?:\d{2,5}|\*):[A-Za-z0-9.*_-]+:[A-Za-z0-9.*_-]+:(\S+)$", "db:5432:app:app:hunter2", "a:b:c:d"),
    Shape("bootstrap", r"(?i)(?:--token|--discovery-token|--bootstrap-token|bootstrap[- ]token|join[^\n]{0,80}token)[ \t=:]+[\"']?([a-z0-9]{6}\.[a-z0-9]{16})\b", "kubeadm join h:6443 --token abcdef.0123456789abcdef", "kubeadm join"),
    Shape("identified-by", r"(?i)\b(?:identified[ \t]+(?:with[ \t]+\S+[ \t]+)?by|with[ \t]+(?:encrypted[ \t]+)?password|encrypted[ \t]+password|user[ \t]+\S+[ \t]+password)[ \t]+[\"']([^\"'\n]+)[\"']", "CREATE USER a IDENTIFIED BY 'hunter2'", "identified by name"),
)
PARTS = tuple(shape for shape in PARTS if shape.hides)


@cache
def whole() -> Any:
    """All whole shapes as one expression."""
    return compiled("|".join(f"(?:{shape.expression})" for shape in WHOLE))


@cache
def parts() -> tuple[Any, ...]:
    return tuple(compiled(shape.expression) for shape in PARTS)


def compiled(expression: str) -> Any:
    """An expression over bytes; every byte is a character, so no text is invalid."""
    options = re2.Options()
    options.encoding = re2.Options.Encoding.LATIN1
    options.log_errors = False
    options.max_mem = 64 << 20
    return re2.compile(expression.encode(), options)
