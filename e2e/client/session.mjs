// One household client, from its first code to the end of its session: what home-assistant-js-websocket does against a
// running server. It takes the server's address, its client id and an authorization code, prints a line for each step
// that went as it should, and fails at the first that did not.
import assert from "node:assert/strict";
import { WebSocket } from "ws";
import {
  createConnection,
  createLongLivedTokenAuth,
  getAuth,
  getUser,
  ERR_INVALID_AUTH,
} from "home-assistant-js-websocket";

globalThis.WebSocket = WebSocket;
const [hassUrl, clientId, authCode] = process.argv.slice(2);

// Every request that the client makes is counted by what it asks for.
const requests = { authorization_code: 0, refresh_token: 0, revoke: 0 };
const realFetch = globalThis.fetch;
globalThis.fetch = (url, options) => {
  const kind = String(url).endsWith("/auth/revoke") ? "revoke" : options.body.get("grant_type");
  requests[kind]++;
  return realFetch(url, options);
};

const step = (name) => console.log(`ok ${name}`);
const next = (connection, event) =>
  new Promise((resolve) => connection.addEventListener(event, (_, data) => resolve(data)));

let saved;
const saveTokens = (data) => { saved = data; };
const auth = await getAuth({ hassUrl: `${hassUrl}/`, clientId, authCode, saveTokens });
assert.equal(saved.hassUrl, hassUrl);
assert.ok(Math.abs(saved.expires - Date.now() - 1_800_000) < 60_000);
step("1 a code becomes tokens");

await assert.rejects(getAuth({ hassUrl, clientId, authCode, saveTokens }), (e) => e === ERR_INVALID_AUTH);
step("2 a code works once");

let connection = await createConnection({ auth });
const user = await getUser(connection);
assert.equal(user.name, "Anna Example");
assert.equal(user.is_owner, true);
assert.equal(user.is_admin, true);
assert.deepEqual(user.credentials, [{ auth_provider_type: "homeassistant", auth_provider_id: null }]);
assert.ok(Array.isArray(user.mfa_modules));
step("4 the connected client knows its user");

await connection.ping();
step("6 ping");

await assert.rejects(connection.sendMessagePromise({ type: "nope" }), (e) => e.code === "unknown_command");
step("7 an unknown command is refused");

await Promise.all(Array.from({ length: 200 }, () => connection.ping()));
step("8 two hundred pings at once");

const longLived = await connection.sendMessagePromise({
  type: "auth/long_lived_access_token", client_name: "GPS logger", lifespan: 365,
});
assert.equal(typeof longLived, "string");
const logger = await createConnection({ auth: createLongLivedTokenAuth(hassUrl, longLived) });
assert.equal((await getUser(logger)).id, user.id);
logger.close();
step("10 a long-lived token signs in");

connection.close();
auth.data.expires = 0;
const before = auth.data.refresh_token;
const refreshed = requests.refresh_token;
connection = await createConnection({ auth });
assert.equal(requests.refresh_token, refreshed + 1);
assert.equal(auth.data.refresh_token, before);
assert.equal(auth.expired, false);
assert.equal((await getUser(connection)).id, user.id);
step("5 an expired access token is refreshed by itself");

const oldAccessToken = auth.accessToken;
const disconnected = next(connection, "disconnected");
const reconnectError = next(connection, "reconnect-error");
await auth.revoke();
await disconnected;
assert.equal(await reconnectError, ERR_INVALID_AUTH);
assert.equal(saved, null);
step("9 revoking ends the connection, and the client does not come back");

await assert.rejects(
  createConnection({ auth: createLongLivedTokenAuth(hassUrl, oldAccessToken), setupRetry: -1 }),
  (e) => e === ERR_INVALID_AUTH,
);
step("12 the revoked session's access token is refused at once");

await assert.rejects(
  createConnection({ auth: { wsUrl: auth.wsUrl, accessToken: oldAccessToken, expired: true, refreshAccessToken: () => auth.refreshAccessToken() } }),
  (e) => e === ERR_INVALID_AUTH,
);
step("2b a revoked refresh token is refused");
process.exit(0);
