"""Permissions, as DRF checks them."""

from typing import Any

from rest_framework.permissions import BasePermission
from rest_framework.request import Request

from accounts.api.authentication import caller


class MayListUsers(BasePermission):
    """Staff with the permission to view users."""

    def has_permission(self, request: Request, view: Any) -> bool:
        return caller(request).may_for_others("accounts.view_user")


class MayCreateCustomers(BasePermission):
    """Staff with the permission to add users, and service accounts."""

    def has_permission(self, request: Request, view: Any) -> bool:
        me = caller(request)
        return me.may_for_others("accounts.add_user") or me.is_service
