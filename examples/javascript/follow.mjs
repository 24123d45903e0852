#!/usr/bin/env node
// Follows everybody's presence as it changes, over one connection that is taken up again when it breaks.
//
//     PORCHLIGHT_TOKEN=dev:ada: node follow.mjs http://127.0.0.1:8080
//
// Needs nothing but Node.js 20 or newer; the same code runs in a browser, whose EventSource cannot send a token.

const [server] = process.argv.slice(2);
const token = process.env.PORCHLIGHT_TOKEN;
const known = new Map();
let lastId;

function take({ event, id, data }) {
  if (event === "snapshot") {
    known.clear();
  } else if (event === "presence") {
    known.set(data.id, data);
    console.log(data.id, `${data.availability}/${data.activity}`);
  } else if (event === "removed") {
    known.delete(data.id);
    console.log(data.id, "removed");
  } else if (event === "current") {
    console.log(`up to date: ${known.size} people`);
  }
  lastId = id ?? lastId;
}

function parse(block) {
  const event = {};
  for (const line of block.split("\n")) {
    const colon = line.indexOf(": ");
    if (colon > 0) event[line.slice(0, colon)] = line.slice(colon + 2);
  }
  return { ...event, data: event.data && JSON.parse(event.data) };
}

async function follow() {
  const headers = { Authorization: `Bearer ${token}`, Accept: "text/event-stream" };
  if (lastId) headers["Last-Event-ID"] = lastId;
  const answer = await fetch(`${server}/v1.0/communications/presences`, { headers });
  if (!answer.ok) {
    console.error(answer.status, await answer.text());
    process.exit(1);
  }
  let unread = "";
  for await (const piece of answer.body.pipeThrough(new TextDecoderStream())) {
    const blocks = (unread + piece).split("\n\n");
    unread = blocks.pop();
    blocks.map(parse).forEach(take);
  }
}

for (;;) {
  await follow().catch((error) => console.error(`${error.cause ?? error}; trying again`));
  await new Promise((resolve) => setTimeout(resolve, 1000));
}
