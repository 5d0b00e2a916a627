"""Does Redis answer?"""

from __future__ import annotations

from typing import Final

from broker.checks import Check
from broker.config.config import RedisConfig
from broker.text.plain_text import mask_credentials, one_line

TIMEOUT: Final = 3.0  # seconds, for connecting and for the answer


def check_redis(config: RedisConfig) -> Check:
    """PING, with the URL's own credentials."""
    if not config.url:
        return Check("ok", "redis", "off: no URL is set (--redis URL turns it on)")
    import redis  # 330 ms, only where it is used
    from redis.backoff import NoBackoff
    from redis.retry import Retry

    shown = one_line(mask_credentials(config.url))
    try:
        client = redis.Redis.from_url(
            config.url,
            socket_connect_timeout=TIMEOUT,
            socket_timeout=TIMEOUT,
            retry=Retry(NoBackoff(), 0),
            protocol=2,
        )
        try:
            client.ping()
        finally:
            client.close()
    except redis.AuthenticationError:
        advice = "give the password in the URL: redis://:PASSWORD@HOST:6379"
        return Check("fail", "redis", f"{shown} refuses the password, or wants one", advice)
    except redis.ResponseError as error:
        message = f"{shown} answers: {one_line(mask_credentials(str(error)))}"
        return Check("fail", "redis", message, "let its user run PING and PUBLISH")
    except (redis.ConnectionError, redis.TimeoutError):
        advice = "start it, or correct --redis; until then raytap goes on without it"
        return Check("fail", "redis", f"{shown} cannot be reached", advice, unreachable=True)
    except (redis.RedisError, ValueError) as error:
        message = f"{shown}: {one_line(mask_credentials(str(error)))}"
        return Check("fail", "redis", message, "correct publish.redis.url")
    return Check("ok", "redis", f"{shown} answers")
