"""Judges JSON by the part of JSON Schema 2020-12 that Degu's OpenAPI documents are written in."""

import re

_TYPES = {"object": dict, "array": list, "string": str, "boolean": bool, "integer": int, "number": (int, float)}
_DATE_TIME = re.compile(r"\d{4}-\d{2}-\d{2}T\d{2}:\d{2}:\d{2}(\.\d{1,9})?Z")
_KNOWN = {"$ref", "type", "format", "description", "properties", "required", "additionalProperties", "items", "enum",
          "anyOf", "pattern", "minimum", "maximum", "minLength", "maxLength", "minItems", "maxItems", "minProperties",
          "maxProperties", "contentEncoding"}


def faults(document, schema, value, path="$"):
    """What is wrong with the value, as a list of texts; references are looked up in the document."""
    unknown = set(schema) - _KNOWN
    if unknown:
        return [f"{path}: the schema has {sorted(unknown)}, which this judge does not know"]
    found = []
    if "$ref" in schema:
        found += faults(document, _resolve(document, schema["$ref"]), value, path)
    if "anyOf" in schema and all(faults(document, one, value, path) for one in schema["anyOf"]):
        found.append(f"{path}: none of anyOf fits {value!r}")
    if "enum" in schema and value not in schema["enum"]:
        found.append(f"{path}: {value!r} is none of {schema['enum']}")
    if "type" in schema:
        is_bool = isinstance(value, bool)
        if not isinstance(value, _TYPES[schema["type"]]) or (is_bool and schema["type"] != "boolean"):
            return [*found, f"{path}: {value!r} is no {schema['type']}"]
    if isinstance(value, str):
        found += _text_faults(schema, value, path)
    if isinstance(value, (int, float)) and not isinstance(value, bool):
        if value < schema.get("minimum", value) or value > schema.get("maximum", value):
            found.append(f"{path}: {value} is out of range")
    if isinstance(value, list):
        found += _size_faults(schema, "Items", value, path)
        for i, item in enumerate(value):
            found += faults(document, schema.get("items", {}), item, f"{path}[{i}]")
    if isinstance(value, dict):
        found += _object_faults(document, schema, value, path)
    return found


def _resolve(document, reference):
    node = document
    for step in reference.removeprefix("#/").split("/"):
        node = node[step]
    return node


def _size_faults(schema, unit, value, path):
    if schema.get("min" + unit, 0) <= len(value) <= schema.get("max" + unit, len(value)):
        return []
    return [f"{path}: a size of {len(value)} is out of range"]


def _text_faults(schema, value, path):
    found = _size_faults(schema, "Length", value, path)
    if "pattern" in schema and not re.search(schema["pattern"], value):
        found.append(f"{path}: {value!r} does not match {schema['pattern']}")
    if schema.get("format") == "date-time" and not _DATE_TIME.fullmatch(value):
        found.append(f"{path}: {value!r} is no date-time")
    return found


def _object_faults(document, schema, value, path):
    found = _size_faults(schema, "Properties", value, path)
    properties = schema.get("properties", {})
    found += [f"{path}: {name} is missing" for name in schema.get("required", []) if name not in value]
    others = schema.get("additionalProperties", True)
    for name, member in value.items():
        if name in properties:
            found += faults(document, properties[name], member, f"{path}.{name}")
        elif others is False:
            found.append(f"{path}: {name} is unknown")
        elif others is not True:
            found += faults(document, others, member, f"{path}.{name}")
    return found
