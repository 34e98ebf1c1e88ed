// A client lives through a restart of the server. It takes the server's address, its client id and an authorization code,
// says when the server is to be restarted, and ends when everything is as before.
import assert from "node:assert/strict";
import { WebSocket } from "ws";
import { createConnection, getAuth, getUser } from "home-assistant-js-websocket";

// The ids of all messages that are sent, by connection.
const sent = [];
globalThis.WebSocket = class extends WebSocket {
  constructor(...args) {
    super(...args);
    this.ids = [];
    sent.push(this.ids);
  }
  send(text) {
    const message = JSON.parse(text);
    if (message.id) this.ids.push([message.id, message.type]);
    super.send(text);
  }
};
const [hassUrl, clientId, authCode] = process.argv.slice(2);
const next = (connection, event) => new Promise((resolve) => connection.addEventListener(event, () => resolve()));

const auth = await getAuth({ hassUrl, clientId, authCode, saveTokens: () => {} });
const connection = await createConnection({ auth });
const events = [];
await connection.subscribeEvents((event) => events.push(event), "user_updated");
const user = await getUser(connection);
assert.deepEqual(sent[0].slice(0, 2), [[1, "supported_features"], [3, "subscribe_events"]]);
const disconnected = next(connection, "disconnected");
const ready = next(connection, "ready");
console.log("restart the server");
await disconnected;
await ready;
const again = sent.at(-1);
assert.deepEqual(again.slice(0, 2), [[1, "supported_features"], [2, "subscribe_events"]]);
assert.equal((await getUser(connection)).id, user.id);
await connection.sendMessagePromise({ type: "config/auth/update", user_id: user.id, name: "Anna Again" });
await connection.ping();
assert.equal(events.length, 1);
console.log("ok 13 after a restart the client is back, with its subscriptions");
process.exit(0);
