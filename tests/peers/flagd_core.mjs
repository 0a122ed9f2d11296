// npm `@openfeature/flagd-core` as a peer: JSON lines in, one answer a line out, as `flagway eval --batch` has them.
// Runs in the folder of the installed packages.
//
// A line with `"amended": true` is answered by the same engine with its defects that are ruled on repaired, each only where
// it bites, and tells in `rulings` which repairs were put to use. So a difference is ruled on exactly when the repaired
// engine agrees with ours. `tests/conformance/rulings.rs` says what each name stands for.
import { createRequire } from "node:module";
import { createInterface } from "node:readline";

const require = createRequire(`${process.cwd()}/`);
const { FlagdCore } = require("@openfeature/flagd-core");
const { LogicEngine } = require("json-logic-engine");

const logger = { error() {}, warn() {}, info() {}, debug() {} };
const parseError = { reason: "ERROR", errorCode: "PARSE_ERROR" };
const asks = {
  boolean: "resolveBooleanEvaluation",
  string: "resolveStringEvaluation",
  number: "resolveNumberEvaluation",
  object: "resolveObjectEvaluation",
};

let now = 0;
Date.now = () => now * 1000;

function load(document) {
  const core = new FlagdCore(undefined, logger);
  core.setConfigurations(JSON.stringify(document));
  return core;
}

function ask(core, { flagKey, type, context }) {
  const { value, variant, reason, errorCode, flagMetadata } = core[asks[type]](flagKey, null, context, logger);
  // Without a variant the value is the caller's own default.
  return { value: variant === undefined ? undefined : value, variant, reason, errorCode, flagMetadata };
}

function answer(line) {
  let core;
  try {
    core = load(line.flags);
  } catch {
    return parseError;
  }
  return ask(core, line);
}

// What follows repairs.

const used = new Set();
const ruled = (name, value) => (used.add(name), value);
const isList = Array.isArray;
const isObject = (value) => typeof value === "object" && value !== null && !isList(value);
const isDeep = (value) => typeof value === "object" && value !== null;
const decimal = /^[+-]?(\d+\.?\d*|\.\d+)([eE][+-]?\d+)?$/;

/** What a value is as a number; NaN for what has none. */
function number(value) {
  if (typeof value !== "string") return isDeep(value) ? NaN : Number(value);
  const text = value.replace(/^[ \t\n\r\f]+|[ \t\n\r\f]+$/g, "");
  return decimal.test(text) && Number.isFinite(Number(text)) ? Number(text) : NaN;
}

/** What a value is as a text. */
function text(value) {
  if (value === null || value === undefined || Number.isNaN(value)) return "";
  if (isList(value)) return value.map(text).join(",");
  return isDeep(value) ? JSON.stringify(sorted(value)) : String(value);
}

function sorted(value) {
  if (isList(value)) return value.map(sorted);
  if (!isDeep(value)) return value;
  return Object.fromEntries(Object.keys(value).sort().map((key) => [key, sorted(value[key])]));
}

// Lists and objects are the same as nothing.
const same = (left, right) => !isDeep(left) && left === right;

function equal(left, right) {
  if (left === null || right === null) return left === right;
  if (isDeep(left) || isDeep(right)) return false;
  if (typeof left === "string" && typeof right === "string") return left === right;
  return number(left) === number(right);
}

/** Two texts by their code points, anything else by number. */
const ordered = (holds) => (args) =>
  args.slice(1).every((right, at) => {
    const left = args[at];
    if (typeof left === "string" && typeof right === "string") return holds(Buffer.compare(Buffer.from(left), Buffer.from(right)), 0);
    return holds(number(left), number(right));
  });

const finite = (value) => (Number.isFinite(value) ? value + 0 : NaN);
const arithmetic = (least, fold) => (args) => (args.length < least ? NaN : finite(fold(args.map(number))));
const extreme = (pick) => arithmetic(1, (numbers) => pick(...numbers));

function path(value, key, otherwise) {
  if (key === null || key === undefined || key === "") return value;
  let here = value;
  for (const part of text(key).split(".")) {
    const found = isList(here) ? /^\d+$/.test(part) : isObject(here) && Object.hasOwn(here, part);
    here = found ? here[part] : undefined;
  }
  return here ?? otherwise ?? null;
}

const missing = (context, names) => names.filter((name) => [null, ""].includes(path(context, name)));

function substr([value, from, length]) {
  const points = Array.from(text(value));
  const place = (number_) => (number_ < 0 ? Math.max(0, points.length + Math.trunc(number_)) : Math.trunc(number_) || 0);
  const start = Math.min(place(number(from ?? 0)), points.length);
  const count = length === null || length === undefined ? points.length : number(length);
  const end = count < 0 ? place(count) : start + (Math.trunc(count) || 0);
  return points.slice(start, Math.max(start, end)).join("");
}

// Operator: the ruling, and what it gives where the engine gives something else.
const repairs = {
  "==": ["== of unlike types", ([left, right]) => equal(left, right)],
  "!=": ["== of unlike types", ([left, right]) => !equal(left, right)],
  "===": ["=== of lists and objects", ([left, right]) => same(left, right)],
  "!==": ["=== of lists and objects", ([left, right]) => !same(left, right)],
  "<": ["order of unlike types", ordered((left, right) => left < right)],
  ">": ["order of unlike types", ordered((left, right) => left > right)],
  "<=": ["order of unlike types", ordered((left, right) => left <= right)],
  ">=": ["order of unlike types", ordered((left, right) => left >= right)],
  "+": ["arithmetic without a number", arithmetic(0, (numbers) => numbers.reduce((sum, one) => sum + one, 0))],
  "*": ["arithmetic without a number", arithmetic(0, (numbers) => numbers.reduce((product, one) => product * one, 1))],
  "-": ["arithmetic without a number", arithmetic(1, (numbers) => (numbers.length === 1 ? -numbers[0] : numbers.reduce((left, right) => left - right)))],
  "/": ["arithmetic without a number", arithmetic(2, (numbers) => numbers.reduce((left, right) => left / right))],
  "%": ["arithmetic without a number", arithmetic(2, ([left, right]) => left % right)],
  max: ["max and min of texts", extreme(Math.max)],
  min: ["max and min of texts", extreme(Math.min)],
  cat: ["text of null and objects", (args) => args.map(text).join("")],
  substr: ["substr by code points", substr],
  in: [
    "in of unlike types",
    ([needle, haystack]) =>
      isList(haystack)
        ? haystack.some((item) => same(needle, item))
        : typeof needle === "string" && typeof haystack === "string" && haystack.includes(needle),
  ],
  missing: ["missing of null and of the empty text", (args, context) => missing(context, isList(args[0]) ? args[0] : args)],
  missing_some: [
    "missing of null and of the empty text",
    ([need, names], context) => {
      const absent = missing(context, isList(names) ? names : [names]);
      return (isList(names) ? names : [names]).length - absent.length >= number(need) ? [] : absent;
    },
  ],
  var: ["paths into texts, length, and defaults of null", ([key, otherwise], context) => path(context, key, otherwise)],
};

const alike = (left, right) =>
  left === right || (Number.isNaN(left) && Number.isNaN(right)) || (isDeep(left) && isDeep(right) && JSON.stringify(left) === JSON.stringify(right));

/** The engine's own answers to arguments that are already values, compiled and interpreted; undefined is what it throws. */
function plainly(engine, operator, args, context) {
  const rule = { [operator]: args.map((arg) => (isDeep(arg) ? { preserve: arg } : arg)) };
  const read = { [operator]: args.map((_, at) => ({ var: `arguments.${at}` })) };
  const given = { ...context, arguments: args };
  const ways = [() => engine.build(rule)(context), () => engine.run(rule, context), () => engine.build(read)(given)];
  // A single argument is taken out of its list, by the optimiser that a fresh engine has.
  if (args.length === 1) ways.push(() => new LogicEngine(engine.methods).run(read, given));
  return ways.map((way) => {
    try {
      return way() ?? null;
    } catch {
      return undefined;
    }
  });
}

function repaired(plain, operator, [ruling, better]) {
  return {
    lazy: true,
    method(written, context, above, engine) {
      const args = (isList(written) ? written : [written]).map((arg) => engine.run(arg, context, { above }) ?? null);
      const result = better(args, context);
      // The engine takes a list that is the only argument for the list of arguments.
      const spread = !isList(written) && isList(args[0]);
      for (const worse of plainly(plain, operator, spread ? args[0] : args, context)) {
        const cause = worse === undefined ? "errors while a rule runs" : spread ? "one list is one argument" : ruling;
        if (!alike(result, worse)) used.add(cause);
      }
      return result;
    },
  };
}

/** What is no list has no items. */
function overList(plain) {
  return {
    lazy: true,
    method([written, ...rest], context, above, engine) {
      const list = engine.run(written, context, { above }) ?? null;
      if (!isList(list)) used.add("items of what is no list");
      const start = rest.length > 1 ? [rest[0], { preserve: engine.run(rest[1], context, { above }) }] : rest;
      return plain.method([{ preserve: isList(list) ? list : [] }, ...start], context, above, engine);
    },
  };
}

/** The hash runs over UTF-8: the engine is shown each byte as a character. */
function fractional(plain) {
  return {
    lazy: true,
    method(written, context, above, engine) {
      let args = (isList(written) ? written : [written]).map((arg) => engine.run(arg, context, { above }) ?? null);
      if (!isList(written) && isList(args[0])) {
        used.add("one list is one argument");
      }
      if (args[0] === null) args = ruled("a null unit is none (v2)", args.slice(1));
      const implicit = typeof args[0] !== "string";
      const key = context?.targetingKey;
      if (implicit && (typeof key !== "string" || key === "")) return null;
      const unit = implicit ? context.$flagd.flagKey + key : args[0];
      const bytes = Buffer.from(unit).toString("latin1");
      if (bytes !== unit) used.add("hash over UTF-16");
      return plain.method([bytes, ...(implicit ? args : args.slice(1))], context, above, engine);
    },
  };
}

/** Strict SemVer: one `v`, no space, numbers of any size. */
function semVer(plain) {
  return {
    lazy: false,
    method(args, context) {
      const refused = (version) => /^[vV]?[\s=]|^[vV]{2}|\s$/.test(text(version));
      if (isList(args[0]) || isList(args[2])) return ruled("versions in a list", null);
      if (args.length === 3 && (refused(args[0]) || refused(args[2]))) return ruled("versions with a space or two v", null);
      return plain.method(args, context);
    },
  };
}

const known = new Set([
  ...Object.keys(repairs),
  ...["if", "?:", "and", "or", "!", "!!", "map", "filter", "reduce", "all", "some", "none", "merge"],
  ...["fractional", "sem_ver", "starts_with", "ends_with"],
]);
const isData = (value) => Object.keys(value).length !== 1;

/** Unknown operators, also those that only this engine knows. */
function unusable(rule) {
  if (isList(rule)) return rule.some(unusable);
  if (!isDeep(rule)) return false;
  const [[operator, args] = []] = Object.entries(rule);
  return !isData(rule) && (!known.has(operator) || unusable(args));
}

/** Puts in what `$ref` names, as a tree; undefined when it cannot be. */
function expand(rule, evaluators, within = []) {
  if (isList(rule)) return rule.map((item) => expand(item, evaluators, within));
  if (!isDeep(rule)) return rule;
  const name = Object.keys(rule).length === 1 ? rule.$ref : undefined;
  if (typeof name === "string") {
    if (within.includes(name) || !Object.hasOwn(evaluators, name)) throw new Error(`no ${name}`);
    return expand(evaluators[name], evaluators, [...within, name]);
  }
  return Object.fromEntries(Object.entries(rule).map(([key, value]) => [key, expand(value, evaluators, within)]));
}

// The engine's own operators, in the form in which they can be run one by one.
const { _engine: plain } = (() => {
  const core = new FlagdCore(undefined, logger, { disableDynamicCodeGeneration: true });
  core.setConfigurations('{"flags": {"f": {"state": "ENABLED", "variants": {"a": 1}, "targeting": {"var": "a"}}}}');
  return core.getFlag("f")._targeting;
})();
plain.disableInterpretedOptimization = true;
const engine = new LogicEngine({ ...plain.methods }, { disableInterpretedOptimization: true, maxDepth: Infinity });
engine.isData = isData;
for (const [operator, repair] of Object.entries(repairs)) engine.addMethod(operator, repaired(plain, operator, repair));
for (const operator of ["map", "filter", "reduce", "all", "some", "none"]) {
  engine.addMethod(operator, overList(plain.methods[operator]));
}
engine.addMethod("fractional", fractional(plain.methods.fractional));
engine.addMethod("sem_ver", semVer(plain.methods.sem_ver));
for (const operator of ["!", "!!"]) {
  engine.addMethod(operator, {
    lazy: true,
    method: (written, context, above) => {
      const value = engine.run(isList(written) ? written[0] : written, context, { above });
      const truth = Boolean(engine.truthy(value));
      if (isList(value) && Boolean(engine.truthy(value[0])) !== truth) used.add("one list is one argument");
      return operator === "!" ? !truth : truth;
    },
  });
}

/** Whether a part of the rule has a value of its own that the engine cannot work out, so that it refuses what is never run. */
function failsBeforehand(rule) {
  if (isList(rule)) return rule.some(failsBeforehand);
  if (!isDeep(rule)) return false;
  const isConstant = !/"(var|missing|missing_some|fractional|sem_ver|starts_with|ends_with)":/.test(JSON.stringify(rule));
  if (isConstant && fails(() => plain.build(rule)({}))) return true;
  return Object.values(rule).some(failsBeforehand);
}

function fails(run) {
  try {
    run();
    return false;
  } catch {
    return true;
  }
}

function targeting(rule) {
  return {
    evaluate(flagKey, context, log) {
      const all = { ...context, $flagd: { flagKey, timestamp: now }, [Symbol.for("flagd.logger")]: log };
      const result = engine.run(rule, all) ?? null;
      if (Number.isNaN(result)) return ruled("no number is null", null);
      // A name that no variant has.
      return isList(result) ? ruled("lists name no variant", "\u0000") : result;
    },
  };
}

/** The engine has a compiler, which is what people run, and an interpreter. */
function interpreted(line) {
  const core = new FlagdCore(undefined, logger, { disableDynamicCodeGeneration: true });
  try {
    core.setConfigurations(JSON.stringify(line.flags));
  } catch {
    return parseError;
  }
  return ask(core, line);
}

function answerAmended(line) {
  used.clear();
  if (JSON.stringify(interpreted(line)) !== JSON.stringify(answer(line))) used.add("compiled other than interpreted");
  const { $evaluators: evaluators = {}, ...document } = line.flags;
  const rules = {};
  for (const [key, flag] of Object.entries(document.flags)) {
    let usable = ["ENABLED", "DISABLED"].includes(flag.state);
    if (!usable) used.add("one flag's fault is its own");
    else if (flag.defaultVariant && !Object.hasOwn(flag.variants, flag.defaultVariant)) {
      usable = ruled("a default that is no variant", false);
    }
    if (usable && isDeep(flag.targeting)) {
      try {
        rules[key] = expand(flag.targeting, evaluators);
        if (JSON.stringify(rules[key]) !== JSON.stringify(flag.targeting)) used.add("references as a tree");
        usable = !unusable(rules[key]);
      } catch {
        usable = false;
      }
      if (!usable) used.add("refused when it loads");
    }
    if (!usable) delete document.flags[key];
    if (!usable && key === line.flagKey) return { ...parseError, rulings: [...used] };
  }
  let core;
  try {
    core = load(document);
  } catch {
    return { ...parseError, rulings: [...used] };
  }
  const flag = core.getFlag(line.flagKey);
  if (flag && (flag._targeting || flag._targetingParseErrorMessage)) {
    flag._targeting = targeting(rules[line.flagKey]);
    if (failsBeforehand(rules[line.flagKey])) used.add("constants worked out beforehand");
    if (flag._targetingParseErrorMessage) used.add("errors while a rule runs");
    flag._targetingParseErrorMessage = undefined;
  }
  return { ...ask(core, line), rulings: [...used].sort() };
}

for await (const written of createInterface({ input: process.stdin })) {
  const line = JSON.parse(written);
  now = line.now;
  process.stdout.write(`${JSON.stringify(line.amended ? answerAmended(line) : answer(line))}\n`);
}
