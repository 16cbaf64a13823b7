"""A load generator that is cheap itself: keep-alive connections that send prepared bytes and count what comes back.

``python -m benchmarks.load FILE --port P --seconds 5 --server PID --postgres PID`` prints the figures as JSON. The
file holds requests as ``write_requests`` puts them; they are sent in turn, each connection one at a time.
"""

import argparse
import asyncio
import itertools
import json
import struct
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import uvloop

from benchmarks.cpu import tree_seconds

_FEWEST, _PATIENCE = 40, 90


def http_request(path: str, body: bytes, token: str | None) -> bytes:
    """The bytes of one POST."""
    authorization = f"Authorization: Bearer {token}\r\n" if token else ""
    head = (
        f"POST {path} HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Type: application/json\r\nAccept: application/json\r\n"
        f"{authorization}Content-Length: {len(body)}\r\n\r\n"
    )
    return head.encode() + body


def write_requests(path: Path, requests: Sequence[bytes]) -> None:
    """Write requests, each after its length."""
    path.write_bytes(b"".join(struct.pack(">I", len(request)) + request for request in requests))


def read_requests(path: Path) -> list[bytes]:
    """The requests of a file."""
    data, found, place = path.read_bytes(), [], 0
    while place < len(data):
        (length,) = struct.unpack_from(">I", data, place)
        found.append(data[place + 4 : place + 4 + length])
        place += 4 + length
    return found


class Client(asyncio.Protocol):
    """One connection. It sends the next request when the last one is answered, until there is none or it must stop."""

    def __init__(self, requests: Iterator[bytes]) -> None:
        self.requests = requests
        self.latencies: list[float] = []
        self.failures: list[bytes] = []
        self.received = 0
        self.running = True
        self.closed = asyncio.get_running_loop().create_future()
        self._buffer = bytearray()
        self._end = 0

    def connection_made(self, transport: Any) -> None:
        self._transport = transport
        self._send()

    def _send(self) -> None:
        self._buffer.clear()
        self._end = 0
        self._sent = time.perf_counter()
        request = next(self.requests, None)
        if request is None:
            self._transport.close()
        else:
            self._transport.write(request)

    def data_received(self, data: bytes) -> None:
        self._buffer += data
        if not self._end and (head := self._buffer.find(b"\r\n\r\n")) >= 0:
            headers = bytes(self._buffer[:head]).lower()
            length = int(headers.partition(b"content-length:")[2].split(b"\r\n", 1)[0])
            self._end = head + 4 + length
            self._body = head + 4
        if self._end and len(self._buffer) >= self._end:
            self.latencies.append(time.perf_counter() - self._sent)
            self.received += self._end - self._body
            if not self._buffer.startswith(b"HTTP/1.1 200") or self._buffer.find(b'"errors":[') >= 0:
                self.failures.append(bytes(self._buffer[:2000]))
            if self.running:
                self._send()
            else:
                self._transport.close()

    def connection_lost(self, exc: Exception | None) -> None:
        if not self.closed.done():
            self.closed.set_result(exc)

    def forget(self) -> None:
        """Begin the figures anew."""
        self.latencies, self.failures, self.received = [], [], 0


async def _answered(clients: list[Client], count: int, seconds: float) -> None:
    """Wait for ``seconds``, and then until so many requests are answered, unless that takes far too long."""
    await asyncio.sleep(seconds)
    end = time.perf_counter() + _PATIENCE
    # An event would cost the clients time that is measured.
    while sum(len(client.latencies) for client in clients) < count and time.perf_counter() < end:  # noqa: ASYNC110
        await asyncio.sleep(0.1)


async def run(
    requests: list[bytes],
    port: int,
    *,
    connections: int,
    warm: int,
    warm_seconds: float,
    seconds: float,
    pids: dict[str, int],
) -> dict[str, Any]:
    """The figures of ``seconds`` or forty requests, whichever takes longer.

    Before that come ``warm_seconds`` or ``warm`` requests, again whichever takes longer, that do not count.
    """
    loop = asyncio.get_running_loop()
    endless = itertools.cycle(requests)
    clients = []
    for _ in range(connections):
        _, client = await loop.create_connection(lambda: Client(endless), "127.0.0.1", port)
        clients.append(client)
    await _answered(clients, warm, warm_seconds)
    for client in clients:
        client.forget()
    before, started = {name: tree_seconds(pid) for name, pid in pids.items()}, time.perf_counter()
    await _answered(clients, _FEWEST, seconds)
    took = time.perf_counter() - started
    spent = {name: tree_seconds(pid) - before[name] for name, pid in pids.items()}
    latencies = sorted(latency for client in clients for latency in client.latencies)
    failures = [failure for client in clients for failure in client.failures]
    received = sum(client.received for client in clients)
    for client in clients:
        client.running = False
    await asyncio.wait([client.closed for client in clients], timeout=10)
    count = len(latencies)
    if not count:
        raise SystemExit("No request was answered in time.")
    return {
        "requests": count,
        "per_second": count / took,
        "p50_ms": latencies[count // 2] * 1000,
        "p99_ms": latencies[min(count - 1, count * 99 // 100)] * 1000,
        "bytes": received / count,
        "failures": len(failures),
        "failure": failures[0].decode(errors="replace") if failures else None,
        "cpu_ms": {name: value / count * 1000 for name, value in spent.items()},
    }


def main() -> None:
    """Run from the command line."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("file", type=Path)
    parser.add_argument("--port", type=int, required=True)
    parser.add_argument("--connections", type=int, default=8)
    parser.add_argument("--warm", type=int, default=100)
    parser.add_argument("--warm-seconds", type=float, default=1)
    parser.add_argument("--seconds", type=float, default=5)
    parser.add_argument("--server", type=int)
    parser.add_argument("--postgres", type=int)
    given = parser.parse_args()
    pids = {name: pid for name in ("server", "postgres") if (pid := getattr(given, name)) is not None}
    figures = uvloop.run(
        run(
            read_requests(given.file),
            given.port,
            connections=given.connections,
            warm=given.warm,
            warm_seconds=given.warm_seconds,
            seconds=given.seconds,
            pids=pids,
        )
    )
    print(json.dumps(figures))


if __name__ == "__main__":
    main()
