"""A client that knows nothing of Countersign: stock grpcio, server reflection, TLS. Enrolls and verifies a person.

usage: third_party.py --target HOST:PORT --ca CA.pem --enroll A.jpg [B.jpg ...] --verify C.jpg     (API key in $API_KEY)
Prints one JSON object: {"enroll": VERDICT, "verify": VERDICT, "receipt": JWS, "txn": ID, "services": [...]}.
"""

import argparse
import json
import os
import pathlib
import time

import grpc
from google.protobuf import descriptor_pool, message_factory
from grpc_reflection.v1alpha.proto_reflection_descriptor_database import ProtoReflectionDescriptorDatabase

SERVICE = "countersign.v1.VerificationService"
NONCE = bytes(range(32))


class Service:
    """Calls one service's methods through descriptors the server itself gave."""

    def __init__(self, target: str, ca: bytes, api_key: str) -> None:
        self.channel = grpc.secure_channel(target, grpc.ssl_channel_credentials(root_certificates=ca))
        database = ProtoReflectionDescriptorDatabase(self.channel)
        self.services = list(database.get_services())
        self.pool = descriptor_pool.DescriptorPool(database)
        self.methods = self.pool.FindServiceByName(SERVICE).methods_by_name
        self.metadata = (("authorization", f"Bearer {api_key}"),)

    def call(self, method: str, **fields: object) -> object:
        """One unary call with a deadline of 30 s; keyword arguments are the request's fields."""
        described = self.methods[method]
        request, answer = (message_factory.GetMessageClass(d) for d in (described.input_type, described.output_type))
        stub = self.channel.unary_unary(
            f"/{SERVICE}/{method}", request_serializer=request.SerializeToString, response_deserializer=answer.FromString
        )
        return stub(request(**fields), timeout=30, metadata=self.metadata)


def main() -> None:
    """Runs the two calls and prints what came back."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--target", required=True)
    parser.add_argument("--ca", required=True, type=pathlib.Path)
    parser.add_argument("--enroll", required=True, nargs="+", type=pathlib.Path)
    parser.add_argument("--verify", required=True, nargs="+", type=pathlib.Path)
    args = parser.parse_args()
    service = Service(args.target, args.ca.read_bytes(), os.environ["API_KEY"])
    result: dict[str, object] = {"services": service.services}
    action = {"type": "withdrawal", "amount": "250.00", "currency": "EUR", "payee": "DE02120300000000202051"}
    consent = {"text_sha256": bytes(32), "locale": "en", "version": "1", "given_at": {"seconds": int(time.time())}}
    for purpose, name, pictures in ((1, "Enroll", args.enroll), (2, "Verify", args.verify)):
        challenge = service.call(
            "CreateChallenge", user_id="third-party", purpose=purpose, action=action, rp_nonce=NONCE, mode=1
        )
        frames = [{"image": p.read_bytes(), "offset_ms": 200 * i, "format": 1} for i, p in enumerate(pictures)]
        answer = service.call(
            name, challenge_id=challenge.challenge_id, action=action, frames=frames, consent=consent, attempt=1
        )
        result[name.lower()] = "ACCEPT" if answer.verdict == 1 else "REFUSE"
        result["receipt"], result["txn"] = answer.receipt, challenge.challenge_id
    print(json.dumps(result))


if __name__ == "__main__":
    main()
