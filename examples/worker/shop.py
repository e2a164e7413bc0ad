"""The tasks of a shop. `quintet work shop:worker` makes their calls; whoever imports them can send some."""

import quintet

worker = quintet.Worker(concurrency=4)
tasks = worker.tasks("tasks", time_limit=30, backoff=quintet.Backoff(first=0.1, longest=5))


@tasks.task
async def brew(drink: str, cups: int = 1) -> None:
    if worker.message.deliveries == 1:
        # The task is called again, a little later.
        raise RuntimeError("the machine is still cold")
    await wrap.send(f"{cups} {drink}")


@tasks.task
def wrap(parcel: str) -> None:
    """Plain functions run in threads."""
    if "smoke" in parcel:
        raise quintet.Reject("smoke cannot be wrapped")
    print("wrapped:", parcel, flush=True)
