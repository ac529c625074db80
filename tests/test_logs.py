"""Log lines: coloured for a terminal and for nobody else; no values of variables in production."""

from __future__ import annotations

import os
import pty
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]
# In a process of its own: logging is the whole process's.
SCRIPT = """
import logging, sys, structlog
from app.http.logs import configure_logs
from app.settings import Settings
settings = Settings(_env_file=None, env="test", log_format=sys.argv[2]).model_copy(update={"env": sys.argv[1]})
configure_logs(settings)
def fail(password):
    raise RuntimeError("broken")
try:
    fail("hunter2" * 2)
except RuntimeError as error:
    structlog.get_logger("a").error("of ours", exc_info=error)
    logging.getLogger("b").exception("of others")
"""


def logged(env: str, form: str, *, terminal: bool = False) -> str:
    """What is written to standard error, which is a terminal or a file."""
    arguments = [sys.executable, "-c", SCRIPT, env, form]
    environment = {**os.environ, "PYTHONPATH": str(ROOT), "TERM": "xterm"}
    environment.pop("NO_COLOR", None)
    environment.pop("FORCE_COLOR", None)
    if not terminal:
        done = subprocess.run(arguments, env=environment, capture_output=True, text=True, check=True, timeout=60)
        return done.stderr
    ours, theirs = pty.openpty()
    with subprocess.Popen(arguments, env=environment, stderr=theirs) as process:
        os.close(theirs)
        said = b""
        try:
            while chunk := os.read(ours, 65536):
                said += chunk
        except OSError:
            pass  # the other end was closed
        assert process.wait(60) == 0
    os.close(ours)
    return said.decode()


@pytest.mark.parametrize("form", ["console", "json"])
@pytest.mark.parametrize("env", ["production", "development"])
def test_a_log_that_is_not_a_terminal_has_no_colours_and_no_values(env: str, form: str) -> None:
    text = logged(env, form)
    assert text.count("RuntimeError: broken") == 2
    assert "in fail" in text
    assert "hunter2hunter2" not in text
    assert "\x1b" not in text


def test_a_terminal_has_colours_and_in_production_no_values_either() -> None:
    assert "\x1b[" in logged("development", "console", terminal=True)
    text = logged("production", "console", terminal=True)
    assert "\x1b[" in text
    assert "RuntimeError" in text
    assert "hunter2hunter2" not in text
