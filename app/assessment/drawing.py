"""What an attempt asks: drawing from pools and shuffling, the same for the same seed everywhere (Q5, Q14)."""

from __future__ import annotations

from collections.abc import Iterable, Sequence, Set
from dataclasses import dataclass
from hashlib import sha256
from typing import TypeVar
from uuid import UUID

Item = TypeVar("Item")


@dataclass(frozen=True, slots=True)
class Pool:
    """A slot of a quiz that asks ``draws`` of these questions."""

    key: UUID
    draws: int
    candidates: Sequence[UUID]


def shuffled(items: Iterable[Item], seed: str) -> list[Item]:
    """These items in an order that depends on the seed and their texts alone, not on Python's generator."""
    return sorted(items, key=lambda item: sha256(f"{seed}:{item}".encode()).digest())


def draw(
    pools: Sequence[Pool], seed: str, *, taken: Set[UUID] = frozenset(), seen: Set[UUID] = frozenset()
) -> dict[UUID, list[UUID]] | None:
    """The questions each pool asks: distinct, none that is asked anyway, unseen ones as far as there are any.

    None when the pools cannot all be served. One pool gives way to another that has fewer questions to choose from
    (augmenting paths), and a question once chosen stays chosen: first all places are filled with unseen questions as
    far as possible, then the rest with the others.
    """
    places = [(pool, turn) for pool in pools for turn in range(pool.draws)]
    orders = {pool.key: shuffled(set(pool.candidates) - taken, f"{seed}:{pool.key}") for pool in pools}
    holder: dict[UUID, int] = {}

    def place(number: int, allowed: bool, tried: set[UUID]) -> bool:
        for question in orders[places[number][0].key]:
            if question in tried or (question in seen and not allowed):
                continue
            tried.add(question)
            if question not in holder or place(holder[question], allowed, tried):
                holder[question] = number
                return True
        return False

    waiting = [number for number in range(len(places)) if not place(number, False, set())]
    if not all(place(number, True, set()) for number in waiting):
        return None
    drawn: dict[UUID, list[UUID]] = {pool.key: [] for pool in pools}
    for question, number in sorted(holder.items(), key=lambda held: held[1]):
        drawn[places[number][0].key].append(question)
    return drawn
