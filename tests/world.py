"""A tenant with people and courses, asked through GraphQL over the real ASGI application."""

from __future__ import annotations

import secrets
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass
from typing import Any
from uuid import UUID

import httpx
from psycopg import AsyncConnection
from psycopg.types.json import Jsonb
from sqlalchemy import text

from app.db.database import Operation
from app.db.ids import new_id
from app.db.statements import Statement
from app.main import Application
from app.tenancy.records import Tenant
from app.tenancy.service import TenantService
from app.viewer import Role, Viewer
from schema import ids
from tests.mailbox import Mailbox

PASSWORD = "correct horse battery staple 42"

_PERSON = Statement(
    text(
        """INSERT INTO control.users (id, email, password_hash, full_name, locale, email_verified_at)
           VALUES (:id, :email, :password_hash, :full_name, :locale, now())"""
    ),
    int,
)
_MEMBERSHIP = Statement(
    text(
        """INSERT INTO control.memberships (user_id, tenant_id, role, status)
           VALUES (:id, :tenant_id, :role, 'active')"""
    ),
    int,
)
_SESSION = Statement(
    text(
        """INSERT INTO control.sessions (id, user_id, tenant_id, last_used_at, expires_at)
           VALUES (:id, :user_id, :tenant_id, now(), now() + interval '1 hour')"""
    ),
    int,
)
_MEMBER = Statement(
    text(
        """INSERT INTO members (user_id, email, full_name, role, status, locale, email_verified_at)
           VALUES (:id, :email, :full_name, :role, 'active', :locale, now())"""
    ),
    int,
)


@dataclass(frozen=True, slots=True)
class Person:
    """A member of the world's tenant, logged in."""

    user_id: UUID
    email: str
    role: Role
    session_id: UUID
    token: str
    id: str


class Statements(list[str]):
    """The SQL that was run."""

    def touching(self, table: str) -> int:
        """How many statements mention a table."""
        return sum(f" {table}" in statement or f"{table}." in statement for statement in self)

    def in_tenant(self) -> int:
        """How many statements ran in the tenant's schema: not the look-ups that a request needs after a pause."""
        return sum("control." not in statement for statement in self)


class World:
    """One fresh tenant of the application under test."""

    def __init__(self, application: Application, mailbox: Mailbox, tenant: Tenant) -> None:
        self.application = application
        self.platform = application.platform
        self.mailbox = mailbox
        self.tenant = tenant
        self.people: dict[Role, Person] = {}
        self.owners: list[str] = []  # what was done as the owner
        self.http = httpx.AsyncClient(
            transport=httpx.ASGITransport(application.asgi, client=("127.0.0.1", 50_000)), base_url="http://api.test"
        )

    @classmethod
    @asynccontextmanager
    async def founded(cls, application: Application, mailbox: Mailbox, name: str) -> AsyncIterator[World]:
        """A new tenant whose slug starts with ``name``, with an administrator."""
        slug = f"{name}-{secrets.token_hex(4)}"
        tenant = await application.platform.founder.found(
            slug=slug,
            name=name.title(),
            admin_email=f"founder@{slug}.test",
            admin_name="Fundadora Soto",
            password=PASSWORD,
        )
        world = cls(application, mailbox, tenant)
        async with world.http:
            yield world

    async def person(self, role: Role = Role.STUDENT, *, name: str | None = None, locale: str = "en") -> Person:
        """A new member with this role, with a session and a token."""
        number = secrets.token_hex(3)
        user_id, session_id = new_id(), new_id()
        email = f"{role}-{number}@{self.tenant.slug}.test"
        full_name = name or f"{role.title()} {number}"
        values = {"id": user_id, "email": email, "full_name": full_name, "locale": locale}
        async with self.platform.database.control() as tx:
            await tx.execute(_PERSON, password_hash=await self.platform.passwords.hash(PASSWORD), **values)
            await tx.execute(_MEMBERSHIP, id=user_id, tenant_id=self.tenant.id, role=role.value)
            await tx.execute(_SESSION, id=session_id, user_id=user_id, tenant_id=self.tenant.id)
        async with self.platform.database.tenant(self.tenant.handle) as tx:
            await tx.execute(_MEMBER, role=role.value, **values)
        token = self.platform.tokens.issue(user_id=user_id, tenant_id=self.tenant.id, session_id=session_id)
        return Person(user_id, email, role, session_id, token, ids.encode(ids.USER, user_id, self.tenant.id_mask))

    async def some(self, role: Role) -> Person:
        """The world's usual person with this role."""
        if role not in self.people:
            self.people[role] = await self.person(role)
        return self.people[role]

    def id(self, kind: str, value: UUID) -> str:
        """A client's identifier in this tenant."""
        return str(ids.encode(kind, value, self.tenant.id_mask))

    def operation(self) -> Operation:
        """Transactions in this tenant, for calling services directly."""
        return Operation(self.platform.database, self.tenant.handle)

    def viewer(self, person: Person) -> Viewer:
        """A person as services see them."""
        return Viewer(person.user_id, self.tenant.id, person.session_id, person.role, "en")

    async def headers(self, as_: Role | Person | None) -> dict[str, str]:
        """Request headers of a person, or of nobody."""
        headers = {"X-Tenant-ID": self.tenant.slug, "Accept-Language": "en"}
        if as_ is not None:
            person = await self.some(as_) if isinstance(as_, Role) else as_
            headers["Authorization"] = f"Bearer {person.token}"
        return headers

    async def send(
        self, query: str, *, as_: Role | Person | None = None, headers: dict[str, str] | None = None, **variables: Any
    ) -> httpx.Response:
        """POST an operation; the whole HTTP answer."""
        return await self.http.post(
            "/graphql",
            json={"query": query, "variables": variables},
            headers={**await self.headers(as_), **(headers or {})},
        )

    async def post(self, query: str, *, as_: Role | Person | None = None, **variables: Any) -> dict[str, Any]:
        """POST an operation; the GraphQL answer with its errors."""
        answer: dict[str, Any] = (await self.send(query, as_=as_, **variables)).json()
        return answer

    async def ask(self, query: str, *, as_: Role | Person | None = None, **variables: Any) -> dict[str, Any]:
        """POST an operation that must succeed; its data."""
        answer = await self.post(query, as_=as_, **variables)
        assert "errors" not in answer, answer["errors"]
        data: dict[str, Any] = answer["data"]
        return data

    async def course(
        self,
        title: str = "Álgebra",
        *,
        modules: int = 1,
        lessons: int = 1,
        published: bool = True,
        instructor: Person | None = None,
    ) -> UUID:
        """A course with modules and lessons of one rich-text block each, written straight into the tables."""
        teacher = instructor or await self.some(Role.INSTRUCTOR)
        course_id = new_id()
        async with self.platform.database.tenant(self.tenant.handle) as tx:
            await tx.execute(
                _COURSE, id=course_id, title=title, by=teacher.user_id, published=published,
            )  # fmt: skip
            await tx.execute(_TEACHES, course_id=course_id, user_id=teacher.user_id)
            module_rows = [
                {"id": new_id(), "course_id": course_id, "title": f"Module {n}", "position": n}
                for n in range(1, modules + 1)
            ]
            lesson_rows = [
                {
                    "id": new_id(), "course_id": course_id, "module_id": module["id"], "title": f"Lesson {n}",
                    "position": n,
                }
                for module in module_rows
                for n in range(1, lessons + 1)
            ]  # fmt: skip
            await tx.execute_many(_MODULE, module_rows)
            await tx.execute_many(_LESSON, lesson_rows)
            await tx.execute_many(
                _BLOCK,
                [
                    {"id": new_id(), "lesson_id": lesson["id"], "content": Jsonb({"html": f"<p>{title}</p>"})}
                    for lesson in lesson_rows
                ],
            )
        return course_id

    async def many_courses(self, count: int, *, modules: int, lessons: int) -> None:
        """Published courses in bulk, written as the owner."""
        teacher = await self.some(Role.INSTRUCTOR)
        for statement in (
            f"""INSERT INTO courses (id, title, created_by, published_at)
                SELECT gen_random_uuid(), 'Bulk ' || n, '{teacher.user_id}', now()
                FROM generate_series(1, {count}) n""",
            f"""INSERT INTO course_instructors SELECT id, '{teacher.user_id}', 1 FROM courses
                WHERE title LIKE 'Bulk %'""",
            f"""INSERT INTO modules (id, course_id, title, position)
                SELECT gen_random_uuid(), id, 'M', n FROM courses, generate_series(1, {modules}) n
                WHERE courses.title LIKE 'Bulk %'""",
            f"""INSERT INTO lessons (id, course_id, module_id, title, position)
                SELECT gen_random_uuid(), course_id, id, 'L', n FROM modules, generate_series(1, {lessons}) n
                WHERE modules.title = 'M'""",
        ):
            await self.as_owner(statement)

    @contextmanager
    def counting(self) -> Iterator[Statements]:
        """Collect the SQL that runs inside the block."""
        statements = Statements()
        database = self.platform.database
        before = database.observe
        database.observe = statements.append
        try:
            yield statements
        finally:
            database.observe = before

    async def as_owner(self, statement: str) -> list[tuple[Any, ...]]:
        """Run SQL as the owner of everything, with this tenant's schema on the path."""
        dsn = self.platform.config.owner_dsn
        self.owners.append(statement)
        async with await AsyncConnection.connect(dsn, autocommit=True) as connection:
            await connection.execute(f'SET search_path = "{self.tenant.schema_name}"'.encode())
            cursor = await connection.execute(statement.encode())
            return await cursor.fetchall() if cursor.description else []

    async def work(self) -> None:
        """Run the jobs that are due, and those that they queue, until there are none."""
        due = """SELECT count(*) FROM jobs.procrastinate_jobs
                 WHERE status = 'todo' AND coalesce(scheduled_at, now()) <= now()"""
        while (await self.as_owner(due))[0][0]:
            await self.application.worker.run(wait=False)

    async def suspend(self) -> None:
        """Suspend the tenant."""
        await TenantService(self.platform.database).suspend(self.tenant.slug)


_COURSE = Statement(
    text(
        """INSERT INTO courses (id, title, created_by, published_at)
           VALUES (:id, :title, :by, CASE WHEN CAST(:published AS boolean) THEN now() END)"""
    ),
    int,
)
_TEACHES = Statement(
    text("INSERT INTO course_instructors (course_id, user_id, position) VALUES (:course_id, :user_id, 1)"), int
)
_MODULE = Statement(
    text("INSERT INTO modules (id, course_id, title, position) VALUES (:id, :course_id, :title, :position)"), int
)
_LESSON = Statement(
    text(
        """INSERT INTO lessons (id, course_id, module_id, title, position)
           VALUES (:id, :course_id, :module_id, :title, :position)"""
    ),
    int,
)
_BLOCK = Statement(
    text(
        """INSERT INTO lesson_blocks (id, lesson_id, position, kind, content)
           VALUES (:id, :lesson_id, 1, 'rich_text', :content)"""
    ),
    int,
)
