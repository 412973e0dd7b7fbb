"""Certificates and kubeconfigs of a test cluster: one authority, ECDSA P-256 keys, a year of validity."""

import base64
import ipaddress
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path

import yaml
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

VALIDITY = timedelta(days=365)


class Authority:
    """A certificate authority that writes `<name>.crt` and `<name>.key` into one directory."""

    def __init__(self, directory: Path) -> None:
        self.directory = directory
        # Elliptic curves: a dozen RSA keys would take longer than the start of the API server.
        self._key = ec.generate_private_key(ec.SECP256R1())
        self._name = _subject("kmcp-test-ca", ())
        basic = x509.BasicConstraints(ca=True, path_length=None)
        builder = _builder(self._name, self._key).issuer_name(self._name).add_extension(basic, critical=True)
        builder = builder.add_extension(_key_usage(authority=True), critical=True)
        directory.mkdir(mode=0o700, parents=True, exist_ok=True)
        self._write("ca", self._key, builder.sign(self._key, hashes.SHA256()))

    def issue(self, name: str, common_name: str, organizations: Sequence[str] = (), hosts: Sequence[str] = ()) -> None:
        """Write a certificate for clients and servers; `hosts` are its DNS names and IP addresses."""
        key = ec.generate_private_key(ec.SECP256R1())
        # Both uses for all: etcd and the API server are client and server at once.
        usages = x509.ExtendedKeyUsage([ExtendedKeyUsageOID.CLIENT_AUTH, ExtendedKeyUsageOID.SERVER_AUTH])
        builder = _builder(_subject(common_name, organizations), key).issuer_name(self._name)
        builder = builder.add_extension(_key_usage(authority=False), critical=True)
        builder = builder.add_extension(usages, critical=False)
        if hosts:
            names = x509.SubjectAlternativeName([_general_name(host) for host in hosts])
            builder = builder.add_extension(names, critical=False)
        self._write(name, key, builder.sign(self._key, hashes.SHA256()))

    def issue_kubeconfig(self, name: str, common_name: str, organizations: Sequence[str], server: str) -> Path:
        """A kubeconfig `<name>.kubeconfig` with a client certificate of its own inside."""
        self.issue(name, common_name, organizations)
        ca, certificate, key = (self._encoded(file) for file in ("ca.crt", f"{name}.crt", f"{name}.key"))
        config = {
            "apiVersion": "v1",
            "kind": "Config",
            "clusters": [{"name": "kmcp-test", "cluster": {"server": server, "certificate-authority-data": ca}}],
            "users": [{"name": name, "user": {"client-certificate-data": certificate, "client-key-data": key}}],
            "contexts": [{"name": "kmcp-test", "context": {"cluster": "kmcp-test", "user": name}}],
            "current-context": "kmcp-test",
        }
        path = self.directory / f"{name}.kubeconfig"
        path.write_text(yaml.safe_dump(config, sort_keys=False))
        path.chmod(0o600)
        return path

    def issue_key_pair(self, name: str) -> None:
        """`<name>.key` and `<name>.pub`: what service account tokens are signed and checked with."""
        key = ec.generate_private_key(ec.SECP256R1())
        self._write_key(name, key)
        public = key.public_key().public_bytes(
            serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo
        )
        (self.directory / f"{name}.pub").write_bytes(public)

    def _write(self, name: str, key: ec.EllipticCurvePrivateKey, certificate: x509.Certificate) -> None:
        self._write_key(name, key)
        (self.directory / f"{name}.crt").write_bytes(certificate.public_bytes(serialization.Encoding.PEM))

    def _write_key(self, name: str, key: ec.EllipticCurvePrivateKey) -> None:
        path = self.directory / f"{name}.key"
        # The mode before the content, so that nobody can read it in between.
        path.touch(mode=0o600)
        path.write_bytes(
            key.private_bytes(
                serialization.Encoding.PEM,
                serialization.PrivateFormat.TraditionalOpenSSL,
                serialization.NoEncryption(),
            )
        )

    def _encoded(self, file: str) -> str:
        return base64.b64encode((self.directory / file).read_bytes()).decode()


def _subject(common_name: str, organizations: Sequence[str]) -> x509.Name:
    attributes = [x509.NameAttribute(NameOID.ORGANIZATION_NAME, name) for name in organizations]
    return x509.Name([*attributes, x509.NameAttribute(NameOID.COMMON_NAME, common_name)])


def _builder(subject: x509.Name, key: ec.EllipticCurvePrivateKey) -> x509.CertificateBuilder:
    now = datetime.now(UTC)
    return (
        x509.CertificateBuilder()
        .subject_name(subject)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        # A machine that sets its clock back while it starts would refuse them otherwise.
        .not_valid_before(now - timedelta(hours=1))
        .not_valid_after(now + VALIDITY)
    )


def _key_usage(authority: bool) -> x509.KeyUsage:
    return x509.KeyUsage(
        digital_signature=True,
        key_cert_sign=authority,
        crl_sign=authority,
        content_commitment=False,
        key_encipherment=False,
        data_encipherment=False,
        key_agreement=False,
        encipher_only=False,
        decipher_only=False,
    )


def _general_name(host: str) -> x509.GeneralName:
    try:
        return x509.IPAddress(ipaddress.ip_address(host))
    except ValueError:
        return x509.DNSName(host)
