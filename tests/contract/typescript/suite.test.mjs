// The contract through @upstash/qstash as it is published, against a running server.
import assert from "node:assert/strict";
import { createHash } from "node:crypto";
import { after, afterEach, before, beforeEach, test } from "node:test";
import { Client, QstashDailyRatelimitError, QstashError, Receiver } from "@upstash/qstash";
import { advance, base, control, finish, idle, startDestination, token } from "./world.mjs";

const receiver = new Receiver({
  currentSigningKey: process.env.QSTASH_CURRENT_SIGNING_KEY,
  nextSigningKey: process.env.QSTASH_NEXT_SIGNING_KEY,
});
let client, destination;

before(() => {
  console.error = () => {}; // the SDK tells of each refused request, which here are wanted
  client = new Client({ baseUrl: base, token, retry: false });
});
beforeEach(async () => {
  await control("POST", "reset");
  destination = await startDestination();
});
afterEach(() => destination.close());
after(() => control("POST", "reset"));

const refused = (status, text) => (error) => {
  assert.ok(error instanceof QstashError);
  assert.equal(error.status, status);
  assert.match(error.message, text);
  return true;
};

async function deadLetters(count, options = {}) {
  for (let n = 0; n < count; n += 1) {
    destination.answers.push({ status: 500, body: `answer ${n}` });
    await client.publishJSON({ url: destination.url, body: { n }, retries: 0, ...options });
    await idle();
  }
  return (await client.dlq.listMessages()).messages;
}

test("a delivery is signed, and the receiver takes it", async () => {
  const url = `${destination.url}/jobs//a?x=1&y=a%2Fb`;
  const { messageId } = await client.publishJSON({ url, body: { name: "ä" }, headers: { "x-tenant": "7" } });
  await idle();
  const [delivery] = destination.deliveries;
  assert.equal(delivery.path, "/jobs//a?x=1&y=a%2Fb");
  assert.equal(delivery.body, '{"name":"ä"}');
  assert.equal(delivery.headers["upstash-message-id"], messageId);
  assert.equal(delivery.headers["upstash-retried"], "0");
  assert.equal(delivery.headers["content-type"], "application/json");
  assert.equal(delivery.headers["x-tenant"], "7");
  assert.equal(delivery.headers["user-agent"], "Upstash-QStash");
  assert.equal(delivery.headers["upstash-telemetry-sdk"], undefined);
  const signature = delivery.headers["upstash-signature"];
  const upstashRegion = delivery.headers["upstash-region"];
  assert.ok(await receiver.verify({ signature, body: delivery.body, url, upstashRegion }));
  await assert.rejects(receiver.verify({ signature, body: `${delivery.body} `, url }));
  await assert.rejects(receiver.verify({ signature, body: delivery.body, url: `${url}/` }));
});

test("a message tells how it was published", async () => {
  const { messageId } = await client.publishJSON({
    url: "https://example.com", body: { hello: "world" }, delay: 60, retries: 5, method: "PUT",
    headers: { "test-header": "value", "Upstash-Forward-bypass-tunnel-reminder": "1" },
    callback: "https://example.com/c", failureCallback: "https://example.com/f", label: ["one", "two"],
    retryDelay: "pow(2, retried) * 1000", flowControl: { key: "k", parallelism: 2, rate: 3, period: "1m" },
  });
  const message = await client.messages.get(messageId);
  assert.deepEqual(message.header, {
    "Bypass-Tunnel-Reminder": ["1"], "Content-Type": ["application/json"], "Test-Header": ["value"],
  });
  assert.equal(message.body, '{"hello":"world"}');
  assert.deepEqual([message.method, message.maxRetries, message.retryDelayExpression], ["PUT", 5, "pow(2, retried) * 1000"]);
  assert.deepEqual([message.label, message.labels], ["one", ["one", "two"]]);
  assert.deepEqual([message.flowControlKey, message.parallelism, message.rate, message.period], ["k", 2, 3, 60]);
  assert.equal(message.callback, "https://example.com/c");
  assert.equal(Math.round((message.notBefore - message.createdAt) / 1000), 60);
  assert.deepEqual(await client.messages.cancel(messageId), { cancelled: 1 });
  await assert.rejects(client.messages.get(messageId), refused(404, /not found/));
});

test("retries wait as production does, on a clock that is moved", async () => {
  destination.answers.push({ status: 500 }, { status: 503, headers: { "Retry-After": "1h" } });
  const { messageId } = await client.publish({ url: destination.url, retries: 2, body: "x" });
  await finish();
  assert.deepEqual(destination.deliveries.map(({ headers }) => headers["upstash-retried"]), ["0", "1", "2"]);
  const { logs } = await client.logs({ filter: { messageId } });
  const waits = logs.filter(({ state }) => state === "RETRY").map((log) => Math.round((log.nextDeliveryTime - log.time) / 1000));
  assert.deepEqual(waits, [3600, 12]);
  const states = logs.map(({ state }) => state).reverse();
  assert.deepEqual(states, ["CREATED", "ACTIVE", "ERROR", "RETRY", "ACTIVE", "ERROR", "RETRY", "ACTIVE", "DELIVERED"]);
});

test("a batch, with a queue and a bad message in it", async () => {
  const answers = await client.batchJSON([
    { url: `${destination.url}/1`, body: { n: 1 } },
    { url: `${destination.url}/2`, body: { n: 2 }, queueName: "q" },
    { url: "ftp://example.com", body: { n: 3 } },
  ]);
  assert.match(answers[0].messageId, /^msg_/);
  assert.match(answers[2].error, /endpoint has invalid scheme, add http:\/\/ or https:\/\//);
  await idle();
  assert.deepEqual(destination.deliveries.map(({ path }) => path).sort(), ["/1", "/2"]);
  assert.equal((await client.queue({ queueName: "q" }).get()).lag, 0);
});

test("queues are first in, first out, and can be paused", async () => {
  const queue = client.queue({ queueName: "q" });
  await queue.upsert({ parallelism: 1, paused: true });
  destination.answers.push({ status: 500 });
  for (const n of [1, 2, 3]) await queue.enqueueJSON({ url: `${destination.url}/${n}`, body: { n } });
  const { name, parallelism, paused, lag, createdAt, updatedAt } = await queue.get();
  assert.deepEqual([name, parallelism, paused, lag], ["q", 1, true, 3]);
  assert.ok(updatedAt >= createdAt);
  assert.equal(destination.deliveries.length, 0);
  await queue.resume();
  await finish();
  assert.deepEqual(destination.deliveries.map(({ path }) => path), ["/1", "/1", "/2", "/3"]);
  assert.deepEqual((await client.queue().list()).map((each) => each.name), ["q"]);
  await queue.pause();
  assert.equal((await queue.get()).paused, true);
  await queue.delete();
  await queue.delete();
  await assert.rejects(queue.get(), refused(404, /queue q not found/));
});

test("a URL group's endpoints each get a message", async () => {
  const name = "group";
  await client.urlGroups.addEndpoints({ name, endpoints: [{ name: "a", url: `${destination.url}/a` }, { url: `${destination.url}/b` }] });
  const group = await client.urlGroups.get(name);
  assert.deepEqual(group.endpoints, [{ name: "a", url: `${destination.url}/a` }, { url: `${destination.url}/b` }]);
  const answers = await client.publishJSON({ urlGroup: name, body: {} });
  assert.deepEqual(answers.map(({ url }) => url), group.endpoints.map(({ url }) => url));
  await idle();
  for (const { path, headers, body } of destination.deliveries) {
    assert.equal(headers["upstash-topic-name"], name);
    assert.ok(await receiver.verify({ signature: headers["upstash-signature"], body, url: destination.url + path }));
  }
  const { logs } = await client.logs({ filter: { urlGroup: name } });
  assert.deepEqual(new Set(logs.map(({ urlGroup }) => urlGroup)), new Set([name]));
  await client.urlGroups.removeEndpoints({ name, endpoints: [{ name: "a" }, { url: `${destination.url}/b` }] });
  assert.deepEqual(await client.urlGroups.list(), []);
  await client.urlGroups.delete(name);
});

test("schedules", async () => {
  const { scheduleId } = await client.schedules.create({
    destination: destination.url, cron: "*/10 * * * * ", body: "first", label: "l", retries: 1, timeout: "30s", scheduleId: "mine",
  });
  assert.equal(scheduleId, "mine");
  const schedule = await client.schedules.get("mine");
  assert.deepEqual([schedule.cron, schedule.body, schedule.isPaused, schedule.retries], ["*/10 * * * *", "first", false, 1]);
  await advance("10m");
  await idle();
  assert.deepEqual(destination.deliveries.map(({ body }) => body), ["first"]);
  assert.equal(destination.deliveries[0].headers["upstash-schedule-id"], "mine");
  assert.deepEqual(Object.values((await client.schedules.get("mine")).lastScheduleStates), ["SUCCESS"]);
  await client.schedules.create({ destination: destination.url, cron: "CRON_TZ=Europe/Paris 0 4 * * *", scheduleId: "mine" });
  const replaced = await client.schedules.get("mine");
  assert.deepEqual([replaced.body, replaced.cron], [undefined, "CRON_TZ=Europe/Paris 0 4 * * *"]);
  await client.schedules.pause({ schedule: "mine" });
  assert.equal((await client.schedules.get("mine")).isPaused, true);
  await client.schedules.resume({ schedule: "mine" });
  assert.equal((await client.schedules.list()).length, 1);
  await client.schedules.delete("mine");
  await assert.rejects(client.schedules.get("mine"), refused(404, /not found/));
  await assert.rejects(client.schedules.create({ destination: destination.url, cron: "61 * * * *" }), refused(400, /invalid Upstash-Cron header/));
});

test("a schedule over the change to summer time", async () => {
  await control("POST", "clock", { set: Date.parse("2030-03-30T12:00:00+01:00") / 1000 });
  await client.schedules.create({ destination: destination.url, cron: "CRON_TZ=Europe/Paris 30 2 * * *", scheduleId: "s" });
  const next = async () => new Date((await client.schedules.get("s")).nextScheduleTime).toISOString();
  assert.equal(await next(), "2030-03-31T01:00:00.000Z");
  await control("POST", "clock", { set: Date.parse("2030-03-31T01:00:01Z") / 1000 });
  await idle();
  assert.equal(destination.deliveries.length, 1);
  assert.equal(await next(), "2030-04-01T00:30:00.000Z");
});

test("cancelling: one, many, by filter, all", async () => {
  const ids = [];
  for (const label of ["a", "b", "b", "c", "d"]) {
    ids.push((await client.publishJSON({ url: `${destination.url}/${label}`, body: {}, delay: 60, label })).messageId);
  }
  assert.deepEqual(await client.messages.cancel([ids[0], "msg_none"]), { cancelled: 1 });
  assert.deepEqual(await client.messages.cancel([]), { cancelled: 0 });
  const byFilter = await client.messages.cancel({ filter: { label: ["b", "x"], url: `${destination.url}/b` } });
  assert.equal(byFilter.cancelled, 2);
  const [action] = await (await fetch(`${base}/v2/bulkActions`, { headers: { Authorization: `Bearer ${token}` } })).json();
  assert.deepEqual([action.kind, action.state, action.total, action.processed], ["cancel", "FINISHED", 2, 2]);
  assert.deepEqual(action.filter.label, ["b", "x"]);
  assert.equal((await client.messages.cancel({ all: true })).cancelled, 2);
  await assert.rejects(client.messages.cancel(ids[0]), refused(404, /not found/));
  await assert.rejects(client.messages.cancel({ filter: { labeel: "x" } }), refused(400, /unknown filter/));
});

test("dead letters: read, page, filter, retry, delete", async () => {
  const letters = await deadLetters(4, { label: "l" });
  assert.deepEqual(letters.map(({ responseStatus, responseBody }) => [responseStatus, responseBody])[0], [500, "answer 0"]);
  const ids = letters.map(({ dlqId }) => dlqId);
  const paged = [];
  let cursor;
  do {
    const page = await client.dlq.listMessages({ count: 3, cursor });
    paged.push(...page.messages.map(({ dlqId }) => dlqId));
    cursor = page.cursor;
  } while (cursor);
  assert.deepEqual(paged, ids);
  const found = await client.dlq.listMessages({ filter: { label: "l", responseStatus: 500, url: destination.url } });
  assert.equal(found.messages.length, 4);
  assert.equal((await client.dlq.listMessages({ dlqIds: [ids[1]] })).messages[0].messageId, letters[1].messageId);
  const retried = await client.dlq.retry(ids[0]);
  assert.equal(retried.responses.length, 1);
  assert.equal(retried.cursor, undefined);
  await idle();
  assert.equal(destination.deliveries.at(-1).headers["upstash-message-id"], retried.responses[0].messageId);
  assert.deepEqual(await client.dlq.delete(ids[1]), { deleted: 1 });
  await assert.rejects(client.dlq.delete(ids[1]), refused(404, /not found/));
  assert.deepEqual(await client.dlq.delete({ dlqIds: [ids[2], "1-1"] }), { deleted: 1 });
  await assert.rejects(client.dlq.delete({ filter: { labeel: "x" } }), refused(400, /unknown filter/));
  await assert.rejects(client.dlq.listMessages({ filter: { host: "x" } }), refused(400, /unknown filter/));
  assert.equal((await client.dlq.retry({ all: true })).responses.length, 1);
  assert.deepEqual((await client.dlq.listMessages()).messages, []);
});

test("dead letters are deleted page by page", async () => {
  await deadLetters(3);
  let deleted = 0, calls = 0, cursor;
  do {
    const answer = await client.dlq.delete({ all: true, count: 2, cursor });
    deleted += answer.deleted;
    calls += 1;
    cursor = answer.cursor;
  } while (cursor);
  assert.deepEqual([deleted, calls], [3, 2]);
});

test("the log's pages and filters", async () => {
  for (const label of ["a", "b"]) {
    await client.publishJSON({ url: `${destination.url}/${label}`, body: {}, label });
    await idle();
  }
  const { logs } = await client.logs();
  assert.equal(logs.length, 6);
  assert.equal(Buffer.from(logs[0].body, "base64").toString(), "{}");
  const seen = [];
  let cursor;
  do {
    const page = await client.logs({ count: 4, cursor });
    seen.push(...page.logs);
    cursor = page.cursor;
  } while (cursor);
  assert.deepEqual(seen, logs);
  const of = async (filter) => (await client.logs({ filter })).logs.map(({ state }) => state);
  assert.deepEqual(await of({ label: "a", state: "DELIVERED" }), ["DELIVERED"]);
  assert.deepEqual(await of({ path: "/b" }), ["DELIVERED", "ACTIVE", "CREATED"]);
  assert.deepEqual(await of({ state: "IN_PROGRESS", host: "127.0.0.1" }), ["ACTIVE", "ACTIVE"]);
  assert.deepEqual(await of({ fromDate: new Date(Date.now() + 60_000) }), []);
  assert.equal((await client.logs({ messageIds: [logs[0].messageId, "msg_none"] })).logs.length, 3);
});

test("flow control: read, pause, pin, reset", async () => {
  const flowControl = { key: "a/b", parallelism: 2, rate: 1, period: "1h" };
  await client.flowControl.pause("a/b");
  for (const n of [1, 2]) await client.publishJSON({ url: `${destination.url}/${n}`, body: {}, flowControl });
  assert.equal((await client.flowControl.get("a/b")).waitListSize, 2);
  await client.flowControl.resume("a/b");
  await client.flowControl.resetRate("a/b");
  await client.flowControl.resetRate("a/b");
  await idle();
  assert.equal(destination.deliveries.length, 2);
  await client.flowControl.pin("a/b", { parallelism: 7, rate: 9, period: 60 });
  await client.publishJSON({ url: destination.url, body: {}, flowControl });
  const info = await client.flowControl.get("a/b");
  assert.deepEqual(
    [info.parallelismMax, info.rateMax, info.ratePeriod, info.isPinnedParallelism, info.isPinnedRate, info.isPaused],
    [7, 9, 60, true, true, false],
  );
  await client.flowControl.unpin("a/b", { parallelism: true, rate: true });
  await client.publishJSON({ url: destination.url, body: {}, flowControl });
  assert.equal((await client.flowControl.get("a/b")).parallelismMax, 2);
  assert.ok((await client.flowControl.getGlobalParallelism()).parallelismMax > 0);
  await assert.rejects(client.flowControl.get("none"), refused(404, /not found/));
});

test("callbacks are signed messages of their own", async () => {
  destination.answers.push({ status: 489, headers: { "Upstash-NonRetryable-Error": "true" }, body: "no" });
  const failureCallback = `${destination.url}/failure`;
  const { messageId } = await client.publishJSON({ url: destination.url, body: { a: 1 }, retries: 3, failureCallback });
  await idle();
  const [, report] = destination.deliveries;
  assert.ok(await receiver.verify({ signature: report.headers["upstash-signature"], body: report.body, url: failureCallback }));
  const body = JSON.parse(report.body);
  assert.deepEqual([body.status, body.sourceMessageId, body.retried, body.maxRetries], [489, messageId, 0, 3]);
  assert.equal(Buffer.from(body.body, "base64").toString(), "no");
  assert.deepEqual(JSON.parse(Buffer.from(body.sourceBody, "base64").toString()), { a: 1 });
  assert.equal(body.dlqId, (await client.dlq.listMessages()).messages[0].dlqId);
});

test("what is redacted is delivered and not shown", async () => {
  const { messageId } = await client.publishJSON({
    url: destination.url, body: { secret: 1 }, headers: { "x-key": "private" }, delay: 60,
    redact: { body: true, header: ["X-Key"] },
  });
  const hash = (text) => `REDACTED:${createHash("sha256").update(text).digest("hex")}`;
  const message = await client.messages.get(messageId);
  assert.equal(message.body, hash('{"secret":1}'));
  assert.deepEqual(message.header["X-Key"], [hash("private")]);
  await finish();
  assert.equal(destination.deliveries[0].body, '{"secret":1}');
  assert.equal(destination.deliveries[0].headers["x-key"], "private");
});

test("duplicates are swallowed for ten minutes", async () => {
  const publish = () => client.publishJSON({ url: destination.url, body: {}, deduplicationId: "d" });
  const first = await publish();
  assert.deepEqual(await publish(), { messageId: first.messageId, deduplicated: true });
  await advance("601s");
  assert.notEqual((await publish()).messageId, first.messageId);
  await assert.rejects(client.publishJSON({ url: destination.url, deduplicationId: "a:b" }), refused(400, /DeduplicationId cannot contain ':'/));
});

test("what is wrong is said", async () => {
  const stranger = new Client({ baseUrl: base, token: "wrong", retry: false });
  await assert.rejects(stranger.publishJSON({ url: destination.url, body: {} }), refused(401, /unable to authenticate: invalid token/));
  await assert.rejects(client.publishJSON({ url: destination.url, retries: 6 }), refused(412, /quota maxRetries exceeded/));
  await assert.rejects(client.publishJSON({ url: destination.url, delay: "soon" }), refused(400, /time: invalid duration/));
  await assert.rejects(client.publishJSON({ url: destination.url, retryDelay: "process.exit()" }), refused(400, /invalid Upstash-Retry-Delay header/));
  assert.ok(QstashDailyRatelimitError);
});

test("each user has a world of its own", async () => {
  const other = new Client({
    baseUrl: base, token: "eyJVc2VySUQiOiJ0ZXN0VXNlcjEiLCJQYXNzd29yZCI6InRlc3RQYXNzd29yZCJ9", retry: false,
  });
  const { messageId } = await client.publishJSON({ url: destination.url, body: {}, delay: 60 });
  await assert.rejects(other.messages.get(messageId), refused(404, /not found/));
  await other.publish({ url: destination.url, body: "theirs" });
  await idle().catch(() => {});
  const [{ headers, body }] = destination.deliveries;
  const theirs = new Receiver({ currentSigningKey: "sig_7GVPjvuwsfqF65iC8fSrs1dfYruM", nextSigningKey: "sig_5NoELc3EFnZn4DVS5bDs2Nk4b7Ua" });
  assert.ok(await theirs.verify({ signature: headers["upstash-signature"], body }));
  await assert.rejects(receiver.verify({ signature: headers["upstash-signature"], body }));
});
