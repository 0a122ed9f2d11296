"""PyPI `openfeature-flagd-core` as a peer: JSON lines in, one answer a line out, as `flagway eval --batch` has them.

A line with `"amended": true` is answered by the same engine with its defects that are ruled on repaired, each only where it
bites, and tells in `rulings` which repairs were put to use. So a difference is ruled on exactly when the repaired engine agrees
with ours. `tests/conformance/rulings.rs` says what each name stands for.
"""

import json
import logging
import math
import re
import sys

import json_logic.apply as apply_module
import json_logic.builtins as builtins
from openfeature.contrib.tools.flagd.core import FlagdCore
from openfeature.contrib.tools.flagd.core.targeting import custom_ops
from openfeature.contrib.tools.flagd.core.targeting import targeting as _
from openfeature.evaluation_context import EvaluationContext
from openfeature.exception import OpenFeatureError

core_module = sys.modules["openfeature.contrib.tools.flagd.core.flagd_core"]
targeting_module = sys.modules["openfeature.contrib.tools.flagd.core.targeting.targeting"]
logging.disable(logging.CRITICAL)

NAN = float("nan")
LAZY = {"if", "?:", "and", "or", "filter", "map", "reduce", "all", "some", "none"}
TYPES = {"boolean": "boolean", "string": "string", "number": "float", "object": "object"}


class Clock:
    """Stands where the engine reads the time."""

    def __init__(self):
        self.now = 0

    def time(self):
        return self.now


clock = Clock()
targeting_module.time = clock


def answer(line):
    clock.now = line["now"]
    flags = line["flags"]
    context = dict(line["context"])
    key = context.pop("targetingKey", None)
    core = FlagdCore()
    try:
        core.set_flags(flags)
    except Exception:  # noqa: BLE001 - whatever goes wrong, the document is refused
        return {"reason": "ERROR", "errorCode": "PARSE_ERROR"}
    try:
        # Not resolve_float_value: it would turn whole numbers into floats.
        found = core._resolve(line["flagKey"], None, EvaluationContext(key, context), TYPES[line["type"]])
    except OpenFeatureError as error:
        return {"reason": "ERROR", "errorCode": error.error_code.value}
    except Exception:  # noqa: BLE001 - the SDK says GENERAL to whatever is thrown
        return {"reason": "ERROR", "errorCode": "GENERAL"}
    told = {"reason": str(found.reason.value), "flagMetadata": dict(found.flag_metadata)}
    if found.variant is not None:
        told |= {"value": found.value, "variant": found.variant}
    return told


# What follows repairs.

used = set()
plain = {name: getattr(builtins, name) for name in ("to_string", "to_number", "to_bool", "not_", "op_var")}
plain_operators = targeting_module.OPERATORS


def ruled(name, value):
    used.add(name)
    return value


def is_number(value):
    return isinstance(value, (int, float)) and not isinstance(value, bool)


def is_nan(value):
    return isinstance(value, float) and not math.isfinite(value)


def number_text(number):
    """As JavaScript writes it; whole numbers of 64 bits in full."""
    if is_nan(number):
        return ""
    if isinstance(number, int) or (number.is_integer() and abs(number) < 1e21):
        return str(int(number))
    digits, _, exponent = repr(number).partition("e")
    if not exponent:
        if abs(number) >= 1e-6:
            return digits
        digits, _, exponent = f"{number:e}".partition("e")
    if -7 < int(exponent) < 0:
        return f"{number:.{len(digits.replace('.', '').replace('-', '')) - int(exponent) - 1}f}"
    return f"{digits.removesuffix('.0')}e{'-' if int(exponent) < 0 else '+'}{abs(int(exponent))}"


def to_string(value):
    if value is None:
        return ruled("text of null", "")
    if isinstance(value, bool):
        return ruled("text of booleans", "true" if value else "false")
    if is_number(value):
        text = number_text(value)
        return text if text == plain["to_string"](value) else ruled("text of numbers", text)
    if isinstance(value, list):
        return ",".join(to_string(item) for item in value)
    if isinstance(value, dict):
        return ruled("text of objects", json.dumps(value, ensure_ascii=False, separators=(",", ":"), sort_keys=True))
    return value


DECIMAL = re.compile(r"[+-]?([0-9]+\.?[0-9]*|\.[0-9]+)([eE][+-]?[0-9]+)?")
WHOLE = re.compile(r"[+-]?[0-9]+")


def to_number(value):
    if isinstance(value, (list, dict)):
        return ruled("numbers of lists", NAN)
    if isinstance(value, str):
        text = value.strip(" \t\n\r\f")
        if not DECIMAL.fullmatch(text) or math.isinf(float(text)):
            return ruled("numbers of texts", NAN) if not math.isnan(plain["to_number"](value)) else NAN
        if WHOLE.fullmatch(text) and -(2**63) <= int(text) < 2**64:
            return int(text) if float(text) == int(text) else ruled("whole numbers beyond 2^53", int(text))
        return float(text)
    return plain["to_number"](value)


def to_bool(value=None):
    if value == {} and isinstance(value, dict):
        return ruled("truth of the empty object", False)
    return plain["to_bool"](value)


def same(left, right):
    if is_number(left) and is_number(right):
        return left == right
    return type(left) is type(right) and not isinstance(left, (list, dict)) and left == right


def equal(left, right):
    if left is None or right is None:
        return left is right
    if isinstance(left, (list, dict)) or isinstance(right, (list, dict)):
        return False
    if isinstance(left, str) and isinstance(right, str):
        return left == right
    return to_number(left) == to_number(right)


def ordered(holds):
    def compare(data, *args):
        def pair(left, right):
            if isinstance(left, str) and isinstance(right, str):
                return holds(left, right)
            return holds(to_number(left), to_number(right))

        return all(pair(left, right) for left, right in zip(args, args[1:]))

    return compare


def settle(number):
    """Whole while it fits 64 bits; what is not finite is no number."""
    if isinstance(number, bool):
        number = int(number)
    if isinstance(number, int):
        return number if -(2**63) <= number < 2**64 else float(number)
    if not math.isfinite(number):
        return NAN
    return int(number) if number.is_integer() and -(2**63) <= number < 2**64 else number


def arithmetic(fold, least):
    def run(data, *args):
        numbers = [settle(to_number(arg)) for arg in args]
        if len(numbers) < least or any(is_nan(number) for number in numbers):
            return NAN
        try:
            return settle(fold(numbers))
        except (ZeroDivisionError, OverflowError):
            return NAN

    return run


def add(numbers):
    total = 0
    for number in numbers:
        total = settle(total + number)
    return total


def multiply(numbers):
    total = 1
    for number in numbers:
        total = settle(total * number)
    return total


def subtract(numbers):
    if len(numbers) == 1:
        return -numbers[0]
    total = numbers[0]
    for number in numbers[1:]:
        total = settle(total - number)
    return total


def divide(numbers):
    total = numbers[0]
    for number in numbers[1:]:
        whole = isinstance(total, int) and isinstance(number, int) and number != 0 and total % number == 0
        total = settle(total // number if whole else float(total) / float(number))
    return total


def remainder(numbers):
    left, right = numbers[0], numbers[1]
    if isinstance(left, int) and isinstance(right, int):
        return abs(left) % abs(right) * (1 if left >= 0 else -1)
    if right == 0:
        return NAN
    return math.fmod(left, right)


def inside(data, needle=None, haystack=None):
    if isinstance(haystack, list):
        return any(same(needle, item) for item in haystack)
    return isinstance(needle, str) and isinstance(haystack, str) and needle in haystack


def var(data=None, key=None, default=None):
    if key is None or key == "":
        return data if data is not None else default
    here = data
    for part in to_string(key).split("."):
        if isinstance(here, dict):
            here = here.get(part)
        elif isinstance(here, list):
            here = here[int(part)] if re.fullmatch("[0-9]+", part) and int(part) < len(here) else None
        else:
            return default
    return default if here is None else here


def fractional(data, *args):
    data = data if isinstance(data, dict) else {}
    unit = [] if not args or isinstance(args[0], list) else [args[0]]
    buckets = []
    for bucket in args[len(unit):]:
        if isinstance(bucket, list) and bucket:
            if isinstance(bucket[0], (list, dict)):
                return ruled("variants that are no names", None)
            if len(bucket) == 2 and isinstance(bucket[1], float) and bucket[1].is_integer():
                bucket = ruled("weights like 50.0", [bucket[0], int(bucket[1])])
        buckets.append(bucket)
    return custom_ops.fractional(data, *unit, *buckets)


def sem_ver(data, *args):
    def text(arg):
        return number_text(arg) if is_number(arg) else arg

    def partial(arg):
        return re.fullmatch(r"[vV]?[0-9]+(\.[0-9]+)?[-+].*", text(arg))

    if len(args) != 3 or not all(isinstance(arg, str) or is_number(arg) for arg in (args[0], args[2])):
        return None
    if partial(args[0]) or partial(args[2]):
        return ruled("partial versions with a prerelease", None)
    return custom_ops.sem_ver(data, text(args[0]), args[1], text(args[2]))


# Operator: the ruling, and what it gives where the engine gives something else.
REPAIRED = {
    "==": ("== of unlike types", lambda data, *args: equal(*args[:2])),
    "!=": ("== of unlike types", lambda data, *args: not equal(*args[:2])),
    "===": ("=== of unlike types", lambda data, *args: same(*args[:2])),
    "!==": ("=== of unlike types", lambda data, *args: not same(*args[:2])),
    "<": ("order of unlike types", ordered(lambda left, right: left < right)),
    ">": ("order of unlike types", ordered(lambda left, right: left > right)),
    "<=": ("order of unlike types", ordered(lambda left, right: left <= right)),
    ">=": ("order of unlike types", ordered(lambda left, right: left >= right)),
    "+": ("arithmetic without a number", arithmetic(add, 0)),
    "*": ("arithmetic without a number", arithmetic(multiply, 0)),
    "-": ("- and / of three", arithmetic(subtract, 1)),
    "/": ("arithmetic without a number", arithmetic(divide, 2)),
    "%": ("sign of %", arithmetic(remainder, 2)),
    "min": ("arithmetic without a number", arithmetic(min, 1)),
    "max": ("arithmetic without a number", arithmetic(max, 1)),
    "in": ("in of unlike types", inside),
    "var": ("paths into texts, length, and defaults of null", var),
}


def alike(left, right):
    if is_number(left) and is_number(right):
        return left == right or (is_nan(left) and is_nan(right))
    return type(left) is type(right) and left == right


def repaired(operator, ruling, better):
    def run(data=None, *args):
        result = better(data, *args)
        try:
            with Unrepaired():
                worse = plain_operators[operator](data, *args)
        except Exception:  # noqa: BLE001 - it throws where a rule never should
            return ruled("errors while a rule runs", result)
        if not alike(result, worse):
            if operator in "+*-/" and is_number(result) and is_number(worse) and not is_nan(result):
                name = "- and / of three" if len(args) > 2 else "whole numbers beyond 2^53"
                used.add(name if operator in "-/" else "whole numbers beyond 2^53")
            elif operator in ("-", "/", "%", "max", "min", "+", "*") and is_nan(result):
                used.add("arithmetic without a number")
            else:
                used.add(ruling)
        elif is_number(worse):
            # 1.0 stays what it is, for whoever writes it as a text.
            return worse
        return result

    return run


def patch(functions):
    for name, function in functions.items():
        setattr(builtins, name, function)
    apply_module.to_bool, apply_module.not_ = functions["to_bool"], functions["not_"]


class Unrepaired:
    """Within it the engine is as it was, to see what it would have said."""

    def __enter__(self):
        patch(plain)

    def __exit__(self, *_):
        patch(better_functions)


better_functions = {
    "to_string": to_string,
    "to_number": to_number,
    "to_bool": to_bool,
    "not_": lambda value=None: not to_bool(value),
    "op_var": var,
}
better_operators = {
    **plain_operators,
    **{operator: repaired(operator, *entry) for operator, entry in REPAIRED.items()},
    "!": lambda data, value=None, *_: not to_bool(value),
    "!!": lambda data, value=None, *_: to_bool(value),
    "fractional": fractional,
    "sem_ver": sem_ver,
}
KNOWN = set(plain_operators) - {"log"} | LAZY
MEMBERS = {"state", "variants", "defaultVariant", "targeting", "metadata", "source", "selector"}


class Unusable(Exception):
    """The flag answers PARSE_ERROR."""


def expand(rule, evaluators, within=()):
    """Puts in what `$ref` names, as a tree."""
    if isinstance(rule, list):
        return [expand(item, evaluators, within) for item in rule]
    if not isinstance(rule, dict):
        return rule
    if len(rule) == 1 and isinstance(rule.get("$ref"), str):
        name = rule["$ref"]
        if name not in evaluators or name in within:
            raise Unusable
        return expand(evaluators[name], evaluators, (*within, name))
    return {key: expand(value, evaluators, within) for key, value in rule.items()}


def refuse_unknown(rule):
    if isinstance(rule, list):
        for item in rule:
            refuse_unknown(item)
    elif isinstance(rule, dict) and len(rule) == 1:
        [(operator, args)] = rule.items()
        if operator not in KNOWN:
            raise Unusable
        refuse_unknown(args)


def repair(document, asked):
    """The document as ours reads it: no flag takes another one down."""
    evaluators = document.pop("$evaluators", None) or {}
    for key, flag in list(document["flags"].items()):
        default = flag.get("defaultVariant")
        usable = flag.get("state") in ("ENABLED", "DISABLED")
        if usable and default and default not in flag["variants"]:
            used.add("a default that is no variant")
            usable = False
        elif not usable:
            used.add("one flag's fault is its own")
        if set(flag) - MEMBERS:
            used.add("unknown members of a flag")
            for member in set(flag) - MEMBERS:
                del flag[member]
        if usable and flag.get("targeting"):
            before = flag["targeting"]
            try:
                flag["targeting"] = expand(before, evaluators)
                refuse_unknown(flag["targeting"])
            except Unusable:
                used.add("refused when it loads")
                usable = False
            if evaluators and flag["targeting"] != before:
                used.add("references as a tree")
        if not usable:
            del document["flags"][key]
            if key == asked:
                raise Unusable
    return document


def settled(key, rule, context, plain_targeting=core_module.targeting):
    """What a rule gave, as the text that names a variant."""
    result = plain_targeting(key, rule, context)
    if is_nan(result):
        return ruled("no number is null", None)
    if is_number(result):
        text = number_text(result)
        return text if text == str(result) else ruled("variants named by numbers", text)
    return result


def start_evaluated(logic, data=None, operations=None, plain_apply=apply_module.apply):
    if isinstance(logic, dict) and len(logic) == 1 and "reduce" in logic:
        args = logic["reduce"]
        if isinstance(args, list) and len(args) > 2 and isinstance(args[2], (dict, list)):
            used.add("the start of reduce")
            logic = {"reduce": [*args[:2], plain_apply(args[2], data, operations)]}
    return plain_apply(logic, data, operations)


def answer_amended(text):
    used.clear()
    line = json.loads(text)
    try:
        line["flags"] = repair(line["flags"], line["flagKey"])
    except Unusable:
        return {"reason": "ERROR", "errorCode": "PARSE_ERROR", "rulings": sorted(used)}
    plain_targeting, plain_apply = core_module.targeting, apply_module.apply
    core_module.targeting = settled
    apply_module.apply = targeting_module.jsonLogic = start_evaluated
    targeting_module.OPERATORS = better_operators
    patch(better_functions)
    try:
        told = answer(line)
    finally:
        patch(plain)
        targeting_module.OPERATORS = plain_operators
        core_module.targeting = plain_targeting
        apply_module.apply = targeting_module.jsonLogic = plain_apply
    if isinstance(told.get("value"), bool) and line["type"] == "number":
        used.add("booleans as numbers")
        told = {"reason": "ERROR", "errorCode": "TYPE_MISMATCH"}
    return {**told, "rulings": sorted(used)}


for text in sys.stdin:
    line = json.loads(text)
    told = answer_amended(text) if line.get("amended") else answer(line)
    sys.stdout.write(json.dumps(told) + "\n")
    sys.stdout.flush()
