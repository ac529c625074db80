"""The score of a course: the one place that knows where it comes from."""

from __future__ import annotations

from decimal import Decimal

from sqlalchemy import ScalarSelect, select

from app.credentials.tables import certificate_scores
from app.learning.tables import enrollments


def course_score() -> ScalarSelect[Decimal]:
    """Percent, in a statement about enrolments; null when the course has none or the learner was excused (K5)."""
    return (
        select(certificate_scores.c.score)
        .where(
            certificate_scores.c.enrollment_id == enrollments.c.id,
            certificate_scores.c.cycle == enrollments.c.cycle,
        )
        .correlate(enrollments)
        .scalar_subquery()
    )
