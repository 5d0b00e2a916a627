"""`raytap serve`: the daemon in the foreground."""

from __future__ import annotations

import os
import signal
import sys
from importlib.metadata import version

import click

from broker.commands.options import config_options, configuration
from broker.commands.own_token import with_own_token
from broker.commands.signals import stop_on_signal
from broker.commands.tuning import tune_for_threads
from broker.config import Config
from broker.events import get_logger, setup
from broker.publisher import Publisher
from broker.settings import read_token


@click.command(short_help="Read the jobs' logs and publish them.")
@config_options
def command(**flags: object) -> None:
    """Read every job's log once and publish it on ZeroMQ (and Redis), with replay over HTTP.

    Settings come from flags, then RAYTAP_SECTION__KEY variables, then the file; see
    raytap.example.toml. Without any: Ray at http://127.0.0.1:8265, ZeroMQ on
    tcp://127.0.0.1:5556, HTTP on 127.0.0.1:8270.

    SIGTERM or SIGINT ends it in order within five seconds, a second one at once. SIGHUP makes the
    alerts beside it read their rules again (not on a terminal).
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
    from broker.commands.supervised import programs
    from broker.daemon import Daemon
    from broker.supervisor import Supervisor

    tune_for_threads()
    stopping = stop_on_signal()
    if config.alerts.enabled:
        checked_rules(config.alerts)  # said now, not by a child that is started again and again
    beside = Supervisor(programs(config))
    if not sys.stderr.isatty():  # else a terminal that is closed ends it, as it ends everything
        signal.signal(signal.SIGHUP, lambda number, _frame: beside.signal(number))
    daemon = Daemon(config, tokens, make_publishers(config), version("raytap"), beside)
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
