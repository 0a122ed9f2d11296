// npm `@openfeature/ofrep-provider` with `@openfeature/server-sdk`: asks one flag at a time.
import { recorded, require, serve } from "./ofrep_client.mjs";

const { OpenFeature } = require("@openfeature/server-sdk");
const { OFREPProvider } = require("@openfeature/ofrep-provider");

await serve({
  async start({ url, headers }) {
    await OpenFeature.setProviderAndWait(new OFREPProvider({ baseUrl: url, headers, fetchImplementation: recorded }));
    return OpenFeature.getClient();
  },
});
