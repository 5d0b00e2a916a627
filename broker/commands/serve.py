"""`raytap serve`: the daemon in the foreground."""

from __future__ import annotations

import os
import signal
from importlib.metadata import version

import click
import msgspec
from msgspec.structs import replace

from broker.commands.access_changes import ReadAgain
from broker.commands.options import config_options, configuration
from broker.commands.own_token import with_own_token, with_same_token
from broker.commands.signals import call_on_hangup, stop_on_signal
from broker.commands.tuning import tune_for_threads
from broker.config.config import AccessConfig, Config
from broker.config.settings import read_token
from broker.events import get_logger, setup
from broker.publisher import Publisher


@click.command(short_help="Read the jobs' logs and publish them.")
@config_options
def command(**flags: object) -> None:
    """Read every job's log once and publish it on ZeroMQ (and Redis), with replay over HTTP.

    Settings come from flags, then RAYTAP_SECTION__KEY variables, then the file; see
    raytap.example.toml. Without any: Ray at http://127.0.0.1:8265, ZeroMQ on
    tcp://127.0.0.1:5556, HTTP on 127.0.0.1:8270.

    SIGTERM or SIGINT ends it in order within five seconds, a second one at once. SIGHUP makes it
    and what it started read the tokens and keys of [access] again, and the alerts their rules (not
    on a terminal).
    """
    config, notes = configuration(flags)
    setup(config.log.format, config.log.level)
    for note in notes:
        get_logger("config").warning("setting_passed_over", note=note)
    tokens = {
        name: read_token(cluster, os.environ, name=name) for name, cluster in config.cluster.items()
    }
    config = with_own_token(config, os.environ)
    from broker.commands.alert_rules import checked_rules
    from broker.commands.supervised import given, programs
    from broker.daemon import Daemon
    from broker.processes.supervisor import Supervisor

    tune_for_threads()
    stopping = stop_on_signal()
    if config.alerts.enabled:
        checked_rules(config.alerts)  # said now, not by a child that is started again and again
    beside = Supervisor(programs(config))
    changes = ReadAgain(lambda: with_same_token(configuration(flags).config.access, config.access))

    def hangup() -> None:
        beside.signal(signal.SIGHUP)
        changes.hangup()

    call_on_hangup(hangup)
    daemon = Daemon(config, tokens, make_publishers(config), version("raytap"), beside)

    def take(access: AccessConfig) -> None:
        daemon.access.reload(access)
        beside.tell(msgspec.json.encode(access), given(replace(config, access=access)))

    changes.follow(take)
    try:
        daemon.start()
        stopping.wait()
    finally:
        daemon.stop()


def make_publishers(config: Config) -> list[Publisher]:
    """The transports out that are switched on; each is imported only then."""
    publishers: list[Publisher] = []
    if config.publish.zeromq.enabled:
        from publishers.zeromq import ZeromqPublisher

        publishers.append(ZeromqPublisher(config.publish.zeromq.bind, config.publish.zeromq.hwm))
    if config.publish.redis.url:
        from publishers.redis_pubsub import RedisPublisher

        redis = config.publish.redis
        publishers.append(RedisPublisher(redis.url, redis.socket_timeout))
    return publishers
