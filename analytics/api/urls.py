from analytics.api.viewsets import OwnAnalyticsViewSet, PersonViewSet
from fido.lib.api.paths import Router

router = Router()
router.register("users", PersonViewSet, basename="person")
router.register("analytics", OwnAnalyticsViewSet, basename="analytics")
urlpatterns = router.urls
