//! The bucket policy that log delivery takes ("Amazon S3 bucket permissions for flow logs", *Amazon VPC User
//! Guide*), and whether a policy is one.

use serde_json::{Value, json};

/// Who writes logs of VPCs, transit gateways and firewalls.
const PRINCIPAL: &str = "delivery.logs.amazonaws.com";

const PUT: &str = "s3:PutObject";

/// A folder as it stands before `AWSLogs/`.
fn below(folder: &str) -> String {
    match folder {
        "" => String::new(),
        folder => format!("{folder}/"),
    }
}

/// What a log delivery would ask for.
#[derive(Debug, Clone, Copy)]
pub(super) struct Writing<'w> {
    pub partition: &'w str,
    pub bucket: &'w str,
    pub folder: &'w str,
    pub account: &'w str,
    pub region: &'w str,
    /// Whether folders are named as Hive names partitions.
    pub hive: bool,
}

impl Writing<'_> {
    /// The policy that lets the logs in, for both layouts of keys.
    pub fn policy(&self) -> String {
        let Writing {
            partition,
            bucket,
            folder,
            account,
            region,
            ..
        } = self;
        let bucket_arn = format!("arn:{partition}:s3:::{bucket}");
        let below = below(folder);
        let from = json!({"aws:SourceArn": format!("arn:{partition}:logs:{region}:{account}:*")});
        let source = json!({"StringEquals": {"aws:SourceAccount": account}, "ArnLike": from});
        let owned = json!({
            "aws:SourceAccount": account,
            "s3:x-amz-acl": "bucket-owner-full-control",
        });
        let write = json!({"StringEquals": owned, "ArnLike": from});
        json!({
            "Version": "2012-10-17",
            "Statement": [
                {
                    "Sid": "LogDeliveryWrite",
                    "Effect": "Allow",
                    "Principal": {"Service": PRINCIPAL},
                    "Action": PUT,
                    "Resource": [
                        format!("{bucket_arn}/{below}AWSLogs/{account}/*"),
                        format!("{bucket_arn}/{below}AWSLogs/aws-account-id={account}/*"),
                    ],
                    "Condition": write,
                },
                {
                    "Sid": "LogDeliveryAclCheck",
                    "Effect": "Allow",
                    "Principal": {"Service": PRINCIPAL},
                    "Action": ["s3:GetBucketAcl", "s3:ListBucket"],
                    "Resource": bucket_arn,
                    "Condition": source,
                },
            ],
        })
        .to_string()
    }

    /// Whether a policy lets the logs in: some statement allows it and none denies it, as far as
    /// principal, action, resource and the conditions that log delivery answers can tell. `None` for what is no policy.
    pub fn is_allowed(&self, policy: &str) -> Option<bool> {
        let policy: Value = serde_json::from_str(policy).ok()?;
        let statements = list(policy.get("Statement")?);
        let effect = |statement: &Value| {
            let effect = statement.get("Effect").and_then(Value::as_str);
            effect.filter(|_| self.fits(statement)).map(str::to_owned)
        };
        let effects: Vec<String> = statements.into_iter().filter_map(effect).collect();
        let says = |wanted: &str| effects.iter().any(|effect| effect == wanted);
        Some(says("Allow") && !says("Deny"))
    }

    fn fits(&self, statement: &Value) -> bool {
        let Writing {
            partition,
            bucket,
            folder,
            account,
            region,
            hive,
        } = self;
        let folder = below(folder);
        let account_folder = match hive {
            true => format!("aws-account-id={account}"),
            false => (*account).to_owned(),
        };
        let object =
            format!("arn:{partition}:s3:::{bucket}/{folder}AWSLogs/{account_folder}/vpcflowlogs/x");
        let principal = match statement.get("Principal") {
            Some(Value::String(all)) => all == "*",
            Some(named) => ["Service", "AWS"].iter().any(|kind| {
                let names = named.get(kind).map(list).unwrap_or_default();
                let wanted = if *kind == "Service" { PRINCIPAL } else { "*" };
                names.iter().any(|name| name.as_str() == Some(wanted))
            }),
            // What leaves some principals out cannot be judged here; AWS does not add to it either.
            None => false,
        };
        principal
            && any(statement.get("Action"), |pattern| {
                is_like(&pattern.to_lowercase(), &PUT.to_lowercase())
            })
            && any(statement.get("Resource"), |pattern| {
                is_like(pattern, &object)
            })
            && self.meets(statement.get("Condition"), account, region)
    }

    /// Whether the conditions hold for a log delivery. Those on what is not known here hold.
    fn meets(&self, conditions: Option<&Value>, account: &str, region: &str) -> bool {
        let source = format!("arn:{}:logs:{region}:{account}:*", self.partition);
        let Some(conditions) = conditions.and_then(Value::as_object) else {
            return true;
        };
        conditions.iter().all(|(operator, keys)| {
            let negated = operator.to_lowercase().contains("not");
            let Some(keys) = keys.as_object() else {
                return false;
            };
            keys.iter().all(|(key, patterns)| {
                let value = match key.to_lowercase().as_str() {
                    "aws:sourceaccount" => account,
                    "aws:sourcearn" => source.as_str(),
                    "s3:x-amz-acl" => "bucket-owner-full-control",
                    // Delivery comes by TLS.
                    "aws:securetransport" => "true",
                    _ => return true,
                };
                any(Some(patterns), |pattern| is_like(pattern, value)) != negated
            })
        })
    }
}

fn list(value: &Value) -> Vec<&Value> {
    match value {
        Value::Array(items) => items.iter().collect(),
        item => vec![item],
    }
}

fn any(value: Option<&Value>, fits: impl Fn(&str) -> bool) -> bool {
    let texts = value.map(list).unwrap_or_default();
    texts.into_iter().any(|text| match text {
        Value::String(text) => fits(text),
        Value::Bool(flag) => fits(if *flag { "true" } else { "false" }),
        _ => false,
    })
}

/// Whether a text is like a pattern of IAM, in which `*` stands for any characters and `?` for one.
pub(super) fn is_like(pattern: &str, text: &str) -> bool {
    let (pattern, text): (Vec<char>, Vec<char>) =
        (pattern.chars().collect(), text.chars().collect());
    let (mut at, mut place) = (0, 0);
    // Where the last `*` stands, and up to where it reaches.
    let mut star: Option<(usize, usize)> = None;
    while let Some(found) = text.get(place) {
        match pattern.get(at) {
            Some('*') => {
                star = Some((at, place));
                at += 1;
            }
            Some(wanted) if *wanted == '?' || wanted == found => {
                at += 1;
                place += 1;
            }
            _ => match star {
                None => return false,
                Some((stood, reached)) => {
                    star = Some((stood, reached + 1));
                    at = stood + 1;
                    place = reached + 1;
                }
            },
        }
    }
    pattern.iter().skip(at).all(|rest| *rest == '*')
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn writing() -> Writing<'static> {
        Writing {
            partition: "aws",
            bucket: "logs",
            folder: "net",
            account: "111111111111",
            region: "eu-west-1",
            hive: false,
        }
    }

    #[test]
    fn the_policy_that_is_asked_for_is_one_that_lets_logs_in() {
        let policy = writing().policy();
        assert_eq!(writing().is_allowed(&policy), Some(true));
        let hive = Writing {
            hive: true,
            ..writing()
        };
        assert_eq!(hive.is_allowed(&policy), Some(true));
        for other in [
            Writing {
                account: "222222222222",
                ..writing()
            },
            Writing {
                region: "us-east-1",
                ..writing()
            },
            Writing {
                bucket: "other",
                ..writing()
            },
            Writing {
                folder: "",
                ..writing()
            },
        ] {
            assert_eq!(other.is_allowed(&policy), Some(false), "{other:?}");
        }
        assert_eq!(writing().is_allowed("no policy"), None);
    }

    #[test]
    fn a_deny_wins_where_its_conditions_hold() {
        let policy = |deny: Value| {
            let mut policy: Value = serde_json::from_str(&writing().policy()).unwrap();
            policy["Statement"].as_array_mut().unwrap().push(deny);
            policy.to_string()
        };
        let deny = json!({"Effect": "Deny", "Principal": "*", "Action": "s3:*", "Resource": "arn:aws:s3:::logs/*"});
        assert_eq!(writing().is_allowed(&policy(deny.clone())), Some(false));
        let mut tls = deny.clone();
        tls["Condition"] = json!({"Bool": {"aws:SecureTransport": "false"}});
        assert_eq!(writing().is_allowed(&policy(tls)), Some(true));
        let mut others = deny;
        others["Condition"] = json!({"StringNotEquals": {"aws:SourceAccount": ["111111111111"]}});
        assert_eq!(writing().is_allowed(&policy(others)), Some(true));
    }

    #[test]
    fn patterns_are_those_of_iam() {
        for (pattern, text, like) in [
            ("*", "", true),
            ("a*c", "abbc", true),
            ("a*c", "abbcd", false),
            ("a?c", "abc", true),
            ("a?c", "ac", false),
            ("*b*", "abc", true),
            ("", "a", false),
        ] {
            assert_eq!(is_like(pattern, text), like, "{pattern} {text}");
        }
    }

    proptest! {
        #[test]
        fn a_text_is_like_itself_with_parts_replaced(parts in proptest::collection::vec("[a-c]{0,3}", 1..5)) {
            prop_assert!(is_like(&parts.join("*"), &parts.join("xyz")));
            prop_assert!(is_like(&parts.join("?"), &parts.join("x")));
            prop_assert!(!is_like(&parts.join("?"), &parts.join("xy")) || parts.len() == 1);
        }
    }
}
