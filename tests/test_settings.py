"""Settings: read once, all problems at once, documents in step."""

from __future__ import annotations

from pathlib import Path

import pytest

from app.commands.settings_doc import env_example, markdown, rows
from app.platform import database_config
from app.settings import DEVELOPMENT_SECRET, Settings, SettingsError, load

ROOT = Path(__file__).resolve().parents[1]


@pytest.fixture(autouse=True)
def _clean(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    for name in Settings.model_fields:
        monkeypatch.delenv(name.upper(), raising=False)
    monkeypatch.chdir(tmp_path)


def test_development_needs_nothing() -> None:
    settings = load()
    assert (settings.env, settings.port, settings.database_url) == ("development", 8000, None)
    assert settings.introspection


def test_production_names_every_problem_at_once() -> None:
    with pytest.raises(SettingsError) as refused:
        load(env="production", port=8000)
    text = str(refused.value)
    for variable in ("JWT_SECRET", "DATABASE_URL", "SMTP_HOST", "ALLOWED_HOSTS", "PUBLIC_URL", "BASE_DOMAIN"):
        assert variable in text
    assert DEVELOPMENT_SECRET not in text


def test_wrong_values_are_named_with_their_variable(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PORT", "eighty")
    monkeypatch.setenv("SMTP_TLS", "maybe")
    with pytest.raises(SettingsError) as refused:
        load()
    assert "PORT:" in str(refused.value)
    assert "SMTP_TLS:" in str(refused.value)


def test_a_wrong_value_hides_no_other_problem(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PORT", "eighty")
    monkeypatch.setenv("ALLOWED_HOSTS", "learn.example.org")
    monkeypatch.setenv("CORS_ORIGINS", "[1]")
    monkeypatch.setenv("DATABASE_URL", "mysql://root:s3cret@db/app")
    with pytest.raises(SettingsError) as refused:
        load(env="production")
    named = [line.split(":")[0].strip() for line in str(refused.value).splitlines()]
    assert sorted(named) == [
        "ALLOWED_HOSTS", "BASE_DOMAIN", "CORS_ORIGINS", "CREDENTIALS_SECRET", "DATABASE_URL", "JWT_SECRET", "PORT",
        "PUBLIC_URL", "SMTP_HOST",
    ]  # fmt: skip
    assert "s3cret" not in str(refused.value)


def test_lists_are_read_as_json(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ALLOWED_HOSTS", '["a.example", "b.example"]')
    assert load().allowed_hosts == ["a.example", "b.example"]
    monkeypatch.setenv("ALLOWED_HOSTS", '["*.example.org", "learn.*.org"]')
    with pytest.raises(SettingsError, match="ALLOWED_HOSTS: write a wildcard"):
        load()


def test_a_short_secret_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("JWT_SECRET", "short")
    with pytest.raises(SettingsError, match="JWT_SECRET: must have at least 32 bytes"):
        load()


def test_the_secret_of_badge_keys_is_neither_short_nor_the_public_one(monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(SettingsError, match="CREDENTIALS_SECRET: the default is public"):
        load(env="production")
    monkeypatch.setenv("CREDENTIALS_SECRET", "short")
    with pytest.raises(SettingsError, match="CREDENTIALS_SECRET: must have at least 32 bytes"):
        load()


def test_certificates_lead_to_the_public_address_or_to_their_own(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PUBLIC_URL", "https://learn.example.org")
    assert load().credentials_url == "https://learn.example.org"
    monkeypatch.setenv("CREDENTIALS_URL", "https://credentials.example.org")
    assert load().credentials_url == "https://credentials.example.org"


def test_prepared_statements_can_be_turned_off_for_a_pooler(monkeypatch: pytest.MonkeyPatch) -> None:
    assert database_config(load(), "dbname=x").prepare
    monkeypatch.setenv("DATABASE_PREPARED_STATEMENTS", "false")
    assert not database_config(load(), "dbname=x").prepare


def test_former_secrets_obey_the_rules_of_the_present_one(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("JWT_PREVIOUS_SECRETS", f'["{"o" * 32}", "shortsecret"]')
    with pytest.raises(SettingsError, match="JWT_PREVIOUS_SECRETS: each must have at least 32 bytes") as refused:
        load()
    assert "shortsecret" not in str(refused.value)
    monkeypatch.setenv("JWT_PREVIOUS_SECRETS", "o" * 32)
    with pytest.raises(SettingsError, match="JWT_PREVIOUS_SECRETS: must be a JSON list") as refused:
        load()
    assert "ooo" not in str(refused.value)
    monkeypatch.setenv("JWT_PREVIOUS_SECRETS", f'["{DEVELOPMENT_SECRET}"]')
    with pytest.raises(SettingsError, match="JWT_PREVIOUS_SECRETS: the default is public"):
        load(env="production")
    settings = load()
    assert settings.previous_secrets == (DEVELOPMENT_SECRET,)
    assert DEVELOPMENT_SECRET not in repr(settings)


def test_production_with_everything_set_starts(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("JWT_SECRET", "x" * 40)
    monkeypatch.setenv("CREDENTIALS_SECRET", "y" * 40)
    monkeypatch.setenv("DATABASE_URL", "postgresql://owner:secret@db/app")
    monkeypatch.setenv("SMTP_HOST", "mail")
    monkeypatch.setenv("ALLOWED_HOSTS", '["learn.example.org"]')
    monkeypatch.setenv("PUBLIC_URL", "https://learn.example.org")
    monkeypatch.setenv("BASE_DOMAIN", "example.org")
    settings = load(env="production")
    assert not settings.introspection
    assert settings.runtime_password_for("postgresql://owner:secret@db/app") not in {None, "secret"}
    assert settings.runtime_password_for("postgresql://owner@db/app") is None


def test_links_lead_to_where_development_listens(monkeypatch: pytest.MonkeyPatch) -> None:
    assert load().public_url == "http://127.0.0.1:8000"
    monkeypatch.setenv("PORT", "9000")
    assert load().public_url == "http://127.0.0.1:9000"
    assert load(host="0.0.0.0", port=9001).public_url == "http://127.0.0.1:9001"  # noqa: S104
    assert load(host="::1").public_url == "http://[::1]:9000"
    assert load(host="learn.test").public_url == "http://learn.test:9000"
    monkeypatch.setenv("PUBLIC_URL", "http://front.test")
    assert load().public_url == "http://front.test"
    monkeypatch.setenv("PUBLIC_URL", "ftp://front.test")
    with pytest.raises(SettingsError, match="PUBLIC_URL: must start with"):
        load()
    monkeypatch.delenv("PUBLIC_URL")
    with pytest.raises(SettingsError, match="PUBLIC_URL: required, and must be https"):
        load(env="production")


def test_every_setting_is_in_the_documents() -> None:
    assert len(rows()) == len(Settings.model_fields)
    assert (ROOT / ".env.example").read_text(encoding="utf-8") == env_example()
    assert (ROOT / "docs/configuration.md").read_text(encoding="utf-8") == markdown()
