"""What is in deploy/, but for nginx.conf, which has a file of its own."""

import re
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest
import yaml

from chatbot.settings import PREFIX, Settings
from tests.nginx import ROOT
from tests.processes import READY, SECONDS, environment, launched, needs, wait_for

UNIT = (ROOT / "deploy/diego.service").read_text()
DOCKERFILE = (ROOT / "deploy/Dockerfile").read_text()
COMPOSE: dict[str, Any] = yaml.safe_load((ROOT / "deploy/compose.yaml").read_text())


class _Loader(yaml.SafeLoader):
    """Reads what is a compose file's alone: `!reset` takes away what another file says."""


_Loader.add_constructor("!reset", lambda _loader, _node: [])
SCALED: dict[str, Any] = yaml.load((ROOT / "deploy/compose.scale.yaml").read_text(), _Loader)
MOST_EXPOSURE = 20
"""Of 100, as systemd counts; a service without any of the unit's restrictions has 96."""


@pytest.fixture
def unit(tmp_path: Path) -> Path:
    """The unit as if Diego were installed here, as systemd looks for its program."""
    unit = tmp_path / "diego.service"
    unit.write_text(UNIT.replace("/opt/diego", str(ROOT)))
    return unit


@needs("systemd-analyze")
def test_systemd_finds_nothing_wrong_with_the_unit(unit: Path) -> None:
    verified = subprocess.run(["systemd-analyze", "verify", unit], capture_output=True, text=True, check=False)
    assert (verified.returncode, verified.stderr) == (0, "")


@needs("systemd-analyze")
def test_systemd_finds_little_that_the_unit_exposes(unit: Path) -> None:
    command = ["systemd-analyze", "security", "--offline=true", f"--threshold={MOST_EXPOSURE}", str(unit)]
    looked_at = subprocess.run(command, capture_output=True, text=True, check=False)
    assert looked_at.returncode == 0, looked_at.stdout


def test_the_unit_gives_diego_more_time_than_he_takes_to_stop() -> None:
    (grace,) = re.findall(r"^(\d+)s$", COMPOSE["services"]["diego"]["stop_grace_period"])
    (seconds,) = re.findall(r"^TimeoutStopSec=(\d+)$", UNIT, re.MULTILINE)
    assert min(int(seconds), int(grace)) > Settings.model_fields["drain_seconds"].default


@pytest.mark.parametrize(
    "file",
    [
        "deploy/diego.service",
        "deploy/Dockerfile",
        "deploy/compose.yaml",
        "deploy/compose.scale.yaml",
        "deploy/nginx.conf",
        "docs/operating.md",
        "SECURITY.md",
    ],
)
def test_the_settings_that_are_named_are_there(file: str) -> None:
    named = set(re.findall(rf"\b{PREFIX}([A-Z_]+)", (ROOT / file).read_text()))
    assert named
    assert named <= {name.upper() for name in Settings.model_fields}


def test_the_page_for_operators_installs_as_the_image_does() -> None:
    page = (ROOT / "docs/operating.md").read_text()
    assert page.count("make .venv/installed node_modules/installed") == 2
    assert "RUN make .venv/installed node_modules/installed\n" in DOCKERFILE


def test_the_commands_of_the_page_for_operators_are_there() -> None:
    named = set(re.findall(r"python -m chatbot (\w+)", (ROOT / "docs/operating.md").read_text()))
    command = [sys.executable, "-m", "chatbot", "--help"]
    known = subprocess.run(command, cwd=ROOT, env=environment(), capture_output=True, text=True, check=True).stdout
    assert [name for name in named if name not in known] == []


def copied() -> list[str]:
    """What the Dockerfile copies from the project."""
    lines = re.findall(r"^COPY (?!--from)(.+) \S+$", DOCKERFILE, re.MULTILINE)
    return [name for line in lines for name in line.split()]


@pytest.mark.server
def test_what_the_image_has_is_all_that_diego_needs(tmp_path: Path) -> None:
    for name in copied():
        source = ROOT / name
        if source.is_dir():
            shutil.copytree(source, tmp_path / name, ignore=shutil.ignore_patterns("__pycache__"))
        else:
            shutil.copy2(source, tmp_path / name)
    (tmp_path / "hours.csv").write_text("text,reply\nWhen are you open?,From nine to five.\n")
    settings = {"DIEGO_CORPORA": "hours.csv", "PYTHONPATH": "", "DIEGO_PORT": "0"}
    with launched(tmp_path, *re.findall(r'^CMD \["python", "(.+)"\]$', DOCKERFILE, re.MULTILINE), **settings) as server:
        ready = wait_for(lambda: READY.search(server.log), server)
        assert ready is not None
        server.address = ready[1]
        assert server.get("/").status_code == 200
        with server.connect() as client:
            client.send("When are you open?")
            assert client.recv(timeout=SECONDS) == "From nine to five."


def test_the_image_is_sent_what_it_copies_and_nothing_else() -> None:
    sent = (ROOT / "deploy/Dockerfile.dockerignore").read_text().splitlines()
    assert sent[0] == "*"
    assert {line[1:] for line in sent if line.startswith("!")} == {*copied()}


def test_the_image_installs_by_the_makefile() -> None:
    (targets,) = re.findall(r"^RUN make (.+)$", DOCKERFILE, re.MULTILINE)
    planned = subprocess.run(
        ["make", "--dry-run", "--always-make", *targets.split()],
        cwd=ROOT,
        env=environment(),
        capture_output=True,
        text=True,
        check=True,
    ).stdout
    assert "sync\n" in planned
    assert "npm ci --omit=dev" in planned
    assert "--dev\n" not in planned


def test_the_container_may_do_little() -> None:
    diego = COMPOSE["services"]["diego"]
    assert (diego["read_only"], diego["cap_drop"]) == (True, ["ALL"])
    assert diego["build"]["dockerfile"] == "deploy/Dockerfile"
    assert (ROOT / "deploy" / diego["build"]["context"] / diego["build"]["dockerfile"]).resolve().exists()
    (volume,) = diego["volumes"]
    assert f"VOLUME {volume.partition(':')[2]}\n" in DOCKERFILE
    assert re.search(r"^USER diego$", DOCKERFILE, re.MULTILINE)


def test_beside_nginx_this_machine_alone_reaches_the_container() -> None:
    diego = COMPOSE["services"]["diego"]
    assert diego["ports"] == ["127.0.0.1:8000:8000"]
    assert "DIEGO_ADMIN_TOKEN" in diego["environment"]


def test_nginx_in_a_container_finds_diego() -> None:
    nginx = COMPOSE["services"]["nginx"]
    (script,) = nginx["command"][2:]
    (changes,) = re.findall("sed 's/(.+?)/(.+?)/'", script)
    assert (ROOT / "deploy/nginx.conf").read_text().count(changes[0]) == 1
    assert changes[1] == "server diego:8000"
    network = COMPOSE["networks"]["inside"]["ipam"]["config"][0]["subnet"]
    assert COMPOSE["services"]["diego"]["environment"]["DIEGO_TRUSTED_PROXIES"] == network


def test_several_containers_are_one_diego() -> None:
    diego = SCALED["services"]["diego"]
    assert diego["scale"] > 1
    assert diego["ports"] == []  # they cannot all have the same one
    settings = diego["environment"]
    for name, service, user in (("DATABASE", "postgresql", "diego"), ("REDIS", "redis", None)):
        url = urlsplit(settings[f"DIEGO_{name}_URL"].replace(":${POSTGRES_PASSWORD:?is to be set}", ""))
        assert (url.hostname, url.username) == (service, user)
        assert "healthcheck" in SCALED["services"][service]
        assert diego["depends_on"][service] == {"condition": "service_healthy"}
        assert SCALED["services"][service]["networks"] == COMPOSE["services"]["diego"]["networks"]
    postgresql = SCALED["services"]["postgresql"]["environment"]
    assert settings["DIEGO_DATABASE_URL"].endswith(f"@postgresql/{postgresql['POSTGRES_DB']}")
    assert postgresql["POSTGRES_USER"] == "diego"
    # What is worked out has to go where the root file system may be written.
    (volume,) = COMPOSE["services"]["diego"]["volumes"]
    assert diego["working_dir"] == volume.partition(":")[2]
    assert diego["command"] == ["python", f"{settings['PYTHONPATH']}/app.py"]
    assert f"WORKDIR {settings['PYTHONPATH']}\n" in DOCKERFILE
