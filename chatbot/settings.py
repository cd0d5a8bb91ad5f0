"""Every setting: its name, type, default and a line of help. Nothing else reads the environment."""

import difflib
import os
import re
from ipaddress import ip_address, ip_network
from pathlib import Path
from typing import Annotated, Any

from dotenv import dotenv_values
from pydantic import AfterValidator, BeforeValidator, Field, ValidationError
from pydantic_settings import BaseSettings, NoDecode, SettingsConfigDict

from chatbot import SetupError

PREFIX = "DIEGO_"
ENV_FILE = ".env"
MIN_KEY_CHARACTERS = 16
_ORIGIN = re.compile(r"https?://[a-z0-9.-]+(:[0-9]+)?|https?://\[[0-9a-f:]+\](:[0-9]+)?")
_HOST = re.compile(r"\*|(\*\.)?[a-z0-9_-]+(\.[a-z0-9_-]+)*")
_POSTGRESQL = re.compile(r"postgresql\+psycopg://[^/?#]*/[^/?#]+(\?[^#]*)?")
_REDIS = r"^((rediss?://[^/?#]+(/[0-9]*)?|unix://[^?#]+)(\?[^#]*)?)?$"
_PASSWORD = re.compile(r"(://[^:@/]*:)[^@/]*(@)")
LOG_FORMATS = ("text", "json")
_TOKEN = f"^([!-~]{{{MIN_KEY_CHARACTERS},}})?$"
LOG_LEVELS = ("critical", "error", "warning", "info", "debug")


def _setting(default: object, *, expected: str, help: str, **constraints: Any) -> Any:  # noqa: A002 - argparse's word
    return Field(default, description=help, json_schema_extra={"expected": expected}, **constraints)


def _separated_by(separator: str) -> BeforeValidator:
    def split(value: Any) -> Any:
        if not isinstance(value, str):
            return value
        return tuple(part.strip() for part in value.split(separator) if part.strip())

    return BeforeValidator(split)


def _none_if_empty(value: Any) -> Any:
    return None if value == "" else value


def _database(url: str) -> str:
    if _POSTGRESQL.fullmatch(url):
        return url
    scheme, _, path = url.partition(":///")
    # A database in memory is another one for each thread; what follows a ? is for SQLAlchemy's driver, not for people.
    if scheme != "sqlite" or not path or path.startswith((":memory:", "file:")) or "?" in path:
        raise ValueError
    return url


def _long_enough(keys: tuple[str, ...]) -> tuple[str, ...]:
    if any(len(key) < MIN_KEY_CHARACTERS for key in keys):
        raise ValueError
    return keys


def _origins(origins: tuple[str, ...]) -> tuple[str, ...]:
    # As browsers write them: in lower case, punycode, and without the port that goes with the scheme.
    if not all(_ORIGIN.fullmatch(origin) for origin in origins):
        raise ValueError
    return origins


def _hosts(hosts: tuple[str, ...]) -> tuple[str, ...]:
    hosts = tuple(host.lower() for host in hosts)
    if not all(_HOST.fullmatch(host) for host in hosts):
        raise ValueError
    return hosts


def _proxies(proxies: tuple[str, ...]) -> tuple[str, ...]:
    if "*" in proxies:
        return ("*",)
    for proxy in proxies:
        (ip_network if "/" in proxy else ip_address)(proxy)
    return proxies


class Settings(BaseSettings):
    """What `DIEGO_…` says in the environment, or else in `.env`."""

    model_config = SettingsConfigDict(env_prefix=PREFIX, env_file=ENV_FILE, extra="ignore", frozen=True)

    host: str = _setting(
        "127.0.0.1",
        expected="an address of this machine",
        help="address to listen on; `0.0.0.0` lets other machines in",
        min_length=1,
    )
    port: int = _setting(
        8000,
        expected="a whole number from 0 to 65535",
        help="port to listen on; `0` takes a free one",
        ge=0,
        le=65535,
    )
    log_level: str = _setting(
        "info",
        expected=f"one of {', '.join(LOG_LEVELS)}",
        help="how much to log: " + ", ".join(f"`{level}`" for level in LOG_LEVELS),
        pattern=f"^({'|'.join(LOG_LEVELS)})$",
    )
    log_format: str = _setting(
        "",
        expected=f"{' or '.join(LOG_FORMATS)}, or empty",
        help="how to log: `text`, for people, or `json`, an object in each line. Empty: `text` on a terminal, `json` "
        "elsewhere",
        pattern=f"^({'|'.join(LOG_FORMATS)})?$",
    )
    drain_seconds: float = _setting(
        10,
        expected="a number of seconds from 1 to 3600",
        help="how long it may take to stop, in seconds: replies under way arrive, then the connections are closed with "
        "1012; after that time the process is gone, whatever hangs",
        ge=1,
        le=3600,
    )
    reply_seconds: float = _setting(
        5,
        expected="a number of seconds from 0.1 to 600",
        help="how long a reply may take, in seconds; then it comes without the skill that hangs: "
        "[docs/skills.md](docs/skills.md)",
        ge=0.1,
        le=600,
    )
    database_url: Annotated[str, AfterValidator(_database)] = _setting(
        "sqlite:///diego.db",
        expected="sqlite:///PATH, with the path of a file, or postgresql+psycopg://USER:PASSWORD@HOST/DATABASE",
        help="where Diego keeps what he knows; what he keeps of visitors is beside it, in a file of the same name with "
        "`.visitors` after it. Or `postgresql+psycopg://USER:PASSWORD@HOST/DATABASE`, a database of PostgreSQL's in "
        "which all is kept",
    )
    redis_url: str = _setting(
        "",
        expected="redis://HOST:PORT/NUMBER, rediss://… with TLS or unix://PATH, or empty",
        help="the Redis by which several processes are one Diego, such as `redis://127.0.0.1:6379/0`: "
        "[docs/scaling.md](docs/scaling.md). Empty: there is but one process",
        pattern=_REDIS,
    )
    secret_key: Annotated[tuple[str, ...], NoDecode, _separated_by(","), AfterValidator(_long_enough)] = _setting(
        (),
        expected=f"keys of {MIN_KEY_CHARACTERS} characters or more, separated by commas",
        help="what the visitors' cookies are signed with; the first key signs, what was signed with others is still "
        "known. Empty: a key in a file beside the database, of the same name with `.key` after it, made at the first "
        "start",
        repr=False,
    )
    allowed_origins: Annotated[tuple[str, ...], NoDecode, _separated_by(","), AfterValidator(_origins)] = _setting(
        (),
        expected="origins such as https://example.org, in lower case and without a path, separated by commas",
        help="the other sites whose pages may connect to Diego and take their visitors into the room, as origins like "
        "`https://example.org`, separated by commas",
    )
    require_origin: bool = _setting(
        default=False,
        expected="true or false",
        help="`true`: a WebSocket without an origin, as that of the terminal client, is refused",
    )
    allowed_hosts: Annotated[tuple[str, ...], NoDecode, _separated_by(","), AfterValidator(_hosts)] = _setting(
        (),
        expected="names such as example.org or *.example.org, without a port, or *, separated by commas",
        help="the names by which Diego may be asked besides IP addresses, `localhost` and this machine's own: "
        "`example.org`, `*.example.org` or, for any, `*`, separated by commas",
    )
    trusted_proxies: Annotated[tuple[str, ...], NoDecode, _separated_by(","), AfterValidator(_proxies)] = _setting(
        (),
        expected="addresses and networks such as 10.0.0.5 or 10.1.0.0/16, or *, separated by commas",
        help="the proxies that are believed when they say for whom (`X-Forwarded-For`) and by which scheme "
        "(`X-Forwarded-Proto`) they come: addresses and networks like `10.1.0.0/16`, separated by commas. `*` believes "
        "everybody, who may then pretend to be anybody",
    )
    max_connections: int = _setting(
        10_000,
        expected="a whole number from 0 on",
        help="how many WebSockets, and sessions of clients that poll, there may be at a time; `0` sets no limit",
        ge=0,
    )
    max_connections_per_address: int = _setting(
        200,
        expected="a whole number from 0 on",
        help="how many of them from one IPv4 address or one /64 network of IPv6; `0` sets no limit",
        ge=0,
    )
    max_connections_per_visitor: int = _setting(
        20,
        expected="a whole number from 0 on",
        help="how many of them of one visitor; `0` sets no limit",
        ge=0,
    )
    rate_limit: int = _setting(
        60,
        expected="a whole number from 0 on",
        help="how many messages and other requests a visitor may send in a minute; `0` is as many as they like",
        ge=0,
    )
    rate_limit_per_address: int = _setting(
        600,
        expected="a whole number from 0 on",
        help="the same for all visitors of one address together",
        ge=0,
    )
    max_waiting_replies: int = _setting(
        1000,
        expected="a whole number from 0 on",
        help="how many replies may wait to be computed; who comes then, or when the first has waited for 0.4 s, "
        "is asked to try again in a moment. `0`: nobody is",
        ge=0,
    )
    admin_token: str = _setting(
        "",
        expected=f"{MIN_KEY_CHARACTERS} characters or more, ASCII and without spaces",
        help="what operators sign in with at `/insights`, where they see what Diego could not answer, and answer it, "
        "and what `/metrics` then asks for. Empty: there is no such page, and `/metrics` is for all",
        pattern=_TOKEN,
        repr=False,
    )
    corpora: Annotated[tuple[str, ...], NoDecode, _separated_by(",")] = _setting(
        (
            "chatbot.corpus.english",
            "chatbot.corpus.spanish",
            "chatbot.corpus.french",
            "chatterbot.corpus.english",
        ),
        expected="one corpus or more, separated by commas",
        help="what Diego is trained on: corpora, files of your own and folders of them, separated by commas",
        min_length=1,
    )
    skills: Annotated[tuple[str, ...], NoDecode, _separated_by(",")] = _setting(
        (
            "chatbot.bot.skills.count.ClientCount",
            "chatbot.bot.skills.clock.Clock",
            "chatbot.bot.skills.arithmetic.Arithmetic",
            "chatbot.bot.skills.units.Units",
        ),
        expected="import paths of ChatterBot logic adapters, separated by commas",
        help="the logic adapters that are asked before what Diego was trained on, by their import paths, separated by "
        "commas: [docs/skills.md](docs/skills.md)",
    )
    threshold: Annotated[float | None, BeforeValidator(_none_if_empty)] = _setting(
        None,
        expected="a number from 0 to 1",
        help="how probable a reply must be to be given; otherwise Diego says that he does not know. Empty: worked out "
        "while training",
        ge=0,
        le=1,
    )
    default_responses: Annotated[tuple[str, ...], NoDecode, _separated_by("|")] = _setting(
        (),
        expected="sentences, separated by |",
        help="what Diego says when he does not know, separated by `|`; he picks one. Empty: sentences of his own, in "
        "English, Spanish or French",
    )

    @property
    def keeps_files(self) -> bool:
        """Whether the database is a file, beside which there are others."""
        return self.database_url.startswith("sqlite:")

    @property
    def visitors_url(self) -> str:
        """The database of what is kept of visitors: one of their own, so that they need not wait while Diego trains."""
        return f"{self.database_url}.visitors" if self.keeps_files else self.database_url

    @property
    def key_file(self) -> Path:
        """Where the secret key is if none is set."""
        return Path(f"{self.database_url.partition(':///')[2]}.key")


def load_settings(**flags: object) -> Settings:
    """The settings; a flag that is not None wins over the environment, and the environment over `.env`.

    Raises SetupError, with a sentence for each setting that is unknown or wrong.
    """
    try:
        _refuse_unknown(Path(ENV_FILE))
        return Settings(**{name: value for name, value in flags.items() if value is not None})  # type: ignore[arg-type]
    except ValidationError as error:
        raise SetupError(
            " ".join(_sentence(str(problem["loc"][0]), problem["input"]) for problem in error.errors())
        ) from None
    except (OSError, UnicodeDecodeError) as error:
        raise SetupError(f"The file {ENV_FILE} cannot be read as UTF-8 text: {error}.") from None


def _refuse_unknown(env_file: Path) -> None:
    known = [PREFIX + name.upper() for name in Settings.model_fields]
    given = [*os.environ, *(dotenv_values(env_file) if env_file.exists() else ())]
    for name in given:
        if name.upper().startswith(PREFIX) and name.upper() not in known:
            near = difflib.get_close_matches(name.upper(), known, n=1)
            hint = f"Did you mean {near[0]}?" if near else f"There are {', '.join(known)}."
            raise SetupError(f"There is no setting {name}. {hint}")


def _sentence(field: str, value: object) -> str:
    about = Settings.model_fields[field]
    expected = about.json_schema_extra["expected"] if isinstance(about.json_schema_extra, dict) else ""
    shown = _PASSWORD.sub(r"\1…\2", repr(value)) if about.repr else "not shown here"
    return f"{PREFIX}{field.upper()} is {shown if value else 'empty'}; it must be {expected}."
