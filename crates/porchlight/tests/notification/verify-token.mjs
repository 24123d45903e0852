// Checks a validation token as the receivers of rich notifications do, with a JOSE library that is not ours.
//
//   node verify-token.mjs jwks.json token audience issuer [instant]
//
// jwks.json is what the server answers at /common/discovery/keys. With an instant, such as 2026-11-20T09:00:00Z, the
// token is checked as of then. Exit status 0: the token is good; its claims are on standard output, as JSON. 1: it is
// not; the reason is on stderr. 2: wrong arguments, or no library.
//
// The library is npm's jose 6.2.18. It is looked for in the node_modules of the working directory and the folders
// above, then in NODE_PATH.

import { readFileSync } from "node:fs";
import { createRequire } from "node:module";
import { join } from "node:path";
import { pathToFileURL } from "node:url";

const [jwksPath, token, audience, issuer, instant] = process.argv.slice(2);
if (issuer === undefined) stop(2, "usage: node verify-token.mjs jwks.json token audience issuer [instant]");

const { createLocalJWKSet, jwtVerify } = await library();
const currentDate = instant === undefined ? new Date() : new Date(instant);
const requiredClaims = ["aud", "iss", "iat", "nbf", "exp"];
const rules = { algorithms: ["RS256"], typ: "JWT", audience, issuer, requiredClaims, currentDate };
try {
  const keys = createLocalJWKSet(JSON.parse(readFileSync(jwksPath, "utf8")));
  const { payload, protectedHeader } = await jwtVerify(token, keys, rules);
  if (protectedHeader.kid === undefined) throw new Error("it does not name its key");
  console.log(JSON.stringify(payload));
} catch (error) {
  stop(1, `${error.code ?? error.name}: ${error.message}`);
}

function library() {
  try {
    const require = createRequire(join(process.cwd(), "package.json"));
    return import(pathToFileURL(require.resolve("jose")));
  } catch (error) {
    return stop(2, `the library is missing, npm install jose@6.2.18 first: ${error.message}`);
  }
}

function stop(status, line) {
  console.error(line);
  process.exit(status);
}
