"""kmcp-suite as a wheel, beside a project or in a bundle: until it is published, no index may be asked for it."""

import asyncio
import base64
import csv
import hashlib
import io
import json
import os
import sys
import zipfile
from importlib.metadata import Distribution, distribution
from pathlib import Path
from urllib.parse import unquote, urlsplit

from kmcp_runtime import command
from kmcp_runtime.distributions import SUITE
from kmcp_runtime.errors import ToolFailure

_SECONDS = 120.0


class WheelError(Exception):
    """Says why there can be no wheel of what is installed here."""


def write_wheel(folder: Path) -> Path:
    """A wheel of the suite that is installed here, in `folder`. Errors: WheelError."""
    found = distribution(SUITE)
    origin = json.loads(found.read_text("direct_url.json") or "{}")
    folder.mkdir(parents=True, exist_ok=True)
    if origin.get("dir_info", {}).get("editable"):
        asyncio.run(_build(unquote(urlsplit(origin["url"]).path), folder))
        (wheel,) = folder.glob("*.whl")
        return wheel
    return _packed(found, folder)


async def _build(source: str, folder: Path) -> None:
    argv = [sys.executable, "-m", "hatchling", "build", "-t", "wheel", "-d", str(folder)]
    try:
        done = await command.run(argv, env=dict(os.environ), seconds=_SECONDS, directory=source)
    except ToolFailure as failure:
        raise _unbuilt(source, failure.message) from None
    if done.code:
        raise _unbuilt(source, done.stderr.strip()[-300:])


def _unbuilt(source: str, why: str) -> WheelError:
    return WheelError(f"the wheel of {source} cannot be built: {why}")


def _packed(found: Distribution, folder: Path) -> Path:
    """The files of an installation, as the wheel that it came from held them: all are Python and data."""
    version = found.version
    name = f"{SUITE.replace('-', '_')}-{version}"
    metadata = f"{name}.dist-info"
    left_out = {
        f"{metadata}/{each}" for each in ("RECORD", "INSTALLER", "REQUESTED", "direct_url.json", "uv_cache.json")
    }
    kept = [
        file
        for file in found.files or ()
        if not str(file).startswith("..") and str(file) not in left_out and "__pycache__" not in file.parts
    ]
    if not any(str(file) == f"{metadata}/METADATA" for file in kept):
        raise WheelError("the installation of kmcp-suite has no list of its files: install it from a wheel")
    wheel, record = folder / f"{name}-py3-none-any.whl", io.StringIO()
    rows = csv.writer(record, lineterminator="\n")
    with zipfile.ZipFile(wheel, "w", zipfile.ZIP_DEFLATED) as archive:
        for file in sorted(kept, key=str):
            content = Path(str(file.locate())).read_bytes()
            digest = base64.urlsafe_b64encode(hashlib.sha256(content).digest()).rstrip(b"=").decode()
            archive.writestr(str(file), content)
            rows.writerow([str(file), f"sha256={digest}", len(content)])
        rows.writerow([f"{metadata}/RECORD", "", ""])
        archive.writestr(f"{metadata}/RECORD", record.getvalue())
    return wheel
