"""Wrote tests/vectors/status_list.json and log.json, once. Kept to show where they came from; a vector is never edited.

Keys, issuers and the receipt are those of make_vectors.py. No Rust code took part. Usage: make_ledger_vectors.py DIRECTORY
"""

import base64
import hashlib
import json
import pathlib
import sys
import zlib

import recipe_ledger as ledger
from make_vectors import GOOD, IAT, LEDGER, LEDGER_KEY, RECEIPT, RECEIPTS, ROOT, STRANGER, TENANT, claims, compact, document, header, token
from recipe import base64url

URI = "https://verify.example/v1/status/1"
ORIGIN = LEDGER.split("://")[1]
REVOKED = [0, 7, 8, 1023, 524_288, ledger.ENTRIES - 1]


def packed(unpacked, level=9):
    return base64url(zlib.compress(unpacked, level))


def bits_of(revoked):
    unpacked = bytearray(ledger.ENTRIES // 8)
    for index in revoked:
        unpacked[index // 8] |= 1 << index % 8
    return bytes(unpacked)


def list_claims(bits=1, lst=None, **more):
    base = {"iss": LEDGER, "sub": URI, "iat": IAT, "exp": IAT + 60, "ttl": 15, "status_list": {"bits": bits, "lst": lst or packed(bits_of(REVOKED))}}
    return {name: value for name, value in (base | more).items() if value is not ...}


def list_token(key=LEDGER_KEY, typ="statuslist+jwt", **more):
    return key.jws(header(key, typ), compact(list_claims(**more)))


def status_vectors():
    good, raw = list_token(), zlib.compress(bits_of(REVOKED), 9)
    refused = []

    def refusal(name, reason, text=good, **expected):
        refused.append({"name": name, "reason": reason, "token": text, "expected": expected})

    refusal("another address", "STATUS_OTHER_LIST", uri=URI + "0")
    refusal("older than its ttl", "STATUS_STALE", now=IAT + 20)
    refusal("over", "STATUS_EXPIRED", list_token(exp=IAT + 10), now=IAT + 15)
    refusal("of the future", "STATUS_NOT_YET_VALID", now=IAT - 31)
    refusal("three bits", "STATUS_BITS", list_token(bits=3))
    refusal("a bomb", "STATUS_TOO_LARGE", list_token(lst=packed(bytes(8 << 20))))
    refusal("truncated", "STATUS_ENCODING", list_token(lst=base64url(raw[:-1])))
    refusal("data behind it", "STATUS_ENCODING", list_token(lst=base64url(raw + b"x")))
    refusal("raw deflate", "STATUS_ENCODING", list_token(lst=base64url(raw[2:-4])))
    refusal("no ttl", "CLAIMS", list_token(ttl=...))
    refusal("no exp", "CLAIMS", list_token(exp=...))
    refusal("signed by the receipt key", "KEY_ID_UNKNOWN", list_token(RECEIPT))
    refusal("a deletion proof's type", "TYPE", list_token(typ="deletion-proof+jwt"))
    refusal("another issuer", "ISSUER", list_token(iss=RECEIPTS))
    keys = [hashlib.sha256(b"countersign vectors: order %d" % n).digest() for n in range(2)]
    counters = [0, 1, 2, 1023, 1024, 524_288, ledger.ENTRIES - 1]
    return {
        "about": "Keys as in receipt.json. `expected` replaces members of the common one. index_order: which index the counter-th receipt gets.",
        "expected": {"uri": URI, "now": IAT + 5},
        "token": good,
        "revoked": REVOKED,
        "valid": [1, 6, 9, 524_287, ledger.ENTRIES - 2],
        "beyond": ledger.ENTRIES,
        "draft": [
            {"bits": 1, "lst": "eNrbuRgAAhcBXQ", "statuses": [1, 0, 0, 1, 1, 1, 0, 1, 1, 1, 0, 0, 0, 1, 0, 1]},
            {"bits": 2, "lst": "eNo76fITAAPfAgc", "statuses": [1, 2, 0, 3, 0, 1, 0, 1, 1, 2, 3, 3]},
        ],
        "receipts": [
            {"token": token(status={"status_list": {"idx": 6, "uri": URI}}), "outcome": "OK"},
            {"token": token(status={"status_list": {"idx": 7, "uri": URI}}), "outcome": "REVOKED"},
            {"token": token(status={"status_list": {"idx": ledger.ENTRIES, "uri": URI}}), "outcome": "STATUS_INDEX"},
            {"token": token(status={"status_list": {"idx": 6, "uri": URI + "0"}}), "outcome": "STATUS_OTHER_LIST"},
            {"token": token(status=...), "outcome": "STATUS_MISSING"},
        ],
        "refused": refused,
        "index_order": [{"key": key.hex(), "counter": n, "index": ledger.index_of(key, n)} for key in keys for n in counters],
    }


def events():
    """One leaf of each kind, then as many audit heads as fill more than one tile."""
    reference, tenant = claims()["ref"], {"aud": TENANT}
    named = [
        {"kind": "receipt", "iss": RECEIPTS, "jti": claims()["jti"], "sha256": base64url(hashlib.sha256(GOOD.encode()).digest()), "at": IAT} | tenant,
        {"kind": "deletion", "jti": "dl_000000000000000000000000000000e5", "ref": reference, "at": IAT + 59} | tenant,
        {"kind": "key_rotation", "key": {"use": "kek"} | tenant, "from": "1", "to": "2", "at": IAT},
        {"kind": "key_rotation", "key": {"use": "ledger"}, "to": LEDGER_KEY.kid, "at": IAT},
        {"kind": "key_destruction", "key": {"use": "kek"} | tenant, "version": "1", "at": IAT},
        {"kind": "policy_change", "version": "2", "sha256": base64url(bytes(32)), "at": IAT} | tenant,
        {"kind": "pack_change", "model": {"recogniser": "ab" * 32}, "at": IAT},
    ]
    heads = [{"kind": "audit_head", "seq": n, "head": base64url(hashlib.sha256(b"%d" % n).digest()), "at": IAT} | tenant for n in range(1, 294)]
    return named + heads


def note(size, root, key=LEDGER_KEY, origin=ORIGIN, extension=""):
    text = f"{origin}\n{size}\n{base64.b64encode(root).decode()}\n{extension}"
    key_id = hashlib.sha256(origin.encode() + b"\n\1" + key.public).digest()[:4]
    return f"{text}\n\u2014 {origin} {base64.b64encode(key_id + key.private.sign(text.encode())).decode()}\n"


def inclusion(index, records):
    """RFC 6962 section 2.1.1."""
    if len(records) == 1:
        return []
    half = 1 << (len(records) - 1).bit_length() - 1
    if index < half:
        return inclusion(index, records[:half]) + [ledger.root_of(records[half:])]
    return inclusion(index - half, records[half:]) + [ledger.root_of(records[:half])]


def consistency(first, records, whole=True):
    """RFC 6962 section 2.1.2."""
    if first == len(records):
        return [] if whole else [ledger.root_of(records)]
    half = 1 << (len(records) - 1).bit_length() - 1
    if first <= half:
        return consistency(first, records[:half], whole) + [ledger.root_of(records[half:])]
    return consistency(first - half, records[half:], False) + [ledger.root_of(records[:half])]


def proof(index, leaf, salt, records, signed):
    extra = base64.b64encode(compact({"leaf": leaf, "salt": base64url(salt)}).encode()).decode()
    way = "".join(base64.b64encode(node).decode() + "\n" for node in inclusion(index, records))
    return f"c2sp.org/tlog-proof@v1\nextra {extra}\nindex {index}\n{way}\n{signed}"


def log_vectors():
    leaves = [(event, hashlib.sha256(b"countersign vectors: salt %d" % n).digest()) for n, event in enumerate(events())]
    entries = [ledger.entry_of(*leaf) for leaf in leaves]
    records = [ledger.record_hash(entry) for entry in entries]
    sizes = [0, 1, 2, 7, 255, 256, 257, 300]
    roots = {size: ledger.root_of(records[:size]) for size in sizes}
    full, rest = b"".join(records[:256]), b"".join(records[256:])
    bundle = b"".join(b"\0\x20" + entry for entry in entries[256:])
    tiles = {"tile/0/000": full, "tile/0/001.p/44": rest, "tile/1/000.p/1": ledger.root_of(records[:256]), "tile/entries/001.p/44": bundle}
    place = lambda index, size: proof(index, *leaves[index], records[:size], note(size, roots[size]))
    good = place(0, 300)
    extended = good.replace(note(300, roots[300]), note(300, roots[300], extension="more\n"))
    refused = {
        "LOG_INCLUSION": place(1, 300).replace("index 1\n", "index 2\n"),
        "LOG_SIZE": good.replace("index 0\n", "index 300\n"),
        "LOG_ORIGIN": good.replace(note(300, roots[300]), note(300, roots[300], origin="other.example/ledger")),
        "LOG_UNSIGNED": good.replace(note(300, roots[300]), note(300, roots[300], STRANGER)),
        "SIGNATURE": good.replace("\n300\n", "\n301\n"),
        "LOG_CHECKPOINT": extended,
        "LOG_PROOF_FORM": good.replace("@v1", "@v2"),
    }
    return {
        "about": "Keys as in receipt.json. Entry n is SHA-256(tag || salt || canonical leaf); tiles by SHA-256 of their bytes.",
        "leaves": [{"leaf": leaf, "salt": salt.hex(), "entry": entry.hex()} for (leaf, salt), entry in zip(leaves, entries)],
        "checkpoints": [{"size": size, "root": roots[size].hex(), "note": note(size, roots[size])} for size in sizes],
        "tiles": {path: hashlib.sha256(data).hexdigest() for path, data in tiles.items()},
        "proofs": [{"index": index, "size": size, "text": place(index, size)} for index, size in [(0, 1), (0, 2), (6, 7), (100, 255), (255, 256), (256, 257), (0, 300), (1, 300), (299, 300)]],
        "consistency": [
            {"from": first, "to": second, "way": [node.hex() for node in consistency(first, records[:second])]}
            for first in sizes[1:] for second in sizes[1:] if first < second
        ],
        "refused": [{"reason": reason, "text": text} for reason, text in refused.items()],
    }


if __name__ == "__main__":
    folder = pathlib.Path(sys.argv[1])
    for name, vectors in {"status_list.json": status_vectors(), "log.json": log_vectors()}.items():
        (folder / name).write_text(json.dumps(vectors, indent=1) + "\n")
