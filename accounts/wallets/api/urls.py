from accounts.wallets.api.customers import CustomerViewSet
from accounts.wallets.api.viewsets import BalanceViewSet, ConversionViewSet, WalletViewSet
from fido.lib.api.paths import Router

router = Router()
router.register("users", CustomerViewSet, basename="user")
router.register("wallets", WalletViewSet, basename="wallet")
router.register("wallets/<str:name>/currencies", BalanceViewSet, basename="balance")
router.register("currencies_converted", ConversionViewSet, basename="conversion")
urlpatterns = router.urls
