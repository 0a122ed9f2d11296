// npm `@openfeature/ofrep-web-provider` with `@openfeature/web-sdk`: asks for every flag at once, and answers from that.
import { asPage, recorded, require, serve } from "./ofrep_client.mjs";

globalThis.EventSource ??= require("eventsource").EventSource;
const { OpenFeature, ProviderEvents } = require("@openfeature/web-sdk");
const { OFREPWebProvider } = require("@openfeature/ofrep-web-provider");

/** What the SDK told, in order, and who waits for more. */
const events = [];
let wake = () => {};

await serve({
  async start({ url, headers, context, origin, poll, streams }) {
    const names = ["ConfigurationChanged", "ContextChanged", "Stale", "Error"];
    for (const name of names) {
      OpenFeature.addHandler(ProviderEvents[name], ({ flagsChanged, message }) => {
        events.push({ event: name, flagsChanged, message });
        wake();
      });
    }
    const provider = new OFREPWebProvider({
      baseUrl: url,
      headers,
      pollInterval: poll ?? 0,
      changeDetection: streams ? "sse" : "polling",
      cacheMode: "disabled",
      fetchImplementation: origin ? asPage(origin) : recorded,
    });
    await OpenFeature.setProviderAndWait(provider, context ?? {});
    return OpenFeature.getClient();
  },
  async context({ context }) {
    await OpenFeature.setContext(context);
  },
  async event() {
    while (events.length === 0) await new Promise((resolve) => (wake = resolve));
    return events.shift();
  },
});
