"""A tenant as a large school fills it: enough rows in every table for PostgreSQL to weigh its plans in earnest.

Nothing is random: the same rows every time, so that statistics and plans are the same too.
"""

from __future__ import annotations

from typing import Any

from psycopg import AsyncConnection

COURSES, MEMBERS, EACH = 2_000, 4_000, 8  # each learner is enrolled in so many courses


def _uuid(text: str) -> str:
    return f"md5({text})::uuid"


# Keys are hashes, as scattered as nothing else in the database would be: the worst case for an index.
ROWS = (
    f"""INSERT INTO members (user_id, email, full_name, role, status, created_at)
        SELECT {_uuid("'u' || n")}, 'learner' || n || '@filled.test',
               (ARRAY['Ana', 'Benjamín', 'Camila', 'Diego', 'Elisa'])[1 + n % 5] || ' '
                   || initcap(substr(md5('s' || n), 1, 7)),
               CASE WHEN n % 50 = 0 THEN 'instructor' ELSE 'student' END,
               (ARRAY['active', 'active', 'active', 'pending', 'removed'])[1 + n % 20 / 4],
               timestamptz '2024-01-01' + n * interval '1 hour'
        FROM generate_series(1, {MEMBERS}) n""",
    f"""INSERT INTO courses (id, title, description, category, level, language, tags, created_by, created_at,
                            published_at, deleted_at)
        SELECT {_uuid("'c' || n")}, (ARRAY['Álgebra', 'Física', 'Historia', 'Inglés', 'Química'])[1 + n % 5] || ' '
                   || substr(md5('t' || n), 1, 8), repeat('Un curso para todos. ', 10),
               'categoría ' || n % 40, (ARRAY['beginner', 'intermediate', 'advanced', 'all'])[1 + n % 4],
               (ARRAY['es', 'es', 'es', 'en'])[1 + n / 4 % 4], ARRAY['tag' || n % 100, 'tag' || n % 7],
               {_uuid(f"'u' || (1 + n % {MEMBERS // 50}) * 50")},
               timestamptz '2024-01-01' + n * interval '7 hours',
               CASE WHEN n % 10 > 0 THEN timestamptz '2024-02-01' + n * interval '7 hours' END,
               CASE WHEN n % 33 = 0 THEN timestamptz '2025-02-01' END
        FROM generate_series(1, {COURSES}) n""",
    "INSERT INTO course_instructors SELECT id, created_by, 1 FROM courses ORDER BY id",
    f"""INSERT INTO modules (id, course_id, title, position)
        SELECT {_uuid("'m' || n || '.' || m")}, {_uuid("'c' || n")}, 'Módulo ' || m, m
        FROM generate_series(1, {COURSES}) n, generate_series(1, 2) m""",
    f"""INSERT INTO lessons (id, course_id, module_id, title, position)
        SELECT {_uuid("'l' || n || '.' || m || '.' || k")}, {_uuid("'c' || n")}, {_uuid("'m' || n || '.' || m")},
               'Lección ' || k, k
        FROM generate_series(1, {COURSES}) n, generate_series(1, 2) m, generate_series(1, 3) k""",
    f"""INSERT INTO lesson_blocks (id, lesson_id, position, kind, content)
        SELECT {_uuid("'b' || k || l.id")}, l.id, k, (ARRAY['rich_text', 'video'])[k],
               '{{"html": "<p>Hola</p>", "duration_seconds": 300}}'
        FROM lessons l, generate_series(1, 2) k ORDER BY l.id, k""",
    f"""INSERT INTO course_revisions (course_id, number, published_at, published_by)
        SELECT {_uuid("'c' || n")}, k, timestamptz '2024-02-01' + k * interval '1 day',
               {_uuid(f"'u' || (1 + n % {MEMBERS // 50}) * 50")}
        FROM generate_series(1, {COURSES}, 2) n, generate_series(1, 3) k""",
    """INSERT INTO revision_lessons (course_id, number, lesson_id, module_id, module_position, position, is_required,
                                      weight, completion, video_threshold, min_score, min_seconds, content_version)
        SELECT l.course_id, k, l.id, l.module_id, 1, l.position, true, 1, 'mark_done', 0.95, 60, 60, 1
        FROM course_revisions r JOIN lessons l ON l.course_id = r.course_id, generate_series(r.number, r.number) k
        ORDER BY l.id, k""",
    f"""UPDATE courses SET revision = 3, pinned_from = CASE WHEN n % 10 = 1 THEN 1 END
        FROM generate_series(1, {COURSES}, 2) n WHERE id = {_uuid("'c' || n")}""",
    f"""INSERT INTO enrollments (id, course_id, user_id, status, enrolled_at, completed_at, last_lesson_id,
                                last_activity_at)
        SELECT {_uuid("'e' || n || '.' || k")}, {_uuid("'c' || c")}, {_uuid("'u' || n")},
               (ARRAY['active', 'active', 'active', 'completed', 'dropped'])[1 + (n + k) % 5],
               timestamptz '2024-03-01' + (n + k * 1000) * interval '1 hour',
               CASE WHEN (n + k) % 5 = 3 THEN timestamptz '2025-03-01' END,
               CASE WHEN k < {EACH} THEN {_uuid("'l' || c || '.2.1'")} END, timestamptz '2025-03-01'
        FROM generate_series(1, {MEMBERS}) n, generate_series(1, {EACH}) k,
             LATERAL (SELECT 1 + (n * 7 + k * 101) % {COURSES} AS c) x""",
    """INSERT INTO lesson_progress (enrollment_id, lesson_id, course_id, user_id, percent, started_at, completed_at)
       SELECT e.id, l.id, e.course_id, e.user_id, 50, e.enrolled_at,
              CASE WHEN e.status = 'completed' THEN e.enrolled_at END
       FROM enrollments e JOIN lessons l ON l.course_id = e.course_id WHERE l.position = 2 ORDER BY e.id, l.id""",
    f"""INSERT INTO progress_events (user_id, client_event_id, enrollment_id, lesson_id, kind, payload, occurred_at)
        SELECT p.user_id, {_uuid("'v' || p.enrollment_id || p.lesson_id")}, p.enrollment_id, p.lesson_id,
               'position', '{{"ranges": []}}', p.started_at
        FROM lesson_progress p ORDER BY p.enrollment_id, p.lesson_id""",
    """INSERT INTO course_reviews (course_id, user_id, rating)
       SELECT course_id, user_id, 1 + extract(hour FROM enrolled_at)::int % 5 FROM enrollments
       WHERE status <> 'dropped' ORDER BY id""",
    f"""INSERT INTO outbox (id, kind, payload, relayed_at, created_at)
        SELECT {_uuid("'o' || n")}, 'enrolled', '{{}}', CASE WHEN n % 100 > 0 THEN now() END,
               timestamptz '2024-03-01' + n * interval '1 hour'
        FROM generate_series(1, 20000) n""",
)


async def fill(connection: AsyncConnection[Any], schema: str) -> None:
    """Write the rows as the owner, and have them counted, all of them: a sample would differ each time."""
    await connection.execute(f'SET search_path = "{schema}"'.encode())
    await connection.execute("SET session_replication_role = replica")  # the rows refer to each other as they should
    await connection.execute("SET synchronous_commit = on")  # or VACUUM does not yet know them for committed
    await connection.execute("SET default_statistics_target = 300")
    cursor = await connection.execute(
        "SELECT relname FROM pg_class WHERE relnamespace = %s::regnamespace AND relkind = 'r'", [schema]
    )
    tables = [row[0] for row in await cursor.fetchall()]
    for table in tables:
        await connection.execute(f"ALTER TABLE {table} SET (autovacuum_enabled = off)".encode())  # it would sample
    for statement in ROWS:
        await connection.execute(statement.encode())
    for table in tables:
        await connection.execute(f"VACUUM (ANALYZE) {table}".encode())
    await connection.execute("RESET ALL")
