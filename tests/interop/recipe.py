"""The relying party's recipe in Python: PyJWT verifies, this file binds. Pure standard library besides PyJWT.

Nothing here is shared with the Rust code, so that agreement of the two means something.
"""

import base64
import contextlib
import datetime
import hashlib
import json

import jwt
import jwt.api_jwt

GATES = ["CAPTURE_INTEGRITY", "QUALITY", "PRESENTATION_ATTACK", "CHALLENGE_RESPONSE", "COMPARISON"]


class Refused(Exception):
    """The token is not taken."""


def base64url(data: bytes) -> str:
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()


def no_duplicates(pairs):
    members = dict(pairs)
    if len(members) != len(pairs):
        raise ValueError("duplicate member")
    return members


def load_action(text: str) -> dict:
    """Reads an action: strings only, no unknown and no duplicate members, absent ones empty."""
    given = json.loads(text, object_pairs_hook=no_duplicates)
    action = {"type": None, "amount": "", "currency": "", "payee": "", "fields": {}}
    if not isinstance(given, dict) or not set(given) <= set(action):
        raise ValueError("not an action")
    action.update(given)
    strings = [action[name] for name in ("type", "amount", "currency", "payee")] + list(action["fields"].values())
    if not all(isinstance(value, str) for value in strings):
        raise ValueError("strings only")
    return action


def canonical(action: dict) -> str:
    """RFC 8785 for an object of strings: members sorted by UTF-16 code units, the fewest escapes."""

    def write(value):
        if isinstance(value, dict):
            names = sorted(value, key=lambda name: name.encode("utf-16-be"))
            return "{" + ",".join(write(name) + ":" + write(value[name]) for name in names) + "}"
        return json.dumps(value, ensure_ascii=False)

    return write(action)


def action_sha256(action: dict) -> bytes:
    return hashlib.sha256(b"countersign/action/v1\0" + canonical(action).encode()).digest()


@contextlib.contextmanager
def clock_at(now):
    """Lets PyJWT believe that it is `now` (seconds since 1970); None leaves the clock alone."""
    if now is None:
        yield
        return

    class Clock(datetime.datetime):
        @classmethod
        def now(cls, tz=None):
            return datetime.datetime.fromtimestamp(now, tz)

    real = jwt.api_jwt.datetime
    jwt.api_jwt.datetime = Clock
    try:
        yield
    finally:
        jwt.api_jwt.datetime = real


def verify(token: str, jwks: dict, aud: str, iss: str, now=None) -> dict:
    """What any backend does with a stock library: signature by a listed key, audience, issuer, time."""
    try:
        header = jwt.get_unverified_header(token)
        if set(header) != {"alg", "kid", "typ"} or header["typ"] != "stepup-receipt+jwt":
            raise Refused("header")
        keys = {key.key_id: key for key in jwt.PyJWKSet.from_dict(jwks).keys}
        if header["kid"] not in keys:
            raise Refused("kid")
        with clock_at(now):
            return jwt.decode(
                token,
                keys[header["kid"]].key,
                algorithms=["EdDSA"],
                audience=aud,
                issuer=iss,
                leeway=30,
                options={"require": ["iss", "aud", "sub", "iat", "nbf", "exp", "jti"], "strict_aud": True},
            )
    except (jwt.PyJWTError, KeyError, TypeError, ValueError) as error:
        raise Refused(type(error).__name__) from error


def authorize(claims: dict, action: dict, nonce: bytes, accepted_not_run=()) -> None:
    """What a stock library cannot know: verdict, gates, nonce and action of this very approval."""
    if claims.get("vrd") != "ACCEPT" or claims.get("purpose") != "VERIFY":
        raise Refused("verdict")
    gates = claims.get("gates") or []
    if [gate.get("gate") for gate in gates] != GATES:
        raise Refused("gates")
    for gate in gates:
        named = gate["status"] == "NOT_RUN" and gate["gate"] in accepted_not_run
        if gate["status"] != "PASS" and not named:
            raise Refused("gate " + gate["gate"])
    if claims.get("nonce") != base64url(nonce):
        raise Refused("nonce")
    act = claims.get("act") or {}
    if act.get("sha256") != base64url(action_sha256(action)):
        raise Refused("action")
    if any(act.get(name) != action[name] for name in ("type", "amount", "currency", "payee")):
        raise Refused("action")
