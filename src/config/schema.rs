//! JSON schemas, for editors and for pipelines that check before Flagway does.
//!
//! What a schema cannot say (names that must exist, addresses that must differ, values with the environment put in) is left to
//! `check`: a file that Flagway takes always fits its schema, not the other way round.

use serde_json::{Map, Value, json};

use super::decode::file::FILE;
use super::reference::{Object, Presence, Rule, Type};
use super::tree::{self, Limits};
use super::{ProblemKind, reference};

const DIALECT: &str = "https://json-schema.org/draft/2020-12/schema";

/// A variable inside a value: what it stands for is not known to a schema.
const VARIABLE: &str = r"\$\{[A-Za-z_][A-Za-z0-9_]*(:-[^}]*)?\}";

/// The JSON schema (2020-12) of `flagway.yaml`.
pub fn schema() -> Value {
    let mut definitions = Map::new();
    let mut root = value(&FILE, &mut definitions);
    // The root stands in place, not behind a reference.
    if let Type::Object(object) = &FILE
        && let Some(Value::Object(definition)) = definitions.remove(&identifier(object))
    {
        root = Value::Object(definition);
    }
    let variable = json!({"description": "A value that the environment decides.", "type": "string", "pattern": VARIABLE});
    definitions.insert("environment".into(), variable);
    if let Value::Object(root) = &mut root {
        root.insert("$schema".into(), DIALECT.into());
        root.insert("title".into(), "flagway.yaml".into());
        root.insert("$defs".into(), Value::Object(definitions));
    }
    root
}

/// The JSON schema (2020-12) of flag files in flagd's format, with the operators that Flagway has.
pub fn flags_schema() -> Value {
    // A test parses it.
    serde_json::from_str(include_str!("../../conf/schema/flags.schema.json")).unwrap_or_default()
}

fn object(object: &'static Object, definitions: &mut Map<String, Value>) -> Value {
    let mut properties = Map::new();
    for key in object.keys {
        let mut property = value(&key.is, definitions);
        if let Value::Object(property) = &mut property {
            property.insert("description".into(), key.doc.into());
            if let Presence::Default(text) = key.presence {
                property.insert("default".into(), yaml(text));
            }
        }
        properties.insert(key.name.into(), property);
    }
    let required: Vec<&str> =
        object.keys.iter().filter(|key| key.presence == Presence::Required).map(|key| key.name).collect();
    let mut schema = json!({
        "description": object.doc,
        "type": "object",
        "properties": properties,
        "additionalProperties": false,
    });
    if !required.is_empty() {
        schema["required"] = json!(required);
    }
    for rule in object.rules {
        apply(rule, &mut schema);
    }
    schema
}

fn apply(rule: &Rule, schema: &mut Value) {
    let each =
        |names: &[&str]| -> Vec<Value> { names.iter().map(|name| json!({"required": [name]})).collect() };
    match rule {
        Rule::ExactlyOne(names) => schema["oneOf"] = json!(each(names)),
        Rule::AtLeastOne(names) => schema["anyOf"] = json!(each(names)),
        Rule::AtMostOne(names) => {
            let mut one = each(names);
            one.push(json!({"not": {"anyOf": each(names)}}));
            schema["oneOf"] = json!(one);
        }
        Rule::Only(names, beside) => {
            for name in *names {
                schema["dependentSchemas"][name] = json!({"anyOf": each(beside)});
            }
        }
    }
}

fn value(is: &'static Type, definitions: &mut Map<String, Value>) -> Value {
    let pattern = |pattern: &str| json!({"anyOf": [{"type": "string", "pattern": pattern}, {"$ref": "#/$defs/environment"}]});
    let environment = |value: Value| json!({"anyOf": [value, {"$ref": "#/$defs/environment"}]});
    match is {
        Type::Bool => environment(json!({"type": "boolean"})),
        Type::Integer { min, max: i64::MAX } => environment(json!({"type": "integer", "minimum": min})),
        Type::Integer { min, max } => environment(json!({"type": "integer", "minimum": min, "maximum": max})),
        Type::Duration { .. } => pattern(r"^[0-9]+ *[a-zA-Z]+( *[0-9]+ *[a-zA-Z]+)*$"),
        Type::Size { min, max } => environment(json!({"anyOf": [
            {"type": "integer", "minimum": min, "maximum": max},
            {"type": "string", "pattern": r"^[0-9]+(\.[0-9]+)? *([kKmMgG]i?)?[bB]?$"},
        ]})),
        Type::Share => pattern(r"^[0-9]+(\.[0-9]+)?%$"),
        Type::Number => environment(json!({"type": "number", "minimum": 0})),
        Type::Text | Type::Regex | Type::Path => json!({"type": "string"}),
        Type::FlagKey | Type::Attribute => json!({"type": "string", "minLength": 1}),
        Type::Name => pattern("^[A-Za-z0-9._-]{1,128}$"),
        Type::Bind => pattern(r"^([0-9.]+|\[[0-9a-fA-F:.]+(%[0-9]+)?\]):[0-9]{1,5}$"),
        Type::Address => pattern(r"^([A-Za-z0-9._-]+|\[[0-9a-fA-F:.]+\]):[0-9]{1,5}$"),
        Type::Network => pattern("^[0-9a-fA-F.:]+(/[0-9]{1,3})?$"),
        Type::HeaderName | Type::CookieName => pattern("^[!#$%&'*+.^_`|~0-9A-Za-z-]+$"),
        Type::HeaderValue => json!({"type": "string", "pattern": r"^([!-~]([\t -~]*[!-~])?)?$"}),
        Type::Method => pattern("^[A-Z0-9!#$%&'*+.^_`|~-]+$"),
        Type::Status([]) => environment(json!({"type": "integer", "minimum": 200, "maximum": 599})),
        Type::Status(allowed) => environment(json!({"enum": allowed})),
        Type::FieldPath => {
            pattern(r"^(status|latency|body|header:[!#$%&'*+.^_`|~0-9A-Za-z-]+|(/([^/~]|~[01])*)+)$")
        }
        Type::Pointer => pattern("^(/([^/~]|~[01])*)+$"),
        Type::Host => pattern(r"^([A-Za-z0-9._-]+|\[[0-9a-fA-F:.]+\])$"),
        Type::Authority => pattern(r"^([A-Za-z0-9._-]+|\[[0-9a-fA-F:.]+\])(:[0-9]{1,5})?$"),
        Type::HostPattern => pattern(r"^(\*\.)?([A-Za-z0-9._-]+|\[[0-9a-fA-F:.]+\])$"),
        Type::Origin => pattern(r"^https?://([a-z0-9._-]+|\[[0-9a-f:.]+\])(:[0-9]{1,5})?$"),
        Type::HttpPath => pattern("^/[^?#]*$"),
        Type::Prefix => pattern("^[a-z0-9][a-z0-9-]*-$"),
        Type::Token => pattern("^[!-~]{16,}$"),
        Type::Secret => pattern("^[!-~]{32,}$"),
        Type::Value => json!({"type": ["boolean", "number", "string"]}),
        Type::Choice(words) => environment(json!({"enum": words})),
        Type::List(inner) => json!({"type": "array", "items": value(inner, definitions)}),
        Type::OneOrMany(inner) => {
            let inner = value(inner, definitions);
            json!({"anyOf": [inner.clone(), {"type": "array", "minItems": 1, "items": inner}]})
        }
        Type::Map(_, inner) => json!({"type": "object", "additionalProperties": value(inner, definitions)}),
        Type::Either(short, long) => json!({"anyOf": [value(short, definitions), value(long, definitions)]}),
        Type::Object(inner) => {
            let name = identifier(inner);
            if !definitions.contains_key(&name) {
                // Taken first, so that an object inside itself would end here.
                definitions.insert(name.clone(), Value::Null);
                let definition = object(inner, definitions);
                definitions.insert(name.clone(), definition);
            }
            json!({"$ref": format!("#/$defs/{name}")})
        }
    }
}

/// `Header edits`: `header_edits`.
fn identifier(object: &Object) -> String {
    reference::anchor(object).replace('-', "_")
}

/// A default as JSON.
fn yaml(text: &str) -> Value {
    tree::parse("", text, ProblemKind::Config, &Limits::CONFIG)
        .map_or(Value::Null, |tree| tree::to_json(&tree.root))
}

/// JSON pointers of all leaves.
#[cfg(test)]
pub(super) fn pointers(value: &Value, at: &str) -> Vec<String> {
    let children: Vec<(String, &Value)> = match value {
        Value::Object(map) => map.iter().map(|(key, value)| (key.replace('/', "~1"), value)).collect(),
        Value::Array(items) => {
            items.iter().enumerate().map(|(index, item)| (index.to_string(), item)).collect()
        }
        _ => return vec![at.to_owned()],
    };
    children.into_iter().flat_map(|(key, value)| pointers(value, &format!("{at}/{key}"))).collect()
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::*;
    use crate::config::{Config, markdown};

    const SHOP: &str = include_str!("fixtures/shop.yaml");
    const EVERY_KEY: &str = include_str!("fixtures/every_key.yaml");

    /// Compares a file of the repository with what is generated; with `UPDATE=1`, writes it.
    #[expect(clippy::disallowed_methods, reason = "whoever runs the tests asks for new files by it")]
    fn published(path: &str, generated: &str) {
        let path = Path::new(env!("CARGO_MANIFEST_DIR")).join(path);
        if std::env::var_os("UPDATE").is_some_and(|update| update == "1") {
            std::fs::write(&path, generated).expect("it can be written");
        }
        let text = std::fs::read_to_string(&path).unwrap_or_default();
        assert!(text == generated, "{} is out of date: run the tests with UPDATE=1", path.display());
    }

    fn json_of(text: &str) -> Value {
        yaml(text)
    }

    #[test]
    fn the_published_schema_is_the_generated_one() {
        published("conf/schema/flagway.schema.json", &format!("{:#}\n", schema()));
    }

    #[test]
    fn the_documentation_is_the_generated_one() {
        published("docs/config.md", &markdown());
    }

    #[test]
    fn what_parses_fits_the_schema() {
        let validator = jsonschema::draft202012::new(&schema()).expect("it is a schema");
        for text in [SHOP, EVERY_KEY] {
            let errors: Vec<String> = validator
                .iter_errors(&json_of(text))
                .map(|error| format!("{}: {error}", error.instance_path()))
                .collect();
            assert!(errors.is_empty(), "{}", errors.join("\n"));
        }
    }

    /// Each leaf of the file with every key, in turn, becomes something that it cannot be.
    #[test]
    fn decoder_and_schema_refuse_the_same() {
        let validator = jsonschema::draft202012::new(&schema()).expect("it is a schema");
        let whole = json_of(EVERY_KEY);
        let parse = |value: &Value| {
            Config::parse("f", &value.to_string(), Path::new("/"), &|_| Some("9000-long-enough-token".into()))
        };
        let mut leaves = 0;
        for pointer in pointers(&whole, "") {
            for wrong in [json!([[]]), json!(null), json!({"unknown_key": 1})] {
                let mut broken = whole.clone();
                *broken.pointer_mut(&pointer).expect("it is there") = wrong.clone();
                assert!(!validator.is_valid(&broken), "the schema takes {wrong} at {pointer}");
                assert!(parse(&broken).is_err(), "the decoder takes {wrong} at {pointer}");
                leaves += 1;
            }
        }
        assert!(leaves > 300, "{leaves} leaves");
    }

    #[test]
    fn every_key_of_every_table_is_in_the_file_with_every_key() {
        let mut missing = Vec::new();
        reference::visit(&FILE, &mut |object| {
            for name in object.names().filter(|name| !EVERY_KEY.contains(&format!("{name}:"))) {
                missing.push(format!("{}: {name}", object.title));
            }
        });
        assert!(missing.is_empty(), "{missing:?}");
    }

    #[test]
    fn flag_files_are_checked_by_their_schema() {
        let validator = jsonschema::draft202012::new(&flags_schema()).expect("it is a schema");
        let flag = |targeting: Value| {
            json!({"$schema": "https://flagd.dev/schema/v0/flags.json", "flags": {"f": {
                "state": "ENABLED", "variants": {"a": "a", "b": "b"}, "defaultVariant": "a", "targeting": targeting,
                "metadata": {"owner": "team"},
            }}})
        };
        let good = [
            json!({}),
            json!({"fractional": [["a", 1], ["b", {"-": [{"var": "$flagd.timestamp"}, 1796115600]}]]}),
            json!({"fractional": [{"cat": [{"var": "email"}]}, ["a", 1], ["b", 99]]}),
            json!({"if": [{"==": [{"var": "header.x-canary"}, "always"]}, "b", {"in": ["@x", {"var": ["email", ""]}]}, "b", "a"]}),
            json!({"if": [{"sem_ver": [{"var": "build"}, ">=", "1.2.0"]}, "b"]}),
            json!({"if": [{"and": [{"starts_with": [{"var": "path"}, "/a"]}, {"!": {"var": "x"}}]}, "b", null]}),
            json!({"$ref": "rule"}),
        ];
        for targeting in good {
            assert!(validator.is_valid(&flag(targeting.clone())), "{targeting}");
        }
        let bad = [
            json!({"fractionall": [["a", 1]]}),
            json!({"if": [{"unknown": 1}, "a"]}),
            json!({"sem_ver": [1, ">=", "1.0", 2]}),
            json!({"if": ["a"], "var": "x"}),
            json!("a"),
        ];
        for targeting in bad {
            assert!(!validator.is_valid(&flag(targeting.clone())), "{targeting}");
        }
        for document in [
            json!({}),
            json!({"flags": {"": {}}}),
            json!({"flags": {"f": {"state": "ON", "variants": {"a": 1}}}}),
        ] {
            assert!(!validator.is_valid(&document), "{document}");
        }
    }
}
