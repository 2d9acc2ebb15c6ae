from django.urls import path

from transactions.imports.api import views

urlpatterns = [
    path("imports", views.ImportListView.as_view()),
    path("imports/<uuid:import_id>", views.ImportView.as_view()),
]
