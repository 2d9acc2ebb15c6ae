from accounts.api.auth import AuthViewSet
from fido.lib.api.paths import Router

# `users` is routed in accounts.wallets.api, because creating a customer also opens a wallet.
router = Router()
router.register("auth", AuthViewSet, basename="auth")
urlpatterns = router.urls
