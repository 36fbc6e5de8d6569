// A new user's first lines: the SDK's development mode finds the server by itself, with nothing configured.
import assert from "node:assert/strict";
import { Client, Receiver } from "@upstash/qstash";
import { startDestination } from "./world.mjs";

const destination = await startDestination();
const client = new Client({ devMode: true });
const { messageId } = await client.publishJSON({ url: destination.url, body: { hello: "world" } });
while (!destination.deliveries.length) await new Promise((passed) => setTimeout(passed, 5));
const [{ headers, body }] = destination.deliveries;
assert.equal(headers["upstash-message-id"], messageId);
assert.ok(await new Receiver({ devMode: true }).verify({ signature: headers["upstash-signature"], body, url: destination.url }));
console.log("delivered and verified");
destination.close();
