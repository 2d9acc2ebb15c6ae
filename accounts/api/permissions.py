"""Permissions, as DRF checks them."""

from typing import Any

from rest_framework.permissions import BasePermission
from rest_framework.request import Request

from accounts.api.authentication import caller


class UserPermission(BasePermission):
    """Staff list users; staff and service accounts create customers."""

    def has_permission(self, request: Request, view: Any) -> bool:
        me = caller(request)
        if view.action in {"create", "bulk"}:
            return me.may_for_others("accounts.add_user") or me.is_service
        return view.action != "list" or me.may_for_others("accounts.view_user")
