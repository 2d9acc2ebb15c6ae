from accounts.api.auth import AuthViewSet
from fido.lib.api.paths import Router

# `users` is routed in accounts.wallets.api: who creates a customer opens a wallet as well.
router = Router()
router.register("auth", AuthViewSet, basename="auth")
urlpatterns = router.urls
