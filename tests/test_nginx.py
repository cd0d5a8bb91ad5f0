"""deploy/nginx.conf in a real nginx, before a real Diego."""

import json
import re
import signal
import socket
import ssl
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import httpx2
import pytest
from websockets.exceptions import ConnectionClosed, InvalidStatus
from websockets.sync.client import ClientConnection, connect

from chatbot.web.cookies import new_visitor
from chatbot.web.rest import TOO_LARGE
from tests.nginx import ROOT, SITE, changed, listens, nginx_with
from tests.processes import IMPATIENT, SECONDS, STAND_IN, Server, needs, serving_directly, trusting, wait_for
from tests.tabs import HANDSHAKE, frame

pytestmark = [pytest.mark.server, needs("nginx"), needs("openssl")]

NAME = "diego.example.org"


class Nginx:
    """A running nginx and the port of the Diego behind it."""

    def __init__(self, folder: Path, process: subprocess.Popen[bytes], port: int, behind: int) -> None:
        self.folder = folder
        self.process = process
        self.port = port
        self.behind = behind
        self.tls = ssl.create_default_context(cafile=folder / "fullchain.pem")

    def connect(self, path: str = "/conversation", source: str = "127.0.0.1", **options: Any) -> ClientConnection:
        """A WebSocket by the server's name, from that address."""
        tcp = socket.create_connection(("127.0.0.1", self.port), timeout=SECONDS, source_address=(source, 0))
        tls = trusting(self.folder / "fullchain.pem")
        client: ClientConnection = connect(f"wss://{NAME}:{self.port}{path}", sock=tcp, ssl=tls, **options)
        return client

    def get(self, path: str, method: str = "GET", source: str = "127.0.0.1", **options: Any) -> httpx2.Response:
        """The answer to a request by the server's name."""
        transport = httpx2.HTTPTransport(verify=self.tls, local_address=source)
        with httpx2.Client(transport=transport, timeout=SECONDS) as client:
            headers = {"Host": f"{NAME}:{self.port}", **options.pop("headers", {})}
            return client.request(
                method,
                f"https://127.0.0.1:{self.port}{path}",
                headers=headers,
                extensions={"sni_hostname": NAME},
                **options,
            )


def free_ports(count: int) -> list[int]:
    taken = [socket.create_server(("127.0.0.1", 0)) for _ in range(count)]
    ports = [one.getsockname()[1] for one in taken]
    for one in taken:
        one.close()
    return ports


def certify(folder: Path) -> None:
    names = ["-subj", f"/CN={NAME}", "-addext", f"subjectAltName=DNS:{NAME}"]
    files = ["-keyout", "privkey.pem", "-out", "fullchain.pem"]
    command = ["openssl", "req", "-x509", "-newkey", "rsa:2048", "-noenc", "-days", "1", *names, *files]
    subprocess.run(command, cwd=folder, check=True, capture_output=True)


@pytest.fixture
def nginx(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Nginx]:
    """What is in deploy/, but for ports and places."""
    folder = tmp_path_factory.mktemp("nginx")
    certify(folder)
    tls, plain, behind = free_ports(3)
    site = changed(
        SITE,
        {
            "listen 443": f"listen 127.0.0.1:{tls}",
            "listen 80": f"listen 127.0.0.1:{plain}",
            "server 127.0.0.1:8000": f"server 127.0.0.1:{behind}",
            "/etc/ssl/diego": str(folder),
        },
    )
    with nginx_with(folder, site) as process:
        wait_for(lambda: listens(tls) or process.poll() is not None)
        assert process.poll() is None, (folder / "error.log").read_text()
        yield Nginx(folder, process, tls, behind)


@contextmanager
def diego_behind(nginx: Nginx, folder: Path, *command: str, **settings: str) -> Iterator[Server]:
    ours = {"DIEGO_ALLOWED_HOSTS": NAME, "DIEGO_TRUSTED_PROXIES": "127.0.0.1", **settings}
    with serving_directly(folder, *(command or STAND_IN), port=nginx.behind, **ours) as server:
        yield server


def says(client: ClientConnection, text: str) -> str:
    client.send(text)
    return str(client.recv(timeout=SECONDS))


def test_people_chat_through_it_and_their_cookie_is_secure(nginx: Nginx, tmp_path: Path) -> None:
    with diego_behind(nginx, tmp_path) as server, nginx.connect() as client:
        assert says(client, "Hello") == "Hello"
        assert client.response is not None
        cookie = client.response.headers["Set-Cookie"]
        assert cookie.startswith("__Host-diego=")
        assert cookie.endswith("; Secure")
        page = nginx.get("/")
        assert f"wss://{NAME}:{nginx.port}/conversation" in page.text
        turns = nginx.get("/conversation/history", headers={"Cookie": cookie.partition(";")[0]}).json()["turns"]
        assert [turn["prompt"] for turn in turns] == ["Hello"]
        assert server.count() == 1


def test_limits_are_each_address_own(nginx: Nginx, tmp_path: Path) -> None:
    with (
        diego_behind(nginx, tmp_path, DIEGO_MAX_CONNECTIONS_PER_ADDRESS="1"),
        nginx.connect(source="127.0.0.2"),
        nginx.connect(source="127.0.0.3") as other,
    ):
        assert says(other, "Hello") == "Hello"
        pretending = {"X-Forwarded-For": "192.0.2.7"}
        with pytest.raises(InvalidStatus) as refused:
            nginx.connect(source="127.0.0.3", additional_headers=pretending)
    assert refused.value.response.status_code == 429


def test_a_proxy_that_is_not_trusted_is_one_client_to_diego(nginx: Nginx, tmp_path: Path) -> None:
    settings = {"DIEGO_MAX_CONNECTIONS_PER_ADDRESS": "1", "DIEGO_TRUSTED_PROXIES": ""}
    with diego_behind(nginx, tmp_path, **settings) as server, nginx.connect(source="127.0.0.2") as client:
        assert client.response is not None
        assert client.response.headers["Set-Cookie"].startswith("diego=")
        with pytest.raises(InvalidStatus):
            nginx.connect(source="127.0.0.3")
        assert "DIEGO_TRUSTED_PROXIES=127.0.0.1" in server.log


def test_pages_of_other_sites_and_other_names_are_refused(nginx: Nginx, tmp_path: Path) -> None:
    with diego_behind(nginx, tmp_path):
        with nginx.connect(origin=f"https://{NAME}:{nginx.port}") as client:
            assert says(client, "Hello") == "Hello"
        with pytest.raises(InvalidStatus) as refused:
            nginx.connect(origin="https://evil.example")
        assert refused.value.response.status_code == 403
        assert nginx.get("/", headers={"Host": "evil.example"}).status_code == 400


@pytest.mark.parametrize("path", ["/metrics", "/metrics/", "/metrics?x=1"])
def test_the_numbers_are_not_for_everybody(nginx: Nginx, tmp_path: Path, path: str) -> None:
    with diego_behind(nginx, tmp_path):
        assert nginx.get(path).status_code == 404


def test_the_room_is_there_over_a_web_socket(nginx: Nginx, tmp_path: Path) -> None:
    with (
        diego_behind(nginx, tmp_path) as server,
        nginx.connect("/sio/socket.io/?EIO=4&transport=websocket") as client,
    ):
        assert str(client.recv(timeout=SECONDS)).startswith("0")
        client.send('40{"name":"Ana"}')
        assert str(client.recv(timeout=SECONDS)).startswith("40")
        assert str(client.recv(timeout=SECONDS)).startswith('42["welcome",{"name":"Ana"')
        assert server.count() == 1


def test_the_room_is_there_by_polling(nginx: Nginx, tmp_path: Path) -> None:
    path = "/sio/socket.io/?EIO=4&transport=polling"
    with diego_behind(nginx, tmp_path):
        opened = nginx.get(path)
        assert opened.headers["set-cookie"].startswith("__Host-diego=")
        session = f"{path}&sid={json.loads(opened.text[1:])['sid']}"
        assert nginx.get(session, "POST", content='40{"name":"Ana"}').text.lower() == "ok"
        told = ""
        while "welcome" not in told:
            told = nginx.get(session).text
        assert '42["welcome",{"name":"Ana"' in told


def test_a_body_and_a_head_have_limits(nginx: Nginx, tmp_path: Path) -> None:
    with diego_behind(nginx, tmp_path):
        lesson = {"Content-Type": "application/json"}
        large = nginx.get("/conversation/lessons", "POST", headers=lesson, content="x" * 40_000)
        assert (large.status_code, large.json()) == (413, {"error": TOO_LARGE})
        assert nginx.get("/", headers={"X": "x" * 40_000}).status_code == 400


def workers(nginx: Nginx) -> int:
    return len(Path(f"/proc/{nginx.process.pid}/task/{nginx.process.pid}/children").read_text().split())


def test_who_chats_notices_nothing_when_nginx_reads_its_configuration_anew(nginx: Nginx, tmp_path: Path) -> None:
    with diego_behind(nginx, tmp_path), nginx.connect() as client:
        assert says(client, "before") == "before"
        nginx.process.send_signal(signal.SIGHUP)
        wait_for(lambda: workers(nginx) == 2)  # the old one stays as long as somebody is connected
        assert says(client, "after") == "after"
        with nginx.connect() as newcomer:
            assert says(newcomer, "Hello") == "Hello"


def test_people_come_back_when_diego_restarts_behind_it(nginx: Nginx, tmp_path: Path) -> None:
    with diego_behind(nginx, tmp_path) as server, nginx.connect() as client:
        assert says(client, "before") == "before"
        assert client.response is not None
        cookie = client.response.headers["Set-Cookie"].partition(";")[0]
        assert server.stop() == 0
        with pytest.raises(ConnectionClosed) as closed:
            client.recv(timeout=SECONDS)
    assert closed.value.rcvd is not None
    assert closed.value.rcvd.code == 1012
    away = nginx.get("/conversation/history")
    assert (away.status_code, away.headers["Retry-After"]) == (503, "2")
    assert away.json() == {"error": "Diego is away; please come back in a moment."}
    with pytest.raises(InvalidStatus) as refused:
        nginx.connect()
    assert refused.value.response.status_code == 503
    with diego_behind(nginx, tmp_path), nginx.connect(additional_headers={"Cookie": cookie}) as client:
        assert says(client, "after") == "after"
        turns = nginx.get("/conversation/history", headers={"Cookie": cookie}).json()["turns"]
        assert [turn["prompt"] for turn in turns] == ["before", "after"]


def test_a_client_that_reads_nothing_holds_up_nobody_and_is_cut_off(nginx: Nginx, tmp_path: Path) -> None:
    with (
        diego_behind(nginx, tmp_path, *IMPATIENT) as server,
        nginx.connect() as client,
        nginx.tls.wrap_socket(socket.create_connection(("127.0.0.1", nginx.port)), server_hostname=NAME) as raw,
    ):
        raw.sendall(HANDSHAKE.replace(b"Host: diego", f"Host: {NAME}".encode()))
        assert b" 101 " in raw.recv(4096)
        wait_for(lambda: server.count() == 2)
        raw.sendall(b"".join(frame("long 1000000") for _ in range(40)))
        wait_for(lambda: server.count() == 1)
        assert says(client, "Hello") == "Hello"


def test_many_diegos_are_told_apart_by_the_number_of_the_visitor(tmp_path: Path) -> None:
    (block,) = re.findall(r"```nginx\n(.+?)```", (ROOT / "docs/scaling.md").read_text(), re.DOTALL)
    (port,) = free_ports(1)
    site = f'{block}\nserver {{ listen 127.0.0.1:{port}; location / {{ return 200 "$visitor"; }} }}'
    number = new_visitor()
    with nginx_with(tmp_path, site):
        wait_for(lambda: listens(port))
        for cookies in ("diego={}.x", "__Host-diego={}.y", "a=b; __Host-diego={}.z; c=d"):
            headers = {"Cookie": cookies.format(number)}
            assert httpx2.get(f"http://127.0.0.1:{port}/", headers=headers).text == number
        assert httpx2.get(f"http://127.0.0.1:{port}/", headers={"Cookie": "other=x"}).text == ""
