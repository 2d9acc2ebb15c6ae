from fido.lib.api.paths import Router
from transactions.imports.api.mappings import MappingViewSet
from transactions.imports.api.viewsets import ImportViewSet

router = Router()
router.register("imports/mappings", MappingViewSet, basename="mapping")
router.register("imports", ImportViewSet, basename="import")
urlpatterns = router.urls
