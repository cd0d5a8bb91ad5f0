"""An nginx of the tests' own, with what is in deploy/nginx.conf."""

import os
import socket
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

ROOT = Path(__file__).parent.parent
SITE = (ROOT / "deploy/nginx.conf").read_text()
_MAIN = """
{user}
worker_processes 1;
daemon off;
pid nginx.pid;
error_log error.log;
events {{ worker_connections 4096; }}
http {{
    access_log off;
    client_body_temp_path body; proxy_temp_path proxy; fastcgi_temp_path fastcgi; uwsgi_temp_path uwsgi;
    scgi_temp_path scgi;
    include site.conf;
}}
"""


def listens(port: int) -> bool:
    """Whether anybody listens on that port."""
    with socket.socket() as client:
        return client.connect_ex(("127.0.0.1", port)) == 0


def changed(text: str, changes: dict[str, str]) -> str:
    """The text with each of these, which must be in it, replaced."""
    for written, here in changes.items():
        assert written in text, f"{written!r} is not in deploy/nginx.conf"
        text = text.replace(written, here)
    return text


@contextmanager
def nginx_with(folder: Path, site: str) -> Iterator["subprocess.Popen[bytes]"]:
    """An nginx with that site, as long as the block lasts; whoever uses it waits until it listens."""
    (folder / "site.conf").write_text(site)
    (folder / "nginx.conf").write_text(_MAIN.format(user="user root;" if os.geteuid() == 0 else ""))
    process = subprocess.Popen(["nginx", "-p", str(folder), "-c", "nginx.conf", "-e", "error.log"])
    try:
        yield process
    finally:
        process.terminate()
        process.wait(60)
