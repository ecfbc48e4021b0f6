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
import recipe_ledger as ledger
from recipe import base64url


class Checks:
    def __init__(self):
        self.done = self.passed = 0

    def that(self, what, met):
        self.done += 1
        self.passed += bool(met)
        if not met:
            print("FAILED:", what)

    def accepted(self, what, action):
        try:
            action()
        except recipe.Refused as reason:
            return self.that(f"{what} (refused: {reason})", False)
        return self.that(what, True)

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


def status_vectors(checks, vectors, keys):
    jwks, issuer = keys["ledger_jwks"], keys["issuers"]["ledger"]

    def read(text, **expected):
        expected = vectors["expected"] | expected
        return ledger.read_status_list(text, jwks, issuer, expected["uri"], expected["now"])

    listed = read(vectors["token"])
    values = [(index, 1) for index in vectors["revoked"]] + [(index, 0) for index in vectors["valid"]]
    for index, value in values:
        checks.that(f"index {index} is {value}", ledger.status_of(*listed, index) == value)
    checks.refused("an index beyond the list", lambda: ledger.status_of(*listed, vectors["beyond"]))
    for given in vectors["draft"]:
        unpacked = ledger.unpack(given)
        told = [ledger.status_of(given["bits"], unpacked, index) for index in range(len(given["statuses"]))]
        checks.that(f"the draft's list of {given['bits']} bits", told == given["statuses"])
    for case in vectors["refused"]:
        checks.refused("status list: " + case["name"], lambda: read(case["token"], **case["expected"]))
    for case in vectors["index_order"]:
        checks.that(f"index of {case['counter']}", ledger.index_of(bytes.fromhex(case["key"]), case["counter"]) == case["index"])


def log_vectors(checks, vectors, keys):
    jwks, issuer = keys["ledger_jwks"], keys["issuers"]["ledger"]
    entries = [ledger.entry_of(leaf["leaf"], bytes.fromhex(leaf["salt"])) for leaf in vectors["leaves"]]
    checks.that("entries", [entry.hex() for entry in entries] == [leaf["entry"] for leaf in vectors["leaves"]])
    records = [ledger.record_hash(entry) for entry in entries]
    trees = {}
    for case in vectors["checkpoints"]:
        trees[case["size"]] = ledger.open_checkpoint(case["note"], jwks, issuer)
        same = trees[case["size"]] == (case["size"], ledger.root_of(records[: case["size"]]))
        checks.that(f"checkpoint of {case['size']}", same and case["root"] == trees[case["size"]][1].hex())
    for case in vectors["proofs"]:
        leaf, index, tree = ledger.open_proof(case["text"], jwks, issuer)
        same = leaf == vectors["leaves"][index]["leaf"] and index == case["index"] and tree == trees[case["size"]]
        checks.that(f"proof of {index} in {case['size']}", same)
    receipt = ledger.open_proof(vectors["proofs"][0]["text"], jwks, issuer)[0]
    checks.that("the receipt's leaf", ledger.is_of_receipt(receipt, keys["token"]))
    checks.that("another's leaf", not ledger.is_of_receipt(receipt, keys["enrollment"]["token"]))
    for case in vectors["consistency"]:
        old, new, way = trees[case["from"]], trees[case["to"]], [bytes.fromhex(node) for node in case["way"]]
        checks.accepted(f"from {case['from']} to {case['to']}", lambda: ledger.check_consistency(old, new, way))
        checks.refused("another old tree", lambda: ledger.check_consistency((old[0], bytes(32)), new, way))
    for case in vectors["refused"]:
        checks.refused("log proof: " + case["reason"], lambda: ledger.open_proof(case["text"], jwks, issuer))


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    for name in ("vectors", "jwks", "token", "aud", "iss", "action", "nonce"):
        parser.add_argument("--" + name)
    parser.add_argument("--accept-not-run", action="append", default=[])
    parser.add_argument("--refuse", action="append", default=[])
    parser.add_argument("--now", type=int)
    args, checks = parser.parse_args(), Checks()
    if args.vectors:
        vectors = {path.stem: json.loads(path.read_text()) for path in pathlib.Path(args.vectors).glob("*.json")}
        action_vectors(checks, vectors["action"])
        receipt_vectors(checks, vectors["receipt"])
        status_vectors(checks, vectors["status_list"], vectors["receipt"])
        log_vectors(checks, vectors["log"], vectors["receipt"])
    elif all((args.jwks, args.token, args.aud, args.iss, args.action, args.nonce)):
        one_receipt(checks, args)
    else:
        parser.error("give --vectors, or all of --jwks --token --aud --iss --action --nonce")
    print(f"check_receipt.py: {checks.passed} of {checks.done} checks passed")
    sys.exit(checks.passed != checks.done)


if __name__ == "__main__":
    main()
