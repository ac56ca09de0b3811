"""A TCP proxy between one replica and Redis that delays, holds back and cuts."""

import asyncio


class Proxy:
    """Forwards until told otherwise; `delay` in seconds."""

    def __init__(self, target_port):
        self.target_port = target_port
        self.delay = 0.0
        self._flowing = asyncio.Event()
        self._flowing.set()
        self._writers = set()
        self._tasks = set()
        self._server = None
        self.port = 0

    async def start(self):
        self._server = await asyncio.start_server(self._accept, "127.0.0.1", 0)
        self.port = self._server.sockets[0].getsockname()[1]
        return self

    def close(self):
        self._server.close()
        self.reset()
        for task in self._tasks:
            task.cancel()

    def hold(self):
        """Lets no byte through in either direction, until `release`."""
        self._flowing.clear()

    def release(self):
        self._flowing.set()

    def reset(self):
        """Cuts every connection at once, with RST where the system does so."""
        for writer in list(self._writers):
            writer.transport.abort()
        self._writers.clear()

    def _accept(self, reader, writer):
        task = asyncio.create_task(self._serve(reader, writer))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _serve(self, reader, writer):
        try:
            server_reader, server_writer = await asyncio.open_connection("127.0.0.1", self.target_port)
        except OSError:
            writer.transport.abort()
            return
        self._writers |= {writer, server_writer}
        tasks = [
            asyncio.create_task(self._pump(reader, server_writer)),
            asyncio.create_task(self._pump(server_reader, writer)),
        ]
        try:
            await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
        finally:
            for task in tasks:
                task.cancel()
            for one in (writer, server_writer):
                self._writers.discard(one)
                one.transport.abort()

    async def _pump(self, reader, writer):
        try:
            while data := await reader.read(65536):
                if self.delay:
                    await asyncio.sleep(self.delay)
                await self._flowing.wait()
                writer.write(data)
                await writer.drain()
        except (OSError, ConnectionError):
            pass
