"""The question bank's use cases: authors make, change and look up the questions of their courses."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from decimal import Decimal
from typing import Any
from uuid import UUID

from psycopg.types.json import Jsonb

from app.assessment import bank_statements as sql
from app.assessment import bodies, body_rules
from app.assessment.bank_rows import LabelRow, PooledRow, QuestionRow, VersionRow
from app.catalog import rules
from app.catalog import statements as catalog
from app.db import idempotency
from app.db.database import Operation
from app.db.ids import new_id
from app.db.paging import Page, PageRequest, key_params, page_of
from app.db.transaction import Tx
from app.errors import Conflict, Forbidden, NotFound
from app.identity.validators import Checks, line
from app.viewer import Action, Viewer

DEFAULTS: dict[str, Any] = {"title": "", "category": "", "tags": [], "status": "ready", "points": Decimal(1)}
Given = Mapping[str, Any]
Described = tuple[str, Given]  # the kind of a question, and what an author wrote of it


async def own_course(tx: Tx, viewer: Viewer, course_id: UUID) -> None:
    """Lock a course whose questions the viewer may change. A draft of somebody else answers like a missing one.

    Raises: NotFound, Forbidden (not its instructor).
    """
    course = await tx.one(catalog.COURSE_FOR_UPDATE, "course", id=course_id)
    if viewer.may(Action.EDIT_ANY_COURSE):
        return
    if not await tx.all(catalog.TEACHES, ids=[course_id], viewer_id=viewer.user_id):
        if course.published_at is None:
            raise NotFound("course")
        raise Forbidden("only its own instructors can change a course")


def question_fields(check: Checks, given: Given, prefix: str = "input") -> dict[str, Any]:
    """The given fields of a question (its body aside), cleaned; problems are noted in ``check``."""
    clean: dict[str, Any] = {}
    for name, value in given.items():
        path = f"{prefix}.{name}"
        match name:
            case "title":
                clean[name] = check(path, line, value or "", maximum=body_rules.TITLE)
            case "category":
                clean[name] = check(path, body_rules.category, value or "")
            case "tags":
                clean[name] = check(path, rules.tags, value or [])
            case "status":
                clean[name] = check(path, rules.one_of, value, choices=body_rules.STATUSES)
            case "points":
                clean[name] = check(path, body_rules.points, value)
    return clean


async def add_questions(
    tx: Tx, course_id: UUID, by: UUID, made: Sequence[tuple[Given, bodies.Body, str | None]]
) -> list[UUID]:
    """Write new questions (fields, body, import key) of a course; returns their ids in order."""
    ids = [new_id() for _ in made]
    await tx.execute_many(
        sql.ADD_QUESTION,
        [
            {"id": key, "course_id": course_id, "created_by": by, "import_key": import_key, **_row(fields, body)}
            for key, (fields, body, import_key) in zip(ids, made, strict=True)
        ],
    )
    await tx.execute_many(
        sql.ADD_VERSION,
        [_version(key, 1, body, _points(fields, body), by) for key, (fields, body, _) in zip(ids, made, strict=True)],
    )
    return ids


async def pool(tx: Tx, course_id: UUID, *, tags: Sequence[str] = (), category: str = "") -> list[PooledRow]:
    """The questions that a quiz of this course may draw: ready, with all of the tags, in the category or below it."""
    wanted = pooled(tags, category)
    return await tx.all(sql.pool(frozenset(wanted)), course_id=course_id, **wanted)


async def pool_count(tx: Tx, course_id: UUID, *, tags: Sequence[str] = (), category: str = "") -> int:
    """How many questions ``pool`` has."""
    wanted = pooled(tags, category)
    return await tx.scalar(sql.pool_count(frozenset(wanted)), course_id=course_id, **wanted) or 0


def pooled(tags: Sequence[str], category: str) -> dict[str, Any]:
    """The filters of a pool."""
    found = {"tags": [tag.strip().casefold() for tag in tags], "category": category.strip("/ ")}
    return {name: value for name, value in found.items() if value}


class QuestionBank:
    """One operation's use cases in one tenant."""

    def __init__(self, db: Operation, viewer: Viewer) -> None:
        self.db = db
        self.viewer = viewer

    def require(self) -> None:
        """Raises: Unauthenticated, Forbidden (not an author)."""
        self.viewer.require(Action.EDIT_COURSES)

    # --- reads: an administrator sees every course's questions, an instructor those of one's own courses

    def _who(self) -> tuple[str, dict[str, Any]]:
        viewer_id = self.viewer.require(Action.EDIT_COURSES)
        return ("all", {}) if self.viewer.may(Action.EDIT_ANY_COURSE) else ("own", {"viewer_id": viewer_id})

    async def questions(self, course_id: UUID, page: PageRequest, order: str, filters: Given) -> Page[QuestionRow]:
        """A page of a course's questions; ``filters`` by the names in ``FILTERS``. None of a course not to be seen.

        Raises: Unauthenticated, Forbidden.
        """
        scope, who = self._who()
        statement = sql.question_page(scope, frozenset(filters), order, page.key is not None, page.backward)
        async with self.db.read() as tx:
            return page_of(page, await tx.all(statement, **key_params(page), course_id=course_id, **who, **filters))

    async def count_questions(self, course_id: UUID, filters: Given) -> int:
        """How many there are."""
        scope, who = self._who()
        async with self.db.read() as tx:
            statement = sql.question_count(scope, frozenset(filters))
            return await tx.scalar(statement, course_id=course_id, **who, **filters) or 0

    async def questions_by_id(self, ids: list[UUID]) -> list[QuestionRow]:
        """The questions among these that the viewer sees; none for learners, who see them in attempts."""
        if not self.viewer.may(Action.EDIT_COURSES):
            return []
        scope, who = self._who()
        async with self.db.read() as tx:
            return await tx.all(sql.questions_by_id(scope), ids=ids, **who)

    async def versions_by_question(self, ids: list[UUID]) -> list[VersionRow]:
        """The present versions of questions that were shown to the viewer."""
        async with self.db.read() as tx:
            return await tx.all(sql.PRESENT_VERSIONS, ids=ids)

    async def tags(self, course_id: UUID) -> list[LabelRow]:
        """The tags of a course's questions."""
        scope, who = self._who()
        async with self.db.read() as tx:
            return await tx.all(sql.tags(scope), course_id=course_id, **who)

    async def categories(self, course_id: UUID) -> list[LabelRow]:
        """The categories of a course's questions; the empty one stands for none."""
        scope, who = self._who()
        async with self.db.read() as tx:
            return await tx.all(sql.categories(scope), course_id=course_id, **who)

    async def count_pool(self, course_id: UUID, *, tags: Sequence[str], category: str) -> int:
        """How many questions a quiz could draw; 0 for a course that the viewer does not see."""
        if not await self.count_questions(course_id, {}):
            return 0
        async with self.db.read() as tx:
            return await pool_count(tx, course_id, tags=tags, category=category)

    # --- writes

    async def create_question(
        self, course_id: UUID, given: Given, described: Described, *, idempotency_key: str | None = None
    ) -> QuestionRow:
        """Add a question to a course.

        Raises: NotFound, Forbidden, Invalid, Conflict (IDEMPOTENCY_KEY_REUSED).
        """
        user_id = self.viewer.require(Action.EDIT_COURSES)
        check = Checks()
        fields = {**DEFAULTS, **question_fields(check, given)}
        body = _body(check, described)
        key = check("input.idempotencyKey", line, idempotency_key, minimum=8, maximum=100) if idempotency_key else None
        check.done()
        async with self.db.write() as tx:
            if key is not None:
                asked = [course_id, given, described]
                first = await idempotency.recall(tx, user_id, key, "createQuestion", asked)
                if first is not None:
                    return await tx.one(sql.QUESTION_FOR_UPDATE, "question", id=first)
            await own_course(tx, self.viewer, course_id)
            [question_id] = await add_questions(tx, course_id, user_id, [(fields, body, None)])
            if key is not None:
                await idempotency.settle(tx, user_id, key, question_id)
            return await tx.one(sql.QUESTION_FOR_UPDATE, "question", id=question_id)

    async def update_question(
        self, question_id: UUID, given: Given, described: Described | None, *, expected_version: int | None = None
    ) -> QuestionRow:
        """Change the given fields. What was there stays as an earlier version, to which attempts refer.

        Raises: NotFound, Forbidden, Invalid, Conflict (VERSION_CONFLICT, QUESTION_DELETED).
        """
        user_id = self.viewer.require(Action.EDIT_COURSES)
        check = Checks()
        clean = question_fields(check, given)
        check.done()
        async with self.db.write() as tx:
            question = await self._own_question(tx, question_id)
            if question.deleted_at is not None:
                raise Conflict("this question was deleted; restore it first", code="QUESTION_DELETED")
            _fresh(question.version, expected_version)
            before = await tx.one(sql.VERSION, "question", id=question_id, number=question.version)
            body = bodies.load(before.body)
            if described is not None:
                if described[0] != question.kind:
                    check.note("input.body", "KIND_FIXED", "cannot become another kind of question; make a new one")
                body = _body(check, described, known=body_rules.keys_of(body))
            check.done()
            fields = {name: clean.get(name, getattr(question, name)) for name in DEFAULTS}
            await tx.execute(sql.UPDATE_QUESTION, id=question_id, **_row(fields, body))
            version = _version(question_id, question.version + 1, body, _points(fields, body), user_id)
            await tx.execute(sql.ADD_VERSION, **version)
            return await tx.one(sql.QUESTION_FOR_UPDATE, "question", id=question_id)

    async def delete_question(self, question_id: UUID, *, expected_version: int | None = None) -> UUID:
        """Take a question out of the bank; attempts keep what they were asked. Deleting again changes nothing.

        Raises: NotFound, Forbidden, Conflict (VERSION_CONFLICT).
        """
        self.viewer.require(Action.EDIT_COURSES)
        async with self.db.write() as tx:
            question = await self._own_question(tx, question_id)
            _fresh(question.version, expected_version)
            await tx.execute(sql.DELETE_QUESTION, id=question_id)
        return question_id

    async def restore_question(self, question_id: UUID) -> QuestionRow:
        """Bring a deleted question back as it was; restoring one that is there changes nothing.

        Raises: NotFound, Forbidden, Conflict (QUESTION_IMPORTED: the same one came in again meanwhile).
        """
        self.viewer.require(Action.EDIT_COURSES)
        async with self.db.write() as tx:
            question = await self._own_question(tx, question_id)
            if question.deleted_at is not None:
                if await tx.all(sql.SAME_IMPORT, id=question_id, course_id=question.course_id):
                    raise Conflict("the same question was imported again meanwhile", code="QUESTION_IMPORTED")
                await tx.execute(sql.RESTORE_QUESTION, id=question_id)
            return await tx.one(sql.QUESTION_FOR_UPDATE, "question", id=question_id)

    async def _own_question(self, tx: Tx, question_id: UUID) -> QuestionRow:
        """Lock the course, then the question. One of a course that the viewer may not change is not found."""
        course_id = await tx.one(sql.COURSE_OF_QUESTION, "question", id=question_id)
        try:
            await own_course(tx, self.viewer, course_id)
        except (NotFound, Forbidden) as refused:
            raise NotFound("question") from refused
        return await tx.one(sql.QUESTION_FOR_UPDATE, "question", id=question_id)


def _body(check: Checks, described: Described, known: frozenset[str] = frozenset()) -> bodies.Body:
    kind, given = described
    return body_rules.body_of(check, kind, given, f"input.body.{body_rules.camel(kind)}", known=known)


def _points(fields: Given, body: bodies.Body) -> Decimal:
    return bodies.largest(body, fields["points"])


def _row(fields: Given, body: bodies.Body) -> dict[str, Any]:
    found = {name: fields[name] for name in DEFAULTS}
    return {**found, "points": _points(fields, body), "kind": body.kind, "words": body_rules.words_of(body)}


def _version(question_id: UUID, number: int, body: bodies.Body, points: Decimal, by: UUID) -> dict[str, Any]:
    return {
        "question_id": question_id,
        "number": number,
        "body": Jsonb(bodies.dump(body)),
        "points": points,
        "created_by": by,
    }


def _fresh(version: int, expected: int | None) -> None:
    if expected is not None and expected != version:
        raise Conflict(
            "this was changed meanwhile; read it again and repeat your change", code="VERSION_CONFLICT", current=version
        )
