"""Questions as a learner meets them in an attempt, and the answers they give: without any key."""

from __future__ import annotations

from decimal import Decimal as PythonDecimal
from typing import Any

import strawberry

from app.assessment import bodies
from app.assessment.attempt_rows import AnswerRow
from app.assessment.attempts import GivenAnswer
from schema.scalars import DateTime, Decimal


@strawberry.type(description="Something that is chosen or put in its place.")
class AskedOption:
    id: str = strawberry.field(description="What answers name; valid inside the question.")
    html: str = strawberry.field(description="HTML that is safe to show.")


@strawberry.type(description="A gap in a text; it stands where the text has [[id]].")
class AskedGap:
    id: str = strawberry.field(description="What answers name.")
    kind: str = strawberry.field(description="single, short_answer or numeric.")
    choices: list[AskedOption] = strawberry.field(description="What to choose from, in this attempt's order.")
    units: list[str] = strawberry.field(description="Units that may follow a number.")


@strawberry.type(description="A question as it is shown in an attempt: in this attempt's order, without any key.")
class AskedQuestion:
    kind: str = strawberry.field(description="The kind of question: single, multiple, numeric, essay...")
    prompt: str = strawberry.field(description="HTML that is safe to show.")
    choices: list[AskedOption] = strawberry.field(description="What to choose from; for single and multiple.")
    units: list[str] = strawberry.field(description="Units that may follow the number; for numeric.")
    pairs: list[AskedOption] = strawberry.field(description="What needs a target; for matching.")
    targets: list[AskedOption] = strawberry.field(description="The targets; for matching.")
    items: list[AskedOption] = strawberry.field(description="What is to be put in order; for ordering.")
    gaps: list[AskedGap] = strawberry.field(description="The gaps of the text; for cloze.")
    template: str | None = strawberry.field(description="What the text may start from; for essay.")
    min_words: int | None = strawberry.field(description="For essay.")
    max_words: int | None = strawberry.field(description="For essay.")
    max_files: int | None = strawberry.field(description="For file.")
    max_bytes: int | None = strawberry.field(description="For file.")
    extensions: list[str] = strawberry.field(description="Endings that files may have; none: any; for file.")


@strawberry.type(description="What something was matched with.")
class AnsweredPair:
    id: str = strawberry.field(description="What was matched.")
    target: str = strawberry.field(description="With which target.")


@strawberry.type(description="What a gap was filled with.")
class AnsweredGap:
    id: str = strawberry.field(description="The gap.")
    choice: str | None = strawberry.field(description="The choice.")
    text: str | None = strawberry.field(description="The words.")
    number: str | None = strawberry.field(description="The number as it was written.")


@strawberry.type(description="An answer as it is kept; what does not belong to the kind of question is null or empty.")
class GivenAnswerContent:
    choice: str | None = strawberry.field(description="The choice; for single.")
    choices: list[str] = strawberry.field(description="The choices; for multiple.")
    value: bool | None = strawberry.field(description="Whether it is true; for true_false.")
    text: str | None = strawberry.field(description="The words; for short_answer and essay.")
    number: str | None = strawberry.field(description="The number as it was written; for numeric.")
    pairs: list[AnsweredPair] = strawberry.field(description="For matching.")
    order: list[str] = strawberry.field(description="The items in order; for ordering.")
    gaps: list[AnsweredGap] = strawberry.field(description="For cloze.")
    files: list[str] = strawberry.field(description="For file.")


@strawberry.input(description="What something is matched with.")
class AnswerPairInput:
    id: str = strawberry.field(description="What is matched.")
    target: str = strawberry.field(description="With which target.")


@strawberry.input(one_of=True, description="What a gap is filled with: exactly one of these.")
class AnswerGapContentInput:
    choice: strawberry.Maybe[str] = strawberry.field(description="A choice.")
    text: strawberry.Maybe[str] = strawberry.field(description="Words.")
    number: strawberry.Maybe[str] = strawberry.field(description="A number, in the learner's notation.")


@strawberry.input(description="A filled gap.")
class AnswerGapInput:
    id: str = strawberry.field(description="The gap.")
    content: AnswerGapContentInput = strawberry.field(description="What it is filled with.")


@strawberry.input(one_of=True, description="An answer: exactly one of these, by the kind of question.")
class AnswerContentInput:
    choice: strawberry.Maybe[str] = strawberry.field(description="For single.")
    choices: strawberry.Maybe[list[str]] = strawberry.field(description="For multiple.")
    value: strawberry.Maybe[bool] = strawberry.field(description="For true_false.")
    text: strawberry.Maybe[str] = strawberry.field(description="For short_answer and essay.")
    number: strawberry.Maybe[str] = strawberry.field(description="For numeric; as in 1.5 or 1,5.")
    pairs: strawberry.Maybe[list[AnswerPairInput]] = strawberry.field(description="For matching.")
    order: strawberry.Maybe[list[str]] = strawberry.field(description="For ordering: every item once.")
    gaps: strawberry.Maybe[list[AnswerGapInput]] = strawberry.field(description="For cloze; empty gaps are left out.")
    files: strawberry.Maybe[list[str]] = strawberry.field(description="For file.")


@strawberry.input(description="An answer to one question of an attempt.")
class AnswerInput:
    slot: int = strawberry.field(description="The question's place in the attempt.")
    revision: int = strawberry.field(description="Counted by the client from 1; of two answers the greater one counts.")
    content: AnswerContentInput | None = strawberry.field(default=None, description="The answer; null takes it back.")


CONTENTS = ("choice", "choices", "value", "text", "number", "pairs", "order", "gaps", "files")


def raw_of(content: AnswerContentInput | AnswerGapContentInput | None) -> dict[str, Any] | None:
    """An answer as the service takes it."""
    if content is None:
        return None
    [(name, value)] = [
        (name, some.value)
        for name in CONTENTS
        if (some := getattr(content, name, None)) is not None and some is not strawberry.UNSET
    ]
    if name == "pairs":
        return {name: {pair.id: pair.target for pair in value}}
    if name == "gaps":
        return {name: {gap.id: raw_of(gap.content) for gap in value}}
    return {name: value}


def answers_of(answers: list[AnswerInput]) -> list[GivenAnswer]:
    """Answers as the service takes them."""
    return [GivenAnswer(answer.slot, raw_of(answer.content), answer.revision) for answer in answers]


def asked(row: AnswerRow) -> AskedQuestion:
    """A question as its learner sees it."""
    body = bodies.load(row.body)
    shown = bodies.public(body, bodies.shuffled(body, row.seed) if row.seed else None)
    return AskedQuestion(
        kind=shown["kind"],
        prompt=shown["prompt"],
        choices=_options(shown, "choices"),
        units=shown.get("units", []),
        pairs=_options(shown, "pairs"),
        targets=_options(shown, "targets"),
        items=_options(shown, "items"),
        gaps=[
            AskedGap(id=gap["id"], kind=gap["kind"], choices=_options(gap, "choices"), units=gap.get("units", []))
            for gap in shown.get("gaps", [])
        ],
        template=shown.get("template"),
        min_words=shown.get("min_words"),
        max_words=shown.get("max_words"),
        max_files=shown.get("max_files"),
        max_bytes=shown.get("max_bytes"),
        extensions=shown.get("extensions", []),
    )


def _options(shown: dict[str, Any], name: str) -> list[AskedOption]:
    return [AskedOption(id=item["id"], html=item["html"]) for item in shown.get(name, [])]


def answered(row: AnswerRow) -> GivenAnswerContent | None:
    """An answer as its learner gave it."""
    if row.answer is None:
        return None
    kept = row.answer
    return GivenAnswerContent(
        choice=kept.get("choice"),
        choices=kept.get("choices", []),
        value=kept.get("value"),
        text=kept.get("text"),
        number=kept.get("number"),
        pairs=[AnsweredPair(id=key, target=target) for key, target in kept.get("pairs", {}).items()],
        order=kept.get("order", []),
        gaps=[
            AnsweredGap(id=key, choice=gap.get("choice"), text=gap.get("text"), number=gap.get("number"))
            for key, gap in kept.get("gaps", {}).items()
        ],
        files=kept.get("files", []),
    )


@strawberry.type(description="How one part of an answer did.")
class AnswerPart:
    id: str = strawberry.field(description="The choice, pair, position or gap.")
    is_right: bool = strawberry.field(description="Whether it is right.")
    share: Decimal = strawberry.field(description="The share of the points that it gave.")
    feedback: str = strawberry.field(description="HTML that is safe to show; may be empty.")


@strawberry.type(description="What an answer was worth.")
class AnswerResult:
    row: strawberry.Private[AnswerRow]

    @strawberry.field(description="Points; null while somebody has to grade it.")
    def points(self) -> Decimal | None:
        return None if self.row.worth is None else Decimal(self.row.worth)

    @strawberry.field(description="The share of the points by the grading rules; null where a person grades.")
    def fraction(self) -> Decimal | None:
        return None if self.row.fraction is None else Decimal(self.row.fraction)

    @strawberry.field(description="Whether a grader has not said yet what it is worth.")
    def waits_for_grader(self) -> bool:
        return self.row.needs_manual and not self.row.is_graded

    @strawberry.field(description="How the parts of the answer did.")
    def parts(self) -> list[AnswerPart]:
        return parts_of(self.row.parts)

    @strawberry.field(description="What everybody is told after the question; HTML that is safe to show.")
    def feedback(self) -> str:
        return bodies.load(self.row.body).feedback

    @strawberry.field(description="What the grader wrote; HTML that is safe to show.")
    def comment(self) -> str:
        return self.row.comment

    @strawberry.field(description="Grows with every grading; pass it as expectedVersion of gradeAnswer.")
    def version(self) -> int:
        return self.row.version


def parts_of(parts: Any) -> list[AnswerPart]:
    """The parts of a mark."""
    return [
        AnswerPart(
            id=part["id"], is_right=part["is_right"], share=Decimal(PythonDecimal(part["share"])),
            feedback=part["feedback"],
        )
        for part in parts or []
    ]  # fmt: skip


@strawberry.type(description="A question of an attempt.")
class AttemptQuestion:
    row: strawberry.Private[AnswerRow]
    is_released: strawberry.Private[bool]

    @strawberry.field(description="Its place in the attempt, from 1; answers name it.")
    def slot(self) -> int:
        return self.row.slot

    @strawberry.field(description="Points it can give.")
    def points(self) -> Decimal:
        return Decimal(self.row.points)

    @strawberry.field(description="What is asked, as it was when the attempt began.")
    def question(self) -> AskedQuestion:
        return asked(self.row)

    @strawberry.field(description="What was answered last.")
    def answer(self) -> GivenAnswerContent | None:
        return answered(self.row)

    @strawberry.field(description="The revision of that answer; 0 without any.")
    def revision(self) -> int:
        return self.row.revision

    @strawberry.field(description="When it was saved.")
    def saved_at(self) -> DateTime | None:
        return DateTime(self.row.saved_at) if self.row.saved_at else None

    @strawberry.field(description="What the answer was worth; null until that may be seen.")
    def result(self) -> AnswerResult | None:
        return AnswerResult(row=self.row) if self.is_released else None
