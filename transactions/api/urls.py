from django.urls import path

from transactions.api import bulk, exports, funds, views

urlpatterns = [
    path("transactions", views.TransactionListView.as_view()),
    path("transactions/bulk", bulk.BulkView.as_view()),
    path("transactions/export", exports.ExportView.as_view()),
    path("transactions/<uuid:transaction_id>", views.TransactionView.as_view()),
    path("wallets/<str:name>/currencies/<str:code>/funds", funds.FundsView.as_view()),
]
