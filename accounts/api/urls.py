from accounts.api.auth import AuthViewSet
from accounts.api.keys import ApiKeyViewSet
from fido.lib.api.paths import Router

# `users` is routed in accounts.wallets.api, because creating a customer also opens a wallet.
router = Router()
router.register("auth", AuthViewSet, basename="auth")
router.register("users/me/keys", ApiKeyViewSet, basename="key")
urlpatterns = router.urls
