//! Exact edges of what a document may be: this much is fine, one more is not.

use std::path::Path;

use serde_json::{Value as Json, json};

use super::{limited, on_off, resolve, variant};
use crate::config::{FlagLimits, FractionalVersion, Severity};
use crate::flag::compile::{Paths, compile};
use crate::flag::variants::VariantNames;
use crate::flag::{Document, ErrorCode, Format, Limit};

/// What is wrong first with each flag of a document, by key; empty when nothing is.
fn wrong(document: &Json, limits: &FlagLimits) -> Vec<String> {
    let document =
        Document::parse("f", &document.to_string(), Format::Json, limits).expect("it is a document");
    let first = |flag: Result<_, Vec<crate::config::Problem>>| {
        flag.err().map_or(String::new(), |why| why[0].found.clone())
    };
    document.flags.into_values().map(first).collect()
}

/// A document of one flag with this rule.
fn rule(rule: Json) -> Json {
    json!({"flags": {"f": flag(rule)}})
}

fn flag(rule: Json) -> Json {
    json!({"state": "ENABLED", "variants": {"on": 1}, "targeting": rule})
}

#[test]
fn a_rule_may_be_exactly_so_deep() {
    let limits = FlagLimits { rule_depth: 3, ..FlagLimits::default() };
    for deep in
        [json!({"!": {"!": {"!": 1}}}), json!({"!": [{"!": [{"!": [1]}]}]}), json!({"merge": [[[1]]]})]
    {
        assert_eq!(wrong(&rule(deep.clone()), &limits), [""], "{deep}");
        let deeper = json!({"!": deep});
        let why = "the rule is nested more than 3 operators deep";
        assert_eq!(wrong(&rule(deeper.clone()), &limits), [why], "{deeper}");
    }
    assert_eq!(
        wrong(&rule(json!({"merge": [[[[1]]]]})), &limits)[0],
        "the rule is nested more than 3 operators deep"
    );
}

#[test]
fn a_rule_may_have_exactly_so_many_values() {
    // The operator, its list and what is in it.
    let sum = rule(json!({"+": [1, 2, 3]}));
    assert_eq!(wrong(&sum, &FlagLimits { rule_nodes: 5, ..FlagLimits::default() }), [""]);
    let why = "the rule has more than 4 values with its `$ref`s put in";
    assert_eq!(wrong(&sum, &FlagLimits { rule_nodes: 4, ..FlagLimits::default() }), [why]);
}

#[test]
fn all_rules_together_may_have_exactly_so_many_values() {
    // 102 values, and one for the reference to it.
    let document = json!({
        "$evaluators": {"large": {"+": vec![1; 100]}},
        "flags": {"a": flag(json!({"$ref": "large"})), "b": flag(json!({"$ref": "large"})), "c": flag(json!({"$ref": "large"}))},
    });
    assert_eq!(wrong(&document, &FlagLimits { values: 309, ..FlagLimits::default() }), ["", "", ""]);
    let why = "all rules of this document together are too large with their `$ref`s put in";
    assert_eq!(wrong(&document, &FlagLimits { values: 308, ..FlagLimits::default() }), ["", "", why]);
}

#[test]
fn names_may_be_exactly_so_long() {
    let name = |bytes: usize| "n".repeat(bytes);
    let document =
        |key: &str, variant: &str| json!({"flags": {key: {"state": "ENABLED", "variants": {variant: 1}}}});
    let limits = FlagLimits::default();
    assert_eq!(wrong(&document(&name(256), &name(256)), &limits), [""]);
    let shown = name(60);
    for (document, what) in
        [(document(&name(257), "on"), "a flag key"), (document("f", &name(257)), "a variant's name")]
    {
        assert_eq!(wrong(&document, &limits), [format!("{what} of 257 bytes: {shown:?}…")]);
    }
    assert_eq!(wrong(&document("", "on"), &limits), ["a flag key that is empty"]);
    assert_eq!(wrong(&document("a\tb", "on"), &limits), [r#"a flag key with a control character: "a\tb""#]);
}

#[test]
fn a_document_may_be_exactly_so_large() {
    let text = rule(json!({"!": 1})).to_string();
    let of = |limits: FlagLimits| {
        Document::parse("f", &text, Format::Json, &limits).map_err(|why| why[0].found.clone())
    };
    let whole = FlagLimits::default();
    assert!(of(FlagLimits { document_bytes: text.len(), ..whole }).is_ok());
    let why =
        of(FlagLimits { document_bytes: text.len() - 1, ..whole }).expect_err("it is one byte too long");
    assert_eq!(why, format!("the document has {} bytes", text.len()));
    assert!(of(FlagLimits { flags: 1, ..whole }).is_ok());
    assert_eq!(of(FlagLimits { flags: 0, ..whole }).expect_err("one too many"), "the document has 1 flags");
    // The document, `flags`, the flag, its state, its variants, one of them, its targeting and what is negated.
    assert!(of(FlagLimits { values: 8, ..whole }).is_ok());
    let why = of(FlagLimits { values: 7, ..whole }).expect_err("one too many");
    assert_eq!(why, "the document is not usable JSON: more than 7 values in one document (`limits.values`)");
}

#[test]
fn a_flag_is_cut_off_beyond_so_many_values_and_levels() {
    // A flag may have a thousand values at least, and twice as many as a rule: itself, its state, its variants and its list are four of them.
    for (rule_nodes, values) in [(10, 1000), (500, 1000), (501, 1002)] {
        let limits = FlagLimits { rule_nodes, ..FlagLimits::default() };
        let flag = |items: usize| json!({"state": "DISABLED", "variants": {"on": vec![0; items]}});
        let document = |items| json!({"flags": {"f": flag(items)}});
        let why = format!("the flag is larger than {values} values");
        assert_eq!(wrong(&document(values - 4), &limits), [""]);
        assert_eq!(wrong(&document(values - 3), &limits), [&*why]);
        let mut listed = [flag(values - 5), flag(values - 5), flag(values - 3)];
        for (flag, key) in listed.iter_mut().zip(["a", "b", "c"]) {
            flag["key"] = key.into();
        }
        assert_eq!(wrong(&json!({ "flags": listed }), &limits), ["", "", &*why], "each has its own share");
    }
    let nested = |levels: usize| {
        let text = format!("{}1{}", "[".repeat(levels), "]".repeat(levels));
        json!({"flags": {"f": {"state": "DISABLED", "variants": {"on": serde_json::from_str::<Json>(&text).expect("JSON")}}}})
    };
    // Document, flags, flag and variants are four levels, and what stands in the last list is one.
    assert_eq!(wrong(&nested(116), &FlagLimits::default()), [""]);
    assert_eq!(
        wrong(&nested(117), &FlagLimits::default()),
        ["the flag is nested more than 120 lists and objects deep"]
    );
}

#[test]
fn every_flag_that_is_repeated_is_told_once_for_each_time() {
    let text = r#"{"flags": {"a": {}, "b": {}, "a": {}, "a": {}}, "other": {"a": 1, "a": 2}}"#;
    let document =
        Document::parse("f", text, Format::Json, &FlagLimits::default()).expect("it is a document");
    let told: Vec<_> = document.warnings.iter().map(|warning| &*warning.key).collect();
    assert_eq!(told, ["flags.a", "flags.a"]);
}

#[test]
fn a_file_is_yaml_by_its_name() {
    for (name, format) in [
        ("flags.yaml", Format::Yaml),
        ("a/flags.YML", Format::Yaml),
        ("flags.json", Format::Json),
        ("yaml", Format::Json),
        ("flags.yaml.txt", Format::Json),
    ] {
        assert_eq!(Format::of(Path::new(name)), format, "{name}");
    }
}

#[test]
fn a_byte_order_mark_is_no_part_of_a_document() {
    let text = format!("\u{feff}{}", rule(json!({"!": 1})));
    let document =
        Document::parse("f", &text, Format::Json, &FlagLimits::default()).expect("it is a document");
    let flag = document.flags["f"].as_ref().expect("it is good");
    assert_eq!(flag.place.as_ref().map(|place| place.column), Some(11));
}

#[test]
fn yaml_may_say_only_what_json_can_say() {
    let found = |value: &str| {
        let text = format!("flags: {{f: {{state: DISABLED, variants: {{on: {value}}}}}}}");
        Document::parse("f", &text, Format::Yaml, &FlagLimits::default()).map_err(|why| why[0].found.clone())
    };
    for value in [".inf", "-.inf", "+.Inf", ".nan", ".NaN"] {
        assert_eq!(found(value).expect_err(value), format!("the number {value}, which JSON does not have"));
        assert_eq!(
            found(&format!("[1, {value}]")).expect_err(value),
            format!("the number {value}, which JSON does not have")
        );
    }
    for value in ["'.inf'", "\".nan\"", "1", "'<<'", "inf"] {
        assert!(found(value).is_ok(), "{value}");
    }
    let twice = found("1}}, f: {state: DISABLED, variants: {on: .inf").expect_err("two things are wrong");
    assert_eq!(twice, "the key `f` stands twice");
}

#[test]
fn a_path_shows_of_a_key_what_fits_and_can_be_printed() {
    let x = |bytes: usize| "x".repeat(bytes);
    for (key, shown) in [
        ("a b".to_owned(), "a b".to_owned()),
        (String::new(), String::new()),
        (x(300), x(300)),
        (x(301), x(300)),
        (x(299) + "ä", x(299)),
        (x(298) + "ää", x(298) + "ä"),
        ("\u{7}\r\n".to_owned(), "\\u{7}\\r\\n".to_owned()),
    ] {
        let document = json!({"metadata": {&key: []}, "flags": {}}).to_string();
        let document = Document::parse("f", &document, Format::Json, &FlagLimits::default());
        let warnings = document.expect("it is a document").warnings;
        assert_eq!(warnings.len(), 1);
        assert_eq!(warnings[0].key, format!("metadata.{shown}"), "{key:?}");
    }
}

/// Limits that an operator sets are tighter; this one holds whatever they are.
#[test]
fn no_rule_is_compiled_beyond_two_hundred_operators_deep() {
    let deep = |operators: usize| (0..operators).fold(json!(1), |rule, _| json!({"!": rule}));
    let faults = |rule: &Json| {
        let names = VariantNames::default();
        let faults =
            compile(rule, "targeting", "f", &names, FractionalVersion::V3, &mut Paths::default()).faults;
        faults.into_iter().map(|fault| fault.found).collect::<Vec<_>>()
    };
    assert!(faults(&deep(200)).is_empty());
    assert_eq!(faults(&deep(201)), ["the rule is nested too deeply"]);
}

#[test]
fn an_unknown_operator_is_told_once_wherever_it_stands() {
    let frob = json!({"frob": 1});
    for rule in [
        json!({"missing": ["a", frob]}),
        json!({"missing": [["a", frob]]}),
        json!({"missing": [["a"], frob]}),
        json!({"missing_some": [1, ["a", frob]]}),
        json!({"missing_some": [1, ["a"], frob]}),
        json!({"var": ["a", frob]}),
        json!({"var": ["a", null, frob]}),
        json!({"var": frob}),
        json!({"in": ["a", ["b"], frob]}),
        json!({"map": [[1], frob]}),
        json!({"map": [[1], true, frob]}),
        json!({"reduce": [[1], true, frob]}),
        json!({"reduce": [[1], true, 0, frob]}),
        json!({"fractional": [["on", frob]]}),
        json!({"if": [true, "on", "on", frob]}),
    ] {
        let text = json!({"flags": {"f": flag(rule.clone())}}).to_string();
        let document = Document::parse("f", &text, Format::Json, &FlagLimits::default()).expect("a document");
        let problems = document.flags["f"].as_ref().expect_err("it is wrong");
        let found: Vec<_> = problems.iter().map(|problem| &*problem.found).collect();
        assert_eq!(found, ["unknown operator \"frob\""], "{rule}");
    }
}

/// Only results are looked up among the variants; conditions may be anything.
#[test]
fn what_an_if_answers_has_to_name_a_variant_and_what_it_asks_has_not() {
    for (rule, told) in [
        (json!({"if": ["a", "b", "c", "d", "e"]}), vec!["\"b\"", "\"d\"", "\"e\""]),
        (json!({"if": ["a", "b", "c", "d"]}), vec!["\"b\"", "\"d\""]),
        (json!({"if": ["a"]}), vec!["\"a\""]),
        (json!({"?:": [{"if": ["a", "b", "c"]}, {"if": ["a", "on", "f"]}, null]}), vec!["\"f\""]),
        (json!({"cat": [{"if": ["a", "b", "c"]}, "d"]}), vec![]),
    ] {
        let text = json!({"flags": {"f": flag(rule.clone())}}).to_string();
        let document = Document::parse("f", &text, Format::Json, &FlagLimits::default()).expect("a document");
        let found: Vec<_> = document.warnings.iter().map(|warning| warning.found.clone()).collect();
        let told: Vec<_> = told.into_iter().map(|name| format!("{name} names no variant")).collect();
        assert_eq!(found, told, "{rule}");
    }
}

#[test]
fn twenty_faults_of_a_rule_are_told_and_its_first_error_in_any_case() {
    let told = |rule: Json| {
        let names = VariantNames::default();
        let faults =
            compile(&rule, "targeting", "f", &names, FractionalVersion::V3, &mut Paths::default()).faults;
        let errors = faults.iter().filter(|fault| fault.severity == Severity::Error).count();
        (faults.len() - errors, errors)
    };
    let mild = json!({"==": 1, "in": 2});
    let (frob, many) = (json!({"frob": 1}), |count: usize, fault: &Json| vec![fault.clone(); count]);
    assert_eq!(told(json!({"cat": many(19, &mild)})), (19, 0));
    assert_eq!(told(json!({"cat": many(30, &mild)})), (20, 0));
    assert_eq!(told(json!({"cat": many(30, &frob)})), (0, 20));
    assert_eq!(told(json!({"cat": ([many(30, &mild), many(30, &frob)].concat())})), (20, 1));
    assert_eq!(told(json!({"cat": ([many(1, &frob), many(30, &mild)].concat())})), (19, 1));
}

#[test]
fn a_flag_has_a_variant_at_least() {
    for (variants, why) in [
        (json!({}), "no variants"),
        (json!(null), "variants that are null"),
        (json!("on"), "variants that are a string"),
    ] {
        let document = json!({"flags": {"f": {"state": "ENABLED", "variants": variants}}});
        assert_eq!(wrong(&document, &FlagLimits::default()), [why]);
    }
}

/// The text is compared five times among sixteen, and 32 bytes of that are a step.
#[test]
fn looking_a_text_up_costs_what_comparing_it_costs() {
    let texts: Vec<_> = (0..16).map(|n| format!("t{n}")).collect();
    let rule = on_off(json!({"if": [{"in": [{"var": "long"}, texts]}, "on", "off"]}));
    let error = |steps| {
        let set = limited(&rule, FractionalVersion::V3, &FlagLimits { steps, ..FlagLimits::default() });
        resolve(&set, "flag", &json!({"long": "x".repeat(100)})).error
    };
    assert_eq!(error(18), None);
    assert_eq!(error(17), Some(ErrorCode::OverLimit(Limit::Steps)));
}

#[test]
fn a_version_of_256_bytes_is_compared_and_a_longer_one_is_none() {
    for (bytes, expected) in [(256, "on"), (257, "off")] {
        let version = format!("{:a<bytes$}", "1.0.0-");
        let rule = json!({"if": [{"sem_ver": [{"var": "version"}, "=", {"var": "version"}]}, "on", "off"]});
        let set = limited(&on_off(rule), FractionalVersion::V3, &FlagLimits::default());
        assert_eq!(variant(&set, "flag", &json!({"version": version})), expected, "{bytes}");
    }
}

#[test]
fn a_part_of_a_text_may_begin_at_its_first_letter() {
    for (start, expected) in [(json!(0), "on"), (json!(-0.0), "on"), (json!(-2), "-"), (json!(2), "-")] {
        let rule = json!({"substr": ["onyx", start, 2]});
        let set = limited(&on_off(rule), FractionalVersion::V3, &FlagLimits::default());
        assert_eq!(variant(&set, "flag", &json!({})), expected, "{start}");
    }
}
