"""Checks receipts with a stock library (PyJWT on cryptography), without a line of Countersign. Packages: requirements.txt.

One receipt:   check_receipt.py --jwks FILE --token FILE --aud TENANT --iss ISSUER --action FILE --nonce BASE64URL
                                [--accept-not-run GATE]... [--refuse FILE]... [--now SECONDS]
All vectors:   check_receipt.py --vectors tests/vectors

Beside accepting the receipt it must refuse the wrong audience and issuer, the expired, the not yet valid, the edited, and
every token of --refuse. Closes with `check_receipt.py: N of N checks passed`; exit status 1 if one failed.
"""

import argparse
import base64
import json
import pathlib
import sys

import jwt

import recipe
from recipe import base64url


class Checks:
    def __init__(self):
        self.done = self.passed = 0

    def that(self, what, met):
        self.done += 1
        self.passed += bool(met)
        if not met:
            print("FAILED:", what)

    def refused(self, what, action):
        try:
            action()
        except recipe.Refused:
            return self.that(what, True)
        return self.that(what + " must be refused", False)


def edited(token):
    """The same receipt with another payee and amount, under the old signature."""
    head, payload, signature = token.split(".")
    claims = json.loads(base64.urlsafe_b64decode(payload + "=" * (-len(payload) % 4)))
    claims["act"] |= {"payee": "Mallory", "amount": "999999.00"}
    return ".".join([head, base64url(json.dumps(claims).encode()), signature])


def unsigned(token):
    head = base64url(b'{"alg":"none","typ":"stepup-receipt+jwt"}')
    return head + "." + token.split(".")[1] + "."


def one_receipt(checks, args):
    jwks = json.loads(pathlib.Path(args.jwks).read_text())
    token = pathlib.Path(args.token).read_text().strip()
    action = recipe.load_action(pathlib.Path(args.action).read_text())
    nonce = base64.urlsafe_b64decode(args.nonce + "=" * (-len(args.nonce) % 4))
    verify = lambda text=token, aud=args.aud, iss=args.iss, now=args.now: recipe.verify(text, jwks, aud, iss, now)
    try:
        claims = verify()
        recipe.authorize(claims, action, nonce, args.accept_not_run)
    except recipe.Refused as reason:
        checks.that(f"the receipt is accepted (refused: {reason})", False)
        return
    checks.that("the receipt is accepted", True)
    checks.refused("wrong audience", lambda: verify(aud="tn_" + "0" * 32))
    checks.refused("wrong issuer", lambda: verify(iss=args.iss + "x"))
    checks.refused("expired", lambda: verify(now=claims["exp"] + 31))
    checks.refused("not yet valid", lambda: verify(now=claims["iat"] - 31))
    checks.refused("edited", lambda: verify(edited(token)))
    checks.refused("unsigned", lambda: verify(unsigned(token)))
    other = action | {"payee": action["payee"] + "x"}
    checks.refused("another action", lambda: recipe.authorize(claims, other, nonce, args.accept_not_run))
    checks.refused("another nonce", lambda: recipe.authorize(claims, action, bytes(32), args.accept_not_run))
    for path in args.refuse:
        checks.refused(path, lambda: verify(pathlib.Path(path).read_text().strip()))


def action_vectors(checks, vectors):
    for case in vectors["cases"]:
        action = recipe.load_action(json.dumps(case["action"]))
        same = recipe.canonical(action) == case["canonical"] and recipe.action_sha256(action).hex() == case["sha256"]
        checks.that(case["name"], same)
    for text in vectors["not_an_action"]:
        try:
            recipe.load_action(text)
            checks.that(text + " must be refused", False)
        except (ValueError, AttributeError):
            checks.that(text, True)


def receipt_vectors(checks, vectors):
    def run(case):
        expected = vectors["expected"] | case["expected"]
        claims = recipe.verify(case["token"], vectors["jwks"], expected["aud"], vectors["issuers"]["receipts"], expected["now"])
        action = recipe.load_action(json.dumps(expected["action"]))
        nonce = base64.urlsafe_b64decode(expected["nonce"] + "==")
        recipe.authorize(claims, action, nonce, expected["accepted_not_run"])
        return claims

    for case in vectors["accepted"]:
        try:
            claims = run(case)
            checks.that(case["name"], case["expected"] or claims == vectors["claims"] or "zz" in claims)
        except recipe.Refused as reason:
            checks.that(f"{case['name']} (refused: {reason})", False)
    for case in vectors["refused"]:
        if case["recipe_refuses"]:
            checks.refused(case["name"], lambda: run(case))
    deletion, ledger = vectors["deletion"], jwt.PyJWKSet.from_dict(vectors["ledger_jwks"]).keys[0]
    opened = jwt.decode(deletion["token"], ledger.key, algorithms=["EdDSA"], audience=deletion["claims"]["aud"], issuer=vectors["issuers"]["ledger"], options={"verify_iat": False})
    checks.that("deletion proof", opened == deletion["claims"])
    checks.refused("deletion proof as receipt", lambda: run({"token": deletion["token"], "expected": {}}))


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    for name in ("vectors", "jwks", "token", "aud", "iss", "action", "nonce"):
        parser.add_argument("--" + name)
    parser.add_argument("--accept-not-run", action="append", default=[])
    parser.add_argument("--refuse", action="append", default=[])
    parser.add_argument("--now", type=int)
    args, checks = parser.parse_args(), Checks()
    if args.vectors:
        folder = pathlib.Path(args.vectors)
        action_vectors(checks, json.loads((folder / "action.json").read_text()))
        receipt_vectors(checks, json.loads((folder / "receipt.json").read_text()))
    elif all((args.jwks, args.token, args.aud, args.iss, args.action, args.nonce)):
        one_receipt(checks, args)
    else:
        parser.error("give --vectors, or all of --jwks --token --aud --iss --action --nonce")
    print(f"check_receipt.py: {checks.passed} of {checks.done} checks passed")
    sys.exit(checks.passed != checks.done)


if __name__ == "__main__":
    main()
