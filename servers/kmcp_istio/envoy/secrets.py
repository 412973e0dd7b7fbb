"""Certificates that a proxy holds: their names, serials and expiry, never a key."""

import base64
import binascii
from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any

from cryptography import x509
from pydantic import BaseModel, Field

from kmcp_istio.envoy.dump import Section
from kmcp_istio.envoy.entries import Entry
from kmcp_istio.envoy.fields import at, each, text, type_of

_SPIFFE = "envoy.extensions.transport_sockets.tls.v3.SPIFFECertValidatorConfig"
_STATES = (("dynamic_warming_secrets", "WARMING"), ("dynamic_active_secrets", "ACTIVE"), ("static_secrets", "STATIC"))


class Secret(BaseModel):
    """One certificate, or the name of a secret that has none yet."""

    name: str
    type: str | None = Field(default=None, description="Cert Chain, or CA")
    state: str
    valid: bool
    serial: str | None = None
    expiry: str | None = None
    trust_domain: str | None = None


def entries(section: Section) -> list[Entry]:
    return [
        Entry(row.name, row, wrapped)
        for part, state in _STATES
        for wrapped in each(section, part)
        # Envoy waits for a secret that it has asked for; its version says so until it arrives.
        for row in _rows(wrapped, "UNINITIALIZED" if text(wrapped, "version_info") == "uninitialized" else state)
    ]


def _rows(wrapped: Any, state: str) -> Iterator[Secret]:
    name, secret = text(wrapped, "name"), at(wrapped, "secret")
    chain = text(secret, "tls_certificate", "certificate_chain", "inline_bytes")
    authority = text(secret, "validation_context", "trusted_ca", "inline_bytes")
    validator = at(secret, "validation_context", "custom_validator_config", "typed_config")
    # With several trust domains the roots are in a SPIFFE validator, one bundle for each.
    if not chain and not authority and type_of(validator) == _SPIFFE:
        for domain in each(validator, "trust_domains"):
            bundle = text(domain, "trust_bundle", "inline_bytes")
            yield _row(name, state, bundle, text(domain, "name") or None)
    else:
        yield _row(name, state, chain or authority, None)


def _row(name: str, state: str, encoded: str, trust_domain: str | None) -> Secret:
    certificate = _first(encoded)
    if certificate is None:
        return Secret(name=name, state=state, valid=False, trust_domain=trust_domain)
    now = datetime.now(UTC)
    return Secret(
        name=name,
        state=state,
        type="CA" if _is_authority(certificate) else "Cert Chain",
        valid=certificate.not_valid_before_utc < now < certificate.not_valid_after_utc,
        # 32 hexadecimal digits, as istioctl prints it.
        serial=f"{certificate.serial_number:032x}",
        expiry=certificate.not_valid_after_utc.strftime("%Y-%m-%dT%H:%M:%SZ"),
        trust_domain=trust_domain or _trust_domain(certificate),
    )


def _first(encoded: str) -> x509.Certificate | None:
    """The first certificate of base64-encoded PEM; None where there is none that can be read."""
    try:
        return x509.load_pem_x509_certificates(base64.b64decode(encoded))[0]
    except (binascii.Error, ValueError):
        return None


def _is_authority(certificate: x509.Certificate) -> bool:
    try:
        return certificate.extensions.get_extension_for_class(x509.BasicConstraints).value.ca
    except x509.ExtensionNotFound:
        return False


def _trust_domain(certificate: x509.Certificate) -> str | None:
    try:
        names = certificate.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    except x509.ExtensionNotFound:
        return None
    identities = [uri for uri in names.get_values_for_type(x509.UniformResourceIdentifier) if uri.startswith("spiffe:")]
    return identities[0].split("/")[2] if identities else None
