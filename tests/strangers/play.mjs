// Plays a Postman collection (format 2.1) as it was published: variables, authentication, requests,
// and its own scripts. Usage: node play.mjs COLLECTION ENVIRONMENT [--origin https://a=http://b]...
// [--file FORM_FIELD=PATH]...   Prints one JSON line for each request, and ends with 1 if one failed.
import { readFileSync } from "node:fs";
import vm from "node:vm";

const options = { origin: {}, file: {} };
const files = [];
for (let at = 2; at < process.argv.length; at += 1) {
  const word = process.argv[at];
  if (word.startsWith("--")) {
    const [key, ...rest] = process.argv[(at += 1)].split("=");
    options[word.slice(2)][key] = rest.join("=");
  } else files.push(JSON.parse(readFileSync(word, "utf8")));
}
const [collection, environment] = files;

const values = (list) => new Map((list ?? []).map((one) => [one.key, one.value]));
const scopes = { environment: values(environment?.values), collection: values(collection.variable) };
const scope = (map) => ({
  get: (name) => map.get(name),
  set: (name, value) => void map.set(name, value),
  unset: (name) => void map.delete(name),
});

// A variable may hold others. One that is not set stays as it is written, as in Postman.
function resolved(text, depth = 0) {
  const filled = String(text).replace(/\{\{([^{}]+)\}\}/g, (all, name) => {
    for (const map of [scopes.environment, scopes.collection]) if (map.has(name)) return String(map.get(name));
    return all;
  });
  return depth < 10 && filled !== text ? resolved(filled, depth + 1) : filled;
}

// The part of chai that such scripts use: words in a row, and checks at their end.
class Failed extends Error {}
function expect(found) {
  const state = { not: false };
  const check = (holds, words) => {
    if (holds === state.not) throw new Failed(`expected ${JSON.stringify(found)} ${state.not ? "not " : ""}${words}`);
  };
  const same = (one, other) => JSON.stringify(one) === JSON.stringify(other);
  const kind = (name) => check((Array.isArray(found) ? "array" : typeof found) === name, `to be a ${name}`);
  kind.string = undefined; // `to.be.a.string` checks nothing in chai, either
  const words = {
    eq: (other) => check(found === other, `to equal ${JSON.stringify(other)}`),
    eql: (other) => check(same(found, other), `to equal ${JSON.stringify(other)}`),
    greaterThan: (other) => {
      if (typeof found !== "number") throw new Failed(`expected ${JSON.stringify(found)} to be a number`);
      check(found > other, `to be above ${other}`);
    },
    include: (other) => check(found.includes(other), `to include ${JSON.stringify(other)}`),
    property: (name) => check(found != null && name in Object(found), `to have ${name}`),
    a: kind,
    an: kind,
  };
  words.equal = words.eq;
  words.above = words.greaterThan;
  const properties = {
    exist: () => check(found !== undefined && found !== null, "to exist"),
    empty: () => check((found?.length ?? Object.keys(found ?? {}).length) === 0, "to be empty"),
    true: () => check(found === true, "to be true"),
    false: () => check(found === false, "to be false"),
  };
  const chain = new Proxy(words, {
    get: (_target, name) => {
      if (name === "not") state.not = !state.not;
      if (name in properties) return properties[name]();
      return name in words ? words[name] : chain;
    },
  });
  return chain;
}

function responseOf(status, text) {
  const has = (holds, words) => {
    if (!holds) throw new Failed(`the answer ${status} ${words}: ${text.slice(0, 300)}`);
  };
  const isJson = () => {
    try {
      JSON.parse(text);
      return true;
    } catch {
      return false;
    }
  };
  const be = {
    get ok() { return has(status >= 200 && status < 300, "is no success"); },
    get withBody() { return has(text !== "", "has no body"); },
    get json() { return has(isJson(), "is no JSON"); },
  };
  const notBe = { get withBody() { return has(text === "", "has a body"); } };
  return {
    code: status,
    json: () => JSON.parse(text),
    text: () => text,
    to: { have: { status: (wanted) => has(status === wanted, `is not ${wanted}`) }, be, not: { be: notBe } },
  };
}

function run(item, when, response, faults) {
  for (const event of item.event ?? []) {
    if (event.listen !== when) continue;
    const pm = {
      test: (name, body) => {
        try {
          body();
        } catch (error) {
          faults.push(`${name}: ${error.message}`);
        }
      },
      expect,
      response,
      environment: scope(scopes.environment),
      collectionVariables: scope(scopes.collection),
      variables: { get: (name) => scopes.collection.get(name) ?? scopes.environment.get(name) },
    };
    try {
      vm.runInNewContext(event.script.exec.join("\n"), {
        pm,
        responseBody: response?.text(),
        console: { log() {} },
      });
    } catch (error) {
      faults.push(`${when} script: ${error.message}`);
    }
  }
}

function bodyOf(body, headers) {
  if (body === undefined) return undefined;
  if (body.mode === "raw") return resolved(body.raw);
  const fields = (body[body.mode] ?? []).filter((one) => !one.disabled);
  if (body.mode === "urlencoded") {
    const form = new URLSearchParams(fields.map((one) => [resolved(one.key), resolved(one.value)]));
    headers["content-type"] ??= "application/x-www-form-urlencoded";
    return form.toString();
  }
  delete headers["content-type"]; // fetch writes it, with the boundary
  const form = new FormData();
  for (const one of fields) {
    if (one.type !== "file") form.append(one.key, resolved(one.value));
    else if (options.file[one.key]) form.append(one.key, new Blob([readFileSync(options.file[one.key])]), "upload");
  }
  return form;
}

async function play(item, path) {
  const faults = [];
  const { request } = item;
  run(item, "prerequest", undefined, faults);
  if (faults.length) {
    // As Postman does: a request whose own script fails is not sent.
    console.log(JSON.stringify({ path, method: request.method, url: "", status: 0, faults }));
    return faults.length;
  }
  const headers = {};
  for (const one of request.header ?? []) if (!one.disabled) headers[one.key.toLowerCase()] = resolved(one.value);
  if (request.auth?.type === "basic") {
    const own = values(request.auth.basic);
    const pair = `${resolved(own.get("username"))}:${resolved(own.get("password"))}`;
    headers.authorization = `Basic ${Buffer.from(pair).toString("base64")}`;
  }
  let url = resolved(request.url.raw ?? request.url);
  for (const [from, to] of Object.entries(options.origin)) if (url.startsWith(from)) url = to + url.slice(from.length);
  const body = bodyOf(request.body, headers);
  let status = 0;
  try {
    const answer = await fetch(url, { method: request.method, headers, body: request.method === "GET" ? undefined : body });
    status = answer.status;
    run(item, "test", responseOf(status, await answer.text()), faults);
  } catch (error) {
    faults.push(`no answer from ${url}: ${error.message}`);
  }
  console.log(JSON.stringify({ path, method: request.method, url, status, faults }));
  return faults.length;
}

async function each(items, path) {
  let failed = 0;
  for (const item of items) {
    const here = [...path, item.name];
    failed += item.item ? await each(item.item, here) : await play(item, here.join(" / "));
  }
  return failed;
}

process.exitCode = (await each(collection.item, [])) ? 1 : 0;
