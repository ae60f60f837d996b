"""Whether the replay server is what it says: everything called with boto3, and compared with the record."""

import contextlib
import datetime
import pathlib
import tempfile
import time

import boto3
import botocore.config
import botocore.exceptions

from harness import Failure, Server, access_key, difference, expect, members_seen, say
from operations import BY_SECTION, OPERATIONS, PAGING, SECRET_MARK, home_region, route_tables
from replay import base_secret, transit_gateway_routes
from wire import plain

ACCOUNTS = ("111111111111", "222222222222")
REGIONS = ("us-east-1", "eu-central-1")
SMALLEST = 5  # the least page size that ec2 takes


class Aws:
    """boto3's clients of one identity."""

    def __init__(self, server, account, credentials=None, attempts=1):
        self.server, self.account, self.clients = server, account, {}
        key = access_key(account)
        self.keys = {"aws_access_key_id": key, "aws_secret_access_key": base_secret(key)}
        if credentials:
            self.keys = {
                "aws_access_key_id": credentials["AccessKeyId"],
                "aws_secret_access_key": credentials["SecretAccessKey"],
                "aws_session_token": credentials["SessionToken"],
            }
        self.configuration = botocore.config.Config(
            proxies={}, retries={"total_max_attempts": attempts, "mode": "standard"}, parameter_validation=False
        )

    def client(self, service, region):
        if (service, region) not in self.clients:
            self.clients[(service, region)] = boto3.client(
                service,
                region_name=region,
                endpoint_url=self.server.endpoint,
                config=self.configuration,
                **self.keys,
            )
        return self.clients[(service, region)]

    def call(self, service, region, operation, **parameters):
        client = self.client(service, region)
        answer = client._make_api_call(operation, parameters)
        answer.pop("ResponseMetadata")
        return plain(answer)

    def assume(self, role, region="us-east-1", **parameters):
        parameters = {"RoleArn": role, "RoleSessionName": "check", **parameters}
        answer = self.call("sts", region, "AssumeRole", **parameters)
        return Aws(self.server, role.split(":")[4], answer["Credentials"])


def refusal(sentence, code, call, *arguments, **named):
    try:
        call(*arguments, **named)
    except botocore.exceptions.ClientError as error:
        found = error.response["Error"]["Code"]
        expect(found == code, f"{sentence}: {found} instead of {code}")
        return error.response
    raise Failure(f"{sentence}: answered instead of {code}")


def pages(aws, operation, region, **parameters):
    """The answers of all pages, as a loop asks for them."""
    model = aws.client(operation.service, region).meta.service_model.operation_model(operation.name)
    names = model.input_shape.members if model.input_shape else {}
    paging = next((paging for paging in PAGING if paging[0] in names and paging[1] in names), None)
    if paging:
        size, given, answered = paging
        parameters[size] = max(model.input_shape.members[size].metadata.get("min", 1), SMALLEST)
    found = []
    while True:
        found.append(aws.call(operation.service, region, operation.name, **parameters))
        token = found[-1].get(answered) if paging else None
        if not token:
            return found
        parameters[given] = token


def everything(aws, region):
    """Every operation of a unit, with what boto3 made of the answers: {section: [answers]}."""
    found = {}
    for operation in OPERATIONS:
        if (operation.scope == "global") != (region == "global"):
            continue
        where = home_region(operation.service) if region == "global" else region
        fixed = dict(operation.parameters)
        if operation.name == "SearchTransitGatewayRoutes":
            fixed["Filters"] = [{"Name": "state", "Values": ["active", "blackhole"]}]
        if operation.name == "GetNetworkRoutes":
            requests = [
                {"GlobalNetworkId": answer["CoreNetwork"]["GlobalNetworkId"], "RouteTableIdentifier": identifier}
                for answer in found["CoreNetworkDetails"]
                for identifier in route_tables(answer["CoreNetwork"])
            ]
        elif operation.parent:
            section, member, parameter = operation.parent
            rows = [row for answer in found[section] for row in answer[BY_SECTION[section].member]]
            requests = [{parameter: row[member], **fixed} for row in rows]
        else:
            requests = [fixed]
        found[operation.section] = [answer for given in requests for answer in pages(aws, operation, where, **given)]
    return found


def check_answers(work):
    """Every operation, in two accounts and regions, one of them through a session."""
    scenario = {"noise": True, "chunked": True, "empty_last_token": True, "search_tokens": True}
    with Server(work, **scenario) as server:
        base = Aws(server, ACCOUNTS[0])
        session = base.assume(f"arn:aws:iam::{ACCOUNTS[1]}:role/path/collector", ExternalId="a,b", DurationSeconds=3600)
        who = session.call("sts", REGIONS[1], "GetCallerIdentity")
        expect(who["Account"] == ACCOUNTS[1], f"the session is of {who}")
        mark, compared, kinds = len(server.lines()), 0, {}
        for aws in (base, session):
            for region in (*REGIONS, "global"):
                found = everything(aws, region)
                lines = server.lines(mark)
                mark += len(lines)
                boto = [answer for answers in found.values() for answer in answers]
                expect(len(boto) == len(lines), f"{len(lines)} requests recorded, {len(boto)} made: {lines[-1]}")
                for answer, line in zip(boto, lines):
                    where = f"{line['service']}:{line['operation']} {line['account']} {line['region']}"
                    text = difference(answer, line["answer"], where)
                    expect(text is None, f"the record differs from boto3: {text}")
                    compared += 1
                for section, answers in found.items():
                    operation = BY_SECTION[section]
                    expect(answers, f"{operation.title} was not called")
                    kinds.setdefault(section, set()).update(members_seen(answers))
                    check_rows(operation, answers)
        for section, seen in kinds.items():
            check_members(base, BY_SECTION[section], seen)
        violations = server.violations()
        expect(not violations, f"boto3 was found in violation: {violations[:3]}")
        routes = [line for line in server.requests(operation="DescribeVpcs") if line["page"] == 3]
        expect(len(routes) == 4, f"{len(routes)} third pages of DescribeVpcs, not 4")
        secret = [line for line in server.requests(operation="DescribeVpnConnections") if SECRET_MARK in str(line)]
        expect(len(secret) == 4, "VPN connections do not carry secrets")
        return f"{compared} answers equal, {sum(map(len, kinds.values()))} members of {len(kinds)} operations"


def check_rows(operation, answers):
    if operation.rows == "flat" and operation.section not in ("Regions", "AvailabilityZones"):
        rows = [str(row) for answer in answers for row in answer[operation.member]]
        expect(len(set(rows)) == len(rows) >= 5, f"{operation.title}: {len(rows)} rows, {len(set(rows))} different")


def check_members(aws, operation, seen):
    """Whether every member of the model was in some answer (a shape within itself only once)."""
    shape = aws.client(operation.service, "us-east-1").meta.service_model.operation_model(operation.name).output_shape
    missing = sorted(name for name in _members(shape, "[]", ()) if name not in seen)
    expect(not missing, f"{operation.title} never answered {missing[:5]}")


def _members(shape, path, within):
    if shape.name in within:
        return
    within = (*within, shape.name)
    if shape.type_name == "structure":
        for name, inner in shape.members.items():
            yield f"{path}.{name}"
            yield from _members(inner, f"{path}.{name}", within)
    elif shape.type_name == "list":
        yield from _members(shape.member, f"{path}[]", within)


def check_refusals(work):
    """What must not be answered."""
    regions = [
        {"RegionName": "us-east-1", "OptInStatus": "opt-in-not-required"},
        {"RegionName": "ap-east-1", "OptInStatus": "not-opted-in"},
    ]
    roles = [
        {"arn": f"arn:aws:iam::{ACCOUNTS[1]}:role/first", "trusted": [ACCOUNTS[0]], "external_id": "one"},
        {"arn": "arn:aws:iam::333333333333:role/second", "trusted": [f"arn:aws:iam::{ACCOUNTS[1]}:role/first"]},
        {"arn": "arn:aws:iam::333333333333:role/never", "denied": True},
    ]
    with Server(work, regions=regions, roles=roles, organization=False) as server:
        aws = Aws(server, ACCOUNTS[0])
        vpcs = ("ec2", "us-east-1", "DescribeVpcs")

        # Sessions
        first, second, never = (role["arn"] for role in roles)
        refusal("without the external id", "AccessDenied", aws.assume, first)
        refusal("with a wrong external id", "AccessDenied", aws.assume, first, ExternalId="two")
        refusal("a role that does not trust", "AccessDenied", aws.assume, second)
        refusal("a denied role", "AccessDenied", aws.assume, never)
        refusal("an unlisted role", "AccessDenied", aws.assume, first + "x", ExternalId="one")
        hop = aws.assume(first, ExternalId="one", DurationSeconds=43200)
        refusal("more than an hour", "ValidationError", hop.assume, second, DurationSeconds=3601)
        refusal("a session name", "ValidationError", hop.assume, second, RoleSessionName="a b")
        last = hop.assume(second)
        expect(last.call(*vpcs, MaxResults=5)["Vpcs"], "no VPCs after two hops")
        lines = server.requests(operation="DescribeVpcs")
        expect(lines[-1]["role_arn"] == second and lines[-1]["account"] == "333333333333", f"recorded as {lines[-1]}")
        stolen = Aws(server, ACCOUNTS[0])
        stolen.keys["aws_secret_access_key"] = "wrong"
        refusal("a wrong secret", "SignatureDoesNotMatch", stolen.call, *vpcs, MaxResults=5)
        bare = Aws(server, "333333333333", {"SessionToken": "another", **_without_token(last.keys)})
        refusal("another token", "InvalidClientTokenId", bare.call, *vpcs, MaxResults=5)
        nobody = Aws(server, "333333333333", {**_credentials(last.keys), "AccessKeyId": "ASIA333333333333ZZZZ"})
        refusal("an unknown key", "AuthFailure", nobody.call, *vpcs, MaxResults=5)

        # Parameters
        refusal("a page too large", "InvalidParameterValue", aws.call, *vpcs, MaxResults=1001)
        refusal("a page too small", "InvalidParameterValue", aws.call, *vpcs, MaxResults=4)
        entries = ("ec2", "us-east-1", "GetManagedPrefixListEntries")
        refusal("no parent", "InvalidParameterValue", aws.call, *entries, MaxResults=100)
        unknown = {"PrefixListId": "pl-0", "MaxResults": 100}
        refusal("an unknown parent", "InvalidPrefixListID.NotFound", aws.call, *entries, **unknown)
        listeners = ("elbv2", "us-east-1", "DescribeListeners")
        refusal("another account's", "LoadBalancerNotFound", aws.call, *listeners, LoadBalancerArn=_balancer(last))
        network = ("networkmanager", "us-west-2", "GetCoreNetwork")
        unknown = {"CoreNetworkId": "core-network-0123456789abcdef0"}
        answer = refusal("an unknown network", "ResourceNotFoundException", aws.call, *network, **unknown)
        expect(answer["ResponseMetadata"]["HTTPStatusCode"] == 404, "not 404")
        token = aws.call(*vpcs, MaxResults=5)["NextToken"]
        expect(len(aws.call(*vpcs, MaxResults=100, NextToken=token)["Vpcs"]) == 2, "the second page is not two rows")
        subnets = ("ec2", "us-east-1", "DescribeSubnets")
        refusal("a token of another operation", "InvalidNextToken", aws.call, *subnets, MaxResults=5, NextToken=token)
        refusal("a token of another account", "InvalidNextToken", last.call, *vpcs, MaxResults=5, NextToken=token)
        expect(not any(line["violation"] == "unpaged" for line in server.violations()), "unpaged too early")
        aws.call(*vpcs)
        expect(server.violations()[-1]["violation"] == "unpaged", "no violation without MaxResults")

        # Regions and organizations
        listed = [row["RegionName"] for row in aws.call("ec2", "us-east-1", "DescribeRegions")["Regions"]]
        expect(listed == ["us-east-1"], f"enabled regions are {listed}")
        refusal("a disabled region", "AuthFailure", aws.call, "ec2", "ap-east-1", "DescribeVpcs", MaxResults=5)
        firewalls = ("network-firewall", "ap-east-1", "ListFirewalls")
        refusal("a disabled region, JSON", "UnrecognizedClientException", aws.call, *firewalls)
        groups = ("elbv2", "ap-east-1", "DescribeTargetGroups")
        refusal("a disabled region, query", "InvalidClientTokenId", aws.call, *groups)
        accounts = ("organizations", "us-east-1", "ListAccounts")
        refusal("no organization", "AWSOrganizationsNotInUseException", aws.call, *accounts)
        return f"{len(server.requests(status=200))} answered, {len(server.violations())} violations noted"


def _credentials(keys):
    return {
        "AccessKeyId": keys["aws_access_key_id"],
        "SecretAccessKey": keys["aws_secret_access_key"],
        "SessionToken": keys["aws_session_token"],
    }


def _without_token(keys):
    return {name: value for name, value in _credentials(keys).items() if name != "SessionToken"}


def _balancer(aws):
    return aws.call("elbv2", "us-east-1", "DescribeLoadBalancers")["LoadBalancers"][0]["LoadBalancerArn"]


def check_faults(work):
    """Each kind of fault, as boto3 sees it."""
    vpcs = ("ec2", "us-east-1", "DescribeVpcs")
    throttled = {"code": "RequestLimitExceeded", "message": "Request limit exceeded.", "status": 503}
    faults = [
        {"match": {"operation": "DescribeVpcs", "page": 2}, "times": 2, "action": {"error": throttled}},
        {"match": {"operation": "DescribeSubnets"}, "action": {"cut": 0.5}, "times": 1},
        {"match": {"operation": "ListFirewalls"}, "action": {"close": True}, "times": 1},
        {"match": {"operation": "ListRuleGroups"}, "action": {"garbage": "<html>busy</html>", "status": 502}},
        {"match": {"operation": "DescribeAddresses"}, "action": {"delay_ms": 300}, "times": 1},
        {"match": {"operation": "ListFirewallPolicies"}, "action": {"expire": True}, "times": 1},
        {"match": {"operation": "ListAttachments"}, "action": {"error": {"code": "ThrottlingException"}}},
        {"match": {"operation": "ListAccountAliases"}, "action": {"error": {"code": "Throttling", "status": 400}}},
        {"match": {"item": "arn:aws:iam::222222222222:role/b"}, "action": {"error": {"code": "AccessDenied"}}},
    ]
    with Server(work, faults=faults) as server:
        aws = Aws(server, ACCOUNTS[0])
        token = aws.call(*vpcs, MaxResults=5)["NextToken"]
        answer = refusal("throttling", "RequestLimitExceeded", aws.call, *vpcs, MaxResults=5, NextToken=token)
        expect(answer["ResponseMetadata"].get("RequestId"), "an error without a request id")
        refusal("throttling again", "RequestLimitExceeded", aws.call, *vpcs, MaxResults=5, NextToken=token)
        expect(aws.call(*vpcs, MaxResults=5, NextToken=token)["Vpcs"], "throttling does not end")
        lost = (botocore.exceptions.HTTPClientError, botocore.exceptions.ConnectionError)
        for service, operation, parameters in (
            ("ec2", "DescribeSubnets", {"MaxResults": 5}),
            ("network-firewall", "ListFirewalls", {}),
        ):
            with contextlib.suppress(*lost):
                aws.call(service, "us-east-1", operation, **parameters)
                raise Failure(f"{operation} was answered whole")
            expect(aws.call(service, "us-east-1", operation, **parameters), f"{operation} was not answered again")
            line = server.requests(operation=operation)[0]
            expect("answer" not in line and line["fault"] in ("cut", "close"), f"recorded as {line}")
        rules = ("network-firewall", "us-east-1", "ListRuleGroups")
        refusal("garbage", "502", aws.call, *rules)
        begun = time.monotonic()
        aws.call("ec2", "us-east-1", "DescribeAddresses")
        expect(time.monotonic() - begun >= 0.3, "no delay")
        role = f"arn:aws:iam::{ACCOUNTS[1]}:role/a"
        session, policies = aws.assume(role), ("network-firewall", "us-east-1", "ListFirewallPolicies")
        refusal("an expired session", "ExpiredTokenException", session.call, *policies)
        refusal("still expired", "RequestExpired", session.call, *vpcs, MaxResults=5)
        refusal("still expired, query", "ExpiredToken", session.call, "elb", "us-east-1", "DescribeLoadBalancers")
        expect(aws.assume(role).call(*policies)["FirewallPolicies"], "a new session is expired too")
        refusal("JSON over REST", "ThrottlingException", aws.call, "networkmanager", "us-west-2", "ListAttachments")
        refusal("query", "Throttling", aws.call, "iam", "us-east-1", "ListAccountAliases")
        refusal("a role as item", "AccessDenied", aws.assume, "arn:aws:iam::222222222222:role/b")
        expect(not server.violations(), f"faults noted as violations: {server.violations()[:2]}")
    with Server(work / "short", session_seconds=1) as server:
        session = Aws(server, ACCOUNTS[0]).assume(role)
        time.sleep(1.2)
        refusal("a session that ran out", "RequestExpired", session.call, *vpcs, MaxResults=5)
    return f"{len(faults) + 1} faults seen"


def check_organization(work):
    accounts = [{"Id": f"{100000000000 + row}", "Name": f"account <{row}>", "Status": "ACTIVE"} for row in range(45)]
    organization = {"management": ACCOUNTS[0], "accounts": accounts, "empty_page": 2}
    with Server(work, organization=organization) as server:
        aws = Aws(server, ACCOUNTS[0])
        client = aws.client("organizations", "us-east-1")
        answers = list(client.get_paginator("list_accounts").paginate())
        sizes = [len(answer["Accounts"]) for answer in answers]
        expect(sizes == [20, 0, 20, 5], f"pages of {sizes}")
        names = [row["Name"] for answer in answers for row in answer["Accounts"]]
        expect(names == [row["Name"] for row in accounts], "accounts are missing")
        member = Aws(server, accounts[0]["Id"])
        refusal("a member", "AccessDeniedException", member.call, "organizations", "us-east-1", "ListAccounts")
        answer = member.call("organizations", "us-east-1", "DescribeOrganization")
        expect(answer["Organization"]["MasterAccountId"] == ACCOUNTS[0], f"managed by {answer}")
        return f"pages of {sizes}"


def check_routes(work):
    """Searches, with and without tokens."""
    search = ("ec2", "us-east-1", "SearchTransitGatewayRoutes")
    by_state = {"Filters": [{"Name": "state", "Values": ["active", "blackhole"]}], "MaxResults": 1000}
    number = 2500
    for tokens in (False, True):
        with Server(work / str(tokens), tgw_routes={"0": number}, search_tokens=tokens) as server:
            aws = Aws(server, ACCOUNTS[0])
            tables = aws.call("ec2", "us-east-1", "DescribeTransitGatewayRouteTables", MaxResults=1000)
            table = tables["TransitGatewayRouteTables"][0]["TransitGatewayRouteTableId"]
            found, answer, token = [], None, {}
            while answer is None or token:
                answer = aws.call(*search, TransitGatewayRouteTableId=table, **by_state, **token)
                found += answer["Routes"]
                token = {"NextToken": answer["NextToken"]} if "NextToken" in answer else {}
                expect(answer["AdditionalRoutesAvailable"] == (len(found) < number), "whether there are more")
            expect(len(found) == (number if tokens else 1000), f"{len(found)} routes, tokens {tokens}")
            kinds = {(route["Type"], route["State"]) for route in found}
            expect(len(kinds) == 3, f"routes are {kinds}")
            within = lambda cidr, kind: len(
                aws.call(
                    *search,
                    TransitGatewayRouteTableId=table,
                    Filters=[{"Name": f"route-search.{kind}", "Values": [cidr]}],
                    MaxResults=1000,
                )["Routes"]
            )
            expect(within("0.0.0.0/0", "exact-match") == 1, "no default route")
            expect(within("10.20.0.0/16", "supernet-of-match") == 4, "supernets of 10.20.0.0/16")
            expect(within("10.20.0.0/17", "subnet-of-match") == 1000, "routes in 10.20.0.0/17")
            expect(within("::/0", "subnet-of-match") == 1000, "IPv6 routes")
    return f"{len(transit_gateway_routes(number))} routes"


def check_queue(work):
    with Server(work) as server:
        aws = Aws(server, ACCOUNTS[0])
        entries = [{"Id": str(row), "MessageBody": f'{{"é": {row}}}'} for row in range(3)]
        url = f"{server.endpoint}/{ACCOUNTS[0]}/units"
        answer = aws.call("sqs", "us-east-1", "SendMessageBatch", QueueUrl=url, Entries=entries)
        expect([row["Id"] for row in answer["Successful"]] == ["0", "1", "2"], f"answered {answer}")
        line = server.requests(operation="SendMessageBatch")[0]
        expect(line["messages"] == [entry["MessageBody"] for entry in entries], f"recorded {line}")
    return "3 messages"


def check_speed(work):
    """Requests of a small estate, over one connection."""
    with Server(work, estate="small", record_answers=False) as server:
        begun, requests = time.monotonic(), 0
        for account in range(3):
            aws = Aws(server, f"{500000000000 + account}")
            everything(aws, "us-east-1")
        requests = len(server.lines())
        seconds = time.monotonic() - begun
        expect(not server.violations(), f"{server.violations()[:2]}")
        return f"{requests} requests in {seconds:.1f} s, most of it boto3"


CHECKS = [
    check_answers,
    check_refusals,
    check_faults,
    check_organization,
    check_routes,
    check_queue,
    check_speed,
]


def main():
    failed = 0
    begun = datetime.datetime.now()
    with tempfile.TemporaryDirectory() as work:
        for check in CHECKS:
            name = check.__name__.removeprefix("check_")
            try:
                say(f"ok {name}: {check(pathlib.Path(work) / name)}")
            except (Failure, botocore.exceptions.BotoCoreError, botocore.exceptions.ClientError) as failure:
                failed += 1
                say(f"FAILED {name}: {failure}")
    say(f"{len(CHECKS) - failed} of {len(CHECKS)} checks in {(datetime.datetime.now() - begun).seconds} s")
    return 1 if failed else 0
