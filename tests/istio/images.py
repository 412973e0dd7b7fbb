"""Images of the programs of a mesh, on the node of the test cluster."""

import hashlib
import tempfile
from pathlib import Path

import pytest

from tests.cluster.images import import_image, present, write_program_image
from tests.cluster.model import Cluster


def program_image(cluster: Cluster, program: Path, user: str = "") -> str:
    """The name of an image that runs this program, on the node; skips where images cannot be brought there."""
    if not cluster.ctr:
        pytest.skip(f"images cannot be imported into this cluster ({cluster.kind})")
    digest = hashlib.sha256(str(program).encode()).hexdigest()[:8]
    image = f"localhost/kmcp-{program.name}:{digest}"
    if present(cluster, image):
        return image
    with tempfile.TemporaryDirectory() as folder:
        tar = Path(folder) / "image.tar"
        write_program_image(program, image, tar, user)
        import_image(cluster, tar)
    return image
