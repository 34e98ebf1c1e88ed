// Another client than the one of Home Assistant's own pages: homeassistant-ws, with a long-lived token. It takes the
// server's host, its port, the token, and the id of the user whose token it is.
import assert from "node:assert/strict";
import homeassistant from "homeassistant-ws";

const [host, port, token, userId] = process.argv.slice(2);
const connect = homeassistant.default;
const client = await connect({ host, port, token });
const user = await client.command("auth/current_user");
assert.equal(user.id, userId);
console.log("ok a long-lived token signs in");

const heard = new Promise((resolve) => { client.on("user_updated", resolve); });
await client.command("config/auth/update", { user_id: userId, name: "Anna B." });
assert.equal((await heard).data.user_id, userId);
console.log("ok events are heard");

await assert.rejects(client.getStates(), /Unknown command/);
console.log("ok what a server of accounts does not have is refused in words");

await assert.rejects(connect({ host, port, token: "wrong" }), /Invalid access token or password/);
console.log("ok a wrong token is refused in words");

const closed = new Promise((resolve) => { client.on("ws_close", resolve); });
const mine = (await client.command("auth/refresh_tokens")).find((t) => t.is_current);
client.command("auth/delete_refresh_token", { refresh_token_id: mine.id }).catch(() => {});
await closed;
await assert.rejects(connect({ host, port, token }), /Invalid access token or password/);
console.log("ok a deleted token is closed and refused");
process.exit(0);
