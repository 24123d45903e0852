/**
 * A call of the API as a command to paste into a shell.
 */

/**
 * The text as one word of a POSIX shell, whatever is in it.
 * @param {string} text
 * @returns {string}
 */
export function quoted(text) {
  const isPlain = /^[A-Za-z0-9_.,:=/@%+-]+$/.test(text);
  return isPlain ? text : `'${text.replaceAll("'", "'\\''")}'`;
}

/**
 * The command. It shows the answer's head too: what the API has to say is often there.
 * @param {Pick<import("./api.js").Call, "method" | "url" | "headers" | "body">} call
 * @param {string} token what it was sent with; none when empty
 * @returns {string}
 */
export function curl(call, token) {
  const words = ["curl", "-i"];
  if (call.method !== "GET") {
    words.push("-X", call.method);
  }
  words.push(quoted(call.url));
  if (token) {
    words.push("-H", quoted(`Authorization: Bearer ${token}`));
  }
  for (const [name, value] of Object.entries(call.headers)) {
    words.push("-H", quoted(`${name}: ${value}`));
  }
  // Not `--data`: that would take a text that begins with @ for the name of a file.
  if (call.body !== null) {
    words.push("--data-raw", quoted(call.body));
  }
  return words.join(" ");
}
