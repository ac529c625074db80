"""The data: tenants of this platform made by its own code and filled in bulk, and the same rows for the others."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from uuid import UUID

from jose import jwt
from psycopg import AsyncConnection, sql
from psycopg.conninfo import make_conninfo

from app.db.ids import new_id
from app.db.setup import migrate_control
from app.identity.tokens import AccessTokens
from app.platform import Platform, database_config
from app.settings import Settings
from app.tenancy.records import Tenant
from benchmarks.operations import Learner, School
from benchmarks.progress import Progress

PEER_DATABASE = "lms"
SECRET = "bench-secret-bench-secret-bench-secret-0123"  # noqa: S105 -- of nothing but the benchmark
TOKEN_MINUTES = 24 * 60  # a run may take longer than an ordinary token lives
LEARNERS = 5  # who ask, per tenant
AT_ONCE = 2  # one tenant is founded while another is filled

FILL = (Path(__file__).parent / "fill.sql").read_text()
PEER_TABLES = (Path(__file__).parent / "peer.sql").read_text()
FILLED = "members, courses, course_instructors, modules, lessons, enrollments, lesson_progress, course_reviews"
# What a peer's table is made of here.
COPIES = {
    "users": "SELECT user_id, email, full_name, role FROM members WHERE email LIKE '%@bench.test'",
    "courses": "SELECT id, title, description, created_by, category, level, true, created_at FROM courses",
    "modules": "SELECT id, course_id, title, position FROM modules",
    "lessons": "SELECT id, module_id, title, position, 300 FROM lessons",
    "enrollments": "SELECT id, user_id, course_id, status FROM enrollments",
    "lesson_progress": "SELECT user_id, lesson_id, completed_at, position_seconds::int FROM lesson_progress",
    "reviews (course_id, user_id, rating)": "SELECT course_id, user_id, rating FROM course_reviews",
}
LEARNER = """
SELECT chosen.user_id, chosen.courses,
       array(SELECT id FROM lessons WHERE course_id = any(chosen.courses) ORDER BY id LIMIT 40)
FROM (SELECT user_id, array_agg(course_id ORDER BY course_id) AS courses
      FROM enrollments GROUP BY user_id ORDER BY user_id LIMIT %s) chosen
"""
SESSIONS = """
INSERT INTO control.sessions (id, user_id, tenant_id, last_used_at, expires_at)
SELECT id, user_id, %s, now(), now() + interval '2 days' FROM unnest(%s::uuid[], %s::uuid[]) AS one (id, user_id)
"""


@dataclass(frozen=True, slots=True)
class Size:
    """How much there is."""

    tenants: int = 20
    courses: int = 60
    modules: int = 5
    lessons: int = 8
    users: int = 300


@dataclass(slots=True)
class Data:
    """The tenants in order, and the seconds that founding each took (roles, schema, migrations, administrator)."""

    schools: list[School] = field(default_factory=list)
    founding: list[float] = field(default_factory=list)

    @property
    def seconds_per_tenant(self) -> float:
        return sum(self.founding) / max(1, len(self.founding))


async def load(settings: Settings, dsn: str, size: Size, progress: Progress, *, peers: bool) -> Data:
    """Make and fill the tenants; ``peers`` also copies their rows into the other contenders' database."""
    await migrate_control(database_config(settings, dsn))
    async with _platform(settings, dsn) as platform:
        if peers:
            await _make_peer_database(dsn)
        loader = _Loader(platform, dsn, size, peers=peers)
        with progress.steps(
            f"loading {size.courses} courses and {size.users} members into each tenant", size.tenants
        ) as step:
            numbers = iter(range(1, size.tenants + 1))
            async with asyncio.TaskGroup() as tasks:
                for _ in range(AT_ONCE):
                    tasks.create_task(loader.work(numbers, step))
    loader.data.schools.sort(key=lambda school: school.slug)
    return loader.data


class _Loader:
    """Makes tenants with connections of its own, which it keeps."""

    def __init__(self, platform: Platform, dsn: str, size: Size, *, peers: bool) -> None:
        self._platform = platform
        self._dsn = dsn
        self._size = size
        self._peers = peers
        settings = platform.settings
        self._tokens = AccessTokens(SECRET, issuer=settings.jwt_issuer, minutes=TOKEN_MINUTES)
        self._founding = asyncio.Lock()  # one at a time: founding begins with a sweep of whatever is half made
        self.data = Data()

    async def work(self, numbers: Iterator[int], step: Callable[[], None]) -> None:
        """Make tenants as long as there are numbers."""
        async with await AsyncConnection.connect(self._dsn, autocommit=True) as owner:
            for number in numbers:
                self.data.schools.append(await self._school(owner, number))
                step()

    async def _school(self, owner: AsyncConnection, number: int) -> School:
        slug, schema = f"bench{number:04d}", f"tenant_{number:04d}"
        async with self._founding:
            began = time.monotonic()
            tenant = await self._platform.founder.found(
                slug=slug, name=slug.title(), admin_email=f"admin@{slug}.bench.example", admin_name="Admin"
            )
            self.data.founding.append(time.monotonic() - began)
        path = sql.SQL("SET search_path = {}, extensions").format(sql.Identifier(tenant.schema_name))
        await owner.execute(path)
        async with owner.transaction():
            await owner.execute(self._fill(slug, tenant))
        # Otherwise autovacuum would do it while servers are measured.
        await owner.execute(f"VACUUM (ANALYZE) {FILLED}".encode())
        if self._peers:
            await self._copy(owner, schema)
        return School(slug, schema, tenant.id_mask, await self._learners(owner, tenant, schema))

    def _fill(self, slug: str, tenant: Tenant) -> sql.Composed:
        size = self._size
        values = {
            "slug": slug, "tenant": tenant.id, "users": size.users, "courses": size.courses, "modules": size.modules,
            "lessons": size.lessons,
        }  # fmt: skip
        return sql.SQL(FILL).format(**{name: sql.Literal(value) for name, value in values.items()})

    async def _learners(self, owner: AsyncConnection, tenant: Tenant, schema: str) -> list[Learner]:
        rows = await (await owner.execute(LEARNER, [LEARNERS])).fetchall()
        sessions = [new_id() for _ in rows]
        await owner.execute(SESSIONS, [tenant.id, sessions, [row[0] for row in rows]])
        return [
            Learner(
                user_id,
                self._tokens.issue(user_id=user_id, tenant_id=tenant.id, session_id=session_id),
                _peer_token(user_id, schema),
                courses[:5],
                lessons,
            )
            for session_id, (user_id, courses, lessons) in zip(sessions, rows, strict=True)
        ]

    async def _copy(self, owner: AsyncConnection, schema: str) -> None:
        async with await AsyncConnection.connect(_peer_dsn(self._dsn), autocommit=True) as peer:
            name = sql.Identifier(schema)
            await peer.execute(sql.SQL("CREATE SCHEMA {}; SET search_path = {}").format(name, name))
            await peer.execute(PEER_TABLES.encode())
            for table, query in COPIES.items():
                async with (
                    owner.cursor() as source,
                    peer.cursor() as target,
                    source.copy(f"COPY ({query}) TO STDOUT".encode()) as reading,
                    target.copy(f"COPY {table} FROM STDIN".encode()) as writing,
                ):
                    async for chunk in reading:
                        await writing.write(chunk)
                await peer.execute(f"VACUUM (ANALYZE) {table.partition(' ')[0]}".encode())
            await peer.execute("INSERT INTO control.tenants (schema_name) VALUES (%s)", [schema])


@asynccontextmanager
async def _platform(settings: Settings, dsn: str) -> AsyncIterator[Platform]:
    platform = Platform(settings, dsn)
    await platform.open()
    await platform.queue.open_async()
    try:
        yield platform
    finally:
        await platform.queue.close_async()
        await platform.close()


def _peer_token(user_id: UUID, schema: str) -> str:
    now = int(time.time())
    claims = {
        "sub": str(user_id), "tenant_id": schema, "role": "student", "iat": now, "exp": now + TOKEN_MINUTES * 60,
    }  # fmt: skip
    return str(jwt.encode(claims, SECRET, "HS256"))


def _peer_dsn(dsn: str) -> str:
    return make_conninfo(dsn, dbname=PEER_DATABASE)


async def _make_peer_database(dsn: str) -> None:
    async with await AsyncConnection.connect(dsn, autocommit=True) as owner:
        await owner.execute(f"CREATE DATABASE {PEER_DATABASE}".encode())
    async with await AsyncConnection.connect(_peer_dsn(dsn), autocommit=True) as peer:
        await peer.execute("CREATE SCHEMA control")
        await peer.execute("CREATE TABLE control.tenants (schema_name text, status text DEFAULT 'active')")
