"""People as clients see them: registering, logging in, sessions, profiles, members."""

from __future__ import annotations

from decimal import Decimal as PythonDecimal
from operator import attrgetter
from typing import Annotated, Any

import strawberry
from strawberry.schema import ExceptionHandler

from app.errors import Unauthenticated
from app.identity.rows import MemberRow, SessionRow, Tokens
from app.identity.service import DEFAULT_PREFERENCES, EmailNotVerified, InvalidCredentials
from app.identity.statements import ORDERS
from app.tenancy.records import Tenant
from app.viewer import Role as DomainRole
from schema import ids
from schema.accounts import (
    ChangePasswordInput,
    ChangeUserRoleInput,
    CreateUserInput,
    EmailInput,
    LoginInput,
    LogoutInput,
    MemberStatus,
    PreferencesInput,
    RefreshTokenInput,
    RegisterInput,
    ResetPasswordInput,
    RevokeSessionInput,
    Role,
    SwitchTenantInput,
    UpdateProfileInput,
    UserFilter,
    UserIdInput,
    UserSort,
    VerifyEmailInput,
)
from schema.context import Info
from schema.enums import word
from schema.errors import (
    ConflictProblem,
    ForbiddenProblem,
    LimitProblem,
    NotFoundProblem,
    Problem,
    UnavailableProblem,
    ValidationProblem,
    said,
)
from schema.node import Node, shown
from schema.paging import After, Before, Connection, First, Last, connection, page_request
from schema.scalars import DateTime, Decimal


@strawberry.type(description="How a person likes the platform to behave.")
class Preferences:
    row: strawberry.Private[dict[str, Any]]

    def _get(self, name: str) -> Any:
        return self.row.get(name, DEFAULT_PREFERENCES[name])

    @strawberry.field(description="Mails about courses.")
    def email_notifications(self) -> bool:
        return bool(self._get("emailNotifications"))

    @strawberry.field(description="One mail a week instead of none.")
    def weekly_digest(self) -> bool:
        return bool(self._get("weeklyDigest"))

    @strawberry.field(description="Start videos at once.")
    def autoplay_videos(self) -> bool:
        return bool(self._get("autoplayVideos"))

    @strawberry.field(description="Show captions.")
    def captions(self) -> bool:
        return bool(self._get("captions"))

    @strawberry.field(description="Playback speed of videos, 0.5 to 2.")
    def playback_speed(self) -> Decimal:
        return Decimal(PythonDecimal(self._get("playbackSpeed")))


@strawberry.type(description="An organisation that a person belongs to.")
class Membership:
    tenant_slug: str = strawberry.field(description="Its name in addresses and in X-Tenant-ID.")
    tenant_name: str = strawberry.field(description="Its name.")
    role: Role = strawberry.field(description="What the person is there.")
    since: DateTime = strawberry.field(description="Since when.")


@strawberry.type(description="A log-in that lasts, on one device.")
class Session:
    row: strawberry.Private[SessionRow]

    @strawberry.field(description="Opaque identifier.")
    def id(self, info: Info) -> strawberry.ID:
        return ids.encode(ids.SESSION, self.row.id, info.context.mask)

    @strawberry.field(description="Whether this is the session that asks.")
    def is_current(self, info: Info) -> bool:
        return self.row.id == info.context.viewer.session_id

    @strawberry.field(description="The program that logged in, as it called itself.")
    def user_agent(self) -> str | None:
        return self.row.user_agent

    @strawberry.field(description="The network address it came from.")
    def ip(self) -> str | None:
        return self.row.ip

    @strawberry.field(description="When it began.")
    def created_at(self) -> DateTime:
        return DateTime(self.row.created_at)

    @strawberry.field(description="When it was last renewed.")
    def last_used_at(self) -> DateTime:
        return DateTime(self.row.last_used_at)

    @strawberry.field(description="When it ends at the latest.")
    def expires_at(self) -> DateTime:
        return DateTime(self.row.expires_at)


@strawberry.type(description="A member of the organisation. What others may not see is null.")
class User(Node):
    row: strawberry.Private[MemberRow]

    id_kind = ids.USER
    id_number = attrgetter("row.user_id.int")

    def _private(self, info: Info) -> bool:
        viewer = info.context.viewer
        return viewer.user_id == self.row.user_id or viewer.is_(DomainRole.ADMIN)

    @strawberry.field(description="Name.")
    def full_name(self) -> str:
        return self.row.full_name

    @strawberry.field(description="Picture.")
    def avatar_url(self) -> str | None:
        return self.row.avatar_url

    @strawberry.field(description="About themselves.")
    def bio(self) -> str | None:
        return self.row.bio

    @strawberry.field(description="What they are in the organisation.")
    def role(self) -> Role:
        return Role(self.row.role)

    @strawberry.field(description="Where they stand in the organisation.")
    def status(self) -> MemberStatus:
        return MemberStatus(self.row.status)

    @strawberry.field(description="E-mail address; for themselves and administrators.")
    def email(self, info: Info) -> str | None:
        return self.row.email if self._private(info) else None

    @strawberry.field(description="Language of mails and messages: es or en; for themselves and administrators.")
    def locale(self, info: Info) -> str | None:
        return self.row.locale if self._private(info) else None

    @strawberry.field(description="IANA time zone; for themselves and administrators.")
    def time_zone(self, info: Info) -> str | None:
        return self.row.time_zone if self._private(info) else None

    @strawberry.field(description="Telephone number in E.164; for themselves and administrators.")
    def phone(self, info: Info) -> str | None:
        return self.row.phone if self._private(info) else None

    @strawberry.field(description="Chilean RUT; for themselves and administrators.")
    def national_id(self, info: Info) -> str | None:
        return self.row.national_id if self._private(info) else None

    @strawberry.field(description="How they like the platform to behave; for themselves only.")
    def preferences(self, info: Info) -> Preferences | None:
        own = info.context.viewer.user_id == self.row.user_id
        return Preferences(row=self.row.preferences) if own else None

    @strawberry.field(description="When the address was confirmed; for themselves and administrators.")
    def email_verified_at(self, info: Info) -> DateTime | None:
        verified = self.row.email_verified_at
        return DateTime(verified) if verified is not None and self._private(info) else None

    @strawberry.field(description="When they came to the organisation.")
    def created_at(self) -> DateTime:
        return DateTime(self.row.created_at)

    @strawberry.field(description="Grows with every change; pass it as expectedVersion.")
    def version(self) -> int:
        return self.row.version

    @strawberry.field(description="The organisations they belong to; for themselves only.")
    async def memberships(self, info: Info) -> list[Membership]:
        if info.context.viewer.user_id != self.row.user_id:
            return []
        return [
            Membership(
                tenant_slug=m.tenant_slug, tenant_name=m.tenant_name, role=Role(m.role), since=DateTime(m.created_at)
            )
            for m in await info.context.identity.memberships()
        ]

    @strawberry.field(description="Their open sessions in this organisation; for themselves only.")
    async def sessions(self, info: Info) -> list[Session]:
        if info.context.viewer.user_id != self.row.user_id:
            return []
        return [Session(row=row) for row in await info.context.identity.sessions()]


@strawberry.type(description="A page of people.")
class UserConnection(Connection[User]):
    pass


@strawberry.type(description="What a log-in gives.")
class AuthPayload:
    access_token: str = strawberry.field(description="Send it as `Authorization: Bearer <token>`.")
    token_type: str = strawberry.field(description="Always Bearer.")
    expires_in: int = strawberry.field(description="Life of the access token, seconds.")
    refresh_token: str = strawberry.field(description="Works once; exchange it with refreshToken.")
    user: User = strawberry.field(description="Who logged in.")
    tenant_slug: str = strawberry.field(description="The organisation the tokens are for.")


@strawberry.type(description="The e-mail or the password is not right. Which one is not told.")
class InvalidCredentialsProblem(Problem):
    pass


@strawberry.type(description="The password is right, but the address was not confirmed yet.")
class EmailNotVerifiedProblem(Problem):
    pass


class OnInvalidCredentials(ExceptionHandler[InvalidCredentials, InvalidCredentialsProblem]):
    def handle(self, exception: InvalidCredentials, *, field: Any, info: Any) -> InvalidCredentialsProblem:
        return InvalidCredentialsProblem(**said(exception, info))


class OnEmailNotVerified(ExceptionHandler[EmailNotVerified, EmailNotVerifiedProblem]):
    def handle(self, exception: EmailNotVerified, *, field: Any, info: Any) -> EmailNotVerifiedProblem:
        return EmailNotVerifiedProblem(**said(exception, info))


@strawberry.type(description="The session has ended, or the refresh token was used before; log in again.")
class SessionEndedProblem(Problem):
    pass


class OnSessionEnded(ExceptionHandler[Unauthenticated, SessionEndedProblem]):
    def handle(self, exception: Unauthenticated, *, field: Any, info: Any) -> SessionEndedProblem | None:
        return SessionEndedProblem(**said(exception, info))


HANDLERS = (OnInvalidCredentials(), OnEmailNotVerified(), OnSessionEnded())


# --- successes


@strawberry.type(description="The request was taken; what happens next is told by mail.")
class RegisterSuccess:
    email: str = strawberry.field(description="Where the mail goes.")


@strawberry.type(description="Done, as far as there was something to do.")
class Acknowledged:
    ok: bool = strawberry.field(description="Always true.")


@strawberry.type(description="A person after the change.")
class UserSuccess:
    user: User = strawberry.field(description="The person.")


RegisterResult = Annotated[
    RegisterSuccess | ValidationProblem | LimitProblem | UnavailableProblem,
    strawberry.union("RegisterResult", description="Outcome of register; the same for known and unknown addresses."),
]
LoginResult = Annotated[
    AuthPayload
    | ValidationProblem
    | InvalidCredentialsProblem
    | EmailNotVerifiedProblem
    | LimitProblem
    | UnavailableProblem,
    strawberry.union("LoginResult", description="Outcome of login."),
]
RefreshTokenResult = Annotated[
    AuthPayload | SessionEndedProblem | ValidationProblem | UnavailableProblem,
    strawberry.union("RefreshTokenResult", description="Outcome of refreshToken."),
]
SwitchTenantResult = Annotated[
    AuthPayload | NotFoundProblem | ValidationProblem | UnavailableProblem,
    strawberry.union("SwitchTenantResult", description="Outcome of switchTenant."),
]
LogoutResult = Annotated[
    Acknowledged | ValidationProblem | UnavailableProblem,
    strawberry.union("LogoutResult", description="Outcome of logout."),
]
RevokeSessionResult = Annotated[
    Acknowledged | NotFoundProblem | ValidationProblem | UnavailableProblem,
    strawberry.union("RevokeSessionResult", description="Outcome of revokeSession."),
]
VerifyEmailResult = Annotated[
    UserSuccess | ValidationProblem | UnavailableProblem,
    strawberry.union("VerifyEmailResult", description="Outcome of verifyEmail."),
]
ResendVerificationResult = Annotated[
    Acknowledged | ValidationProblem | UnavailableProblem,
    strawberry.union("ResendVerificationResult", description="Outcome of resendVerification."),
]
RequestPasswordResetResult = Annotated[
    Acknowledged | ValidationProblem | UnavailableProblem,
    strawberry.union("RequestPasswordResetResult", description="Outcome of requestPasswordReset."),
]
ResetPasswordResult = Annotated[
    Acknowledged | ValidationProblem | UnavailableProblem,
    strawberry.union("ResetPasswordResult", description="Outcome of resetPassword."),
]
ChangePasswordResult = Annotated[
    Acknowledged | ValidationProblem | LimitProblem | UnavailableProblem,
    strawberry.union("ChangePasswordResult", description="Outcome of changePassword."),
]
UpdateProfileResult = Annotated[
    UserSuccess | ValidationProblem | ConflictProblem | UnavailableProblem,
    strawberry.union("UpdateProfileResult", description="Outcome of updateProfile."),
]
CreateUserResult = Annotated[
    UserSuccess | ValidationProblem | ForbiddenProblem | ConflictProblem | UnavailableProblem,
    strawberry.union("CreateUserResult", description="Outcome of createUser."),
]
ChangeUserRoleResult = Annotated[
    UserSuccess | NotFoundProblem | ForbiddenProblem | ConflictProblem | ValidationProblem | UnavailableProblem,
    strawberry.union("ChangeUserRoleResult", description="Outcome of changeUserRole."),
]
DeleteUserResult = Annotated[
    UserSuccess | NotFoundProblem | ForbiddenProblem | ConflictProblem | ValidationProblem | UnavailableProblem,
    strawberry.union("DeleteUserResult", description="Outcome of deleteUser."),
]


async def auth_payload(info: Info, tenant: Tenant, tokens: Tokens) -> AuthPayload:
    """A log-in's tokens as clients see them, and the person as they see themselves."""
    await info.context.enter(tenant, tokens.access_token)
    return AuthPayload(
        access_token=tokens.access_token,
        token_type="Bearer",  # noqa: S106 - the scheme's name
        expires_in=tokens.expires_in,
        refresh_token=tokens.refresh_token,
        user=User(row=tokens.member),
        tenant_slug=tenant.slug,
    )


def given(value: Any, names: tuple[str, ...]) -> dict[str, Any]:
    """The fields of an input that the client sent, null included."""
    return {name: sent for name in names if (sent := getattr(value, name)) is not strawberry.UNSET}


PROFILE = ("full_name", "locale", "time_zone", "avatar_url", "bio", "phone", "national_id")
PREFERENCES = {
    "email_notifications": "emailNotifications",
    "weekly_digest": "weeklyDigest",
    "autoplay_videos": "autoplayVideos",
    "captions": "captions",
    "playback_speed": "playbackSpeed",
}


@strawberry.type
class IdentityQuery:
    @strawberry.field(description="The person who asks.")
    async def me(self, info: Info) -> User:
        return User(row=await info.context.identity.me())

    @strawberry.field(description="A member: oneself, or anybody for administrators; null when there is none to see.")
    async def user(
        self, info: Info, id: Annotated[strawberry.ID, strawberry.argument(description="The member.")]
    ) -> User | None:
        row = await info.context.identity.user(ids.decode(ids.USER, id, info.context.mask))
        return None if row is None else User(row=row)

    @strawberry.field(description="The members of the organisation; for administrators.")
    async def users(
        self,
        info: Info,
        filter: Annotated[UserFilter | None, strawberry.argument(description="Which ones.")] = None,
        sort: Annotated[UserSort | None, strawberry.argument(description="In which order; NAME by default.")] = None,
        first: First = None,
        after: After = None,
        last: Last = None,
        before: Before = None,
    ) -> UserConnection:
        sort = sort or UserSort.NAME
        order = ORDERS[word(sort)]
        wanted = {
            name: value
            for name, value in {
                "search": (filter.search or "")[:200] if filter else None,
                "role": word(filter.role) if filter and filter.role else None,
                "status": word(filter.status) if filter and filter.status else None,
            }.items()
            if value
        }
        identity = info.context.identity
        page = await identity.users(page_request(order, first, after, last, before), word(sort), wanted)
        made: UserConnection = connection(
            UserConnection,
            order.name,
            page,
            nodes=shown(User, page.rows),
            key=lambda row: (row.sort_name, row.user_id) if sort is UserSort.NAME else (row.created_at, row.user_id),
            count=lambda: identity.count_users(wanted),
        )
        return made


@strawberry.type
class IdentityMutation:
    @strawberry.mutation(
        description="Ask for an account as a student. The answer never tells whether the address is known."
    )
    async def register(
        self, info: Info, input: Annotated[RegisterInput, strawberry.argument(description="The account.")]
    ) -> RegisterResult:
        email = await info.context.identity.register(
            email=input.email, password=input.password, full_name=input.full_name, locale=input.locale
        )
        return RegisterSuccess(email=email)

    @strawberry.mutation(description="Confirm an address, join an organisation or accept an invitation.")
    async def verify_email(
        self, info: Info, input: Annotated[VerifyEmailInput, strawberry.argument(description="The link.")]
    ) -> VerifyEmailResult:
        return UserSuccess(
            user=User(row=await info.context.identity.verify_email(token=input.token, password=input.password))
        )

    @strawberry.mutation(description="Send the link that confirms an address again.")
    async def resend_verification(
        self, info: Info, input: Annotated[EmailInput, strawberry.argument(description="The address.")]
    ) -> ResendVerificationResult:
        await info.context.identity.resend_verification(email=input.email)
        return Acknowledged(ok=True)

    @strawberry.mutation(description="Log in.")
    async def login(
        self, info: Info, input: Annotated[LoginInput, strawberry.argument(description="The credentials.")]
    ) -> LoginResult:
        tokens = await info.context.identity.login(email=input.email, password=input.password)
        return await auth_payload(info, info.context.here, tokens)

    @strawberry.mutation(description="Exchange a refresh token for a new pair of tokens; each works once.")
    async def refresh_token(
        self, info: Info, input: Annotated[RefreshTokenInput, strawberry.argument(description="The token.")]
    ) -> RefreshTokenResult:
        tokens = await info.context.identity.refresh(refresh_token=input.refresh_token)
        return await auth_payload(info, info.context.here, tokens)

    @strawberry.mutation(description="End this session, or all of them.")
    async def logout(
        self,
        info: Info,
        input: Annotated[LogoutInput | None, strawberry.argument(description="Which sessions.")] = None,
    ) -> LogoutResult:
        await info.context.identity.logout(everywhere=input is not None and input.everywhere)
        return Acknowledged(ok=True)

    @strawberry.mutation(description="End one of one's sessions.")
    async def revoke_session(
        self, info: Info, input: Annotated[RevokeSessionInput, strawberry.argument(description="The session.")]
    ) -> RevokeSessionResult:
        await info.context.identity.revoke_session(ids.decode(ids.SESSION, input.id, info.context.mask))
        return Acknowledged(ok=True)

    @strawberry.mutation(description="Log in to another organisation that one belongs to.")
    async def switch_tenant(
        self, info: Info, input: Annotated[SwitchTenantInput, strawberry.argument(description="The organisation.")]
    ) -> SwitchTenantResult:
        tenant, tokens = await info.context.identity.switch_tenant(slug=input.tenant)
        return await auth_payload(info, tenant, tokens)

    @strawberry.mutation(description="Send a link to choose a new password, if there is somebody to send it to.")
    async def request_password_reset(
        self, info: Info, input: Annotated[EmailInput, strawberry.argument(description="The address.")]
    ) -> RequestPasswordResetResult:
        await info.context.identity.request_password_reset(email=input.email)
        return Acknowledged(ok=True)

    @strawberry.mutation(description="Set a new password with a link from a mail; every session ends.")
    async def reset_password(
        self,
        info: Info,
        input: Annotated[ResetPasswordInput, strawberry.argument(description="The link and the password.")],
    ) -> ResetPasswordResult:
        await info.context.identity.reset_password(token=input.token, password=input.password)
        return Acknowledged(ok=True)

    @strawberry.mutation(description="Change one's password; one's other sessions end.")
    async def change_password(
        self, info: Info, input: Annotated[ChangePasswordInput, strawberry.argument(description="Both passwords.")]
    ) -> ChangePasswordResult:
        await info.context.identity.change_password(current=input.current_password, new=input.new_password)
        return Acknowledged(ok=True)

    @strawberry.mutation(description="Change one's profile.")
    async def update_profile(
        self, info: Info, input: Annotated[UpdateProfileInput, strawberry.argument(description="The changes.")]
    ) -> UpdateProfileResult:
        changes = given(input, PROFILE)
        if isinstance(input.preferences, PreferencesInput):
            sent = given(input.preferences, tuple(PREFERENCES))
            changes["preferences"] = {PREFERENCES[name]: value for name, value in sent.items() if value is not None}
        row = await info.context.identity.update_profile(changes, expected_version=input.expected_version)
        return UserSuccess(user=User(row=row))

    @strawberry.mutation(description="Invite somebody to the organisation; for administrators.")
    async def create_user(
        self, info: Info, input: Annotated[CreateUserInput, strawberry.argument(description="Whom.")]
    ) -> CreateUserResult:
        row = await info.context.identity.create_user(
            email=input.email, full_name=input.full_name, role=DomainRole(word(input.role)), locale=input.locale
        )
        return UserSuccess(user=User(row=row))

    @strawberry.mutation(description="Give a member another role, from their next request on; for administrators.")
    async def change_user_role(
        self, info: Info, input: Annotated[ChangeUserRoleInput, strawberry.argument(description="Who and what.")]
    ) -> ChangeUserRoleResult:
        user_id = ids.decode(ids.USER, input.id, info.context.mask)
        return UserSuccess(
            user=User(row=await info.context.identity.change_role(user_id, DomainRole(word(input.role))))
        )

    @strawberry.mutation(description="Remove a member; their work and name stay; for administrators.")
    async def delete_user(
        self, info: Info, input: Annotated[UserIdInput, strawberry.argument(description="Whom.")]
    ) -> DeleteUserResult:
        user_id = ids.decode(ids.USER, input.id, info.context.mask)
        return UserSuccess(user=User(row=await info.context.identity.delete_user(user_id)))
