"""People's use cases: registering, logging in, sessions, passwords, profiles, members of a tenant."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any
from uuid import UUID

from psycopg.types.json import Jsonb

from app.db.changes import Changes
from app.db.database import Operation
from app.db.ids import new_id
from app.db.listen import announce
from app.db.paging import Page, PageRequest, key_params, page_of
from app.db.transaction import Tx
from app.errors import Conflict, Forbidden, Invalid, NotFound, Unauthenticated
from app.identity import statements as sql
from app.identity import throttle, validators
from app.identity.access import Access
from app.identity.directory import copy_member
from app.identity.links import MAILS_AN_HOUR, Links, Purpose
from app.identity.rows import Client, MemberRow, MembershipRow, MyMembershipRow, SessionRow, Tokens, UserRow
from app.identity.secrets import digest
from app.outside.jobs import Jobs
from app.tenancy.directory import TenantDirectory
from app.tenancy.records import Tenant, TenantState
from app.viewer import Action, Role, Viewer

DEFAULT_PREFERENCES: dict[str, Any] = {
    "emailNotifications": True,
    "weeklyDigest": True,
    "autoplayVideos": False,
    "captions": True,
    "playbackSpeed": "1.0",
}


class InvalidCredentials(Unauthenticated):
    """Unknown address, wrong password, not a member: one answer for all of them."""

    code = "INVALID_CREDENTIALS"


class EmailNotVerified(Forbidden):
    """Right password, address not confirmed yet."""

    code = "EMAIL_NOT_VERIFIED"


@dataclass(frozen=True, slots=True)
class IdentityParts:
    """What the room needs of the platform."""

    access: Access
    jobs: Jobs
    links: Links
    changes: Changes
    tenants: TenantDirectory
    require_verified_email: bool
    login_attempts: int
    clock: Callable[[], datetime] = lambda: datetime.now(UTC)


class IdentityService:
    """One operation's use cases, in one tenant."""

    def __init__(self, db: Operation, viewer: Viewer, tenant: Tenant, client: Client, parts: IdentityParts) -> None:
        self.db = db
        self.viewer = viewer
        self.tenant = tenant
        self.client = client
        self.parts = parts
        self.access = parts.access

    # --- becoming a member

    async def register(self, *, email: str, password: str, full_name: str, locale: str | None = None) -> str:
        """Ask for an account as a student; what happens next is told by mail only. Returns the address.

        The answer and the work are the same whether the address is known or not.
        Raises: Invalid (every bad field), TooMany (that address was written to often enough).
        """
        check = validators.Checks()
        email = check("input.email", validators.email, email)
        full_name = check("input.fullName", validators.full_name, full_name)
        language = check("input.locale", validators.locale, locale or self.tenant.locale)
        password = await check.slowly("input.password", validators.password, password, user_inputs=[email, full_name])
        check.done()
        async with self.db.control() as tx:
            await throttle.count(tx, throttle.registration_key(email), self.parts.clock(), MAILS_AN_HOUR)
        password_hash = await self.access.passwords.hash(password)
        async with self.db.control() as tx:
            created = await tx.scalar(
                sql.ADD_USER, id=new_id(), email=email, password_hash=password_hash, full_name=full_name,
                locale=language,
            )  # fmt: skip
            user = await tx.one(sql.USER_BY_EMAIL, "user", email=email)
            membership = await tx.one_or_none(sql.MEMBERSHIP_FOR_UPDATE, user_id=user.id, tenant_id=self.tenant.id)
            if membership is not None and membership.status == "active":
                await self.parts.links.mail(tx, self.tenant, user, "already_registered", "/login")
            elif created is None and user.email_verified_at is not None:
                await self.parts.links.offer(tx, self.tenant, user, "join")
            else:
                expected = membership is not None and membership.status == "pending"
                role = Role(membership.role) if membership is not None and expected else Role.STUDENT
                await self._put_membership(tx, user.id, role, "pending")
                if user.password_hash is None:
                    # Invited: whoever reads the mail chooses the password, not whoever knows the address.
                    await self.parts.links.offer(tx, self.tenant, user, "invite")
                    return email
                if created is None:
                    # Nobody has shown that the address is theirs: what counts is the last request, so that the
                    # link in the newest mail never opens an account with somebody else's password.
                    await tx.execute(
                        sql.CLAIM, id=user.id, password_hash=password_hash, full_name=full_name, locale=language
                    )
                    await tx.execute(sql.VOID_TOKENS, user_id=user.id, purpose="verify")
                    user = replace(user, full_name=full_name, locale=language)
                await self.parts.links.offer(tx, self.tenant, user, "verify")
        return email

    async def resend_verification(self, *, email: str) -> None:
        """Send the confirmation link again; the answer is the same for every address."""
        await self._ask_for_link("verify", email)

    async def verify_email(self, *, token: str, password: str | None = None) -> MemberRow:
        """Confirm an address, join a tenant or accept an invitation (which sets a password when there is none yet).

        Clicking twice is fine while the link is young. Raises: Invalid (token, password).
        """
        password_hash = None
        async with self.db.control() as tx:
            found = await tx.one_or_none(sql.TOKEN_FOR_UPDATE, token_hash=digest(token))
            if (
                found is None
                or found.tenant_id != self.tenant.id
                or found.purpose == "reset"
                or found.expires_at <= self.parts.clock()
            ):
                raise _bad_token()
            user = await tx.one(sql.USER_FOR_UPDATE, "user", id=found.user_id)
            if found.used_at is None:
                if user.password_hash is None:
                    check = validators.Checks()
                    given = await check.slowly(
                        "input.password", validators.password, password or "", user_inputs=[user.email]
                    )
                    check.done()
                    password_hash = await self.access.passwords.hash(given)
                    await tx.execute(sql.SET_PASSWORD, id=user.id, password_hash=password_hash)
                await tx.execute(sql.USE_TOKEN, token_hash=digest(token))
                await tx.execute(sql.VERIFY_EMAIL, id=user.id)
                await self._activate(tx, user)
        await copy_member(self.db.database, self.parts.changes, self.tenant, user.id)
        return await self._member(user.id)

    async def _activate(self, tx: Tx, user: UserRow) -> None:
        membership = await tx.one_or_none(sql.MEMBERSHIP_FOR_UPDATE, user_id=user.id, tenant_id=self.tenant.id)
        if membership is None or membership.status != "active":
            role = Role(membership.role) if membership is not None and membership.status == "pending" else Role.STUDENT
            await self._put_membership(tx, user.id, role, "active")
            await self.parts.links.mail(tx, self.tenant, user, "welcome", "/")

    # --- logging in and staying logged in

    async def login(self, *, email: str, password: str) -> Tokens:
        """Open a session. Raises: InvalidCredentials, EmailNotVerified, TooMany (wait)."""
        try:
            email = validators.email(email)
        except validators.InvalidValue:
            email = email[:254].lower()
        wanted = throttle.keys(self.tenant.id, email, self.client.ip)
        now = self.parts.clock()
        async with self.db.control() as tx:
            await throttle.attempt(tx, wanted, now, self.parts.login_attempts)
            user = await tx.one_or_none(sql.USER_BY_EMAIL, email=email)
            membership = await self._membership(tx, user)
        matches = await self.access.passwords.verify(user.password_hash if user else None, password[:1024])
        if user is None or membership is None or membership.status == "removed" or not matches:
            async with self.db.control() as tx:
                await throttle.failed(tx, wanted, now, self.parts.login_attempts)
            raise InvalidCredentials("the e-mail or the password is not right")
        if user.password_hash is not None and self.access.passwords.is_outdated(user.password_hash):
            await self._rehash(user.id, user.password_hash, password)
        confirmed = user.email_verified_at is not None or not self.parts.require_verified_email
        async with self.db.control() as tx:
            await throttle.succeeded(tx, wanted)
            if not confirmed or membership.status == "pending":
                pair = None
            else:
                pair = await self.access.open_session(tx, user.id, self.tenant.id, self.client)
        if pair is None:
            raise EmailNotVerified("confirm your e-mail first: open the link that was sent to you")
        return await self._tokens(pair, user.id)

    async def _rehash(self, user_id: UUID, old: str, password: str) -> None:
        fresh = await self.access.passwords.hash(password)
        async with self.db.control() as tx:
            await tx.execute(sql.REHASH, id=user_id, old=old, password_hash=fresh)

    async def refresh(self, *, refresh_token: str) -> Tokens:
        """Exchange a refresh token for a new pair. Raises Unauthenticated (unknown, expired, used before)."""
        user_id, pair = await self.access.rotate(self.db, self.tenant.id, refresh_token, self.parts.clock())
        return await self._tokens(pair, user_id)

    async def logout(self, *, everywhere: bool = False) -> None:
        """End this session, or all of the person's sessions."""
        user_id = self.viewer.require(Action.READ_SELF)
        async with self.db.control() as tx:
            if everywhere:
                await self._end_sessions(tx, user_id, "logout")
            else:
                await tx.scalar(sql.REVOKE_SESSION, id=self.viewer.session_id, user_id=user_id, because="logout")
                await announce(tx, "session", self.viewer.session_id)
        self.access.gate.forget_user(user_id)

    async def sessions(self) -> list[SessionRow]:
        """The viewer's open sessions in this tenant, last used first."""
        user_id = self.viewer.require(Action.READ_SELF)
        async with self.db.control(read_only=True) as tx:
            return await tx.all(sql.SESSIONS, user_id=user_id, tenant_id=self.tenant.id)

    async def revoke_session(self, session_id: UUID) -> None:
        """End one of the viewer's sessions. Raises NotFound."""
        user_id = self.viewer.require(Action.READ_SELF)
        async with self.db.control() as tx:
            if await tx.scalar(sql.REVOKE_SESSION, id=session_id, user_id=user_id, because="revoked") is None:
                raise NotFound("session")
            await announce(tx, "session", session_id)
        self.access.gate.forget_session(session_id)

    async def switch_tenant(self, *, slug: str) -> tuple[Tenant, Tokens]:
        """Open a session in another tenant of the viewer. Raises NotFound (unknown, or not a member there)."""
        user_id = self.viewer.require(Action.READ_SELF)
        tenant = await self.parts.tenants.by_slug(slug.lower())
        if tenant is None or tenant.state != TenantState.ACTIVE:
            raise NotFound("tenant", code="TENANT_NOT_FOUND")
        async with self.db.control() as tx:
            membership = await tx.one_or_none(sql.MEMBERSHIP, user_id=user_id, tenant_id=tenant.id)
            if membership is None or membership.status != "active":
                raise NotFound("tenant", code="TENANT_NOT_FOUND")
            pair = await self.access.open_session(tx, user_id, tenant.id, self.client)
        async with self.db.database.tenant(tenant.handle, read_only=True) as there:
            member = await there.one(sql.ME, "user", id=user_id)
        return tenant, Tokens(*pair, self.access.tokens.seconds, member)

    # --- passwords

    async def request_password_reset(self, *, email: str) -> None:
        """Send a reset link, if there is somebody to send it to; the answer is the same for every address."""
        await self._ask_for_link("reset", email)

    async def reset_password(self, *, token: str, password: str) -> None:
        """Set a new password with a link from a mail; ends every session. Raises Invalid (token, password)."""
        async with self.db.control() as tx:
            found = await tx.one_or_none(sql.TOKEN_FOR_UPDATE, token_hash=digest(token))
            if (
                found is None
                or found.purpose != "reset"
                or found.used_at is not None
                or found.tenant_id != self.tenant.id
                or found.expires_at <= self.parts.clock()
            ):
                raise _bad_token()
            user = await tx.one(sql.USER_FOR_UPDATE, "user", id=found.user_id)
            check = validators.Checks()
            password = await check.slowly(
                "input.password", validators.password, password, user_inputs=[user.email, user.full_name]
            )
            check.done()
            await self._set_password(tx, user, password)
            await self._end_sessions(tx, user.id, "password reset")
        self.access.gate.forget_user(user.id)

    async def change_password(self, *, current: str, new: str) -> None:
        """Change one's own password; ends one's other sessions. Raises Invalid (either password), TooMany."""
        user_id = self.viewer.require(Action.EDIT_SELF)
        async with self.db.control() as tx:
            user = await tx.one(sql.USER_BY_ID, "user", id=user_id)
            wanted = throttle.keys(self.tenant.id, user.email, self.client.ip)
            await throttle.attempt(tx, wanted, self.parts.clock(), self.parts.login_attempts)
        matches = await self.access.passwords.verify(user.password_hash, current[:1024])
        check = validators.Checks()
        async with self.db.control() as tx:
            if matches:
                await throttle.succeeded(tx, wanted)
            else:
                await throttle.failed(tx, wanted, self.parts.clock(), self.parts.login_attempts)
                check.note("input.currentPassword", "PASSWORD_WRONG", "is not your current password")
        check.done()
        new = await check.slowly(
            "input.newPassword", validators.password, new, user_inputs=[user.email, user.full_name]
        )
        check.done()
        async with self.db.control() as tx:
            await self._set_password(tx, user, new)
            await tx.execute(sql.REVOKE_OTHERS, user_id=user_id, keep=self.viewer.session_id, because="password change")
            await announce(tx, "user", user_id)
        self.access.gate.forget_user(user_id)

    # --- profile

    async def me(self) -> MemberRow:
        """The viewer as a member of the tenant. Raises Unauthenticated."""
        return await self._member(self.viewer.require(Action.READ_SELF))

    async def memberships(self) -> list[MyMembershipRow]:
        """The active tenants that the viewer belongs to."""
        user_id = self.viewer.require(Action.READ_SELF)
        async with self.db.control(read_only=True) as tx:
            return await tx.all(sql.MY_MEMBERSHIPS, user_id=user_id)

    async def update_profile(self, changes: Mapping[str, Any], *, expected_version: int | None = None) -> MemberRow:
        """Change the viewer's profile; ``changes`` holds the fields that were given, by their column names.

        Raises: Invalid (every bad field), Conflict (VERSION_CONFLICT).
        """
        user_id = self.viewer.require(Action.EDIT_SELF)
        clean = _clean_profile(changes)
        async with self.db.control() as tx:
            user = await tx.one(sql.USER_FOR_UPDATE, "user", id=user_id)
            if expected_version is not None and expected_version != user.version:
                raise Conflict(
                    "this was changed meanwhile; read it again and repeat your change",
                    code="VERSION_CONFLICT", current=user.version,
                )  # fmt: skip
            values = {name: clean.get(name, getattr(user, name)) for name in sql.PROFILE_FIELDS}
            preferences = {**DEFAULT_PREFERENCES, **user.preferences, **clean.get("preferences", {})}
            await tx.execute(sql.UPDATE_PROFILE, id=user_id, preferences=Jsonb(preferences), **values)
            for tenant_id in await tx.all(sql.MEMBERSHIP_TENANTS, user_id=user_id):
                await self.parts.jobs.sync_member(tx, user_id, tenant_id)
            await announce(tx, "user", user_id)
        await copy_member(self.db.database, self.parts.changes, self.tenant, user_id)
        self.access.gate.forget_user(user_id)
        return await self._member(user_id)

    # --- members of the tenant, for administrators

    async def users(self, page: PageRequest, order: str, filters: Mapping[str, str]) -> Page[MemberRow]:
        """A page of the directory; ``filters`` may hold ``search``, ``role``, ``status``."""
        self.viewer.require(Action.READ_USERS)
        statement = sql.member_page(frozenset(filters), order, page.key is not None, page.backward)
        async with self.db.read() as tx:
            return page_of(page, await tx.all(statement, **key_params(page), **filters))

    async def count_users(self, filters: Mapping[str, str]) -> int:
        """How many members there are with these filters."""
        self.viewer.require(Action.READ_USERS)
        async with self.db.read() as tx:
            return await tx.scalar(sql.member_count(frozenset(filters)), **filters) or 0

    async def user(self, user_id: UUID) -> MemberRow | None:
        """One member: oneself, or anybody for an administrator; None when missing or hidden."""
        own = self.viewer.require(Action.READ_SELF)
        if user_id != own and not self.viewer.may(Action.READ_USERS):
            return None
        rows = await self.members_by_id([user_id])
        return rows[0] if rows else None

    async def members_by_id(self, ids: list[UUID]) -> list[MemberRow]:
        """Directory rows for a loader; removed people too, because their work keeps their name."""
        async with self.db.read() as tx:
            return await tx.all(sql.MEMBERS_BY_ID, ids=ids)

    async def create_user(self, *, email: str, full_name: str, role: Role, locale: str | None) -> MemberRow:
        """Invite somebody as a member; they choose a password (or confirm, when they have one) by mail.

        Raises: Invalid, Conflict (EMAIL_TAKEN: a member already).
        """
        self.viewer.require(Action.MANAGE_USERS)
        check = validators.Checks()
        email = check("input.email", validators.email, email)
        full_name = check("input.fullName", validators.full_name, full_name)
        language = check("input.locale", validators.locale, locale or self.tenant.locale)
        check.done()
        async with self.db.control() as tx:
            await tx.scalar(
                sql.ADD_USER, id=new_id(), email=email, password_hash=None, full_name=full_name, locale=language
            )
            user = await tx.one(sql.USER_BY_EMAIL, "user", email=email)
            membership = await tx.one_or_none(sql.MEMBERSHIP_FOR_UPDATE, user_id=user.id, tenant_id=self.tenant.id)
            if membership is not None and membership.status != "removed":
                raise Conflict("there is already a member with this e-mail", code="EMAIL_TAKEN")
            if user.email_verified_at is None:
                # Whoever registered with this address before has not shown that it is theirs: their password must
                # not be the one that the invited person's account opens with.
                await tx.execute(sql.SET_PASSWORD, id=user.id, password_hash=None)
            await self._put_membership(tx, user.id, role, "pending")
            await self.parts.links.offer(tx, self.tenant, user, "invite")
        await copy_member(self.db.database, self.parts.changes, self.tenant, user.id, invited_as=full_name)
        return await self._member(user.id)

    async def change_role(self, user_id: UUID, role: Role) -> MemberRow:
        """Give a member another role, from their next request on. Raises: NotFound, Conflict (LAST_ADMIN)."""
        self.viewer.require(Action.MANAGE_USERS)
        async with self.db.control() as tx:
            status = await self._changeable(tx, user_id, stays_admin=role == Role.ADMIN)
            await self._put_membership(tx, user_id, role, status)
            await announce(tx, "user", user_id)
        self.access.gate.forget_user(user_id)
        await copy_member(self.db.database, self.parts.changes, self.tenant, user_id)
        return await self._member(user_id)

    async def delete_user(self, user_id: UUID) -> MemberRow:
        """Remove a member: sessions and links end, work and name stay. Raises: NotFound, Conflict (LAST_ADMIN)."""
        self.viewer.require(Action.MANAGE_USERS)
        async with self.db.control() as tx:
            await self._changeable(tx, user_id, stays_admin=False)
            membership = await tx.one(sql.MEMBERSHIP, "user", user_id=user_id, tenant_id=self.tenant.id)
            await self._put_membership(tx, user_id, Role(membership.role), "removed")
            await tx.execute(
                sql.REVOKE_IN_TENANT, user_id=user_id, tenant_id=self.tenant.id, because="removed from the tenant"
            )
            await tx.execute(sql.VOID_IN_TENANT, user_id=user_id, tenant_id=self.tenant.id)
            await announce(tx, "user", user_id)
        self.access.gate.forget_user(user_id)
        await copy_member(self.db.database, self.parts.changes, self.tenant, user_id)
        return await self._member(user_id)

    # --- shared steps

    async def _changeable(self, tx: Tx, user_id: UUID, *, stays_admin: bool) -> str:
        """Lock the administrators and the member; the member's status. A tenant never loses its last administrator."""
        admins = await tx.all(sql.ADMINS_FOR_UPDATE, tenant_id=self.tenant.id)
        membership = await tx.one_or_none(sql.MEMBERSHIP_FOR_UPDATE, user_id=user_id, tenant_id=self.tenant.id)
        if membership is None or membership.status == "removed":
            raise NotFound("user")
        if admins == [user_id] and not stays_admin:
            raise Conflict("an organisation needs an administrator; make somebody else one first", code="LAST_ADMIN")
        return membership.status

    async def _membership(self, tx: Tx, user: UserRow | None) -> MembershipRow | None:
        if user is None:
            return None
        return await tx.one_or_none(sql.MEMBERSHIP, user_id=user.id, tenant_id=self.tenant.id)

    async def _put_membership(self, tx: Tx, user_id: UUID, role: Role, status: str) -> None:
        await tx.execute(sql.PUT_MEMBERSHIP, user_id=user_id, tenant_id=self.tenant.id, role=role.value, status=status)
        await self.parts.jobs.sync_member(tx, user_id, self.tenant.id)

    async def _set_password(self, tx: Tx, user: UserRow, password: str) -> None:
        password_hash = await self.access.passwords.hash(password)
        await tx.execute(sql.SET_PASSWORD, id=user.id, password_hash=password_hash)
        await tx.execute(sql.VOID_TOKENS, user_id=user.id, purpose="reset")
        await self.parts.links.mail(tx, self.tenant, user, "password_changed", "/login")

    async def _end_sessions(self, tx: Tx, user_id: UUID, because: str) -> None:
        await tx.execute(sql.REVOKE_OTHERS, user_id=user_id, keep=UUID(int=0), because=because)
        await announce(tx, "user", user_id)

    async def _ask_for_link(self, purpose: Purpose, email: str) -> None:
        """Leave it to the worker: looking here whether there is anybody to write to would show in the answer's time."""
        check = validators.Checks()
        email = check("input.email", validators.email, email)
        check.done()
        async with self.db.control() as tx:
            await self.parts.jobs.offer_link(tx, purpose, email, self.tenant.id)

    async def _member(self, user_id: UUID) -> MemberRow:
        async with self.db.read() as tx:
            rows = await tx.all(sql.MEMBERS_BY_ID, ids=[user_id])
        if not rows:
            raise NotFound("user")
        return rows[0]

    async def _tokens(self, pair: tuple[str, str], user_id: UUID) -> Tokens:
        return Tokens(*pair, self.access.tokens.seconds, await self._member(user_id))


def _bad_token() -> Invalid:
    check = validators.Checks()
    check.note("input.token", "TOKEN_INVALID", "this link is not valid any more; ask for a new one")
    return Invalid(fields=check.problems)


def _clean_profile(changes: Mapping[str, Any]) -> dict[str, Any]:
    """The changes, validated. A None clears an optional field. Raises Invalid with every bad field."""
    check = validators.Checks()
    clean: dict[str, Any] = dict(changes)
    rules: dict[str, tuple[str, Callable[..., Any], dict[str, Any]]] = {
        "full_name": ("input.fullName", validators.full_name, {}),
        "locale": ("input.locale", validators.locale, {}),
        "time_zone": ("input.timeZone", validators.time_zone, {}),
        "avatar_url": ("input.avatarUrl", validators.url, {}),
        "bio": ("input.bio", validators.text, {"maximum": 2000}),
        "phone": ("input.phone", validators.phone, {}),
        "national_id": ("input.nationalId", validators.rut, {}),
    }
    for name, (path, rule, options) in rules.items():
        value = clean.get(name)
        if value is not None:
            clean[name] = check(path, rule, value, **options)
        elif name in clean and name in {"full_name", "locale", "time_zone"}:
            check.note(path, "REQUIRED", "cannot be empty")
    preferences = clean.get("preferences", {})
    if "playbackSpeed" in preferences:
        speed = preferences["playbackSpeed"]
        if not Decimal("0.5") <= speed <= Decimal(2):
            check.note(
                "input.preferences.playbackSpeed", "OUT_OF_RANGE", "must be between {minimum} and {maximum}",
                minimum="0.5", maximum=2,
            )  # fmt: skip
        clean["preferences"] = {**preferences, "playbackSpeed": str(speed)}
    check.done()
    return clean
