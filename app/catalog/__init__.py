"""Courses, modules, lessons and their content."""
