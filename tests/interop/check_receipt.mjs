// Checks receipts with a stock library (npm `jose`), without a line of Countersign. Same arguments and checks as
// check_receipt.py. Node looks for `jose` beside the script: copy *.mjs and package*.json to a folder under target/, run
// `npm ci` there and start the copy.
//   node check_receipt.mjs --jwks FILE --token FILE --aud TENANT --iss ISSUER --action FILE --nonce BASE64URL
//                          [--accept-not-run GATE]... [--refuse FILE]... [--now SECONDS]
//   node check_receipt.mjs --vectors tests/vectors

import { readFileSync } from "node:fs";
import { parseArgs } from "node:util";
import { createLocalJWKSet, jwtVerify } from "jose";
import { Refused, actionSha256, authorize, base64url, canonical, loadAction, verify } from "./recipe.mjs";

let [done, passed] = [0, 0];

function that(what, met) {
  done += 1;
  if (met) passed += 1;
  else console.log("FAILED:", what);
}

async function refused(what, action) {
  try {
    await action();
  } catch (error) {
    return that(`${what}: ${error}`, error instanceof Refused);
  }
  return that(`${what} must be refused`, false);
}

/** The same receipt with another payee and amount, under the old signature. */
function edited(token) {
  const [head, payload, signature] = token.split(".");
  const claims = JSON.parse(Buffer.from(payload, "base64url"));
  Object.assign(claims.act, { payee: "Mallory", amount: "999999.00" });
  return [head, base64url(JSON.stringify(claims)), signature].join(".");
}

const unsigned = (token) => `${base64url('{"alg":"none","typ":"stepup-receipt+jwt"}')}.${token.split(".")[1]}.`;

async function oneReceipt(args) {
  const text = (path) => readFileSync(path, "utf8").trim();
  const [token, action] = [text(args.token), loadAction(text(args.action))];
  const now = args.now === undefined ? undefined : Number(args.now);
  const given = { jwks: JSON.parse(text(args.jwks)), aud: args.aud, iss: args.iss, now };
  const bound = { action, nonce: args.nonce, acceptedNotRun: args["accept-not-run"] };
  let claims;
  try {
    claims = await verify(token, given);
    authorize(claims, bound);
  } catch (error) {
    return that(`the receipt is accepted (${error})`, false);
  }
  that("the receipt is accepted", true);
  await refused("wrong audience", () => verify(token, { ...given, aud: `tn_${"0".repeat(32)}` }));
  await refused("wrong issuer", () => verify(token, { ...given, iss: `${args.iss}x` }));
  await refused("expired", () => verify(token, { ...given, now: claims.exp + 31 }));
  await refused("not yet valid", () => verify(token, { ...given, now: claims.iat - 31 }));
  await refused("edited", () => verify(edited(token), given));
  await refused("unsigned", () => verify(unsigned(token), given));
  await refused("another action", () => authorize(claims, { ...bound, action: { ...action, payee: `${action.payee}x` } }));
  await refused("another nonce", () => authorize(claims, { ...bound, nonce: base64url(Buffer.alloc(32)) }));
  for (const path of args.refuse) await refused(path, () => verify(text(path), given));
}

function actionVectors(vectors) {
  for (const { name, action, canonical: expected, sha256 } of vectors.cases) {
    const read = loadAction(JSON.stringify(action));
    that(name, canonical(read) === expected && actionSha256(read).toString("hex") === sha256);
  }
}

async function receiptVectors(vectors) {
  const run = async ({ token, expected: changes }) => {
    const expected = { ...vectors.expected, ...changes };
    const issuer = vectors.issuers.receipts;
    const claims = await verify(token, { jwks: vectors.jwks, aud: expected.aud, iss: issuer, now: expected.now });
    const { action, nonce, accepted_not_run: acceptedNotRun } = expected;
    authorize(claims, { action: loadAction(JSON.stringify(action)), nonce, acceptedNotRun });
  };
  for (const vector of vectors.accepted)
    await run(vector).then(() => that(vector.name, true), (error) => that(`${vector.name} (${error})`, false));
  for (const vector of vectors.refused)
    if (vector.recipe_refuses) await refused(vector.name, () => run(vector));
  const { token, claims } = vectors.deletion;
  const ledger = createLocalJWKSet({ keys: vectors.ledger_jwks.keys });
  const options = { typ: "deletion-proof+jwt", audience: claims.aud, issuer: vectors.issuers.ledger };
  const { payload } = await jwtVerify(token, ledger, options);
  that("deletion proof", canonical(strings(payload)) === canonical(strings(claims)));
  await refused("deletion proof as receipt", () => run({ token, expected: {} }));
}

/** Numbers as text, so that the canonical form of strings can compare claims. */
function strings(value) {
  if (value === null || typeof value !== "object") return String(value);
  return Object.fromEntries(Object.entries(value).map(([name, inner]) => [name, strings(inner)]));
}

const text = { type: "string" };
const list = { type: "string", multiple: true, default: [] };
const single = Object.fromEntries(["vectors", "jwks", "token", "aud", "iss", "action", "nonce", "now"].map((n) => [n, text]));
const { values: args } = parseArgs({ options: { ...single, "accept-not-run": list, refuse: list } });
const missing = ["jwks", "token", "aud", "iss", "action", "nonce"].filter((name) => args[name] === undefined);
if (args.vectors !== undefined) {
  const load = (name) => JSON.parse(readFileSync(`${args.vectors}/${name}`, "utf8"));
  actionVectors(load("action.json"));
  await receiptVectors(load("receipt.json"));
} else if (missing.length === 0) {
  await oneReceipt(args);
} else {
  console.error(`give --vectors, or also --${missing.join(" --")}`);
  process.exit(2);
}
console.log(`check_receipt.mjs: ${passed} of ${done} checks passed`);
process.exit(passed === done ? 0 : 1);
