"""What the kubelet asks, of leader and standby alike; and the metrics."""

from collections.abc import Awaitable, Callable

from aiohttp import web

from quintet_operator.metrics import Metrics

Question = Callable[[], str]
"""Answers with what is wrong; empty where nothing is."""


def application(alive: Question, ready: Question, metrics: Metrics) -> web.Application:
    async def render(_: web.Request) -> web.Response:
        body, content_type = metrics.render()
        return web.Response(body=body, headers={"Content-Type": content_type})

    app = web.Application()
    app.router.add_get("/healthz", _answer(alive))
    app.router.add_get("/readyz", _answer(ready))
    app.router.add_get("/metrics", render)
    return app


def _answer(question: Question) -> Callable[[web.Request], Awaitable[web.Response]]:
    async def answer(_: web.Request) -> web.Response:
        wrong = question()
        return web.Response(text=f"{wrong or 'ok'}\n", status=503 if wrong else 200)

    return answer
