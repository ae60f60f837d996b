"""Validates events against the published OCSF schema.

    python validate.py DIRECTORY

Each file of the directory has an event a line. The schema is the one of the version that the event names, with the
profiles that it names; the package ocsf-json-schema ships it, so nothing is fetched. Prints a report as JSON:
how many events each file has, and what is wrong, at most ten of each file.

Beyond JSON Schema it is checked what the schema says in other words: captions beside their numbers, and the
relations between numbers. That an event of 1.3.0 is one of 1.8.0 as well is checked without the attributes that
name the version.
"""

import json
import re
import sys
from pathlib import Path

from jsonschema import Draft202012Validator
from ocsf_json_schema import OcsfJsonSchema, OcsfJsonSchemaEmbedded, get_ocsf_schema

NEWEST = "1.8.0"
CLASS = "network_activity"
# 2000-01-01 and 2100-01-01 in milliseconds: seconds or microseconds would be far outside.
SANE = range(946_684_800_000, 4_102_444_800_000)
# AWS writes IPv4 and IPv6 where the schema's captions are longer; the schema's own description allows both.
FREE_CAPTIONS = {"protocol_ver"}


class Schema:
    """One version of the schema."""

    def __init__(self, version, profiles):
        document = get_ocsf_schema(version=version)
        self.objects = document["objects"]
        self.event = document["classes"][CLASS]["attributes"]
        schema = OcsfJsonSchemaEmbedded(OcsfJsonSchema(document)).get_class_schema(CLASS, profiles)
        Draft202012Validator.check_schema(schema)
        self.validator = Draft202012Validator(schema)

    def errors(self, event):
        for error in self.validator.iter_errors(event):
            path = ".".join(str(part) for part in error.absolute_path)
            yield f"{path or 'event'}: {error.message[:200]}"

    def captions(self, attributes, value, path):
        """Differences between numbers and the captions beside them."""
        for name, inner in value.items():
            attribute = attributes.get(name)
            if attribute is None or name == "unmapped":
                continue
            here = f"{path}{name}"
            if attribute["type"] == "object_t":
                members = self.objects[attribute["object_type"]]["attributes"]
                for element in inner if isinstance(inner, list) else [inner]:
                    yield from self.captions(members, element, here + ".")
            elif sibling := self.sibling(name, attribute):
                caption = attribute["enum"].get(str(inner), {}).get("caption")
                found = value.get(sibling)
                if found is None:
                    yield f"{here}: there is no {sibling} beside it"
                elif inner != 99 and found != caption and sibling not in FREE_CAPTIONS:
                    yield f"{here}: {inner} is {caption!r}, {sibling} says {found!r}"

    @staticmethod
    def sibling(name, attribute):
        if not attribute.get("enum"):
            return None
        if sibling := attribute.get("sibling"):
            return sibling
        return re.sub(r"_id$", "", name) if name.endswith("_id") else None


def relations(event):
    """What numbers have to do with each other, and values that stand for none."""
    if event["type_uid"] != event["class_uid"] * 100 + event["activity_id"]:
        yield f"type_uid: {event['type_uid']} is not class_uid x 100 + activity_id"
    for name in ("time", "start_time", "end_time"):
        if name in event and event[name] not in SANE:
            yield f"{name}: {event[name]} is not in milliseconds"
    for name, time in event.items():
        if name.endswith("_dt") and not time.startswith("20"):
            yield f"{name}: {time}"
    for path, value in leaves(event):
        if value in ("-", "", None) and not path.startswith("unmapped.event"):
            yield f"{path}: {value!r} stands for no value"


def leaves(value, path=""):
    items = value.items() if isinstance(value, dict) else enumerate(value)
    for name, inner in items:
        here = f"{path}{name}"
        if isinstance(inner, (dict, list)):
            if not inner and not here.startswith("unmapped."):
                yield here, None
            yield from leaves(inner, here + ".")
        else:
            yield here, inner


def main(directory):
    schemas = {}
    report = {"events": {}, "versions": [], "wrong": []}
    for file in sorted(Path(directory).iterdir()):
        wrong = []
        lines = file.read_text().splitlines()
        for number, line in enumerate(lines, 1):
            event = json.loads(line)
            metadata = event["metadata"]
            key = (metadata["version"], tuple(metadata["profiles"]))
            if key not in schemas:
                schemas[key] = Schema(key[0], list(key[1])), Schema(NEWEST, list(key[1]))
            named, newest = schemas[key]
            found = list(named.errors(event))
            found += named.captions(named.event, event, "")
            found += relations(event)
            found += (f"{NEWEST}: {error}" for error in newest.errors(event))
            wrong += (f"{file.name}:{number}: {error}" for error in found)
        report["events"][file.name] = len(lines)
        report["wrong"] += wrong[:10]
    report["versions"] = sorted({version for version, _ in schemas})
    print(json.dumps(report))


if __name__ == "__main__":
    main(sys.argv[1])
