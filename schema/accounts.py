"""What clients send about people: inputs, and the words they choose from."""

from __future__ import annotations

from enum import Enum

import strawberry

from schema.scalars import Decimal


@strawberry.enum(name="Role", description="What a person is in an organisation.")
class Role(Enum):
    STUDENT = strawberry.enum_value("student", description="Learns.")
    INSTRUCTOR = strawberry.enum_value("instructor", description="Writes and teaches courses.")
    ADMIN = strawberry.enum_value("admin", description="Manages people and every course.")
    ANALYST = strawberry.enum_value("analyst", description="Reads figures.")


@strawberry.enum(name="MemberStatus", description="Where a person stands in an organisation.")
class MemberStatus(Enum):
    PENDING = strawberry.enum_value("pending", description="Invited or registered; the address is not confirmed yet.")
    ACTIVE = strawberry.enum_value("active", description="A member.")
    REMOVED = strawberry.enum_value("removed", description="No longer a member; their work keeps their name.")


@strawberry.enum(name="UserSort", description="The order of a list of people.")
class UserSort(Enum):
    NAME = strawberry.enum_value("NAME", description="By name, accents and case aside.")
    NEWEST = strawberry.enum_value("NEWEST", description="Those who came last first.")


@strawberry.input(description="A new account.")
class RegisterInput:
    email: str = strawberry.field(description="Address; a link to confirm it is sent there.")
    password: str = strawberry.field(description="12 to 128 characters, not easy to guess.")
    full_name: str = strawberry.field(description="Name, at most 120 characters.")
    locale: str | None = strawberry.field(
        default=None, description="Language: es or en; the organisation's by default."
    )


@strawberry.input(description="Credentials.")
class LoginInput:
    email: str = strawberry.field(description="Address.")
    password: str = strawberry.field(description="Password.")


@strawberry.input(description="A refresh token to exchange.")
class RefreshTokenInput:
    refresh_token: str = strawberry.field(description="The newest refresh token of the session.")


@strawberry.input(description="Which sessions to end.")
class LogoutInput:
    everywhere: bool = strawberry.field(default=False, description="End all of one's sessions, not only this one.")


@strawberry.input(description="A link from a mail.")
class VerifyEmailInput:
    token: str = strawberry.field(description="The token in the link.")
    password: str | None = strawberry.field(default=None, description="For an invitation: the password to set.")


@strawberry.input(description="An address.")
class EmailInput:
    email: str = strawberry.field(description="Address.")


@strawberry.input(description="A new password with a link from a mail.")
class ResetPasswordInput:
    token: str = strawberry.field(description="The token in the link.")
    password: str = strawberry.field(description="12 to 128 characters, not easy to guess.")


@strawberry.input(description="A new password.")
class ChangePasswordInput:
    current_password: str = strawberry.field(description="The present one.")
    new_password: str = strawberry.field(description="12 to 128 characters, not easy to guess.")


@strawberry.input(description="Preferences to change; those left out stay.")
class PreferencesInput:
    email_notifications: bool | None = strawberry.field(default=strawberry.UNSET, description="Mails about courses.")
    weekly_digest: bool | None = strawberry.field(default=strawberry.UNSET, description="One mail a week.")
    autoplay_videos: bool | None = strawberry.field(default=strawberry.UNSET, description="Start videos at once.")
    captions: bool | None = strawberry.field(default=strawberry.UNSET, description="Show captions.")
    playback_speed: Decimal | None = strawberry.field(default=strawberry.UNSET, description="0.5 to 2.")


@strawberry.input(description="Changes of one's profile; fields left out stay, null clears.")
class UpdateProfileInput:
    full_name: str | None = strawberry.field(default=strawberry.UNSET, description="Name.")
    locale: str | None = strawberry.field(default=strawberry.UNSET, description="Language: es or en.")
    time_zone: str | None = strawberry.field(default=strawberry.UNSET, description="IANA name.")
    avatar_url: str | None = strawberry.field(default=strawberry.UNSET, description="https address of a picture.")
    bio: str | None = strawberry.field(default=strawberry.UNSET, description="At most 2,000 characters.")
    phone: str | None = strawberry.field(default=strawberry.UNSET, description="With country code, or Chilean.")
    national_id: str | None = strawberry.field(default=strawberry.UNSET, description="Chilean RUT.")
    preferences: PreferencesInput | None = strawberry.field(default=strawberry.UNSET, description="Preferences.")
    expected_version: int | None = strawberry.field(default=None, description="Refuse if somebody changed it since.")


@strawberry.input(description="Somebody to invite.")
class CreateUserInput:
    email: str = strawberry.field(description="Address; the invitation is sent there.")
    full_name: str = strawberry.field(description="Name.")
    role: Role = strawberry.field(description="What they will be.")
    locale: str | None = strawberry.field(default=None, description="Language: es or en.")


@strawberry.input(description="A member and a role.")
class ChangeUserRoleInput:
    id: strawberry.ID = strawberry.field(description="The member.")
    role: Role = strawberry.field(description="The new role.")


@strawberry.input(description="A member.")
class UserIdInput:
    id: strawberry.ID = strawberry.field(description="The member.")


@strawberry.input(description="A session.")
class RevokeSessionInput:
    id: strawberry.ID = strawberry.field(description="The session.")


@strawberry.input(description="An organisation.")
class SwitchTenantInput:
    tenant: str = strawberry.field(description="Its slug.")


@strawberry.input(description="Which people to list.")
class UserFilter:
    search: str | None = strawberry.field(default=None, description="Part of the name or address, accents aside.")
    role: Role | None = strawberry.field(default=None, description="Only with this role.")
    status: MemberStatus | None = strawberry.field(
        default=None, description="Only with this status; without it, all but removed ones."
    )
