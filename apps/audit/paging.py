"""Lists of millions of rows in the admin, of every app: nothing is counted to the end."""

from functools import cached_property
from typing import TYPE_CHECKING, Any

from django.core.paginator import Paginator
from django.db.models import QuerySet

MOST_COUNTED = 1000

if TYPE_CHECKING:
    _Paginator = Paginator[Any]
else:
    _Paginator = Paginator  # at run time it takes no parameters


class BoundedPaginator(_Paginator):
    """Counts no further than people page: then filters, search or a link to older rows are the way on."""

    @cached_property
    def count(self) -> int:
        """How many rows there are, or MOST_COUNTED."""
        rows = self.object_list
        assert isinstance(rows, QuerySet)
        return rows.order_by()[:MOST_COUNTED].count()
