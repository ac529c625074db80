"""People: registering, logging in, sessions, passwords, profiles, members; over GraphQL and real SMTP."""

from __future__ import annotations

import asyncio
import secrets
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

import bcrypt
from psycopg import AsyncConnection

from app.errors import TooMany
from app.identity import throttle
from app.identity.purging import purge
from app.viewer import Role
from tests.mailbox import text_of, token_in
from tests.world import PASSWORD, Person, World

PROBLEM = "__typename ... on ValidationProblem { fields { path code message } } ... on Problem { code message }"
AUTH = "... on AuthPayload { accessToken refreshToken tokenType expiresIn tenantSlug user { id email role fullName } }"
NEW = "una frase larga y rara 77"


def act(name: str, kind: str, answer: str = "") -> str:
    return f"mutation($i: {kind}!) {{ {name}(input: $i) {{ {answer} {PROBLEM} }} }}"


LOGIN = act("login", "LoginInput", AUTH)
REFRESH = act("refreshToken", "RefreshTokenInput", AUTH)
REGISTER = act("register", "RegisterInput", "... on RegisterSuccess { email }")
VERIFY = act("verifyEmail", "VerifyEmailInput", "... on UserSuccess { user { email status role } }")


async def run(world: World, query: str, as_: Role | Person | None = None, **given: Any) -> dict[str, Any]:
    data = await world.ask(query, as_=as_, i=given)
    [answer] = data.values()
    found: dict[str, Any] = answer
    return found


async def login(world: World, email: str, password: str = PASSWORD) -> dict[str, Any]:
    return await run(world, LOGIN, email=email, password=password)


async def bearer(world: World, token: str, query: str = "{ me { email } }") -> dict[str, Any]:
    response = await world.send(query, headers={"Authorization": f"Bearer {token}"})
    answer: dict[str, Any] = response.json()
    return answer


async def test_a_person_registers_confirms_and_logs_in(acme: World) -> None:
    email = f"Nueva.Persona@{acme.tenant.slug}.test"
    answer = await run(acme, REGISTER, email=email, password=NEW, fullName=" Nueva   Persona ", locale="es")
    assert answer["email"] == email.lower()
    assert (await login(acme, email, NEW))["code"] == "EMAIL_NOT_VERIFIED"
    await acme.work()
    [mail] = acme.mailbox.to(email.lower())
    assert "Nueva Persona" in text_of(mail)
    token = token_in(mail)
    verified = await run(acme, VERIFY, token=token)
    assert verified["user"] == {"email": None, "status": "ACTIVE", "role": "STUDENT"}
    assert (await run(acme, VERIFY, token=token))["user"]["status"] == "ACTIVE"
    session = await login(acme, email, NEW)
    assert (session["tokenType"], session["expiresIn"], session["tenantSlug"]) == ("Bearer", 900, acme.tenant.slug)
    assert await bearer(acme, session["accessToken"]) == {"data": {"me": {"email": email.lower()}}}


async def test_bad_registrations_name_every_field_in_the_readers_language(acme: World) -> None:
    response = await acme.send(
        REGISTER, headers={"Accept-Language": "es"},
        i={"email": "nope", "password": "short", "fullName": " ", "locale": "xx"},
    )  # fmt: skip
    fields = response.json()["data"]["register"]["fields"]
    assert [field["path"] for field in fields] == ["input.email", "input.fullName", "input.locale", "input.password"]
    assert fields[3]["message"] == "necesita al menos 12 caracteres"


async def test_known_and_unknown_addresses_get_the_same_answers_for_the_same_work(acme: World) -> None:
    known = (await acme.person(Role.STUDENT)).email
    unknown = f"nobody@{acme.tenant.slug}.test"
    passwords = acme.platform.passwords
    cases: tuple[tuple[str, dict[str, Any]], ...] = (
        (REGISTER, {"password": NEW, "fullName": "X Y"}),
        (LOGIN, {"password": "not the password 1"}),
        (act("requestPasswordReset", "EmailInput", "... on Acknowledged { ok }"), {}),
        (act("resendVerification", "EmailInput", "... on Acknowledged { ok }"), {}),
    )
    for query, given in cases:
        answers, work = [], []
        for email in (known, unknown):
            before = passwords.computed
            answer = await run(acme, query, None, email=email, **given)
            answers.append({**answer, "email": None})
            work.append(passwords.computed - before)
        assert answers[0] == answers[1]
        assert work[0] == work[1]
    await acme.work()
    assert "already" in str(acme.mailbox.to(known)[0]["Subject"]).lower()


async def test_asking_for_a_link_is_the_same_sql_whoever_asks_and_sends_five_an_hour(acme: World) -> None:
    member = (await acme.person()).email
    create = act("createUser", "CreateUserInput", "... on UserSuccess { user { status } }")
    invited = f"invited@{acme.tenant.slug}.test"
    await run(acme, create, Role.ADMIN, email=invited, fullName="Invitada", role="STUDENT")
    await acme.work()
    for name, known, mails in (("requestPasswordReset", member, 5), ("resendVerification", invited, 5)):
        query = act(name, "EmailInput", "... on Acknowledged { ok }")
        sql = []
        for email in (known, f"nobody@{acme.tenant.slug}.test"):
            with acme.counting() as statements:
                assert (await run(acme, query, email=email))["ok"] is True
            sql.append(list(statements))
        assert sql[0] == sql[1]
        for _ in range(6):
            await run(acme, query, email=known)
        await acme.work()
        assert len(acme.mailbox.to(known)) == mails
    assert acme.mailbox.to(f"nobody@{acme.tenant.slug}.test") == []
    token = token_in(acme.mailbox.to(invited)[-1])
    assert (await run(acme, VERIFY, token=token, password=NEW))["user"]["status"] == "ACTIVE"


async def test_nobodys_mailbox_is_filled_by_registering_their_address_again_and_again(
    acme: World, globex: World
) -> None:
    known, unknown = (await acme.person()).email, f"nobody@{acme.tenant.slug}.test"
    for email in (known, unknown):
        answers = [
            await run(world, REGISTER, email=email, password=NEW, fullName="X Y")
            for world in (acme, globex, acme, globex, acme, globex, acme)
        ]
        assert [answer.get("code") for answer in answers] == [None] * 5 + ["RATE_LIMITED"] * 2
        await acme.work()
        assert len(acme.mailbox.to(email)) == 5


async def test_the_last_registration_of_an_unconfirmed_address_decides_its_password(acme: World) -> None:
    email = f"victim@{acme.tenant.slug}.test"
    await run(acme, REGISTER, email=email, password="attacker knows this 9", fullName="A")
    await run(acme, REGISTER, email=email, password=NEW, fullName="Victim")
    await acme.work()
    # Mails are sent four at a time, so the later one may arrive first; it is the one that calls her by her name.
    mails = sorted(acme.mailbox.to(email), key=lambda mail: "Victim" in text_of(mail))
    first, second = [token_in(mail) for mail in mails]
    assert (await run(acme, VERIFY, token=first))["fields"][0]["code"] == "TOKEN_INVALID"
    assert "Victim" in text_of(mails[1])
    await run(acme, VERIFY, token=second)
    assert (await login(acme, email, "attacker knows this 9"))["code"] == "INVALID_CREDENTIALS"
    assert (await login(acme, email, NEW))["user"]["fullName"] == "Victim"
    assert first != second


async def test_whoever_knows_an_invited_address_cannot_choose_its_password(acme: World, globex: World) -> None:
    """In any order: the password is chosen by the reader of the mail, never by somebody who registers the address."""
    create = act("createUser", "CreateUserInput", "... on UserSuccess { user { status } }")
    for order in ("registers first", "registers after", "registers elsewhere"):
        email = f"boss-{order.split()[1]}@{acme.tenant.slug}.test"
        attack: dict[str, Any] = {"email": email, "password": "attacker knows this 9", "fullName": "A"}
        if order != "registers after":
            await run(globex, REGISTER, **attack)
        await run(acme, create, Role.ADMIN, email=email, fullName="Boss", role="ADMIN")
        if order != "registers first":
            await run(acme if order == "registers after" else globex, REGISTER, **attack)
        await acme.work()
        for mail in reversed(acme.mailbox.to(email)):
            world = acme if acme.tenant.slug in text_of(mail) else globex
            refused = await run(world, VERIFY, token=token_in(mail))
            assert refused["fields"][0]["path"] == "input.password"
        await run(world, VERIFY, token=token_in(mail), password=NEW)
        for world in (acme, globex):
            assert (await run(world, LOGIN, email=email, password="attacker knows this 9"))["code"] == (
                "INVALID_CREDENTIALS"
            )


async def test_a_tenants_founder_does_not_inherit_the_password_of_whoever_registered_the_address(acme: World) -> None:
    email = f"founder-to-be@{acme.tenant.slug}.test"
    await run(acme, REGISTER, email=email, password="attacker knows this 9", fullName="A")
    found = acme.platform.founder.found
    slug = f"new-{acme.tenant.slug}"
    await found(slug=slug, name="New", admin_email=email, admin_name="Boss")
    await acme.work()
    refused = await acme.send(VERIFY, headers={"X-Tenant-ID": slug}, i={"token": token_in(acme.mailbox.to(email)[-1])})
    assert refused.json()["data"]["verifyEmail"]["fields"][0]["path"] == "input.password"


async def test_one_person_belongs_to_two_tenants_and_switches(acme: World, globex: World) -> None:
    person = await acme.person(Role.INSTRUCTOR)
    assert (await run(globex, LOGIN, email=person.email, password=PASSWORD))["code"] == "INVALID_CREDENTIALS"
    await run(globex, REGISTER, email=person.email, password=NEW, fullName="Ignored Name")
    switch = act("switchTenant", "SwitchTenantInput", AUTH)
    assert (await run(acme, switch, person, tenant=globex.tenant.slug))["code"] == "TENANT_NOT_FOUND"
    await globex.work()
    joined = await run(globex, VERIFY, token=token_in(globex.mailbox.to(person.email)[-1]))
    assert joined["user"]["role"] == "STUDENT"
    there = await run(acme, switch, person, tenant=globex.tenant.slug)
    assert (there["tenantSlug"], there["user"]["role"]) == (globex.tenant.slug, "STUDENT")
    mine = await bearer(globex, there["accessToken"], "{ me { memberships { tenantSlug role } } }")
    assert {(m["tenantSlug"], m["role"]) for m in mine["data"]["me"]["memberships"]} == {
        (acme.tenant.slug, "INSTRUCTOR"), (globex.tenant.slug, "STUDENT"),
    }  # fmt: skip
    crossed = await acme.send("{ me { email } }", headers={"Authorization": f"Bearer {there['accessToken']}"})
    assert (crossed.status_code, crossed.json()["errors"][0]["extensions"]["code"]) == (403, "TENANT_MISMATCH")
    assert (await login(globex, person.email, NEW))["code"] == "INVALID_CREDENTIALS"
    assert (await login(globex, person.email, PASSWORD))["__typename"] == "AuthPayload"


async def test_whoever_logs_in_sees_themselves_in_the_answer(acme: World, globex: World) -> None:
    person = await acme.person()
    await run(globex, REGISTER, email=person.email, password=NEW, fullName="X")
    await globex.work()
    await run(globex, VERIFY, token=token_in(globex.mailbox.to(person.email)[-1]))
    own = "user { email preferences { captions } memberships { tenantSlug } sessions { id isCurrent } }"
    answer = f"... on AuthPayload {{ accessToken refreshToken {own} }}"
    entered = await run(acme, act("login", "LoginInput", answer), email=person.email, password=PASSWORD)
    refreshed = await run(acme, act("refreshToken", "RefreshTokenInput", answer), refreshToken=entered["refreshToken"])
    for found in (entered, refreshed):
        assert (found["user"]["email"], found["user"]["preferences"]) == (person.email, {"captions": True})
        assert {m["tenantSlug"] for m in found["user"]["memberships"]} == {acme.tenant.slug, globex.tenant.slug}
        assert [s["isCurrent"] for s in found["user"]["sessions"]].count(True) == 1
    switched = await run(acme, act("switchTenant", "SwitchTenantInput", answer), person, tenant=globex.tenant.slug)
    assert [s["isCurrent"] for s in switched["user"]["sessions"]] == [True]
    assert switched["user"]["email"] == person.email


async def test_a_refresh_token_works_once_and_its_reuse_ends_the_session(acme: World) -> None:
    person = await acme.person()
    first = await login(acme, person.email)
    second = await run(acme, REFRESH, refreshToken=first["refreshToken"])
    third = await run(acme, REFRESH, refreshToken=second["refreshToken"])
    stolen = await run(acme, REFRESH, refreshToken=first["refreshToken"])
    assert stolen["__typename"] == "SessionEndedProblem"
    assert (await run(acme, REFRESH, refreshToken=third["refreshToken"]))["__typename"] == "SessionEndedProblem"
    after = await acme.send("{ me { email } }", headers={"Authorization": f"Bearer {third['accessToken']}"})
    assert (after.status_code, after.json()["errors"][0]["extensions"]["code"]) == (401, "UNAUTHENTICATED")
    assert (await run(acme, REFRESH, refreshToken="never"))["code"] == "UNAUTHENTICATED"


async def test_a_client_that_lost_the_answer_may_repeat_its_refresh_once_it_is_fresh(acme: World) -> None:
    person = await acme.person()
    first = await login(acme, person.email)
    lost = await run(acme, REFRESH, refreshToken=first["refreshToken"])
    repeated = await run(acme, REFRESH, refreshToken=first["refreshToken"])
    assert repeated["__typename"] == "AuthPayload"
    newest = await run(acme, REFRESH, refreshToken=repeated["refreshToken"])
    assert newest["__typename"] == "AuthPayload"
    assert (await run(acme, REFRESH, refreshToken=lost["refreshToken"]))["__typename"] == "SessionEndedProblem"
    assert (await run(acme, REFRESH, refreshToken=newest["refreshToken"]))["__typename"] == "SessionEndedProblem"


async def test_two_tabs_that_refresh_at_once_leave_one_living_token(acme: World) -> None:
    person = await acme.person()
    first = await login(acme, person.email)
    pairs = await asyncio.gather(*(run(acme, REFRESH, refreshToken=first["refreshToken"]) for _ in range(2)))
    assert [pair["__typename"] for pair in pairs] == ["AuthPayload"] * 2
    rows = await acme.as_owner(
        f"""SELECT count(*) FILTER (WHERE used_at IS NULL) FROM control.refresh_tokens t
            JOIN control.sessions s ON s.id = t.session_id WHERE s.user_id = '{person.user_id}'"""
    )
    assert rows == [(1,)]


async def test_failed_log_ins_wait_longer_and_longer_aliases_included(acme: World) -> None:
    email = (await acme.person()).email
    fields = " ".join(f"a{n}: login(input: $i) {{ {PROBLEM} }}" for n in range(5))
    await acme.ask(f"mutation($i: LoginInput!) {{ {fields} }}", i={"email": email, "password": "wrong wrong wrong"})
    blocked = await run(
        acme, act("login", "LoginInput", "... on LimitProblem { retryAfter }"), email=email, password=PASSWORD
    )
    assert blocked["code"] == "RATE_LIMITED"
    assert 1 <= blocked["retryAfter"] <= 2
    assert [throttle.wait_seconds(n, 5) for n in (4, 5, 6, 7, 40)] == [0, 2, 4, 8, 900]
    assert TooMany("x {retry_after}", retry_after=3).extensions() == {"code": "RATE_LIMITED", "retryAfter": 3}
    other = await acme.person()
    assert (await login(acme, other.email))["__typename"] == "AuthPayload"


async def test_guesses_sent_all_at_once_wait_like_those_sent_one_by_one(acme: World) -> None:
    email = (await acme.person()).email
    answers = await asyncio.gather(*(login(acme, email, f"guess number {n}") for n in range(20)))
    codes = [answer["code"] for answer in answers]
    assert (codes.count("INVALID_CREDENTIALS"), codes.count("RATE_LIMITED")) == (5, 15)


async def test_the_right_password_is_not_counted_as_an_attempt(acme: World) -> None:
    email = (await acme.person()).email
    for _ in range(3):
        answers = await asyncio.gather(*(login(acme, email) for _ in range(4)))
        assert {answer["__typename"] for answer in answers} == {"AuthPayload"}
    await acme.as_owner(f"UPDATE control.users SET email_verified_at = NULL WHERE email = '{email}'")
    for _ in range(7):
        assert (await login(acme, email))["code"] == "EMAIL_NOT_VERIFIED"


async def test_a_client_that_guesses_at_many_accounts_waits_too(acme: World) -> None:
    for n in range(50):
        await login(acme, f"somebody-{n}@{acme.tenant.slug}.test", "wrong wrong wrong")
    assert (await login(acme, (await acme.person()).email))["code"] == "RATE_LIMITED"


def test_an_ipv6_client_cannot_choose_what_it_is_counted_under() -> None:
    def client(ip: str) -> str | None:
        return throttle.keys(UUID(int=1), "a@b.test", ip).client

    assert client("2001:db8:1:2::1") == client("2001:db8:1:2:ffff::9") != client("2001:db8:1:3::1")
    assert client("192.0.2.1") == client("::ffff:192.0.2.1") != client("::ffff:192.0.2.2")
    assert client("not an address") != client("192.0.2.1")


async def test_sessions_are_listed_and_revoked_and_log_out_bites_at_once(acme: World) -> None:
    person = await acme.person()
    session = await login(acme, person.email)
    query = "{ me { sessions { id isCurrent ip userAgent lastUsedAt expiresAt createdAt } } }"
    listed = (await acme.ask(query, as_=person))["me"]["sessions"]
    assert [s["isCurrent"] for s in listed].count(True) == 1
    other = next(s["id"] for s in listed if not s["isCurrent"])
    revoke = act("revokeSession", "RevokeSessionInput", "... on Acknowledged { ok }")
    assert (await run(acme, revoke, person, id=other))["ok"] is True
    assert (await run(acme, revoke, person, id=other))["code"] == "NOT_FOUND"
    assert (await bearer(acme, session["accessToken"]))["errors"][0]["extensions"]["code"] == "UNAUTHENTICATED"
    out = act("logout", "LogoutInput", "... on Acknowledged { ok }")
    await run(acme, out, person, everywhere=True)
    assert (await bearer(acme, person.token))["errors"][0]["extensions"]["code"] == "UNAUTHENTICATED"
    single = await acme.person()
    await run(acme, out, single)
    assert (await bearer(acme, single.token))["errors"][0]["extensions"]["code"] == "UNAUTHENTICATED"


async def test_a_reset_link_works_once_even_for_two_at_once_and_ends_every_session(acme: World) -> None:
    person = await acme.person()
    session = await login(acme, person.email)
    await run(acme, act("requestPasswordReset", "EmailInput", "... on Acknowledged { ok }"), email=person.email)
    await acme.work()
    token = token_in(acme.mailbox.to(person.email)[-1])
    reset = act("resetPassword", "ResetPasswordInput", "... on Acknowledged { ok }")
    weak = await run(acme, reset, token=token, password="password1234")
    assert weak["fields"][0]["code"] == "PASSWORD_WEAK"
    answers = await asyncio.gather(*(run(acme, reset, token=token, password=f"{NEW}{n}") for n in range(3)))
    assert sorted(answer["__typename"] for answer in answers) == [
        "Acknowledged",
        "ValidationProblem",
        "ValidationProblem",
    ]
    assert (await bearer(acme, session["accessToken"]))["errors"][0]["extensions"]["code"] == "UNAUTHENTICATED"
    assert (await login(acme, person.email))["code"] == "INVALID_CREDENTIALS"
    winner = next(n for n, answer in enumerate(answers) if answer["__typename"] == "Acknowledged")
    assert (await login(acme, person.email, f"{NEW}{winner}"))["__typename"] == "AuthPayload"


async def test_changing_the_password_needs_the_present_one_and_ends_the_other_sessions(acme: World) -> None:
    person = await acme.person()
    other = await login(acme, person.email)
    change = act("changePassword", "ChangePasswordInput", "... on Acknowledged { ok }")
    wrong = await run(acme, change, person, currentPassword="not this one 123", newPassword=NEW)
    assert wrong["fields"] == [
        {"path": "input.currentPassword", "code": "PASSWORD_WRONG", "message": "is not your current password"}
    ]
    for _ in range(6):
        weak = await run(acme, change, person, currentPassword=PASSWORD, newPassword="password1234")
        assert weak["fields"][0]["code"] == "PASSWORD_WEAK"
    await run(acme, act("requestPasswordReset", "EmailInput", "... on Acknowledged { ok }"), email=person.email)
    await acme.work()
    link = token_in(acme.mailbox.to(person.email)[-1])
    assert (await run(acme, change, person, currentPassword=PASSWORD, newPassword=NEW))["ok"] is True
    reset = act("resetPassword", "ResetPasswordInput", "... on Acknowledged { ok }")
    assert (await run(acme, reset, token=link, password=NEW))["fields"][0]["code"] == "TOKEN_INVALID"
    assert (await bearer(acme, person.token))["data"]["me"]["email"] == person.email
    assert (await bearer(acme, other["accessToken"]))["errors"][0]["extensions"]["code"] == "UNAUTHENTICATED"
    await acme.work()
    assert len(acme.mailbox.to(person.email)) == 2


async def test_a_bcrypt_hash_of_the_old_system_verifies_once_and_is_made_anew(acme: World) -> None:
    person = await acme.person()
    old = bcrypt.hashpw(PASSWORD.encode(), bcrypt.gensalt(4)).decode()
    where = f"WHERE id = '{person.user_id}'"
    await acme.as_owner(f"UPDATE control.users SET password_hash = '{old}' {where}")
    assert (await login(acme, person.email))["__typename"] == "AuthPayload"
    [(stored,)] = await acme.as_owner(f"SELECT password_hash FROM control.users {where}")
    assert stored.startswith("$argon2id$")
    assert (await login(acme, person.email))["__typename"] == "AuthPayload"


async def test_a_profile_is_changed_field_by_field(acme: World) -> None:
    person = await acme.person()
    update = act(
        "updateProfile", "UpdateProfileInput",
        """... on UserSuccess { user { fullName locale timeZone bio phone nationalId avatarUrl version
           preferences { emailNotifications weeklyDigest autoplayVideos captions playbackSpeed } } }""",
    )  # fmt: skip
    done = await run(
        acme, update, person, fullName="Ñandú  Pérez", nationalId="12.531.909-2", phone="+56 9 8765 4321", bio="Hola",
        preferences={"playbackSpeed": "1.5", "emailNotifications": False}, expectedVersion=1,
    )  # fmt: skip
    user = done["user"]
    assert (user["fullName"], user["nationalId"], user["phone"]) == ("Ñandú Pérez", "12531909-2", "+56987654321")
    assert (user["preferences"]["playbackSpeed"], user["preferences"]["emailNotifications"]) == ("1.5", False)
    cleared = await run(acme, update, person, bio=None)
    assert (cleared["user"]["bio"], cleared["user"]["phone"]) == (None, "+56987654321")
    stale = await run(acme, update, person, bio="x", expectedVersion=1)
    assert stale["code"] == "VERSION_CONFLICT"
    bad = await run(
        acme, update, person, nationalId="12.531.909-3", phone="123", timeZone="Mars/Base", avatarUrl="http://x",
        fullName=None, preferences={"playbackSpeed": "9"},
    )  # fmt: skip
    assert {field["path"] for field in bad["fields"]} == {
        "input.nationalId", "input.phone", "input.timeZone", "input.avatarUrl", "input.fullName",
        "input.preferences.playbackSpeed",
    }  # fmt: skip
    me = await acme.ask("{ me { fullName bio } }", as_=person)
    assert me["me"] == {"fullName": "Ñandú Pérez", "bio": None}


async def test_me_takes_one_statement(acme: World) -> None:
    person = await acme.person()
    await acme.ask("{ me { id } }", as_=person)
    with acme.counting() as statements:
        await acme.ask("{ me { id fullName email role preferences { captions } } }", as_=person)
    assert len(statements) == 1


async def test_administrators_list_and_search_members(acme: World) -> None:
    for name in ("Álvaro Díaz", "Beatriz Álvarez", "Carla Soto"):
        await acme.person(name=name)
    admin = await acme.some(Role.ADMIN)
    query = """query($f: UserFilter, $s: UserSort, $first: Int, $after: String) {
      users(filter: $f, sort: $s, first: $first, after: $after) { totalCount nodes { fullName email }
      pageInfo { hasNextPage endCursor } } }"""
    found = (await acme.ask(query, as_=admin, f={"search": "alva"}))["users"]
    assert [node["fullName"] for node in found["nodes"]] == ["Álvaro Díaz", "Beatriz Álvarez"]
    assert found["nodes"][0]["email"].endswith(".test")
    students = (await acme.ask(query, as_=admin, f={"role": "STUDENT", "status": "ACTIVE"}, first=2))["users"]
    assert (students["totalCount"], students["pageInfo"]["hasNextPage"]) == (3, True)
    rest = (await acme.ask(query, as_=admin, f={"role": "STUDENT"}, after=students["pageInfo"]["endCursor"]))["users"]
    assert [node["fullName"] for node in rest["nodes"]] == ["Carla Soto"]
    newest = (await acme.ask(query, as_=admin, s="NEWEST", f={"role": "STUDENT"}))["users"]
    assert newest["nodes"][0]["fullName"] == "Carla Soto"
    await acme.person(name="Delia_Ríos 100%")
    for search, count in (("100%_", 0), ("%", 1), ("_", 1), ("a_r", 1), ("a%r", 0), ("\\", 0), ("0%", 1)):
        assert (await acme.ask(query, as_=admin, f={"search": search}))["users"]["totalCount"] == count


async def test_an_invited_person_chooses_a_password_and_a_member_is_not_invited_twice(acme: World) -> None:
    create = act("createUser", "CreateUserInput", "... on UserSuccess { user { id status role } }")
    email = f"invited@{acme.tenant.slug}.test"
    made = await run(acme, create, Role.ADMIN, email=email, fullName="Invitada", role="INSTRUCTOR")
    assert (made["user"]["status"], made["user"]["role"]) == ("PENDING", "INSTRUCTOR")
    again = await run(acme, create, Role.ADMIN, email=email.upper(), fullName="Invitada", role="STUDENT")
    assert again["code"] == "EMAIL_TAKEN"
    await acme.work()
    token = token_in(acme.mailbox.to(email)[0])
    missing = await run(acme, VERIFY, token=token)
    assert missing["fields"][0]["path"] == "input.password"
    done = await run(acme, VERIFY, token=token, password=NEW)
    assert (done["user"]["status"], done["user"]["role"]) == ("ACTIVE", "INSTRUCTOR")
    assert (await login(acme, email, NEW))["user"]["role"] == "INSTRUCTOR"


async def test_an_invitation_shows_nothing_of_who_somebody_is_elsewhere_until_they_accept(
    acme: World, globex: World
) -> None:
    person = await acme.person(name="Real Name")
    await acme.as_owner(
        f"UPDATE control.users SET phone = '+56987654321', national_id = '12531909-2' WHERE id = '{person.user_id}'"
    )
    who = "fullName phone nationalId emailVerifiedAt status"
    create = act("createUser", "CreateUserInput", f"... on UserSuccess {{ user {{ id {who} }} }}")
    made = await run(globex, create, Role.ADMIN, email=person.email, fullName="Guess", role="STUDENT")
    hidden = {"fullName": "Guess", "phone": None, "nationalId": None, "emailVerifiedAt": None, "status": "PENDING"}
    identifier = made["user"].pop("id")
    assert made["user"] == hidden
    await globex.work()
    query = f"query($id: ID!) {{ user(id: $id) {{ {who} }} }}"
    assert (await globex.ask(query, as_=Role.ADMIN, id=identifier))["user"] == hidden
    delete = act("deleteUser", "UserIdInput", f"... on UserSuccess {{ user {{ {who} }} }}")
    assert (await run(globex, delete, Role.ADMIN, id=identifier))["user"] == {**hidden, "status": "REMOVED"}
    await run(globex, create, Role.ADMIN, email=person.email, fullName="Guess", role="STUDENT")
    await globex.work()
    await run(globex, VERIFY, token=token_in(globex.mailbox.to(person.email)[-1]))
    shown = (await globex.ask(query, as_=Role.ADMIN, id=identifier))["user"]
    assert (shown["fullName"], shown["phone"], shown["status"]) == ("Real Name", "+56987654321", "ACTIVE")


async def test_a_role_bites_on_the_next_request_and_a_removed_member_is_out(acme: World) -> None:
    person = await acme.person(Role.STUDENT)
    create = 'mutation { createCourse(input: {title: "x"}) { __typename } }'
    assert (await acme.ask(create, as_=person))["createCourse"]["__typename"] == "ForbiddenProblem"
    change = act("changeUserRole", "ChangeUserRoleInput", "... on UserSuccess { user { role } }")
    assert (await run(acme, change, Role.ADMIN, id=person.id, role="INSTRUCTOR"))["user"]["role"] == "INSTRUCTOR"
    assert (await acme.ask(create, as_=person))["createCourse"]["__typename"] == "CourseSuccess"
    delete = act("deleteUser", "UserIdInput", "... on UserSuccess { user { status fullName } }")
    assert (await run(acme, delete, Role.ADMIN, id=person.id))["user"]["status"] == "REMOVED"
    gone = await acme.send(create, as_=person)
    assert gone.status_code == 401
    assert (await login(acme, person.email))["code"] == "INVALID_CREDENTIALS"
    assert (await run(acme, delete, Role.ADMIN, id=person.id))["code"] == "NOT_FOUND"


async def test_the_links_of_a_removed_member_end_with_the_membership(acme: World, globex: World) -> None:
    person = await globex.person()
    for _ in range(3):
        await run(acme, REGISTER, email=person.email, password=NEW, fullName="X")
    await acme.work()
    used, unused, again = [token_in(mail) for mail in acme.mailbox.to(person.email)]
    await run(acme, VERIFY, token=used)
    delete = act("deleteUser", "UserIdInput", "... on UserSuccess { user { status } }")
    assert (await run(acme, delete, Role.ADMIN, id=acme.id("usr", person.user_id)))["user"]["status"] == "REMOVED"
    for token in (used, unused, again):
        assert (await run(acme, VERIFY, token=token))["fields"][0]["code"] == "TOKEN_INVALID"
    assert (await login(acme, person.email))["code"] == "INVALID_CREDENTIALS"


async def test_a_tenant_keeps_an_administrator_even_when_two_demote_each_other(acme: World) -> None:
    admin = await acme.some(Role.ADMIN)
    founder = acme.id("usr", (await acme.as_owner("SELECT user_id FROM members WHERE email LIKE 'founder@%'"))[0][0])
    change = act("changeUserRole", "ChangeUserRoleInput", "... on UserSuccess { user { role } }")
    answers = await asyncio.gather(
        run(acme, change, admin, id=founder, role="STUDENT"), run(acme, change, admin, id=admin.id, role="STUDENT")
    )
    assert sorted(answer["__typename"] for answer in answers) == ["ConflictProblem", "UserSuccess"]
    assert {answer.get("code") for answer in answers} == {None, "LAST_ADMIN"}


async def test_others_see_a_name_and_not_an_address(acme: World) -> None:
    teacher, student = await acme.person(Role.INSTRUCTOR), await acme.person()
    query = "query($id: ID!) { user(id: $id) { fullName email } }"
    assert (await acme.ask(query, as_=student, id=teacher.id))["user"] is None
    assert (await acme.ask(query, as_=student, id=student.id))["user"]["email"] == student.email
    assert (await acme.ask(query, as_=Role.ADMIN, id=teacher.id))["user"]["email"] == teacher.email


async def test_an_smtp_server_that_is_away_delays_mails_and_loses_none(acme: World) -> None:
    acme.mailbox.answer = "451 try later"
    email = f"later@{acme.tenant.slug}.test"
    try:
        await run(acme, REGISTER, email=email, password=NEW, fullName="Later")
        await acme.work()
    finally:
        acme.mailbox.answer = "250 OK"
    assert acme.mailbox.to(email) == []
    [(pending,)] = await acme.as_owner(
        f"SELECT count(*) FROM control.outbox WHERE tenant_id = '{acme.tenant.id}' AND done_at IS NULL"
    )
    assert pending == 1
    await acme.as_owner(
        "SET search_path = jobs; UPDATE procrastinate_jobs SET scheduled_at = now() WHERE status = 'todo'"
    )
    await acme.work()
    assert len(acme.mailbox.to(email)) == 1
    [(payload,)] = await acme.as_owner(f"SELECT payload FROM control.outbox WHERE tenant_id = '{acme.tenant.id}'")
    assert payload is None


async def test_what_nobody_can_use_any_more_is_deleted_in_batches_and_the_rest_stays(acme: World) -> None:
    database = acme.platform.database
    person = await acme.person()
    who = f"'{person.user_id}', '{acme.tenant.id}'"
    mark = secrets.token_hex(4)
    await acme.as_owner(
        f"""INSERT INTO control.login_failures (key, failures, last_at)
            SELECT '{mark}:' || n, 1, now() - n * interval '1 hour' FROM generate_series(1, 49) n;
            INSERT INTO control.one_time_tokens (token_hash, user_id, tenant_id, purpose, expires_at, used_at)
            SELECT '{mark}:' || n, {who}, 'reset', now() - n * interval '1 day', CASE WHEN n % 2 = 0 THEN now() END
            FROM generate_series(-2, 33) n;
            INSERT INTO control.sessions (id, user_id, tenant_id, last_used_at, expires_at, revoked_at)
            SELECT gen_random_uuid(), {who}, now(), now() - n * interval '1 day', CASE n WHEN -9 THEN now() END
            FROM generate_series(-9, 33) n WHERE n < -4 OR n > 25;
            INSERT INTO control.sessions (id, user_id, tenant_id, last_used_at, expires_at, revoked_at)
            SELECT gen_random_uuid(), {who}, now(), now() + interval '9 days', now() - n * interval '1 day'
            FROM generate_series(29, 32) n;
            INSERT INTO control.refresh_tokens (token_hash, session_id, expires_at, used_at)
            SELECT '{mark}:' || id || n, id, now() + n * interval '1 day' - interval '1 hour', now()
            FROM control.sessions, generate_series(0, 3) n WHERE user_id = '{person.user_id}'"""
    )

    async def count(table: str, where: str) -> int:
        [(found,)] = await acme.as_owner(f"SELECT count(*) FROM control.{table} WHERE {where}")
        return int(found)

    async def left() -> tuple[int, int, int, int]:
        return (
            await count("login_failures", f"key LIKE '{mark}:%'"),
            await count("one_time_tokens", f"token_hash LIKE '{mark}:%'"),
            await count("refresh_tokens", f"token_hash LIKE '{mark}:%'"),
            await count("sessions", f"user_id = '{person.user_id}'"),
        )

    assert await left() == (49, 36, 72, 18)
    with acme.counting() as statements:
        deleted = await purge(database, datetime.now(UTC), timedelta(days=30), batch=7)
    assert max(deleted.values()) > 14
    assert statements.touching("control.login_failures") >= 4
    # Kept: a day of failures; 30 days of links; sessions that go on or ended within 30 days, with living tokens.
    alive = "expires_at > now() - interval '30 days' AND coalesce(revoked_at > now() - interval '30 days', true)"
    assert await count("sessions", f"user_id = '{person.user_id}' AND NOT ({alive})") == 0
    assert await left() == (23, 32, 3 * 11, 11)
    assert (await acme.ask("{ me { email } }", as_=person))["me"]["email"] == person.email
    await acme.application.worker.purge(0)
    assert await left() == (23, 32, 3 * 11, 11)


async def test_a_purge_passes_over_what_somebody_is_working_on(acme: World) -> None:
    person, mark = await acme.person(), secrets.token_hex(4)
    await acme.as_owner(
        f"INSERT INTO control.login_failures VALUES ('{mark}', 1, now() - interval '3 days'); "
        f"UPDATE control.sessions SET revoked_at = now() - interval '40 days' WHERE id = '{person.session_id}'"
    )
    dsn, database = acme.platform.config.owner_dsn, acme.platform.database
    async with await AsyncConnection.connect(dsn) as other:
        await other.execute("SELECT 1 FROM control.login_failures WHERE key = %s FOR UPDATE", [mark])
        await other.execute("SELECT 1 FROM control.sessions WHERE id = %s FOR UPDATE", [person.session_id])
        await purge(database, datetime.now(UTC), timedelta(days=30))
        await other.rollback()
    there = f"SELECT (SELECT count(*) FROM control.login_failures WHERE key = '{mark}'), count(*) FROM control.sessions"
    where = f"WHERE id = '{person.session_id}'"
    assert await acme.as_owner(f"{there} {where}") == [(1, 1)]
    await purge(database, datetime.now(UTC), timedelta(days=30))
    assert await acme.as_owner(f"{there} {where}") == [(0, 0)]
