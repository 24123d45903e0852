// Who asks: the caller of a bearer token, or nothing for one that is not good.

import { createPublicKey } from "node:crypto";

import { createVerifier } from "fast-jwt";

const SHORT = /^Bearer dev:([0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}):$/;
const BEARER = "Bearer ";

// Development's: the id of an application, in plain text.
export function shortTokens() {
  return (header) => SHORT.exec(header)?.[1];
}

// An issuer's. What was verified once is remembered under the token itself, which its library names as the faster way.
export function signedTokens({ issuer, audience, jwk }) {
  const key = createPublicKey({ key: jwk, format: "jwk" }).export({ type: "spki", format: "pem" });
  const verify = createVerifier({
    key,
    algorithms: ["RS256"],
    allowedIss: issuer,
    allowedAud: audience,
    cache: 50_000,
    cacheKeyBuilder: (token) => token,
  });
  return (header) => {
    if (!header?.startsWith(BEARER)) return undefined;
    try {
      return verify(header.slice(BEARER.length)).azp;
    } catch {
      return undefined;
    }
  };
}
