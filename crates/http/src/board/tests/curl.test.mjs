import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { test } from "node:test";

import { curl, quoted } from "../assets/curl.js";

test("a_shell_reads_every_text_as_the_one_word_that_it_is", () => {
  const texts = [
    "plain", "two words", "it's", "'", "''", "$HOME `id` $(id)", "a\\b", "line\nbreak", "*?[a]", "~", "!x",
    "a;b&c|d",
    '{"statusMessage":{"message":{"content":"Back \\"soon\\", it\'s ü"}}}', "", "#", "-n",
  ];
  const said = execFileSync("sh", ["-c", `printf '%s\\0' ${texts.map(quoted).join(" ")}`]).toString();
  assert.deepEqual(said.split("\0").slice(0, -1), texts);
});

test("a_read_is_a_short_command_with_its_token", () => {
  const call = { method: "GET", url: "http://127.0.0.1:8080/v1.0/me/presence", headers: {}, body: null };
  const head = "curl -i http://127.0.0.1:8080/v1.0/me/presence";
  assert.equal(curl(call, ""), head);
  assert.equal(curl(call, "dev:ada:"), `${head} -H 'Authorization: Bearer dev:ada:'`);
});

test("a_write_has_its_method_its_headers_and_its_body", () => {
  const call = {
    method: "PATCH",
    url: "http://127.0.0.1:8080/v1.0/users?$top=5",
    headers: { "Content-Type": "application/json" },
    body: '{"jobTitle":"it\'s"}',
  };
  const words = [
    "curl -i -X PATCH 'http://127.0.0.1:8080/v1.0/users?$top=5'",
    "-H 'Content-Type: application/json'",
    `--data-raw '{"jobTitle":"it'\\''s"}'`,
  ];
  assert.equal(curl(call, ""), words.join(" "));
});
