"""What the document of the API says of refusals, which are the same for every operation."""

from typing import Any

_REFUSALS = {
    "400": "What was sent is not valid; which of it, and why.",
    "401": "No token, or one that does not count (any more).",
    "403": "The account may not do this.",
    "404": "There is no such thing, or the account may not see it.",
    "415": "The body's type is not one that is taken here.",
}
_PROBLEM = {
    "type": "object",
    "description": "What is wrong, in words: as `detail`, or by the name of what it is about.",
    "additionalProperties": {"anyOf": [{"type": "string"}, {"type": "array", "items": {}}, {"type": "object"}]},
}


def describe_refusals(result: dict[str, Any], **_: Any) -> dict[str, Any]:
    """Add to each operation how it refuses, beside what it says itself."""
    result["components"]["schemas"]["Problem"] = _PROBLEM
    problem = {"$ref": "#/components/schemas/Problem"}
    for path in result["paths"].values():
        for operation in path.values():
            for status, description in _REFUSALS.items():
                own = operation["responses"].get(status, {}).get("content", {}).get("application/json", {})
                schema = {"anyOf": [own["schema"], problem]} if own else problem
                content = {"application/json": {"schema": schema}}
                operation["responses"][status] = {"description": description, "content": content}
            operation["responses"] = dict(sorted(operation["responses"].items()))
    return result
