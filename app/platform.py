"""The process-wide parts, made once from the settings; requests and jobs borrow them."""

from __future__ import annotations

from uuid import UUID

import procrastinate
from sqlalchemy import column, select, table

from app.credentials.desk import Desk
from app.credentials.drawing import Drawing
from app.credentials.keys import Vault, derived
from app.db.changes import Changes
from app.db.database import Database, DatabaseConfig
from app.db.listen import Listener, Message
from app.db.migrations import revisions
from app.db.statements import Statement
from app.db.tenant import Timeouts
from app.http.resolution import TenantResolver
from app.http.viewer import Reception
from app.identity.access import Access
from app.identity.founding import Founder
from app.identity.links import Links
from app.identity.passwords import Passwords
from app.identity.service import IdentityParts
from app.identity.sessions import SessionGate
from app.identity.tokens import AccessTokens
from app.outside.cache import Cache, MemoryCache, RedisCache
from app.outside.jobs import Jobs, queue_app
from app.outside.mail import Mailer, OutboxMailer, SmtpMailer
from app.outside.storage import LocalStorage, S3Storage, Storage
from app.settings import Settings
from app.tenancy.directory import TenantDirectory

CONTROL_REVISION = Statement(select(column("version_num")).select_from(table("alembic_version", schema="control")), str)


class Platform:
    """Everything that lives as long as the process."""

    def __init__(self, settings: Settings, owner_dsn: str) -> None:
        self.settings = settings
        self.config = database_config(settings, owner_dsn)
        self.database = Database(self.config)
        self.tenants = TenantDirectory(self.database)
        self.passwords = Passwords(
            memory_kib=settings.argon2_memory_kib,
            time_cost=settings.argon2_time_cost,
            concurrency=settings.argon2_concurrency,
        )
        self.tokens = AccessTokens(
            settings.jwt_secret.get_secret_value(),
            issuer=settings.jwt_issuer,
            minutes=settings.access_token_minutes,
            previous_secrets=settings.previous_secrets,
        )
        self.gate = SessionGate(self.database)
        self.changes = Changes(self.database, lambda: self.listener.listening.is_set())
        self.cache = cache_for(settings)
        self.access = Access(self.passwords, self.tokens, self.gate, settings.refresh_token_days, settings.session_days)
        self.queue: procrastinate.App = queue_app(self.config)
        self.jobs = Jobs(self.queue)
        self.founder = Founder(self.database, self.jobs, self.passwords, settings.public_url)
        self.links = Links(self.jobs, settings.public_url)
        self.mailer = mailer_for(settings)
        self.storage = storage_for(settings)
        self.desk = Desk(self.database, vault_for(settings), settings.credentials_url)
        self.drawing = Drawing(self.database, self.storage)
        self.identity_parts = IdentityParts(
            access=self.access,
            jobs=self.jobs,
            links=self.links,
            changes=self.changes,
            tenants=self.tenants,
            require_verified_email=settings.require_verified_email,
            login_attempts=settings.login_attempts,
        )
        self.reception = Reception(
            self.tokens,
            self.gate,
            TenantResolver(self.tenants, settings.base_domain),
            trust_proxy=settings.trust_proxy_headers,
        )
        self.listener = Listener(
            self.config.dsn_as(self.config.control_role), on_message=self._heard, on_gap=self._missed
        )

    async def open(self) -> None:
        """Connect in the background and start listening for news."""
        await self.database.open()
        self.listener.start()

    async def close(self) -> None:
        """Stop listening, close every connection and thread."""
        await self.listener.stop()
        await self.changes.close()
        if self.cache is not None:
            await self.cache.close()
        await self.storage.close()
        await self.database.close()
        self.passwords.close()

    async def check_database(self) -> str | None:
        """None when the control database answers and its schema is not behind this version.

        One that is ahead is fine: it was expanded for the next version, which is being rolled out beside this one.
        """
        async with self.database.control(read_only=True) as tx:
            revision = await tx.scalar(CONTROL_REVISION)
        return "not migrated" if revision in (None, *revisions("control")[:-1]) else None

    async def wake_relay(self, tenant_id: UUID) -> None:
        """Ask the worker to look into a tenant's outbox now; if this is lost, its sweep finds the events later."""
        async with self.database.control() as tx:
            await self.jobs.relay_soon(tx, tenant_id)

    def _heard(self, message: Message) -> None:
        match message.kind:
            case "tenant":
                self.tenants.forget(message.id)
                self.changes.heard("tenant", message.id, message.mark)
            case "catalog" | "epoch" as kind:
                self.changes.heard(kind, message.id, message.mark)
            case "session":
                self.gate.forget_session(message.id)
            case "user":
                self.gate.forget_user(message.id)

    def _missed(self) -> None:
        self.tenants.clear()
        self.gate.clear()
        self.changes.missed()
        if self.cache is not None:
            self.cache.forget()


def database_config(settings: Settings, owner_dsn: str) -> DatabaseConfig:
    """The database part of the settings."""
    return DatabaseConfig(
        owner_dsn=owner_dsn,
        role_prefix=settings.database_role_prefix,
        runtime_password=settings.runtime_password_for(owner_dsn),
        pool_size=settings.database_pool_size,
        pool_slots=settings.database_pool_slots,
        pool_active=settings.database_pool_active,
        control_pool_size=settings.database_control_pool_size,
        pool_timeout=settings.database_pool_timeout,
        tenants_per_connection=settings.database_tenants_per_connection,
        prepare=settings.database_prepared_statements,
        timeouts=Timeouts(statement=settings.database_statement_timeout),
    )


def cache_for(settings: Settings) -> Cache | None:
    """The shared cache when there is a server, else this process's memory; None when it is turned off."""
    if not settings.response_cache:
        return None
    limit, seconds = settings.response_cache_megabytes * 1_000_000, settings.response_cache_seconds
    if settings.redis_url is None:
        return MemoryCache(limit, seconds)
    return RedisCache(settings.redis_url.get_secret_value(), limit=limit, seconds=seconds)


def mailer_for(settings: Settings) -> Mailer:
    """SMTP when a server is configured, else files in the outbox folder."""
    if settings.smtp_host is None:
        return OutboxMailer(settings.data_dir / "outbox", sender=settings.smtp_sender)
    return SmtpMailer(
        host=settings.smtp_host,
        port=settings.smtp_port,
        username=settings.smtp_username,
        password=settings.smtp_password.get_secret_value() if settings.smtp_password else None,
        tls=settings.smtp_tls,
        sender=settings.smtp_sender,
        timeout=settings.smtp_timeout,
    )


def storage_for(settings: Settings) -> Storage:
    """A bucket when one is configured, else a folder."""
    if settings.s3_bucket is None:
        secret = derived(settings.credentials_secret.get_secret_value(), b"stegmaier file addresses")
        return LocalStorage(settings.data_dir / "files", base_url=settings.credentials_url, secret=secret)
    return S3Storage(
        bucket=settings.s3_bucket,
        endpoint=settings.s3_endpoint_url,
        public_endpoint=settings.s3_public_endpoint_url,
        region=settings.s3_region,
        access_key=settings.s3_access_key_id,
        secret_key=settings.s3_secret_access_key.get_secret_value() if settings.s3_secret_access_key else None,
        timeout=settings.s3_timeout,
    )


def vault_for(settings: Settings) -> Vault:
    """What keeps the keys of badges."""
    former = [secret.get_secret_value() for secret in settings.credentials_previous_secrets]
    return Vault(settings.credentials_secret.get_secret_value(), former)
