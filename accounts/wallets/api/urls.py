from django.urls import path

from accounts.wallets.api import customers, views

urlpatterns = [
    path("users", customers.UsersView.as_view()),
    path("wallets", views.WalletListView.as_view()),
    path("wallets/<str:name>", views.WalletView.as_view()),
    path("wallets/<str:name>/currencies", views.BalanceListView.as_view()),
    path("wallets/<str:name>/currencies_converted", views.WalletConvertedView.as_view()),
    path("currencies_converted", views.ConvertedView.as_view()),
]
