"""How PostgreSQL answers the tenants' statements in a large school: by an index, as docs/query-plans.md shows."""

from __future__ import annotations

import os
import re
import textwrap
from collections.abc import AsyncIterator, Iterator
from itertools import product
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
from psycopg import AsyncConnection, sql

from app.catalog import statements as catalog
from app.db import audit, idempotency, outbox
from app.db.prepare import TENANT_SETTINGS
from app.db.statements import Statement
from app.identity import statements as identity
from app.learning import enrollment_statements as enrolling
from app.learning import places
from app.learning import statements as learning
from app.main import Application
from app.work import statements as work
from tests.db.filled import COURSES, EACH, MEMBERS, fill
from tests.mailbox import Mailbox
from tests.world import World

PAGE = Path(__file__).resolve().parents[2] / "docs" / "query-plans.md"
WRITTEN_BY = 18  # the PostgreSQL whose words the page has
LARGE = frozenset({
    "courses", "modules", "lessons", "lesson_blocks", "enrollments", "lesson_progress", "progress_events",
    "course_reviews", "members", "outbox", "course_revisions", "revision_lessons",
})  # fmt: skip

_A_SHARE = (
    "counts a large share of all courses; an index for each such filter would cost every tenant more than it saves"
)
_EVERYBODYS = "counts (nearly) all enrolments of the school, for administrators; there is nothing to skip"
# Statements that may read a large table from end to end, and why.
READS_ALL = {
    **{
        f"course_count {scope} {name}": _A_SHARE
        for scope in ("all", "published")
        for name in ("category", "level", "language")
    },
    **{f"enrollment_count {name}": _EVERYBODYS for name in ("", "live", "status")},
}
# With these filters (words of a statement's name) a page is read in an index's order; with others, few rows are left.
IN_ORDER = frozenset({"", "category", "level", "language", "published", "role", "status", "live"})
WORDS_OF_ORDER = frozenset({*catalog.ORDERS, "after", "backward", "all", "own"})

INTRODUCTION = f"""\
# Query plans

How PostgreSQL {WRITTEN_BY} answers the queries that matter, in one school with {COURSES:,} courses, {MEMBERS:,} members
and {MEMBERS * EACH:,} enrolments (`tests/db/filled.py`). Statements are planned once per tenant and connection for
whatever values come (`plan_cache_mode = force_generic_plan`), so these are the plans that run.

`tests/db/test_plans.py` writes this page (`UPDATE_PLANS=1 .venv/bin/pytest tests/db/test_plans.py`). It fails when the
page is out of date; when a statement of the catalogue, the directory, learning or the outbox reads a large table from
end to end (with any filter, in any order, not only those shown); and when a list is sorted that should be read in an
index's order. A change of a plan is a change to review."""


def named(*words: str, **flags: bool) -> str:
    return " ".join([*words, *(name for name, given in flags.items() if given)])


def constants(*modules: ModuleType) -> Iterator[tuple[str, Statement[Any]]]:
    for module in modules:
        for name, value in vars(module).items():
            if isinstance(value, Statement) and "control." not in value.sql:
                yield f"{module.__name__}.{name}", value


def lists() -> Iterator[tuple[str, Statement[Any]]]:
    """Every page and count with each filter alone, and those that are always used together."""
    ways = [{"after": after, "backward": backward} for after, backward in product((False, True), repeat=2)]
    for scope, used in product(("all", "own", "published"), ("", *catalog.FILTERS)):
        filters = frozenset({used} - {""})
        yield f"course_count {scope} {used}", catalog.course_count(scope, filters)
        for order, way in product(catalog.ORDERS, ways):
            if order != "RELEVANCE" or used in {"search", "exact"}:
                statement = catalog.course_page(scope, filters, order, way["after"], way["backward"], True)
                yield named("course_page", scope, used, order, **way), statement
    for used in ("", "search", "role", "status"):
        filters = frozenset({used} - {""})
        yield f"member_count {used}", identity.member_count(filters)
        for order, way in product(identity.ORDERS, ways):
            yield named("member_page", used, order, **way), identity.member_page(filters, order, **way)
    for used in ("", "live", "status", "course_id", "teacher_id", "user_id live", "user_id status", "course_id status"):
        filters = frozenset(used.split())
        yield f"enrollment_count {used}", enrolling.enrollment_count(filters)
        for way in ways:
            yield named("enrollment_page", used, **way), enrolling.enrollment_page(filters, **way)
    for used in ("", "created_by", "kind"):
        filters = frozenset({used} - {""})
        yield f"job_count {used}", work.job_count(filters)
        for way in ways:
            yield named("jobs", used, **way), work.job_page(filters, **way)
    for way in ways:
        yield named("job_items", **way), work.item_page(False, **way)
    for scope in ("all", "own", "published"):
        for factory in (catalog.courses_by_id, catalog.modules_by_id, catalog.lessons_by_id):
            yield f"{factory.__name__} {scope}", factory(scope)


STATEMENTS = {
    **dict(lists()),
    **dict(constants(catalog, enrolling, learning, places, identity, outbox, idempotency, audit, work)),
}

# What the page shows: a statement of those above, what it is for, and the index it stands on.
SHOWN: dict[str, dict[str, tuple[str, ...]]] = {
    "Catalogue": {
        "course_page published  NEWEST": ("A student's catalogue, newest first.", "ix_courses_published"),
        "course_page published  NEWEST after backward": ("The page before a cursor.", "ix_courses_published"),
        "course_page own  NEWEST after": ("An author's catalogue, drafts of one's own among it.", "ix_courses_listed"),
        "course_page published  TITLE after": ("By title.", "ix_courses_title"),
        "course_page published category NEWEST": ("With a filter that leaves many.", "ix_courses_published"),
        "course_page published tags NEWEST": ("With a filter that leaves few: those are sorted.", "ix_courses_tags"),
        "course_page published search RELEVANCE": (
            "A search: words, or a title that is like what was typed.", "ix_courses_search", "ix_courses_search_title",
        ),
        "course_count published ": ("How many courses there are, read from the index alone.", "ix_courses_published"),
        "courses_by_id published": ("Courses by id.", "pk_courses"),
        "modules_by_id published": ("Modules by id, if their course is to be seen.", "pk_modules"),
        "lessons_by_id published": ("Lessons by id, if their course is to be seen.", "pk_lessons"),
        "app.catalog.statements.MODULES_BY_COURSE": ("The modules of a page of courses.", "ix_modules_course"),
        "app.catalog.statements.LESSON_TITLES_BY_MODULE": ("Their lessons, as lists show them.", "ix_lessons_module"),
        "app.catalog.statements.LESSONS_BY_MODULE": ("Their lessons, whole.", "ix_lessons_module"),
        "app.catalog.statements.BLOCKS_BY_LESSON": ("What lessons are made of.", "ix_lesson_blocks_lesson"),
        "app.catalog.statements.INSTRUCTORS_BY_COURSE": ("Who teaches.", "pk_course_instructors", "pk_members"),
        "app.catalog.statements.LESSON_COUNTS": ("How many lessons.", "ix_modules_course", "ix_lessons_module"),
    },
    "Learners": {
        "app.learning.enrollment_statements.LEARNER_COUNTS": ("How many learners.", "ix_enrollments_course"),
        "app.learning.statements.RATINGS": ("The average rating, read from the index.", "ix_course_reviews_rating"),
        "enrollment_page user_id live": ("My courses.", "ix_enrollments_user"),
        "enrollment_page  after": ("Everybody's enrolments, for administrators.", "ix_enrollments_newest"),
        "enrollment_page course_id": ("Who is enrolled in a course.", "uq_enrollments_course_user"),
        "app.learning.statements.MY_ENROLLMENTS_BY_COURSE": ("Am I enrolled in these?", "ix_enrollments_user"),
        "app.learning.statements.MY_PROGRESS_BY_LESSON": ("My progress in each lesson.", "pk_lesson_progress"),
        "app.learning.statements.COURSE_PROGRESS": (
            "My progress in each course.", "ix_modules_course", "ix_lessons_module", "ix_lesson_progress_user",
        ),
        "app.learning.statements.LAST_TOUCHED_OPEN": ("Where to resume: the last lesson.", "ix_enrollments_user"),
        "app.learning.statements.FIRST_OPEN_LESSON": (
            "Where to resume: the first that is not done.", "ix_modules_course", "ix_lessons_module",
        ),
    },
    "Saving progress": {
        "app.learning.places.SAVE": (
            "Where a learner is, in one statement.", "pk_lessons", "uq_enrollments_course_user", "pk_lesson_progress",
        ),
        "app.learning.statements.LESSON_FACTS": ("The long way, 1: the lessons.", "pk_lessons"),
        "app.learning.statements.LIVE_FOR_UPDATE": ("2: lock the enrolments.", "ix_enrollments_user"),
        "app.learning.statements.VIDEOS": ("3: how long their videos are.", "ix_lesson_blocks_lesson"),
        "app.learning.statements.KNOWN_EVENTS": ("4: which events are known.", "pk_progress_events"),
        "app.learning.statements.HISTORY": ("5: how many are kept.", "ix_progress_events_enrollment_id"),
        "app.learning.statements.STORED_EVENTS": ("6: read them all.", "ix_progress_events_enrollment_id"),
        "app.learning.statements.PROGRESS": ("7: what they have come to.", "pk_lesson_progress"),
        "app.learning.statements.FINISH": ("8: whose course is finished.", "pk_enrollments", "ix_lessons_course"),
    },
    "People and events": {
        "member_page  NAME after": ("The directory by name.", "ix_members_name"),
        "member_page  NEWEST": ("The directory, newest first.", "ix_members_created"),
        "member_page search NAME": ("A search in it.", "ix_members_search_text"),
        "member_count ": ("How many there are.", "ix_members_role"),
        "app.db.outbox.PENDING": ("Events that the worker has not relayed yet.", "ix_outbox_pending"),
    },
}  # fmt: skip


class Plans:
    """Asks for plans as the application gets them: planned once for whatever values, as the tenant's role."""

    def __init__(self, connection: AsyncConnection[Any]) -> None:
        self.connection = connection

    async def text(self, statement: Statement[Any]) -> str:
        return "\n".join([row[0] for row in await self._explain("COSTS OFF", statement)])

    async def nodes(self, statement: Statement[Any]) -> list[dict[str, Any]]:
        """The plan's nodes, from the root down."""
        [(answer,)] = await self._explain("FORMAT JSON", statement)
        nodes = [answer[0]["Plan"]]
        for node in nodes:
            nodes += node.get("Plans", [])
        return nodes

    async def _explain(self, how: str, statement: Statement[Any]) -> list[tuple[Any, ...]]:
        cursor = await self.connection.execute(f"EXPLAIN (GENERIC_PLAN, {how}) {statement.wire_sql}".encode())
        return await cursor.fetchall()


@pytest.fixture(scope="module")
async def plans(application: Application, mailbox: Mailbox, database_dsn: str) -> AsyncIterator[Plans]:
    """Of a large school's schema."""
    async with (
        World.founded(application, mailbox, "filled") as world,
        await AsyncConnection.connect(database_dsn, autocommit=True, prepare_threshold=None) as connection,
    ):
        await fill(connection, world.tenant.schema_name)
        for setting in TENANT_SETTINGS:
            await connection.execute(f"SET {setting}".encode())
        for what, name in (("role", world.tenant.role_name), ("search_path", world.tenant.schema_name)):
            await connection.execute(sql.SQL("SET {} = {}").format(sql.SQL(what), sql.Identifier(name)))
        yield Plans(connection)


async def test_no_statement_reads_a_large_table_from_end_to_end(plans: Plans) -> None:
    assert len(STATEMENTS) > 300
    found = {}
    for name, statement in STATEMENTS.items():
        whole = [n["Relation Name"] for n in await plans.nodes(statement) if n["Node Type"] == "Seq Scan"]
        if LARGE & {*whole}:
            found[name] = whole
    assert {name: tables for name, tables in found.items() if name not in READS_ALL} == {}
    assert READS_ALL.keys() - found.keys() == set(), "exceptions that are none any more"


async def test_pages_are_read_in_the_order_of_an_index(plans: Plans) -> None:
    pages = {
        name: statement
        for name, statement in STATEMENTS.items()
        if "_page" in name and {*name.split()[1:]} - WORDS_OF_ORDER <= IN_ORDER
    }
    assert len(pages) > 150
    sorting = [name for name, page in pages.items() if any("Sort" in n["Node Type"] for n in await plans.nodes(page))]
    assert sorting == []


async def test_the_statements_that_are_shown_stand_on_their_indexes(plans: Plans) -> None:
    for name, (_, *indexes) in [shown for part in SHOWN.values() for shown in part.items()]:
        used = {node.get("Index Name") for node in await plans.nodes(STATEMENTS[name])}
        assert {*indexes} <= used, (name, used)


CLAUSE = r"(?:LEFT OUTER |LATERAL )?JOIN |ORDER BY |GROUP BY |LIMIT |SET |ON CONFLICT |RETURNING "


def sql_of(statement: Statement[Any]) -> str:
    """A statement in lines that can be read."""
    lines = re.sub(rf"(?<!\()(?<! OUTER) (?={CLAUSE})", "\n", statement.wire_sql).splitlines()
    return "\n".join(
        textwrap.fill(line, 110, subsequent_indent="    ", break_long_words=False)
        for line in map(str.strip, lines)
        if line
    )


async def page(plans: Plans) -> str:
    parts = [INTRODUCTION]
    for title, shown in SHOWN.items():
        parts.append(f"## {title}")
        for name, (purpose, *indexes) in shown.items():
            statement = STATEMENTS[name]
            stands = ", ".join(f"`{index}`" for index in indexes)
            parts += [
                f"### {purpose.rstrip('.')}",
                f"`{' '.join(name.removeprefix('app.').split())}` stands on {stands}.",
                f"```sql\n{sql_of(statement)}\n```",
                f"```text\n{await plans.text(statement)}\n```",
            ]
    parts.append("## What reads a table from end to end")
    parts.append("\n".join(f"- `{name.strip()}` {reason}." for name, reason in READS_ALL.items()))
    return "\n\n".join(parts) + "\n"


async def test_the_page_shows_the_plans_as_they_are(plans: Plans) -> None:
    """UPDATE_PLANS=1 writes it anew."""
    if plans.connection.info.server_version // 10_000 != WRITTEN_BY:
        pytest.skip("another PostgreSQL words its plans otherwise")
    now = await page(plans)
    if os.environ.get("UPDATE_PLANS"):
        PAGE.write_text(now, encoding="utf-8")
    assert PAGE.read_text(encoding="utf-8") == now
