"""What every face finds in its application."""

from aiohttp import web

from quintet_broker.services.access import Access
from quintet_broker.services.topology import Topology
from quintet_broker.settings import Settings

TOPOLOGY = web.AppKey("topology", Topology)
ACCESS = web.AppKey("access", Access)
SETTINGS = web.AppKey("settings", Settings)
