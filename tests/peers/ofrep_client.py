"""PyPI `openfeature-provider-ofrep` with its SDK: one command a line of standard input, one answer a line of output."""

import json
import sys

from openfeature import api
from openfeature.contrib.provider.ofrep import OFREPProvider
from openfeature.evaluation_context import EvaluationContext

ASKS = {
    "boolean": "get_boolean_details",
    "string": "get_string_details",
    "integer": "get_integer_details",
    "float": "get_float_details",
    "object": "get_object_details",
}


def start(command):
    headers = dict(command.get("headers", []))
    api.set_provider(OFREPProvider(command["url"], headers_factory=lambda: headers))
    return {"status": api.get_client().get_provider_status().value}


def ask(command):
    attributes = dict(command.get("context", {}))
    context = EvaluationContext(attributes.pop("targetingKey", None), attributes)
    details = getattr(api.get_client(), ASKS[command["type"]])(command["key"], command["default"], context)
    told = {
        "value": details.value,
        "variant": details.variant,
        "reason": details.reason,
        "errorCode": details.error_code,
        "errorMessage": details.error_message,
        "flagMetadata": details.flag_metadata,
    }
    return {name: value for name, value in told.items() if value is not None}


for line in sys.stdin:
    command = json.loads(line)
    answer = {"start": start, "ask": ask}[command["do"]](command)
    print(json.dumps(answer), flush=True)
