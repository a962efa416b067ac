"""What stands between the network and the API: limits, refusals, and the server that both run in.

`Limits` says how much of everything, `Guard` wraps the application, and `flawspot.serve.guard.server` runs both; that
last one needs ``flawspot[serve]``.

Whatever clients send, the memory that waits for them is bounded: ``bodies_at_once`` bodies of ``body_bytes`` with an
eighth for their growth, one more while it is copied, and for each of ``connections`` what was received and not yet
asked for, 0.2 MiB. With the defaults that is 0.3 GiB and 0.4 GiB, for 2,000 hostile clients at once. TLS adds 0.25 MiB
for each connection. Answers that wait for clients which do not read them are ``unread_bytes`` together, beside the
128 KiB that each connection has at most on its way out: 0.4 GiB. All that together is 1.1 GiB.
"""

from flawspot.serve.guard.guard import Guard
from flawspot.serve.guard.limits import Limits
from flawspot.serve.guard.refusals import RefusedError

__all__ = ["Guard", "Limits", "RefusedError"]
