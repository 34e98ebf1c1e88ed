// How sessions of home-assistant-js-websocket end, and the ways to begin one that session.mjs leaves out. It takes the
// server's address, its client id, an authorization code, and the refresh token of a system user.
import assert from "node:assert/strict";
import { WebSocket } from "ws";
import { createConnection, createLongLivedTokenAuth, getAuth, getUser, Auth, ERR_INVALID_AUTH } from "home-assistant-js-websocket";

globalThis.WebSocket = WebSocket;
const [hassUrl, clientId, authCode, systemToken] = process.argv.slice(2);
const step = (name) => console.log(`ok ${name}`);
const next = (connection, event) =>
  new Promise((resolve) => connection.addEventListener(event, (_, data) => resolve(data)));
const saveTokens = () => {};

await assert.rejects(
  getAuth({ hassUrl, clientId: "https://other.example/", authCode, saveTokens }),
  (e) => e === ERR_INVALID_AUTH,
);
const auth = await getAuth({ hassUrl, clientId, authCode, saveTokens });
const connection = await createConnection({ auth });
step("3 a code belongs to its client, and is not used up by another");

const token = await connection.sendMessagePromise({
  type: "auth/long_lived_access_token", client_name: "GPS logger", lifespan: 365,
});
const logger = await createConnection({ auth: createLongLivedTokenAuth(hassUrl, token) });
const deleted = (await connection.sendMessagePromise({ type: "auth/refresh_tokens" }))
  .find((t) => t.client_name === "GPS logger");
let ended = next(logger, "reconnect-error");
await connection.sendMessagePromise({ type: "auth/delete_refresh_token", refresh_token_id: deleted.id });
assert.equal(await ended, ERR_INVALID_AUTH);
step("10 the client of a deleted long-lived token does not come back");

const system = new Auth({
  hassUrl, clientId: null, expires: 0, refresh_token: systemToken, access_token: "", expires_in: 0,
}, saveTokens);
assert.equal(system.expired, true);
await system.refreshAccessToken();
assert.equal(system.expired, false);
assert.equal(system.data.refresh_token, systemToken);
const machine = await createConnection({ auth: system });
assert.equal((await getUser(machine)).name, "Supervisor");
machine.close();
step("11 a system user refreshes without a client id");

for (const [grant, status] of [[systemToken, 200], ["wrong", 400]]) {
  const body = new FormData();
  body.append("grant_type", "refresh_token");
  body.append("refresh_token", grant);
  const answer = await fetch(`${hassUrl}/auth/token`, { method: "POST", body, headers: { Origin: "http://example.com" } });
  assert.equal(answer.status, status);
  assert.equal(answer.headers.get("Access-Control-Allow-Origin"), "http://example.com");
}
step("14 a page of any origin may read what the token endpoint says");

const current = (await connection.sendMessagePromise({ type: "auth/refresh_tokens" })).find((t) => t.is_current);
ended = next(connection, "reconnect-error");
const [outcome] = await Promise.allSettled([
  connection.sendMessagePromise({ type: "auth/delete_refresh_token", refresh_token_id: current.id }),
]);
assert.ok(outcome.status === "fulfilled" || outcome.reason.error.code === 3, JSON.stringify(outcome));
assert.equal(await ended, ERR_INVALID_AUTH);
step("15 whoever deletes their own session does not come back");

const page = { protocol: "https:", host: "app.example", pathname: "/lovelace", search: "?tab=1" };
globalThis.location = page;
globalThis.document = { location: { ...page, href: "https://app.example/lovelace?tab=1#top" } };
getAuth({ hassUrl: "http://localhost:8123", saveTokens, loadTokens: async () => null }).catch(() => {});
await new Promise((resolve) => { setTimeout(resolve, 10); });
const state = btoa(JSON.stringify({ hassUrl: "http://localhost:8123", clientId: "https://app.example/" }));
const redirect = new URL(document.location.href);
assert.equal(
  document.location.href,
  "http://localhost:8123/auth/authorize?response_type=code" +
    `&redirect_uri=${encodeURIComponent("https://app.example/lovelace?tab=1&auth_callback=1")}` +
    `&client_id=${encodeURIComponent("https://app.example/")}&state=${encodeURIComponent(state)}`,
);
const answer = await fetch(`${hassUrl}${redirect.pathname}${redirect.search}`);
assert.equal(answer.status, 200);
assert.match(answer.headers.get("Content-Type"), /^text\/html/);
step("16 a client without tokens goes to the sign-in page, which is there");
process.exit(0);
