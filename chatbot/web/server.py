"""`python app.py`: the command line, and uvicorn with a start and a stop that people and clients can rely on."""

import argparse
import asyncio
import errno
import logging
import os
import resource
import shlex
import signal
import socket
import ssl
import sys
import threading
import time
from collections.abc import Callable
from contextlib import suppress
from functools import partial
from ipaddress import ip_address
from pathlib import Path
from types import FrameType
from typing import Any, NoReturn

import uvicorn
from uvicorn.config import LOGGING_CONFIG
from uvicorn.supervisors import ChangeReload

from chatbot import SetupError
from chatbot.settings import LOG_LEVELS, Settings, load_settings
from chatbot.web.health import PROBES, READINESS, Readiness
from chatbot.web.logs import JsonFormatter, Tidy
from chatbot.web.protocol import HEAD_SECONDS, HTTPProtocol, WebSocketProtocol
from chatbot.web.room import Room
from chatbot.web.tab import Tab
from chatbot.web.workers import Lifeline, Workers

logger = logging.getLogger(__name__)

ROOT = Path(__file__).parent.parent.parent
MAX_FRAME_BYTES = 16 * 1024
BACKLOG = 2048

PING_SECONDS = 20.0
"""How often a WebSocket's client is asked whether it is there, and how long its answer may take."""

# Shares of DIEGO_DRAIN_SECONDS, all counted from the signal: until then Diego answers who waits in the room, replies
# under way may arrive, connections may take what was sent last, tasks may end that were cut off, and the process is
# there at all.
MENTIONS, REPLIES, CONNECTIONS, TASKS, PROCESS = 0.5, 0.7, 0.75, 0.8, 0.9
LOOK_SECONDS = 0.02

READ_BYTES = 8 * 1024
"""How much of what a client sends waits to be read. All of it is parsed in one go, which holds up everybody."""

SWITCH_SECONDS = 0.001
"""How long a thread may keep Python from the others that want it (docs/choices.md)."""

GONE_SECONDS = 20
"""A client that takes nothing for so long, not even into its system's buffers, is gone, though all else may be well."""

CLIENTS, ROOM = "clients", "room"
"""Where the app's lifespan state holds the conversations and the room, which are to end before the server does."""


class Server(uvicorn.Server):
    """Uvicorn's server; it says when it is ready, and told to stop, it first lets replies under way arrive."""

    interrupted = False

    def __init__(self, config: uvicorn.Config, drain_seconds: float, lifeline: Lifeline | None = None) -> None:
        super().__init__(config)
        self._drain_seconds = drain_seconds
        self._lifeline = lifeline
        self._stopped_at = 0.0

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        """Start, then say where."""
        if self.config.is_ssl:
            # Before its end nobody else sees a connection. Uvicorn has no option, and asyncio waits for a minute.
            loop = asyncio.get_running_loop()
            create_server = partial(loop.create_server, ssl_handshake_timeout=HEAD_SECONDS)
            loop.create_server = create_server  # type: ignore[method-assign]
        await super().startup(sockets)
        if self._lifeline:
            self._lifeline.ready.send(True)  # noqa: FBT003 - it is what is sent
            asyncio.get_running_loop().add_reader(self._lifeline.parent.fileno(), self._end_without_parent)
        else:
            _say_ready(self.servers[0].sockets[0], is_ssl=self.config.is_ssl)

    def _end_without_parent(self) -> None:
        assert self._lifeline, "it has ended"
        asyncio.get_running_loop().remove_reader(self._lifeline.parent.fileno())
        self.handle_exit(signal.SIGTERM, None)

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        """Let replies under way arrive, then close the connections and the app; the process ends in any case.

        Until then requests are answered, so that who asks learns that the server stops.
        """
        readiness: Readiness = self.lifespan.state[READINESS]
        readiness.draining = True
        at_last = threading.Timer(self._left(PROCESS), _give_up)
        at_last.daemon = True
        at_last.start()
        await self._end_conversations()
        await self._close_connections(sockets or [])
        await self.lifespan.shutdown()

    def _left(self, share: float) -> float:
        """How many seconds are left of a share of the time that stopping may take."""
        left = self._stopped_at + share * self._drain_seconds - time.monotonic()
        return 0.0 if self.force_exit else max(0.0, left)

    async def _end_conversations(self) -> None:
        clients: set[Tab] = self.lifespan.state[CLIENTS]
        logger.info("Diego stops; still chatting: %s.", len(clients))
        room: Room = self.lifespan.state[ROOM]
        under_way = {*self.server_state.tasks, asyncio.create_task(room.drain(self._left(MENTIONS)))}

        def ended() -> bool:
            for client in clients:  # also one whose handshake was under way
                client.drain()
            return all(task.done() for task in under_way)

        await self._wait_until(ended, REPLIES)

    async def _close_connections(self, sockets: list[socket.socket]) -> None:
        for server in self.servers:
            server.close()
        for listening in sockets:
            listening.close()
        state = self.server_state
        for connection in [*state.connections]:
            connection.shutdown()
        await self._wait_until(lambda: not (state.connections or state.tasks), CONNECTIONS)
        for connection in state.connections:
            connection.transport.abort()
        await asyncio.sleep(0)  # until uvicorn knows, or it would complain of tasks that send no response
        for task in state.tasks:
            task.cancel()
        await self._wait_until(lambda: not state.tasks, TASKS)

    async def _wait_until(self, condition: Callable[[], bool], share: float) -> None:
        while not condition() and self._left(share):  # noqa: ASYNC110 - uvicorn does not tell
            await asyncio.sleep(LOOK_SECONDS)

    def handle_exit(self, sig: int, frame: FrameType | None) -> None:  # noqa: ARG002 - uvicorn's signature
        """Note that a signal came; a second Ctrl-C is impatient.

        Uvicorn's own would raise the signal again at the end, for another exit status than 0.
        """
        if not self.started:
            self.interrupted = True
            raise KeyboardInterrupt
        self.force_exit = self.should_exit and sig == signal.SIGINT
        self._stopped_at = self._stopped_at or time.monotonic()
        self.should_exit = True


def main(app: str) -> None:
    """Serve the app of that import string as the command line and the settings say, until told to stop."""
    arguments = vars(_parser().parse_args())
    _take_all_file_descriptors()
    reload, workers = arguments.pop("reload"), arguments.pop("workers")
    certificate, key = arguments.pop("ssl_certfile"), arguments.pop("ssl_keyfile")
    try:
        settings = load_settings(**arguments)
        _check_tls(certificate, key)
        if workers > 1:
            _check_workers(settings, reload=reload)
        config = _config(app, settings, certificate, key, reload=reload)
        listening = _bind(settings.host, settings.port)
        if workers > 1:
            config.configure_logging()
            work = partial(_work, config, settings.drain_seconds, listening)
            say_ready = partial(_say_ready, listening, is_ssl=config.is_ssl)
            sys.exit(Workers(work, workers, settings.drain_seconds).run(say_ready))
        server = Server(config, settings.drain_seconds)
        if reload:
            ChangeReload(config, target=partial(_run, server), sockets=[listening]).run()
        else:
            _run(server, [listening])
    except SetupError as error:
        sys.exit(f"Diego cannot start. {error}")


def _take_all_file_descriptors() -> None:
    """Have as many as may be had without special rights: each connection is one, and 1,024 is a usual limit."""
    _, most = resource.getrlimit(resource.RLIMIT_NOFILE)
    with suppress(ValueError, OSError):  # macOS gives fewer than it says
        resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))


def _check_workers(settings: Settings, *, reload: bool) -> None:
    """Raises SetupError if there cannot be more than one."""
    if reload:
        raise SetupError("--reload is for one process only; leave out --workers.")
    if not settings.redis_url:
        raise SetupError(
            "Several workers need a Redis, by which they know of each other: set DIEGO_REDIS_URL, such as "
            "redis://127.0.0.1:6379/0, or leave out --workers."
        )


def _work(config: uvicorn.Config, drain_seconds: float, listening: socket.socket, lifeline: Lifeline) -> None:
    """Serve as one of several."""
    config.configure_logging()
    _run(Server(config, drain_seconds, lifeline), [listening])


def _say_ready(listening: socket.socket, *, is_ssl: bool) -> None:
    host, port = listening.getsockname()[:2]
    address = _address(host, port)
    http, ws = ("https", "wss") if is_ssl else ("http", "ws")
    chat = _chat_command(f"{ws}://{address}/conversation")
    logger.info("Diego is ready at %s://%s/ (Ctrl-C stops him). To chat: %s", http, address, chat)


def _run(server: Server, sockets: list[socket.socket]) -> None:
    sys.setswitchinterval(SWITCH_SECONDS)
    try:
        server.run(sockets)
    except (KeyboardInterrupt, SystemExit):
        if not server.interrupted:
            raise
        # Else, had the signal come while Python executed a string, as SQLAlchemy does, the status would be SIGINT's.
        _exit()
    if any(thread is not threading.current_thread() and not thread.daemon for thread in threading.enumerate()):
        _exit()  # a reply may never end: nothing can stop its thread, and Python would wait for it


def _give_up() -> None:
    logger.warning("Diego has not stopped within DIEGO_DRAIN_SECONDS, and is ended: something hangs.")
    _exit()


def _exit() -> NoReturn:
    """End with status 0 at once."""
    logging.shutdown()
    os._exit(0)


def _parser() -> argparse.ArgumentParser:
    fields = Settings.model_fields
    parser = argparse.ArgumentParser(description="Serve Diego, the chatbot. Settings are in the README.")
    parser.add_argument("--host", help=fields["host"].description)
    parser.add_argument("--port", help=fields["port"].description)
    parser.add_argument("--log-level", choices=LOG_LEVELS, help="how much to log")
    parser.add_argument("--ssl-certfile", metavar="FILE", help="serve TLS (https, wss) with this certificate, in PEM")
    parser.add_argument("--ssl-keyfile", metavar="FILE", help="the key of the certificate, if it is in another file")
    many = "serve with so many processes, which need a Redis"
    parser.add_argument("--workers", type=_number_of_workers, default=1, metavar="N", help=many)
    parser.add_argument("--reload", action="store_true", help="start anew whenever the code changes")
    return parser


def _number_of_workers(text: str) -> int:
    if not text.isascii() or not text.isdigit() or int(text) < 1:
        raise argparse.ArgumentTypeError(f"there must be 1 or more, and not {text!r}.")
    return int(text)


def _config(app: str, settings: Settings, certificate: str | None, key: str | None, *, reload: bool) -> uvicorn.Config:
    return uvicorn.Config(
        app,
        host=settings.host,
        port=settings.port,
        log_config=_log_config(settings.log_level, settings.log_format),
        backlog=BACKLOG,
        lifespan="on",
        http=HTTPProtocol,
        ws=WebSocketProtocol,
        ws_max_size=MAX_FRAME_BYTES,
        # Compression costs memory for every connection, and short texts gain nothing by it.
        ws_per_message_deflate=False,
        # Uvicorn's own default is to believe whoever is on the same machine.
        forwarded_allow_ips=[*settings.trusted_proxies],
        server_header=False,
        ssl_certfile=certificate,
        ssl_keyfile=key,
        ws_ping_interval=PING_SECONDS,
        ws_ping_timeout=PING_SECONDS,
        reload=reload,
    )


def _check_tls(certificate: str | None, key: str | None) -> None:
    """Find out before training whether TLS can be served. Raises SetupError."""
    if certificate is None:
        if key is not None:
            raise SetupError("--ssl-keyfile names the key of a certificate; name that, too, with --ssl-certfile.")
        return
    for file in filter(None, (certificate, key)):
        try:
            Path(file).read_bytes()
        except OSError as error:
            raise SetupError(f"The file {file} cannot be read: {error.strerror}.") from None
    try:
        ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER).load_cert_chain(certificate, key, password=_no_password)
    except ssl.SSLError as error:
        if error.reason == "KEY_VALUES_MISMATCH":
            raise SetupError(
                f"The key in {key or certificate} is not that of the certificate in {certificate}."
            ) from None
        raise SetupError(
            f"There must be a certificate in {certificate} and its key in {key or 'the same file'}, both in PEM "
            "(--ssl-certfile, --ssl-keyfile)."
        ) from None


def _no_password() -> NoReturn:
    raise SetupError("The certificate's key has a password. Make a file without one: openssl pkey -in KEY -out FILE")


class _OneSentence(logging.Filter):
    """Leaves out what uvicorn adds to the sentence that says why Diego cannot start."""

    def filter(self, record: logging.LogRecord) -> bool:
        return record.getMessage() != "Application startup failed. Exiting."


class _NoProbes(logging.Filter):
    """Leaves out of the access log who only asks whether Diego is there."""

    def filter(self, record: logging.LogRecord) -> bool:
        return not (isinstance(record.args, tuple) and str(record.args[2]).partition("?")[0] in PROBES)


def _log_config(level: str, style: str) -> dict[str, Any]:
    """Uvicorn's logging, with Diego's messages in the place of uvicorn's own about starting and stopping."""
    formatters, handlers = LOGGING_CONFIG["formatters"], LOGGING_CONFIG["handlers"]
    if style == "json" or not (style or sys.stderr.isatty()):
        formatters = {name: {"()": JsonFormatter} for name in formatters}
    else:
        formatters = {name: {**one, "fmt": one["fmt"].replace(" ", " %(ids)s", 1)} for name, one in formatters.items()}
    own = {"handlers": ["default"], "level": level.upper(), "propagate": False}
    # At debug there would be every frame, with what visitors say, and every handshake, with their cookies.
    quiet = {"level": {"debug": "INFO", "info": "WARNING"}.get(level, level.upper())}
    probes: list[str] = [] if level == "debug" else ["no probes"]
    access = {**LOGGING_CONFIG["loggers"]["uvicorn.access"], "level": level.upper(), "filters": probes}
    return {
        **LOGGING_CONFIG,
        "filters": {
            "one sentence": {"()": _OneSentence},
            "no probes": {"()": _NoProbes},
            "tidy": {"()": Tidy, "with_messages": level == "debug"},
        },
        "formatters": formatters,
        "handlers": {name: {**one, "filters": ["one sentence", "tidy"]} for name, one in handlers.items()},
        "root": {"handlers": ["default"], "level": "WARNING"},
        "loggers": {"chatbot": own, "uvicorn": own, "uvicorn.error": quiet, "uvicorn.access": access},
    }


def _bind(host: str, port: int) -> socket.socket:
    """A listening socket. A port in use is found before training, and who comes while training is in the queue."""
    try:
        family, kind, protocol, _, address = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0]
        listening = socket.socket(family, kind, protocol)
        listening.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        # Connections inherit these.
        listening.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, READ_BYTES)
        if hasattr(socket, "TCP_USER_TIMEOUT"):  # on Linux
            listening.setsockopt(socket.IPPROTO_TCP, socket.TCP_USER_TIMEOUT, GONE_SECONDS * 1000)
        listening.bind(address)
        listening.listen(BACKLOG)
    except UnicodeError:
        raise SetupError(f"{host} is no address. Take 127.0.0.1 or 0.0.0.0.") from None
    except OSError as error:
        raise _cannot_bind(host, port, error) from None
    return listening


def _cannot_bind(host: str, port: int, error: OSError) -> SetupError:
    if error.errno == errno.EADDRINUSE:
        return SetupError(
            f"Port {port} of {host} is in use by another program. Stop that program, or take another port: "
            f"python app.py --port {port % 65535 + 1}"
        )
    if error.errno == errno.EACCES:
        return SetupError(f"Port {port} may not be used without special rights. Take one from 1024 to 65535.")
    return SetupError(f"{host} is no address of this machine ({error.strerror}). Take 127.0.0.1 or 0.0.0.0.")


def _chat_command(url: str) -> str:
    """What to type in another terminal, in this folder."""
    urls = [] if url == "ws://127.0.0.1:8000/conversation" else [url]
    return shlex.join([_from_here(Path(sys.executable)), _from_here(ROOT / "client.py"), *urls])


def _from_here(path: Path) -> str:
    return str(path.relative_to(Path.cwd()) if path.is_relative_to(Path.cwd()) else path)


def _address(host: str, port: int) -> str:
    """Where a client on this machine reaches a server that listens there."""
    ip = ip_address(host)
    if ip.is_unspecified:
        host = "127.0.0.1" if ip.version == 4 else "::1"
    return f"{host}:{port}" if ip.version == 4 else f"[{host}]:{port}"
