#!/usr/bin/env node
// Is called by the server with everybody's presence as it changes, encrypted: a webhook, rich notifications.
//
//     openssl req -x509 -newkey rsa:2048 -nodes -days 3650 -subj /CN=webhook -keyout key.pem -out certificate.pem
//     PORCHLIGHT_TOKEN=dev:ada: node webhook.mjs --certificate certificate.pem --key key.pem
//
// Outside of development a server calls https:// addresses only: let a proxy take --url, and hand it on to --port.
// Ctrl-C ends the subscription. Needs nothing but Node.js 20 or newer.

import * as crypto from "node:crypto";
import { readFileSync } from "node:fs";
import { createServer } from "node:http";
import { text } from "node:stream/consumers";
import { parseArgs } from "node:util";

const { base, port, url, certificate, key } = parseArgs({
  options: {
    base: { type: "string", default: "http://127.0.0.1:8080" },
    port: { type: "string", default: "0" },
    url: { type: "string" },
    certificate: { type: "string" },
    key: { type: "string" },
  },
}).values;
const x509 = new crypto.X509Certificate(readFileSync(certificate));
const privateKey = crypto.createPrivateKey(readFileSync(key));
const secret = crypto.randomUUID();
const minutes = 50;
// Who signs validation tokens, for Graph as well.
const publisher = "0bf30f3b-4a52-48df-9a82-234910c4a086";
const signers = new Map();
const told = new Set();
let subscription;

async function call(method, path, body) {
  const headers = { Authorization: `Bearer ${process.env.PORCHLIGHT_TOKEN}`, "Content-Type": "application/json" };
  const answer = await fetch(`${base}/v1.0/${path}`, { method, headers, body: body && JSON.stringify(body) });
  const said = await answer.text();
  if (!answer.ok) throw Object.assign(new Error(`${answer.status}: ${said}`), { status: answer.status });
  return said && JSON.parse(said);
}

const end = () => ({ expirationDateTime: new Date(Date.now() + minutes * 60_000).toISOString() });

function subscribe() {
  const notificationUrl = url ?? `http://127.0.0.1:${receiver.address().port}`;
  return call("POST", "subscriptions", {
    resource: "communications/presences", changeType: "updated", notificationUrl, clientState: secret, ...end(),
    includeResourceData: true,
    encryptionCertificate: x509.raw.toString("base64"), encryptionCertificateId: x509.serialNumber,
  });
}

async function renew() {
  try {
    await call("PATCH", `subscriptions/${(await subscription).id}`, end());
  } catch (error) {
    console.error(error.message);
    // It has ended.
    if (error.status === 404) subscription = subscribe().catch(stop);
  }
}

function stop(error) {
  if (error) console.error(error.message);
  process.exit(error ? 1 : 0);
}

/** The tenant that a validation token speaks for. */
async function verify(token) {
  const [head, claims] = token.split(".", 2).map((part) => JSON.parse(Buffer.from(part, "base64url")));
  if (!signers.has(head.kid)) {
    const { keys } = await (await fetch(`${base}/common/discovery/keys`)).json();
    for (const jwk of keys) signers.set(jwk.kid, crypto.createPublicKey({ key: jwk, format: "jwk" }));
  }
  const [signed, signature] = [token.slice(0, token.lastIndexOf(".")), token.slice(token.lastIndexOf(".") + 1)];
  const signer = head.alg === "RS256" && signers.get(head.kid);
  const isSigned = signer && crypto.verify("sha256", signed, signer, Buffer.from(signature, "base64url"));
  const now = Date.now() / 1000;
  const isOurs = claims.aud === (await subscription).applicationId && claims.iss === `${base}/${claims.tid}/`
    && (claims.azp ?? claims.appid) === publisher && claims.nbf < now + 300 && now < claims.exp + 300;
  if (!isSigned || !isOurs) throw new Error("this validation token is not the server's, or not for us");
  return claims.tid;
}

function decrypt({ data, dataKey, dataSignature }) {
  const [sealed, signature] = [Buffer.from(data, "base64"), Buffer.from(dataSignature, "base64")];
  const padding = crypto.constants.RSA_PKCS1_OAEP_PADDING;
  const how = { key: privateKey, padding, oaepHash: "sha1" };
  const secretKey = crypto.privateDecrypt(how, Buffer.from(dataKey, "base64"));
  const expected = crypto.createHmac("sha256", secretKey).update(sealed).digest();
  if (!crypto.timingSafeEqual(expected, signature)) throw new Error("the signature is not that of the data");
  const cipher = crypto.createDecipheriv("aes-256-cbc", secretKey, secretKey.subarray(0, 16));
  return JSON.parse(Buffer.concat([cipher.update(sealed), cipher.final()]));
}

async function take({ value, validationTokens = [] }) {
  const tenants = await Promise.all(validationTokens.map(verify));
  for (const { id, tenantId, clientState, encryptedContent } of value) {
    if (clientState !== secret || !tenants.includes(tenantId)) throw new Error("this notification is not ours");
    // The same again has the same id. To remember some thousands is enough.
    if (told.has(id)) continue;
    if (told.add(id).size > 10_000) told.delete(told.values().next().value);
    const presence = decrypt(encryptedContent);
    console.log(presence.id, `${presence.availability}/${presence.activity}`);
  }
}

let work = Promise.resolve();
const receiver = createServer(async (request, response) => {
  const token = new URL(request.url, "http://here").searchParams.get("validationToken");
  // The server asks whether this address wants to be called.
  if (token) return response.writeHead(200, { "Content-Type": "text/plain" }).end(token);
  const body = await text(request);
  // From here on they are ours to keep. Who must not lose one writes them to disk first.
  response.writeHead(202).end();
  work = work.then(() => take(JSON.parse(body))).catch((error) => console.error(error.message));
});

receiver.listen(Number(port), "127.0.0.1", async () => {
  console.log(`listening on http://127.0.0.1:${receiver.address().port}`);
  subscription = subscribe().catch(stop);
  console.log(`subscribed until ${(await subscription).expirationDateTime}`);
  // So often that a few may fail.
  setInterval(renew, minutes * 10_000);
});

for (const signal of ["SIGINT", "SIGTERM"]) {
  process.once(signal, async () => call("DELETE", `subscriptions/${(await subscription).id}`).then(stop, stop));
}
