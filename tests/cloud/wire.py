"""AWS's protocols as a service sees them: whose a request is, what it asks for, and how an answer is written.

Everything comes from botocore's service models. Requests are read more strictly than AWS reads them.
"""

import base64
import datetime
import hashlib
import hmac
import json
import re
import urllib.parse

import botocore.session
import moto.core.serialize
from botocore.parsers import create_parser
from botocore.validate import ParamValidator
from moto.core.model import ServiceModel

SIGNING_NAMES = {
    "ec2": ("ec2",),
    "directconnect": ("directconnect",),
    "elasticloadbalancing": ("elb", "elbv2"),
    "network-firewall": ("network-firewall",),
    "networkmanager": ("networkmanager",),
    "organizations": ("organizations",),
    "iam": ("iam",),
    "sts": ("sts",),
    "sqs": ("sqs",),
}
CLOCK_SKEW = datetime.timedelta(minutes=15)


class Refusal(Exception):
    """An error that AWS answers with."""

    def __init__(self, code, message, status=400, violation=None):
        super().__init__(message)
        self.code, self.message, self.status = code, message, status
        self.violation = violation  # why the client is wrong, not only unlucky


class Request:
    __slots__ = ("method", "path", "query", "headers", "body")

    def __init__(self, method, target, headers, body):
        self.method = method
        self.path, _, self.query = target.partition("?")
        self.headers = headers  # lower-case names; repeated ones joined by commas
        self.body = body


# --- Models ----------------------------------------------------------------------------------------------------------


class Models:
    """The service models, loaded once."""

    def __init__(self):
        loader = botocore.session.get_session().get_component("data_loader")
        self.services = {}
        self.operations = {}
        self.rest = {}
        for names in SIGNING_NAMES.values():
            for name in names:
                # moto's classes, which are botocore's with what its serializers need.
                self.services[name] = ServiceModel(loader.load_service_model(name, "service-2"), name)
        for name, model in self.services.items():
            if model.protocol == "rest-json":
                operations = [model.operation_model(operation) for operation in model.operation_names]
                self.rest[name] = [(_uri_pattern(operation), operation) for operation in operations]

    def operation(self, service, name):
        key = (service, name)
        if key not in self.operations:
            model = self.services[service]
            self.operations[key] = model.operation_model(name) if name in model.operation_names else None
        return self.operations[key]

    def find(self, signing_name, request):
        """(service, operation model, form fields) of a request."""
        candidates = SIGNING_NAMES.get(signing_name)
        if candidates is None:
            raise Refusal("InvalidAction", f"no service signs as {signing_name}", 400, "unknown service")
        service = candidates[0]
        protocol = self.services[service].protocol
        if protocol in ("ec2", "query"):
            fields = _form(request)
            for candidate in candidates:
                if fields.get("Version") == self.services[candidate].api_version:
                    return candidate, self._known(candidate, fields.get("Action", "")), fields
            why = f"Version {fields.get('Version')!r} is none of {signing_name}"
            raise Refusal("InvalidParameterValue", why, 400, "wrong Version")
        if protocol == "json":
            prefix, _, name = request.headers.get("x-amz-target", "").partition(".")
            if prefix != self.services[service].metadata["targetPrefix"]:
                raise Refusal("UnknownOperationException", f"X-Amz-Target {prefix!r}", 400, "wrong X-Amz-Target")
            return service, self._known(service, name), None
        for pattern, operation in self.rest[service]:
            if operation.http["method"] == request.method and pattern.fullmatch(request.path):
                return service, self.operation(service, operation.name), None
        why = f"{request.method} {request.path} is no operation"
        raise Refusal("UnknownOperationException", why, 404, "unknown path")

    def _known(self, service, name):
        operation = self.operation(service, name)
        if operation is None:
            raise Refusal("InvalidAction", f"{service} has no operation {name!r}", 400, "unknown operation")
        return operation


def _uri_pattern(operation):
    uri = operation.http["requestUri"].partition("?")[0]
    pattern = re.sub(r"\\\{(\w+)(\\\+)?\\\}", lambda m: f"(?P<{m[1]}>{'.+' if m[2] else '[^/]+'})", re.escape(uri))
    return re.compile(pattern)


def _form(request):
    kind = request.headers.get("content-type", "")
    if request.method != "POST" or not kind.startswith("application/x-www-form-urlencoded"):
        why = f"{request.method} with Content-Type {kind!r}"
        raise Refusal("InvalidAction", why, 400, "not a form")
    fields = {}
    body = request.body.decode("ascii")
    for name, value in urllib.parse.parse_qsl(body, keep_blank_values=True, strict_parsing=True, errors="strict"):
        if name in fields:
            raise Refusal("MalformedQueryString", f"{name} twice", 400, "repeated field")
        fields[name] = value
    return fields


# --- Parameters ------------------------------------------------------------------------------------------------------


def parameters_of(operation, request, fields):
    """The parameters as boto3 would take them; a Refusal when the model does not allow them."""
    shape = operation.input_shape
    protocol = operation.service_model.protocol
    if protocol in ("ec2", "query"):
        left = {name: value for name, value in fields.items() if name not in ("Action", "Version")}
        parameters = _Form(left, protocol == "ec2").structure(shape, "") if shape else {}
        parameters = parameters or {}
        if left:
            raise _unknown(operation, sorted(left))
    elif protocol == "json":
        expected = f"application/x-amz-json-{operation.metadata['jsonVersion']}"
        if request.headers.get("content-type") != expected or request.method != "POST" or request.path != "/":
            why = f"{request.method} {request.path} with Content-Type {request.headers.get('content-type')!r}"
            raise Refusal("SerializationException", why, 400, f"not {expected}")
        parameters = _json_members(operation, _json(request.body), shape)
    else:
        parameters = _rest(operation, request, shape)
    if shape is not None:
        report = ParamValidator().validate(parameters, shape)
        wrong = report.generate_report() if report.has_errors() else ""
        wrong = wrong or "\n".join(_limits(parameters, shape, ""))
        if wrong:
            raise Refusal(invalid_code(operation), wrong, 400, f"invalid parameters: {wrong}")
    return parameters


def invalid_code(operation):
    protocol = operation.service_model.protocol
    return {"ec2": "InvalidParameterValue", "query": "ValidationError"}.get(protocol, "ValidationException")


def _unknown(operation, names):
    code = {"ec2": "UnknownParameter"}.get(operation.service_model.protocol, invalid_code(operation))
    return Refusal(code, f"not recognised: {', '.join(names)}", 400, f"unknown parameters {names}")


class _Form:
    """Takes what a shape describes out of the fields of a form."""

    def __init__(self, fields, ec2):
        self.fields, self.ec2 = fields, ec2

    def _name(self, shape, default):
        serialization = shape.serialization
        if not self.ec2:
            return serialization.get("name", default)
        if "queryName" in serialization:
            return serialization["queryName"]
        name = serialization.get("name", default)
        return name[0].upper() + name[1:]

    def value(self, shape, prefix):
        kind = shape.type_name
        if kind in ("structure", "list", "map"):
            return getattr(self, kind)(shape, prefix)
        text = self.fields.pop(prefix, None)
        return None if text is None else _scalar(kind, text, prefix)

    def structure(self, shape, prefix):
        if prefix and not any(name.startswith(prefix + ".") for name in self.fields):
            return None
        made = {}
        for member, inner in shape.members.items():
            name = self._name(inner, member)
            value = self.value(inner, f"{prefix}.{name}" if prefix else name)
            if value is not None:
                made[member] = value
        return made

    def list(self, shape, prefix):
        if not self.ec2:
            if self.fields.get(prefix) == "":
                del self.fields[prefix]
                return []
            if shape.serialization.get("flattened"):
                own = shape.member.serialization.get("name")
                prefix = ".".join([*prefix.split(".")[:-1], own]) if own else prefix
            else:
                prefix = f"{prefix}.{shape.member.serialization.get('name', 'member')}"
        made = []
        while True:
            value = self.value(shape.member, f"{prefix}.{len(made) + 1}")
            if value is None:
                return made or None
            made.append(value)

    def map(self, shape, prefix):
        made = {}
        prefix = prefix if shape.serialization.get("flattened") else f"{prefix}.entry"
        while True:
            start = f"{prefix}.{len(made) + 1}"
            key = self.value(shape.key, f"{start}.{shape.key.serialization.get('name', 'key')}")
            if key is None:
                return made or None
            made[key] = self.value(shape.value, f"{start}.{shape.value.serialization.get('name', 'value')}")


def _scalar(kind, text, name):
    if kind in ("integer", "long") and re.fullmatch(r"-?[0-9]+", text):
        return int(text)
    if kind == "boolean" and text in ("true", "false"):
        return text == "true"
    if kind in ("double", "float"):
        return float(text)
    if kind in ("string", "timestamp", "blob", "character"):
        return text
    raise Refusal("InvalidParameterValue", f"{name}: {text!r} is no {kind}", 400, f"{name} is no {kind}")


def _json(body):
    try:
        value = json.loads(body)
    except ValueError as error:
        raise Refusal("SerializationException", str(error), 400, "no JSON") from None
    if not isinstance(value, dict):
        raise Refusal("SerializationException", "no object", 400, "no JSON object")
    return value


def _json_members(operation, value, shape):
    """Renames members from what is on the wire; unknown ones are refused."""
    if shape is None:
        if value:
            raise _unknown(operation, sorted(value))
        return {}
    return _from_json(operation, value, shape)


def _from_json(operation, value, shape):
    if shape.type_name == "structure" and isinstance(value, dict):
        names = {inner.serialization.get("name", member): member for member, inner in shape.members.items()}
        unknown = sorted(set(value) - set(names))
        if unknown:
            raise _unknown(operation, unknown)
        members = {names[name]: inner for name, inner in value.items()}
        return {name: _from_json(operation, inner, shape.members[name]) for name, inner in members.items()}
    if shape.type_name == "list" and isinstance(value, list):
        return [_from_json(operation, inner, shape.member) for inner in value]
    if shape.type_name == "map" and isinstance(value, dict):
        return {key: _from_json(operation, inner, shape.value) for key, inner in value.items()}
    return value


def _rest(operation, request, shape):
    found = _uri_pattern(operation).fullmatch(request.path)
    labels = {name: urllib.parse.unquote(value) for name, value in found.groupdict().items()}
    query = {}
    strict = bool(request.query)
    for name, value in urllib.parse.parse_qsl(request.query, keep_blank_values=True, strict_parsing=strict):
        query.setdefault(name, []).append(value)
    parameters, body = {}, {}
    for member, inner in shape.members.items():
        name = inner.serialization.get("name", member)
        location = inner.serialization.get("location")
        if location == "uri":
            parameters[member] = _scalar(inner.type_name, labels[name], name)
        elif location == "querystring" and name in query:
            texts = query.pop(name)
            if inner.type_name == "list":
                parameters[member] = [_scalar(inner.member.type_name, text, name) for text in texts]
            elif len(texts) == 1:
                parameters[member] = _scalar(inner.type_name, texts[0], name)
            else:
                raise Refusal("ValidationException", f"{name} twice", 400, f"repeated {name}")
        elif location is None:
            body[name] = (member, inner)
    if query:
        raise _unknown(operation, sorted(query))
    if not body:
        if request.body not in (b"", b"{}"):
            raise Refusal("SerializationException", "there must be no body", 400, "unexpected body")
        return parameters
    if request.headers.get("content-type") != "application/json":
        why = f"Content-Type {request.headers.get('content-type')!r}"
        raise Refusal("SerializationException", why, 400, "not application/json")
    given = _json(request.body)
    unknown = sorted(set(given) - set(body))
    if unknown:
        raise _unknown(operation, unknown)
    for name, value in given.items():
        member, inner = body[name]
        parameters[member] = _from_json(operation, value, inner)
    return parameters


def _limits(value, shape, path):
    """What botocore leaves to the service: upper bounds, enumerations and patterns."""
    if shape.type_name == "structure":
        for name, inner in value.items():
            yield from _limits(inner, shape.members[name], f"{path}.{name}")
        return
    if shape.type_name == "map":
        for key, inner in value.items():
            yield from _limits(inner, shape.value, f"{path}.{key}")
        return
    most = shape.metadata.get("max")
    if shape.type_name == "list":
        for index, inner in enumerate(value):
            yield from _limits(inner, shape.member, f"{path}[{index}]")
        if most is not None and len(value) > most:
            yield f"{path} has {len(value)} elements, more than {most}"
        return
    size = len(value) if isinstance(value, str) else value
    if most is not None and shape.type_name in ("string", "integer", "long") and size > most:
        yield f"{path} is {size}, more than {most}"
    if isinstance(value, str):
        enum, pattern = shape.metadata.get("enum"), shape.metadata.get("pattern")
        if enum and value not in enum:
            yield f"{path} is {value!r}, none of {enum}"
        try:
            if pattern and not re.search(pattern, value):
                yield f"{path} is {value!r}, not like {pattern}"
        except re.error:
            pass  # a pattern of Java's that Python does not know


# --- Signatures ------------------------------------------------------------------------------------------------------


class Authorization:
    """The Authorization header of signature version 4."""

    __slots__ = ("access_key", "date", "region", "service", "signed", "signature")
    PATTERN = re.compile(
        r"AWS4-HMAC-SHA256 Credential=([^/, ]+)/(\d{8})/([^/, ]+)/([^/, ]+)/aws4_request, ?"
        r"SignedHeaders=([^, ]+), ?Signature=([0-9a-f]{64})"
    )

    def __init__(self, request):
        header = request.headers.get("authorization")
        if header is None:
            raise Refusal("MissingAuthenticationToken", "the request is not signed", 403, "not signed")
        found = self.PATTERN.fullmatch(header)
        if not found:
            raise Refusal("IncompleteSignature", f"cannot read {header!r}", 403, "unreadable Authorization")
        self.access_key, self.date, self.region, self.service, signed, self.signature = found.groups()
        self.signed = signed.split(";")


class Signatures:
    """Verifies signatures; remembers signing keys, which are good for a day."""

    def __init__(self):
        self.keys = {}

    def _key(self, secret, scope):
        key = self.keys.get((secret, scope))
        if key is None:
            key = ("AWS4" + secret).encode()
            for part in (*scope, "aws4_request"):
                key = hmac.new(key, part.encode(), hashlib.sha256).digest()
            self.keys[(secret, scope)] = key
        return key

    def verify(self, request, authorization, secret):
        headers, signed = request.headers, authorization.signed
        must = {"host"} | {name for name in headers if name.startswith("x-amz-")}
        # What a tracing proxy may add on the way, or the SDKs leave out of the signature.
        must -= {"x-amzn-trace-id", "x-amz-user-agent"}
        if signed != sorted(signed) or not must <= set(signed):
            raise self._wrong(f"signed headers are {signed}, and must hold {sorted(must)}")
        date = headers.get("x-amz-date", "")
        try:
            when = datetime.datetime.strptime(date, "%Y%m%dT%H%M%SZ").replace(tzinfo=datetime.timezone.utc)
        except ValueError:
            raise self._wrong(f"X-Amz-Date is {date!r}") from None
        if abs(datetime.datetime.now(datetime.timezone.utc) - when) > CLOCK_SKEW or date[:8] != authorization.date:
            raise self._wrong(f"X-Amz-Date {date} is not now, or not of the scope {authorization.date}")
        payload = hashlib.sha256(request.body).hexdigest()
        if headers.get("x-amz-content-sha256", payload) != payload:
            raise self._wrong("X-Amz-Content-Sha256 is not that of the body")
        query = sorted(pair if "=" in pair else f"{pair}=" for pair in request.query.split("&") if pair)
        canonical = "\n".join(
            [
                request.method,
                urllib.parse.quote(request.path, safe="/-_.~"),
                "&".join(query),
                *(f"{name}:{' '.join(headers.get(name, '').split())}" for name in signed),
                "",
                ";".join(signed),
                payload,
            ]
        )
        scope = (authorization.date, authorization.region, authorization.service)
        hashed = hashlib.sha256(canonical.encode()).hexdigest()
        text = "\n".join(["AWS4-HMAC-SHA256", date, "/".join((*scope, "aws4_request")), hashed])
        expected = hmac.new(self._key(secret, scope), text.encode(), hashlib.sha256).hexdigest()
        if not hmac.compare_digest(expected, authorization.signature):
            raise self._wrong("the signature is not that of the request")

    @staticmethod
    def _wrong(why):
        return Refusal("SignatureDoesNotMatch", why, 403, f"signature: {why}")


# --- Answers ---------------------------------------------------------------------------------------------------------


class _Timestamps(moto.core.serialize.TimestampSerializer):
    """Writes times as AWS's services do, which differ: with three digits of a second, with six, with none."""

    def _timestamp_iso8601(self, value):
        if value.microsecond:
            digits = f"{value.microsecond:06d}"
            return value.strftime("%Y-%m-%dT%H:%M:%S.") + (digits[:3] if digits.endswith("000") else digits) + "Z"
        return value.strftime("%Y-%m-%dT%H:%M:%S.000Z" if value.second % 2 else "%Y-%m-%dT%H:%M:%SZ")

    _timestamp_iso8601_zeroed = _timestamp_iso8601

    @staticmethod
    def _timestamp_unixtimestamp(value):
        seconds = int(value.timestamp())
        milliseconds = value.microsecond // 1000
        if milliseconds:
            return seconds + milliseconds / 1000
        # Java writes a double of this size with an exponent.
        return f"{_NUMBER}{seconds / 1e9:.9f}E9" if seconds % 3 == 0 else seconds


_NUMBER = "number\u0001"
_NUMBERS = re.compile(r'"number\\u0001([0-9.E]+)"')
_SERIALIZERS = {}


def _serializer_class(service, protocol):
    key = (service, protocol)
    if key not in _SERIALIZERS:
        base = moto.core.serialize.get_serializer_class(service, protocol)

        class Serializer(base):
            def __init__(self, *arguments, **named):
                super().__init__(*arguments, **named)
                self._timestamp_serializer = _Timestamps(self.DEFAULT_TIMESTAMP_FORMAT)

        _SERIALIZERS[key] = Serializer
    return _SERIALIZERS[key]


def check(operation, result):
    """Whether boto3's own stubber would take the answer."""
    if operation.output_shape is not None:
        report = ParamValidator().validate(result, operation.output_shape)
        if report.has_errors():
            raise AssertionError(f"{operation.name}: {report.generate_report()}")


def typed(shape, value):
    """A value as boto3 has it, made of JSON: times are texts there."""
    if shape.type_name == "structure":
        return {name: typed(shape.members[name], inner) for name, inner in value.items()}
    if shape.type_name == "list":
        return [typed(shape.member, inner) for inner in value]
    if shape.type_name == "map":
        return {key: typed(shape.value, inner) for key, inner in value.items()}
    if shape.type_name == "timestamp":
        return datetime.datetime.fromisoformat(value)
    return value


def serialize(service, operation, result, request_id, noise=False):
    """(content type, body) of an answer. With noise, there are members that no model has, and no reader may mind."""
    check(operation, result)
    protocol = operation.service_model.protocol
    context = moto.core.serialize.SerializationContext(request_id)
    answer = _serializer_class(service, protocol)(operation, context).serialize(result)
    body = answer["body"]
    if protocol in ("ec2", "query"):
        text = body if isinstance(body, str) else body.decode()
        if noise:
            text = _xml_noise(text)
        return "text/xml;charset=UTF-8", text.encode()
    value = json.loads(body)
    if noise:
        value = _json_noise(value)
    # Some services write characters beyond ASCII as they are, others escape them.
    text = json.dumps(value, ensure_ascii=len(operation.name) % 2 == 0, separators=(",", ":"))
    return answer["headers"]["Content-Type"], _NUMBERS.sub(r"\1", text).encode()


def _json_noise(value):
    grown = {"aMemberFromTheFuture": {"deep": [1, {"er": None}]}, "aNull": None}
    for name, rows in value.items():
        if isinstance(rows, list):
            rows = [{"aMemberFromTheFuture": [True], **row} if isinstance(row, dict) else row for row in rows]
        grown[name] = rows
    return grown


def _xml_noise(text):
    """A character reference instead of a letter, an attribute, and an element of the future in the root."""
    text = text.replace("é", "&#xe9;", 3)
    head, end, rest = text.partition("</requestId>")
    if end:
        future = "<aMemberFromTheFuture><item><deep>1</deep></item><item/></aMemberFromTheFuture>"
        text = f"{head}{end}{future}{rest}"
    return text


def parsed(operation, status, headers, body):
    """What botocore makes of an answer, times as the AWS CLI prints them."""
    parser = create_parser(operation.service_model.protocol)
    answer = parser.parse({"status_code": status, "headers": headers, "body": body}, operation.output_shape)
    answer.pop("ResponseMetadata", None)
    return plain(answer)


def plain(value):
    if isinstance(value, dict):
        return {key: plain(inner) for key, inner in value.items()}
    if isinstance(value, (list, tuple)):
        return [plain(inner) for inner in value]
    if isinstance(value, datetime.datetime):
        return value.astimezone(datetime.timezone.utc).isoformat()
    if isinstance(value, (bytes, bytearray)):
        return base64.b64encode(value).decode()
    return value


def error(operation, protocol, refusal, request_id):
    """(headers, body) of an error as the protocol writes it."""
    code, message = refusal.code, refusal.message
    if protocol == "ec2":
        body = (
            '<?xml version="1.0" encoding="UTF-8"?>\n'
            f"<Response><Errors><Error><Code>{_xml(code)}</Code><Message>{_xml(message)}</Message></Error></Errors>"
            f"<RequestID>{request_id}</RequestID></Response>"
        )
        return {"Content-Type": "text/xml;charset=UTF-8", "x-amzn-requestid": request_id}, body.encode()
    if protocol == "query":
        namespace = operation.metadata.get("xmlNamespace", "") if operation else ""
        fault = "Receiver" if refusal.status >= 500 else "Sender"
        body = (
            f'<ErrorResponse xmlns="{namespace}">\n  <Error>\n    <Type>{fault}</Type>\n    <Code>{_xml(code)}</Code>\n'
            f"    <Message>{_xml(message)}</Message>\n  </Error>\n  <RequestId>{request_id}</RequestId>\n"
            "</ErrorResponse>\n"
        )
        return {"Content-Type": "text/xml", "x-amzn-RequestId": request_id}, body.encode()
    if protocol == "rest-json":
        # Code and link in a header, nothing of it in the body.
        headers = {
            "Content-Type": "application/json",
            "x-amzn-RequestId": request_id,
            "x-amzn-ErrorType": f"{code}:http://internal.amazon.com/coral/com.amazon.coral.service/",
        }
        return headers, json.dumps({"Message": message}).encode()
    version = operation.metadata.get("jsonVersion", "1.1") if operation else "1.1"
    headers = {"Content-Type": f"application/x-amz-json-{version}", "x-amzn-RequestId": request_id}
    if version == "1.0":
        if operation and "awsQueryCompatible" in operation.metadata:
            headers["x-amzn-query-error"] = f"{code};Sender"
        headers["x-amzn-ErrorType"] = code
        return headers, json.dumps({"__type": f"com.amazonaws.service#{code}", "Message": message}).encode()
    return headers, json.dumps({"__type": code, "message": message}).encode()


def _xml(text):
    return text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")
