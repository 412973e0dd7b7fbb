"""Images of the programs of a mesh, on the node of the test cluster."""

import hashlib
import tempfile
from pathlib import Path

import pytest

from tests.cluster.images import import_image, write_program_image
from tests.cluster.model import Cluster


def program_image(cluster: Cluster, program: Path) -> str:
    """The name of an image that runs this program, imported; skips where images cannot be."""
    if not cluster.ctr:
        pytest.skip(f"images cannot be imported into this cluster ({cluster.kind})")
    digest = hashlib.sha256(str(program).encode()).hexdigest()[:8]
    image = f"localhost/kmcp-{program.name}:{digest}"
    with tempfile.TemporaryDirectory() as folder:
        tar = Path(folder) / "image.tar"
        write_program_image(program, image, tar)
        import_image(cluster, tar)
    return image
