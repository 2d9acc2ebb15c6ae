from accounts.rates.api.viewsets import RatesViewSet
from fido.lib.api.paths import Router

router = Router()
router.register("rates", RatesViewSet, basename="rates")
urlpatterns = router.urls
