"""`python -m quintet.worker module:worker` is `quintet work`."""

from quintet.cli.work import work

work(prog_name="python -m quintet.worker")
