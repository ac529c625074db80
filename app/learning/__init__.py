"""Enrolment and progress through a course."""
