from accounts.rates.api.viewsets import CurrenciesViewSet, RatesViewSet
from fido.lib.api.paths import Router

router = Router()
router.register("rates", RatesViewSet, basename="rates")
router.register("currencies", CurrenciesViewSet, basename="currency")
urlpatterns = router.urls
