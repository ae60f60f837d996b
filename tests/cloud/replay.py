"""AWS made of botocore's service models, for what no emulator has: every member of every answer, paging, faults.

    python replay.py --scenario FILE --record FILE     prints {"port": n}; ends on SIGTERM, or when its stdin closes
    python replay.py --self-check                      calls everything with boto3 and compares

Listens on 127.0.0.1 only. An access key of the form AKIA + account + 4 characters acts in that account, with the secret
that `base_secret` gives; AssumeRole gives sessions. Nothing is stored except the messages sent to a queue, which are in
the record. The scenario is a JSON object; every member is optional:

    rows             rows of each list: a number (5), or {"default": n, "ec2:DescribeVpcs": n,
                     "<account>/<region>/ec2:DescribeVpcs": n}
    rows_per_page    the same; the most rows of a page, whatever the request allows (2)
    elements         elements of lists within rows (2)
    estate           "small": one row and one element of everything, in one page; "empty": no rows
    generation       another number changes every value except ids (1)
    variants         how many different estates the units share out among themselves (3; small: 1)
    regions          names, or {"RegionName", "OptInStatus"}; account_regions: {account: the same}
    roles            {"arn", "trusted": [account or role ARN], "external_id", "denied"}; none: every role may be assumed
    session_seconds  life of sessions, whatever the request asks for
    organization     false: not in use. {"management", "accounts": [{"Id", "Name", ...}], "delegated": [account],
                     "page_size": 20, "empty_page": n}. None: each account manages one, made up
    tgw_routes       routes of each transit gateway route table: a number (13), or {"default": n, "<row of table>": n}
    search_tokens    whether SearchTransitGatewayRoutes continues with tokens (false); without, it answers with at most
                     1,000 routes and says that there are more
    subnet_of_match  "inclusive" (the default): the CIDR of the filter matches too; "strict": it does not
    answers          {"<account>/<region>/ec2:DescribeVpcs": the answer}, instead of one that is made up, or of none at
                     all; the name of the operation alone stands for every account and region. Times are texts of ISO 8601
    faults           [{"match": {"account", "region", "service", "operation", "page", "item", "role"},
                     "times": n or null, "skip": n, "action": {...}}]; the first that matches acts, items are values of
                     parameters. Actions: {"error": {"code", "message", "status"}}, {"cut": 0.5}, {"close": true},
                     {"garbage": "<html>", "status": 200}, {"delay_ms": n} (then answers), {"expire": true}
    latency_ms       delay of every answer
    chunked          bodies of ec2 are sent in chunks, as AWS does
    noise            answers hold members that the model does not know
    empty_last_token the last page of ec2 has an empty token instead of none
    secrets          {access key: secret} for base keys whose secret is not that of `base_secret`
    record_answers   whether the record holds the answers (true)

The record has one JSON object on a line: {"violation": ...} for what no client may do, and for each request {"account",
"region", "service", "operation", "parameters", "page", "status", "error", "access_key", "session_name", "role_arn",
"wire_bytes", "fault", "answer"}. The answer is what botocore makes of exactly the bytes that were sent.
"""

import argparse
import asyncio
import base64
import datetime
import hashlib
import hmac
import ipaddress
import json
import os
import pathlib
import re
import signal
import stat
import sys
import time
import zlib

import wire
from operations import BY_KEY, BY_SECTION, PAGING, PAGING_OUTPUT, SECRET_MARK, home_region, partition_of
from values import Marks, Values, digest
from wire import Refusal

DEFAULT_REGIONS = [
    {"RegionName": "us-east-1", "OptInStatus": "opt-in-not-required"},
    {"RegionName": "us-west-2", "OptInStatus": "opt-in-not-required"},
    {"RegionName": "eu-central-1", "OptInStatus": "opted-in"},
    {"RegionName": "ap-east-1", "OptInStatus": "not-opted-in"},
]
SEARCH_LIMIT = 1000
UNPAGED = "unpaged"
ROLE_ARN = re.compile(r"arn:(aws|aws-cn|aws-us-gov):iam::(\d{12}):role/([\w+=,.@/-]{1,512})")
SESSION_NAME = re.compile(r"[\w+=,.@-]{2,64}")
BASE_KEY = re.compile(r"AKIA(\d{12})[A-Z0-9]{4}")
MESSAGES_LIMIT = 1_048_576  # bytes of all messages of a batch

# What operations take besides paging and the parent's id.
OTHER_PARAMETERS = {
    "DescribeRegions": {"AllRegions"},
    "SearchTransitGatewayRoutes": {"Filters"},
    "GetCoreNetworkPolicy": {"Alias"},
    "GetNetworkRoutes": {"GlobalNetworkId", "RouteTableIdentifier"},
}
NOT_FOUND = {
    "PrefixListId": ("InvalidPrefixListID.NotFound", 400),
    "TransitGatewayRouteTableId": ("InvalidTransitGatewayRouteTableID.NotFound", 400),
    "LoadBalancerArn": ("LoadBalancerNotFound", 400),
    "TargetGroupArn": ("TargetGroupNotFound", 400),
    "directConnectGatewayId": ("DirectConnectClientException", 400),
    "CoreNetworkId": ("ResourceNotFoundException", 404),
}


def base_secret(access_key):
    """The secret of an access key that belongs to an account itself."""
    return f"{SECRET_MARK}{_short(b'base', access_key)}"


def _short(key, text):
    return base64.b64encode(hmac.new(key, text.encode(), hashlib.sha256).digest()[:24]).decode()


def unit_tag(account, region):
    return f"{zlib.crc32(f'{account}/{region}'.encode()):08x}"


class Scenario:
    def __init__(self, given):
        known = """rows rows_per_page elements estate generation variants regions account_regions roles
            session_seconds organization tgw_routes search_tokens subnet_of_match faults latency_ms chunked noise
            empty_last_token record_answers secrets answers""".split()
        unknown = set(given) - set(known)
        if unknown:
            raise ValueError(f"the scenario has unknown members: {sorted(unknown)}")
        estate = given.get("estate")
        small = estate == "small"
        self.rows = _numbers(given.get("rows"), {"small": 1, "empty": 0}.get(estate, 5))
        self.rows_per_page = _numbers(given.get("rows_per_page"), 1000 if estate else 2)
        self.elements = given.get("elements", 1 if small else 2)
        self.generation = given.get("generation", 1)
        self.variants = given.get("variants", 1 if small else 3)
        self.regions = _regions(given.get("regions", DEFAULT_REGIONS))
        self.account_regions = {name: _regions(value) for name, value in given.get("account_regions", {}).items()}
        self.roles = {role["arn"]: role for role in given.get("roles", [])}
        self.session_seconds = given.get("session_seconds")
        self.organization = given.get("organization")
        self.tgw_routes = _numbers(given.get("tgw_routes"), 2 if small else 13)
        self.search_tokens = given.get("search_tokens", False)
        self.strict_subnets = given.get("subnet_of_match", "inclusive") == "strict"
        self.faults = [Fault(fault) for fault in given.get("faults", [])]
        self.latency = given.get("latency_ms", 0) / 1000
        self.chunked = given.get("chunked", False)
        self.noise = given.get("noise", False)
        self.empty_last_token = given.get("empty_last_token", False)
        self.record_answers = given.get("record_answers", True)
        self.secrets = given.get("secrets", {})
        self.answers = given.get("answers", {})

    def regions_of(self, account):
        return self.account_regions.get(account, self.regions)

    def enabled(self, account, region):
        return any(row["RegionName"] == region and _is_enabled(row) for row in self.regions_of(account))


def _numbers(given, default):
    if isinstance(given, dict):
        return {"default": default, **given}
    return {"default": default if given is None else given}


def _regions(given):
    return [{"RegionName": row, "OptInStatus": "opted-in"} if isinstance(row, str) else row for row in given]


def _is_enabled(row):
    return row["OptInStatus"] != "not-opted-in"


class Fault:
    def __init__(self, given):
        self.match = dict(given.get("match", {}))
        unknown = set(self.match) - {"account", "region", "service", "operation", "page", "item", "role"}
        if unknown or len(given.get("action", {})) < 1:
            raise ValueError(f"cannot use the fault {given}")
        self.left = given.get("times")
        self.skip = given.get("skip", 0)
        self.action = given["action"]

    def takes(self, call):
        if self.left == 0:
            return False
        for name, wanted in self.match.items():
            if name == "item":
                if wanted not in call.values():
                    return False
            elif wanted != getattr(call, name):
                return False
        if self.skip:
            self.skip -= 1
            return False
        if self.left is not None:
            self.left -= 1
        return True


class Identity:
    """Whom an access key stands for."""

    def __init__(self, access_key, secret, account, arn, user, session=None):
        self.access_key, self.secret, self.account, self.arn, self.user = access_key, secret, account, arn, user
        self.role, self.session_name, self.token, self.ends = session or (None, None, None, None)
        self.expired = False

    def is_expired(self):
        return self.expired or (self.ends is not None and time.time() >= self.ends)


class Call:
    """One request, once it is understood."""

    def __init__(self, identity, region, service, model, parameters):
        self.identity, self.region, self.service, self.model = identity, region, service, model
        self.account, self.operation, self.role = identity.account, model.name, identity.role
        self.parameters = parameters
        self.entry = BY_KEY.get((service, model.name))
        self.paging = _paging(model)
        self.offset, self.page = 0, 1

    @property
    def protocol(self):
        return self.model.service_model.protocol

    @property
    def tag(self):
        return unit_tag(self.account, self.region)

    def values(self):
        return list(_leaves(self.parameters))

    def parent(self):
        return self.parameters.get(self.entry.parent[2]) if self.entry and self.entry.parent else None


def _leaves(value):
    if isinstance(value, dict):
        value = list(value.values())
    if isinstance(value, list):
        for inner in value:
            yield from _leaves(inner)
    else:
        yield value


_PAGINGS = {}


def _paging(model):
    key = (model.service_model.service_name, model.name)
    if key not in _PAGINGS:
        given = model.input_shape.members if model.input_shape else {}
        answered = model.output_shape.members if model.output_shape else {}
        fits = [paging for paging in PAGING if paging[1] in given and paging[2] in answered]
        _PAGINGS[key] = next((paging for paging in fits if paging[0] in given), None)
    return _PAGINGS[key]


class Answer:
    __slots__ = ("status", "headers", "body", "error", "cut", "close", "delay", "fault", "garbage", "messages")

    def __init__(self, status, headers, body, error=None):
        self.status, self.headers, self.body, self.error = status, headers, body, error
        self.cut = self.fault = self.garbage = self.messages = None
        self.close, self.delay = False, 0


class Replay:
    """Answers requests. One thread only."""

    def __init__(self, scenario, record=None):
        self.scenario = scenario
        self.models = wire.Models()
        self.signatures = wire.Signatures()
        self.record = record
        self.sessions = {}
        self.requests = 0
        self.templates = {}
        self.parents = {}
        self.token_key = b"tokens of this server"

    # --- One request -------------------------------------------------------------------------------------------------

    def answer(self, request):
        self.requests += 1
        request_id = f"{self.requests:08x}-0000-4000-8000-{digest(self.requests):012x}"
        line = {"time": round(time.time(), 3)}
        model, protocol, call = None, "query", None
        try:
            authorization = wire.Authorization(request)
            line.update(region=authorization.region, access_key=authorization.access_key)
            service, model, fields = self.models.find(authorization.service, request)
            protocol = model.service_model.protocol
            line.update(service=service, operation=model.name)
            identity = self.identity(authorization, protocol)
            line.update(account=identity.account, session_name=identity.session_name, role_arn=identity.role)
            self.signatures.verify(request, authorization, identity.secret)
            self.check_token(request, identity)
            parameters = wire.parameters_of(model, request, fields)
            call = Call(identity, authorization.region, service, model, parameters)
            line["parameters"] = wire.plain(parameters)
            self.place(call)
            line["page"] = call.page
            answer = self.faulty(call, request_id) or self.perform(call, request_id)
        except Refusal as refusal:
            if refusal.violation:
                self.violation(refusal.violation, line)
            answer = self.refused(model, protocol, refusal, request_id)
            if call is not None:
                answer.fault = getattr(refusal, "fault", None)
        except Exception as bug:  # of this server, or a request that nobody thought of
            self.violation(f"the server failed: {type(bug).__name__}: {bug}", line)
            refusal = Refusal("InternalFailure", f"{type(bug).__name__}: {bug}", 500)
            answer = self.refused(model, protocol, refusal, request_id)
        self.write(line, model, answer)
        return answer

    def refused(self, model, protocol, refusal, request_id):
        headers, body = wire.error(model, protocol, refusal, request_id)
        return Answer(refusal.status, headers, body, refusal.code)

    def write(self, line, model, answer):
        if self.record is None:
            return
        line.update(status=answer.status, error=answer.error, wire_bytes=len(answer.body))
        if answer.fault:
            line["fault"] = answer.fault
        if answer.messages is not None:
            line["messages"] = answer.messages
        whole = answer.status == 200 and answer.cut is None and not answer.close and answer.garbage is None
        if whole and self.scenario.record_answers:
            line["answer"] = wire.parsed(model, answer.status, answer.headers, answer.body)
        self.record.write(json.dumps(line, ensure_ascii=False) + "\n")
        self.record.flush()

    def violation(self, why, line):
        if self.record is not None:
            where = {name: line[name] for name in ("account", "region", "service", "operation") if name in line}
            self.record.write(json.dumps({"violation": why, **where}) + "\n")
            self.record.flush()

    # --- Who asks ----------------------------------------------------------------------------------------------------

    def identity(self, authorization, protocol):
        key = authorization.access_key
        if key in self.sessions:
            return self.sessions[key]
        found = BASE_KEY.fullmatch(key)
        if not found:
            raise _unknown_key(protocol, "unknown access key")
        account = found[1]
        secret = self.scenario.secrets.get(key) or base_secret(key)
        arn = f"arn:{partition_of(authorization.region)}:iam::{account}:user/base"
        self.sessions[key] = Identity(key, secret, account, arn, f"AIDA{account}BASE")
        return self.sessions[key]

    @staticmethod
    def check_token(request, identity):
        token = request.headers.get("x-amz-security-token")
        if token != identity.token:
            raise Refusal("InvalidClientTokenId", "the security token is invalid", 403, "wrong session token")

    # --- What is asked for -------------------------------------------------------------------------------------------

    def place(self, call):
        """Where the request stands in its pages, and whether it may be asked there."""
        scenario, entry, line = self.scenario, call.entry, {}
        line.update(account=call.account, region=call.region, service=call.service, operation=call.operation)
        if entry:
            allowed = set(OTHER_PARAMETERS.get(call.operation, ()))
            allowed.update(call.paging[:2] if call.paging else (), entry.parent[2:])
            beyond = set(call.parameters) - allowed
            if beyond:
                self.violation(f"parameters that this server takes no notice of: {sorted(beyond)}", line)
            if call.service == "ec2" and call.paging and call.paging[0] not in call.parameters:
                self.violation(UNPAGED, line)
            if entry.scope == "global":
                home = home_region(call.service, partition_of(call.region))
                if call.region != home:
                    self.violation(f"global data is asked for in {call.region}, not in {home}", line)
        token = call.parameters.get(call.paging[1]) if call.paging else None
        if token is not None:
            call.offset, call.page = self.read_token(call, token)
        if call.operation == "SearchTransitGatewayRoutes" and token is not None and not scenario.search_tokens:
            raise Refusal("InvalidNextToken", "there are no tokens", 400, "a token that was never given")

    def read_token(self, call, token):
        try:
            text, seal = base64.b64decode(token, validate=True).split(b"|")
            if not hmac.compare_digest(seal, self.seal(call, text)):
                raise ValueError("not of this request")
            offset, page = text.split(b",")
            return int(offset), int(page)
        except ValueError:
            code = {"networkmanager": "ValidationException", "network-firewall": "InvalidTokenException"}
            raise Refusal(
                code.get(call.service, "InvalidNextToken"), "the token is invalid", 400, "a token used elsewhere"
            ) from None

    def token(self, call, offset):
        text = f"{offset},{call.page + 1}".encode()
        return base64.b64encode(text + b"|" + self.seal(call, text)).decode()

    def seal(self, call, text):
        size, token, _ = call.paging
        same = {name: value for name, value in call.parameters.items() if name not in (size, token)}
        about = [call.account, call.region, call.service, call.operation, json.dumps(same, sort_keys=True)]
        seal = hmac.new(self.token_key, "/".join(about).encode() + text, hashlib.sha256).digest()[:12]
        return base64.b85encode(seal).replace(b"|", b"-")

    def faulty(self, call, request_id):
        """What a fault makes of the request; None when it is answered as ever."""
        delay = 0
        for fault in self.scenario.faults:
            if not fault.takes(call):
                continue
            action = fault.action
            name = next(iter(action))
            if name == "delay_ms":
                delay += action["delay_ms"] / 1000
                continue
            answer = self.act(name, action, call, request_id)
            answer.fault, answer.delay = name, delay
            return answer
        if not delay:
            return None
        answer = self.perform(call, request_id)
        answer.fault, answer.delay = "delay_ms", delay
        return answer

    def act(self, name, action, call, request_id):
        if name == "error":
            error = action["error"]
            refusal = Refusal(error["code"], error.get("message", error["code"]), error.get("status", 400))
            return self.refused(call.model, call.protocol, refusal, request_id)
        if name == "expire":
            call.identity.expired = True
            return self.refused(call.model, call.protocol, _expired(call.protocol), request_id)
        if name == "garbage":
            headers = {"Content-Type": "text/html"}
            answer = Answer(action.get("status", 200), headers, action["garbage"].encode())
            answer.garbage = True
            return answer
        answer = self.perform(call, request_id)
        if name == "cut":
            answer.cut = action["cut"]
        elif name == "close":
            answer.close = True
        else:
            raise ValueError(f"no action {name}")
        return answer

    # --- Answers -----------------------------------------------------------------------------------------------------

    def perform(self, call, request_id):
        if call.identity.is_expired():
            raise _expired(call.protocol)
        if call.service in ("sts", "sqs"):
            return getattr(self, f"_{call.operation}")(call, request_id)
        entry = call.entry
        given = self.given(call)
        if given is not None and self.scenario.enabled(call.account, call.region):
            return self.plain_answer(call, wire.typed(call.model.output_shape, given), request_id)
        if entry is None:
            code = wire.invalid_code(call.model)
            raise Refusal(code, f"{call.operation} is not served", 400, "an operation that is not collected")
        if entry.scope == "regional" and not self.scenario.enabled(call.account, call.region):
            raise _unknown_key(call.protocol, None)
        special = getattr(self, f"_{call.operation}", None)
        if special is not None:
            return special(call, request_id)
        row = self.parent_row(call) if entry.parent else 0
        if entry.member and entry.rows != "whole":
            total = self.number(self.scenario.rows, call)
            return self.page(call, request_id, total, lambda values, first, last: self.rows(call, values, first, last))
        return self.filled(call, request_id, (row,), lambda values: self.members(call, values, row))

    def given(self, call):
        """The answer that the scenario gives for the call."""
        name = f"{call.service}:{call.operation}"
        answers = self.scenario.answers
        return answers.get(f"{call.account}/{call.region}/{name}", answers.get(name))

    def number(self, numbers, call):
        return self.number_of(numbers, call.entry, call.account, call.region)

    @staticmethod
    def number_of(numbers, entry, account, region):
        for key in (f"{account}/{region}/{entry.title}", entry.title, entry.name):
            if key in numbers:
                return numbers[key]
        return numbers["default"]

    def variant(self, call):
        share = zlib.crc32(f"{call.account}+{call.region}".encode()) % self.scenario.variants
        return self.scenario.generation * 1000 + share

    def values(self, call, seed="", family=None):
        entry = call.entry
        parent = entry.parent[2] if entry.parent else ""
        family = bool(entry.parent and entry.member) if family is None else family
        partition = partition_of(call.region)
        return Values(entry, partition, self.variant(call), parent, family, self.scenario.elements, seed)

    def members(self, call, values, row):
        return {name: values.make(shape, name, row) for name, shape in call.model.output_shape.members.items()}

    def rows(self, call, values, first, last):
        name = call.entry.member
        shape = call.model.output_shape.members[name].member
        return [values.make(shape, name, row) for row in range(first, last)]

    def page(self, call, request_id, total, make, per_page=None, key=(), upto=None):
        """One page of a list; `make(values, first, last)` gives its rows."""
        size, _, token = call.paging or (None, None, None)
        first, last = min(call.offset, total), total
        if call.paging:
            per_page = per_page or self.number(self.scenario.rows_per_page, call)
            last = min(total, first + min(per_page, call.parameters.get(size, per_page)))
        if upto is not None:
            last = upto
        more = call.paging is not None and last < total

        def result(values):
            made = {call.entry.member: make(values, first, last)}
            for name, shape in call.model.output_shape.members.items():
                if name not in made and name not in PAGING_OUTPUT:
                    made[name] = values.make(shape, name, 0)
            if "IsTruncated" in call.model.output_shape.members:
                made["IsTruncated"] = more
            if more:
                made[token] = Marks.TOKEN
            elif token and self.scenario.empty_last_token and call.protocol == "ec2":
                made[token] = ""
            return made

        null = token if not more and self.scenario.noise else None
        next_token = self.token(call, last) if more else None
        return self.filled(call, request_id, (first, last, more, key), result, next_token, null)

    def filled(self, call, request_id, key, make, token=None, null=None, values=None):
        """The answer out of its template, which is made when there is none yet."""
        entry = call.entry
        key = (entry.key, partition_of(call.region), self.variant(call), key, null)
        template = self.templates.get(key)
        if template is None:
            result = make(values or self.values(call))
            kind, body = wire.serialize(call.service, call.model, result, Marks.REQUEST, self.scenario.noise)
            if null and body.startswith(b"{"):
                body = b'{"%s":null,' % null.encode() + body[1:]
            template = (kind, body)
            if len(self.templates) > 5000:
                self.templates.clear()
            self.templates[key] = template
        kind, body = template
        parent = call.parent() or ""
        for mark, value in (
            (Marks.ACCOUNT, call.account),
            (Marks.REGION, call.region),
            (Marks.UNIT, call.tag),
            (Marks.FAMILY, f"{zlib.crc32(parent.encode()):08x}"),
            (Marks.PARENT, parent),
            (Marks.TOKEN, token or ""),
            (Marks.REQUEST, request_id),
        ):
            body = body.replace(mark.encode(), value.encode())
        return Answer(200, {"Content-Type": kind, "x-amzn-RequestId": request_id}, body)

    def parent_row(self, call):
        """The row of the parent that the request names; a Refusal when this server never gave its id."""
        section, member, parameter = call.entry.parent
        given = call.parameters.get(parameter)
        if given is None:
            code = {"ec2": "MissingParameter"}.get(call.protocol, wire.invalid_code(call.model))
            raise Refusal(code, f"{parameter} is missing", 400, f"without {parameter}")
        entry = BY_SECTION[section]
        total = self.number_of(self.scenario.rows, entry, call.account, call.region)
        key = (section, partition_of(call.region), self.variant(call), total)
        if key not in self.parents:
            shape = self.models.operation(*entry.key).output_shape.members[entry.member].member
            values = Values(entry, partition_of(call.region), self.variant(call), elements=self.scenario.elements)
            names = [values.make(shape, entry.member, row)[member] for row in range(total)]
            assert len(set(names)) == total, f"{section} has rows of the same id"
            self.parents[key] = {name: row for row, name in enumerate(names)}
        plain = given.replace(call.tag, Marks.UNIT).replace(call.account, Marks.ACCOUNT)
        row = self.parents[key].get(plain.replace(call.region, Marks.REGION))
        if row is None:
            code, status = NOT_FOUND.get(parameter, ("ResourceNotFoundException", 400))
            raise Refusal(code, f"{parameter} '{given}' does not exist", status)
        return row

    # --- Operations with rules of their own --------------------------------------------------------------------------

    def _DescribeRegions(self, call, request_id):
        rows = self.scenario.regions_of(call.account)
        if not call.parameters.get("AllRegions"):
            rows = [row for row in rows if _is_enabled(row)]

        def make(values, first, last):
            made = self.rows(call, values, first, last)
            for row, given in zip(made, rows[first:last]):
                row.update(given, Endpoint=f"ec2.{given['RegionName']}.amazonaws.com")
            return made

        key = tuple((row["RegionName"], row["OptInStatus"]) for row in rows)
        return self.page(call, request_id, len(rows), make, key=key)

    def _ListAccountAliases(self, call, request_id):
        total = self.number(self.scenario.rows, call)
        make = lambda values, first, last: [f"alias-{row}-{Marks.UNIT}" for row in range(first, last)]
        return self.page(call, request_id, total, make)

    def _ListAccounts(self, call, request_id):
        organization = self.organization(call)
        if organization is None:
            total = self.number(self.scenario.rows, call)
            return self.page(call, request_id, total, lambda *arguments: self.rows(call, *arguments))
        if call.account not in (organization["management"], *organization.get("delegated", [])):
            raise Refusal("AccessDeniedException", "You don't have permissions to access this resource.", 400)
        accounts = organization["accounts"]

        def make(values, first, last):
            made = self.rows(call, values, first, last)
            for row, given in zip(made, accounts[first:last]):
                row.update(given)
            return made

        page_size, upto = organization.get("page_size", 20), None
        if call.page == organization.get("empty_page"):
            upto = call.offset
        return self.page(call, request_id, len(accounts), make, page_size, (call.page,), upto)

    def _DescribeOrganization(self, call, request_id):
        organization = self.organization(call)
        members = lambda values: self.members(call, values, 0)
        if organization is None:
            return self.filled(call, request_id, (), members)
        listed = {row["Id"] for row in organization["accounts"]} | {organization["management"]}
        if call.account not in listed:
            raise _no_organization()

        def make(values):
            made = members(values)
            made["Organization"]["MasterAccountId"] = organization["management"]
            return made

        return self.filled(call, request_id, (), make)

    def organization(self, call):
        if self.scenario.organization is False:
            raise _no_organization()
        return self.scenario.organization

    def _GetCoreNetwork(self, call, request_id):
        row = self.parent_row(call)

        def make(values):
            made = self.members(call, values, row)
            places = ["us-east-1", "eu-central-1"]
            network = made["CoreNetwork"]
            network["CoreNetworkId"] = Marks.PARENT
            for member, names in (
                ("Segments", {"prod": places, "dev": places[:1]}),
                ("NetworkFunctionGroups", {"inspection": places, "logging": places[1:]}),
            ):
                shape = call.model.output_shape.members["CoreNetwork"].members[member].member
                network[member] = [values.make(shape, member, row) for row in range(len(names))]
                for item, (name, edges) in zip(network[member], names.items()):
                    item.update(Name=name, EdgeLocations=edges)
            shape = call.model.output_shape.members["CoreNetwork"].members["Edges"].member
            network["Edges"] = [values.make(shape, "Edges", row) for row in range(len(places))]
            for item, place in zip(network["Edges"], places):
                item["EdgeLocation"] = place
            return made

        return self.filled(call, request_id, (row,), make)

    def _GetNetworkRoutes(self, call, request_id):
        identifier = call.parameters["RouteTableIdentifier"]
        kinds = {
            "CoreNetworkSegmentEdge": ("SegmentName", {"prod": 2, "dev": 1}),
            "CoreNetworkNetworkFunctionGroup": ("NetworkFunctionGroupName", {"inspection": 3, "logging": 2}),
        }
        kind = next(iter(identifier), None)
        if len(identifier) != 1 or kind not in kinds:
            raise Refusal("ValidationException", "name one route table", 400, f"route table {identifier}")
        name, edges = kinds[kind]
        place = identifier[kind]
        network = place.get("CoreNetworkId", "")
        entry = BY_SECTION["CoreNetworks"]
        rows = range(self.number_of(self.scenario.rows, entry, call.account, call.region))
        values = Values(entry, partition_of(call.region), self.variant(call))
        real = lambda member, row: values.identity(member, row).replace(Marks.UNIT, call.tag)
        row = next((row for row in rows if real("CoreNetworkId", row) == network), None)
        # The bits: us-east-1 and eu-central-1.
        bits = {"prod": 3, "dev": 1, "inspection": 3, "logging": 2}.get(place.get(name), 0)
        known = place.get(name) in edges and bits & {"us-east-1": 1, "eu-central-1": 2}.get(place["EdgeLocation"], 0)
        if row is None or not known or call.parameters["GlobalNetworkId"] != real("GlobalNetworkId", row):
            raise Refusal("ResourceNotFoundException", f"there is no route table {identifier}", 404)
        seed = f"{kind}/{place[name]}/{place['EdgeLocation']}"

        def make(values):
            made = self.members(call, values, row)
            if kind == "CoreNetworkSegmentEdge":
                made["CoreNetworkSegmentEdge"] = {**place, "CoreNetworkId": place["CoreNetworkId"]}
            else:
                made.pop("CoreNetworkSegmentEdge", None)
            made["RouteTableType"] = "core-network-segment" if name == "SegmentName" else "network-function-group"
            enum = call.model.output_shape.members["RouteTableType"].metadata.get("enum", [made["RouteTableType"]])
            if made["RouteTableType"] not in enum:
                made["RouteTableType"] = enum[-1]
            return made

        key = (row, seed, json.dumps(identifier, sort_keys=True))
        return self.filled(call, request_id, key, make, values=self.values(call, seed))

    def _SearchTransitGatewayRoutes(self, call, request_id):
        table = self.parent_row(call)
        numbers = self.scenario.tgw_routes
        routes = transit_gateway_routes(numbers.get(str(table), numbers["default"]))
        filters = call.parameters["Filters"]
        if not filters:
            raise Refusal("MissingParameter", "The request must contain the parameter filters", 400, "no filters")
        for given in filters:
            routes = [route for route in routes if self.passes(route, given)]
        most = min(SEARCH_LIMIT, call.parameters.get("MaxResults", SEARCH_LIMIT))
        first = call.offset
        last = min(len(routes), first + most)
        more = last < len(routes)
        token = self.token(call, last) if more and self.scenario.search_tokens else None
        shape = call.model.output_shape.members["Routes"].member

        def make(values):
            rows = []
            for route in routes[first:last]:
                # Ids of the route itself, whatever filter found it; three rows out of five have every member.
                row = values.make(shape, "Routes", route.row)
                rows.append({**row, "DestinationCidrBlock": route.text, "Type": route.type, "State": route.state})
            made = {"Routes": rows, "AdditionalRoutesAvailable": more}
            if token:
                made["NextToken"] = Marks.TOKEN
            return made

        key = (table, tuple(route.row for route in routes[first:last]), more, bool(token))
        return self.filled(call, request_id, key, make, token, values=self.values(call, f"table {table}"))

    def passes(self, route, given):
        name, texts = given.get("Name"), given.get("Values", [])
        if not texts:
            raise Refusal("InvalidParameterValue", f"filter {name} has no values", 400, "a filter without values")
        if name == "state":
            return route.state in texts
        if name == "type":
            return route.type in texts
        kind = name.removeprefix("route-search.")
        if kind == name or kind not in ("exact-match", "subnet-of-match", "supernet-of-match"):
            raise Refusal("InvalidParameterValue", f"no filter {name}", 400, f"filter {name} is not served")
        for text in texts:
            try:
                network = ipaddress.ip_network(text)
            except ValueError as error:
                raise Refusal("InvalidParameterValue", str(error), 400, f"filter value {text}") from None
            if network.version != route.network.version:
                continue
            if network == route.network:
                if kind == "exact-match" or not self.scenario.strict_subnets:
                    return True
            elif kind == "subnet-of-match" and route.network.subnet_of(network):
                return True
            elif kind == "supernet-of-match" and network.subnet_of(route.network):
                return True
        return False

    def _AssumeRole(self, call, request_id):
        parameters, caller = call.parameters, call.identity
        arn, name = parameters["RoleArn"], parameters["RoleSessionName"]
        seconds = parameters.get("DurationSeconds", 3600)
        found = ROLE_ARN.fullmatch(arn)
        if not found or not SESSION_NAME.fullmatch(name):
            raise Refusal("ValidationError", f"{arn} or {name} is not well-formed", 400, "role or session name")
        if seconds > 3600 and caller.role:
            why = "The requested DurationSeconds exceeds the 1 hour session limit for roles assumed by role chaining"
            raise Refusal("ValidationError", why, 400, "a chained session longer than an hour")
        role = self.scenario.roles.get(arn)
        if self.scenario.roles and not _may_assume(role, caller, parameters.get("ExternalId")):
            why = f"User: {caller.arn} is not authorized to perform: sts:AssumeRole on resource: {arn}"
            raise Refusal("AccessDenied", why, 403)
        partition, account, path = found.groups()
        role_name = path.rsplit("/", 1)[-1]
        key = f"ASIA{account}{_letters(len(self.sessions))}"
        token = f"{SECRET_MARK}{_short(b'token', key)}" + _short(b"more", key) * 8
        ends = time.time() + (self.scenario.session_seconds or seconds)
        user = f"AROA{digest(arn):08X}:{name}"
        assumed = f"arn:{partition}:sts::{account}:assumed-role/{role_name}/{name}"
        secret = f"{SECRET_MARK}{_short(b'session', key)}"
        self.sessions[key] = Identity(key, secret, account, assumed, user, (arn, name, token, ends))
        expiration = datetime.datetime.fromtimestamp(int(ends), datetime.timezone.utc)
        credentials = {"AccessKeyId": key, "SecretAccessKey": secret, "SessionToken": token, "Expiration": expiration}
        result = {"Credentials": credentials, "AssumedRoleUser": {"AssumedRoleId": user, "Arn": assumed}}
        return self.plain_answer(call, {**result, "PackedPolicySize": 6}, request_id)

    def _GetCallerIdentity(self, call, request_id):
        who = call.identity
        return self.plain_answer(call, {"UserId": who.user, "Account": who.account, "Arn": who.arn}, request_id)

    def _SendMessageBatch(self, call, request_id):
        entries = call.parameters["Entries"]
        names = [entry["Id"] for entry in entries]
        if not 1 <= len(entries) <= 10 or len(set(names)) != len(names):
            code = "AWS.SimpleQueueService.TooManyEntriesInBatchRequest"
            raise Refusal(code, f"{len(entries)} entries: {names}", 400, "entries of a batch")
        size = sum(len(entry["MessageBody"].encode()) for entry in entries)
        if size > MESSAGES_LIMIT:
            code = "AWS.SimpleQueueService.BatchRequestTooLong"
            raise Refusal(code, f"{size} bytes", 400, "a batch that is too long")
        sent = []
        for entry in entries:
            body = hashlib.md5(entry["MessageBody"].encode()).hexdigest()
            sent.append({"Id": entry["Id"], "MessageId": f"{body[:8]}-{request_id}"[:36], "MD5OfMessageBody": body})
        answer = self.plain_answer(call, {"Successful": sent, "Failed": []}, request_id)
        answer.messages = [entry["MessageBody"] for entry in entries]
        return answer

    def plain_answer(self, call, result, request_id):
        kind, body = wire.serialize(call.service, call.model, result, request_id)
        return Answer(200, {"Content-Type": kind, "x-amzn-RequestId": request_id}, body)


def _letters(number):
    digits = "ABCDEFGHIJKLMNOPQRSTUVWXYZ234567"
    return "".join(digits[number >> shift & 31] for shift in (15, 10, 5, 0))


def _may_assume(role, caller, external_id):
    if role is None or role.get("denied"):
        return False
    if role.get("external_id") is not None and role["external_id"] != external_id:
        return False
    trusted = role.get("trusted")
    return trusted is None or any(who in ("*", caller.account, caller.arn, caller.role) for who in trusted)


def _expired(protocol):
    code, status = {"ec2": ("RequestExpired", 400), "query": ("ExpiredToken", 403)}.get(
        protocol, ("ExpiredTokenException", 400)
    )
    return Refusal(code, "The security token included in the request is expired", status)


def _unknown_key(protocol, violation):
    if protocol == "ec2":
        why = "AWS was not able to validate the provided access credentials"
        return Refusal("AuthFailure", why, 401, violation)
    code, status = ("InvalidClientTokenId", 403) if protocol == "query" else ("UnrecognizedClientException", 400)
    return Refusal(code, "The security token included in the request is invalid.", status, violation)


def _no_organization():
    return Refusal("AWSOrganizationsNotInUseException", "Your account is not a member of an organization.", 400)


class Route:
    __slots__ = ("row", "text", "network", "type", "state")

    def __init__(self, row, text, kind, state):
        self.row, self.text, self.type, self.state = row, text, kind, state
        self.network = ipaddress.ip_network(text)


_ROUTES = {}
# Default routes and halves of everything, prefixes of other prefixes, and both ends of the address space: what is
# lost when a search is split without care.
FIRST_ROUTES = """
0.0.0.0/0 static active, ::/0 static blackhole, 10.20.0.0/16 propagated active, 10.20.0.0/17 propagated active,
2001:db8:1::/48 propagated active, 10.0.0.0/8 propagated active, 192.0.2.0/24 static blackhole,
fd00::/8 propagated active, 255.255.255.255/32 static active, 0.0.0.0/1 propagated active,
128.0.0.0/1 propagated active, 8000::/1 propagated active, 10.20.0.0/28 propagated active
"""


def transit_gateway_routes(number):
    """So many routes. When there are many, most are in two narrow prefixes, alike in state and type."""
    if number not in _ROUTES:
        texts = [tuple(text.split()) for text in FIRST_ROUTES.replace("\n", " ").strip().split(",")]
        more = max(0, number - len(texts))
        share = more * 45 // 100
        narrow = ipaddress.ip_network("10.20.0.0/17").subnets(new_prefix=28 if share < 2000 else 32)
        next(narrow)
        texts += [(str(next(narrow)), "propagated", "active") for _ in range(share)]
        narrow = ipaddress.ip_network("2001:db8:1::/48").subnets(new_prefix=64)
        texts += [(str(next(narrow)), "propagated", "active") for _ in range(share)]
        static = ipaddress.ip_network("172.16.0.0/12").subnets(new_prefix=30)
        states = ("active", "blackhole")
        texts += [(str(next(static)), "static", states[row % 2]) for row in range(more - 2 * share)]
        routes = [Route(row, *text) for row, text in enumerate(texts[:number])]
        assert len({route.network for route in routes}) == len(routes)
        _ROUTES[number] = sorted(routes, key=lambda route: digest(route.text))
    return _ROUTES[number]


# --- HTTP ------------------------------------------------------------------------------------------------------------


class Connection(asyncio.Protocol):
    """HTTP/1.1, one request after the other, for as long as the client likes."""

    def __init__(self, replay):
        self.replay = replay
        self.buffer = bytearray()
        self.busy = False
        self.transport = None

    def connection_made(self, transport):
        self.transport = transport

    def data_received(self, data):
        self.buffer += data
        self.go_on()

    def go_on(self):
        while not self.busy:
            request = self.next_request()
            if request is None:
                return
            self.busy = True
            answer = self.replay.answer(request)
            delay = self.replay.scenario.latency + answer.delay
            if delay:
                asyncio.get_running_loop().call_later(delay, self.send, answer, True)
            else:
                self.send(answer, False)

    def next_request(self):
        end = self.buffer.find(b"\r\n\r\n")
        if end < 0:
            return None
        lines = bytes(self.buffer[:end]).decode("latin-1").split("\r\n")
        headers = {}
        for line in lines[1:]:
            name, _, value = line.partition(":")
            name, value = name.strip().lower(), value.strip()
            headers[name] = f"{headers[name]},{value}" if name in headers else value
        length = int(headers.get("content-length", 0))
        if "transfer-encoding" in headers:
            self.replay.violation("a request in chunks", {})
            self.transport.close()
            return None
        if len(self.buffer) < end + 4 + length:
            return None
        body = bytes(self.buffer[end + 4 : end + 4 + length])
        del self.buffer[: end + 4 + length]
        method, target, _ = lines[0].split(" ", 2)
        return wire.Request(method, target, headers, body)

    def send(self, answer, later):
        self.busy = False
        if self.transport.is_closing():
            return
        if answer.close:
            self.transport.close()
            return
        body, headers = answer.body, dict(answer.headers)
        if self.replay.scenario.chunked and headers["Content-Type"].startswith("text/xml;"):
            headers["Transfer-Encoding"] = "chunked"
            middle = len(body) // 2
            parts = [part for part in (body[:middle], body[middle:]) if part]
            body = b"".join(b"%x\r\n%s\r\n" % (len(part), part) for part in parts) + b"0\r\n\r\n"
        else:
            headers["Content-Length"] = str(len(body))
        head = f"HTTP/1.1 {answer.status} {'OK' if answer.status == 200 else 'Error'}\r\n"
        head += "".join(f"{name}: {value}\r\n" for name, value in headers.items()) + "\r\n"
        if answer.cut is not None:
            self.transport.write(head.encode() + body[: int(len(body) * answer.cut)])
            self.transport.close()
            return
        self.transport.write(head.encode() + body)
        if later:
            self.go_on()


async def serve(replay):
    loop = asyncio.get_running_loop()
    ended = asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, ended.set)
    watch_stdin(loop, ended)
    server = await loop.create_server(lambda: Connection(replay), "127.0.0.1", 0, backlog=1024)
    print(json.dumps({"port": server.sockets[0].getsockname()[1]}), flush=True)
    await ended.wait()
    server.close()


def watch_stdin(loop, ended):
    """The end of a pipe at stdin is the end of the server; a terminal or /dev/null says nothing."""
    mode = os.fstat(0).st_mode
    if not (stat.S_ISFIFO(mode) or stat.S_ISSOCK(mode)):
        return

    def readable():
        if not os.read(0, 4096):
            loop.remove_reader(0)
            ended.set()

    loop.add_reader(0, readable)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--scenario", type=pathlib.Path, metavar="FILE")
    parser.add_argument("--record", type=pathlib.Path, metavar="FILE")
    parser.add_argument("--self-check", action="store_true")
    arguments = parser.parse_args()
    if arguments.self_check:
        import replay_check

        return replay_check.main()
    scenario = Scenario(json.loads(arguments.scenario.read_text()) if arguments.scenario else {})
    record = open(arguments.record, "a", encoding="utf-8") if arguments.record else None
    asyncio.run(serve(Replay(scenario, record)))
    return 0


if __name__ == "__main__":
    sys.exit(main())
