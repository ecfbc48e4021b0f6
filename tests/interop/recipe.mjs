// The relying party's recipe in JavaScript: jose verifies, this file binds. Shares nothing with the Rust or Python code.

import { createHash } from "node:crypto";
import { createLocalJWKSet, jwtVerify } from "jose";

export const GATES = ["CAPTURE_INTEGRITY", "QUALITY", "PRESENTATION_ATTACK", "CHALLENGE_RESPONSE", "COMPARISON"];

/** Thrown for every token that is not taken. */
export class Refused extends Error {}

export const base64url = (bytes) => Buffer.from(bytes).toString("base64url");

/** Checks that an action holds strings only and fills in absent members. JSON.parse cannot see duplicate members. */
export function loadAction(text) {
  const given = JSON.parse(text);
  const action = { type: null, amount: "", currency: "", payee: "", fields: {}, ...given };
  const strings = [action.type, action.amount, action.currency, action.payee];
  const plain = (value) => value !== null && typeof value === "object" && !Array.isArray(value);
  if (!plain(given) || !plain(action.fields) || Object.keys(action).length !== 5) throw new TypeError("not an action");
  if (![...strings, ...Object.values(action.fields)].every((value) => typeof value === "string"))
    throw new TypeError("strings only");
  return action;
}

/** RFC 8785 for an object of strings; JavaScript sorts by UTF-16 code units and escapes as the RFC wants. */
export function canonical(value) {
  if (typeof value === "string") return JSON.stringify(value);
  const members = Object.keys(value).sort().map((name) => `${JSON.stringify(name)}:${canonical(value[name])}`);
  return `{${members.join(",")}}`;
}

export const actionSha256 = (action) =>
  createHash("sha256").update("countersign/action/v1\0").update(canonical(action)).digest();

/** What any backend does with a stock library: signature by a listed key, type, audience, issuer, time. */
export async function verify(token, { jwks, aud, iss, now }) {
  try {
    const { payload, protectedHeader } = await jwtVerify(token, createLocalJWKSet({ keys: jwks.keys }), {
      algorithms: ["EdDSA"],
      typ: "stepup-receipt+jwt",
      audience: aud,
      issuer: iss,
      clockTolerance: 30,
      currentDate: now === undefined ? new Date() : new Date(now * 1000),
      requiredClaims: ["iss", "aud", "sub", "iat", "nbf", "exp", "jti"],
    });
    if (Object.keys(protectedHeader).sort().join() !== "alg,kid,typ") throw new Refused("header");
    if (typeof protectedHeader.kid !== "string" || typeof payload.aud !== "string") throw new Refused("claims");
    return payload;
  } catch (error) {
    throw new Refused(error.code ?? error.message, { cause: error });
  }
}

/** What a stock library cannot know: verdict, gates, nonce and action of this very approval. */
export function authorize(claims, { action, nonce, acceptedNotRun = [] }) {
  if (claims.vrd !== "ACCEPT" || claims.purpose !== "VERIFY") throw new Refused("verdict");
  const gates = claims.gates ?? [];
  if (gates.map((gate) => gate.gate).join() !== GATES.join()) throw new Refused("gates");
  for (const { gate, status } of gates)
    if (status !== "PASS" && !(status === "NOT_RUN" && acceptedNotRun.includes(gate))) throw new Refused(`gate ${gate}`);
  if (claims.nonce !== nonce) throw new Refused("nonce");
  const act = claims.act ?? {};
  const same = ["type", "amount", "currency", "payee"].every((name) => act[name] === action[name]);
  if (!same || act.sha256 !== base64url(actionSha256(action))) throw new Refused("action");
}
