"""Which way it goes."""

from tests.kubernetes.kubeconfigs.corpus.model import BEARER, CA, doc, one

PROXIES = [
    one(
        "proxy-url",
        doc(cluster={**CA, "proxy-url": "<proxy>"}, server="<named>"),
        reaches={**BEARER, "sni": "cluster.test", "through": ["http"]},
    ),
    one(
        "proxy-url to a loopback address",
        doc(cluster={**CA, "proxy-url": "<proxy>"}),
        reaches={**BEARER, "through": ["http"]},
    ),
    one(
        "proxy-url with a password",
        doc(cluster={**CA, "proxy-url": "http://me:p%40w@127.0.0.1:<proxy-port>"}, server="<named>"),
        reaches={**BEARER, "sni": "cluster.test", "through": ["http me:p@w"]},
    ),
    one(
        "proxy-url with TLS",
        doc(cluster={**CA, "proxy-url": "<secure-proxy>"}, server="<named>"),
        reaches={**BEARER, "sni": "cluster.test", "through": ["https"]},
    ),
    one(
        "proxy-url for plain HTTP",
        doc(cluster={"proxy-url": "<proxy>"}, server="<plain>"),
        reaches={"server": "plain", "through": ["http"]},
    ),
    one(
        "proxy-url by SOCKS",
        doc(cluster={**CA, "proxy-url": "<socks>"}, server="<named>"),
        reaches={**BEARER, "sni": "cluster.test", "through": ["socks5 cluster.test"]},
    ),
    one(
        "proxy-url by SOCKS with a password",
        doc(cluster={**CA, "proxy-url": "socks5://me:pw@127.0.0.1:<socks-port>"}, server="<named>"),
        reaches={**BEARER, "sni": "cluster.test", "through": ["socks5 me:pw cluster.test"]},
    ),
    one(
        "proxy-url of another scheme",
        doc(cluster={**CA, "proxy-url": "ssh://127.0.0.1:1"}),
        refused=r"clusters\[0\].cluster.proxy-url is not a URL of",
    ),
    one(
        "proxy-url that is no URL",
        doc(cluster={**CA, "proxy-url": "://"}),
        refused=r"clusters\[0\].cluster.proxy-url is not a URL of",
    ),
    one(
        "proxy-url whose port is no port",
        doc(cluster={**CA, "proxy-url": "http://127.0.0.1:99999"}),
        refused=r"proxy-url is not a URL of .*: its host or its port is malformed",
    ),
    one(
        "HTTPS_PROXY",
        doc(server="<named>"),
        env={"HTTPS_PROXY": "<proxy>"},
        reaches={**BEARER, "sni": "cluster.test", "through": ["http"]},
    ),
    one(
        "https_proxy",
        doc(server="<named>"),
        env={"https_proxy": "<proxy>"},
        reaches={**BEARER, "sni": "cluster.test", "through": ["http"]},
    ),
    one(
        "HTTPS_PROXY without scheme",
        doc(server="<named>"),
        env={"HTTPS_PROXY": "127.0.0.1:<proxy-port>"},
        reaches={**BEARER, "sni": "cluster.test", "through": ["http"]},
    ),
    one(
        "HTTPS_PROXY by SOCKS",
        doc(server="<named>"),
        env={"HTTPS_PROXY": "<socks>"},
        reaches={**BEARER, "sni": "cluster.test", "through": ["socks5 cluster.test"]},
    ),
    one("HTTPS_PROXY never for loopback", doc(), env={"HTTPS_PROXY": "<proxy>"}, reaches=BEARER),
    one(
        "HTTPS_PROXY never for localhost",
        doc(server="https://localhost:<tls-port>"),
        env={"HTTPS_PROXY": "<proxy>"},
        reaches={**BEARER, "sni": "localhost"},
    ),
    one("HTTP_PROXY not for https", doc(server="<any>"), env={"HTTP_PROXY": "<proxy>"}, reaches=BEARER),
    one(
        "HTTP_PROXY for http",
        doc({}, {}, server="http://0.0.0.0:<plain-port>"),
        env={"HTTP_PROXY": "<proxy>"},
        reaches={"server": "plain", "through": ["http"]},
    ),
    one("ALL_PROXY is not read", doc(server="<any>"), env={"ALL_PROXY": "<proxy>"}, reaches=BEARER),
    one(
        "HTTPS_PROXY for an address",
        doc(server="<any>"),
        env={"HTTPS_PROXY": "<proxy>"},
        reaches={**BEARER, "through": ["http"]},
    ),
    one(
        "NO_PROXY with the address",
        doc(server="<any>"),
        env={"HTTPS_PROXY": "<proxy>", "NO_PROXY": "x.test, 0.0.0.0"},
        reaches=BEARER,
    ),
    one(
        "NO_PROXY with its network",
        doc(server="<any>"),
        env={"HTTPS_PROXY": "<proxy>", "NO_PROXY": "0.0.0.0/8"},
        reaches=BEARER,
    ),
    one(
        "NO_PROXY with another network",
        doc(server="<any>"),
        env={"HTTPS_PROXY": "<proxy>", "NO_PROXY": "10.0.0.0/8"},
        reaches={**BEARER, "through": ["http"]},
    ),
    one(
        "NO_PROXY with the port",
        doc(server="<any>"),
        env={"HTTPS_PROXY": "<proxy>", "no_proxy": "0.0.0.0:<tls-port>"},
        reaches=BEARER,
    ),
    one(
        "NO_PROXY with another port",
        doc(server="<any>"),
        env={"HTTPS_PROXY": "<proxy>", "NO_PROXY": "0.0.0.0:1"},
        reaches={**BEARER, "through": ["http"]},
    ),
    one(
        "NO_PROXY for everything", doc(server="<any>"), env={"HTTPS_PROXY": "<proxy>", "NO_PROXY": "*"}, reaches=BEARER
    ),
    one(
        "NO_PROXY with another domain",
        doc(server="<named>"),
        env={"HTTPS_PROXY": "<proxy>", "NO_PROXY": "r.test,.cluster.test"},
        reaches={**BEARER, "sni": "cluster.test", "through": ["http"]},
    ),
    one(
        "proxy-url before NO_PROXY",
        doc(cluster={**CA, "proxy-url": "<proxy>"}, server="<any>"),
        env={"NO_PROXY": "*"},
        reaches={**BEARER, "through": ["http"]},
    ),
]
