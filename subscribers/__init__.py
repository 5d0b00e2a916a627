"""The client side of raytap: live frames and replay put together, each line once and in order.

    from subscribers import Subscription

    with Subscription("default/my-job", zeromq="tcp://127.0.0.1:5556", start="begin") as frames:
        for frame in frames:
            ...

Importing this package loads no transport and no HTTP client; `Subscription` loads what it uses.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from subscribers.subscription import Subscription

__all__ = ["Subscription"]


def __getattr__(name: str) -> object:
    if name == "Subscription":
        from subscribers.subscription import Subscription

        return Subscription
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
