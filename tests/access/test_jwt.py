"""JSON Web Tokens: only the configured key and algorithm, only for as long as they say."""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
import time
from pathlib import Path
from typing import Any, NamedTuple

import jwt
import pytest
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
    PublicFormat,
    load_pem_public_key,
)
from jwt.algorithms import ECAlgorithm, RSAAlgorithm
from msgspec.structs import replace

from broker.access.access import Access
from broker.access.attempts import LIMIT
from broker.config.config import AccessConfig, JwtConfig
from broker.errors import ClientError, ConfigError
from broker.topic import Stream

SECRET = "0123456789abcdef0123456789abcdef"
OPENED = {"clusters": ["prod"], "jobs": ["train-*"], "actions": ["read"]}


class Pair(NamedTuple):
    """Both halves in PEM."""

    private: bytes
    public: bytes


def pair(key: rsa.RSAPrivateKey | ec.EllipticCurvePrivateKey) -> Pair:
    return Pair(
        key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()),
        key.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo),
    )


@pytest.fixture(scope="module")
def rsa_pair() -> Pair:
    return pair(rsa.generate_private_key(65537, 2048))


@pytest.fixture(scope="module")
def ec_pair() -> Pair:
    return pair(ec.generate_private_key(ec.SECP256R1()))


def made(tmp_path: Path, algorithm: str, key: bytes | str, **more: Any) -> Access:
    path = tmp_path / "key"
    path.write_bytes(key.encode() if isinstance(key, str) else key)
    config = JwtConfig(algorithm=algorithm, key_file=str(path), **more)  # type: ignore[arg-type]
    return Access.of(AccessConfig(jwt=config))


def token(
    key: Any = SECRET, algorithm: str = "HS256", expires_in: float | None = 60, **claims: Any
) -> str:
    claims = {"sub": "ann", "raytap": OPENED, **claims}
    if expires_in is not None:
        claims["exp"] = time.time() + expires_in
    return jwt.encode({k: v for k, v in claims.items() if v is not None}, key, algorithm)


def refusal(access: Access, token: str) -> str:
    with pytest.raises(ClientError) as caught:
        access.authenticate(token)
    assert caught.value.status == 401
    return caught.value.message


def test_a_jwt_opens_what_its_claim_says(tmp_path: Path) -> None:
    access = made(tmp_path, "HS256", SECRET)
    grant = access.authenticate(token())
    assert access.required
    assert (grant.name, grant.clusters, grant.jobs) == ("ann", ("prod",), ("train-*",))
    assert grant.allows(Stream("prod", "train-1"))
    assert not grant.allows(Stream("prod", "eval"))
    assert not grant.allows(Stream("prod", "train-1"), "admin")
    assert grant.expires is not None
    assert 65 <= grant.expires - time.time() <= 71  # with the leeway of 10 s


@pytest.mark.parametrize("claim", [None, {}, {"clusters": ["*"], "jobs": ["*"]}])
def test_what_the_claim_leaves_out_allows_nothing(tmp_path: Path, claim: object) -> None:
    grant = made(tmp_path, "HS256", SECRET).authenticate(token(raytap=claim))
    assert not grant.allows(Stream("prod", "train-1"))


def test_an_action_that_raytap_does_not_know_is_passed_over(tmp_path: Path) -> None:
    claim = {**OPENED, "actions": ["read", "fly"]}
    assert made(tmp_path, "HS256", SECRET).authenticate(token(raytap=claim)).actions == {"read"}


@pytest.mark.parametrize("algorithm", ["RS256", "ES256"])
def test_public_keys_are_taken(
    tmp_path: Path, rsa_pair: Pair, ec_pair: Pair, algorithm: str
) -> None:
    keys = rsa_pair if algorithm == "RS256" else ec_pair
    access = made(tmp_path, algorithm, keys.public)
    assert access.authenticate(token(keys.private, algorithm)).name == "ann"


def test_no_token_chooses_its_own_algorithm(tmp_path: Path, rsa_pair: Pair, ec_pair: Pair) -> None:
    access = made(tmp_path, "RS256", rsa_pair.public)
    unsigned = token(None, "none")
    by_public_key = _forged(rsa_pair.public)
    for wrong in (unsigned, by_public_key, token(ec_pair.private, "ES256"), token()):
        assert refusal(access, wrong) == "this token is not known here"


def _forged(public: bytes) -> str:
    """Signed by HMAC with the public key, which everyone knows."""
    parts = ({"alg": "HS256", "typ": "JWT"}, {"exp": time.time() + 60, "raytap": OPENED})
    text = b".".join(base64.urlsafe_b64encode(json.dumps(part).encode()).rstrip(b"=")
                     for part in parts)  # fmt: skip
    signature = hmac.new(public, text, hashlib.sha256).digest()
    return (text + b"." + base64.urlsafe_b64encode(signature).rstrip(b"=")).decode()


@pytest.mark.parametrize(
    ("made_with", "says"),
    [
        ({"expires_in": -60}, "this token has expired; get a new one"),
        ({"expires_in": None}, "this token is not known here"),
        ({"exp": "soon", "expires_in": None}, "this token is not known here"),
        ({"nbf": 1 << 40}, "this token is not known here"),
        ({"iss": "other"}, "this token is not known here"),
        ({"iss": None}, "this token is not known here"),
        ({"aud": "other"}, "this token is not known here"),
        ({"aud": None}, "this token is not known here"),
        ({"raytap": "all"}, "this token is not known here"),
        ({"raytap": {"jobs": "*"}}, "this token is not known here"),
        ({"key": SECRET[::-1]}, "this token is not known here"),
    ],
)
def test_a_jwt_that_is_not_valid_is_refused(
    tmp_path: Path, made_with: dict[str, Any], says: str
) -> None:
    access = made(tmp_path, "HS256", SECRET, issuer="idp", audience="raytap")
    valid: dict[str, Any] = {"iss": "idp", "aud": ["raytap", "other"]}
    assert access.authenticate(token(**valid)).name == "ann"
    assert refusal(access, token(**{**valid, **made_with})) == says


def test_the_clocks_may_be_apart_by_the_leeway(tmp_path: Path) -> None:
    access = made(tmp_path, "HS256", SECRET, leeway=30.0)
    assert access.authenticate(token(expires_in=-20)).name == "ann"


def test_an_audience_is_not_asked_for_where_none_is_configured(tmp_path: Path) -> None:
    assert made(tmp_path, "HS256", SECRET).authenticate(token(aud="other")).name == "ann"


def test_a_secret_may_end_in_a_line_end(tmp_path: Path) -> None:
    assert made(tmp_path, "HS256", SECRET + "\n").authenticate(token()).name == "ann"


def test_a_secret_of_random_bytes_is_taken_as_it_is(tmp_path: Path) -> None:
    secret = b"\xff" * 31 + b"\n"
    assert made(tmp_path, "HS256", secret).authenticate(token(secret)).name == "ann"


def test_a_name_of_a_jwt_cannot_forge_a_line_of_the_log(tmp_path: Path) -> None:
    grant = made(tmp_path, "HS256", SECRET).authenticate(token(sub="a\nb" + "c" * 200))
    assert grant.name.startswith("a\\nbccc")
    assert len(grant.name) <= 101


@pytest.mark.parametrize(
    ("algorithm", "holds", "says"),
    [
        ("HS256", "short", "holds 5 bytes; a secret for HS256 has at least 32"),
        ("HS256", "rsa public", "holds a key in PEM; HS256 takes a secret"),
        ("RS256", SECRET, "holds no public key"),
        ("RS256", "ec public", "holds no RSA key"),
        ("ES256", "rsa public", "holds no key on the curve P-256"),
        ("ES256", "p384 public", "holds no key on the curve P-256"),
        ("RS256", "rsa private", "holds a private key"),
        ("RS256", "small public", "holds an RSA key of 1024 bits; 2048 or more"),
    ],
)
def test_a_key_that_does_not_fit_is_refused_at_start(
    tmp_path: Path, rsa_pair: Pair, ec_pair: Pair, algorithm: str, holds: str, says: str
) -> None:
    keys: dict[str, bytes] = {
        "rsa public": rsa_pair.public,
        "rsa private": rsa_pair.private,
        "ec public": ec_pair.public,
    }
    if holds.startswith("p384"):
        keys[holds] = pair(ec.generate_private_key(ec.SECP384R1())).public
    elif holds.startswith("small"):
        keys[holds] = pair(rsa.generate_private_key(65537, 1024)).public
    with pytest.raises(ConfigError) as caught:
        made(tmp_path, algorithm, keys.get(holds, holds.encode()))
    assert caught.value.message.startswith("access.jwt.key_file: ")
    assert says in caught.value.message
    assert SECRET not in caught.value.message


# Several keys --------------------------------------------------------------------------------


def key_set(*keys: dict[str, Any]) -> str:
    return json.dumps({"keys": keys})


def jwk(public: bytes, **more: str) -> dict[str, Any]:
    """A public key as a provider publishes it."""
    key = load_pem_public_key(public)
    if isinstance(key, rsa.RSAPublicKey):
        return {**RSAAlgorithm.to_jwk(key, as_dict=True), **more}
    assert isinstance(key, ec.EllipticCurvePublicKey)
    return {**ECAlgorithm.to_jwk(key, as_dict=True), **more}


def oct_key(secret: str, **more: str) -> dict[str, Any]:
    value = base64.urlsafe_b64encode(secret.encode()).rstrip(b"=").decode()
    return {"kty": "oct", "k": value, **more}


@pytest.fixture(scope="module")
def other_pair() -> Pair:
    return pair(rsa.generate_private_key(65537, 2048))


def signed(private: bytes, kid: str = "", algorithm: str = "RS256") -> str:
    claims = {"sub": "ann", "raytap": OPENED, "exp": time.time() + 60}
    return jwt.encode(claims, private, algorithm, headers={"kid": kid} if kid else None)


def test_while_a_key_is_changed_tokens_of_the_old_and_the_new_are_let_in(
    tmp_path: Path, rsa_pair: Pair, other_pair: Pair
) -> None:
    access = made(tmp_path, "RS256", rsa_pair.public + b"\n" + other_pair.public)
    for keys in (rsa_pair, other_pair):
        for kid in ("", "whatever the provider calls it"):
            assert access.authenticate(signed(keys.private, kid)).name == "ann"
    stranger = pair(rsa.generate_private_key(65537, 2048))
    assert refusal(access, signed(stranger.private)) == "this token is not known here"


def test_of_a_key_set_the_key_is_taken_that_the_token_names(
    tmp_path: Path, rsa_pair: Pair, other_pair: Pair
) -> None:
    both = key_set(jwk(rsa_pair.public, kid="old"), jwk(other_pair.public, kid="new"))
    access = made(tmp_path, "RS256", both)
    assert access.authenticate(signed(rsa_pair.private, "old")).name == "ann"
    assert access.authenticate(signed(other_pair.private, "new")).name == "ann"
    assert access.authenticate(signed(other_pair.private)).name == "ann"
    for kid in ("new", "other"):
        assert refusal(access, signed(rsa_pair.private, kid)) == "this token is not known here"


def test_keys_of_a_set_that_are_for_something_else_are_passed_over(
    tmp_path: Path, rsa_pair: Pair, ec_pair: Pair, other_pair: Pair
) -> None:
    published = key_set(
        jwk(ec_pair.public, kid="ec"),
        jwk(other_pair.public, kid="enc", use="enc"),
        jwk(other_pair.public, kid="512", alg="RS512"),
        oct_key(SECRET, kid="oct"),
        jwk(rsa_pair.public, kid="rsa", use="sig", alg="RS256"),
    )
    access = made(tmp_path, "RS256", published)
    assert access.authenticate(signed(rsa_pair.private, "rsa")).name == "ann"
    assert refusal(access, signed(other_pair.private, "enc"))
    assert refusal(access, signed(ec_pair.private, "ec", "ES256"))
    forged = jwt.encode({"exp": time.time() + 60}, SECRET, "HS256", headers={"kid": "oct"})
    assert refusal(access, forged)


def test_a_set_may_hold_secrets(tmp_path: Path) -> None:
    other = SECRET[::-1]
    access = made(tmp_path, "HS256", key_set(oct_key(SECRET), oct_key(other)))
    for secret in (SECRET, other):
        assert access.authenticate(token(secret)).name == "ann"


@pytest.mark.parametrize(
    ("algorithm", "holds", "says"),
    [
        ("RS256", "nothing", "is a key set without a key for RS256"),
        ("HS256", "public", "is a key set without a key for HS256"),
        ("RS256", "private", "holds a private key"),
        ("HS256", "weak", "holds 5 bytes"),
        ("RS256", "broken", "holds a key that cannot be read"),
        ("RS256", "many", "holds 17 keys; 16 are the most"),
        ("RS256", "cut", "holds no public key"),
    ],
)
def test_a_set_that_does_not_fit_is_refused_at_start(
    tmp_path: Path, rsa_pair: Pair, algorithm: str, holds: str, says: str
) -> None:
    public = jwk(rsa_pair.public)
    files = {
        "nothing": key_set(),
        "public": key_set(public),
        "private": key_set({**public, "d": "AQAB"}),
        "weak": key_set(oct_key("short")),
        "broken": key_set({"kty": "RSA", "n": "AQAB"}),
        "many": key_set(*[public] * 17),
        "cut": (rsa_pair.public + rsa_pair.public[:200]).decode(),
    }
    with pytest.raises(ConfigError) as caught:
        made(tmp_path, algorithm, files[holds])
    assert caught.value.message.startswith("access.jwt.key_file: ")
    assert says in caught.value.message


def test_what_a_key_gave_ends_with_that_key(
    tmp_path: Path, rsa_pair: Pair, other_pair: Pair
) -> None:
    access = made(tmp_path, "RS256", rsa_pair.public + other_pair.public)
    old, new = (access.authenticate(signed(keys.private)) for keys in (rsa_pair, other_pair))
    assert access.holds(old)
    (tmp_path / "key").write_bytes(other_pair.public)
    config = JwtConfig(algorithm="RS256", key_file=str(tmp_path / "key"))
    access.reload(AccessConfig(jwt=config))
    assert (access.holds(old), access.holds(new)) == (False, True)
    access.reload(AccessConfig(jwt=replace(config, audience="raytap")))
    assert not access.holds(new)


def test_a_token_that_has_expired_is_no_guess(tmp_path: Path) -> None:
    access = made(tmp_path, "HS256", SECRET)
    expired = token(expires_in=-60)
    assert {refusal(access, expired) for _ in range(2 * LIMIT)} == {
        "this token has expired; get a new one"
    }


def test_a_key_that_is_not_there_is_refused_at_start(tmp_path: Path) -> None:
    config = JwtConfig(key_file=str(tmp_path / "none"))
    with pytest.raises(ConfigError, match=r"key_file: .*none cannot be read: No such file"):
        Access.of(AccessConfig(jwt=config))
