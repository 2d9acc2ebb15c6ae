from django.urls import path

from analytics.api import views

urlpatterns = [
    path("analytics", views.OwnAnalyticsView.as_view()),
    path("users/me/analytics", views.MyAnalyticsView.as_view()),
    path("users/me/analytics/series", views.OwnSeriesView.as_view()),
    path("users/<user_id:user_id>/analytics", views.AnalyticsView.as_view()),
    path("users/<user_id:user_id>/analytics/series", views.SeriesView.as_view()),
]
