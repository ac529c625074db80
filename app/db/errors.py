"""What PostgreSQL's errors mean to the person who asked."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from psycopg import DataError, OperationalError
from psycopg import errors as pg
from psycopg_pool import PoolTimeout, TooManyRequests

from app.errors import Conflict, Refusal, Unavailable

CONNECTION_LOST = (OperationalError, PoolTimeout, TooManyRequests)


@contextmanager
def translated() -> Iterator[None]:
    """Turn a database that is away, slow or locked into a typed refusal; everything else stays what it is.

    A text with U+0000 or half a surrogate pair cannot be sent to PostgreSQL at all: psycopg itself refuses it, with a
    DataError that has no SQLSTATE or a UnicodeEncodeError, before anything reaches the server.
    """
    try:
        yield
    except pg.QueryCanceled as error:
        raise Unavailable("this took too long and was stopped; try again or ask for less", code="TIMEOUT") from error
    except (pg.LockNotAvailable, pg.DeadlockDetected, pg.SerializationFailure) as error:
        raise Conflict("somebody else is changing this right now; try again", code="BUSY") from error
    except (DataError, UnicodeEncodeError) as error:
        if isinstance(error, DataError) and error.sqlstate is not None:
            raise
        raise Refusal(
            "contains characters that cannot be kept; remove control characters", code="BAD_USER_INPUT"
        ) from error
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
