"""Many clients that chat as fast as they get replies, and an idle one that pings meanwhile.

`python -m benchmarks.load ws://127.0.0.1:8000/conversation --clients 100 --seconds 10` prints one JSON object: replies
per second, the percentiles of their latency and of the idle client's pings in ms. Times out and ends by itself.
"""

import argparse
import asyncio
import json
import time
from dataclasses import asdict, dataclass
from functools import partial

from picows import WSError, WSFrame, WSListener, WSMsgType, WSTransport, ws_connect

from benchmarks.messages import messages

_LIMITS = [f"MAX_CONNECTIONS{whose}" for whose in ("", "_PER_ADDRESS", "_PER_VISITOR")]
_LIMITS += ["RATE_LIMIT", "RATE_LIMIT_PER_ADDRESS", "MAX_WAITING_REPLIES"]
UNLIMITED = dict.fromkeys((f"DIEGO_{name}" for name in _LIMITS), "1000000000")
"""The settings of a server that is to be put under load: all is checked, and nothing is too much."""

CONNECT_SECONDS = 10.0
PING_SECONDS = 0.01


@dataclass(frozen=True)
class Measured:
    """What came of one run; times in ms, None where nothing was answered."""

    clients: int
    connected: int
    replies_per_second: float
    p50: float | None
    p99: float | None
    max: float | None
    ping_p50: float | None
    ping_p99: float | None


class Client(WSListener):
    """Says the next message as soon as it has a reply to the last."""

    def __init__(self, said: list[str], start: int, latencies: list[float]) -> None:
        super().__init__()
        self._said = said
        self._next = start
        self._latencies = latencies
        self.sent = 0.0
        self.end = 0.0

    def say(self, transport: WSTransport) -> None:
        """Send the next message."""
        message = self._said[self._next % len(self._said)]
        self._next += 1
        self.sent = time.perf_counter()
        transport.send(WSMsgType.TEXT, message.encode())

    def on_ws_frame(self, transport: WSTransport, frame: WSFrame) -> None:
        """Note how long a reply took."""
        now = time.perf_counter()
        if frame.msg_type == WSMsgType.TEXT and now < self.end:
            self._latencies.append(now - self.sent)
            self.say(transport)


class IdleClient(WSListener):
    """Only pings."""

    def __init__(self) -> None:
        super().__init__()
        self.pong = asyncio.Event()

    def on_ws_frame(self, transport: WSTransport, frame: WSFrame) -> None:  # noqa: ARG002 - picows' signature
        """Note a pong."""
        if frame.msg_type == WSMsgType.PONG:
            self.pong.set()


async def connect(url: str, listener: WSListener) -> WSTransport | None:
    """A connection, None if there is none in time."""
    try:
        async with asyncio.timeout(CONNECT_SECONDS):
            transport, _ = await ws_connect(lambda: listener, url)
    except (TimeoutError, OSError, WSError):
        return None
    return transport


async def ping(transport: WSTransport, client: IdleClient, seconds: float, times: list[float]) -> None:
    """Ping for that long. A ping without an answer counts with the time that was waited for it."""
    end = time.perf_counter() + seconds
    while (sent := time.perf_counter()) < end:
        client.pong.clear()
        transport.send_ping(b"")
        try:
            async with asyncio.timeout(end - sent):
                await client.pong.wait()
        except TimeoutError:
            pass
        times.append(time.perf_counter() - sent)
        await asyncio.sleep(PING_SECONDS)


def percentile(times: list[float], share: float) -> float | None:
    """That share of the times, in seconds, is not longer; in ms."""
    if not times:
        return None
    return round(1000 * sorted(times)[min(len(times) - 1, int(len(times) * share))], 2)


async def measure(url: str, clients: int, seconds: float) -> Measured:
    """Let so many clients chat for that long."""
    said = messages()
    latencies: list[float] = []
    pings: list[float] = []
    chatting = [Client(said, number * len(said) // clients, latencies) for number in range(clients)]
    idle = IdleClient()
    idle_transport = await connect(url, idle)
    transports = await asyncio.gather(*map(partial(connect, url), chatting))
    connected = [(client, transport) for client, transport in zip(chatting, transports, strict=True) if transport]
    end = time.perf_counter() + seconds
    for client, transport in connected:
        client.end = end
        client.say(transport)
    if idle_transport:
        await ping(idle_transport, idle, seconds, pings)
    await asyncio.sleep(end - time.perf_counter())
    replies = len(latencies)
    # Who still waits has waited at least so long; without them a server looked the better the less it replies.
    latencies += [end - client.sent for client, _ in connected if client.sent < end]
    return Measured(
        clients=clients,
        connected=len(connected),
        replies_per_second=round(replies / seconds, 1),
        p50=percentile(latencies, 0.5),
        p99=percentile(latencies, 0.99),
        max=percentile(latencies, 1),
        ping_p50=percentile(pings, 0.5),
        ping_p99=percentile(pings, 0.99),
    )


def main() -> None:
    """Measure, and print what came of it."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("url")
    parser.add_argument("--clients", type=int, default=100)
    parser.add_argument("--seconds", type=float, default=10)
    arguments = parser.parse_args()
    measured = asyncio.run(measure(arguments.url, arguments.clients, arguments.seconds))
    print(json.dumps(asdict(measured)))


if __name__ == "__main__":
    main()
