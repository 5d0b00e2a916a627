"""What a secret looks like. The rules say facts that gitleaks and betterleaks (MIT) know too.

A rule is an RE2 pattern. What its capturing group matched is the secret, and the rest, its context,
stays; without a group all of the match is the secret. Where a rule has groups and none took part,
nothing is: so a rule passes over what only looks like a secret.
"""

from __future__ import annotations

from typing import Final, NamedTuple

MARK: Final = b"[REDACTED]"


class Rule(NamedTuple):
    """A pattern by its name; the name is what the counters and the configuration use."""

    id: str
    pattern: str
    screen: str = ""  # matches at least where the pattern does, and is quicker to look for


KEY_BEGIN: Final = r"-----BEGIN[A-Z0-9 ]*PRIVATE KEY(?: BLOCK)?-----"
PRIVATE_KEY: Final = Rule("private-key", KEY_BEGIN + r"[^\n\"']*")
"""A key on one line; with this rule `private_key.py` hides keys of many lines too."""

# Names whose value is a secret whatever it looks like.
_NAME = (
    r"(?:passw(?:or)?d|passphrase|[_;-]pwd|(?:db|pg|sql|postgres|redis|smtp|ftp|root|user)_?pass"
    r"|secret|(?:api|access|account|auth|encryption|master|private|secret|signing|storage"
    r"|subscription)[_.-]?key)"
)
# `name=`, `"name": `, `\"name\":`, `name => `
_IS = r"(?:\\?[\"'])?[ \t]{0,5}(?:={1,3}>?|:=?|%3D)[ \t]{0,5}"
_NOTHING = r"(?:none|null|nil|true|false)\b"
_QUOTED = r"\\\"([^\"\\]+)|[bru]?\"((?:[^\"\\]|\\.)+)|[bru]?'((?:[^'\\]|\\.)+)"
# A closing bracket ends the value only where nothing follows it.
_BARE = r"(\[REDACTED\]|[^\s\"'`,;&]*[^\s\"'`,;&)}\]])"

# Training logs are full of tokens that are numbers or words of a vocabulary.
_SPECIAL_TOKEN = (
    r"(?:additional|begin|bos|cls|decoder|end|eos|eot|image|mask|pad|sep|special|start|stop|unk|"
    r"video|audio)_token" + _IS
)
_END_OF_TOKEN = r"[^\s\"'`,;&(){}<>\[\]]"
_TOKEN_VALUE = (
    rf"(\[REDACTED\]|[a-z_]{{2}}[a-z_+/.~-]*[0-9]{_END_OF_TOKEN}{{2,}}"
    rf"|[a-z_]{_END_OF_TOKEN}{{7,}}|[0-9]+[a-z_]{_END_OF_TOKEN}{{4,}})"
)

DEFAULT_RULES: Final = (
    Rule("aws-access-key-id", r"\b((?:AKIA|ASIA|ABIA|ACCA)[A-Z0-9]{16})\b"),
    Rule(
        "aws-secret-key",
        r"(?i:aws.?secret)[\w \"':=>,.-]{0,30}?[ \"':=]([A-Za-z0-9/+]{40})(?:[^A-Za-z0-9/+]|$)",
    ),
    Rule("github-token", r"\b(gh[opusr]_[A-Za-z0-9]{30,}|github_pat_\w{22,})"),
    Rule("gitlab-token", r"\b(gl(?:pat|dt|rt|cbt|ptt|ft|soat|agent)-[\w-]{20,})"),
    Rule(
        "slack",
        r"\b(xox[abeoprs]-[\w-]{10,}|xapp-[\w-]{10,})"
        r"|hooks\.slack\.com/(?:services|workflows|triggers)/([\w/+-]{20,})",
    ),
    Rule("google-api-key", r"\b(AIza[\w-]{35}|ya29\.[\w-]{20,}|GOCSPX-[\w-]{20,})"),
    Rule("anthropic-key", r"\b(sk-ant-[\w-]{10,})"),
    Rule("openai-key", r"\b(sk-[A-Za-z0-9][\w-]{19,})"),
    Rule("huggingface-token", r"\b(hf_[A-Za-z0-9]{30,})"),
    Rule(
        "wandb-key",
        r"(?i:wandb(?:[_ -]?(?:api)?[_ -]?key| login)[^0-9a-z\n]{1,8})([0-9a-f]{40})\b"
        r"|\b(wandb_v[0-9]_\w{20,})",
    ),
    Rule("npm-token", r"\b(npm_[A-Za-z0-9]{36})"),
    Rule("pypi-token", r"\b(pypi-AgE[\w-]{16,})"),
    Rule("raytap-token", r"\b(raytap_[A-Za-z0-9]{43})\b"),
    Rule("stripe-key", r"\b([rs]k_(?:live|test)_[0-9A-Za-z]{16,}|whsec_[0-9A-Za-z+/]{24,})"),
    Rule("jwt", r"\b(eyJ[\w-]{8,}\.eyJ[\w-]{8,}(?:\.[\w-]*)?)"),
    Rule(
        "authorization",
        r"(?i:authorization(?:\\?[\"'])?[ \t]*[:=][ \t]*(?:[bru]?\\?[\"'])?"
        r"(?:(?:bearer|basic|token|digest|negotiate|apikey)[ \t]+)?)([^\s\"'\\]+)"
        r"|(?i:\bbearer)[ \t]+([\w.~+/=-]{16,})",
    ),
    Rule("url-password", r"://[^\s/?#:@\"']*:([^\s/?#\"']+)@|://([\w-]{20,})@"),
    Rule(
        "url-query",
        r"(?i:[?&](?:\w*token|sig|signature|key|auth|code|password|x-(?:amz|goog)-"
        r"(?:signature|credential|security-token))=)([^\s&\"'<>]+)",
    ),
    PRIVATE_KEY,
    Rule(
        "credential",
        rf"(?i:{_NAME}{_IS}(?:{_NOTHING}|{_QUOTED}|{_BARE}))",
        screen=rf"(?i:{_NAME}{_IS})",
    ),
    Rule(
        "token",
        rf"(?i:{_SPECIAL_TOKEN}|token{_IS}(?:{_NOTHING}|(?:[bru]?\\?[\"'])?{_TOKEN_VALUE}))",
        screen=rf"(?i:token{_IS})",
    ),
    Rule(
        "flag",
        rf"(?i:--[\w-]*{_NAME}(?:[\"'],?)?[ \t]+(?:\\?[\"'])?([^\s\"'\\-][^\s\"']*)"
        rf"|--[\w-]*token(?:[\"'],?)?[ \t]+(?:\\?[\"'])?{_TOKEN_VALUE})",
        # Ray writes ` -- ` in each line of its own.
        screen=rf"(?i:(?:{_NAME}|token)(?:[\"'],?)?[ \t])",
    ),
)
