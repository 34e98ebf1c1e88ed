// What a login sends, against a fetch that writes down what it is asked.
import assert from "node:assert/strict";
import { beforeEach, test } from "node:test";
import { Login, call } from "../static/oauth.js";

let sent = [];
let answers = [];

beforeEach(() => {
  sent = [];
  answers = [];
  globalThis.fetch = async (url, { method, headers, body }) => {
    sent.push({ method, path: String(url).replace(/^.*\/(?=auth\/)/, ""), headers, body: body === undefined ? undefined : JSON.parse(body) });
    const [status, answer] = answers.shift() ?? [200, { type: "form", flow_id: "f1" }];
    return new Response(typeof answer === "string" ? answer : JSON.stringify(answer), { status });
  };
});

const request = { clientId: "https://a/", redirectUri: "https://a/cb", challenge: null, challengeMethod: null };
const local = { type: "homeassistant", id: null };

test("spec: login-page.md, §4: the start names client, handler and redirect, and no type", async () => {
  await new Login(request).start(local);
  assert.equal(sent[0].method, "POST");
  assert.equal(sent[0].path, "auth/login_flow");
  assert.deepEqual(sent[0].body, { client_id: "https://a/", handler: ["homeassistant", null], redirect_uri: "https://a/cb" });
});

test("spec: login-page.md, §1: a code challenge is passed on", async () => {
  await new Login({ ...request, challenge: "abc", challengeMethod: "S256" }).start(local);
  assert.equal(sent[0].body.code_challenge, "abc");
  assert.equal(sent[0].body.code_challenge_method, "S256");
});

test("spec: login-page.md, §6: an answer carries the values and the client id", async () => {
  const login = new Login(request);
  await login.start(local);
  await login.answer({ username: "anna", password: "pw", client_id: "forged" });
  assert.equal(sent[1].path, "auth/login_flow/f1");
  assert.deepEqual(sent[1].body, { username: "anna", password: "pw", client_id: "https://a/" });
});

test("spec: security.md, 48: every request of a login carries the same secret, another login another", async () => {
  const login = new Login(request);
  await login.start(local);
  await login.answer({});
  login.drop();
  await new Login(request).start(local);
  const secrets = sent.map(({ headers }) => headers["X-Latchkey-Binding"]);
  assert.match(secrets[0], /^[0-9a-f]{64}$/);
  assert.equal(secrets[1], secrets[0]);
  assert.equal(sent[2].method, "DELETE");
  assert.equal(secrets[2], secrets[0]);
  assert.notEqual(secrets[3], secrets[0]);
});

test("spec: login-page.md, P-12: only a flow that shows a form is dropped, and only once", async () => {
  const login = new Login(request);
  login.drop();
  assert.equal(sent.length, 0);
  await login.start(local);
  login.drop();
  login.drop();
  assert.equal(sent.filter(({ method }) => method === "DELETE").length, 1);
  for (const over of [[200, { type: "abort" }], [200, { type: "create_entry" }], [403, {}], [404, {}]]) {
    sent = [];
    const other = new Login(request);
    await other.start(local);
    answers = [over];
    await other.answer({});
    other.drop();
    assert.equal(sent.length, 2, JSON.stringify(over));
  }
});

test("an answer that is not JSON has no body but its status", async () => {
  answers = [[403, "403: Forbidden"]];
  assert.deepEqual(await call("GET", "auth/providers"), { ok: false, status: 403, body: null });
});

test("an answer that does not come in good time is waited for no more", async () => {
  const timeout = AbortSignal.timeout;
  AbortSignal.timeout = () => AbortSignal.abort(new Error("late"));
  globalThis.fetch = async (_, { signal }) => {
    signal.throwIfAborted();
    return new Response("{}");
  };
  try {
    await assert.rejects(call("GET", "auth/providers"), { message: "late" });
  } finally {
    AbortSignal.timeout = timeout;
  }
});
