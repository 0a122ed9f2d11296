"""Golden vectors of flagd's v2 bucket hash beyond ASCII, from the PyPI engine 1.0.0. See README.md."""

import json
import random

from openfeature.contrib.tools.flagd.core import FlagdCore
from openfeature.evaluation_context import EvaluationContext

random.seed(42)
ALPHABET = "äöüßéèñçøåłšžабвгдежαβγδε日本語中文한국어🙂🚀👩‍💻ab1"


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
    {"flag": "checkout-version", "weights": 100},
    {"flag": "prüfung-日本", "weights": 100},
    {"flag": "explicit", "weights": 100, "unit": "name"},
]
lines = []
for case in cases:
    keys = ["".join(random.choices(ALPHABET, k=random.randint(1, 12))) for _ in range(50)]
    pairs = [[key, winner(case["flag"], case["weights"], case.get("unit"), key)] for key in keys]
    lines.append(json.dumps({**case, "pairs": pairs}, ensure_ascii=False, separators=(",", ":")))
with open("fractional_v2_unicode.json", "w", encoding="utf-8") as out:
    out.write("[\n" + ",\n".join(lines) + "\n]\n")
