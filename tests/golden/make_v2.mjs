// Golden vectors of flagd's v2 bucket hash, from the npm engine. See README.md.
// Its own hash runs over UTF-16 units, so every key here is ASCII.
import { writeFileSync } from "node:fs";
import { FlagdCore } from "@openfeature/flagd-core";

const logger = { error() {}, warn() {}, info() {}, debug() {} };

function winners({ flag, weights: written, unit }, keys) {
  const weights = typeof written === "number" ? Array(written).fill(1) : written;
  const buckets = weights.map((weight, index) => [String(index), weight]);
  const targeting = { fractional: unit ? [{ var: unit }, ...buckets] : buckets };
  const variants = Object.fromEntries(weights.map((_, index) => [String(index), `v${index}`]));
  const core = new FlagdCore(undefined, logger);
  core.setConfigurations(JSON.stringify({ flags: { [flag]: { state: "ENABLED", variants, defaultVariant: "", targeting } } }));
  return keys.map((key) => {
    const context = unit ? { targetingKey: "nobody", [unit]: key } : { targetingKey: key };
    return [key, Number(core.resolveStringEvaluation(flag, "none", context, logger).variant)];
  });
}

// A number stands for so many buckets of weight 1.
const even = 1000;
const cases = [
  ...["checkout-version", "new-pricing", "a", "flag.with.dots", "x".repeat(77), "search_v42"].map((flag) => ({ flag, weights: even })),
  { flag: "one-percent", weights: [1, 99] },
  { flag: "thirds", weights: [33, 33, 34] },
  { flag: "zero-and-negative", weights: [0, 5, -7, 95] },
  { flag: "whole-range", weights: [1073741823, 1, 1073741823] },
  { flag: "explicit", weights: even, unit: "email" },
];
let state = 42;
const random = () => (state = (state * 1103515245 + 12345) % 2147483648);
const shapes = [
  (n) => `user-${n}`,
  (n) => `user${n}@company.com`,
  (n) => n.toString(16).padStart(32, "0"),
  (n) => String(n),
  (n) => "k".repeat(1 + (n % 9)) + n,
];
const out = cases.map((one) => {
  const keys = Array.from({ length: 100 }, (_, index) => shapes[index % shapes.length](random()));
  return { ...one, pairs: winners(one, keys) };
});
writeFileSync("fractional_v2.json", "[\n" + out.map((one) => JSON.stringify(one)).join(",\n") + "\n]\n");
