"""How well a quiz measures, from the attempts there are (Q15, Q16): previews never count."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from decimal import Decimal
from uuid import UUID

from app.assessment import quiz_statements
from app.assessment.analysis import Analysis, ItemStatistics, QuizStatistics, analyse, to_csv
from app.assessment.attempt_rows import MarkRow
from app.assessment.attempt_statements import marks
from app.assessment.owning import require_teacher
from app.db.database import Operation
from app.viewer import Action, Viewer


@dataclass(frozen=True, slots=True)
class Item:
    """A question and how it did."""

    question_id: UUID
    title: str
    statistics: ItemStatistics


@dataclass(frozen=True, slots=True)
class Report:
    """A quiz and its questions."""

    quiz: QuizStatistics
    items: tuple[Item, ...]

    def csv(self) -> str:
        """The same as a table that a spreadsheet opens safely."""
        found = Analysis(self.quiz, tuple(item.statistics for item in self.items))
        return to_csv(found, [item.title or str(item.question_id) for item in self.items])


class AnalysisService:
    """One operation's use cases in one tenant."""

    def __init__(self, db: Operation, viewer: Viewer) -> None:
        self.db = db
        self.viewer = viewer

    async def analysis(self, quiz_id: UUID, *, first_only: bool = True) -> Report:
        """Statistics of the first attempt of each learner, or of all; of the 2,000 latest that are graded.

        Raises: NotFound, Forbidden.
        """
        self.viewer.require(Action.GRADE)
        async with self.db.read() as tx:
            course_id = await tx.one(quiz_statements.COURSE_OF_QUIZ, "quiz", id=quiz_id)
            await require_teacher(tx, self.viewer, course_id, "quiz")
            return report(await tx.all(marks(first_only), quiz_id=quiz_id))


def report(rows: Sequence[MarkRow]) -> Report:
    """The statistics of these marks.

    Where every attempt was asked the same, they are Moodle's. Where questions were drawn, each question is judged by
    the attempts that had it, beside the rest of those attempts, and what compares all questions is not said.
    """
    attempts: dict[UUID, dict[UUID, MarkRow]] = defaultdict(dict)
    questions: dict[UUID, str] = {}
    for row in rows:
        attempts[row.attempt_id][row.question_id] = row
        questions[row.question_id] = row.title
    asked = list(attempts.values())
    if all(len(attempt) == len(questions) for attempt in asked):
        maxima = [next(attempt[key].points for attempt in asked) for key in questions] if asked else []
        found = analyse([[attempt[key].mark for key in questions] for attempt in asked], maxima)
        return Report(found.quiz, _items(questions, found.items))
    totals = [[sum((row.mark for row in attempt.values()), Decimal(0))] for attempt in asked]
    whole = max(sum((row.points for row in attempt.values()), Decimal(0)) for attempt in asked)
    quiz = analyse(totals, [whole]).quiz
    return Report(quiz, _items(questions, [_alone(key, asked) for key in questions]))


def _items(questions: Mapping[UUID, str], found: Sequence[ItemStatistics]) -> tuple[Item, ...]:
    return tuple(Item(key, title, item) for (key, title), item in zip(questions.items(), found, strict=True))


def _alone(key: UUID, asked: Sequence[Mapping[UUID, MarkRow]]) -> ItemStatistics:
    having = [attempt for attempt in asked if key in attempt]
    table = [
        [attempt[key].mark, sum((row.mark for other, row in attempt.items() if other != key), Decimal(0))]
        for attempt in having
    ]
    points = having[0][key].points
    rest = max(sum((row.points for other, row in attempt.items() if other != key), Decimal(0)) for attempt in having)
    return replace(analyse(table, [points, rest]).items[0], intended_weight=None, effective_weight=None)
