"""What PostgreSQL's errors mean to the person who asked."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from psycopg import DataError, Error, OperationalError
from psycopg import errors as pg
from psycopg_pool import PoolTimeout, TooManyRequests

from app.errors import Conflict, Refusal, Unavailable


def refusal_for(error: Exception) -> Refusal | None:
    """The typed refusal that a database which is away, slow or locked amounts to; None for what is a bug.

    A text with U+0000 or half a surrogate pair cannot be sent to PostgreSQL at all: it is refused on this side, with a
    DataError that has no SQLSTATE or a UnicodeEncodeError, before anything reaches the server. Inside of JSON it is the
    server that refuses it.
    """
    match error:
        case pg.QueryCanceled():
            return Unavailable("this took too long and was stopped; try again or ask for less", code="TIMEOUT")
        case pg.LockNotAvailable() | pg.DeadlockDetected() | pg.SerializationFailure():
            return Conflict("somebody else is changing this right now; try again", code="BUSY")
        case UnicodeEncodeError() | DataError(sqlstate=None) | pg.UntranslatableCharacter():
            return Refusal("contains characters that cannot be kept; remove control characters", code="BAD_USER_INPUT")
        case OperationalError() | PoolTimeout() | TooManyRequests():
            return Unavailable("the database does not answer right now; try again in a moment")
        case _:
            return None


@contextmanager
def translated() -> Iterator[None]:
    """Raise refusals in place of the errors that ``refusal_for`` knows."""
    try:
        yield
    except (Error, UnicodeEncodeError) as error:
        refusal = refusal_for(error)
        if refusal is None:
            raise
        raise refusal from error


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
