//! Bundles of representations by mime type, as handlers give them. Behaviour: recorded trace `config__media-bundle`.

use serde_json::{Map, Value};

use crate::json;

/// A bundle in the form in which it is stored: JSON types hold values, a text of JSON is parsed where it can be; every other
/// type holds a text. Null is left out.
pub fn normalised_bundle(bundle: Map<String, Value>) -> Map<String, Value> {
    let present = bundle.into_iter().filter(|(_, value)| !value.is_null());
    present.map(|(mime_type, value)| (mime_type.clone(), normalised(&mime_type, value))).collect()
}

fn normalised(mime_type: &str, value: Value) -> Value {
    match value {
        Value::String(text) if is_json(mime_type) => json::from_str(&text).unwrap_or(Value::String(text)),
        value if is_json(mime_type) => value,
        value => Value::String(json::js_string(&value)),
    }
}

fn is_json(mime_type: &str) -> bool {
    mime_type == "application/json" || mime_type.ends_with("+json")
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn check(mime_type: &str, value: Value, expected: &Value) {
        let bundle = Map::from_iter([(mime_type.to_owned(), value)]);
        assert_eq!(&normalised_bundle(bundle)[mime_type], expected);
    }

    #[test]
    fn a_json_type_holds_a_value_where_its_text_can_be_parsed() {
        check("application/json", json!(r#"{"value": 42}"#), &json!({ "value": 42 }));
        check("application/json", json!("{bad"), &json!("{bad"));
        check("application/vnd.vegalite.v5+json", json!({ "a": 1 }), &json!({ "a": 1 }));
    }

    #[test]
    fn any_other_type_holds_a_text() {
        check("text/plain", json!(123), &json!("123"));
        check("application/javascript", json!(true), &json!("true"));
        check("image/png", json!("AAAA"), &json!("AAAA"));
    }

    #[test]
    fn null_is_left_out() {
        assert!(normalised_bundle(Map::from_iter([("text/html".to_owned(), Value::Null)])).is_empty());
    }
}
