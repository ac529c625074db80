"""How PostgreSQL answers what quizzes ask in a large school: by an index, however many attempts there are."""

from __future__ import annotations

from collections.abc import AsyncIterator
from itertools import product
from typing import Any

import pytest
from psycopg import AsyncConnection, sql

from app.assessment import attempt_statements, gradebook_statements, quiz_statements
from app.db.prepare import TENANT_SETTINGS
from app.db.statements import Statement
from app.main import Application
from tests.db.filled import fill
from tests.db.test_plans import Plans, constants, named
from tests.mailbox import Mailbox
from tests.world import World

LARGE = frozenset({
    "quizzes", "quiz_slots", "quiz_attempts", "attempt_answers", "quiz_scores", "questions", "question_versions",
    "enrollments", "courses", "lessons", "members", "grade_categories", "grade_items", "grades", "course_instructors",
})  # fmt: skip
# What may read a large table from end to end, and why.
READS_ALL = {"attempt_count state": "counts a large share of the school's attempts, for administrators"}

# As in tests/db/filled.py: keys are hashes, and every row the same every time.
ROWS = (
    """INSERT INTO questions (id, course_id, kind, tags, created_by)
       SELECT md5('q' || c.id || n)::uuid, c.id, 'single', ARRAY['tag' || n % 3], c.created_by
       FROM courses c, generate_series(1, 6) n ORDER BY c.id, n""",
    """INSERT INTO question_versions (question_id, number, body, points, created_by)
       SELECT id, 1, '{"kind": "single", "choices": []}', 1, created_by FROM questions ORDER BY id
       ON CONFLICT DO NOTHING""",
    """INSERT INTO quizzes (id, course_id, lesson_id, title, published_at, created_by)
       SELECT md5('z' || c.id)::uuid, c.id, (SELECT min(l.id::text)::uuid FROM lessons l WHERE l.course_id = c.id),
              'Prueba', now(), c.created_by
       FROM courses c ORDER BY c.id""",
    """INSERT INTO quiz_slots (id, quiz_id, position, question_id, points)
       SELECT md5('s' || q.id || n)::uuid, q.id, n, md5('q' || q.course_id || n)::uuid, 1
       FROM quizzes q, generate_series(1, 5) n ORDER BY q.id, n""",
    """INSERT INTO quiz_attempts (id, quiz_id, course_id, user_id, attempt_no, locale, state, started_at, deadline_at,
                                  due_for_sweep_at, finished_at, points, possible, score)
       SELECT md5('a' || e.id)::uuid, md5('z' || e.course_id)::uuid, e.course_id, e.user_id, 1, 'es',
              (ARRAY['graded', 'graded', 'graded', 'grading', 'in_progress'])
                  [1 + extract(hour FROM e.enrolled_at)::int % 5],
              e.enrolled_at, e.enrolled_at,
              CASE WHEN extract(hour FROM e.enrolled_at)::int % 5 = 4 THEN e.enrolled_at END, e.enrolled_at, 3, 5, 3
       FROM enrollments e ORDER BY e.id""",
    """INSERT INTO attempt_answers (attempt_id, slot, question_id, question_version, points, seed, auto_points)
       SELECT a.id, n, md5('q' || a.course_id || n)::uuid, 1, 1, '', 1
       FROM quiz_attempts a, generate_series(1, 5) n ORDER BY a.id, n""",
    """INSERT INTO quiz_scores (quiz_id, user_id, course_id, score, possible, percent, attempt_id, attempts, is_final)
       SELECT quiz_id, user_id, course_id, score, possible, 60, id, 1, true FROM quiz_attempts ORDER BY id""",
    """INSERT INTO grade_categories (id, course_id, title, weight, position)
       SELECT md5('k' || c.id || n)::uuid, c.id, 'Controles', 50, n FROM courses c, generate_series(1, 2) n
       ORDER BY c.id, n""",
    """INSERT INTO grade_items (id, course_id, title, points, category_id)
       SELECT md5('i' || c.id || n)::uuid, c.id, 'Control', 10, md5('k' || c.id || 1)::uuid
       FROM courses c, generate_series(1, 2) n ORDER BY c.id, n""",
    """INSERT INTO grades (item_id, user_id, course_id, points, graded_by, graded_at)
       SELECT md5('i' || e.course_id || n)::uuid, e.user_id, e.course_id, 7, c.created_by, now()
       FROM enrollments e JOIN courses c ON c.id = e.course_id, generate_series(1, 2) n ORDER BY e.id, n""",
)
TABLES = (
    "questions", "question_versions", "quizzes", "quiz_slots", "quiz_attempts", "attempt_answers", "quiz_scores",
    "grade_categories", "grade_items", "grades",
)  # fmt: skip


def lists() -> dict[str, Statement[Any]]:
    """Every page and count, with each filter alone and those that are used together."""
    found: dict[str, Statement[Any]] = {}
    for used in ("", *attempt_statements.FILTERS, "to_grade teacher_id", "to_grade course_id", "quiz_id state"):
        filters = frozenset(used.split())
        found[f"attempt_count {used}"] = attempt_statements.attempt_count(filters)
        for after, backward in product((False, True), repeat=2):
            name = named("attempt_page", used, after=after, backward=backward)
            found[name] = attempt_statements.attempt_page(filters, after, backward)
    for scope in ("all", "own", "published"):
        for factory in (
            quiz_statements.quizzes_by_id, quiz_statements.quizzes_by_course, quiz_statements.quizzes_by_lesson,
        ):  # fmt: skip
            found[f"{factory.__name__} {scope}"] = factory(scope)
    for first_only in (False, True):
        found[f"marks {first_only}"] = attempt_statements.marks(first_only)
    for is_search in (False, True):
        found[named("learner_count", search=is_search)] = gradebook_statements.learner_count(is_search)
        for after, backward in product((False, True), repeat=2):
            name = named("learner_page", search=is_search, after=after, backward=backward)
            found[name] = gradebook_statements.learner_page(is_search, after, backward)
    return found


STATEMENTS = {**lists(), **dict(constants(attempt_statements, quiz_statements, gradebook_statements))}


@pytest.fixture(scope="module")
async def plans(application: Application, mailbox: Mailbox, database_dsn: str) -> AsyncIterator[Plans]:
    """Of a large school's schema."""
    async with (
        World.founded(application, mailbox, "quizzes") as world,
        await AsyncConnection.connect(database_dsn, autocommit=True, prepare_threshold=None) as connection,
    ):
        schema = world.tenant.schema_name
        await fill(connection, schema)
        await connection.execute(f'SET search_path = "{schema}"'.encode())
        for statement in ("SET session_replication_role = replica", "SET synchronous_commit = on", *ROWS):
            await connection.execute(statement.encode())
        for table in TABLES:
            await connection.execute(f"VACUUM (ANALYZE) {table}".encode())
        await connection.execute("RESET ALL")
        for setting in TENANT_SETTINGS:
            await connection.execute(f"SET {setting}".encode())
        for what, name in (("role", world.tenant.role_name), ("search_path", schema)):
            await connection.execute(sql.SQL("SET {} = {}").format(sql.SQL(what), sql.Identifier(name)))
        yield Plans(connection)


async def test_no_statement_of_quizzes_reads_a_large_table_from_end_to_end(plans: Plans) -> None:
    assert len(STATEMENTS) > 100
    found = {}
    for name, statement in STATEMENTS.items():
        whole = [n["Relation Name"] for n in await plans.nodes(statement) if n["Node Type"] == "Seq Scan"]
        if LARGE & {*whole}:
            found[name] = whole
    assert {name: tables for name, tables in found.items() if name not in READS_ALL} == {}
    assert READS_ALL.keys() - found.keys() == set(), "exceptions that are none any more"


async def test_pages_of_attempts_are_read_in_the_order_of_an_index(plans: Plans) -> None:
    in_order = ("", "user_id", "quiz_id", "state", "to_grade")
    pages = {
        name: statement
        for name, statement in STATEMENTS.items()
        if name.startswith("attempt_page")
        and name.removeprefix("attempt_page ").removesuffix(" backward").removesuffix(" after") in in_order
    }
    assert len(pages) >= 10
    sorting = [name for name, page in pages.items() if any("Sort" in n["Node Type"] for n in await plans.nodes(page))]
    assert sorting == []


async def test_a_gradebook_is_read_by_the_keys_of_its_course(plans: Plans) -> None:
    expected = {
        "learner_page after": {"pk_members"},
        "app.assessment.gradebook_statements.SCORES": {"ix_quiz_scores_user"},
        "app.assessment.gradebook_statements.GRADES": {"ix_grades_course"},
        "app.assessment.gradebook_statements.ITEMS": {"ix_quizzes_course", "pk_grade_items", "ix_grade_items_course"},
        "app.assessment.gradebook_statements.CATEGORIES": {"ix_grade_categories_course"},
    }
    for name, indexes in expected.items():
        used = {node.get("Index Name") for node in await plans.nodes(STATEMENTS[name])}
        assert indexes <= used, (name, used)
