"""How well a quiz and its questions measure: item analysis (rule Q15).

Formulas as in Moodle's quiz statistics report (docs.moodle.org, "Quiz statistics calculations"). Marks are exact;
statistics are floating point, with sums that lose nothing. What cannot be said (too few attempts, no spread) is None.
"""

from __future__ import annotations

import csv
import re
from collections.abc import Sequence
from dataclasses import dataclass, fields
from decimal import Decimal
from io import StringIO
from math import fsum, sqrt
from statistics import median

# A spreadsheet runs what begins so, wherever the text came from.
_FORMULA = re.compile(r"^\s*[=+\-@]|^[\t\r\n]")
_NUMBER = re.compile(r"-?[0-9]+(\.[0-9]+)?")


@dataclass(frozen=True, slots=True)
class ItemStatistics:
    """One question. Facility is 0 to 1, the indices and weights are percentages."""

    attempts: int
    facility: float | None
    sd: float | None
    discrimination_index: float | None
    discriminative_efficiency: float | None
    intended_weight: float | None
    effective_weight: float | None
    mark_variance: float | None
    other_mark_variance: float | None
    covariance: float | None
    covariance_max: float | None


@dataclass(frozen=True, slots=True)
class QuizStatistics:
    """The whole quiz, in points; ``cic`` is the coefficient of internal consistency (Cronbach's alpha) in percent."""

    attempts: int
    mean: float | None
    median: float | None
    sd: float | None
    skewness: float | None
    kurtosis: float | None
    cic: float | None
    error_ratio: float | None
    standard_error: float | None


@dataclass(frozen=True, slots=True)
class Analysis:
    """The quiz and its questions in order."""

    quiz: QuizStatistics
    items: tuple[ItemStatistics, ...]


def analyse(marks: Sequence[Sequence[Decimal | None]], maxima: Sequence[Decimal]) -> Analysis:
    """``marks``: a row per attempt, a column per question, None where nothing was answered (it counts as 0).
    ``maxima``: the most that each question can give.

    Raises: ValueError (rows of different lengths).
    """
    if any(len(row) != len(maxima) for row in marks):
        raise ValueError("every attempt needs a mark for every question")
    rows = [[Decimal(0) if mark is None else mark for mark in row] for row in marks]
    totals = [sum(row, Decimal(0)) for row in rows]
    columns = [[row[index] for row in rows] for index in range(len(maxima))]
    weights = _effective_weights(columns, totals)
    whole = sum(maxima, Decimal(0))
    items = [
        _item(column, totals, maximum, whole, weight)
        for column, maximum, weight in zip(columns, maxima, weights, strict=True)
    ]
    return Analysis(_quiz(totals, [item.mark_variance for item in items]), tuple(items))


def _item(
    column: Sequence[Decimal], totals: Sequence[Decimal], maximum: Decimal, whole: Decimal, weight: float | None
) -> ItemStatistics:
    marks = list(map(float, column))
    others = [float(total - mark) for total, mark in zip(totals, column, strict=True)]
    variance, other = _covariance(marks, marks), _covariance(others, others)
    together, most = _covariance(marks, others), _covariance(sorted(marks), sorted(others))
    return ItemStatistics(
        attempts=len(marks),
        facility=fsum(marks) / len(marks) / float(maximum) if len(marks) > 1 and maximum else None,
        sd=None if variance is None else sqrt(variance),
        discrimination_index=_percent(together, sqrt(variance * other) if variance and other else None),
        discriminative_efficiency=_percent(together, most),
        intended_weight=float(100 * maximum / whole) if whole else None,
        effective_weight=weight,
        mark_variance=variance,
        other_mark_variance=other,
        covariance=together,
        covariance_max=most,
    )


def _effective_weights(columns: Sequence[Sequence[Decimal]], totals: Sequence[Decimal]) -> list[float | None]:
    """What each question contributes to the spread of the totals; None where it works against it."""
    overall = list(map(float, totals))
    found = [_covariance(list(map(float, column)), overall) for column in columns]
    roots = [None if value is None or value < 0 else sqrt(value) for value in found]
    whole = fsum(root for root in roots if root is not None)
    return [_percent(root, whole) for root in roots]


def _quiz(totals: Sequence[Decimal], variances: Sequence[float | None]) -> QuizStatistics:
    values, n, p = list(map(float, totals)), len(totals), len(variances)
    if n < 2:
        return QuizStatistics(n, None, None, None, None, None, None, None, None)
    mean = fsum(values) / n
    m2, m3, m4 = (fsum((value - mean) ** power for value in values) / n for power in (2, 3, 4))
    k2 = _covariance(values, values) or 0.0
    skewness = kurtosis = cic = error_ratio = standard_error = None
    if k2 > 0:
        if n > 2:
            skewness = n * n * m3 / ((n - 1) * (n - 2)) / k2**1.5
        if n > 3:
            k4 = n * n * ((n + 1) * m4 - 3 * (n - 1) * m2 * m2) / ((n - 1) * (n - 2) * (n - 3))
            kurtosis = k4 / k2**2
        if p > 1:
            cic = 100 * p / (p - 1) * (1 - fsum(variance or 0.0 for variance in variances) / k2)
            error_ratio = 100 * sqrt(max(0.0, 1 - cic / 100))
            standard_error = error_ratio * sqrt(k2) / 100
    return QuizStatistics(
        n, mean, float(median(totals)), sqrt(k2), skewness, kurtosis, cic, error_ratio, standard_error
    )


def _covariance(left: Sequence[float], right: Sequence[float]) -> float | None:
    n = len(left)
    if n < 2:
        return None
    if min(left) == max(left) or min(right) == max(right):
        return 0.0  # exactly: a rounded mean would leave a spread that is not there
    middle, other = fsum(left) / n, fsum(right) / n
    return fsum((a - middle) * (b - other) for a, b in zip(left, right, strict=True)) / (n - 1)


def _percent(part: float | None, whole: float | None) -> float | None:
    return 100 * part / whole if part is not None and whole else None


COLUMNS = tuple(field.name for field in fields(ItemStatistics))


def to_csv(analysis: Analysis, names: Sequence[str]) -> str:
    """A row per question, with a heading; ``names`` are people's words and are kept from being run as formulas."""
    file = StringIO()
    writer = csv.writer(file, lineterminator="\r\n")
    writer.writerow(["question", *COLUMNS])
    for name, item in zip(names, analysis.items, strict=True):
        writer.writerow([cell(name), *(_shown(getattr(item, column)) for column in COLUMNS)])
    return file.getvalue()


def cell(text: str) -> str:
    """A text that a spreadsheet shows and does not run."""
    return f"'{text}" if _FORMULA.match(text) and not _NUMBER.fullmatch(text) else text


def _shown(value: float | None) -> str:
    return "" if value is None else f"{value:.10g}" if isinstance(value, float) else str(value)
