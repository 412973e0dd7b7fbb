"""TLS to an API server, as its credentials say; nothing here needs an HTTP client."""

import ssl
from typing import Any

from kmcp_runtime.kube.credentials import Credentials


class _Named(ssl.SSLContext):
    """Asks for the certificate of another name than that of the host (`tls-server-name`)."""

    name: str

    def wrap_bio(
        self, incoming: ssl.MemoryBIO, outgoing: ssl.MemoryBIO, *args: Any, server_hostname: Any = None, **options: Any
    ) -> ssl.SSLObject:
        return super().wrap_bio(incoming, outgoing, *args, **{**options, "server_hostname": self.name})


def tls(used: Credentials) -> ssl.SSLContext:
    if used.tls_server_name:
        context: ssl.SSLContext = _Named(ssl.PROTOCOL_TLS_CLIENT)
        context.name = used.tls_server_name  # type: ignore[attr-defined]  # it is a _Named
        context.load_verify_locations(used.ssl_ca_cert) if used.ssl_ca_cert else context.load_default_certs()
    else:
        context = ssl.create_default_context(cafile=used.ssl_ca_cert)
    if used.cert_file:
        context.load_cert_chain(used.cert_file, keyfile=used.key_file)
    if not used.verify_ssl:
        context.check_hostname = False
        context.verify_mode = ssl.CERT_NONE
    # Python 3.13 checks strictly by default; certificate authorities of older clusters lack the extensions it requires.
    context.verify_flags &= ~ssl.VERIFY_X509_STRICT
    return context
