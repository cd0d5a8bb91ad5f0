import socket
import ssl
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import httpx2
import pytest
from websockets.sync.client import connect
from websockets.typing import Origin

from chatbot.web.protocol import HEAD_SECONDS
from tests.nginx import ROOT
from tests.processes import SECONDS, STAND_IN, Server, environment, launched, needs, serving_directly, trusting

pytestmark = [pytest.mark.server, needs("openssl")]

CLIENT = str(ROOT / "client.py")


def make_certificate(folder: Path, name: str = "own") -> tuple[str, str]:
    """The files of a certificate for this machine, signed by itself, and of its key."""
    certificate, key = str(folder / f"{name}.crt"), str(folder / f"{name}.key")
    subject = ["-subj", "/CN=localhost", "-addext", "subjectAltName=DNS:localhost,IP:127.0.0.1"]
    new = ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes", "-days", "2"]
    openssl("req", "-x509", *new, *subject, "-keyout", key, "-out", certificate)
    return certificate, key


def openssl(*arguments: str) -> None:
    subprocess.run(["openssl", *arguments], check=True, capture_output=True, timeout=SECONDS)


@pytest.fixture(scope="module")
def certificate(tmp_path_factory: pytest.TempPathFactory) -> tuple[str, str]:
    return make_certificate(tmp_path_factory.mktemp("certificate"))


@pytest.fixture(scope="module")
def tls_server(tmp_path_factory: pytest.TempPathFactory, certificate: tuple[str, str]) -> Iterator[Server]:
    file, key = certificate
    command = (*STAND_IN, "--ssl-certfile", file, "--ssl-keyfile", key)
    with serving_directly(tmp_path_factory.mktemp("server"), *command) as server:
        yield server


def run_client(folder: Path, *arguments: str, said: str = "", **settings: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, CLIENT, *arguments],
        cwd=folder,
        env=environment(XDG_STATE_HOME=str(folder), **settings),
        input=said,
        capture_output=True,
        check=False,
        text=True,
        timeout=SECONDS,
    )


def test_it_says_where_it_is(tls_server: Server) -> None:
    assert f"Diego is ready at https://{tls_server.address}/ " in tls_server.log
    assert f"client.py wss://{tls_server.address}/conversation\n" in tls_server.log


def test_cookies_are_secure_and_browsers_come_by_tls_only(tls_server: Server, certificate: tuple[str, str]) -> None:
    tls = ssl.create_default_context(cafile=certificate[0])
    page = httpx2.get(f"https://{tls_server.address}/", verify=tls, timeout=SECONDS)
    assert page.headers["strict-transport-security"] == "max-age=31536000"
    assert page.headers["set-cookie"].startswith("__Host-diego=")
    assert page.headers["set-cookie"].endswith("; Secure")
    assert f"client.py wss://{tls_server.address}/conversation<" in page.text
    origin = Origin(f"https://{tls_server.address}")
    with connect(f"wss://{tls_server.address}/conversation", ssl=trusting(certificate[0]), origin=origin) as client:
        client.send("Hi")
        assert client.recv(timeout=SECONDS) == "Hi"
        assert client.response is not None
        assert client.response.headers["Set-Cookie"].startswith("__Host-diego=")


@pytest.mark.parametrize("begun", [b"", b"\x16\x03\x01\x02\x00\x01"])
def test_a_handshake_that_does_not_come_is_waited_for_as_long_as_a_head(tls_server: Server, begun: bytes) -> None:
    host, _, port = tls_server.address.rpartition(":")
    with socket.create_connection((host, int(port)), timeout=2 * HEAD_SECONDS) as client:
        client.send(begun)
        assert client.recv(1) == b""


def test_the_terminal_client_trusts_what_ssl_cert_file_names(
    tls_server: Server, certificate: tuple[str, str], tmp_path: Path
) -> None:
    url = f"https://{tls_server.address}"
    answered = run_client(tmp_path, url, "--once", "Hi", SSL_CERT_FILE=certificate[0])
    assert (answered.stdout, answered.stderr, answered.returncode) == ("Hi\n", "", 0)
    said = run_client(tmp_path, url, "--room", said="Hi\n", SSL_CERT_FILE=certificate[0])
    assert (said.stderr, said.returncode) == ("", 0)


@pytest.mark.parametrize("how", [("--once", "Hi"), ("--room",)])
def test_and_nothing_else(tls_server: Server, tmp_path: Path, how: tuple[str, ...]) -> None:
    refused = run_client(tmp_path, f"https://{tls_server.address}", *how, said="Hi\n")
    assert refused.returncode == 1
    assert "(self-signed certificate; if you trust its certificate, name it in SSL_CERT_FILE)" in refused.stderr


def refusal(folder: Path, *flags: str) -> str:
    """What a server that cannot start prints."""
    with launched(folder, *STAND_IN, "--port", "0", *flags) as server:
        assert server.process.wait(SECONDS) == 1
        return server.log


def test_a_key_without_a_certificate_is_one_sentence(tmp_path: Path) -> None:
    assert refusal(tmp_path, "--ssl-keyfile", "own.key") == (
        "Diego cannot start. --ssl-keyfile names the key of a certificate; name that, too, with --ssl-certfile.\n"
    )


def test_files_that_cannot_be_served_with_are_one_sentence(tmp_path: Path) -> None:
    make_certificate(tmp_path)
    make_certificate(tmp_path, "other")
    secret = ("-aes256", "-passout", "pass:secret")
    openssl("pkey", "-in", str(tmp_path / "own.key"), *secret, "-out", str(tmp_path / "locked.key"))
    (tmp_path / "text").write_text("no certificate")
    sentences = {
        ("nowhere", "own.key"): "The file nowhere cannot be read: No such file or directory.",
        ("own.crt", "."): "The file . cannot be read: Is a directory.",
        ("own.crt", "other.key"): "The key in other.key is not that of the certificate in own.crt.",
        (
            "own.crt",
            "text",
        ): "There must be a certificate in own.crt and its key in text, both in PEM (--ssl-certfile, ",
        ("text", "own.key"): "There must be a certificate in text and its key in own.key, both in PEM (--ssl-certfile,",
        ("own.crt", "locked.key"): "The certificate's key has a password. Make a file without one: openssl pkey -in",
    }
    for (certificate, key), sentence in sentences.items():
        said = refusal(tmp_path, "--ssl-certfile", certificate, "--ssl-keyfile", key)
        assert said.startswith(f"Diego cannot start. {sentence}")
        assert said.count("\n") == 1
    said = refusal(tmp_path, "--ssl-certfile", "own.crt")
    assert said.startswith("Diego cannot start. There must be a certificate in own.crt and its key in the same file, ")
