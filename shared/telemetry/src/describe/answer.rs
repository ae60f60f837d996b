//! Answers of AWS as JSON: what boto3 returns for the same bytes, but for `ResponseMetadata`, with
//! times as text (see [`super::scalar`]).

use serde_json::{Map, Value};

use super::model::{Model, ModelError, Shape, ShapeId};
use super::scalar;
use super::service::{Protocol, Service};
use super::state::CallFailure;
use super::xml::Xml;

/// Why an answer gives no value.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum AnswerError {
    /// The service refused.
    #[error(transparent)]
    Failure(#[from] CallFailure),
    /// The bytes are not an answer of the service: cut, or somebody else's.
    #[error("the answer to {operation} cannot be read: {reason} (HTTP {status}, {bytes} bytes)")]
    Unreadable {
        /// The operation.
        operation: String,
        /// What is wrong.
        reason: String,
        /// The HTTP status.
        status: u16,
        /// The length of the body.
        bytes: usize,
    },
    /// The operation is not in the model.
    #[error(transparent)]
    Model(#[from] ModelError),
}

/// Reads an answer. `header` gives the value of a header by its name in lower case.
///
/// # Errors
/// The service's own refusal, with its code; or bytes that are no answer.
pub fn answer<'h>(
    service: Service,
    operation: &str,
    status: u16,
    header: impl Fn(&str) -> Option<&'h str>,
    body: &[u8],
) -> Result<Value, AnswerError> {
    let model = Model::get()?;
    let described = model.operation(service, operation)?;
    let xml = matches!(service.protocol(), Protocol::Ec2Query | Protocol::AwsQuery);
    let read = match (status, xml) {
        (200..=299, true) => {
            xml_answer(model, described.output, described.wrapper.as_deref(), body)
        }
        (200..=299, false) => json_answer(model, described.output, body),
        (_, true) => match xml_failure(body) {
            Ok(failure) => return Err(failure.into()),
            Err(reason) => Err(reason),
        },
        (_, false) => match json_failure(&header, body) {
            Some(failure) => return Err(failure.into()),
            None => Err("it says no error code".into()),
        },
    };
    read.map_err(|reason| AnswerError::Unreadable {
        operation: format!("{}:{operation}", service.id()),
        reason,
        status,
        bytes: body.len(),
    })
}

fn xml_answer(
    model: &Model,
    output: Option<ShapeId>,
    wrapper: Option<&str>,
    body: &[u8],
) -> Result<Value, String> {
    let (mut xml, root) = Xml::open(body)?;
    if !root.ends_with("Response") {
        return Err(format!("its root is {root}"));
    }
    let Some(output) = output else {
        return Ok(Value::Object(Map::new()));
    };
    if let Some(wrapper) = wrapper {
        if !xml.enter(wrapper)? {
            return Err(format!("it holds no {wrapper}"));
        }
        let value = xml.value(model, output)?;
        xml.close(false)?;
        return Ok(value);
    }
    let value = xml.value(model, output)?;
    xml.close(true)?;
    Ok(value)
}

/// `Response/Errors/Error` of EC2, `ErrorResponse/Error` of the query protocol.
fn xml_failure(body: &[u8]) -> Result<CallFailure, String> {
    let texts = |path: &[&str]| -> Result<Option<String>, String> {
        let (mut xml, _) = Xml::open(body)?;
        for name in path {
            if !xml.enter(name)? {
                return Ok(None);
            }
        }
        xml.text().map(Some)
    };
    let first = |paths: &[&[&str]]| -> Result<Option<String>, String> {
        for path in paths {
            if let Some(text) = texts(path)? {
                return Ok(Some(text));
            }
        }
        Ok(None)
    };
    let code = first(&[&["Errors", "Error", "Code"], &["Error", "Code"]])?
        .ok_or("it says no error code")?;
    let message = first(&[&["Errors", "Error", "Message"], &["Error", "Message"]])?;
    let request_id = first(&[&["RequestID"], &["RequestId"]])?;
    Ok(CallFailure::of_code(
        &code,
        message.as_deref().unwrap_or_default(),
        request_id,
    ))
}

fn json_answer(model: &Model, output: Option<ShapeId>, body: &[u8]) -> Result<Value, String> {
    let value: Value = serde_json::from_slice(body).map_err(|error| error.to_string())?;
    if !value.is_object() {
        return Err("it is not a JSON object".into());
    }
    Ok(match output {
        Some(output) => json_value(model, output, value),
        None => Value::Object(Map::new()),
    })
}

/// The members that the model knows, by its names and in its order; nulls left out.
fn json_value(model: &Model, shape: ShapeId, value: Value) -> Value {
    match (model.shape(shape), value) {
        (Shape::Structure(members), Value::Object(mut values)) => {
            let known = members.iter().filter_map(|member| {
                let value = values.swap_remove(&member.wire)?;
                (!value.is_null())
                    .then(|| (member.name.clone(), json_value(model, member.shape, value)))
            });
            Value::Object(known.collect())
        }
        (Shape::List { of, .. }, Value::Array(items)) => items
            .into_iter()
            .map(|item| json_value(model, *of, item))
            .collect(),
        (Shape::Map { of, .. }, Value::Object(entries)) => entries
            .into_iter()
            .map(|(key, value)| (key, json_value(model, *of, value)))
            .collect(),
        (shape, value) => scalar::from_json(shape, value),
    }
}

/// Reads a refusal in JSON; `None` when it says no error code. `header` is as for [`answer`].
///
/// The code is in a header or in the body, and may carry a namespace before `#` or a URL after `:`
/// ("AWS JSON protocols", operation error serialization, *Smithy 2.0*).
pub fn json_failure<'h>(
    header: &impl Fn(&str) -> Option<&'h str>,
    body: &[u8],
) -> Option<CallFailure> {
    let value: Value = serde_json::from_slice(body).unwrap_or(Value::Null);
    let member = |names: &[&str]| names.iter().find_map(|name| value.get(name)?.as_str());
    let code = header("x-amzn-errortype").or_else(|| member(&["__type", "code", "Code"]))?;
    let code = code.split(':').next().unwrap_or(code);
    let code = code.rsplit('#').next().unwrap_or(code).trim();
    let message = member(&["message", "Message", "errorMessage"]).unwrap_or_default();
    let request_id = header("x-amzn-requestid").or_else(|| header("x-amz-request-id"));
    (!code.is_empty()).then(|| CallFailure::of_code(code, message, request_id.map(str::to_owned)))
}

#[cfg(test)]
mod tests {
    use super::super::state::State;
    use super::*;
    use serde_json::json;

    fn read(service: Service, operation: &str, body: &str) -> Result<Value, AnswerError> {
        answer(service, operation, 200, |_| None, body.as_bytes())
    }

    const VPCS: &str = r#"<?xml version="1.0" encoding="UTF-8"?>
<DescribeVpcsResponse xmlns="http://ec2.amazonaws.com/doc/2016-11-15/">
    <requestId>7a62c49f-347e-4fc4-9331-6e8eEXAMPLE</requestId>
    <vpcSet>
        <item>
            <vpcId>vpc-1</vpcId><isDefault>false</isDefault><cidrBlock>10.0.0.0/16</cidrBlock>
            <somethingNew><deep>x</deep></somethingNew>
            <cidrBlockAssociationSet/>
            <tagSet><item><key>Name</key><value> a &lt;b&gt; &amp; c&#233; <![CDATA[<raw>]]></value></item>
                    <item><key>empty</key><value/></item></tagSet>
        </item>
        <item><vpcId>vpc-2</vpcId><isDefault>true</isDefault></item>
    </vpcSet>
    <nextToken>more</nextToken>
</DescribeVpcsResponse>"#;

    #[test]
    fn ec2_answers_become_what_boto3_returns() {
        assert_eq!(
            read(Service::Ec2, "DescribeVpcs", VPCS).unwrap(),
            json!({
                "NextToken": "more",
                "Vpcs": [
                    {
                        "CidrBlockAssociationSet": [],
                        "IsDefault": false,
                        "Tags": [
                            {"Key": "Name", "Value": " a <b> & cé <raw>"},
                            {"Key": "empty", "Value": ""},
                        ],
                        "VpcId": "vpc-1",
                        "CidrBlock": "10.0.0.0/16",
                    },
                    {"IsDefault": true, "VpcId": "vpc-2"},
                ],
            })
        );
    }

    #[test]
    fn query_answers_are_unwrapped_and_json_answers_keep_known_members() {
        let body = "<DescribeTargetGroupsResponse><DescribeTargetGroupsResult><TargetGroups><member>\
            <TargetGroupArn>arn:1</TargetGroupArn><Port>443</Port><Matcher><HttpCode>200</HttpCode></Matcher>\
            <LoadBalancerArns/></member></TargetGroups></DescribeTargetGroupsResult>\
            <ResponseMetadata><RequestId>r</RequestId></ResponseMetadata></DescribeTargetGroupsResponse>";
        assert_eq!(
            read(
                Service::ElasticLoadBalancingV2,
                "DescribeTargetGroups",
                body
            )
            .unwrap(),
            json!({"TargetGroups": [{
                "TargetGroupArn": "arn:1", "Port": 443, "LoadBalancerArns": [], "Matcher": {"HttpCode": "200"},
            }]})
        );
        let body = r#"{"Accounts": [{"Id": "1", "JoinedTimestamp": 1541791443.097, "Odd": 1, "Email": null}], "NextToken": "t"}"#;
        assert_eq!(
            read(Service::Organizations, "ListAccounts", body).unwrap(),
            json!({"Accounts": [{"Id": "1", "JoinedTimestamp": "2018-11-09T19:24:03.097000+00:00"}], "NextToken": "t"})
        );
    }

    #[test]
    fn a_cut_or_strange_answer_is_never_a_shorter_one() {
        for end in 0..VPCS.len() {
            if !VPCS.is_char_boundary(end) {
                continue;
            }
            let cut = &VPCS[..end];
            let read = read(Service::Ec2, "DescribeVpcs", cut);
            assert!(matches!(read, Err(AnswerError::Unreadable { .. })), "{cut}");
        }
        for (service, operation, body) in [
            (
                Service::Ec2,
                "DescribeVpcs",
                "<html><body>Gateway</body></html>",
            ),
            (
                Service::Ec2,
                "DescribeVpcs",
                "<DescribeVpcsResponse><a></b></DescribeVpcsResponse>",
            ),
            (
                Service::Ec2,
                "DescribeVpcs",
                "<DescribeVpcsResponse>&nonsense;</DescribeVpcsResponse>",
            ),
            (
                Service::ElasticLoadBalancing,
                "DescribeLoadBalancers",
                "<DescribeLoadBalancersResponse/>",
            ),
            (Service::Ec2, "DescribeVpcs", "<DescribeVpcsResponse/>x"),
            (Service::Ec2, "DescribeVpcs", "<DescribeVpcsResponse/><a/>"),
            (Service::Organizations, "ListAccounts", "{\"Accounts\": ["),
            (Service::Organizations, "ListAccounts", "[]"),
            (Service::Organizations, "ListAccounts", ""),
        ] {
            let error = read(service, operation, body).unwrap_err();
            assert!(error.to_string().contains("cannot be read"), "{error}");
        }
        let deep = format!(
            "<DescribeVpcsResponse>{}{}</DescribeVpcsResponse>",
            "<a>".repeat(100_000),
            "</a>".repeat(100_000)
        );
        assert!(read(Service::Ec2, "DescribeVpcs", &deep).is_err());
    }

    #[test]
    fn refusals_are_read_in_every_protocol() {
        let header = |name: &str| match name {
            "x-amzn-errortype" => Some("AccessDeniedException:http://internal.amazon.com/"),
            "x-amzn-requestid" => Some("r-4"),
            _ => None,
        };
        let cases = [
            (
                answer(Service::Ec2, "DescribeVpcs", 403, |_| None,
                    b"<Response><Errors><Error><Code>UnauthorizedOperation</Code><Message>No.</Message></Error></Errors><RequestID>r-1</RequestID></Response>"),
                (State::Denied, "UnauthorizedOperation", "No.", Some("r-1")),
            ),
            (
                answer(Service::Iam, "ListAccountAliases", 403, |_| None,
                    b"<ErrorResponse><Error><Type>Sender</Type><Code>AccessDenied</Code><Message>No.</Message></Error><RequestId>r-2</RequestId></ErrorResponse>"),
                (State::Denied, "AccessDenied", "No.", Some("r-2")),
            ),
            (
                answer(Service::Organizations, "ListAccounts", 400, |_| None,
                    br#"{"__type": "com.amazonaws.organizations#TooManyRequestsException", "Message": "Slow down."}"#),
                (State::Throttled, "TooManyRequestsException", "Slow down.", None),
            ),
            (
                answer(Service::NetworkManager, "ListCoreNetworks", 403, header, br#"{"message": "No."}"#),
                (State::Denied, "AccessDeniedException", "No.", Some("r-4")),
            ),
        ];
        for (read, (state, code, message, request_id)) in cases {
            let Err(AnswerError::Failure(failure)) = read else {
                panic!("{read:?}");
            };
            assert_eq!(
                (
                    failure.state,
                    &*failure.code,
                    &*failure.message,
                    failure.request_id.as_deref()
                ),
                (state, code, message, request_id)
            );
        }
        let html = answer(
            Service::Ec2,
            "DescribeVpcs",
            503,
            |_| None,
            b"<html><p>Service Unavailable</p></html>",
        );
        assert!(matches!(
            html,
            Err(AnswerError::Unreadable { status: 503, .. })
        ));
    }
}
