"""Every setting once: its variable, default, unit and meaning. All problems are reported together."""

from __future__ import annotations

import hashlib
import hmac
from pathlib import Path
from typing import Annotated, Any, Literal
from urllib.parse import urlsplit

import orjson
import psycopg
from psycopg.conninfo import conninfo_to_dict
from pydantic import Field, SecretStr, ValidationError, field_validator, model_validator
from pydantic_settings import BaseSettings, NoDecode, SettingsConfigDict

DEVELOPMENT_CREDENTIALS_SECRET = "development-only-secret-of-badge-keys-0123456789"  # noqa: S105 - refused in production
DEVELOPMENT_SECRET = "development-only-secret-change-me-0123456789"  # noqa: S105 - refused in production


# NoDecode: pydantic-settings would end the reading at the first list that is no JSON, and name no other problem.
JsonList = Annotated[list[str], NoDecode]
SecretList = Annotated[list[SecretStr], NoDecode]


class SettingsError(Exception):
    """The environment does not describe a runnable platform; the message names every variable to correct."""


class Settings(BaseSettings):
    """Read from the environment, and from ``.env`` in the working directory for what the environment lacks."""

    model_config = SettingsConfigDict(
        env_file=".env",
        env_file_encoding="utf-8",
        extra="ignore",
        case_sensitive=False,
        env_ignore_empty=True,
    )

    env: Literal["development", "production", "test"] = Field(
        "development", description="What this process is for. Production refuses default secrets."
    )
    host: str = Field("127.0.0.1", description="Address to listen on.")
    port: int = Field(8000, ge=0, le=65535, description="Port to listen on.")
    base_domain: str = Field("localhost", description="Tenants are reached at <slug>.<base_domain>.")
    public_url: str = Field(
        "",
        description="Where people reach the web front end; links in mails start with it. "
        "Unset: http://HOST:PORT, outside production.",
    )
    allowed_hosts: JsonList = Field(
        ["*"],
        description="Host names that are answered (JSON list) beside the tenants' own: subdomains of BASE_DOMAIN and "
        "domains of `tenant add-domain`. Production needs an explicit list.",
    )
    cors_origins: JsonList = Field([], description="Origins whose browsers may call the API (JSON list).")
    data_dir: Path = Field(
        Path(".data"), description="Folder of the embedded PostgreSQL and Valkey and of development mails."
    )
    log_level: Literal["debug", "info", "warning", "error"] = Field("info", description="Least level that is logged.")
    log_format: Literal["console", "json"] = Field("console", description="Log lines for people or for machines.")

    database_url: SecretStr | None = Field(
        None,
        description="PostgreSQL 15+ as the owner who may create roles and schemas. Unset: embedded PostgreSQL.",
    )
    database_runtime_password: SecretStr | None = Field(
        None,
        description="Password of the two runtime logins. Unset: derived from the owner's, if there is one.",
    )
    database_role_prefix: str = Field(
        "stegmaier", pattern=r"^[a-z][a-z0-9_]{0,30}$", description="Prefix of the runtime logins' names."
    )
    database_pool_size: int = Field(16, ge=1, le=500, description="Tenant connections of one process and node.")
    database_pool_slots: int = Field(16, ge=1, le=500, description="Sticky slots that share those connections.")
    database_pool_active: int = Field(
        8,
        ge=1,
        le=500,
        description="Tenant transactions of one process and node at once; half of the connections keeps tenants apart.",
    )
    database_control_pool_size: int = Field(8, ge=1, le=200, description="Control connections of one process.")
    database_pool_timeout: float = Field(5.0, gt=0, le=60, description="Seconds to wait for a connection.")
    database_statement_timeout: int = Field(10_000, ge=100, description="Milliseconds one statement may take.")
    database_tenants_per_connection: int = Field(
        250, ge=1, description="A connection that has served more tenants than this is replaced."
    )
    database_prepared_statements: bool = Field(
        True, description="Keep prepared statements. Turn off behind a pooler in transaction mode (PgBouncer < 1.21)."
    )

    jwt_secret: SecretStr = Field(
        SecretStr(DEVELOPMENT_SECRET), description="HS256 key of access tokens, at least 32 bytes."
    )
    jwt_previous_secrets: SecretList = Field(
        [],
        description="Former JWT_SECRETs whose tokens are still accepted (JSON list): put the old one here when you "
        "change it, and remove it ACCESS_TOKEN_MINUTES later.",
    )
    jwt_issuer: str = Field("stegmaier", description="Issuer and audience written into tokens and required of them.")
    access_token_minutes: int = Field(15, ge=1, le=15, description="Life of an access token, minutes.")
    refresh_token_days: int = Field(30, ge=1, le=365, description="A session unused for this many days ends.")
    session_days: int = Field(90, ge=1, le=730, description="A session ends after this many days whatever happens.")
    retention_days: int = Field(
        30,
        ge=1,
        le=3650,
        description="Ended sessions and expired links are deleted after this many days (failed log-ins after one day, "
        "refresh tokens when they expire).",
    )
    require_verified_email: bool = Field(True, description="Refuse the login of an address that was not confirmed.")
    argon2_memory_kib: int = Field(65_536, ge=8, description="Memory of one password hash, KiB.")
    argon2_time_cost: int = Field(3, ge=1, description="Passes of one password hash.")
    argon2_concurrency: int = Field(2, ge=1, le=16, description="Password hashes computed at once.")

    redis_url: SecretStr | None = Field(
        None,
        description="Valkey or Redis that all processes share, like redis://:password@host:6379/0. "
        "Unset: embedded Valkey where it is installed, else each process's memory.",
    )
    response_cache: bool = Field(
        True, description="Keep the answers of catalogue queries that are the same for all students of a tenant."
    )
    response_cache_seconds: int = Field(60, ge=1, le=3600, description="Longest life of such an answer, seconds.")
    response_cache_megabytes: int = Field(
        64, ge=1, le=4096, description="Memory for such answers in each process, and in the embedded Valkey, MB."
    )

    credentials_url: str = Field(
        "",
        description="Where this server's /verify, /issuers and /files are reached from outside. It is written into QR "
        "codes and badges for good: choose one that will last. Unset: PUBLIC_URL.",
    )
    credentials_secret: SecretStr = Field(
        SecretStr(DEVELOPMENT_CREDENTIALS_SECRET),
        description="Encrypts the keys that sign badges, and signs the addresses of files; at least 32 bytes.",
    )
    credentials_previous_secrets: SecretList = Field(
        [],
        description="Former CREDENTIALS_SECRETs (JSON list): badge keys encrypted with them can still be used.",
    )

    s3_bucket: str | None = Field(
        None, description="Bucket for files like certificates. Unset: the folder files under DATA_DIR."
    )
    s3_endpoint_url: str | None = Field(None, description="Object store other than AWS, like https://s3.example.org.")
    s3_public_endpoint_url: str | None = Field(
        None, description="Where browsers reach the object store. Unset: S3_ENDPOINT_URL."
    )
    s3_region: str = Field("us-east-1", description="Region of the bucket.")
    s3_access_key_id: str | None = Field(None, description="Unset: as the AWS tools find credentials.")
    s3_secret_access_key: SecretStr | None = Field(None, description="Secret of that key.")
    s3_timeout: float = Field(10.0, gt=0, le=120, description="Seconds before the object store counts as away.")

    smtp_host: str | None = Field(None, description="Mail server. Unset: mails go to <data_dir>/outbox and the log.")
    smtp_port: int = Field(587, ge=1, le=65535, description="Port of the mail server.")
    smtp_username: str | None = Field(None, description="User name for the mail server.")
    smtp_password: SecretStr | None = Field(None, description="Password for the mail server.")
    smtp_tls: Literal["none", "starttls", "tls"] = Field("starttls", description="Encryption towards the mail server.")
    smtp_sender: str = Field("Stegmaier <no-reply@localhost>", description="From: of every mail.")
    smtp_timeout: float = Field(15.0, gt=0, le=120, description="Seconds before the mail server counts as away.")

    graphql_introspection: bool | None = Field(
        None, description="Answer introspection. Unset: only outside production."
    )
    compiled_execution: bool = Field(
        True, description="Compile GraphQL operations to Python; off: the stock executor runs them all."
    )
    operation_timeout: float = Field(15.0, gt=0, le=300, description="Seconds one GraphQL operation may take.")
    trust_proxy_headers: bool = Field(False, description="Take the client's address from X-Forwarded-For.")
    login_attempts: int = Field(5, ge=1, le=100, description="Failed log-ins of one address before it has to wait.")
    inline_worker: bool = Field(True, description="Run the job worker inside the server process.")

    @field_validator(
        "allowed_hosts", "cors_origins", "jwt_previous_secrets", "credentials_previous_secrets", mode="before"
    )
    @classmethod
    def _read_list(cls, value: object) -> object:
        if not isinstance(value, str):
            return value
        try:
            return orjson.loads(value)
        except orjson.JSONDecodeError as error:
            raise ValueError('must be a JSON list, like ["learn.example.org"]') from error

    @field_validator("database_url")
    @classmethod
    def _check_address(cls, value: SecretStr | None) -> SecretStr | None:
        try:
            conninfo_to_dict("" if value is None else value.get_secret_value())
        except psycopg.ProgrammingError as error:
            raise ValueError("must be an address like postgresql://owner:password@host:5432/database") from error
        return value

    @model_validator(mode="after")
    def _check_together(self) -> Settings:
        problems = []
        if not self.public_url and self.env != "production":
            self.public_url = f"http://{_reachable(self.host)}:{self.port}"
        if len(self.jwt_secret.get_secret_value().encode()) < 32:
            problems.append("JWT_SECRET: must have at least 32 bytes")
        if any(len(secret.encode()) < 32 for secret in self.previous_secrets):
            problems.append("JWT_PREVIOUS_SECRETS: each must have at least 32 bytes")
        if not self.credentials_url:
            self.credentials_url = self.public_url
        if len(self.credentials_secret.get_secret_value().encode()) < 32:
            problems.append("CREDENTIALS_SECRET: must have at least 32 bytes")
        if self.credentials_url and urlsplit(self.credentials_url).scheme not in {"http", "https"}:
            problems.append("CREDENTIALS_URL: must start with http:// or https://")
        if self.public_url and urlsplit(self.public_url).scheme not in {"http", "https"}:
            problems.append("PUBLIC_URL: must start with http:// or https://")
        if any("*" in host.removeprefix("*.") for host in self.allowed_hosts if host != "*"):
            problems.append("ALLOWED_HOSTS: write a wildcard as * or as *.example.org")
        if self.env == "production":
            problems += self._production_problems()
        if problems:
            raise ValueError("\n".join(problems))
        return self

    def _production_problems(self) -> list[str]:
        checks = {
            "JWT_SECRET: the default is public; set your own": self.jwt_secret.get_secret_value() == DEVELOPMENT_SECRET,
            "JWT_PREVIOUS_SECRETS: the default is public; remove it": DEVELOPMENT_SECRET in self.previous_secrets,
            "CREDENTIALS_SECRET: the default is public; set your own": self.credentials_secret.get_secret_value()
            == DEVELOPMENT_CREDENTIALS_SECRET,
            "DATABASE_URL: required (the embedded PostgreSQL is for development)": self.database_url is None,
            "SMTP_HOST: required, or nobody gets a mail": self.smtp_host is None,
            "ALLOWED_HOSTS: name the hosts that are served instead of *": "*" in self.allowed_hosts,
            "PUBLIC_URL: required, and must be https in production": not self.public_url.startswith("https://"),
            "BASE_DOMAIN: required (the default is localhost)": self.base_domain == "localhost",
        }
        return [problem for problem, found in checks.items() if found]

    @property
    def previous_secrets(self) -> tuple[str, ...]:
        """The secrets of access tokens that are accepted and no longer issued."""
        return tuple(secret.get_secret_value() for secret in self.jwt_previous_secrets)

    @property
    def introspection(self) -> bool:
        """Whether strangers may introspect the schema."""
        return self.env != "production" if self.graphql_introspection is None else self.graphql_introspection

    def runtime_password_for(self, owner_dsn: str) -> str | None:
        """The password of the runtime logins: the configured one, or one derived from the owner's."""
        if self.database_runtime_password is not None:
            return self.database_runtime_password.get_secret_value()
        owner_password = conninfo_to_dict(owner_dsn).get("password")
        if not owner_password:
            return None
        return hmac.new(str(owner_password).encode(), b"stegmaier runtime logins", hashlib.sha256).hexdigest()


def _reachable(host: str) -> str:
    """A host to listen on as one to connect to."""
    if host in {"", "0.0.0.0", "::"}:  # noqa: S104 - compared with, not bound to
        return "127.0.0.1"
    return f"[{host}]" if ":" in host else host


def load(**overrides: Any) -> Settings:
    """Read the settings. Raises SettingsError with one line per problem, all at once."""
    try:
        return Settings(**overrides)
    except ValidationError as error:
        lines = _lines(error)
        wrong = {str(problem["loc"][0]) for problem in error.errors() if problem["loc"]}
        # A wrong value keeps pydantic from the checks that look at several variables: ask again without it.
        defaults = {name: Settings.model_fields[name].default for name in wrong}
        try:
            Settings(**{**overrides, **defaults})
        except ValidationError as rest:
            lines |= {variable: line for variable, line in _lines(rest).items() if variable not in lines}
        raise SettingsError("\n".join(f"  {line}" for line in lines.values())) from error


def _lines(error: ValidationError) -> dict[str, str]:
    """The problems by variable, each as a line that begins with it."""
    lines: list[str] = []
    for problem in error.errors():
        text = problem["msg"].removeprefix("Value error, ")
        lines += [f"{str(problem['loc'][0]).upper()}: {text}"] if problem["loc"] else text.splitlines()
    return {line.partition(":")[0]: line for line in lines}
