"""Replaces Django's default admin site with the staff site."""

from django.contrib.admin.apps import AdminConfig


class StaffAdminConfig(AdminConfig):
    default_site = "accounts.staff.site.StaffSite"
