"""As fast as Python gets: bare Starlette, one SQL statement per operation that builds the JSON in PostgreSQL.

No GraphQL, no roles, no limits: the token is checked, the tenant's name is put into prepared texts at start.
"""

from __future__ import annotations

import os
import re
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import orjson
from jose import jwt
from psycopg import AsyncConnection
from psycopg.adapt import Buffer, Loader
from psycopg_pool import AsyncConnectionPool
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

SECRET = os.environ["JWT_SECRET"]
TIME = """to_char({} AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.US"Z"')"""
PAGE = "(SELECT * FROM S.courses WHERE is_published ORDER BY created_at DESC, id LIMIT 20) c"
LESSONS = """'lessons', (SELECT coalesce(json_agg(json_build_object('id', l.id, 'title', l.title, 'position', l.position{more})
    ORDER BY l.position), '[]') FROM S.lessons l {join} WHERE l.module_id = m.id)"""
MODULES = """'modules', (SELECT coalesce(json_agg(json_build_object('id', m.id, 'title', m.title, 'position', m.position,
    {lessons}) ORDER BY m.position), '[]') FROM S.modules m WHERE m.course_id = c.id)"""
PROGRESS = (
    ", 'myProgress', CASE WHEN p.lesson_id IS NOT NULL THEN json_build_object('completedAt', "
    + TIME.format("p.completed_at")
    + ", 'positionS', p.position_s) END"
)
JOIN = "LEFT JOIN S.lesson_progress p ON p.lesson_id = l.id AND p.user_id = %(me)s::uuid"
TEXTS = {
    "Me": """SELECT json_build_object('data', json_build_object('me', (SELECT json_build_object('id', id, 'email', email,
        'fullName', full_name, 'role', role) FROM S.users WHERE id = %(me)s::uuid)))""",
    "Catalogue": f"""SELECT json_build_object('data', json_build_object('courses', (SELECT coalesce(json_agg(json_build_object(
        'id', c.id, 'title', c.title, 'category', c.category, 'level', c.level, 'createdAt', {TIME.format("c.created_at")},
        'instructor', json_build_object('fullName', u.full_name), 'lessonCount', counted.n, 'averageRating', rated.a)
        ORDER BY c.created_at DESC, c.id), '[]') FROM {PAGE} JOIN S.users u ON u.id = c.instructor_id,
        LATERAL (SELECT count(*) AS n FROM S.modules m JOIN S.lessons l ON l.module_id = m.id WHERE m.course_id = c.id) counted,
        LATERAL (SELECT avg(rating)::float8 AS a FROM S.reviews r WHERE r.course_id = c.id) rated)))""",
    "CoursePage": """SELECT json_build_object('data', json_build_object('course', (SELECT json_build_object('id', c.id,
        'title', c.title, 'description', c.description, 'category', c.category, 'level', c.level, {modules})
        FROM S.courses c WHERE c.id = %(id)s::uuid)))""".replace(
        "{modules}", MODULES.replace("{lessons}", LESSONS.format(more=PROGRESS, join=JOIN))
    ),
    "Big": f"""SELECT json_build_object('data', json_build_object('courses', (SELECT coalesce(json_agg(json_build_object(
        'id', c.id, 'title', c.title, {MODULES.replace("{lessons}", LESSONS.format(more="", join=""))})
        ORDER BY c.created_at DESC, c.id), '[]') FROM {PAGE})))""",
    "SaveProgress": f"""WITH written AS (INSERT INTO S.lesson_progress (user_id, lesson_id, completed_at, position_s)
        VALUES (%(me)s::uuid, %(lessonId)s::uuid, now(), %(positionS)s::int)
        ON CONFLICT (user_id, lesson_id) DO UPDATE SET completed_at = excluded.completed_at, position_s = excluded.position_s
        RETURNING lesson_id, completed_at)
        SELECT json_build_object('data', json_build_object('saveProgress', (SELECT json_build_object('id', lesson_id,
        'completedAt', {TIME.format("completed_at")}) FROM written)))""",
}
PREPARED: dict[tuple[str, str], bytes] = {}


class Untouched(Loader):
    """JSON leaves as the bytes that came."""

    def load(self, data: Buffer) -> bytes:
        return bytes(data)


async def _configure(connection: AsyncConnection[Any]) -> None:
    await connection.set_autocommit(True)
    connection.prepare_threshold, connection.prepared_max = 0, 1000
    connection.adapters.register_loader("json", Untouched)


POOL = AsyncConnectionPool(os.environ["PEER_DSN"], min_size=10, max_size=10, open=False, configure=_configure)


async def graphql(request: Request) -> Response:
    """Answer one of the known operations."""
    try:
        token = request.headers["authorization"].removeprefix("Bearer ")
        claims = jwt.decode(token, SECRET, algorithms=["HS256"])
    except Exception:
        return Response(status_code=401)
    tenant = request.headers.get("x-tenant-id", "")
    if claims["tenant_id"] != tenant:
        return Response(status_code=403)
    asked = orjson.loads(await request.body())
    async with POOL.connection() as connection:
        cursor = await connection.execute(
            PREPARED[tenant, asked["operationName"]], {**asked["variables"], "me": claims["sub"]}
        )
        row = await cursor.fetchone()
    return Response(row[0] if row else b"", media_type="application/json")


@asynccontextmanager
async def _lifespan(_: Starlette) -> AsyncIterator[None]:
    await POOL.open(wait=True)
    async with POOL.connection() as connection:
        cursor = await connection.execute("SELECT schema_name FROM control.tenants")
        for (schema,) in await cursor.fetchall():
            for name, text in TEXTS.items():
                PREPARED[schema, name] = re.sub(r"\bS\.", f'"{schema}".', text).encode()
    yield
    await POOL.close()


app = Starlette(routes=[Route("/graphql", graphql, methods=["POST"])], lifespan=_lifespan)
