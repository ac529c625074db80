"""The command line: services with arguments in front and tables behind."""

from __future__ import annotations

from app.commands.root import app

__all__ = ["app"]
