"""What is asked of a shard: each request holds the future that answers it, and outlives a change of owner.

A request travels to the shard's owner by the parameters of its class: each is kept as an attribute of that name.
"""

from quintet_broker.engine.requests.appending import Append, Recall, Sent, Settled, Split
from quintet_broker.engine.requests.looking import Count, Counts, Peek, Peeked, Seen, Tail, Tailed, sum_of
from quintet_broker.engine.requests.receiving import CloseConsumer, Delivery, Receive, TellConsumer
from quintet_broker.engine.requests.redriving import Progress, StartRedrive, StopRedrive, TellRedrives
from quintet_broker.engine.requests.request import Answer, Place, Receipt, Request
from quintet_broker.engine.requests.settling import Acknowledge, Extend, GiveBack, Left, Purge, Stay

__all__ = [
    "Acknowledge",
    "Answer",
    "Append",
    "CloseConsumer",
    "Count",
    "Counts",
    "Delivery",
    "Extend",
    "GiveBack",
    "Left",
    "Peek",
    "Peeked",
    "Place",
    "Progress",
    "Purge",
    "Recall",
    "Receipt",
    "Receive",
    "Request",
    "Seen",
    "Sent",
    "Settled",
    "Split",
    "StartRedrive",
    "Stay",
    "StopRedrive",
    "Tail",
    "Tailed",
    "TellConsumer",
    "TellRedrives",
    "sum_of",
]
