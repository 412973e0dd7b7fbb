"""Programs that hand out credentials."""

from tests.kubernetes.kubeconfigs.corpus.model import (
    BEARER,
    BY_PLUGIN,
    ISSUED,
    TOKEN,
    doc,
    one,
    plugin,
    prints,
)

ECHOES = """#!/bin/sh
printf '{"apiVersion":"client.authentication.k8s.io/v1","kind":"ExecCredential",'
printf '"status":{"token":"%s-%s-%s"}}' "$#" "$1" "$WHO"
"""
PLUGINS = [
    one("a plugin beside the kubeconfig", doc(plugin()), files=ISSUED, reaches=BY_PLUGIN),
    one(
        "a plugin in a folder",
        doc(plugin(command="bin/plugin.sh")),
        files={"bin/plugin.sh": prints('{"token":"issued"}')},
        reaches=BY_PLUGIN,
    ),
    one(
        "v1beta1 without interactiveMode",
        doc(plugin(apiVersion="client.authentication.k8s.io/v1beta1", interactiveMode=...)),
        files={"plugin.sh": prints('{"token":"issued"}', "client.authentication.k8s.io/v1beta1")},
        reaches=BY_PLUGIN,
    ),
    one(
        "v1 without interactiveMode",
        doc(plugin(interactiveMode=...)),
        files=ISSUED,
        refused=r"users\[0\].user.exec.interactiveMode is missing",
    ),
    one(
        "a plugin of v1alpha1",
        doc(plugin(apiVersion="client.authentication.k8s.io/v1alpha1")),
        files=ISSUED,
        refused="exec.apiVersion is",
    ),
    one("a plugin without apiVersion", doc(plugin(apiVersion=...)), files=ISSUED, refused="exec.apiVersion is missing"),
    one("a plugin without command", doc(plugin(command=...)), refused="exec.command is missing"),
    one(
        "a plugin that needs a terminal",
        doc(plugin(interactiveMode="Always")),
        files=ISSUED,
        refused="needs a terminal",
    ),
    one(
        "a plugin that would use a terminal",
        doc(plugin(interactiveMode="IfAvailable")),
        files=ISSUED,
        reaches=BY_PLUGIN,
    ),
    one(
        "a plugin with an unknown mode",
        doc(plugin(interactiveMode="Often")),
        files=ISSUED,
        refused="exec.interactiveMode is 'Often'",
    ),
    one(
        "a plugin that fails",
        doc(plugin()),
        files={"plugin.sh": "#!/bin/sh\necho 'session expired: run corp-login' >&2\nexit 3\n"},
        refused=r"failed \(exit code 3\): session expired: run corp-login",
    ),
    one(
        "a plugin that is missing",
        doc(plugin(command="corp-login-plugin", installHint="brew install corp")),
        refused="exec plugin corp-login-plugin of .* is not there",
    ),
    one(
        "a plugin that prints nothing",
        doc(plugin()),
        files={"plugin.sh": "#!/bin/sh\n"},
        refused="did not print an ExecCredential",
    ),
    one(
        "a plugin that prints no JSON",
        doc(plugin()),
        files={"plugin.sh": "#!/bin/sh\necho hello\n"},
        refused="did not print an ExecCredential",
    ),
    one(
        "a plugin of another version than it says",
        doc(plugin()),
        files={"plugin.sh": prints('{"token":"x"}', "client.authentication.k8s.io/v1beta1")},
        refused="answered in",
    ),
    one("a plugin without status", doc(plugin()), files={"plugin.sh": prints("null")}, refused="printed no status"),
    one(
        "a plugin with an empty status",
        doc(plugin()),
        files={"plugin.sh": prints("{}")},
        refused="neither a token nor a certificate",
    ),
    one(
        "a plugin with a certificate",
        doc(plugin()),
        files={"plugin.sh": prints('{"clientCertificateData":<cert-json>,"clientKeyData":<key-json>}')},
        reaches={"client": "dev"},
    ),
    one(
        "a plugin with half a certificate",
        doc(plugin()),
        files={"plugin.sh": prints('{"clientCertificateData":<cert-json>}')},
        refused="not both",
    ),
    one(
        "arguments and environment of a plugin",
        doc(plugin(args=["a b", "$HOME"], env=[{"name": "WHO", "value": "me"}])),
        files={"plugin.sh": ECHOES},
        reaches={"authorization": "Bearer 2-a b-me"},
    ),
    one(
        "a token keeps the plugin from running",
        doc({**TOKEN, **plugin()}),
        files={"plugin.sh": "#!/bin/sh\nexit 1\n"},
        reaches=BEARER,
    ),
    one(
        "a certificate keeps the plugin from running",
        doc({"client-certificate": "client.crt", "client-key": "client.key", **plugin()}),
        files={"plugin.sh": "#!/bin/sh\nexit 1\n"},
        reaches={"client": "dev"},
    ),
    one(
        "no plugin runs for plain HTTP",
        doc(plugin(), {}, server="<plain>"),
        files={"plugin.sh": "#!/bin/sh\nexit 1\n"},
        reaches={"server": "plain"},
    ),
    one(
        "a plugin with an auth-provider",
        doc({**plugin(), "auth-provider": {"name": "oidc"}}),
        files=ISSUED,
        refused="auth-provider and exec cannot be used together",
    ),
    one(
        "acting as a user by a plugin",
        doc({**plugin(), "as": "jane"}),
        files=ISSUED,
        reaches={**BY_PLUGIN, "acting": [("Impersonate-User", "jane")]},
    ),
]
