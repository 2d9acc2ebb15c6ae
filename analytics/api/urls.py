from analytics.api.viewsets import FoundViewSet, OwnAnalyticsViewSet, PersonViewSet
from fido.lib.api.paths import Router

router = Router()
router.register("users", PersonViewSet, basename="person")
router.register("transactions", FoundViewSet, basename="found")
router.register("analytics", OwnAnalyticsViewSet, basename="analytics")
urlpatterns = router.urls
