from django.urls import path

from accounts.rates.api import views

urlpatterns = [
    path("rates", views.RatesView.as_view()),
]
