"""Quizzes for tests: questions written straight into the tables, everything else asked through GraphQL."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta
from decimal import Decimal
from typing import Any
from uuid import UUID

from psycopg.types.json import Jsonb
from sqlalchemy import text

from app.assessment import bodies
from app.assessment.sweeping import end_overdue
from app.db.ids import new_id
from app.db.statements import Statement
from app.viewer import Role
from tests.world import Person, World

_QUESTION = Statement(
    text(
        """INSERT INTO questions (id, course_id, kind, tags, category, created_by)
           VALUES (:id, :course_id, :kind, :tags, :category, :by)"""
    ),
    int,
)
_VERSION = Statement(
    text(
        """INSERT INTO question_versions (question_id, number, body, points, created_by)
           VALUES (:id, :number, :body, 1, :by)"""
    ),
    int,
)
_CURRENT = Statement(text("UPDATE questions SET version = :number WHERE id = :id"), int)
_ENROLL = Statement(
    text(
        """INSERT INTO enrollments (id, course_id, user_id, status, enrolled_at)
           VALUES (:id, :course_id, :user_id, 'active', now())"""
    ),
    int,
)

ATTEMPT = """id state number isPreview startedAt deadlineAt finishedAt wasAutoSubmitted isFlaggedLate possible
  resultsVisible score percent penalty scoreBeforeRegrade
  questions { slot points revision question { kind prompt choices { id html } }
    answer { choice text number choices } result { points fraction waitsForGrader comment version
      parts { id isRight share } } }"""
PROBLEM = "... on Problem { code message } ... on ValidationProblem { fields { path code } }"
START = f"""mutation($input: StartAttemptInput!) {{ startAttempt(input: $input) {{ __typename
  ... on AttemptSuccess {{ attempt {{ {ATTEMPT} }} }} {PROBLEM} }} }}"""
SAVE = f"""mutation($input: SaveAnswersInput!) {{ saveAnswers(input: $input) {{ __typename
  ... on SaveAnswersSuccess {{ outcomes {{ slot status code }} }} {PROBLEM} }} }}"""
SUBMIT = f"""mutation($input: SubmitAttemptInput!) {{ submitAttempt(input: $input) {{ __typename
  ... on AttemptSuccess {{ attempt {{ {ATTEMPT} }} }} {PROBLEM} }} }}"""
SEE = f"""mutation($input: SeeResultsInput!) {{ seeResults(input: $input) {{ __typename
  ... on AttemptSuccess {{ attempt {{ {ATTEMPT} }} }} {PROBLEM} }} }}"""
GRADE = f"""mutation($input: GradeAnswerInput!) {{ gradeAnswer(input: $input) {{ __typename
  ... on AttemptSuccess {{ attempt {{ {ATTEMPT} }} }} {PROBLEM} }} }}"""
READ = f"query($id: ID!) {{ attempt(id: $id) {{ {ATTEMPT} }} }}"
QUIZ = """id title version publishedAt questionCount possible timeLimitSeconds overduePolicy keptScore visibility
  slots { position questionId tags category draws points }
  myPlace { attemptsUsed attemptsLeft openAttemptId extraMinutes }
  myScore { score possible percent isPassed isFinal }"""
QUIZ_READ = f"query($id: ID!) {{ quiz(id: $id) {{ {QUIZ} }} }}"


def quiz_mutation(name: str) -> str:
    """A mutation that answers a quiz."""
    kind = name[0].upper() + name[1:]
    kind = {"PublishQuiz": "QuizId", "DeleteQuiz": "QuizId"}.get(kind, kind)
    shown = (
        "... on DeleteSuccess { deletedId }" if name == "deleteQuiz" else f"... on QuizSuccess {{ quiz {{ {QUIZ} }} }}"
    )
    return f"mutation($input: {kind}Input!) {{ {name}(input: $input) {{ __typename {shown} {PROBLEM} }} }}"


def single(*, right: str = "a", wrong: tuple[str, ...] = ("b", "c")) -> bodies.Single:
    """A question with one right choice."""
    choices = (bodies.Choice(right, f"<p>{right}</p>", Decimal(1), "Sí."), *(bodies.Choice(w, w) for w in wrong))
    return bodies.Single(prompt="<p>¿Cuál?</p>", choices=choices, feedback="<p>Era la primera.</p>")


@dataclass
class School:
    """A course with a teacher and questions, in one tenant."""

    world: World
    course_id: UUID
    teacher: Person
    lesson_id: UUID

    @classmethod
    async def of(cls, world: World) -> School:
        """A published course of one lesson."""
        teacher = await world.person(Role.INSTRUCTOR)
        course_id = await world.course("Física", instructor=teacher)
        [[lesson_id]] = await world.as_owner(f"SELECT id FROM lessons WHERE course_id = '{course_id}'")
        return cls(world, course_id, teacher, lesson_id)

    @property
    def course(self) -> str:
        """The course as clients name it."""
        return self.world.id("crs", self.course_id)

    async def learner(self, name: str | None = None) -> Person:
        """A student who is enrolled."""
        person = await self.world.person(Role.STUDENT, name=name)
        async with self.world.platform.database.tenant(self.world.tenant.handle) as tx:
            await tx.execute(_ENROLL, id=new_id(), course_id=self.course_id, user_id=person.user_id)
        return person

    async def question(
        self, body: bodies.Body | None = None, *, tags: tuple[str, ...] = (), category: str = ""
    ) -> UUID:
        """A question in its first version."""
        body = body or single()
        question_id = new_id()
        async with self.world.platform.database.tenant(self.world.tenant.handle) as tx:
            await tx.execute(
                _QUESTION,
                id=question_id,
                course_id=self.course_id,
                kind=body.kind,
                tags=list(tags),
                category=category,
                by=self.teacher.user_id,
            )
        await self.version(question_id, 1, body)
        return question_id

    async def version(self, question_id: UUID, number: int, body: bodies.Body) -> None:
        """Another version of a question, the current one from now on."""
        async with self.world.platform.database.tenant(self.world.tenant.handle) as tx:
            values = {"id": question_id, "number": number}
            await tx.execute(_VERSION, body=Jsonb(bodies.dump(body)), by=self.teacher.user_id, **values)
            await tx.execute(_CURRENT, **values)

    async def questions(self, count: int) -> list[UUID]:
        """Some questions whose right choice is ``a``."""
        return [await self.question() for _ in range(count)]

    async def change(self, name: str, *, as_: Any = None, **given: Any) -> dict[str, Any]:
        """Ask for a mutation of a quiz; its answer."""
        answer: dict[str, Any] = (await self.world.ask(quiz_mutation(name), as_=as_ or self.teacher, input=given))[name]
        return answer

    async def quiz(
        self, questions: list[UUID] | None = None, *, slots: list[dict[str, Any]] | None = None, **given: Any
    ) -> str:
        """A published quiz that asks these questions, a point each."""
        made = await self.change("createQuiz", courseId=self.course, title="Prueba", **given)
        quiz: str = made["quiz"]["id"]
        if slots is None:
            found = questions if questions is not None else await self.questions(2)
            slots = [{"questionId": self.world.id("qst", question), "points": "1"} for question in found]
        set_ = await self.change("setQuizSlots", id=quiz, slots=slots)
        assert set_["__typename"] == "QuizSuccess", set_
        published = await self.change("publishQuiz", id=quiz)
        assert published["__typename"] == "QuizSuccess", published
        return quiz

    async def do(self, mutation: str, who: Person, **given: Any) -> dict[str, Any]:
        """Ask for a mutation with one field; its answer."""
        [answer] = (await self.world.ask(mutation, as_=who, input=given)).values()
        made: dict[str, Any] = answer
        return made

    async def start(self, quiz: str, who: Person, **more: Any) -> dict[str, Any]:
        """Begin an attempt, which must succeed."""
        answer = await self.do(START, who, quizId=quiz, **more)
        assert answer["__typename"] == "AttemptSuccess", answer
        attempt: dict[str, Any] = answer["attempt"]
        return attempt

    async def save(self, attempt: dict[str, Any], who: Person, *answers: dict[str, Any]) -> dict[str, Any]:
        """Save answers."""
        return await self.do(SAVE, who, attemptId=attempt["id"], answers=list(answers))

    async def submit(self, attempt: dict[str, Any], who: Person, *answers: dict[str, Any]) -> dict[str, Any]:
        """Submit."""
        return await self.do(SUBMIT, who, attemptId=attempt["id"], answers=list(answers))

    async def attempted(self, quiz: str, who: Person, right: int, of: int) -> dict[str, Any]:
        """A submitted attempt with so many right answers."""
        attempt = await self.start(quiz, who)
        given = [choose(slot, "a" if slot <= right else "b") for slot in range(1, of + 1)]
        done = await self.submit(attempt, who, *given)
        assert done["__typename"] == "AttemptSuccess", done
        made: dict[str, Any] = done["attempt"]
        return made

    async def read(self, attempt: dict[str, Any], who: Person) -> dict[str, Any]:
        """An attempt as somebody sees it."""
        found: dict[str, Any] = (await self.world.ask(READ, as_=who, id=attempt["id"]))["attempt"]
        return found

    async def age(self, attempt: dict[str, Any], by: timedelta) -> None:
        """Let an attempt have begun earlier: the clock is the database's, so its times are moved instead."""
        seconds = by.total_seconds()
        await self.world.as_owner(
            f"""UPDATE quiz_attempts SET started_at = started_at - interval '{seconds} s',
                       deadline_at = deadline_at - interval '{seconds} s',
                       due_for_sweep_at = due_for_sweep_at - interval '{seconds} s'
                WHERE id = '{self.raw(attempt["id"])}'"""
        )

    def raw(self, text: str) -> UUID:
        """The UUID behind a client's identifier."""
        return UUID(int=int(text[4:], 16) ^ self.world.tenant.id_mask)

    async def sweep(self) -> None:
        """What the worker's tick does."""
        more = True
        while more:
            async with self.world.platform.database.tenant(self.world.tenant.handle) as tx:
                more = await end_overdue(tx)

    async def events(self, kind: str) -> list[dict[str, Any]]:
        """The payloads of the events of a kind, the oldest first."""
        rows = await self.world.as_owner(f"SELECT payload FROM outbox WHERE kind = '{kind}' ORDER BY created_at, id")
        return [row[0] for row in rows]


def choose(slot: int, choice: str | None, revision: int = 1) -> dict[str, Any]:
    """An answer to a question with choices."""
    return {"slot": slot, "revision": revision, "content": None if choice is None else {"choice": choice}}


def write(slot: int, words: str, revision: int = 1) -> dict[str, Any]:
    """An answer in words."""
    return {"slot": slot, "revision": revision, "content": {"text": words}}
