"""Where it goes, and who may answer there."""

from tests.kubernetes.kubeconfigs.corpus.model import BEARER, CA, doc, one

SERVER = [
    one("authority as data", doc(cluster={"certificate-authority-data": "<ca64>"}), reaches=BEARER),
    one("authority in broken lines", doc(cluster={"certificate-authority-data": "<ca64>\n"}), reaches=BEARER),
    one(
        "authority twice",
        doc(cluster={**CA, "certificate-authority-data": "<ca64>"}),
        refused="certificate-authority and certificate-authority-data are both given",
    ),
    one(
        "authority file that is missing",
        doc(cluster={"certificate-authority": "gone.crt"}),
        refused=r"certificate-authority cannot be read: .*gone.crt",
    ),
    one(
        "authority that is no certificate",
        doc(cluster={"certificate-authority-data": "aGVsbG8="}),
        refused=r"clusters\[0\].cluster.certificate-authority-data holds no certificate",
    ),
    one("an unknown authority", doc(cluster={}), refused="cannot reach the API server"),
    one("unverified", doc(cluster={"insecure-skip-tls-verify": True}), reaches=BEARER),
    one(
        "unverified with an authority",
        doc(cluster={**CA, "insecure-skip-tls-verify": True}),
        refused="insecure-skip-tls-verify cannot be used with",
    ),
    one(
        "tls-server-name",
        doc(cluster={**CA, "tls-server-name": "inner.test"}, server="<inner>"),
        reaches={"server": "inner", "sni": "inner.test", **BEARER},
    ),
    one("a certificate of another name", doc(server="<inner>"), refused="cannot reach the API server"),
    one(
        "a wrong tls-server-name",
        doc(cluster={**CA, "tls-server-name": "other.test"}),
        refused="cannot reach the API server",
    ),
    one(
        "tls-server-name unverified",
        doc(cluster={"insecure-skip-tls-verify": True, "tls-server-name": "what.test"}),
        reaches={"sni": "what.test", **BEARER},
    ),
    one(
        "a path before the API",
        doc(server="<tls>/k8s/clusters/c-1/"),
        reaches={**BEARER, "path": "/k8s/clusters/c-1/version"},
    ),
    one("query and fragment of a server", doc(server="<tls>/p?x=1#y"), reaches={**BEARER, "path": "/p/version"}),
    one("a server without scheme", doc({}, {}, server="127.0.0.1:<plain-port>"), reaches={"server": "plain"}),
    one("a server by its name", doc(server="https://localhost:<tls-port>"), reaches={**BEARER, "sni": "localhost"}),
    one("a scheme in capitals", doc(server="HTTPS://localhost:<tls-port>"), reaches={**BEARER, "sni": "localhost"}),
    one(
        "a server of another scheme",
        doc(server="ftp://127.0.0.1:<tls-port>"),
        refused=r"clusters\[0\].cluster.server is not the URL of a server",
    ),
    one(
        "a server that is no URL",
        doc(server="https://[::1"),
        refused=r"clusters\[0\].cluster.server is not the URL of a server",
    ),
    one(
        "a cluster without server",
        doc(clusters=[{"name": "c", "cluster": CA}]),
        refused=r"clusters\[0\].cluster.server is missing",
        departs="kubectl asks localhost:8080",
    ),
    one(
        "a cluster that is absent",
        doc(clusters=[]),
        refused=r"contexts\[0\].context.cluster names 'c'",
        departs="kubectl asks localhost:8080",
    ),
    one(
        "a context without cluster",
        doc(contexts=[{"name": "x", "context": {"user": "u"}}]),
        refused=r"contexts\[0\].context.cluster is missing",
        departs="kubectl asks localhost:8080",
    ),
]
