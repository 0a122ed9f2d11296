// What the npm clients of OFREP have in common here: one command a line of standard input, one answer a line of output.
// Runs in the folder of the installed packages.
import { createRequire } from "node:module";
import { createInterface } from "node:readline";

export const require = createRequire(`${process.cwd()}/`);

/** Every request that was sent, with the status of its answer, since it was last told. */
const sent = [];

export async function recorded(input, init) {
  const request = new Request(input, init);
  const { pathname, search } = new URL(request.url);
  const response = await fetch(request);
  sent.push({ path: pathname + search, revalidates: request.headers.has("if-none-match"), status: response.status });
  return response;
}

const CORS_SAFE = ["cache-control", "content-language", "content-length", "content-type", "expires", "last-modified", "pragma"];

/** `fetch` as a page of this origin has it: a preflight first, nothing readable that the server does not open to it. */
export function asPage(origin) {
  return async (input, init) => {
    const request = new Request(input, init);
    const asked = [...request.headers.keys()].filter((name) => !["accept", "accept-language"].includes(name)).sort();
    const preflight = await fetch(request.url, {
      method: "OPTIONS",
      headers: {
        origin,
        "access-control-request-method": request.method,
        "access-control-request-headers": asked.join(","),
      },
    });
    const list = (response, name) => (response.headers.get(name) ?? "").toLowerCase().split(",").map((item) => item.trim());
    const opened = (response) => response.headers.get("access-control-allow-origin") === origin;
    const allowed = list(preflight, "access-control-allow-headers");
    if (!preflight.ok || !opened(preflight)) throw new TypeError(`preflight refused: ${preflight.status}`);
    const refused = asked.filter((name) => !allowed.includes(name));
    if (refused.length > 0) throw new TypeError(`headers refused: ${refused}`);
    request.headers.set("origin", origin);
    const response = await recorded(request);
    if (!opened(response)) throw new TypeError("the answer is not for this origin");
    const readable = [...CORS_SAFE, ...list(response, "access-control-expose-headers")];
    const headers = [...response.headers].filter(([name]) => readable.includes(name));
    const body = [204, 304].includes(response.status) ? null : await response.text();
    return new Response(body, { status: response.status, headers });
  };
}

const asks = {
  boolean: "getBooleanDetails",
  string: "getStringDetails",
  number: "getNumberDetails",
  object: "getObjectDetails",
};

/** Answers commands; `start` gives the client, the others are what it can do beside. */
export async function serve({ start, ...others }) {
  let client;
  const commands = {
    async start(command) {
      client = await start(command);
      return { status: client.providerStatus };
    },
    ask: ({ type, key, default: fallback, context }) =>
      context ? client[asks[type]](key, fallback, context) : client[asks[type]](key, fallback),
    status: () => ({ status: client.providerStatus }),
    requests: () => sent.splice(0),
    ...others,
  };
  for await (const line of createInterface({ input: process.stdin })) {
    const { do: name, ...command } = JSON.parse(line);
    let answer;
    try {
      answer = await commands[name](command);
    } catch (error) {
      answer = { thrown: `${error}` };
    }
    console.log(JSON.stringify(answer ?? {}));
  }
  process.exit(0);
}
