"""``python -m app``: the operators' command line."""

from __future__ import annotations

from app.commands import app

if __name__ == "__main__":
    app(prog_name="python -m app")
