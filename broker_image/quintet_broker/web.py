"""The two ports of a broker as aiohttp applications: mounts the faces, knows no verb."""

from collections.abc import Callable

from aiohttp import web

from quintet_broker.protocols.admin import routes as admin
from quintet_broker.protocols.admission import ADMISSION, Admission
from quintet_broker.protocols.http import openapi
from quintet_broker.protocols.http import routes as http
from quintet_broker.protocols.keys import ACCESS, SETTINGS, TOPOLOGY
from quintet_broker.protocols.lane import LANE, Lane
from quintet_broker.protocols.sqs.face import Face as Sqs
from quintet_broker.protocols.websocket import routes as websocket
from quintet_broker.services.access import Access
from quintet_broker.services.topology import Topology
from quintet_broker.settings import Settings

BODY_LIMIT = 16 * 1024 * 1024
"""Bytes of one request of a client."""


def application(settings: Settings, access: Access, topology: Topology) -> web.Application:
    """What clients reach."""
    app = web.Application(client_max_size=BODY_LIMIT)
    app[SETTINGS], app[ACCESS], app[TOPOLOGY] = settings, access, topology
    app[ADMISSION] = admission = Admission()
    sqs = Sqs(topology, access, settings.account_id, admission)
    app[LANE] = Lane(sqs.serve)
    http.mount(app)
    openapi.mount(app)
    websocket.mount(app)
    sqs.mount(app)
    return app


def admin_application(settings: Settings, topology: Topology, ready: Callable[[], bool]) -> web.Application:
    """What the operator, the kubelet and Prometheus reach."""
    app = web.Application(client_max_size=admin.BODY_LIMIT)
    app[SETTINGS], app[TOPOLOGY] = settings, topology
    admin.mount(app, ready)
    return app
