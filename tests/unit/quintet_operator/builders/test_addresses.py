from quintet_operator.builders.addresses import admin_url, queue_url, url
from tests.unit.quintet_operator.objects import pool, queue


def test_addresses_need_no_domain_of_the_cluster() -> None:
    assert url(pool()) == "http://default-broker-pool.shop.svc:9400"
    assert queue_url(pool(), queue("orders")) == "http://default-broker-pool.shop.svc:9400/000000000000/orders"
    fifo = queue("orders", ordering="Fifo")
    assert queue_url(pool(), fifo) == "http://default-broker-pool.shop.svc:9400/000000000000/orders.fifo"
    assert admin_url(pool(), 2) == "http://default-broker-pool-2.default-broker-pool-pods.shop.svc:9401"
