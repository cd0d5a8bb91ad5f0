from pathlib import Path

import pytest

from chatbot import SetupError
from chatbot.settings import ENV_FILE, PREFIX, Settings, load_settings

README = (Path(__file__).parent.parent / "README.md").read_text()
EXAMPLE = (Path(__file__).parent.parent / ".env.example").read_text()


@pytest.fixture(autouse=True)
def _elsewhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """No setting of the developer's, and no `.env`."""
    monkeypatch.chdir(tmp_path)
    for name in Settings.model_fields:
        monkeypatch.delenv(PREFIX + name.upper(), raising=False)


def write_env_file(text: str) -> None:
    Path(ENV_FILE).write_text(text)


def refusal(**flags: object) -> str:
    with pytest.raises(SetupError) as refused:
        load_settings(**flags)
    return str(refused.value)


def test_flags_win_over_the_environment_which_wins_over_the_file(monkeypatch: pytest.MonkeyPatch) -> None:
    assert load_settings().port == 8000
    write_env_file("DIEGO_PORT=8001\nOTHER=x\n")
    assert load_settings().port == 8001
    monkeypatch.setenv("DIEGO_PORT", "8002")
    assert load_settings().port == 8002
    assert load_settings(port="8003").port == 8003
    assert load_settings(port=None).port == 8002


def test_lists_are_split(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DIEGO_CORPORA", "chatterbot.corpus.spanish, my corpus.yml,")
    monkeypatch.setenv("DIEGO_DEFAULT_RESPONSES", "Who knows, friend?|No idea.")
    settings = load_settings()
    assert settings.corpora == ("chatterbot.corpus.spanish", "my corpus.yml")
    assert settings.default_responses == ("Who knows, friend?", "No idea.")


def test_hosts_and_proxies_are_understood(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DIEGO_ALLOWED_HOSTS", "Chat.Example.org, *.example.com, *")
    monkeypatch.setenv("DIEGO_TRUSTED_PROXIES", "10.0.0.5, 10.1.0.0/16, 2001:db8::/32")
    assert load_settings().allowed_hosts == ("chat.example.org", "*.example.com", "*")
    assert load_settings().trusted_proxies == ("10.0.0.5", "10.1.0.0/16", "2001:db8::/32")
    monkeypatch.setenv("DIEGO_TRUSTED_PROXIES", "10.0.0.5, *")
    assert load_settings().trusted_proxies == ("*",)  # so that it is none among others to uvicorn


def test_the_keys_are_split_and_not_shown(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DIEGO_SECRET_KEY", "the newest of the keys, an older one of them")
    settings = load_settings()
    assert settings.secret_key == ("the newest of the keys", "an older one of them")
    assert "key" not in repr(settings)


def test_a_key_that_is_refused_is_not_shown(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DIEGO_SECRET_KEY", "long enough for a key,tooshortforakey")
    assert refusal() == (
        "DIEGO_SECRET_KEY is not shown here; it must be keys of 16 characters or more, separated by commas."
    )


@pytest.mark.parametrize(
    ("database", "key_file"),
    [("sqlite:///diego.db", "diego.db.key"), ("sqlite:////srv/diego/bot.sqlite", "/srv/diego/bot.sqlite.key")],
)
def test_the_key_file_is_beside_the_database(database: str, key_file: str) -> None:
    assert load_settings(database_url=database).key_file == Path(key_file)


@pytest.mark.parametrize(
    ("name", "value", "sentence"),
    [
        ("DIEGO_PORT", "abc", "DIEGO_PORT is 'abc'; it must be a whole number from 0 to 65535."),
        ("DIEGO_PORT", "65536", "DIEGO_PORT is '65536'; it must be a whole number from 0 to 65535."),
        ("DIEGO_PORT", "-1", "DIEGO_PORT is '-1'; it must be a whole number from 0 to 65535."),
        ("diego_prot", "80", "There is no setting diego_prot. Did you mean DIEGO_PORT?"),
        (
            "DIEGO_DATABASE_URL",
            "sqlite:///file:x",
            "DIEGO_DATABASE_URL is 'sqlite:///file:x'; it must be sqlite:///PATH",
        ),
        ("DIEGO_HOST", "", "DIEGO_HOST is empty; it must be an address of this machine."),
        ("DIEGO_LOG_LEVEL", "loud", "DIEGO_LOG_LEVEL is 'loud'; it must be one of critical,"),
        ("DIEGO_DATABASE_URL", "sqlite://", "DIEGO_DATABASE_URL is 'sqlite://'; it must be sqlite:///PATH"),
        ("DIEGO_DATABASE_URL", "sqlite:///:memory:", "DIEGO_DATABASE_URL is 'sqlite:///:memory:'; it must be"),
        ("DIEGO_DATABASE_URL", "mysql:///x", "DIEGO_DATABASE_URL is 'mysql:///x'; it must be sqlite:///PATH"),
        ("DIEGO_CORPORA", " , ", "DIEGO_CORPORA is empty; it must be one corpus or more"),
        ("DIEGO_REQUIRE_ORIGIN", "maybe", "DIEGO_REQUIRE_ORIGIN is 'maybe'; it must be true or false."),
        ("DIEGO_ALLOWED_HOSTS", "example.org:80", "DIEGO_ALLOWED_HOSTS is 'example.org:80'; it must be names such as"),
        ("DIEGO_ALLOWED_HOSTS", "a.*.org", "DIEGO_ALLOWED_HOSTS is 'a.*.org'; it must be names such as example.org"),
        ("DIEGO_TRUSTED_PROXIES", "proxy", "DIEGO_TRUSTED_PROXIES is 'proxy'; it must be addresses and networks"),
        ("DIEGO_TRUSTED_PROXIES", "10.0.0.1/8", "DIEGO_TRUSTED_PROXIES is '10.0.0.1/8'; it must be addresses and"),
        ("DIEGO_MAX_CONNECTIONS", "-1", "DIEGO_MAX_CONNECTIONS is '-1'; it must be a whole number from 0 on."),
        ("DIEGO_MAX_CONNECTIONS_PER_ADDRESS", "few", "DIEGO_MAX_CONNECTIONS_PER_ADDRESS is 'few'; it must be a whole"),
        ("DIEGO_MAX_CONNECTIONS_PER_VISITOR", "", "DIEGO_MAX_CONNECTIONS_PER_VISITOR is empty; it must be a whole"),
        ("DIEGO_PROT", "80", "There is no setting DIEGO_PROT. Did you mean DIEGO_PORT?"),
        ("DIEGO_XYZZY", "80", "There is no setting DIEGO_XYZZY. There are DIEGO_HOST, DIEGO_PORT,"),
    ],
)
def test_a_bad_setting_is_refused_with_its_name_its_value_and_what_was_expected(
    monkeypatch: pytest.MonkeyPatch, name: str, value: str, sentence: str
) -> None:
    write_env_file(f"{name}={value}\n")
    assert refusal().startswith(sentence)
    write_env_file("")
    monkeypatch.setenv(name, value)
    assert refusal().startswith(sentence)


def test_every_bad_setting_is_named() -> None:
    sentence = refusal(port="abc", log_level="loud")
    assert "DIEGO_PORT" in sentence
    assert "DIEGO_LOG_LEVEL" in sentence


def test_a_file_that_is_not_text_is_refused() -> None:
    Path(ENV_FILE).write_bytes(b"DIEGO_HOST=\xff\xfe")
    assert refusal().startswith("The file .env cannot be read as UTF-8 text")


def default(name: str) -> str:
    value = Settings.model_fields[name].default
    if isinstance(value, bool):
        return str(value).lower()
    separator = {"corpora": ",", "skills": ","}.get(name, "")
    return separator.join(value) if isinstance(value, tuple) else str("" if value is None else value)


@pytest.mark.parametrize("name", Settings.model_fields)
def test_every_setting_stands_in_the_readme_and_in_the_example(name: str) -> None:
    shown = f"`{default(name)}`".replace("|", "\\|") if default(name) else ""
    description = (Settings.model_fields[name].description or "").replace("`|`", "`\\|`")
    assert f"| `{PREFIX}{name.upper()}` | {shown} | {description} |" in README
    assert f"\n# {PREFIX}{name.upper()}={default(name)}\n" in EXAMPLE


def test_the_readme_and_the_example_name_no_other_setting() -> None:
    assert README.count(f"\n| `{PREFIX}") == EXAMPLE.count(f"\n# {PREFIX}") == len(Settings.model_fields)
