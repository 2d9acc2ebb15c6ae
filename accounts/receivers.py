"""Receivers of other apps' signals."""

from typing import Any

from django.dispatch import receiver

from accounts.operations import nobodys_password
from fido.lib.process.signals import about_to_serve


@receiver(about_to_serve)
def make_nobodys_password(**kwargs: Any) -> None:
    # Otherwise the first login under an unknown name takes twice as long, which reveals that the
    # name is unknown.
    nobodys_password()
