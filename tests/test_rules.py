"""What the default rules find, and what training logs are full of and must stay."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from broker.errors import ConfigError
from broker.text.redact import DEFAULT_RULES, Redactor, Rule, make_redactor

REDACTOR = Redactor()
CONFIGURATION = Path(__file__).parents[1] / "docs" / "configuration.md"
HEX40 = "0123456789abcdef0123456789abcdef01234567"
ALNUM36 = "abcdefghij0123456789ABCDEFGHIJ012345"
JWT = "eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxMjM0In0.c2lnbmF0dXJl"

SECRETS = [
    ("aws-access-key-id", "id AKIAIOSFODNN7EXAMPLE now", "id [REDACTED] now"),
    ("aws-secret-key", "aws secret is " + "aB3/" * 10, "aws secret is [REDACTED]"),
    ("aws-secret-key", "AWS_SECRET_ACCESS_KEY=" + "aB3/" * 10, "AWS_SECRET_ACCESS_KEY=[REDACTED]"),
    ("github-token", f"clone ghp_{ALNUM36}", "clone [REDACTED]"),
    ("github-token", f"gho_{ALNUM36} github_pat_{ALNUM36}", "[REDACTED] [REDACTED]"),
    ("gitlab-token", "glpat-abcdefghij0123456789", "[REDACTED]"),
    ("slack", "bot xoxb-123456789012-abcdefghij", "bot [REDACTED]"),
    (
        "slack",
        "https://hooks.slack.com/services/T000/B000/abcdefghij0123456789",
        "https://hooks.slack.com/services/[REDACTED]",
    ),
    ("google-api-key", "AIza" + "a1B2c" * 7, "[REDACTED]"),
    ("anthropic-key", "sk-ant-api03-abcdefghij0123456789", "[REDACTED]"),
    ("openai-key", "using sk-proj-abcdefghij0123456789", "using [REDACTED]"),
    ("huggingface-token", "hf_" + "aB3de" * 7, "[REDACTED]"),
    ("wandb-key", f"$ wandb login {HEX40}", "$ wandb login [REDACTED]"),
    ("wandb-key", f"WANDB_API_KEY={HEX40}", "WANDB_API_KEY=[REDACTED]"),
    ("npm-token", f"npm_{ALNUM36}", "[REDACTED]"),
    ("pypi-token", "pypi-AgEIcHlwaS5vcmcCJDAwMDAwMDAw", "[REDACTED]"),
    ("raytap-token", f"as raytap_{ALNUM36}abcdefg", "as [REDACTED]"),
    ("stripe-key", "sk_live_abcdefghij0123456789", "[REDACTED]"),
    ("jwt", f"got {JWT}.", "got [REDACTED]."),
    ("authorization", "Authorization: Bearer abc", "Authorization: Bearer [REDACTED]"),
    ("authorization", "authorization: basic dXNlcjpwYXNz", "authorization: basic [REDACTED]"),
    (
        "authorization",
        "{'Authorization': 'Bearer abc.def', 'x': 1}",
        "{'Authorization': 'Bearer [REDACTED]', 'x': 1}",
    ),
    ("authorization", "sent bearer abcdefghij0123456789", "sent bearer [REDACTED]"),
    ("url-password", "https://user:pa$$@host/x", "https://user:[REDACTED]@host/x"),
    ("url-password", "redis://:hunter2@cache:6379/0", "redis://:[REDACTED]@cache:6379/0"),
    ("url-password", "https://abcdefghij0123456789@host/x", "https://[REDACTED]@host/x"),
    ("url-query", "GET /a?x=1&sig=a%2Fb&y=2", "GET /a?x=1&sig=[REDACTED]&y=2"),
    (
        "url-query",
        "https://b.s3.amazonaws.com/k?X-Amz-Signature=abc&X-Amz-Date=1",
        "https://b.s3.amazonaws.com/k?X-Amz-Signature=[REDACTED]&X-Amz-Date=1",
    ),
    ("url-query", "/cb?access_token=1234", "/cb?access_token=[REDACTED]"),
    (
        "private-key",
        r"cert -----BEGIN RSA PRIVATE KEY-----\nMIIE\n-----END RSA PRIVATE KEY-----\n",
        "cert [REDACTED]",
    ),
    (
        "credential",
        r'{"private_key": "-----BEGIN PRIVATE KEY-----\nMIIE\n", "id": 1}',
        '{"private_key": "[REDACTED]", "id": 1}',
    ),
    ("credential", "password=hunter2 next", "password=[REDACTED] next"),
    ("credential", "DB_PASSWORD = 'a b' next", "DB_PASSWORD = '[REDACTED]' next"),
    ("credential", '{"passwd": "a\\"b", "n": 1}', '{"passwd": "[REDACTED]", "n": 1}'),
    (
        "credential",
        r"{\"password\": \"a b\", \"n\": 1}",
        r"{\"password\": \"[REDACTED]\", \"n\": 1}",
    ),
    ("credential", 'client_secret: "never closed', 'client_secret: "[REDACTED]'),
    ("credential", "Config(api_key=xyz)", "Config(api_key=[REDACTED])"),
    ("credential", "X-Api-Key: 12345", "X-Api-Key: [REDACTED]"),
    (
        "credential",
        "Server=a;Pwd=x;Password=y;Db=z",
        "Server=a;Pwd=[REDACTED];Password=[REDACTED];Db=z",
    ),
    ("credential", "AccountKey=abc==", "AccountKey=[REDACTED]"),
    ("token", "HF_TOKEN=abc123", "HF_TOKEN=[REDACTED]"),
    ("token", "token: 'abcdefghij'", "token: '[REDACTED]'"),
    ("token", '"refresh_token": "12ab34cd56"', '"refresh_token": "[REDACTED]"'),
    ("flag", "train.py --password hunter2 --lr 1", "train.py --password [REDACTED] --lr 1"),
    ("flag", "['--api-key', 'abc', '--lr', '1']", "['--api-key', '[REDACTED]', '--lr', '1']"),
    ("flag", "--hub-token abcdefgh12 -v", "--hub-token [REDACTED] -v"),
]


@pytest.mark.parametrize(("rule", "line", "expected"), SECRETS)
def test_a_secret_is_replaced_and_its_context_kept(rule: str, line: str, expected: str) -> None:
    redacted, found = REDACTOR.redact_by_rule(line.encode())
    assert redacted.decode() == expected
    assert rule in found
    assert sum(found.values()) == expected.count("[REDACTED]")


@pytest.mark.parametrize("line", [line for _, line, _ in SECRETS])
def test_redacting_again_changes_and_counts_nothing(line: str) -> None:
    once, _ = REDACTOR.redact(line.encode())
    assert REDACTOR.redact(once) == (once, 0)


@pytest.mark.parametrize(
    "line",
    [
        "tokens: 1234, num_tokens=4096 tokens/s=1834.2 tokens_per_second: 9000",
        "max_token=512 max_tokens=512 token_count=77 n_token: 12 token=50256 token: 3.14",
        "loss=0.1234 grad_norm=1.2 lr=1e-05 key=value keys=[1, 2] primary_key=id",
        "pad_token='<pad>' eos_token='<|endoftext|>' bos_token=<s> unk_token=[UNK]",
        "eos_token=endoftext pad_token: padding_word pad_token_id=50256",
        "token=None use_auth_token=True secret=null password: None api_key=False",
        "secret santa keeps a secret; the password is not shown; Enter password: ",
        "tokenizer=AutoTokenizer tokenizer_config.json token_type_ids tokenization: done",
        "commit 0123456789abcdef0123456789abcdef01234567 (HEAD -> main)",
        "wandb: git commit 0123456789abcdef0123456789abcdef01234567",
        "uuid 123e4567-e89b-12d3-a456-426614174000 sha256:" + "ab" * 32,
        "docker pull http://registry:5000/img@sha256:abcd, mail bob@example.com",
        "http://127.0.0.1:8265/api/jobs/?page=2&limit=10 ws://10.0.0.1:8265/tail",
        "task-abcdefghij0123456789abcdefghij risk-free-of-any-kind-of-trouble sk-learn",
        "train.py --max-token 512 --tokenizer gpt2 --use-auth-token --lr 1",
        "PWD=/home/user OLDPWD=/root forward_pass=0.13 bypass=true first_pass: 12ms",
        "INFO worker.py:1917 -- Connecting to existing Ray cluster at address: 10.0.0.1:6379...",
        "basic authentication bearer tokens are sent; authorization succeeded",
        "monkey=1 turkey: 2 hotkey=a key: b keyboard=us ssh_public_key=abc",
        "100%|██████████| 10/10 [00:01<00:00,  9.99it/s, loss=0.1, tokens=4096]",
        "your PRIVATE KEY is safe; hf_hub_download npm_config_cache",
    ],
)
def test_what_training_logs_are_full_of_stays(line: str) -> None:
    assert REDACTOR.redact(line.encode()) == (line.encode(), 0)


def test_no_rule_reaches_over_a_line_end() -> None:
    lines = b"password=\nhunter2\nbearer\nabcdefghij0123456789\n"
    assert REDACTOR.redact(lines) == (lines, 0)
    across = Redactor([], [r"a[^x]*b", r"c\sd"])
    assert across.redact(b"a\nb\nc\nd\na b\n") == (b"a\nb\nc\nd\n[REDACTED]\n", 1)


def test_every_secret_of_a_chunk_is_found_as_on_its_own_line() -> None:
    chunk = "".join(line + "\n" for _, line, _ in SECRETS)
    expected = "".join(line + "\n" for _, _, line in SECRETS)
    assert REDACTOR.redact(chunk.encode())[0].decode() == expected


def test_an_extra_pattern_is_a_rule_of_its_own() -> None:
    redactor = Redactor(extra=["employee-[0-9]+", "badge ([0-9]+)"])
    redacted, found = redactor.redact_by_rule(b"employee-7 badge 12\n")
    assert redacted == b"[REDACTED] badge [REDACTED]\n"
    assert found == {"extra-1": 1, "extra-2": 1}


def test_anchors_of_a_rule_are_those_of_a_line() -> None:
    assert Redactor([], ["^x+$"]).redact(b"xx\nxxy\nx\n")[0] == b"[REDACTED]\nxxy\n[REDACTED]\n"


def test_a_pattern_may_name_any_character_and_never_halves_one() -> None:
    assert Redactor([], ["clé(.)"]).redact("clé🙂é\n".encode())[0] == "clé[REDACTED]é\n".encode()


def test_a_switched_off_rule_finds_nothing() -> None:
    rules = [rule for rule in DEFAULT_RULES if rule.id not in ("credential", "private-key")]
    redactor = Redactor(rules)
    assert redactor.redact(b"password=hunter2") == (b"password=hunter2", 0)
    assert not redactor.private_keys


def test_without_rules_nothing_is_redacted() -> None:
    assert Redactor([]).redact(b"password=hunter2") == (b"password=hunter2", 0)


@pytest.mark.parametrize("pattern", ["(", "a(?=b)", "(a)\\1", "x*", ""])
def test_a_rule_that_re2_cannot_use_is_a_configuration_error_with_its_name(pattern: str) -> None:
    with pytest.raises(ConfigError, match="'mine'") as caught:
        Redactor([Rule("mine", pattern)])
    assert caught.value.status == 400


def test_rule_ids_are_unique() -> None:
    assert len({rule.id for rule in DEFAULT_RULES}) == len(DEFAULT_RULES)


def test_a_rule_that_is_switched_off_but_unknown_is_refused_with_the_nearest_name() -> None:
    with pytest.raises(ConfigError, match=r"sanitize\.disable: .*did you mean token\?"):
        make_redactor(["tokens"], [])
    assert make_redactor(["token"], []).redact(b"token=abcdefgh1\n")[1] == 0


def test_a_further_rule_that_is_no_pattern_is_refused_by_the_settings_name() -> None:
    with pytest.raises(ConfigError, match=r"sanitize\.rules: .*extra-2"):
        make_redactor([], ["fine", "(?=x)"])


def test_the_documentation_lists_every_rule() -> None:
    page = CONFIGURATION.read_text(encoding="utf-8")
    listed = page.partition("The built-in rules, by the ids")[2].partition(": ")[2]
    ids = re.findall(r"`([a-z-]+)`", listed.partition("\n\n")[0])
    assert ids == [rule.id for rule in DEFAULT_RULES]
