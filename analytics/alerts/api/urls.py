from django.urls import path

from analytics.alerts.api import views

urlpatterns = [
    path("events", views.EventView.as_view()),
    path("alerts", views.AlertListView.as_view()),
]
