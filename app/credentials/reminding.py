"""K6: learners are told before a certificate ends, a week and a day before, once each."""

from __future__ import annotations

from datetime import timedelta

from app.credentials import statements as sql
from app.credentials.issuing import EXPIRING
from app.credentials.rules import REMIND_DAYS
from app.db.outbox import publish
from app.db.transaction import Tx

CHANNEL = "email"
BATCH = 100


async def remind(tx: Tx) -> bool:
    """Tell those who are to be told now; whether there may be more.

    Somebody who comes into sight late (the clock stood still, the term was short) is told once, not twice at once.
    """
    more = False
    nearer = timedelta(0)
    for days in sorted(REMIND_DAYS):
        due = await tx.all(
            sql.EXPIRING, least=nearer, most=timedelta(days=days), channel=CHANNEL, kind=_kind(days), limit=BATCH
        )
        for row in due:
            if await tx.scalar(sql.ADD_REMINDER, id=row.id, channel=CHANNEL, kind=_kind(days)) is not None:
                payload = {
                    "certificate_id": str(row.id),
                    "user_id": str(row.user_id),
                    "course_title": row.facts["course_title"],
                    "url": row.facts["verify_url"],
                    "days": days,
                }
                await publish(tx, EXPIRING, payload)
        more = more or len(due) == BATCH
        nearer = timedelta(days=days)
    return more


def _kind(days: int) -> str:
    return f"expires_in_{days}"
