"""Relay connections over keyset pages."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from typing import Annotated, Any, Generic, TypeVar

import strawberry

from app.db.paging import DEFAULT_PAGE, MAX_PAGE, Order, Page, PageRequest, decode_cursor, encode_cursor
from app.errors import FieldProblem, Invalid

Node = TypeVar("Node")
Row = TypeVar("Row")

First = Annotated[
    int | None, strawberry.argument(description="How many items after the cursor, 1 to 100; 20 by default.")
]
After = Annotated[str | None, strawberry.argument(description="Start after the item with this cursor.")]
Last = Annotated[int | None, strawberry.argument(description="How many items before the cursor, 1 to 100.")]
Before = Annotated[str | None, strawberry.argument(description="End before the item with this cursor.")]


@strawberry.type(description="Where a page stands in its list.")
class PageInfo:
    """As in the Relay specification."""

    has_next_page: bool = strawberry.field(description="Whether there are items after this page.")
    has_previous_page: bool = strawberry.field(description="Whether there are items before this page.")
    start_cursor: str | None = strawberry.field(description="Cursor of the first item of the page.")
    end_cursor: str | None = strawberry.field(description="Cursor of the last item of the page.")


@strawberry.type(description="An item and its position in the list.")
class Edge(Generic[Node]):
    """As in the Relay specification."""

    cursor: str = strawberry.field(description="The item's position; pass it as `after` or `before`.")
    node: Node = strawberry.field(description="The item.")


@strawberry.type(description="A page of a list.")
class Connection(Generic[Node]):
    """A page with its items. Cursors are made, and the total is counted, only when somebody asks for them."""

    nodes: list[Node] = strawberry.field(description="The items of the page.")
    count: strawberry.Private[Callable[[], Awaitable[int]]]
    cursor_of: strawberry.Private[Callable[[Any], str]]
    page: strawberry.Private[Page[Any]]

    @strawberry.field(description="The items of the page with their positions.")
    def edges(self) -> list[Edge[Node]]:
        cursors = map(self.cursor_of, self.page.rows)
        return [Edge(cursor=cursor, node=item) for cursor, item in zip(cursors, self.nodes, strict=True)]

    @strawberry.field(description="Where the page stands in the list.")
    def page_info(self) -> PageInfo:
        rows = self.page.rows
        return PageInfo(
            has_next_page=self.page.has_next,
            has_previous_page=self.page.has_previous,
            start_cursor=self.cursor_of(rows[0]) if rows else None,
            end_cursor=self.cursor_of(rows[-1]) if rows else None,
        )

    @strawberry.field(description="How many items the whole list has (with its filters); computed only when asked.")
    async def total_count(self) -> int:
        return await self.count()


def page_request(
    order: Order, first: int | None, after: str | None, last: int | None, before: str | None
) -> PageRequest:
    """The page a client asks for in a list with this order.

    Raises Invalid: a size outside 1..100, both directions at once, a cursor of another list or order.
    """
    problems = [
        FieldProblem(name, "must be between 1 and {maximum}", "PAGE_SIZE_INVALID", {"maximum": MAX_PAGE})
        for name, size in (("first", first), ("last", last))
        if size is not None and not 1 <= size <= MAX_PAGE
    ]
    if (first is not None or after is not None) and (last is not None or before is not None):
        problems.append(FieldProblem("first", "use first and after, or last and before, not both", "PAGE_DIRECTION"))
    if problems:
        raise Invalid(fields=problems)
    backward = last is not None or before is not None
    cursor, path = (before, "before") if backward else (after, "after")
    key = decode_cursor(order, cursor, path) if cursor is not None else None
    return PageRequest((last if backward else first) or DEFAULT_PAGE, key, backward)


def connection(
    kind: type[Connection[Any]],
    order: str,
    page: Page[Row],
    *,
    nodes: list[Any],
    key: Callable[[Row], Sequence[Any]],
    count: Callable[[], Awaitable[int]],
) -> Any:
    """Make a connection of the (generic) type from a page and what is shown of its rows.

    ``key`` gives a row's position in the order.
    """
    return kind(
        nodes=nodes,
        count=count,
        cursor_of=lambda row: encode_cursor(order, key(row)),
        page=page,
    )
