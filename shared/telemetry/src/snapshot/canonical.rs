//! One text for every JSON value that means the same: AWS gives lists and members in any order.

use serde_json::Value;

/// The value as JSON without spaces, members by name, elements of lists by their text. A member that
/// is an empty list is left out: AWS's services leave such lists out or not as they please.
pub(crate) fn canonical(value: &Value) -> String {
    canonical_without(value, &[])
}

/// The same without some of the members of the value itself.
pub(crate) fn canonical_without(value: &Value, left_out: &[&str]) -> String {
    let mut text = String::new();
    write(value, left_out, &mut text);
    text
}

fn write(value: &Value, left_out: &[&str], out: &mut String) {
    match value {
        Value::Object(members) => {
            let mut members: Vec<_> = members
                .iter()
                .filter(|(name, value)| !is_empty_list(value) && !left_out.contains(&name.as_str()))
                .collect();
            members.sort_unstable_by_key(|(name, _)| *name);
            out.push('{');
            for (at, (name, value)) in members.into_iter().enumerate() {
                if at > 0 {
                    out.push(',');
                }
                out.push_str(&Value::from(name.as_str()).to_string());
                out.push(':');
                write(value, &[], out);
            }
            out.push('}');
        }
        Value::Array(elements) => {
            let mut texts: Vec<String> = elements.iter().map(canonical).collect();
            texts.sort_unstable();
            out.push('[');
            out.push_str(&texts.join(","));
            out.push(']');
        }
        scalar => out.push_str(&scalar.to_string()),
    }
}

fn is_empty_list(value: &Value) -> bool {
    value.as_array().is_some_and(Vec::is_empty)
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn order_and_empty_lists_do_not_matter() {
        let value = json!({"b": [{"y": 1, "x": [2, 1]}, null], "a": "\"", "c": [], "d": {}});
        assert_eq!(
            canonical(&value),
            r#"{"a":"\"","b":[null,{"x":[1,2],"y":1}],"d":{}}"#
        );
        assert_eq!(canonical_without(&value, &["b", "d"]), r#"{"a":"\""}"#);
    }
}
