// Reads a presence some times with Microsoft's own Graph client for JavaScript, whose RetryHandler decides whether to
// wait when the server answers 429, and for how long.
//
//   node retry.mjs base token times
//
// base is the server's URL without a version. Standard output: one JSON object, with the availability that each read
// has given, and every answer that came: its status, its Retry-After, and when it came, in milliseconds. Exit status 0:
// every read has succeeded; 1: one has failed; 2: wrong arguments, or no library.
//
// The library is npm's @microsoft/microsoft-graph-client 3.0.7. It is looked for in the node_modules of the working
// directory and the folders above, then in NODE_PATH. It sends tokens to hosts with https alone by itself, so the token
// goes by a middleware of this file; all the others are the library's.

import { createRequire } from "node:module";
import { join } from "node:path";

const [base, token, times] = process.argv.slice(2);
if (times === undefined) stop(2, "usage: node retry.mjs base token times");

const { Client, HTTPMessageHandler, RetryHandler } = library();

class Token {
  async execute(context) {
    context.options.headers = { ...context.options.headers, Authorization: `Bearer ${token}` };
    await this.next.execute(context);
  }
  setNext(next) {
    this.next = next;
  }
}

// Notes what the client is answered.
class Notes {
  answers = [];
  async execute(context) {
    await this.next.execute(context);
    const { status, headers } = context.response;
    this.answers.push({ status, retryAfter: headers.get("Retry-After"), at: performance.now() });
  }
  setNext(next) {
    this.next = next;
  }
}

const [retry, notes] = [new RetryHandler(), new Notes()];
const chain = [new Token(), retry, notes, new HTTPMessageHandler()];
chain.slice(0, -1).forEach((one, at) => one.setNext(chain[at + 1]));
const client = Client.initWithMiddleware({ baseUrl: `${base}/`, defaultVersion: "v1.0", middleware: chain[0] });

const availabilities = [];
try {
  for (let time = 0; time < Number(times); time += 1) {
    const presence = await client.api("/me/presence").get();
    availabilities.push(presence.availability);
  }
} catch (error) {
  stop(1, `${error.statusCode} ${error.code}: ${error.message}`);
}
console.log(JSON.stringify({ availabilities, answers: notes.answers }));

function library() {
  try {
    const require = createRequire(join(process.cwd(), "package.json"));
    return require("@microsoft/microsoft-graph-client");
  } catch (error) {
    return stop(2, `the library is missing, npm install @microsoft/microsoft-graph-client@3.0.7 first: ${error.message}`);
  }
}

function stop(status, line) {
  console.error(line);
  process.exit(status);
}
