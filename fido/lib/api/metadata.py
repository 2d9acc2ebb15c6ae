"""What OPTIONS answers."""

from typing import Any

from rest_framework.metadata import SimpleMetadata
from rest_framework.request import Request


class RouteMetadata(SimpleMetadata):
    """Describes a route, whether or not the record that its path names exists."""

    def determine_actions(self, request: Request, view: Any) -> Any:
        # To show the fields of a PUT, DRF looks up the record. An unknown one would be a 404, and
        # the answer would need the database.
        return {} if "PUT" in view.allowed_methods else super().determine_actions(request, view)
