"""The gradebook: how a course's grades are put together, what is graded beside quizzes, and what graders gave."""

from __future__ import annotations

from sqlalchemy import (
    Boolean,
    CheckConstraint,
    Column,
    DateTime,
    ForeignKey,
    ForeignKeyConstraint,
    Index,
    Integer,
    Numeric,
    Table,
    Text,
    UniqueConstraint,
    Uuid,
    text,
)
from sqlalchemy.dialects.postgresql import JSONB

from app.assessment.attempt_tables import PERCENT, POINTS
from app.db.metadata import TENANT
from app.db.tables import created_at, updated_at

WEIGHT = Numeric(8, 3)

# A course without a row has a gradebook too, with these defaults.
gradebooks = Table(
    "gradebooks",
    TENANT,
    Column("course_id", Uuid, ForeignKey("courses.id", ondelete="CASCADE"), primary_key=True),
    Column("ungraded_as_zero", Boolean, nullable=False, server_default=text("false")),
    # Null: totals are told in percent alone.
    Column("scale", Text, CheckConstraint("scale IN ('chilean', 'letters')", name="scale")),
    Column(
        "exigency",
        PERCENT,
        CheckConstraint("exigency BETWEEN 1 AND 99", name="exigency"),
        nullable=False,
        server_default=text("60"),
    ),
    # [[label, least percent], ...]; null: the usual letters.
    Column("bands", JSONB),
    # Of the settings and the categories together.
    Column("version", Integer, nullable=False, server_default=text("1")),
    created_at(),
    updated_at(),
)

grade_categories = Table(
    "grade_categories",
    TENANT,
    Column("id", Uuid, primary_key=True),
    Column("course_id", Uuid, ForeignKey("courses.id", ondelete="CASCADE"), nullable=False),
    Column("title", Text, nullable=False),
    Column("weight", WEIGHT, CheckConstraint("weight >= 0", name="weight"), nullable=False),
    Column(
        "drop_lowest",
        Integer,
        CheckConstraint("drop_lowest >= 0", name="drop_lowest"),
        nullable=False,
        server_default=text("0"),
    ),
    Column("position", Integer, nullable=False),
    UniqueConstraint("course_id", "id", name="uq_grade_categories_course"),
    Index("ix_grade_categories_course", "course_id", "position", "id"),
)

# What is graded. A published quiz is an item without a row; it gets one, with the quiz's own identifier, when somebody
# says something about it.
grade_items = Table(
    "grade_items",
    TENANT,
    Column("id", Uuid, primary_key=True),
    Column("course_id", Uuid, ForeignKey("courses.id", ondelete="CASCADE"), nullable=False),
    Column("quiz_id", Uuid, ForeignKey("quizzes.id", ondelete="CASCADE")),
    Column("title", Text),
    # Null for a quiz that is worth its questions' points.
    Column("points", POINTS, CheckConstraint("points >= 0", name="points")),
    Column("category_id", Uuid),
    Column("weight", WEIGHT, CheckConstraint("weight >= 0", name="weight")),
    Column("is_extra_credit", Boolean, nullable=False, server_default=text("false")),
    Column("is_excluded", Boolean, nullable=False, server_default=text("false")),
    # Null: after those that have one.
    Column("position", Integer),
    Column("deleted_at", DateTime(timezone=True)),
    Column("version", Integer, nullable=False, server_default=text("1")),
    created_at(),
    updated_at(),
    # Of a category of the same course; it leaves its items behind without one.
    ForeignKeyConstraint(
        ["course_id", "category_id"],
        ["grade_categories.course_id", "grade_categories.id"],
        name="fk_grade_items_category",
    ),
    CheckConstraint("quiz_id IS NULL OR quiz_id = id", name="quiz_id"),
    CheckConstraint("quiz_id IS NOT NULL OR (title IS NOT NULL AND points IS NOT NULL)", name="manual"),
    Index("ix_grade_items_course", "course_id", "created_at", "id", postgresql_where=text("deleted_at IS NULL")),
    Index("ix_grade_items_category", "course_id", "category_id", postgresql_where=text("category_id IS NOT NULL")),
    Index("ix_grade_items_quiz_id", "quiz_id", postgresql_where=text("quiz_id IS NOT NULL")),
)

# What a grader gave a learner for a manual item, or excused them from; quizzes' scores are in quiz_scores.
grades = Table(
    "grades",
    TENANT,
    Column("item_id", Uuid, ForeignKey("grade_items.id", ondelete="CASCADE"), primary_key=True),
    Column("user_id", Uuid, ForeignKey("members.user_id"), primary_key=True),
    Column("course_id", Uuid, ForeignKey("courses.id", ondelete="CASCADE"), nullable=False),
    # Null while nothing is given.
    Column("points", POINTS, CheckConstraint("points >= 0", name="points")),
    Column("is_excused", Boolean, nullable=False, server_default=text("false")),
    Column("comment", Text, nullable=False, server_default=""),
    Column("graded_by", Uuid, ForeignKey("members.user_id"), nullable=False, index=True),
    Column("graded_at", DateTime(timezone=True), nullable=False),
    Column("version", Integer, nullable=False, server_default=text("1")),
    Index("ix_grades_course", "course_id", "user_id", "item_id"),
    Index("ix_grades_user_id", "user_id"),
)
