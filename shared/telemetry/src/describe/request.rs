//! A call as an HTTP request, in the protocol of its service.

use std::fmt::Write as _;

use serde_json::{Map, Value};

use super::model::{Model, ModelError, Place, Shape, ShapeId};
use super::service::{Protocol, Service};

/// An HTTP request but for the host, the signature and the user agent.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Request {
    /// `GET` or `POST`, for all that AWS names here.
    pub method: String,
    /// Path and query, percent-encoded.
    pub target: String,
    /// Header names in lower case, and values.
    pub headers: Vec<(&'static str, String)>,
    /// The body; empty for none.
    pub body: Vec<u8>,
}

/// Why parameters do not make a request.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum RequestError {
    /// The operation is not in the model.
    #[error(transparent)]
    Model(#[from] ModelError),
    /// A parameter that the operation does not take, or of another kind.
    #[error("{operation} does not take {parameter} as it is given")]
    Parameter {
        /// The operation.
        operation: String,
        /// The parameter's path.
        parameter: String,
    },
}

/// The request for an operation with these parameters.
///
/// # Errors
/// A parameter that the operation's model does not know, or whose value is of another kind.
pub fn request(
    service: Service,
    operation: &str,
    parameters: &Map<String, Value>,
) -> Result<Request, RequestError> {
    let model = Model::get()?;
    let described = model.operation(service, operation)?;
    let form = Form {
        model,
        ec2: service.protocol() == Protocol::Ec2Query,
    };
    let result = match service.protocol() {
        Protocol::Ec2Query | Protocol::AwsQuery => {
            let mut body = format!("Action={operation}&Version={}", service.api_version());
            described
                .input
                .map_or(Ok(()), |shape| {
                    form.write_members(&mut body, "", shape, parameters)
                })
                .map(|()| Request {
                    method: "POST".into(),
                    target: "/".into(),
                    headers: vec![(
                        "content-type",
                        "application/x-www-form-urlencoded; charset=utf-8".into(),
                    )],
                    body: body.into_bytes(),
                })
        }
        Protocol::AwsJson { version, target } => described
            .input
            .map_or(Ok(Map::new()), |shape| {
                json_members(model, shape, parameters)
            })
            .map(|body| Request {
                method: "POST".into(),
                target: "/".into(),
                headers: vec![
                    ("content-type", format!("application/x-amz-json-{version}")),
                    ("x-amz-target", format!("{target}.{operation}")),
                ],
                body: Value::Object(body).to_string().into_bytes(),
            }),
        Protocol::RestJson => rest(model, described, parameters),
    };
    result.map_err(|parameter| RequestError::Parameter {
        operation: format!("{}:{operation}", service.id()),
        parameter,
    })
}

/// Writes parameters as AWS's query protocols do ("AWS query protocol", "AWS EC2 query protocol",
/// *Smithy 2.0*).
struct Form<'m> {
    model: &'m Model,
    ec2: bool,
}

impl Form<'_> {
    fn write(
        &self,
        body: &mut String,
        name: &str,
        shape: ShapeId,
        value: &Value,
    ) -> Result<(), String> {
        match (self.model.shape(shape), value) {
            (Shape::Structure(_), Value::Object(members)) => {
                self.write_members(body, &format!("{name}."), shape, members)
            }
            (Shape::List { of, flat }, Value::Array(items)) => {
                let item = if self.ec2 || *flat { "" } else { ".member" };
                (1..).zip(items).try_for_each(|(at, value)| {
                    self.write(body, &format!("{name}{item}.{at}"), *of, value)
                })
            }
            (Shape::Structure(_) | Shape::List { .. } | Shape::Map { .. } | Shape::Blob, _) => {
                Err(name.to_owned())
            }
            (_, value) => {
                let text = scalar_text(value).ok_or(name)?;
                // Writing to a text cannot fail.
                let _ = write!(body, "&{name}={}", encoded(&text));
                Ok(())
            }
        }
    }

    fn write_members(
        &self,
        body: &mut String,
        prefix: &str,
        shape: ShapeId,
        values: &Map<String, Value>,
    ) -> Result<(), String> {
        let Shape::Structure(members) = self.model.shape(shape) else {
            return Err(prefix.to_owned());
        };
        values.iter().try_for_each(|(name, value)| {
            let member = members.iter().find(|m| m.name == *name).ok_or(name)?;
            self.write(
                body,
                &format!("{prefix}{}", member.wire),
                member.shape,
                value,
            )
        })
    }
}

/// The members of a JSON body, by the names that the service takes.
fn json_members(
    model: &Model,
    shape: ShapeId,
    values: &Map<String, Value>,
) -> Result<Map<String, Value>, String> {
    let Shape::Structure(members) = model.shape(shape) else {
        return Err(String::new());
    };
    values
        .iter()
        .map(|(name, value)| {
            let member = members.iter().find(|m| m.name == *name).ok_or(name)?;
            Ok((member.wire.clone(), json(model, member.shape, value, name)?))
        })
        .collect()
}

fn json(model: &Model, shape: ShapeId, value: &Value, name: &str) -> Result<Value, String> {
    match (model.shape(shape), value) {
        (Shape::Structure(_), Value::Object(values)) => {
            json_members(model, shape, values).map(Value::Object)
        }
        (Shape::List { of, .. }, Value::Array(items)) => items
            .iter()
            .map(|item| json(model, *of, item, name))
            .collect::<Result<_, _>>()
            .map(Value::Array),
        (Shape::Map { of, .. }, Value::Object(entries)) => entries
            .iter()
            .map(|(key, value)| Ok((key.clone(), json(model, *of, value, key)?)))
            .collect::<Result<_, String>>()
            .map(Value::Object),
        (Shape::Text | Shape::Sensitive, Value::String(_))
        | (Shape::Integer | Shape::Number | Shape::Time, Value::Number(_))
        | (Shape::Flag, Value::Bool(_)) => Ok(value.clone()),
        _ => Err(name.to_owned()),
    }
}

fn rest(
    model: &Model,
    operation: &super::model::Operation,
    parameters: &Map<String, Value>,
) -> Result<Request, String> {
    let (method, path) = operation.binding.as_ref().ok_or("path")?;
    let members: &[_] = match operation.input.map(|shape| model.shape(shape)) {
        Some(Shape::Structure(members)) => members,
        _ => &[],
    };
    let (mut path, mut query, mut body) = (path.clone(), String::new(), Map::new());
    for (name, value) in parameters {
        let member = members.iter().find(|m| m.name == *name).ok_or(name)?;
        match member.place {
            Place::Path => {
                let text = scalar_text(value).ok_or(name)?;
                path = path.replace(&format!("{{{}}}", member.wire), &encoded(&text));
            }
            Place::Query => {
                let text = scalar_text(value).ok_or(name)?;
                let separator = if query.is_empty() { '?' } else { '&' };
                let _ = write!(query, "{separator}{}={}", member.wire, encoded(&text));
            }
            Place::Body => {
                body.insert(member.wire.clone(), json(model, member.shape, value, name)?);
            }
        }
    }
    if let Some((_, missing)) = path.split_once('{') {
        return Err(missing.split('}').next().unwrap_or(missing).to_owned());
    }
    let has_body = members.iter().any(|member| member.place == Place::Body);
    Ok(Request {
        method: method.clone(),
        target: path + &query,
        headers: if has_body {
            vec![("content-type", "application/json".into())]
        } else {
            Vec::new()
        },
        body: if has_body {
            Value::Object(body).to_string().into_bytes()
        } else {
            Vec::new()
        },
    })
}

fn scalar_text(value: &Value) -> Option<String> {
    match value {
        Value::String(text) => Some(text.clone()),
        Value::Number(number) => Some(number.to_string()),
        Value::Bool(flag) => Some(flag.to_string()),
        Value::Null | Value::Array(_) | Value::Object(_) => None,
    }
}

/// Percent-encodes everything but RFC 3986's unreserved characters.
fn encoded(text: &str) -> String {
    let mut written = String::with_capacity(text.len());
    for byte in text.bytes() {
        if byte.is_ascii_alphanumeric() || b"-._~".contains(&byte) {
            written.push(char::from(byte));
        } else {
            let _ = write!(written, "%{byte:02X}");
        }
    }
    written
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn written(service: Service, operation: &str, parameters: Value) -> String {
        let request = request(service, operation, parameters.as_object().unwrap()).unwrap();
        let headers: Vec<String> = request
            .headers
            .iter()
            .map(|(name, value)| format!("{name}: {value}"))
            .collect();
        format!(
            "{} {}\n{}\n{}",
            request.method,
            request.target,
            headers.join("\n"),
            String::from_utf8(request.body).unwrap()
        )
    }

    #[test]
    fn each_protocol_writes_a_call_its_own_way() {
        assert_eq!(
            written(
                Service::Ec2,
                "SearchTransitGatewayRoutes",
                json!({
                    "TransitGatewayRouteTableId": "tgw-rtb-1",
                    "Filters": [{"Name": "state", "Values": ["active", "black hole"]}],
                    "MaxResults": 1000,
                })
            ),
            "POST /\ncontent-type: application/x-www-form-urlencoded; charset=utf-8\n\
             Action=SearchTransitGatewayRoutes&Version=2016-11-15\
             &TransitGatewayRouteTableId=tgw-rtb-1&Filter.1.Name=state&Filter.1.Value.1=active\
             &Filter.1.Value.2=black%20hole&MaxResults=1000"
        );
        assert_eq!(
            written(
                Service::ElasticLoadBalancingV2,
                "DescribeListeners",
                json!({"LoadBalancerArn": "arn:aws:x/y", "PageSize": 400, "Marker": "a+b"})
            ),
            "POST /\ncontent-type: application/x-www-form-urlencoded; charset=utf-8\n\
             Action=DescribeListeners&Version=2015-12-01&LoadBalancerArn=arn%3Aaws%3Ax%2Fy\
             &PageSize=400&Marker=a%2Bb"
        );
        assert_eq!(
            written(
                Service::DirectConnect,
                "DescribeLags",
                json!({"maxResults": 100})
            ),
            "POST /\ncontent-type: application/x-amz-json-1.1\n\
             x-amz-target: OvertureService.DescribeLags\n{\"maxResults\":100}"
        );
        assert_eq!(
            written(
                Service::NetworkManager,
                "GetCoreNetworkPolicy",
                json!({"CoreNetworkId": "core/1", "Alias": "LIVE"})
            ),
            "GET /core-networks/core%2F1/core-network-policy?alias=LIVE\n\n"
        );
        assert_eq!(
            written(
                Service::NetworkManager,
                "GetNetworkRoutes",
                json!({
                    "GlobalNetworkId": "global-network-1",
                    "RouteTableIdentifier": {"CoreNetworkSegmentEdge": {
                        "CoreNetworkId": "core-1", "SegmentName": "prod", "EdgeLocation": "us-east-1"
                    }},
                })
            ),
            "POST /global-networks/global-network-1/network-routes\n\
             content-type: application/json\n\
             {\"RouteTableIdentifier\":{\"CoreNetworkSegmentEdge\":{\"CoreNetworkId\":\"core-1\",\
             \"SegmentName\":\"prod\",\"EdgeLocation\":\"us-east-1\"}}}"
        );
    }

    #[test]
    fn parameters_that_the_operation_does_not_take_are_refused() {
        for (parameters, named) in [
            (json!({"Nonsense": 1}), "Nonsense"),
            (json!({"MaxResults": []}), "MaxResults"),
            (
                json!({"Filters": [{"Name": "x", "Values": "y"}]}),
                "Filter.1.Value",
            ),
        ] {
            let error = request(
                Service::Ec2,
                "DescribeVpcs",
                parameters.as_object().unwrap(),
            )
            .unwrap_err();
            assert_eq!(
                error.to_string(),
                format!("ec2:DescribeVpcs does not take {named} as it is given")
            );
        }
        let error = request(Service::NetworkManager, "GetCoreNetwork", &Map::new()).unwrap_err();
        assert!(error.to_string().contains("coreNetworkId"), "{error}");
        assert!(request(Service::Iam, "DeleteUser", &Map::new()).is_err());
    }
}
