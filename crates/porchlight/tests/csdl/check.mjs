// Holds the served $metadata against what the server says, with a CSDL parser that is not ours.
//
//   node check.mjs metadata.xml members.json
//
// members.json lists what was seen in JSON: [{"type": "microsoft.graph.presence", "members": ["id", "activity"]}].
// Exit status 0: the XML is CSDL, every type that it refers to is declared in it, and every listed member is declared
// on its type or on a base of it. 1: not so; each fault has a line on stderr. 2: wrong arguments, or no parser.
//
// The parser is npm's odata-csdl 0.11.2, of the OASIS OData committee. It is looked for in the node_modules of the
// working directory and the folders above, then in NODE_PATH.

import { readFileSync } from "node:fs";
import { createRequire } from "node:module";
import { join } from "node:path";

const [metadataPath, membersPath] = process.argv.slice(2);
if (membersPath === undefined) stop(2, ["usage: node check.mjs metadata.xml members.json"]);

const { xml2json } = parser();
const faults = [];
const seen = attempt(membersPath, () => JSON.parse(readFileSync(membersPath, "utf8")));
const model = attempt(metadataPath, () => read(metadataPath));
checkReferences(model);
for (const { type, members } of seen) checkMembers(model, type, members);
if (faults.length > 0) stop(1, faults);

function attempt(path, work) {
  try {
    return work();
  } catch (error) {
    const line = error.parser ? `:${error.parser.line}` : "";
    return stop(1, [`${path}${line}: ${error.message}`]);
  }
}

function stop(status, lines) {
  for (const line of lines) console.error(line);
  process.exit(status);
}

function parser() {
  try {
    return createRequire(join(process.cwd(), "package.json"))("odata-csdl");
  } catch (error) {
    return stop(2, [`the parser is missing, npm install odata-csdl@0.11.2 first: ${error.message}`]);
  }
}

/** The model as CSDL JSON, and its schemas by namespace and alias. */
function read(path) {
  const csdl = xml2json(readFileSync(path), { strict: true });
  const schemas = new Map();
  for (const [name, schema] of Object.entries(csdl)) {
    if (name.startsWith("$")) continue;
    schemas.set(name, schema);
    if (schema.$Alias) schemas.set(schema.$Alias, schema);
  }
  return { csdl, schemas };
}

/** Finds `graph.presence` or `microsoft.graph.presence`; undefined when it is not declared. */
function find({ schemas }, qualifiedName) {
  const dot = qualifiedName.lastIndexOf(".");
  const schema = schemas.get(qualifiedName.slice(0, dot));
  const name = qualifiedName.slice(dot + 1);
  return schema && !name.startsWith("$") && Object.hasOwn(schema, name) ? schema[name] : undefined;
}

/** The parser takes any name for a type; every one must be declared, or be of Edm. */
function checkReferences(model) {
  const visit = (node, where) => {
    if (node === null || typeof node !== "object") return;
    for (const [key, value] of Object.entries(node)) {
      const refers = ["$Type", "$BaseType", "$UnderlyingType"].includes(key);
      if (refers && !value.startsWith("Edm.") && !find(model, value)) {
        faults.push(`${where} refers to ${value}, which is not declared`);
      }
      visit(value, `${where}/${key}`);
    }
  };
  for (const [name, schema] of Object.entries(model.csdl)) if (!name.startsWith("$")) visit(schema, name);
}

function checkMembers(model, typeName, members) {
  if (!find(model, typeName)) {
    faults.push(`type ${typeName} is not declared`);
    return;
  }
  const bases = new Set();
  for (let name = typeName; name && !bases.has(find(model, name)); name = find(model, name)?.$BaseType) {
    bases.add(find(model, name));
  }
  const declared = new Set([...bases].flatMap((type) => Object.keys(type ?? {})));
  for (const member of members) {
    const nameable = !member.startsWith("$") && !member.includes("@");
    if (!nameable || !declared.has(member)) faults.push(`member ${member} is not declared on ${typeName}`);
  }
}
