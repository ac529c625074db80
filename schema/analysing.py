"""How well quizzes measure, as graders see it."""

from __future__ import annotations

from enum import Enum

import strawberry

from app.assessment.item_analysis import Item, Report
from schema import ids
from schema.context import Info


@strawberry.enum(name="AnalysedAttempts", description="Which attempts statistics are made of; previews never are.")
class AnalysedAttempts(Enum):
    FIRST = strawberry.enum_value("first", description="The first of each learner.")
    ALL = strawberry.enum_value("all", description="All of them.")


@strawberry.type(description="How a question did. Numbers are null where there are too few attempts to say.")
class ItemAnalysis:
    item: strawberry.Private[Item]

    @strawberry.field(description="The question.")
    def question_id(self, info: Info) -> strawberry.ID:
        return ids.encode(ids.QUESTION, self.item.question_id, info.context.mask)

    @strawberry.field(description="Its title; may be empty.")
    def title(self) -> str:
        return self.item.title

    @strawberry.field(description="How many attempts had it.")
    def attempts(self) -> int:
        return self.item.statistics.attempts

    @strawberry.field(description="The mean share of its points, 0 to 1: how easy it is.")
    def facility(self) -> float | None:
        return self.item.statistics.facility

    @strawberry.field(description="Standard deviation of its points.")
    def standard_deviation(self) -> float | None:
        return self.item.statistics.sd

    @strawberry.field(description="How well it tells good attempts from weak ones, -100 to 100.")
    def discrimination_index(self) -> float | None:
        return self.item.statistics.discrimination_index

    @strawberry.field(description="The same in percent of what a question of its facility could reach.")
    def discriminative_efficiency(self) -> float | None:
        return self.item.statistics.discriminative_efficiency

    @strawberry.field(description="Its share of the quiz's points in percent.")
    def intended_weight(self) -> float | None:
        return self.item.statistics.intended_weight

    @strawberry.field(description="Its share of what makes attempts differ in percent; null where questions are drawn.")
    def effective_weight(self) -> float | None:
        return self.item.statistics.effective_weight


@strawberry.type(description="How well a quiz measures; formulas as in Moodle's quiz statistics.")
class QuizAnalysis:
    report: strawberry.Private[Report]

    @strawberry.field(description="How many attempts it is made of; at most the latest 2,000.")
    def attempts(self) -> int:
        return self.report.quiz.attempts

    @strawberry.field(description="Mean of the points.")
    def mean(self) -> float | None:
        return self.report.quiz.mean

    @strawberry.field(description="Median of the points.")
    def median(self) -> float | None:
        return self.report.quiz.median

    @strawberry.field(description="Standard deviation of the points.")
    def standard_deviation(self) -> float | None:
        return self.report.quiz.sd

    @strawberry.field(description="Skewness of the points.")
    def skewness(self) -> float | None:
        return self.report.quiz.skewness

    @strawberry.field(description="Kurtosis of the points.")
    def kurtosis(self) -> float | None:
        return self.report.quiz.kurtosis

    @strawberry.field(description="Cronbach's alpha in percent; null where questions are drawn.")
    def internal_consistency(self) -> float | None:
        return self.report.quiz.cic

    @strawberry.field(description="Share of the standard deviation that is chance, percent.")
    def error_ratio(self) -> float | None:
        return self.report.quiz.error_ratio

    @strawberry.field(description="By how many points a score may be off by chance.")
    def standard_error(self) -> float | None:
        return self.report.quiz.standard_error

    @strawberry.field(description="The questions in order.")
    def items(self) -> list[ItemAnalysis]:
        return [ItemAnalysis(item=item) for item in self.report.items]

    @strawberry.field(description="The same as CSV that a spreadsheet opens safely.")
    def csv(self) -> str:
        return self.report.csv()
