"""Resolution: flags before the environment before the file before the defaults."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import msgspec
import pytest

from broker.config.config import ClusterConfig, Config
from broker.config.settings import DEFAULT_ENDPOINT, Resolved, read_token, resolve
from broker.config.toml_lines import find_lines
from broker.errors import ConfigError

EXAMPLE = Path(__file__).parents[1] / "raytap.example.toml"


@pytest.fixture
def cwd(tmp_path: Path) -> Path:
    return tmp_path


def resolved(
    cwd: Path, toml: str = "", env: dict[str, str] | None = None, **flags: object
) -> Resolved:
    if toml:
        (cwd / "raytap.toml").write_text(toml)
    return resolve(flags, env or {}, cwd)


def refused(cwd: Path, toml: str = "", env: dict[str, str] | None = None, **flags: object) -> str:
    with pytest.raises(ConfigError) as caught:
        resolved(cwd, toml, env, **flags)
    return caught.value.message


def test_without_anything_the_local_dashboard_is_followed(cwd: Path) -> None:
    config, notes = resolved(cwd)
    assert config == Config(cluster={"default": ClusterConfig(endpoints=[DEFAULT_ENDPOINT])})
    assert notes == []


def test_the_example_file_holds_the_defaults(cwd: Path) -> None:
    assert resolve({"config": str(EXAMPLE)}, {}, cwd).config == resolve({}, {}, cwd).config


def test_the_example_file_mentions_every_setting() -> None:
    written = set(find_lines(EXAMPLE.read_text()))

    def settings(kind: Any, path: tuple[str, ...]) -> set[tuple[str, ...]]:
        if not (isinstance(kind, type) and issubclass(kind, msgspec.Struct)):
            return {path}
        return {
            leaf
            for field in msgspec.structs.fields(kind)
            if (*path, field.name) not in (("cluster",), ("access", "token"))
            for leaf in settings(field.type, (*path, field.name))
        }

    expected = settings(Config, ()) | settings(ClusterConfig, ("cluster", "default"))
    assert expected - written == set()


def test_a_flag_goes_before_the_environment_and_that_before_the_file(cwd: Path) -> None:
    toml = '[http]\nbind = "127.0.0.1:1"\n[publish.zeromq]\nbind = "tcp://127.0.0.1:1"\n'
    toml += '[log]\nlevel = "error"\n'
    env = {"RAYTAP_HTTP__BIND": "127.0.0.1:2", "RAYTAP_PUBLISH__ZEROMQ__BIND": "tcp://127.0.0.1:2"}
    config = resolved(cwd, toml, env, http="127.0.0.1:3").config
    assert config.http.bind == "127.0.0.1:3"
    assert config.publish.zeromq.bind == "tcp://127.0.0.1:2"
    assert config.log.level == "error"


def test_a_file_named_by_a_flag_is_read_instead_of_the_one_at_hand(cwd: Path) -> None:
    (cwd / "other.toml").write_text("[limits]\nwindow = 3\n")
    config = resolved(cwd, "[limits]\nwindow = 2\n", config="other.toml").config
    assert config.limits.window == 3


def test_sizes_and_durations_may_have_units_wherever_they_are_written(cwd: Path) -> None:
    toml = '[journal]\nmax_bytes = "2GiB"\nmax_age = "36h"\n[limits]\nmax_bytes = 1048576\n'
    env = {"RAYTAP_LIMITS__MAX_MESSAGE_SIZE": "20KiB", "RAYTAP_LIMITS__WINDOW": "500ms"}
    config = resolved(cwd, toml, env).config
    assert config.journal.max_bytes == 2 << 30
    assert config.journal.max_age == 36 * 3600
    assert config.limits.max_bytes == 1 << 20
    assert config.limits.max_message_size == 20 << 10
    assert config.limits.window == 0.5


def test_a_variable_is_read_by_its_settings_type(cwd: Path) -> None:
    env = {
        "RAYTAP_STATE_DIR": "/srv/raytap",
        "RAYTAP_LIMITS__MAX_LINES": "1_000",
        "RAYTAP_SANITIZE__REDACT": "false",
        "RAYTAP_SANITIZE__RULES": '["a,b", "c"]',
        "RAYTAP_SANITIZE__DISABLE": "jwt, bearer",
        "RAYTAP_CLUSTER__DEFAULT__HEADERS": '{X-A = "1"}',
        "RAYTAP_CLUSTER__DEFAULT__TOKEN_ENV": "123",
        "RAYTAP_CLUSTER__DEFAULT__PROTOCOL": "http",
    }
    config = resolved(cwd, env=env).config
    assert config.state_dir == "/srv/raytap"
    assert config.limits.max_lines == 1000
    assert not config.sanitize.redact
    assert config.sanitize.rules == ["a,b", "c"]
    assert config.sanitize.disable == ["jwt", "bearer"]
    cluster = config.cluster["default"]
    assert (cluster.headers, cluster.token_env, cluster.protocol) == ({"X-A": "1"}, "123", "http")


def test_a_variable_finds_its_cluster_whatever_its_case_and_dashes(cwd: Path) -> None:
    toml = '[cluster.GPU-east]\nendpoints = ["http://a:1"]\n'
    config = resolved(cwd, toml, {"RAYTAP_CLUSTER__GPU_EAST__READERS": "2"}).config
    assert list(config.cluster) == ["GPU-east"]
    assert config.cluster["GPU-east"].readers == 2


def test_a_variable_that_may_mean_two_clusters_is_refused(cwd: Path) -> None:
    toml = '[cluster.a-b]\nendpoints = ["http://a:1"]\n[cluster.a_b]\nendpoints = ["http://a:1"]\n'
    message = refused(cwd, toml, {"RAYTAP_CLUSTER__A_B__READERS": "2"})
    assert "RAYTAP_CLUSTER__A_B__READERS" in message
    assert "a-b, a_b" in message


def test_variables_of_other_commands_are_left_alone(cwd: Path) -> None:
    assert resolved(cwd, env={"RAYTAP_TOKEN": "x", "RAYTAPX__A": "y"}) == resolved(cwd)


@pytest.mark.parametrize(
    ("toml", "said"),
    [
        (
            '[limits]\n\non_limit = "bloc"\n',
            "limits.on_limit (raytap.toml line 3): 'bloc' is none of block, drop",
        ),
        (
            "[limits]\nwindo = 1\n",
            "(raytap.toml line 2): no such setting; did you mean limits.window?",
        ),
        ("[limit]\n", "limit (raytap.toml line 1): no such setting; did you mean limits?"),
        ("limits = 3\n", "limits (raytap.toml line 1): is a table: write it as [limits]"),
        ('[limits]\nmax_lines = "many"\n', "expected int, got str (from 1 to 1,000,000,000)"),
        ("[limits]\nmax_lines = true\n", "expected int, got bool"),
        ("[limits]\nqueue_size = 0\n", "limits.queue_size (raytap.toml line 2): expected int >= 1"),
        ("[sanitize]\nrules = 3\n", 'expected list, got int; right is ["…", "…"]'),
        ("[sanitize]\nredact = 1\n", "expected bool, got int; right is true or false"),
        ("[limits]\nwindow = nan\n", "expected float >= 0.01"),
        ('[limits]\nmax_bytes = "1 mile"\n', "'1 mile' is not a size in bytes, such as 1048576"),
        ('[cluster."a b"]\nendpoints = ["http://a"]\n', "cluster.a b: a cluster's name is"),
        ("[cluster.prod]\nreaders = 2\n", "cluster.prod.endpoints: is empty"),
        (
            '[cluster.p]\nendpoints = ["http://u:hunter2@h"]\n',
            "(raytap.toml line 2): 'http://[REDACTED]@h' holds",
        ),
        ('[publish.redis]\nurl = "http://:hunter2@h"\n', "publish.redis.url (raytap.toml line 2)"),
        (
            '[http]\nbind = "0.0.0.0:8270"\n',
            "http.bind (raytap.toml line 2): 0.0.0.0 is reached from",
        ),
        ("[http\n", "raytap.toml is not TOML"),
        ('[cluster.default]\nca_file = "/none/ca.pem"\n', "cluster.default.ca_file: cannot read"),
    ],
)
def test_a_wrong_setting_is_refused_with_its_name_its_line_and_what_would_be_right(
    cwd: Path, toml: str, said: str
) -> None:
    message = refused(cwd, toml)
    assert said in message
    assert "hunter2" not in message


@pytest.mark.parametrize(
    ("variable", "text", "said"),
    [
        (
            "RAYTAP_LIMIT__WINDOW",
            "1",
            "limit (RAYTAP_LIMIT__WINDOW): no such setting; did you mean",
        ),
        ("RAYTAP_LIMITS__WINDOWS", "1", "did you mean limits.window?"),
        (
            "RAYTAP_LIMITS__WINDOW",
            "-1",
            "limits.window (RAYTAP_LIMITS__WINDOW): expected float >= 0.01",
        ),
        ("RAYTAP_LIMITS__", "1", "no such setting"),
        (
            "RAYTAP_PUBLISH__REDIS",
            "redis://h",
            "publish.redis (RAYTAP_PUBLISH__REDIS): is a section",
        ),
        ("RAYTAP_HTTP__BIND__PORT", "1", "http.bind is a setting, not a section"),
        ("RAYTAP_CLUSTER__DEFAULT", "x", "is a section"),
        ("RAYTAP_CLUSTER__DEFAULT__TOKEN", "hunter2", "did you mean cluster.default.token_"),
        ("RAYTAP_SANITIZE__REDACT", "1\nx = 2", "expected bool"),
    ],
)
def test_a_wrong_variable_is_refused_by_its_name(
    cwd: Path, variable: str, text: str, said: str
) -> None:
    message = refused(cwd, env={variable: text})
    assert said in message
    assert "hunter2" not in message


def test_a_wrong_flag_is_refused_by_its_name(cwd: Path) -> None:
    assert "(--log-level): 'loud' is none of" in refused(cwd, log_level="loud")
    assert "cluster.default.protocol (--protocol)" in refused(cwd, protocol="grpc")
    assert "cluster.default.endpoints (--ray)" in refused(cwd, ray=("ray://h:10001",))
    assert "there is no file nowhere.toml" in refused(cwd, config="nowhere.toml")


def test_ray_flags_without_names_are_named_in_turn(cwd: Path) -> None:
    ray = (
        "http://a:1/",
        "default-2=http://b:1",
        "http://c:1",
        "prod=http://d:1",
        "prod=http://e:1",
    )
    clusters = resolved(cwd, ray=ray).config.cluster
    assert {name: cluster.endpoints for name, cluster in clusters.items()} == {
        "default": ["http://a:1"],
        "default-2": ["http://b:1"],
        "default-3": ["http://c:1"],
        "prod": ["http://d:1", "http://e:1"],
    }


def test_a_ray_flag_adds_to_the_files_clusters_and_goes_before_the_same_one(cwd: Path) -> None:
    toml = '[cluster.prod]\nendpoints = ["http://p:1"]\n[cluster.default]\n'
    toml += 'endpoints = ["http://x:1"]\nreaders = 2\n'
    clusters = resolved(cwd, toml, ray=("http://a:1",)).config.cluster
    assert clusters["default"] == ClusterConfig(endpoints=["http://a:1"], readers=2)
    assert clusters["prod"].endpoints == ["http://p:1"]


def test_a_ray_flag_with_a_name_that_is_none_is_refused(cwd: Path) -> None:
    assert "'a b' is no cluster name" in refused(cwd, ray=("a b=http://h:1",))


def test_flags_about_jobs_are_for_every_cluster(cwd: Path) -> None:
    clusters = resolved(
        cwd, ray=("a=http://a:1", "b=http://b:1"), job=("train-*",), follow="all", protocol="http"
    ).config.cluster
    for cluster in clusters.values():
        assert (cluster.jobs, cluster.follow, cluster.protocol) == (["train-*"], "all", "http")


def test_rays_own_variables_name_the_default_cluster(cwd: Path) -> None:
    env = {"RAY_ADDRESS": "http://b:1", "RAY_API_SERVER_ADDRESS": "http://a:1/"}
    assert resolved(cwd, env=env).config.cluster["default"].endpoints == ["http://a:1"]
    del env["RAY_API_SERVER_ADDRESS"]
    assert resolved(cwd, env=env).config.cluster["default"].endpoints == ["http://b:1"]


def test_a_ray_address_that_is_not_http_is_passed_over_and_that_is_said(cwd: Path) -> None:
    config, notes = resolved(cwd, env={"RAY_ADDRESS": "ray://u:hunter2@h:10001"})
    assert config.cluster["default"].endpoints == [DEFAULT_ENDPOINT]
    assert len(notes) == 1
    assert "RAY_ADDRESS" in notes[0]
    assert "passed over" in notes[0]
    assert "hunter2" not in notes[0]


def test_rays_variables_are_not_looked_at_where_a_cluster_is_given(cwd: Path) -> None:
    config, notes = resolved(cwd, env={"RAY_ADDRESS": "auto"}, ray=("prod=http://p:1",))
    assert list(config.cluster) == ["prod"]
    assert notes == []


def test_a_token_is_read_from_a_file_or_a_variable(cwd: Path) -> None:
    (cwd / "token").write_text("  s3cret\n")
    assert read_token(ClusterConfig(token_file=str(cwd / "token")), {}) == "s3cret"
    assert read_token(ClusterConfig(token_env="T"), {"T": "s3cret"}) == "s3cret"
    assert read_token(ClusterConfig(), {}) is None


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (b"", "is empty"),
        (b" \n", "is empty"),
        (b"Bearer s3cret", "without Bearer"),
        (b"s3cret\nmore", "more than a token"),
        (b"s3cret\xff", "no text file"),
    ],
)
def test_a_token_file_that_holds_no_token_is_refused_without_showing_it(
    cwd: Path, content: bytes, said: str
) -> None:
    (cwd / "token").write_bytes(content)
    with pytest.raises(ConfigError, match=said) as caught:
        read_token(ClusterConfig(token_file=str(cwd / "token")), {}, name="prod")
    assert "cluster.prod.token_file" in str(caught.value)
    assert "s3cret" not in str(caught.value)


def test_a_token_that_is_not_there_is_refused_by_the_settings_name(cwd: Path) -> None:
    with pytest.raises(ConfigError, match=r"token_file: cannot read .*: No such file"):
        read_token(ClusterConfig(token_file=str(cwd / "none")), {})
    with pytest.raises(ConfigError, match="token_env: the environment variable T is not set"):
        read_token(ClusterConfig(token_env="T"), {})


def test_certificates_that_are_none_are_refused(cwd: Path) -> None:
    (cwd / "ca.pem").write_text("hello")
    toml = f'[cluster.default]\nca_file = "{cwd / "ca.pem"}"\n'
    assert "holds no certificates" in refused(cwd, toml)


def test_a_file_that_is_not_utf8_is_refused(cwd: Path) -> None:
    (cwd / "raytap.toml").write_bytes(b"# \xff\n")
    assert "not UTF-8" in refused(cwd)


def test_lines_are_found_for_dotted_and_quoted_keys() -> None:
    text = 'a = 1\nlimits.window = 2\n[cluster."x y"]\n"jobs" = []\n  [publish . zeromq] # c\nhwm=1'
    assert find_lines(text) == {
        ("a",): 1,
        ("limits", "window"): 2,
        ("cluster", "x y"): 3,
        ("cluster", "x y", "jobs"): 4,
        ("publish", "zeromq"): 5,
        ("publish", "zeromq", "hwm"): 6,
    }


def test_importing_the_settings_reads_neither_environment_nor_disk() -> None:
    code = "import broker.config.settings, sys; print(*sorted(m for m in sys.modules))"
    env = {"RAYTAP_LIMIT__TYPO": "1", "PYTHONPATH": str(EXAMPLE.parent)}
    done = subprocess.run(
        [sys.executable, "-c", code], env=env, capture_output=True, text=True, check=True
    )
    assert not re.search(r"^(zmq|redis|ssl|urllib3|click)$", done.stdout.replace(" ", "\n"), re.M)


def test_files_of_rules_lie_beside_the_configuration(tmp_path: Path) -> None:
    (tmp_path / "etc").mkdir()
    (tmp_path / "etc" / "raytap.toml").write_text('[alerts]\nrules = ["a.toml", "/b.toml"]\n')
    config = resolve({"config": "etc/raytap.toml"}, {}, tmp_path).config
    assert config.alerts.rules == [str(tmp_path / "etc" / "a.toml"), "/b.toml"]


@pytest.mark.parametrize(
    ("section", "line", "said"),
    [
        ("dashboard", 'cors_origins = ["https://a/path"]', "is no origin"),
        ("dashboard", 'cors_origins = ["*"]', "is no origin"),
        ("dashboard", 'stats_redis = "http://r"', "dashboard.stats_redis (raytap.toml line 2)"),
        ("alerts.upstream", 'redis = "r:6379"', "alerts.upstream.redis (raytap.toml line 2)"),
    ],
)
def test_addresses_of_the_dashboard_and_the_alerts_are_checked_at_start(
    section: str, line: str, said: str, tmp_path: Path
) -> None:
    (tmp_path / "raytap.toml").write_text(f"[{section}]\n{line}\n")
    with pytest.raises(ConfigError) as caught:
        resolve({}, {}, tmp_path)
    assert said in caught.value.message


@pytest.mark.parametrize("origin", ["https://a.example", "http://[::1]:8080", "http://h:80"])
def test_origins_are_taken(origin: str, tmp_path: Path) -> None:
    (tmp_path / "raytap.toml").write_text(f'[dashboard]\ncors_origins = ["{origin}"]\n')
    assert resolve({}, {}, tmp_path).config.dashboard.cors_origins == [origin]
