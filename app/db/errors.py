"""What PostgreSQL's errors mean to the person who asked."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from psycopg import OperationalError
from psycopg import errors as pg
from psycopg_pool import PoolTimeout, TooManyRequests

from app.errors import Conflict, Unavailable

CONNECTION_LOST = (OperationalError, PoolTimeout, TooManyRequests)


@contextmanager
def translated() -> Iterator[None]:
    """Turn a database that is away, slow or locked into a typed refusal; everything else stays what it is."""
    try:
        yield
    except pg.QueryCanceled as error:
        raise Unavailable("this took too long and was stopped; try again or ask for less", code="TIMEOUT") from error
    except (pg.LockNotAvailable, pg.DeadlockDetected, pg.SerializationFailure) as error:
        raise Conflict("somebody else is changing this right now; try again", code="BUSY") from error
    except CONNECTION_LOST as error:
        raise Unavailable("the database does not answer right now; try again in a moment") from error


@contextmanager
def unique(constraint: str, refusal: Conflict) -> Iterator[None]:
    """Turn the violation of one named unique constraint into the refusal it means.

    Wrapped around the single insert or update that can cause it; other violations are bugs and stay as they are.
    """
    try:
        yield
    except pg.UniqueViolation as error:
        if error.diag.constraint_name != constraint:
            raise
        raise refusal from error
