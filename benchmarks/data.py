"""The data: tenants of this platform made by its own code and filled in bulk, and the same rows for the others."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from dataclasses import dataclass
from uuid import UUID

from jose import jwt
from psycopg import AsyncConnection
from psycopg.conninfo import make_conninfo
from psycopg.rows import args_row, tuple_row

from app.db.ids import new_id
from app.db.setup import migrate_control
from app.platform import Platform, database_config
from app.settings import Settings
from benchmarks.operations import Learner, School

PEER_DATABASE = "lms"
SECRET = "bench-secret-bench-secret-bench-secret-0123"  # noqa: S105 -- of nothing but the benchmark
LEARNERS = 5  # who ask, per tenant


@dataclass(frozen=True, slots=True)
class Size:
    """How much there is."""

    tenants: int = 20
    courses: int = 60
    modules: int = 5
    lessons: int = 8
    users: int = 300


FILL = """
CREATE TEMP TABLE bench_people ON COMMIT DROP AS
  SELECT gen_random_uuid() AS id, '{slug}-u' || n || '@bench.test' AS email, 'User ' || n AS full_name,
         CASE WHEN n <= greatest(1, {users} / 30) THEN 'instructor' ELSE 'student' END AS role, n
  FROM generate_series(1, {users}) n;
INSERT INTO control.users (id, email, full_name, locale, email_verified_at) SELECT id, email, full_name, 'es', now() FROM bench_people;
INSERT INTO control.memberships (user_id, tenant_id, role, status) SELECT id, '{tenant}', role, 'active' FROM bench_people;
INSERT INTO members (user_id, email, full_name, role, status, locale, email_verified_at)
  SELECT id, email, full_name, role, 'active', 'es', now() FROM bench_people;
INSERT INTO courses (id, title, description, category, level, created_by, published_at, created_at)
  SELECT gen_random_uuid(), 'Course ' || k, repeat('Lorem ipsum dolor ', 20), 'cat' || k % 5, 'beginner', p.id,
         now() - k * interval '1 hour', now() - k * interval '1 hour'
  FROM generate_series(1, {courses}) k
  JOIN bench_people p ON p.n = 1 + k % (SELECT count(*) FROM bench_people WHERE role = 'instructor');
INSERT INTO course_instructors (course_id, user_id, position) SELECT id, created_by, 1 FROM courses;
INSERT INTO modules (id, course_id, title, position)
  SELECT gen_random_uuid(), c.id, 'Module ' || n, n FROM courses c, generate_series(1, {modules}) n;
INSERT INTO lessons (id, course_id, module_id, title, position)
  SELECT gen_random_uuid(), m.course_id, m.id, 'Lesson ' || n, n FROM modules m, generate_series(1, {lessons}) n;
INSERT INTO enrollments (id, course_id, user_id, status, enrolled_at)
  SELECT gen_random_uuid(), c.id, p.id, 'active', now() - interval '30 days'
  FROM bench_people p JOIN (SELECT id, row_number() OVER (ORDER BY published_at) AS n FROM courses) c ON (p.n + c.n) % 6 = 0
  WHERE p.role = 'student';
INSERT INTO lesson_progress (enrollment_id, lesson_id, course_id, user_id, percent, position_seconds, position_at,
                             started_at, completed_at)
  SELECT e.id, l.id, e.course_id, e.user_id, 100, 300, now() - interval '1 day', now() - interval '1 day', now() - interval '1 day'
  FROM enrollments e JOIN modules m ON m.course_id = e.course_id AND m.position <= 2
  JOIN lessons l ON l.module_id = m.id AND l.position <= 4;
INSERT INTO course_reviews (course_id, user_id, rating)
  SELECT course_id, user_id, 1 + (random() * 4)::int FROM enrollments WHERE random() < 0.3
"""

PEER_TABLES = """
CREATE TABLE users (id uuid PRIMARY KEY, email text UNIQUE, full_name text, role text);
CREATE TABLE courses (id uuid PRIMARY KEY, title text, description text, instructor_id uuid REFERENCES users, category text,
                      level text, is_published bool, created_at timestamptz);
CREATE TABLE modules (id uuid PRIMARY KEY, course_id uuid REFERENCES courses, title text, position int);
CREATE TABLE lessons (id uuid PRIMARY KEY, module_id uuid REFERENCES modules, title text, position int, duration_s int);
CREATE TABLE enrollments (id uuid PRIMARY KEY, user_id uuid REFERENCES users, course_id uuid REFERENCES courses, status text,
                          UNIQUE (user_id, course_id));
CREATE TABLE lesson_progress (user_id uuid REFERENCES users, lesson_id uuid REFERENCES lessons, completed_at timestamptz,
                              position_s int, PRIMARY KEY (user_id, lesson_id));
CREATE TABLE reviews (id uuid PRIMARY KEY DEFAULT gen_random_uuid(), course_id uuid REFERENCES courses, user_id uuid, rating int);
CREATE INDEX ON modules (course_id); CREATE INDEX ON lessons (module_id); CREATE INDEX ON enrollments (course_id);
CREATE INDEX ON reviews (course_id); CREATE INDEX ON courses (created_at DESC, id)
"""
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


async def load(settings: Settings, dsn: str, size: Size, *, peers: bool, say: Callable[[str], None]) -> list[School]:
    """Make and fill the tenants; returns them with those who will ask."""
    await migrate_control(database_config(settings, dsn))
    platform = Platform(settings, dsn)
    await platform.open()
    await platform.queue.open_async()
    try:
        async with await AsyncConnection.connect(dsn, autocommit=True) as owner:
            peer = await _peer_database(dsn) if peers else None
            schools = []
            for number in range(1, size.tenants + 1):
                schools.append(await _school(platform, owner, peer, number, size))
                if number % 20 == 0 or number == size.tenants:
                    say(f"{number} of {size.tenants} tenants loaded")
            await owner.execute("ANALYZE")
            if peer is not None:
                await peer.execute("ANALYZE")
                await peer.close()
    finally:
        await platform.queue.close_async()
        await platform.close()
    return schools


async def _school(
    platform: Platform, owner: AsyncConnection, peer: AsyncConnection | None, number: int, size: Size
) -> School:
    slug, schema = f"bench{number:04d}", f"tenant_{number:03d}"
    tenant = await platform.founder.found(
        slug=slug, name=slug.title(), admin_email=f"admin@{slug}.bench.example", admin_name="Admin", password=None
    )
    await owner.execute(f'SET search_path = "{tenant.schema_name}", extensions'.encode())
    async with owner.transaction():
        await owner.execute(
            FILL.format(
                slug=slug, tenant=tenant.id, users=size.users, courses=size.courses, modules=size.modules,
                lessons=size.lessons,
            ).encode()
        )  # fmt: skip
    if peer is not None:
        await _copy(owner, peer, schema)
    learners = []
    async with owner.cursor(row_factory=tuple_row) as cursor:
        await cursor.execute(LEARNER.encode(), [LEARNERS])
        for user_id, courses, lessons in await cursor.fetchall():
            learners.append(await _learner(platform, owner, tenant.id, schema, user_id, courses, lessons))
    return School(slug, schema, tenant.id_mask, learners)


async def _learner(
    platform: Platform, owner: AsyncConnection, tenant_id: UUID, schema: str, user_id: UUID, courses: list[UUID],
    lessons: list[UUID],
) -> Learner:  # fmt: skip
    session_id = new_id()
    await owner.execute(
        """INSERT INTO control.sessions (id, user_id, tenant_id, last_used_at, expires_at)
           VALUES (%s, %s, %s, now(), now() + interval '1 day')""",
        [session_id, user_id, tenant_id],
    )
    token = platform.tokens.issue(user_id=user_id, tenant_id=tenant_id, session_id=session_id)
    now = int(time.time())
    claims = {"sub": str(user_id), "tenant_id": schema, "role": "student", "iat": now, "exp": now + 86_400}
    return Learner(user_id, token, jwt.encode(claims, SECRET, "HS256"), courses[:5], lessons)


async def _peer_database(dsn: str) -> AsyncConnection:
    async with await AsyncConnection.connect(dsn, autocommit=True) as owner:
        await owner.execute(f"CREATE DATABASE {PEER_DATABASE}".encode())
    peer = await AsyncConnection.connect(make_conninfo(dsn, dbname=PEER_DATABASE), autocommit=True)
    await peer.execute(
        b"CREATE SCHEMA control; CREATE TABLE control.tenants (schema_name text, status text DEFAULT 'active')"
    )
    return peer


async def _copy(owner: AsyncConnection, peer: AsyncConnection, schema: str) -> None:
    await peer.execute(f'CREATE SCHEMA "{schema}"; SET search_path = "{schema}"'.encode())
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
    await peer.execute("INSERT INTO control.tenants (schema_name) VALUES (%s)", [schema])


async def peaks(dsn: str) -> float:
    """The largest client backend of the platform's runtime logins: proportional memory in MB."""
    async with await AsyncConnection.connect(dsn) as owner, owner.cursor(row_factory=args_row(int)) as cursor:
        await cursor.execute(
            "SELECT pid FROM pg_stat_activity WHERE usename LIKE '%%_auth' AND backend_type = 'client backend'"
        )
        found = [await asyncio.to_thread(private_mb, pid) for pid in await cursor.fetchall()]
    return max(found, default=0.0)


def private_mb(pid: int) -> float:
    """Memory of a process without its share of the shared buffers, MB: private pages only."""
    total = 0
    with open(f"/proc/{pid}/smaps_rollup") as lines:
        for line in lines:
            if line.startswith(("Private_Clean", "Private_Dirty")):
                total += int(line.split()[1])
    return total / 1024
