//! The shapes of requests and answers: AWS's published service models, reduced to the calls of the
//! catalogue.
//!
//! `models/services.json` is made by `models/reduce.py`; how it is written is said there.

use std::collections::HashMap;
use std::sync::LazyLock;

use serde_json::{Map, Value};

use super::service::Service;

/// What a value is.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Shape {
    Text,
    /// A text that the model marks as sensitive.
    Sensitive,
    Integer,
    Number,
    Flag,
    Time,
    Blob,
    Structure(Vec<Member>),
    List {
        of: ShapeId,
        /// Whether items stand in the parent itself, without an element around them.
        flat: bool,
    },
    Map {
        of: ShapeId,
        key: String,
        value: String,
        flat: bool,
    },
}

/// A member of a structure.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Member {
    pub name: String,
    /// The name in requests or answers.
    pub wire: String,
    pub place: Place,
    pub shape: ShapeId,
}

/// Where a request carries a member.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Place {
    Body,
    Path,
    Query,
}

/// A shape among those of a model.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct ShapeId(usize);

/// One operation.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Operation {
    pub input: Option<ShapeId>,
    pub output: Option<ShapeId>,
    /// The element around an answer of the query protocol.
    pub wrapper: Option<String>,
    /// Method and path of the REST protocol.
    pub binding: Option<(String, String)>,
}

/// Operations and shapes of every service of the catalogue.
#[derive(Debug)]
pub struct Model {
    operations: HashMap<(Service, String), Operation>,
    shapes: Vec<Shape>,
}

/// A defect of the model's file, found when it is first used.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("the model of AWS's services cannot be used: {0}. It is part of this program: report it")]
pub struct ModelError(String);

static MODEL: LazyLock<Result<Model, ModelError>> =
    LazyLock::new(|| Model::parse(include_str!("../../models/services.json")));

impl Model {
    /// The model that this program was built with.
    ///
    /// # Errors
    /// The file is not what it should be, which the tests of this crate would show.
    pub fn get() -> Result<&'static Model, ModelError> {
        MODEL.as_ref().map_err(ModelError::clone)
    }

    pub(super) fn operation(&self, service: Service, name: &str) -> Result<&Operation, ModelError> {
        self.operations
            .get(&(service, name.to_owned()))
            .ok_or_else(|| ModelError(format!("it lacks {}:{name}", service.id())))
    }

    pub(super) fn shape(&self, id: ShapeId) -> &Shape {
        // Ids are only made for shapes that exist.
        self.shapes.get(id.0).unwrap_or(&Shape::Text)
    }

    fn parse(text: &str) -> Result<Model, ModelError> {
        let file: Value = serde_json::from_str(text).map_err(|e| ModelError(e.to_string()))?;
        let mut model = Model {
            operations: HashMap::new(),
            shapes: Vec::new(),
        };
        for service in Service::ALL {
            let described = file.get("services").and_then(|all| all.get(service.id()));
            let part = |name: &str| object(described.and_then(|service| service.get(name)));
            let inputs = model.add_shapes(part("inputs")?)?;
            let outputs = model.add_shapes(part("outputs")?)?;
            for (name, operation) in part("operations")? {
                let shape = |ids: &HashMap<String, ShapeId>, member: &str| {
                    operation
                        .get(member)
                        .and_then(Value::as_str)
                        .map(|shape| {
                            ids.get(shape)
                                .copied()
                                .ok_or_else(|| ModelError(format!("{shape} is not described")))
                        })
                        .transpose()
                };
                let text = |member: &str| {
                    let text = operation.get(member).and_then(Value::as_str);
                    text.map(str::to_owned)
                };
                let operation = Operation {
                    input: shape(&inputs, "input")?,
                    output: shape(&outputs, "output")?,
                    wrapper: text("wrapper"),
                    binding: text("method").zip(text("path")),
                };
                model.operations.insert((service, name.clone()), operation);
            }
        }
        Ok(model)
    }

    /// Adds the shapes of one direction of one service.
    fn add_shapes(
        &mut self,
        described: &Map<String, Value>,
    ) -> Result<HashMap<String, ShapeId>, ModelError> {
        // Scalars first, then a place for each shape, since shapes may refer to later ones.
        let mut ids = HashMap::new();
        for (name, shape) in [
            ("text", Shape::Text),
            ("sensitive", Shape::Sensitive),
            ("integer", Shape::Integer),
            ("number", Shape::Number),
            ("flag", Shape::Flag),
            ("time", Shape::Time),
            ("blob", Shape::Blob),
        ] {
            ids.insert(name.to_owned(), ShapeId(self.shapes.len()));
            self.shapes.push(shape);
        }
        let first = self.shapes.len();
        for (at, name) in described.keys().enumerate() {
            ids.insert(name.clone(), ShapeId(first + at));
        }
        for (name, shape) in described {
            let shape = read_shape(shape, &ids)
                .ok_or_else(|| ModelError(format!("the shape {name} cannot be read")))?;
            self.shapes.push(shape);
        }
        Ok(ids)
    }
}

fn object(value: Option<&Value>) -> Result<&Map<String, Value>, ModelError> {
    value
        .and_then(Value::as_object)
        .ok_or_else(|| ModelError("a service is missing".into()))
}

fn read_shape(described: &Value, ids: &HashMap<String, ShapeId>) -> Option<Shape> {
    let id = |reference: &Value| ids.get(reference.as_str()?).copied();
    let text = |member: &str| described.get(member)?.as_str().map(str::to_owned);
    let flat = described.get("flat").is_some();
    if let Some(members) = described.get("structure") {
        let member = |(name, reference): (&String, &Value)| {
            let parts = match reference {
                Value::Array(parts) => parts.as_slice(),
                reference => std::slice::from_ref(reference),
            };
            Some(Member {
                name: name.clone(),
                wire: parts
                    .get(1)
                    .map_or(Some(name.as_str()), Value::as_str)?
                    .to_owned(),
                place: match parts.get(2).map(Value::as_str) {
                    None => Place::Body,
                    Some(Some("uri")) => Place::Path,
                    Some(Some("querystring")) => Place::Query,
                    Some(_) => return None,
                },
                shape: id(parts.first()?)?,
            })
        };
        let members: Option<Vec<Member>> = members.as_object()?.iter().map(member).collect();
        return members.map(Shape::Structure);
    }
    if let Some(of) = described.get("list") {
        return Some(Shape::List { of: id(of)?, flat });
    }
    Some(Shape::Map {
        of: id(described.get("map")?)?,
        key: text("key").unwrap_or_default(),
        value: text("value").unwrap_or_default(),
        flat,
    })
}

#[cfg(test)]
mod tests {
    use super::super::catalogue::{CATALOGUE, Endpoint, Paging, Parameter, Per};
    use super::*;

    fn members(shape: Option<ShapeId>) -> &'static [Member] {
        match shape.map(|shape| Model::get().unwrap().shape(shape)) {
            Some(Shape::Structure(members)) => members,
            None => &[],
            Some(other) => panic!("{other:?}"),
        }
    }

    fn has(members: &[Member], name: &str) -> bool {
        members.iter().any(|member| member.name == name)
    }

    #[test]
    fn the_model_holds_what_each_row_of_the_catalogue_names() {
        let model = Model::get().unwrap();
        for endpoint in CATALOGUE {
            let name = endpoint.name();
            let operation = model
                .operation(endpoint.service, endpoint.operation)
                .unwrap();
            let (input, output) = (members(operation.input), members(operation.output));
            assert!(
                endpoint.member.is_empty() || has(output, endpoint.member),
                "{name}"
            );
            if let Paging::Token {
                size_member,
                input: token,
                output: next,
                ..
            } = endpoint.paging
            {
                assert!(
                    has(input, size_member) && has(input, token) && has(output, next),
                    "{name}"
                );
            } else {
                let paged = ["NextToken", "nextToken", "Marker"];
                assert!(
                    !paged.iter().any(|token| has(input, token)),
                    "{name} is paged"
                );
            }
            for (parameter, value) in endpoint.parameters {
                let member = input.iter().find(|m| m.name == *parameter).unwrap();
                let fits = matches!(
                    (value, model.shape(member.shape)),
                    (Parameter::Text(_), Shape::Text) | (Parameter::Flag(_), Shape::Flag)
                );
                assert!(fits, "{name}: {parameter}");
            }
            match endpoint.per {
                Some(Per::Row { parameter, .. }) => assert!(has(input, parameter), "{name}"),
                Some(Per::CoreNetworkEdge { .. }) => {
                    assert!(has(input, "RouteTableIdentifier"), "{name}");
                }
                None => {}
            }
        }
        let others = [
            (Service::Sqs, "SendMessageBatch"),
            (Service::Ec2, "CreateFlowLogs"),
            (Service::CloudWatch, "ListMetrics"),
            (Service::CloudWatch, "GetMetricData"),
        ];
        for (service, name) in others {
            assert!(model.operation(service, name).is_ok(), "{name}");
        }
        assert_eq!(model.operations.len(), CATALOGUE.len() + others.len());
    }

    /// Every member below a shape, as a path.
    fn paths(shape: ShapeId, path: &str, depth: usize, found: &mut Vec<(String, &'static Shape)>) {
        let shape = Model::get().unwrap().shape(shape);
        match shape {
            _ if depth > 12 => {}
            Shape::Structure(members) => {
                for member in members {
                    let path = format!("{path}.{}", member.name);
                    paths(member.shape, path.trim_start_matches('.'), depth + 1, found);
                }
            }
            Shape::List { of, .. } | Shape::Map { of, .. } => {
                paths(*of, &format!("{path}[]"), depth + 1, found);
            }
            scalar => found.push((path.to_owned(), scalar)),
        }
    }

    #[test]
    fn no_member_that_can_hold_a_secret_is_stored() {
        // Looks like one, and is none: names of keys, and how long a token lives.
        const HARMLESS: &[&str] = &[
            "KeyName",
            "PreSharedKeyArn",
            "secretARN",
            "macSecKeys[].ckn",
            "NextToken",
            "nextToken",
            "ClientToken",
            "UseExistingClientSecret",
            "UpdateToken",
            "TokenEndpoint",
            "HttpTokens",
            "KmsKeyId",
            "KeyId",
            "EncryptionConfiguration.KeyId",
            // People's data, wanted: who owns an account.
            "MasterAccountEmail",
            "Email",
            "Name",
        ];
        let suspicious = |path: &str, shape: &Shape| {
            let lower = path.rsplit('.').next().unwrap_or(path).to_lowercase();
            *shape == Shape::Sensitive
                || [
                    "secret",
                    "password",
                    "authkey",
                    "presharedkey",
                    "token",
                    "routerconfig",
                ]
                .iter()
                .any(|word| lower.contains(word))
        };
        let row_path = |endpoint: &Endpoint, path: &str| -> Option<String> {
            if endpoint.member.is_empty() {
                return Some(path.to_owned());
            }
            let within = path.strip_prefix(endpoint.member)?;
            Some(
                within
                    .trim_start_matches("[]")
                    .trim_start_matches('.')
                    .to_owned(),
            )
        };
        for endpoint in CATALOGUE {
            let operation = Model::get()
                .unwrap()
                .operation(endpoint.service, endpoint.operation)
                .unwrap();
            let mut found = Vec::new();
            paths(operation.output.unwrap(), "", 0, &mut found);
            for (path, shape) in found {
                if !suspicious(&path, shape) || HARMLESS.iter().any(|end| path.ends_with(end)) {
                    continue;
                }
                let row = row_path(endpoint, &path).unwrap();
                assert!(
                    endpoint.secrets.contains(&row.as_str()),
                    "{}: {path} may hold a secret",
                    endpoint.name()
                );
            }
        }
    }
}
