"""The istioctl binary: arguments as a list, every value behind its `--flag=`, a kubeconfig for each run."""

import json
import os
import re
import shutil
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from kmcp_istio.client import Mesh
from kmcp_istio.settings import IstioSettings
from kmcp_runtime import Code, ToolFailure, command, judging, private_files, read_json, unavailable
from kmcp_runtime.command import Ended
from kmcp_runtime.judging import READS, Verdict, destroys
from kmcp_runtime.kube import kubeconfig

MISSING = "install the istioctl of the mesh's version, or set KMCP_ISTIOCTL (--istioctl) to its path"
BACKEND = "istioctl"
# What istioctl needs of this process: where programs are, and which certificates to trust. Proxy settings are left out,
# since it only talks to the cluster.
_PASSED_ON = ("PATH", "LANG", "TZ", "SSL_CERT_FILE", "SSL_CERT_DIR")
_VERSION_SECONDS = 20.0
_LONGEST_MESSAGE = 2_000
_LAST_LINES = 3
_CHANGING = frozenset({"install", "uninstall", "upgrade"})
_STEP = "Processing resources"
_COLOUR = re.compile(r"\x1b\[[0-9;]*[A-Za-z]")
_MARKS = re.compile(r"^[\s✔✘|/\\*-]+|[^\w\s.,:;)\]}'\"]+$")
_ERROR = re.compile(r"^Error:|encountered an error:")
_NO_ACTING, _NEWER = "unknown flag: --as", "take istioctl 1.25 or newer"
_WORD = re.compile(r"[A-Za-z]{2}")


def present(settings: IstioSettings) -> bool:
    return shutil.which(settings.istioctl) is not None


async def run(
    mesh: Mesh,
    words: Sequence[str],
    flags: Sequence[str] = (),
    *,
    seconds: float,
    cluster: bool = True,
    verdict: Verdict = READS,
) -> Ended:
    """Run a subcommand on this call's cluster, or on none; the caller reads the exit code.

    `verdict` is what it does to the cluster; one that changes the mesh must be judged.
    """
    if words[0] in _CHANGING and verdict is READS:
        verdict = destroys(f"runs istioctl {words[0]}")
    judging.allow(verdict)
    # An empty home for each run: no settings of whoever runs the server, and no cache that two calls share.
    with _home() as home:
        config = home / "kubeconfig"
        if cluster:
            document = await kubeconfig.load_document(mesh.api)
            # Credentials belong in a file that only this user reads, never in an argument list.
            private_files.write(config, json.dumps(document))
            flags = [*flags, f"--istioNamespace={mesh.settings.istio_namespace}", *_acting_as(document)]
        environment = {name: os.environ[name] for name in _PASSED_ON if name in os.environ}
        environment |= {"HOME": str(home), "TMPDIR": str(home), "KUBECONFIG": str(config)}
        ended = await command.run(
            [mesh.settings.istioctl, *words, *flags],
            env=environment,
            seconds=seconds,
            missing=MISSING,
            directory=str(home),
        )
    if _NO_ACTING in ended.stderr:
        raise unavailable(f"{mesh.settings.istioctl} cannot act as another user", _NEWER, backend=BACKEND)
    return ended


def _acting_as(document: Mapping[str, Any]) -> list[str]:
    """istioctl passes over whom a kubeconfig impersonates, and would act as the kubeconfig's own user."""
    user = document["users"][0]["user"]
    if "as" not in user:
        return []
    uid = [f"--as-uid={user['as-uid']}"] if "as-uid" in user else []
    return [f"--as={user['as']}", *uid, *(f"--as-group={group}" for group in user.get("as-groups", ()))]


async def read_version(mesh: Mesh) -> str | None:
    """The version of the binary; None where there is no binary."""
    if not present(mesh.settings):
        return None
    ended = await run(mesh, ("version",), ("--remote=false", "--output=json"), seconds=_VERSION_SECONDS, cluster=False)
    try:
        return str(read_json(ended.stdout)["clientVersion"]["version"])
    except (ValueError, KeyError, TypeError):
        raise unavailable(
            f"{mesh.settings.istioctl} is not istioctl: it answers {ended.stdout[:80]!r}", MISSING
        ) from None


def minor(text: str) -> str | None:
    """`1.31` of `1.31.0-alpha`."""
    found = re.match(r"v?(\d+\.\d+)", text)
    return found[1] if found else None


@contextmanager
def _home() -> Iterator[Path]:
    with tempfile.TemporaryDirectory(prefix="istioctl-", dir=private_files.folder()) as folder:
        yield Path(folder)


def failure(ended: Ended) -> ToolFailure:
    """What istioctl said when it failed: everything from its first error on."""
    said = _lines(ended.stderr)
    # Warnings come before the error; usage and hints follow it.
    begin = next((index for index, line in enumerate(said) if _ERROR.search(line)), -_LAST_LINES)
    message = " ".join(said[begin:]).removeprefix("Error:").strip()
    message = message[:_LONGEST_MESSAGE] or f"istioctl ended with {command.ended(ended.code)}"
    return ToolFailure(_code(message), message, backend=BACKEND)


def _code(message: str) -> Code:
    if "forbidden" in message.lower():
        return "forbidden"
    # The exit code is 1 for everything, so only the message distinguishes a bad argument from an unreachable cluster.
    if any(sign in message for sign in ("connection refused", "no such host", "timed out", "deadline exceeded")):
        return "unavailable"
    return "bad_argument"


def messages(ended: Ended) -> list[str]:
    """What it reports as done, without the progress lines and the picture of a ship."""
    said = _lines(f"{ended.stdout}\n{ended.stderr}")
    return [line for line in dict.fromkeys(said) if not line.startswith(_STEP)]


def _lines(text: str) -> list[str]:
    """The lines with words in them, in their last state, without colours and check marks."""
    # A carriage return overwrites the line, as progress indicators do.
    parts = (_COLOUR.sub("", part) for line in text.splitlines() for part in line.split("\r"))
    cleaned = (_MARKS.sub("", part).strip() for part in parts)
    return [line for line in cleaned if _WORD.search(line)]
