from fido.lib.api.paths import Router
from transactions.api.funds import FundsViewSet
from transactions.api.viewsets import TransactionViewSet

router = Router()
router.register("transactions", TransactionViewSet, basename="transaction")
router.register("wallets/<str:name>/currencies", FundsViewSet, basename="funds")
urlpatterns = router.urls
