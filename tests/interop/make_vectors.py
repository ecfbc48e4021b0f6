"""Wrote tests/vectors/action.json and receipt.json, once. Kept to show where they came from; a vector is never edited.

Signs with `cryptography`, hashes with recipe.py: no Rust code took part. Usage: make_vectors.py DIRECTORY
"""

import base64
import hashlib
import hmac
import json
import pathlib
import sys

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

import recipe
from recipe import GATES, base64url

IAT = 1_790_000_000
TENANT = "tn_000000000000000000000000000000a1"
RECEIPTS, LEDGER = "https://verify.example/receipts", "https://verify.example/ledger"
ORDER = 2**252 + 27742317777372353535851937790883648493


class Key:
    """A key made from a name; for tests only."""

    def __init__(self, name):
        self.seed = hashlib.sha256(b"countersign vectors: " + name.encode()).digest()
        self.private = Ed25519PrivateKey.from_private_bytes(self.seed)
        public = self.private.public_key().public_bytes(Encoding.Raw, PublicFormat.Raw)
        self.public, self.x = public, base64url(public)
        required = '{"crv":"Ed25519","kty":"OKP","x":"%s"}' % self.x
        self.kid = base64url(hashlib.sha256(required.encode()).digest())
        self.jwk = {"kty": "OKP", "crv": "Ed25519", "x": self.x, "kid": self.kid, "use": "sig", "alg": "EdDSA"}

    def jws(self, header, payload):
        """Both given as text, so that any mistake can be made in them."""
        signed = base64url(header.encode()) + "." + base64url(payload.encode())
        return signed + "." + base64url(self.private.sign(signed.encode()))


ROOT, RECEIPT, LEDGER_KEY, STRANGER = Key("root"), Key("receipt"), Key("ledger"), Key("stranger")


def compact(value):
    return recipe.json.dumps(value, ensure_ascii=False, separators=(",", ":"), sort_keys=True)


def header(key=RECEIPT, typ="stepup-receipt+jwt", **more):
    return json.dumps({"alg": "EdDSA", "kid": key.kid, "typ": typ} | more, separators=(",", ":"))


def document(iss, keys):
    signed = ROOT.jws(header(ROOT, "jwk-set+jwt"), compact({"iss": iss, "iat": IAT - 1000, "keys": [k.jwk for k in keys]}))
    return {"keys": [key.jwk for key in keys], "root": ROOT.jwk, "signed": signed}


ACTION = {"type": "withdrawal", "amount": "250.00", "currency": "EUR", "payee": "Zoë Škoda, 東京", "fields": {"iban": "DE02 1203 0000 0000 2020 51", "memo": 'rent "März"'}}
NONCE = bytes(range(1, 33))
COMMITMENT = hashlib.sha256(b"countersign vectors: commitment").digest()
DISPLAY = "Approve: withdrawal\nAmount: 250.00 EUR\nPayee: Zoë Škoda, 東京\niban: DE02 1203 0000 0000 2020 51\nmemo: rent \"März\""
EXPECTED = {
    "aud": TENANT,
    "nonce": base64url(NONCE),
    "txn": "ch_000000000000000000000000000000b2",
    "reference_commitment": base64url(COMMITMENT),
    "display_sha256": base64url(hashlib.sha256(DISPLAY.encode()).digest()),
    "mode": "LIGHT_AND_MOTION",
    "max_attempt": 3,
    "max_fmr": 0.001,
    "accepted_not_run": [],
    "action": ACTION,
    "now": IAT + 5,
}


def gate(name, status="PASS", reasons=()):
    return {"gate": name, "status": status, "reasons": list(reasons), "version": "1"}


def claims(**more):
    act = {name: ACTION[name] for name in ("type", "amount", "currency", "payee")}
    base = {
        "iss": RECEIPTS, "aud": TENANT, "sub": "9JzQ0mC6n1g3", "iat": IAT, "nbf": IAT, "exp": IAT + 120,
        "jti": "rc_000000000000000000000000000000c3", "txn": EXPECTED["txn"], "nonce": EXPECTED["nonce"], "purpose": "VERIFY",
        "attempt": 1, "max_attempts": 3, "mode": {"name": "LIGHT_AND_MOTION", "blind_guess": 0.0001},
        "act": act | {"sha256": base64url(recipe.action_sha256(ACTION))}, "dsp": EXPECTED["display_sha256"], "vrd": "ACCEPT",
        "gates": [gate(name) for name in GATES], "fmr": {"claimed": 0.0001, "calibration": "vectors-1"},
        "model": {"recogniser": "ab" * 32}, "pol": "1",
        "ref": {"id": "rf_000000000000000000000000000000d4", "epoch": 1, "commitment": EXPECTED["reference_commitment"]},
        "amr": ["face"], "consent": {"text_sha256": base64url(bytes(32)), "locale": "de-DE", "version": "3"},
        "status": {"status_list": {"idx": 7, "uri": "https://verify.example/v1/status/1"}}, "asserted": ["consent", "dsp"],
    }
    return {name: value for name, value in (base | more).items() if value is not ...}


def token(key=RECEIPT, **more):
    return key.jws(header(key), compact(claims(**more)))


def with_gate(name, status, reasons=()):
    return [gate(g, status, reasons) if g == name else gate(g) for g in GATES]


GOOD = token()
REFUSALS = []


def refusal(name, reason, text=GOOD, recipe_refuses=True, **expected):
    REFUSALS.append({"name": name, "reason": reason, "token": text, "expected": expected, "recipe_refuses": recipe_refuses})


def expectations():
    refusal("expired at the end of the leeway", "EXPIRED", now=IAT + 150)
    refusal("issued in the future", "NOT_YET_VALID", now=IAT - 31)
    refusal("another tenant", "AUDIENCE", aud="tn_000000000000000000000000000000ff")
    refusal("another nonce", "NONCE", nonce=base64url(bytes(32)))
    refusal("another challenge", "CHALLENGE", recipe_refuses=False, txn="ch_000000000000000000000000000000ff")
    refusal("edited payee", "ACTION", action=ACTION | {"payee": "Mallory"})
    refusal("edited amount", "ACTION", action=ACTION | {"amount": "250.0"})
    refusal("edited field", "ACTION", action=ACTION | {"fields": ACTION["fields"] | {"memo": ""}})
    refusal("another reference", "REFERENCE", recipe_refuses=False, reference_commitment=base64url(bytes(32)))
    refusal("another displayed text", "DISPLAY", recipe_refuses=False, display_sha256=base64url(bytes(32)))
    refusal("another mode", "MODE", recipe_refuses=False, mode="LIGHT")
    refusal("false match rate too large", "FALSE_MATCH_RATE", recipe_refuses=False, max_fmr=0.00001)
    refusal("attempt beyond the accepted", "ATTEMPT", token(attempt=3), recipe_refuses=False, max_attempt=2)


def contents():
    refusal("no reference", "REFERENCE", token(ref=...), recipe_refuses=False)
    refusal("no displayed text", "DISPLAY", token(dsp=...), recipe_refuses=False)
    refusal("signed refusal", "VERDICT_REFUSE", token(vrd="REFUSE", gates=with_gate("COMPARISON", "FAIL", ["COMPARISON_NON_MATCH"])))
    refusal("signed refusal for a device", "VERDICT_REFUSE", token(vrd="REFUSE", gates=...))
    refusal("accepting without gates", "GATES_INCOMPLETE", token(gates=...))
    refusal("four gates", "GATES_INCOMPLETE", token(gates=[gate(name) for name in GATES[:4]]))
    refusal("six gates", "GATES_INCOMPLETE", token(gates=[gate(name) for name in [*GATES, "QUALITY"]]))
    refusal("gates out of order", "GATES_INCOMPLETE", token(gates=[gate(name) for name in reversed(GATES)]))
    refusal("gate not run", "GATE_NOT_RUN", token(gates=with_gate("PRESENTATION_ATTACK", "NOT_RUN", ["NOT_IMPLEMENTED"])))
    refusal("another gate not run than the named", "GATE_NOT_RUN", token(gates=with_gate("QUALITY", "NOT_RUN", ["NO_MODEL"])), accepted_not_run=["COMPARISON"])
    refusal("accepting with a failed gate", "GATE_NOT_PASSED", token(gates=with_gate("QUALITY", "FAIL", ["QUALITY_SHARPNESS"])))
    refusal("inconclusive gate though named", "GATE_NOT_PASSED", token(gates=with_gate("QUALITY", "INCONCLUSIVE", ["QUALITY_SHARPNESS"])), accepted_not_run=["QUALITY"])
    refusal("enrollment as verification", "PURPOSE", token(purpose="ENROLL"))
    refusal("no exp", "CLAIMS", token(exp=...))
    refusal("exp as text", "CLAIMS", token(exp=str(IAT + 120)), recipe_refuses=False)
    refusal("exp as fraction", "CLAIMS", token(exp=IAT + 120.5), recipe_refuses=False)
    refusal("exp before iat", "CLAIMS", token(exp=IAT), recipe_refuses=False)
    refusal("nbf differs from iat", "CLAIMS", token(nbf=IAT + 1), recipe_refuses=False)
    refusal("attempt zero", "CLAIMS", token(attempt=0), recipe_refuses=False)
    refusal("attempt beyond its own limit", "CLAIMS", token(attempt=4), recipe_refuses=False)
    refusal("false match rate above one", "CLAIMS", token(fmr={"claimed": 1.5, "calibration": "x"}), recipe_refuses=False)
    refusal("audience as list", "CLAIMS", token(aud=[TENANT, "other"]))


def signatures():
    signed, signature = GOOD.rsplit(".", 1)
    head, payload = signed.split(".")
    raw = base64.urlsafe_b64decode(signature + "==")
    malleable = raw[:32] + (int.from_bytes(raw[32:], "little") + ORDER).to_bytes(32, "little")
    mac = lambda h: h + "." + base64url(hmac.new(RECEIPT.public, h.encode(), "sha256").digest())
    refusal("alg none", "ALGORITHM", base64url(header(alg="none").encode()) + "." + payload + ".")
    refusal("alg none with the signature kept", "ALGORITHM", RECEIPT.jws(header(alg="none"), compact(claims())))
    refusal("alg HS256 keyed with the public key", "ALGORITHM", mac(base64url(header(alg="HS256").encode()) + "." + payload))
    refusal("alg Ed25519", "ALGORITHM", RECEIPT.jws(header(alg="Ed25519"), compact(claims())))
    refusal("alg in lower case", "ALGORITHM", RECEIPT.jws(header(alg="eddsa"), compact(claims())))
    refusal("signed by the ledger key under its own kid", "KEY_ID_UNKNOWN", LEDGER_KEY.jws(header(LEDGER_KEY), compact(claims())))
    refusal("signed by the ledger key under the receipt kid", "SIGNATURE", LEDGER_KEY.jws(header(), compact(claims())))
    refusal("signed by the root", "KEY_ID_UNKNOWN", ROOT.jws(header(ROOT), compact(claims())))
    refusal("signed by a stranger", "KEY_ID_UNKNOWN", STRANGER.jws(header(STRANGER), compact(claims())))
    refusal("issuer of the ledger under the receipt key", "ISSUER", token(iss=LEDGER))
    refusal("S plus the group order", "SIGNATURE", signed + "." + base64url(malleable))
    refusal("signature of zeros", "SIGNATURE", signed + "." + base64url(bytes(64)))
    refusal("other payload under the same signature", "SIGNATURE", head + "." + base64url(compact(claims(sub="x")).encode()) + "." + signature)


def headers():
    def with_header(text, name, reason, recipe_refuses=True):
        refusal(name, reason, RECEIPT.jws(text, compact(claims())), recipe_refuses)

    with_header(header(typ="deletion-proof+jwt"), "typ of a deletion proof", "TYPE")
    with_header(header(typ="enrollment-receipt+jwt"), "typ of an enrollment receipt", "TYPE")
    with_header(header(typ="JWT"), "typ JWT", "TYPE")
    with_header(json.dumps({"alg": "EdDSA", "kid": RECEIPT.kid}), "no typ", "TYPE")
    with_header(json.dumps({"alg": "EdDSA", "typ": "stepup-receipt+jwt"}), "no kid", "KEY_ID_MISSING")
    with_header(header(kid=7), "kid as number", "KEY_ID_MISSING")
    with_header(header(kid=""), "kid empty", "KEY_ID_UNKNOWN")
    with_header(header(kid="../" + RECEIPT.kid), "kid as path", "KEY_ID_UNKNOWN")
    with_header(header(kid=RECEIPT.kid.swapcase()), "kid in other case", "KEY_ID_UNKNOWN")
    refusal("embedded jwk", "EMBEDDED_KEY", STRANGER.jws(header(STRANGER, jwk=STRANGER.jwk), compact(claims())))
    for name in ("jku", "x5u"):
        with_header(header(**{name: "https://attacker.example/keys"}), name, "EMBEDDED_KEY")
    with_header(header(x5c=["AA=="]), "x5c", "EMBEDDED_KEY")
    with_header(header(crit=["exp"]), "crit", "CRITICAL_HEADER")
    with_header(header(b64=False), "b64", "UNKNOWN_HEADER")
    with_header(header(cty="JWT"), "cty", "UNKNOWN_HEADER")
    doubled = header()[:-1] + ',"kid":"%s"}' % RECEIPT.kid
    with_header(doubled, "duplicate header member", "DUPLICATE_MEMBER", recipe_refuses=False)


def forms():
    body = compact(claims())
    head, payload, signature = GOOD.split(".")
    nested = body.replace('"epoch":1', '"epoch":1,"epoch":1')
    last = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"
    stray = last[last.index(signature[-1]) + 1]
    for name, text in {"duplicate claim": body[:-1] + ',"vrd":"ACCEPT"}', "duplicate nested claim": nested}.items():
        refusal(name, "DUPLICATE_MEMBER", RECEIPT.jws(header(), text), recipe_refuses=False)
    refusal("claim named twice through an escape", "DUPLICATE_MEMBER", RECEIPT.jws(header(), body[:-1] + ',"\\u0076rd":"ACCEPT"}'), recipe_refuses=False)
    refusal("payload is a list", "JSON", RECEIPT.jws(header(), "[" + body + "]"))
    refusal("data after the payload", "JSON", RECEIPT.jws(header(), body + "{}"))
    refusal("padding", "BASE64", GOOD + "==", recipe_refuses=False)
    refusal("stray bits in the signature", "BASE64", head + "." + payload + "." + signature[:-1] + stray, recipe_refuses=False)
    refusal("standard alphabet", "BASE64", head + "." + payload + "." + "+/" + signature[2:])
    refusal("space at the end", "BASE64", GOOD + " ", recipe_refuses=False)
    refusal("line break inside", "BASE64", head + "." + payload[:9] + "\n" + payload[9:] + "." + signature)
    refusal("two parts", "NOT_COMPACT", head + "." + payload)
    refusal("four parts", "NOT_COMPACT", GOOD + "." + signature)
    refusal("five parts", "NOT_COMPACT", GOOD + "..")
    refusal("empty", "NOT_COMPACT", "")
    refusal("JSON serialisation", "NOT_COMPACT", json.dumps({"protected": head, "payload": payload, "signature": signature}))
    refusal("more than 16 KiB", "TOO_LARGE", token(sub="x" * 13_000), recipe_refuses=False)


def receipt_vectors():
    for part in (expectations, contents, signatures, headers, forms):
        part()
    reference = claims()["ref"]
    proof = {
        "iss": LEDGER, "aud": TENANT, "iat": IAT + 60, "jti": "dl_000000000000000000000000000000e5", "sub": claims()["sub"], "ref": reference,
        "covers": {"live_store": "erased", "backups_until": IAT + 30 * 86400}, "cause": "user-request", "deleted_at": IAT + 59,
    }
    enrollment = claims(purpose="ENROLL", jti="rc_000000000000000000000000000000c4")
    seeds = {"root": ROOT, "receipt": RECEIPT, "ledger": LEDGER_KEY}
    return {
        "about": "Keys are made from names and belong to nobody. Seeds in hexadecimal. A refusal's `expected` replaces members of the common one.",
        "seeds": {name: key.seed.hex() for name, key in seeds.items()},
        "root_thumbprint": ROOT.kid,
        "issuers": {"receipts": RECEIPTS, "ledger": LEDGER},
        "jwks": document(RECEIPTS, [RECEIPT]),
        "ledger_jwks": document(LEDGER, [LEDGER_KEY]),
        "expected": EXPECTED,
        "token": GOOD,
        "claims": claims(),
        "accepted": [
            {"name": "as it stands", "token": GOOD, "expected": {}},
            {"name": "last second of the leeway", "token": GOOD, "expected": {"now": IAT + 149}},
            {"name": "thirty seconds early", "token": GOOD, "expected": {"now": IAT - 30}},
            {"name": "members in another order and a claim that nobody knows", "expected": {}, "token": RECEIPT.jws(header(), json.dumps({"zz": {"a": [1, None, True]}} | claims(), indent=1))},
            {"name": "gate not run but named", "token": token(gates=with_gate("PRESENTATION_ATTACK", "NOT_RUN", ["NOT_IMPLEMENTED"])), "expected": {"accepted_not_run": ["PRESENTATION_ATTACK"]}},
        ],
        "refused": REFUSALS,
        "enrollment": {"token": RECEIPT.jws(header(typ="enrollment-receipt+jwt"), compact(enrollment)), "claims": enrollment},
        "deletion": {"token": LEDGER_KEY.jws(header(LEDGER_KEY, "deletion-proof+jwt"), compact(proof)), "claims": proof},
    }


def case(name, check="OK", **members):
    action = {"type": "withdrawal", "amount": "", "currency": "", "payee": "", "fields": {}} | members
    return {"name": name, "action": action, "canonical": recipe.canonical(action), "sha256": recipe.action_sha256(action).hex(), "check": check}


def action_vectors():
    cases = [
        case("every member", **ACTION),
        case("type alone"),
        case("type empty", "type:Empty", type=""),
        case("type of 64 characters", type="ü" * 64),
        case("type of 65 characters", "type:TooLong", type="t" * 65),
        case("amount without fraction", amount="12", currency="JPY"),
        case("amount zero", amount="0", currency="EUR"),
        case("amount of eight places", amount="0.00000001", currency="XBT"),
        case("amount beyond 64 bits", amount="123456789012345678901234567890.5"),
        case("amount with exponent", "amount:Form", amount="1e3"),
        case("amount with sign", "amount:Form", amount="-1"),
        case("amount with leading zero", "amount:Form", amount="007"),
        case("amount with comma", "amount:Form", amount="1,00"),
        case("amount without whole part", "amount:Form", amount=".5"),
        case("amount ending in a point", "amount:Form", amount="5."),
        case("amount in other digits", "amount:Form", amount="١٢"),
        case("amount of 33 characters", "amount:TooLong", amount="1" * 33),
        case("currency in lower case", "currency:Form", currency="eur"),
        case("currency of four letters", "currency:Form", currency="EURO"),
        case("payee of 256 characters", payee="ä" * 256),
        case("payee of 257 characters", "payee:TooLong", payee="a" * 257),
        case("payee composed", payee="Zo\u00eb"),
        case("payee decomposed", payee="Zoe\u0308"),
        case("payee that reorders text", "payee:Character", payee="abc\u202exyz"),
        case("payee with a zero-width space", "payee:Character", payee="a\u200bb"),
        case("payee with a line break", "payee:Character", payee="a\nPayee: b"),
        case("quotes, backslash and slash", payee='"\\/'),
        case("characters beyond the basic plane", payee="😀𝕏", fields={"😀": "🏦"}),
        case("names sorted by UTF-16, not by code point", fields={"\ufb33": "1", "😀": "2", "\u20ac": "3", "z": "4", "Z": "5", "\u00f6": "6"}),
        case("every escape", "fields:Character", fields={"e": "".join(map(chr, range(32))) + "\x7f"}),
        case("line separators", "fields:Character", fields={"e": "\u2028\u2029"}),
        case("fields named like members", fields={"amount": "1", "type": "x", "": ""}, check="fields:Empty"),
        case("field with empty value", fields={"memo": ""}),
        case("32 fields", fields={f"field {n}": str(n) for n in range(32)}),
        case("33 fields", "fields:TooLong", fields={f"field {n}": str(n) for n in range(33)}),
        case("field value of 512 characters", fields={"memo": "m" * 512}),
        case("field value of 513 characters", "fields:TooLong", fields={"memo": "m" * 513}),
        case("field name of 65 characters", "fields:TooLong", fields={"n" * 65: ""}),
    ]
    return {
        "about": 'sha256 is SHA-256("countersign/action/v1\\0" || canonical); check is OK or the first field out of its limits.',
        "cases": cases,
        "display": [
            {"action": ACTION, "text": DISPLAY, "sha256": hashlib.sha256(DISPLAY.encode()).hexdigest()},
            {"action": cases[1]["action"], "text": "Approve: withdrawal", "sha256": hashlib.sha256(b"Approve: withdrawal").hexdigest()},
        ],
        "not_an_action": [
            '{"type":"a","type":"a"}', '{"type":"a","fields":{"x":"1","x":"2"}}', '{"type":"a","amount":1}', '{"type":"a","fields":{"x":1}}',
            '{"type":"a","fields":[]}', '{"type":"a","extra":"b"}', '{"type":null}', '{}', '[]', '', '{"type":"a"} x',
        ],
    }


if __name__ == "__main__":
    folder = pathlib.Path(sys.argv[1])
    for name, vectors in {"action.json": action_vectors(), "receipt.json": receipt_vectors()}.items():
        (folder / name).write_text(json.dumps(vectors, indent=1) + "\n")
