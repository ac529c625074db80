"""What a quiz may be: pure functions that clean what authors give or say what is wrong with it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from decimal import Decimal
from typing import Any

from app.assessment.body_rules import category as clean_category
from app.assessment.deadlines import Overdue
from app.assessment.kept import Kept
from app.assessment.visibility import Visibility
from app.catalog.rules import rich_text
from app.catalog.rules import tags as clean_tags
from app.identity.validators import Checks, line

TITLE, INSTRUCTIONS, REASON = 200, 20_000, 500
QUIZZES, SLOTS, QUESTIONS = 200, 200, 200
DAY = 86_400
EXTRA_MINUTES, EXTRA_ATTEMPTS = 10_080, 1_000

DEFAULTS: dict[str, Any] = {
    "lesson_id": None,
    "title": "",
    "instructions": "",
    "open_at": None,
    "close_at": None,
    "due_at": None,
    "time_limit_seconds": None,
    "overdue_policy": Overdue.AUTOSUBMIT.value,
    "grace_period_seconds": 0,
    "network_grace_seconds": 60,
    "attempts_allowed": None,
    "kept_score": Kept.HIGHEST.value,
    "visibility": Visibility.AFTER_SUBMIT.value,
    "shuffle_questions": False,
    "shuffle_options": False,
    "allows_check": False,
    "pass_percent": None,
    "late_interval_seconds": None,
    "late_percent": Decimal(0),
    "late_floor_percent": Decimal(0),
    "freeze_days": None,
}
# Name, the client's name, the least and the most.
RANGES: tuple[tuple[str, str, int, int], ...] = (
    ("time_limit_seconds", "timeLimitSeconds", 1, 366 * DAY),
    ("grace_period_seconds", "gracePeriodSeconds", 0, 30 * DAY),
    ("network_grace_seconds", "networkGraceSeconds", 0, 3600),
    ("attempts_allowed", "attemptsAllowed", 1, 1000),
    ("pass_percent", "passPercent", 0, 100),
    ("late_interval_seconds", "lateIntervalSeconds", 60, 366 * DAY),
    ("late_percent", "latePercent", 0, 100),
    ("late_floor_percent", "lateFloorPercent", 0, 100),
    ("freeze_days", "freezeDays", 0, 3660),
)


def in_range(check: Checks, path: str, value: Any, least: int, most: int) -> None:
    """Note a number that is outside."""
    if value is not None and not least <= value <= most:
        check.note(path, "OUT_OF_RANGE", "must be between {minimum} and {maximum}", minimum=least, maximum=most)


def quiz_fields(check: Checks, fields: Mapping[str, Any]) -> dict[str, Any]:
    """All of a quiz's fields, cleaned; what is wrong is noted."""
    clean = dict(fields)
    clean["title"] = check("input.title", line, clean["title"], minimum=1, maximum=TITLE)
    clean["instructions"] = check("input.instructions", rich_text, clean["instructions"], maximum=INSTRUCTIONS)
    for name, path, least, most in RANGES:
        in_range(check, f"input.{path}", clean[name], least, most)
    for earlier, later, path in (("open_at", "close_at", "closeAt"), ("open_at", "due_at", "dueAt")):
        if clean[earlier] is not None and clean[later] is not None and clean[later] <= clean[earlier]:
            check.note(f"input.{path}", "TIMES_REVERSED", "must be later than the opening")
    if clean["overdue_policy"] == Overdue.GRACE and clean["grace_period_seconds"] == 0:
        check.note("input.gracePeriodSeconds", "GRACE_MISSING", "say for how long a late submission is taken")
    return clean


def slot_rows(check: Checks, slots: Sequence[Mapping[str, Any]]) -> list[dict[str, Any]]:
    """What a quiz asks, cleaned: each slot names a question, or tags or a category to draw from."""
    if len(slots) > SLOTS:
        check.note("input.slots", "TOO_MANY", "may have at most {maximum} entries", maximum=SLOTS)
    total, rows, named = 0, [], set()
    for index, slot in enumerate(slots[:SLOTS]):
        path = f"input.slots.{index}"
        question_id = slot["question_id"]
        # As the bank keeps them: what is written in another way would draw nothing.
        tags = check(f"{path}.tags", clean_tags, slot["tags"])
        category = check(f"{path}.category", clean_category, slot["category"] or "") or None
        in_range(check, f"{path}.points", slot["points"], 0, 1000)
        in_range(check, f"{path}.draws", slot["draws"], 1, QUESTIONS)
        if question_id is not None and (tags or category is not None or slot["draws"] != 1):
            check.note(path, "SLOT_AMBIGUOUS", "name one question, or tags or a category to draw from, not both")
        if question_id is not None and question_id in named:
            check.note(f"{path}.questionId", "ORDER_DUPLICATE", "is in the list twice")
        named.add(question_id)
        total += slot["draws"]
        rows.append({**slot, "tags": tags, "category": category, "position": index + 1})
    if total > QUESTIONS:
        check.note("input.slots", "TOO_MANY", "may have at most {maximum} entries", maximum=QUESTIONS)
    return rows


def override_fields(check: Checks, given: Mapping[str, Any]) -> dict[str, Any]:
    """What a learner is granted, cleaned (Q17)."""
    clean = dict(given)
    in_range(check, "input.extraMinutes", clean["extra_minutes"], 0, EXTRA_MINUTES)
    in_range(check, "input.extraAttempts", clean["extra_attempts"], 0, EXTRA_ATTEMPTS)
    clean["reason"] = check("input.reason", line, clean["reason"], minimum=3, maximum=REASON)
    if clean["open_at"] is not None and clean["close_at"] is not None and clean["close_at"] <= clean["open_at"]:
        check.note("input.closeAt", "TIMES_REVERSED", "must be later than the opening")
    return clean
