//! Asks one flag of a document, and tells the resolution in OpenFeature's words.
//!
//! The type of the value is checked here, as an SDK would: the engine itself never asks for one.

use clap::ValueEnum;
use serde::Serialize;
use serde_json::{Map, Value as Json};

use super::Terms;
use crate::config::Problem;
use crate::flag::{Document, ErrorCode, FlagSet, Format, JsonContext, Reason};
use crate::source::LastGood;

/// A document's flags, as a gateway has them that starts with it: what does not compile has no last good definition.
#[derive(Debug)]
pub struct Flags {
    set: FlagSet,
    /// What the document says of all its flags.
    metadata: Map<String, Json>,
}

/// One question.
#[derive(Debug, Clone, Copy)]
pub struct Asked<'a> {
    /// The flag.
    pub key: &'a str,
    /// What its value must be; none: anything.
    pub as_type: Option<Type>,
    /// An object, or the question cannot be answered.
    pub context: &'a Json,
    /// Unix seconds.
    pub now: i64,
}

/// Types of values, as the accessors of OpenFeature's SDKs name them.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Type {
    /// True or false
    Boolean,
    /// A text
    String,
    /// Any number
    #[value(aliases = ["float", "double"])]
    Number,
    /// A whole number that every SDK can hold: within 2^53 - 1
    #[value(alias = "int")]
    Integer,
    /// An object or a list
    Object,
}

/// A resolution, told. What is absent is left out.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Answer<'a> {
    #[serde(skip_serializing_if = "Option::is_none")]
    value: Option<&'a Json>,
    #[serde(skip_serializing_if = "Option::is_none")]
    variant: Option<&'a str>,
    reason: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    error_code: Option<&'static str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    limit: Option<&'static str>,
    /// For people; engines do not agree on it.
    #[serde(skip_serializing_if = "Option::is_none")]
    error_details: Option<String>,
    #[serde(skip_serializing_if = "Map::is_empty")]
    flag_metadata: Map<String, Json>,
}

/// [`Answer`], with the flag's name in front.
#[derive(Debug, Serialize)]
pub struct Named<'a> {
    key: &'a str,
    #[serde(flatten)]
    answer: &'a Answer<'a>,
}

impl Flags {
    /// Compiles a document. `Err`: nothing of it can be used. `file` is only named in problems.
    pub fn parse(file: &str, text: &str, format: Format, terms: &Terms) -> Result<Flags, Vec<Problem>> {
        let document = Document::parse(file, text, format, &terms.limits)?;
        let mut good = LastGood::default();
        // With no earlier flags there are none to lose.
        let _ = good.take(&document, true);
        let set = FlagSet::compile(good.entries(), terms.fractional, &terms.limits);
        Ok(Flags { set, metadata: document.metadata.into_iter().collect() })
    }

    /// Evaluates.
    pub fn answer(&self, asked: &Asked<'_>) -> Answer<'_> {
        if !asked.context.is_object() {
            return Answer::error(ErrorCode::InvalidContext, "the context is no object".to_owned());
        }
        let Some(id) = self.set.find(asked.key) else {
            let answer = Answer::error(ErrorCode::FlagNotFound, "the document has no such flag".to_owned());
            return Answer { flag_metadata: self.metadata.clone(), ..answer };
        };
        let flag = self.set.get(id);
        let context =
            JsonContext { paths: self.set.paths(), attributes: asked.context, timestamp: asked.now };
        let resolution = self.set.evaluate(id, &context);
        let metadata = flag.definition.iter().flat_map(|definition| &definition.metadata);
        let flag_metadata = metadata.map(|(key, value)| (key.clone(), value.clone())).collect();
        let answer = match resolution.error {
            Some(code) => Answer::error(code, why(code, flag.why_broken())),
            None => Answer {
                value: resolution.variant.and_then(|variant| flag.value(variant)),
                variant: resolution
                    .variant
                    .and_then(|variant| flag.variant_name(variant))
                    .map(|name| &**name),
                ..Answer::of(resolution.reason)
            },
        };
        let answer = match (asked.as_type, answer.value) {
            (Some(expected), Some(value)) if !expected.fits(value) => {
                Answer::error(ErrorCode::TypeMismatch, format!("the value is {value}"))
            }
            _ => answer,
        };
        Answer { flag_metadata, ..answer }
    }
}

fn why(code: ErrorCode, broken: Option<&str>) -> String {
    match (code, broken) {
        (_, Some(why)) => why.to_owned(),
        (ErrorCode::OverLimit(limit), _) => {
            format!("the evaluation went over its limit of {}", limit.as_str())
        }
        _ => "the rule's result names no variant".to_owned(),
    }
}

impl Answer<'_> {
    fn of(reason: Reason) -> Answer<'static> {
        Answer {
            value: None,
            variant: None,
            reason: reason.as_str(),
            error_code: None,
            limit: None,
            error_details: None,
            flag_metadata: Map::new(),
        }
    }

    /// There is no value, and why.
    pub fn error(code: ErrorCode, details: String) -> Answer<'static> {
        let limit = match code {
            ErrorCode::OverLimit(limit) => Some(limit.as_str()),
            _ => None,
        };
        Answer {
            error_code: Some(code.as_str()),
            limit,
            error_details: Some(details),
            ..Answer::of(Reason::Error)
        }
    }

    /// The document is none.
    pub fn refused(problems: &[Problem]) -> Answer<'static> {
        let why = problems.first().map_or("the document cannot be used", |problem| &problem.found);
        Answer::error(ErrorCode::ParseError, why.to_owned())
    }

    /// Whether the reason is ERROR.
    pub fn is_error(&self) -> bool {
        self.error_code.is_some()
    }

    /// Without what only people read, so that answers of different engines compare.
    pub fn bare(self) -> Self {
        Self { error_details: None, flag_metadata: Map::new(), ..self }
    }

    /// With the flag's name.
    pub fn with_key<'a>(&'a self, key: &'a str) -> Named<'a> {
        Named { key, answer: self }
    }
}

impl Type {
    fn fits(self, value: &Json) -> bool {
        const SAFE: f64 = 9_007_199_254_740_991.0;
        match self {
            Type::Boolean => value.is_boolean(),
            Type::String => value.is_string(),
            Type::Number => value.is_number(),
            // Beyond 2^53 a conversion is off by less than what it is beyond by.
            Type::Integer => {
                value.as_f64().is_some_and(|number| number.fract() == 0.0 && number.abs() <= SAFE)
            }
            Type::Object => value.is_object() || value.is_array(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::{FlagLimits, FractionalVersion};
    use serde_json::json;

    const TERMS: fn() -> Terms =
        || Terms { fractional: FractionalVersion::V3, limits: FlagLimits::default(), now: None };

    fn flags(variants: Json) -> Flags {
        let flag = json!({"state": "ENABLED", "variants": variants, "defaultVariant": "v"});
        let document = json!({"flags": {"flag": flag}, "metadata": {"version": "7"}}).to_string();
        Flags::parse("flags.json", &document, Format::Json, &TERMS()).unwrap()
    }

    fn asked<'a>(context: &'a Json, as_type: Option<Type>) -> Asked<'a> {
        Asked { key: "flag", as_type, context, now: 0 }
    }

    #[test]
    fn a_value_of_another_type_than_the_one_asked_for_is_a_mismatch() {
        use Type::*;
        let table: [(Json, &[Type]); 10] = [
            (json!(true), &[Boolean]),
            (json!("true"), &[String]),
            (json!(1), &[Number, Integer]),
            (json!(1.0), &[Number, Integer]),
            (json!(1.5), &[Number]),
            (json!(-9_007_199_254_740_991_i64), &[Number, Integer]),
            (json!(9_007_199_254_740_993_u64), &[Number]),
            (json!({"a": 1}), &[Object]),
            (json!([]), &[Object]),
            (json!(null), &[]),
        ];
        for (value, fitting) in table {
            let flags = flags(json!({"v": value}));
            for as_type in [Boolean, String, Number, Integer, Object] {
                let answer = json!(flags.answer(&asked(&json!({}), Some(as_type))).bare());
                let told = match fitting.contains(&as_type) {
                    true => json!({"value": value, "variant": "v", "reason": "STATIC"}),
                    false => json!({"reason": "ERROR", "errorCode": "TYPE_MISMATCH"}),
                };
                assert_eq!(answer, told, "{value} as {as_type:?}");
            }
            assert_eq!(
                json!(flags.answer(&asked(&json!({}), None)))["value"],
                value,
                "nobody asked for a type"
            );
        }
    }

    #[test]
    fn a_named_answer_tells_key_metadata_and_why() {
        let flags = flags(json!({"v": "x"}));
        let answer = flags.answer(&asked(&json!([]), None));
        assert_eq!(
            serde_json::to_string(&answer.with_key("flag")).unwrap(),
            r#"{"key":"flag","reason":"ERROR","errorCode":"INVALID_CONTEXT","errorDetails":"the context is no object"}"#
        );
        let context = json!({});
        let stranger = Asked { key: "stranger", ..asked(&context, None) };
        assert_eq!(
            serde_json::to_string(&flags.answer(&stranger).with_key("stranger")).unwrap(),
            r#"{"key":"stranger","reason":"ERROR","errorCode":"FLAG_NOT_FOUND","errorDetails":"the document has no such flag","flagMetadata":{"version":"7"}}"#
        );
        let answer = flags.answer(&asked(&json!({}), None));
        assert_eq!(
            serde_json::to_string(&answer.with_key("flag")).unwrap(),
            r#"{"key":"flag","value":"x","variant":"v","reason":"STATIC","flagMetadata":{"version":"7"}}"#
        );
    }
}
