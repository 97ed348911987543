"""A TCP proxy on loopback that records what clients send, and resets connections on demand."""

from __future__ import annotations

import contextlib
import socket
import socketserver
import struct
import threading
from collections.abc import Iterator

CHUNK = 1 << 16
RESET = struct.pack("ii", 1, 0)  # SO_LINGER with a timeout of zero: close() sends RST instead of FIN


class TcpProxy(socketserver.ThreadingTCPServer):
    """`sent` is what all clients sent; the next `resets` connections are reset after their first bytes."""

    daemon_threads = True
    allow_reuse_address = True

    def __init__(self, target_port: int) -> None:
        super().__init__(("127.0.0.1", 0), _Connection)
        self.target_port = target_port
        self.port = self.server_address[1]
        self.sent = bytearray()
        self.resets = 0
        self._lock = threading.Lock()

    def takes_reset(self) -> bool:
        """Whether this connection is to be reset; counts it."""
        with self._lock:
            self.resets -= 1
            return self.resets >= 0


class _Connection(socketserver.BaseRequestHandler):
    server: TcpProxy

    def handle(self) -> None:
        if self.server.takes_reset():
            self.request.recv(CHUNK)
            self.request.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, RESET)
            return
        with (
            contextlib.suppress(ConnectionError),
            socket.create_connection(("127.0.0.1", self.server.target_port)) as up,
        ):
            threading.Thread(target=self._answer, args=(up,), daemon=True).start()
            while data := self.request.recv(CHUNK):
                self.server.sent += data
                up.sendall(data)

    def _answer(self, up: socket.socket) -> None:
        with contextlib.suppress(OSError):
            while data := up.recv(CHUNK):
                self.request.sendall(data)
            self.request.shutdown(socket.SHUT_WR)


@contextlib.contextmanager
def running(target_port: int) -> Iterator[TcpProxy]:
    with TcpProxy(target_port) as proxy:
        thread = threading.Thread(target=proxy.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True)
        thread.start()
        try:
            yield proxy
        finally:
            proxy.shutdown()
            thread.join()
