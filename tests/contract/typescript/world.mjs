// What the suite needs beside the SDK: a destination that keeps what it gets, and the server's control interface.
import { createServer } from "node:http";

export const base = process.env.QSTASH_URL;
export const token = process.env.QSTASH_TOKEN;

/** A web server that answers what it was told, in order, and then always 200. */
export async function startDestination() {
  const deliveries = [];
  const answers = [];
  const server = createServer((request, response) => {
    const chunks = [];
    request.on("data", (chunk) => chunks.push(chunk));
    request.on("end", () => {
      deliveries.push({
        method: request.method,
        path: request.url,
        headers: request.headers,
        body: Buffer.concat(chunks).toString(),
      });
      const { status = 200, headers = {}, body = "" } = answers.shift() ?? {};
      response.writeHead(status, headers).end(body);
    });
  });
  await new Promise((listening) => server.listen(0, "127.0.0.1", listening));
  const url = `http://127.0.0.1:${server.address().port}`;
  return { url, deliveries, answers, close: () => (server.closeAllConnections(), server.close()) };
}

/** A request to the control interface. */
export async function control(method, path, body) {
  const answer = await fetch(`${base}/control/${path}`, {
    method,
    headers: { Authorization: `Bearer ${token}` },
    body: body === undefined ? undefined : JSON.stringify(body),
  });
  if (!answer.ok) throw new Error(`${method} ${path}: ${answer.status} ${await answer.text()}`);
  return answer.json();
}

export const idle = () => control("POST", "idle?timeout=20s");
/** Let all retries and delays pass in a moment. */
export const finish = () => control("POST", "finish?timeout=20s");
export const advance = (span) => control("POST", "clock", { advance: span });
