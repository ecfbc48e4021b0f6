"""What the ledger publishes, checked in Python: status lists (PyJWT, zlib) and the transparency log (hashlib, Ed25519).

Follows draft-ietf-oauth-status-list, RFC 6962, RFC 9162 and the C2SP pages tlog-checkpoint, signed-note, tlog-proof. Nothing
here is shared with the Rust code, so that agreement of the two means something.
"""

import base64
import hashlib
import hmac
import json
import zlib

import jwt
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

from recipe import Refused, base64url, clock_at

MAX_LIST_BYTES = 256 * 1024
ENTRIES = 1 << 20


def read_status_list(token: str, jwks: dict, issuer: str, uri: str, now: int) -> tuple:
    """Bits of each index and the unpacked bytes of a list that is signed, about this address and fresh."""
    try:
        header = jwt.get_unverified_header(token)
        if set(header) != {"alg", "kid", "typ"} or header["typ"] != "statuslist+jwt":
            raise Refused("header")
        keys = {key.key_id: key for key in jwt.PyJWKSet.from_dict(jwks).keys}
        require = {"require": ["iss", "sub", "iat", "exp", "ttl", "status_list"]}
        with clock_at(now):
            claims = jwt.decode(
                token, keys[header["kid"]].key, algorithms=["EdDSA"], issuer=issuer, subject=uri, leeway=30, options=require
            )
        if now >= min(claims["iat"] + claims["ttl"], claims["exp"]) + 5:
            raise Refused("stale")
        return claims["status_list"]["bits"], unpack(claims["status_list"])
    except (jwt.PyJWTError, KeyError, TypeError, ValueError, zlib.error) as error:
        raise Refused(type(error).__name__) from error


def unpack(status_list: dict) -> bytes:
    if status_list["bits"] not in (1, 2, 4, 8):
        raise Refused("bits")
    packed = status_list["lst"]
    reader = zlib.decompressobj()
    unpacked = reader.decompress(base64.urlsafe_b64decode(packed + "=" * (-len(packed) % 4)), MAX_LIST_BYTES + 1)
    if len(unpacked) > MAX_LIST_BYTES or not reader.eof or reader.unused_data:
        raise Refused("packing")
    return unpacked


def status_of(bits: int, unpacked: bytes, index: int) -> int:
    """0 is VALID, 1 INVALID. Bits are counted from the least significant one."""
    per_byte = 8 // bits
    if index // per_byte >= len(unpacked):
        raise Refused("index")
    return unpacked[index // per_byte] >> (index % per_byte * bits) & ((1 << bits) - 1)


def index_of(key: bytes, counter: int) -> int:
    """The index that the counter-th receipt of a list gets: twelve Feistel rounds over two halves of ten bits."""
    left, right = counter >> 10, counter & 1023
    for turn in range(12):
        tag = hmac.new(key, b"countersign/status-index/v1\0" + bytes([turn]) + right.to_bytes(4, "big"), "sha256").digest()
        left, right = right, left ^ (int.from_bytes(tag[:2], "big") & 1023)
    return left << 10 | right


def entry_of(leaf: dict, salt: bytes) -> bytes:
    body = json.dumps(leaf, ensure_ascii=False, separators=(",", ":"), sort_keys=True)
    return hashlib.sha256(b"countersign/log-leaf/v1\0" + salt + body.encode()).digest()


def record_hash(entry: bytes) -> bytes:
    return hashlib.sha256(b"\0" + entry).digest()


def node_hash(left: bytes, right: bytes) -> bytes:
    return hashlib.sha256(b"\1" + left + right).digest()


def root_of(records: list) -> bytes:
    """RFC 6962 section 2.1, straight from its definition."""
    if not records:
        return hashlib.sha256(b"").digest()
    if len(records) == 1:
        return records[0]
    half = 1 << (len(records) - 1).bit_length() - 1
    return node_hash(root_of(records[:half]), root_of(records[half:]))


def root_from_inclusion(index: int, size: int, record: bytes, way: list) -> bytes:
    """RFC 9162 section 2.1.3.2."""
    if index >= size:
        raise Refused("size")
    place, last, root = index, size - 1, record
    for sibling in way:
        if last == 0:
            raise Refused("way too long")
        if place & 1 or place == last:
            root = node_hash(sibling, root)
            while not place & 1 and place:
                place, last = place >> 1, last >> 1
        else:
            root = node_hash(root, sibling)
        place, last = place >> 1, last >> 1
    if last:
        raise Refused("way too short")
    return root


def check_consistency(old: tuple, new: tuple, way: list) -> None:
    """RFC 9162 section 2.1.4.2; `old` and `new` are (size, root), old neither empty nor as large as new."""
    (first, old_root), (second, new_root) = old, new
    if first & (first - 1) == 0:
        way = [old_root, *way]
    place, last = first - 1, second - 1
    while place & 1:
        place, last = place >> 1, last >> 1
    if not way:
        raise Refused("way too short")
    left = right = way[0]
    for sibling in way[1:]:
        if last == 0:
            raise Refused("way too long")
        if place & 1 or place == last:
            left, right = node_hash(sibling, left), node_hash(sibling, right)
            while not place & 1 and place:
                place, last = place >> 1, last >> 1
        else:
            right = node_hash(right, sibling)
        place, last = place >> 1, last >> 1
    if left != old_root or right != new_root or last:
        raise Refused("consistency")


def open_checkpoint(note: str, jwks: dict, issuer: str) -> tuple:
    """Size and root of a checkpoint that a key of the set has signed for this ledger's log."""
    origin = issuer.split("://", 1)[1]
    text, lines = note[: note.rindex("\n\n") + 1], note[note.rindex("\n\n") + 2 :]
    if text.split("\n")[0] != origin:
        raise Refused("origin")
    keys = [base64.urlsafe_b64decode(key["x"] + "=") for key in jwks["keys"]]
    known = {hashlib.sha256(origin.encode() + b"\n\1" + key).digest()[:4]: key for key in keys}
    good = 0
    for line in lines.rstrip("\n").split("\n"):
        dash, name, signature = line.split(" ")
        signature = base64.b64decode(signature, validate=True)
        if dash == "\u2014" and name == origin and signature[:4] in known:
            try:
                Ed25519PublicKey.from_public_bytes(known[signature[:4]]).verify(signature[4:], text.encode())
            except InvalidSignature as error:
                raise Refused("signature") from error
            good += 1
    body = text.split("\n")
    if not good or len(body) != 4:
        raise Refused("unsigned, or with extensions")
    return int(body[1]), base64.b64decode(body[2], validate=True)


def open_proof(text: str, jwks: dict, issuer: str) -> tuple:
    """Leaf, index and tree of a proof (C2SP tlog-proof) that leads to a signed root."""
    try:
        head, note = text.split("\n\n", 1)
        first, extra, index, *way = head.split("\n")
        if first != "c2sp.org/tlog-proof@v1" or not extra.startswith("extra ") or not index.startswith("index "):
            raise Refused("form")
        told = json.loads(base64.b64decode(extra[6:], validate=True))
        salt = base64.urlsafe_b64decode(told["salt"] + "=")
        size, root = open_checkpoint(note, jwks, issuer)
        record = record_hash(entry_of(told["leaf"], salt))
        way = [base64.b64decode(line, validate=True) for line in way]
        if root_from_inclusion(int(index[6:]), size, record, way) != root:
            raise Refused("inclusion")
        return told["leaf"], int(index[6:]), (size, root)
    except (KeyError, TypeError, ValueError) as error:
        raise Refused(type(error).__name__) from error


def is_of_receipt(leaf: dict, token: str) -> bool:
    """Whether the leaf tells of this receipt, given in its compact form."""
    return leaf.get("kind") == "receipt" and leaf.get("sha256") == base64url(hashlib.sha256(token.encode()).digest())
