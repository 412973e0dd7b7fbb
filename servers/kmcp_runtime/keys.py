"""Keys for single purposes, derived from the one that replicas share: what is sealed for one opens nothing else."""

from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF


def derive(state_key: str, purpose: str) -> bytes:
    """32 bytes for one purpose (`approval/v1`), by HKDF (RFC 5869); equal in every process with the same state key."""
    return HKDF(SHA256(), 32, salt=None, info=f"kmcp-suite/{purpose}".encode()).derive(state_key.encode())
