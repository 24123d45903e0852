// Decrypts one item of a rich notification as its receivers do, with Node's crypto, which is OpenSSL.
//
//   node decrypt.mjs key.pem < item.json
//
// The item holds {"encryptedContent": {"data", "dataSignature", "dataKey"}}, the PEM file the private key. Exit status
// 0: the resource, which is JSON, is on standard output. 1: the item is not what its signature says, or not for this
// key; the reason is on stderr. 2: wrong arguments.
//
// Source of the steps: Graph, "Set up Microsoft Graph change notifications with resource data", section "Decrypting
// resource data".

import { constants, createDecipheriv, createHmac, privateDecrypt, timingSafeEqual } from "node:crypto";
import { readFileSync } from "node:fs";

const [keyPath] = process.argv.slice(2);
if (keyPath === undefined) stop(2, "usage: node decrypt.mjs key.pem < item.json");
const privateKey = readFileSync(keyPath);

try {
  const { encryptedContent } = JSON.parse(readFileSync(0, "utf8"));
  const resource = decrypt(encryptedContent, privateKey);
  JSON.parse(resource);
  console.log(resource);
} catch (error) {
  stop(1, error.message);
}

function decrypt({ data, dataSignature, dataKey }, privateKey) {
  const bytes = Buffer.from(data, "base64");
  // Node's own choices: OAEP, with SHA-1.
  const padding = constants.RSA_PKCS1_OAEP_PADDING;
  const key = privateDecrypt({ key: privateKey, padding }, Buffer.from(dataKey, "base64"));
  const signature = createHmac("sha256", key).update(bytes).digest("base64");
  // As texts, as receivers compare them.
  const isSame = signature.length === dataSignature.length;
  if (!isSame || !timingSafeEqual(Buffer.from(signature), Buffer.from(dataSignature))) {
    throw new Error("the signature is not that of the data");
  }
  const decipher = createDecipheriv("aes-256-cbc", key, key.subarray(0, 16));
  return decipher.update(bytes, undefined, "utf8") + decipher.final("utf8");
}

function stop(status, line) {
  console.error(line);
  process.exit(status);
}
