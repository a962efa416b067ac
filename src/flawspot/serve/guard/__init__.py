"""The layer between the network and the API: limits, refusals, and the server that runs both.

`Limits` holds the limits, `Guard` wraps the application, and `flawspot.serve.guard.server` runs both. Only the server
needs ``flawspot[serve]``.

Whatever clients send, the memory held for them is bounded. Received bodies take ``bodies_at_once`` times
``body_bytes``, an eighth more while they grow, and one more body while it is copied. Each of ``connections`` holds up
to 0.2 MiB that was received but not read yet. With the defaults these are 0.3 GiB and 0.4 GiB, for 2,000 hostile
clients at once. TLS adds 0.25 MiB for each connection. Answers that slow clients have not read take ``unread_bytes``
together, and up to 128 KiB more in each connection: 0.4 GiB. The sum is 1.1 GiB.
"""

from flawspot.serve.guard.guard import Guard
from flawspot.serve.guard.limits import Limits
from flawspot.serve.guard.refusals import RefusedError

__all__ = ["Guard", "Limits", "RefusedError"]
