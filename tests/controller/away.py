"""A way to the API server that can be cut, so that a test's controller loses it and nobody else does."""

import asyncio
import contextlib
from collections.abc import AsyncIterator
from pathlib import Path
from urllib.parse import urlsplit

import yaml


class Wire:
    """Forwards a loopback port to the API server of a kubeconfig; `kubeconfig` is that file with this port."""

    def __init__(self, given: Path, folder: Path) -> None:
        document = yaml.safe_load(given.read_text())
        (cluster,) = document["clusters"]
        target = urlsplit(cluster["cluster"]["server"])
        assert target.hostname
        self._target = target.hostname, target.port or 443
        self._document, self.kubeconfig = document, folder / "wire.kubeconfig"
        self._server: asyncio.Server | None = None
        self._open: set[asyncio.StreamWriter] = set()
        self._port = 0
        self.flowing = asyncio.Event()
        """Cleared, what is sent stays on the way: the API server is neither there nor gone."""
        self.flowing.set()

    async def connect(self) -> None:
        self._server = await asyncio.start_server(self._forward, "127.0.0.1", self._port)
        self._port = self._server.sockets[0].getsockname()[1]
        self._document["clusters"][0]["cluster"]["server"] = f"https://127.0.0.1:{self._port}"
        self.kubeconfig.write_text(yaml.safe_dump(self._document))

    async def cut(self) -> None:
        """No new connection, and the open ones end."""
        if self._server:
            self._server.close()
            for each in list(self._open):
                each.transport.abort()
            await self._server.wait_closed()
            self._server = None

    async def _forward(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with contextlib.suppress(OSError):
            far_reader, far_writer = await asyncio.open_connection(*self._target)
            self._open |= {writer, far_writer}
            await asyncio.gather(self._pump(reader, far_writer), self._pump(far_reader, writer))

    async def _pump(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with contextlib.suppress(OSError):
            while data := await reader.read(1 << 16):
                await self.flowing.wait()
                writer.write(data)
                await writer.drain()
        writer.close()


@contextlib.asynccontextmanager
async def wire(given: Path, folder: Path) -> AsyncIterator[Wire]:
    found = Wire(given, folder)
    await found.connect()
    try:
        yield found
    finally:
        await found.cut()
