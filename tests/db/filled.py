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
    f"""INSERT INTO enrollments (id, course_id, user_id, status, enrolled_at, activated_at, holds_seat, expires_at,
                                due_at, completed_at, last_lesson_id, last_activity_at)
        SELECT {_uuid("'e' || n || '.' || k")}, {_uuid("'c' || c")}, {_uuid("'u' || n")},
               (ARRAY['active', 'active', 'active', 'completed', 'dropped'])[1 + (n + k) % 5],
               timestamptz '2024-03-01' + (n + k * 1000) * interval '1 hour',
               timestamptz '2024-03-01' + (n + k * 1000) * interval '1 hour', (n + k) % 5 < 3,
               CASE WHEN n % 4 = 0 THEN timestamptz '2028-03-01' END,
               CASE WHEN n % 4 = 0 AND (n + k) % 5 < 3 THEN timestamptz '2028-03-01' END,
               CASE WHEN (n + k) % 5 = 3 THEN timestamptz '2025-03-01' END,
               CASE WHEN k < {EACH} THEN {_uuid("'l' || c || '.2.1'")} END, timestamptz '2025-03-01'
        FROM generate_series(1, {MEMBERS}) n, generate_series(1, {EACH}) k,
             LATERAL (SELECT 1 + (n * 7 + k * 101) % {COURSES} AS c) x""",
    """INSERT INTO course_enrollment (course_id, capacity, seats_taken, offer_hours)
       SELECT id, 30, 10, 48 FROM courses WHERE published_at IS NOT NULL ORDER BY id""",
    f"""INSERT INTO invite_codes (id, course_id, code_hash, hint, created_by, created_at)
        SELECT {_uuid("'i' || c.id || n")}, c.id, md5('i' || c.id || n), 'HINT', c.created_by, c.created_at
        FROM courses c, generate_series(1, 5) n ORDER BY c.id, n""",
    """INSERT INTO invite_code_uses (code_id, user_id)
       SELECT i.id, e.user_id FROM invite_codes i JOIN enrollments e USING (course_id) ORDER BY i.id, e.id""",
    f"""INSERT INTO cohorts (id, course_id, name, due_days, created_at)
        SELECT {_uuid("'h' || c.id || n")}, c.id, 'Cohorte ' || n, 90, c.created_at
        FROM courses c, generate_series(1, 3) n ORDER BY c.id, n""",
    """INSERT INTO cohort_members (enrollment_id, cohort_id)
       SELECT DISTINCT ON (e.id) e.id, h.id FROM enrollments e JOIN cohorts h USING (course_id) ORDER BY e.id, h.id""",
    f"""INSERT INTO enrollment_allowances (id, course_id, email, created_by, claimed_at, outcome, created_at)
        SELECT {_uuid("'a' || c.id || n")}, c.id, 'future' || n || '@filled.test', c.created_by,
               CASE WHEN n < 8 THEN now() END, CASE WHEN n < 8 THEN 'ACTIVE' END, c.created_at
        FROM courses c, generate_series(1, 10) n ORDER BY c.id, n""",
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
    f"""INSERT INTO questions (id, course_id, kind, title, category, tags, status, words, created_by, created_at,
                              import_key, deleted_at)
        SELECT {_uuid("'q' || n")}, {_uuid("'c' || (1 + n % 25)")},
               (ARRAY['single', 'multiple', 'numeric', 'essay'])[1 + n % 4], 'Pregunta ' || substr(md5('q' || n), 1, 8),
               'unidad ' || n % 20, ARRAY['tag' || n % 30], (ARRAY['ready', 'ready', 'draft'])[1 + n % 3],
               'Palabras de la pregunta', {_uuid(f"'u' || (1 + n % {MEMBERS // 50}) * 50")},
               timestamptz '2024-05-01' + n * interval '1 minute', 'gift:' || md5('k' || n),
               CASE WHEN n % 40 = 0 THEN timestamptz '2025-02-01' END
        FROM generate_series(1, 10000) n""",
    """INSERT INTO question_versions (question_id, number, body, points, created_by)
       SELECT id, 1, '{"kind": "text"}', 1, created_by FROM questions ORDER BY id""",
    f"""INSERT INTO outbox (id, kind, payload, relayed_at, created_at)
        SELECT {_uuid("'o' || n")}, 'enrolled', '{{}}', CASE WHEN n % 100 > 0 THEN now() END,
               timestamptz '2024-03-01' + n * interval '1 hour'
        FROM generate_series(1, 20000) n""",
    f"""INSERT INTO certificates (id, enrollment_id, course_id, user_id, cycle, code, state, facts, issued_at,
                                  valid_until, pdf_key, pdf_sha256)
        SELECT {_uuid("'k' || id")}, id, course_id, user_id, 1, upper(md5('k' || id)),
               CASE WHEN extract(hour FROM enrolled_at) = 5 THEN 'revoked' ELSE 'issued' END,
               jsonb_build_object('learner_name', md5(id::text), 'body', repeat('Un curso para todos. ', 20)),
               enrolled_at + interval '90 days',
               CASE WHEN extract(hour FROM enrolled_at)::int % 2 = 0 THEN enrolled_at + interval '4 years' END,
               'key', md5('p' || id)
        FROM enrollments WHERE status = 'completed' ORDER BY id""",
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
