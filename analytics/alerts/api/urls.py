from analytics.alerts.api.viewsets import AlertViewSet, EventViewSet
from fido.lib.api.paths import Router

router = Router()
router.register("events", EventViewSet, basename="event")
router.register("alerts", AlertViewSet, basename="alert")
urlpatterns = router.urls
