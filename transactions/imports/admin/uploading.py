"""The pages with which staff bring in a file: the upload, and the review before the import."""

from __future__ import annotations

from contextlib import closing, suppress
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, cast

from django.contrib import admin
from django.core.exceptions import PermissionDenied
from django.db import IntegrityError, transaction
from django.http import HttpRequest, HttpResponse, QueryDict
from django.shortcuts import redirect
from django.template.response import TemplateResponse
from django.urls import path
from django.utils.decorators import method_decorator
from django.views.decorators.csrf import csrf_exempt, csrf_protect
from rest_framework.exceptions import APIException

from accounts.models import User
from fido.lib.api import uploads
from fido.lib.api.problems import status_of
from fido.lib.values.errors import DomainError
from fido.lib.values.ids import new_id
from transactions.imports import saved, spool
from transactions.imports.admin.forms import FileOfForm, UploadForm
from transactions.imports.admin.mapping_forms import MappingForms
from transactions.imports.admin.review import ReviewOver, Staged, draft, shown
from transactions.imports.admin.saving import ChoiceForm, Outcome, SaveForm
from transactions.imports.header import UploadRefused
from transactions.imports.intake import Intake
from transactions.imports.layout import Layout
from transactions.imports.models import Import, SavedMapping
from transactions.imports.preview import Preview, preview
from transactions.imports.submission import Stored, submit_stored
from transactions.mappings.mapping import InvalidMapping, parsed
from transactions.statements.items import NotReadable

if TYPE_CHECKING:
    AnyModelAdmin = admin.ModelAdmin[Any]
else:
    AnyModelAdmin = admin.ModelAdmin

UPLOAD_PAGE = "admin/imports/import/upload.html"
REVIEW_PAGE = "admin/imports/import/review.html"
SHOWN_ERRORS = 100
Refusal = DomainError | APIException


@dataclass(frozen=True)
class Page:
    """What a review shows of the file, and of what was asked about it."""

    forms: MappingForms | None
    found: Preview | None = None
    refusal: str = ""
    choice: ChoiceForm | None = None
    save: SaveForm | None = None

    @property
    def is_refused(self) -> bool:
        forms = [form for form in (self.choice, self.save) if form]
        return bool(self.refusal) or any(form.errors for form in forms)


class UploadPages(AnyModelAdmin):
    """Mixed into the admin of imports."""

    def get_urls(self) -> list[Any]:
        review = self.admin_site.admin_view(self.review_view)
        return [path("review/", review, name="imports_import_review"), *super().get_urls()]

    @method_decorator(csrf_exempt)
    @method_decorator(uploads.streams_its_body)
    def add_view(
        self, request: HttpRequest, form_url: str = "", extra_context: Any = None
    ) -> HttpResponse:
        """The form that takes a file. Without the permission, nothing of the file is read."""
        self._require_permission(request)
        if request.method != "POST":
            return self._upload_page(request, self._upload_form(request))
        try:
            return self._uploaded(request)
        except (DomainError, APIException) as refusal:
            return self._upload_page(request, self._upload_form(request), refusal)

    def review_view(self, request: HttpRequest) -> HttpResponse:
        """What would be recorded; again with another mapping; and the import itself."""
        self._require_permission(request)
        if request.method != "POST":
            return redirect("admin:imports_import_add")
        try:
            staged = Staged.opened(request.POST.get("staged", ""), _staff(request))
            return self._reviewed(request, staged)
        except DomainError as refusal:
            return self._upload_page(request, self._upload_form(request), refusal)

    def _require_permission(self, request: HttpRequest) -> None:
        if not self.has_add_permission(request):
            raise PermissionDenied

    def _uploaded(self, request: HttpRequest) -> HttpResponse:
        with closing(Intake(new_id())) as intake:
            file = FileOfForm(intake)
            uploads.read_form(request, file)
            # Only now, because the token is in the body.
            return csrf_protect(self._taken_in)(request, file)

    def _taken_in(self, request: HttpRequest, file: FileOfForm) -> HttpResponse:
        form = self._upload_form(request, request.POST)
        if not form.is_valid():
            return self._upload_page(request, form, file.refusal)
        try:
            owner, by_user = form.owner(_staff(request)), form.cleaned_data["by_user"]
            staged = Staged.of(file.accepted(), owner, by_user=by_user)
        except DomainError as refusal:
            return self._upload_page(request, form, refusal)
        try:
            return self._first_review(request, staged, at_once="preview" not in request.POST)
        except DomainError as refusal:
            spool.discard(staged.import_id)
            return self._upload_page(request, form, refusal)

    def _first_review(self, request: HttpRequest, staged: Staged, *, at_once: bool) -> HttpResponse:
        try:
            layout = staged.decided(None, saved.known(staged.owner_id))
        except UploadRefused as refusal:
            if not staged.has_mapping or refusal.code in {"empty-file", "not-text"}:
                raise
            forms = MappingForms.showing(draft(staged))
            return self._review_page(request, staged, Page(forms, refusal=refusal.detail))
        if at_once:
            return self._imported(request, staged, layout)
        return self._previewed(request, staged, layout, choice=ChoiceForm.of(staged.owner, layout))

    def _reviewed(self, request: HttpRequest, staged: Staged) -> HttpResponse:
        if not staged.has_mapping:
            return self._imported(request, staged, staged.decided(None, []))
        forms = MappingForms.sent(request.POST)
        if "choose" in request.POST:
            return self._chosen(request, staged, forms)
        try:
            layout = staged.decided(forms.mapping(), [])
        except (InvalidMapping, UploadRefused) as refusal:
            return self._review_page(request, staged, Page(forms, refusal=str(refusal)))
        if "import" in request.POST:
            return self._imported(request, staged, layout)
        return self._previewed(request, staged, layout, save=self._saved(request, staged, layout))

    def _chosen(self, request: HttpRequest, staged: Staged, forms: MappingForms) -> HttpResponse:
        """By the mapping of a name, instead of the one that the page shows."""
        choice = ChoiceForm(staged.owner, request.POST)
        page = Page(forms, choice=choice)
        if not choice.is_valid():
            return self._review_page(request, staged, page)
        try:
            layout = staged.decided(choice.mapping(), [])
        except UploadRefused as refusal:
            choice.add_error("by", refusal.detail)
            return self._review_page(request, staged, page)
        named = SaveForm.naming(choice.own_name or request.POST.get("save-name", ""))
        return self._previewed(request, staged, layout, choice=choice, save=named)

    def _saved(self, request: HttpRequest, staged: Staged, layout: Layout) -> SaveForm | None:
        """The form that saves what the page shows; None: nobody has asked to."""
        if not {"save", "replace"} & request.POST.keys():
            return None
        form = SaveForm(request.POST)
        mapping = parsed(shown(staged, layout))
        with transaction.atomic():  # with its entry in the journal
            done = form.saved(staged.owner, mapping, replacing="replace" in request.POST)
            if done:
                self._noted(request, staged.owner, *done)
        return form

    def _noted(
        self, request: HttpRequest, owner: User, row: SavedMapping, outcome: Outcome
    ) -> None:
        if outcome is Outcome.SAVED:
            self.log_addition(request, row, f"Saved for user {owner.pk}.")
        if outcome is Outcome.REPLACED:
            self.log_change(request, row, f"Replaced for user {owner.pk}: version {row.version}.")
        self.message_user(request, f"{outcome.value} as {row.name}, for {owner.username}.")

    def _previewed(
        self, request: HttpRequest, staged: Staged, layout: Layout, **asked: Any
    ) -> HttpResponse:
        may_compare = request.user.has_perm("transactions.view_transaction")
        forms = MappingForms.showing(shown(staged, layout)) if layout.mapping else None
        try:
            found = preview(
                staged.import_id,
                owner=staged.owner,
                layout=layout,
                sender=_staff(request),
                may_compare=may_compare,
            )
        except NotReadable as refusal:
            raise UploadRefused(refusal.code, refusal.detail) from None
        except spool.SpoolLost:
            raise ReviewOver() from None
        return self._review_page(request, staged, Page(forms, found, **asked))

    def _imported(self, request: HttpRequest, staged: Staged, layout: Layout) -> HttpResponse:
        """The import, once: a second click finds the first one's."""
        stored = Stored(staged.import_id, layout, staged.size_bytes)
        if not Import.objects.filter(user_id=staged.owner_id, id=staged.import_id).exists():
            with suppress(IntegrityError):  # two clicks at once
                row = submit_stored(stored, owner=staged.owner, sender=_staff(request))
                self.log_addition(request, row, "Imported a file.")
                self.message_user(request, f"Import {row.pk} is queued.")
        if self.has_view_permission(request):
            return redirect("admin:imports_import_change", staged.import_id)
        return redirect("admin:imports_import_add")

    def _review_page(self, request: HttpRequest, staged: Staged, page: Page) -> HttpResponse:
        owner, typed = staged.owner, request.POST
        context = self._context(request, "Review the file") | {
            "staged": staged.sealed(_staff(request)),
            "owner": owner,
            "by_user": staged.by_user,
            "format": staged.layout.form.upper(),
            "forms": page.forms,
            "found": page.found,
            "errors": page.found.errors[:SHOWN_ERRORS] if page.found else [],
            "refusal": page.refusal,
        }
        if page.forms:
            choice = page.choice or ChoiceForm(owner, initial=typed.dict())
            save = page.save or SaveForm.naming(typed.get("save-name") or choice.own_name)
            context |= {"choice": choice, "save": save}
        status = 400 if page.is_refused else 200
        return TemplateResponse(request, REVIEW_PAGE, context, status=status)

    def _upload_form(self, request: HttpRequest, data: QueryDict | None = None) -> UploadForm:
        people = self.admin_site.get_model_admin(User)
        may_search = people.has_view_permission(request)
        return UploadForm(data, search_on=self.admin_site if may_search else None)

    def _upload_page(
        self, request: HttpRequest, form: UploadForm, refusal: Refusal | None = None
    ) -> HttpResponse:
        """The page with the form. A refusal has the same status as in the API."""
        context = self._context(request, "Import a file") | {
            "form": form,
            "refusal": refusal and _reason(refusal),
        }
        status = _status(refusal) if refusal else 400 if form.is_bound else 200
        return TemplateResponse(request, UPLOAD_PAGE, context, status=status)

    def _context(self, request: HttpRequest, title: str) -> dict[str, Any]:
        return {
            **self.admin_site.each_context(request),
            "opts": self.opts,
            "title": title,
            "may_view": self.has_view_permission(request),
        }


def _staff(request: HttpRequest) -> User:
    return cast(User, request.user)


def _reason(refusal: Refusal) -> str:
    return refusal.detail if isinstance(refusal, DomainError) else _first(refusal.detail)


def _first(detail: Any) -> str:
    while isinstance(detail, dict | list):
        detail = next(iter(detail.values() if isinstance(detail, dict) else detail))
    return str(detail)


def _status(refusal: Refusal) -> int:
    return status_of(refusal) if isinstance(refusal, DomainError) else refusal.status_code
