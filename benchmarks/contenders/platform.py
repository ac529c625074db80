"""This platform as production runs it, for a server that wants a factory."""

from __future__ import annotations

import os

from starlette.types import ASGIApp

from app.http.logs import configure_logs
from app.main import Application
from app.settings import load


def make() -> ASGIApp:
    """The application of the settings in the environment."""
    settings = load()
    configure_logs(settings)
    return Application(settings, os.environ["DATABASE_URL"]).asgi
