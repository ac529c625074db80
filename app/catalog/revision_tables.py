"""Revisions of courses: what counted when they were published, never changed afterwards."""

from __future__ import annotations

from sqlalchemy import Boolean, Column, DateTime, ForeignKey, Index, Integer, Numeric, Table, Text, Uuid

from app.db.metadata import TENANT

course_revisions = Table(
    "course_revisions",
    TENANT,
    Column("course_id", Uuid, ForeignKey("courses.id", ondelete="CASCADE"), primary_key=True),
    Column("number", Integer, primary_key=True),
    Column("published_at", DateTime(timezone=True), nullable=False),
    Column("published_by", Uuid, ForeignKey("members.user_id"), nullable=False, index=True),
)

# A lesson that was deleted since stays here and counts for nobody: whoever reads this joins the lessons there are.
revision_lessons = Table(
    "revision_lessons",
    TENANT,
    Column("lesson_id", Uuid, ForeignKey("lessons.id", ondelete="CASCADE"), primary_key=True),
    Column("number", Integer, primary_key=True),
    Column("course_id", Uuid, ForeignKey("courses.id", ondelete="CASCADE"), nullable=False),
    Column("module_id", Uuid, nullable=False),
    Column("module_position", Integer, nullable=False),
    Column("position", Integer, nullable=False),
    Column("is_required", Boolean, nullable=False),
    Column("weight", Integer, nullable=False),
    Column("completion", Text, nullable=False),
    Column("video_threshold", Numeric(4, 3), nullable=False),
    Column("min_score", Numeric(5, 2), nullable=False),
    Column("min_seconds", Integer, nullable=False),
    Column("content_version", Integer, nullable=False),
    Index("ix_revision_lessons_course", "course_id", "number"),
)
