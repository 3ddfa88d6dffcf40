"""What the document of the API says of refusals, which no view has to say itself."""

from typing import Any

_INVALID = {
    "type": "object",
    "description": "What is wrong with what was sent, by the name of the field; in `detail` where it is of none.",
    "additionalProperties": {
        "anyOf": [{"type": "string"}, {"type": "array", "items": {"type": "string"}}, {"type": "object"}]
    },
}
_WORDS = {
    "400": "What was sent is not valid.",
    "401": "There is no token, or it does not count (any more).",
    "403": "The token lacks the scope, or the account the right.",
    "404": "There is no such thing, or none that the account may see.",
    "408": "The body came too slowly.",
    "409": "The state of things forbids it.",
    "413": "The body is more than is taken at once.",
    "415": "The body's type is none that is taken here.",
    "429": "Too much at once. `Retry-After` says for how many seconds to wait.",
    "503": "The server has no room.",
}


def describe_refusals(result: dict[str, Any], **_: Any) -> dict[str, Any]:
    """Add to each operation how it may refuse, beside what it says itself."""
    result["components"]["schemas"]["Invalid"] = _INVALID
    for path in result["paths"].values():
        for operation in path.values():
            responses = operation["responses"]
            for status in _refusals_of(operation):
                responses[status] = {"content": _refusal(status, responses.get(status, {}))}
            for status in responses.keys() & _WORDS:
                responses[status]["description"] = _WORDS[status]
            operation["responses"] = dict(sorted(responses.items()))
    return result


def _refusals_of(operation: dict[str, Any]) -> set[str]:
    """The statuses that it may answer with: those of all, and those that what it takes makes possible."""
    taken = {parameter["in"] for parameter in operation.get("parameters", [])}
    names = {parameter["name"] for parameter in operation.get("parameters", [])}
    found = {"401", "403", "429"}
    if "path" in taken or "cursor" in names:
        found.add("404")
    if taken - {"path"} or "requestBody" in operation:
        found.add("400")
    if "requestBody" in operation:
        found |= {"408", "413", "415", "503"}
    return found


def _refusal(status: str, own: dict[str, Any]) -> dict[str, Any]:
    schema: dict[str, Any] = {"$ref": f"#/components/schemas/{'Invalid' if status == '400' else 'Problem'}"}
    if own:
        schema = {"anyOf": [own["content"]["application/json"]["schema"], schema]}
    return {"application/json": {"schema": schema}}
