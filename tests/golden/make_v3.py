"""Golden vectors of flagd's v3 bucket hash, from the PyPI engine 2.0.0. See README.md."""

import json
import random
import struct

from openfeature.contrib.tools.flagd.core import FlagdCore
from openfeature.evaluation_context import EvaluationContext

random.seed(42)
ALPHABET = "abcdefghijklmnopqrstuvwxyz0123456789-_.@ äöüßéñабвαβγ日本語🙂🚀"
EVEN = 1000


def text():
    return "".join(random.choices(ALPHABET, k=random.randint(1, 40)))


def key():
    n = random.randrange(10**9)
    return random.choice([f"user-{n}", f"user{n}@company.com", f"{n:032x}", str(n), text()])


def number():
    """Whole numbers around every length of a CBOR head, and floats of every width."""
    edge = random.choice([0, 23, 24, 255, 256, 65535, 65536, 2**32 - 1, 2**32, 2**53])
    half = struct.unpack("<e", struct.pack("<H", random.randrange(0x7C00)))[0]
    single = struct.unpack("<f", struct.pack("<I", random.randrange(0x7F800000)))[0]
    return random.choice(
        [edge, -edge, float(edge), -0.0, 0.1 * random.randrange(1000), half, -half, single, random.random(),
         1e300, 3.4028234663852886e38, 2.0**-24, 2.0**-25, 2.0**63, 2.0**64, -(2.0**63), random.randrange(10**6)]
    )


def value(depth=0):
    if depth == 2 or random.random() < 0.6:
        return random.choice([number(), text(), True, False, None, 2**63 + 12345, -(2**62) - 7])
    if random.random() < 0.5:
        return [value(depth + 1) for _ in range(random.randrange(4))]
    return {text(): value(depth + 1) for _ in range(random.randrange(5))}


def unit_object():
    return {text(): value() for _ in range(random.randrange(30))}


def winner(flag, weights, unit, key):
    # A number stands for so many buckets of weight 1.
    weights = [1] * weights if isinstance(weights, int) else weights
    buckets = [[str(index), weight] for index, weight in enumerate(weights)]
    rule = {"fractional": [{"var": unit}, *buckets] if unit else buckets}
    variants = {str(index): f"v{index}" for index in range(len(weights))}
    core = FlagdCore()
    core.set_flags({"flags": {flag: {"state": "ENABLED", "variants": variants, "targeting": rule}}})
    context = EvaluationContext("nobody", {unit: key}) if unit else EvaluationContext(key)
    return int(core.resolve_string_value(flag, "none", context).variant)


cases = [
    *(({"flag": flag, "weights": EVEN}, key)
      for flag in ["checkout-version", "new-pricing", "a", "flag.with.dots", "x" * 77, "prüfung-日本"]),
    ({"flag": "one-percent", "weights": [1, 99]}, key),
    ({"flag": "zero-and-negative", "weights": [0, 5, -7, 95]}, key),
    ({"flag": "whole-range", "weights": [1073741823, 1, 1073741823]}, key),
    ({"flag": "texts", "weights": EVEN, "unit": "unit"}, text),
    ({"flag": "numbers", "weights": EVEN, "unit": "unit"}, number),
    ({"flag": "booleans", "weights": EVEN, "unit": "unit"}, lambda: random.choice([True, False])),
    ({"flag": "objects", "weights": EVEN, "unit": "unit"}, unit_object),
]
lines = []
for case, make in cases:
    count = 2 if case["flag"] == "booleans" else 100
    keys = [make() for _ in range(count)]
    pairs = [[key, winner(case["flag"], case["weights"], case.get("unit"), key)] for key in keys]
    lines.append(json.dumps({**case, "pairs": pairs}, ensure_ascii=False, separators=(",", ":")))
with open("fractional_v3.json", "w", encoding="utf-8") as out:
    out.write("[\n" + ",\n".join(lines) + "\n]\n")
