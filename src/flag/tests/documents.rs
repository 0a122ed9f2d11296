//! Documents and what they tell when something is wrong.

use serde_json::json;

use crate::config::{FlagLimits, Problem, ProblemKind, Severity};
use crate::flag::{Definition, Document, FlagState, Format};

fn parse(text: &str, format: Format) -> Result<Document, Vec<Problem>> {
    Document::parse("flags", text, format, &FlagLimits::default())
}

/// `line: underlined key: found; expected; fix`
fn told(problem: &Problem) -> String {
    let place = problem.place.as_ref().map_or("nowhere".to_owned(), |place| {
        let rest = place.text.chars().skip(place.column as usize - 1);
        format!("{}: {}", place.line, rest.take(place.width as usize).collect::<String>())
    });
    let more = [&problem.expected, &problem.fix];
    let more: String = more.into_iter().flatten().map(|text| format!("; {text}")).collect();
    format!("{place} {}: {}{more}", problem.key, problem.found)
}

/// The only flag's definition or problems.
fn only(document: Document) -> Result<Definition, Vec<String>> {
    assert_eq!(document.flags.len(), 1);
    let flag = document.flags.into_values().next().expect("there is one");
    flag.map(|definition| (*definition).clone()).map_err(|problems| problems.iter().map(told).collect())
}

const GOOD: &str = r#"{
  "$schema": "https://flagd.dev/schema/v0/flags.json",
  "metadata": {"team": "shop", "version": 1, "gone": null},
  "$evaluators": {"internal": {"ends_with": [{"var": "email"}, {"$ref": "domain"}]}, "domain": {"cat": ["@", "example.com"]}},
  "flags": {
    "checkout": {
      "state": "ENABLED",
      "variants": {"stable": "stable", "canary": "canary"},
      "defaultVariant": "stable",
      "targeting": {"if": [{"$ref": "internal"}, "canary"]},
      "metadata": {"team": "checkout"},
      "source": "tolerated"
    }
  }
}"#;

#[test]
fn a_good_document_is_a_definition_with_references_put_in_and_metadata_merged() {
    let document = parse(GOOD, Format::Json).expect("the document is good");
    assert_eq!(document.warnings, []);
    let flag = only(document).expect("the flag is good");
    let names: Vec<_> = flag.variants.iter().map(|(name, _)| &**name).collect();
    assert_eq!((&*flag.key, flag.state, names), ("checkout", FlagState::Enabled, vec!["canary", "stable"]));
    assert_eq!(flag.default_variant.map(|id| &*flag.variants[id.0 as usize].0), Some("stable"));
    let domain = json!({"cat": ["@", "example.com"]});
    let rule = json!({"if": [{"ends_with": [{"var": "email"}, domain]}, "canary"]});
    assert_eq!(flag.targeting, Some(rule));
    assert_eq!(json!(flag.metadata), json!({"team": "checkout", "version": 1}));
    let place = flag.place.expect("it stands somewhere");
    assert_eq!((place.line, place.column, &*place.text, place.width), (6, 5, "    \"checkout\": {", 10));
}

#[test]
fn what_a_definition_writes_reads_back_the_same() {
    let flag = only(parse(GOOD, Format::Json).expect("good")).expect("good");
    let again = json!({"flags": {"checkout": flag.to_json()}}).to_string();
    let again = only(parse(&again, Format::Json).expect("good")).expect("good");
    assert_eq!(again.canonical(), flag.canonical());
    assert!(flag.canonical().starts_with(r#"{"checkout":{"defaultVariant":"stable","metadata":"#));
}

#[test]
fn flags_may_be_a_list() {
    let text = r#"{"flags": [{"key": "a", "state": "DISABLED", "variants": {"on": 1}},
        {"key": "a", "state": "ENABLED", "variants": {"on": 1}}]}"#;
    let document = parse(text, Format::Json).expect("the document is good");
    let a = document.flags["a"].as_ref().expect("the flag is good");
    assert_eq!(a.state, FlagState::Enabled);
    let warnings: Vec<_> = document.warnings.iter().map(told).collect();
    assert_eq!(
        warnings,
        ["2: { flags.a: the flag \"a\" stands here more than once; the last one counts; each key once"]
    );
}

#[test]
fn a_flag_of_a_list_without_a_key_stops_the_document() {
    for flag in ["1", r#"{"state": "ENABLED"}"#, r#"{"key": 7}"#] {
        let text =
            format!(r#"{{"flags": [{{"key": "a", "state": "ENABLED", "variants": {{"on": 1}}}}, {flag}]}}"#);
        let problems = parse(&text, Format::Json).expect_err("whose last good definition should go on?");
        assert_eq!(problems[0].key, "flags[1]", "{flag}");
    }
}

#[test]
fn yaml_reads_as_json_does() {
    let yaml = "
metadata: {team: shop}
$evaluators:
  german: {in: [{var: country}, [DE, AT]]}
flags:
  # a comment
  checkout:
    state: ENABLED
    variants: &variants {on: true, off: false}
    defaultVariant: off
    targeting:
      if: [{$ref: german}, on, {fractional: [[on, 0x10], [off, 84.0]]}]
  search:
    state: ENABLED
    variants: *variants
    defaultVariant: 'on'
";
    let json = json!({"metadata": {"team": "shop"}, "$evaluators": {"german": {"in": [{"var": "country"}, ["DE", "AT"]]}},
    "flags": {
        "checkout": {"state": "ENABLED", "variants": {"on": true, "off": false}, "defaultVariant": "off",
            "targeting": {"if": [{"$ref": "german"}, "on", {"fractional": [["on", 16], ["off", 84.0]]}]}},
        "search": {"state": "ENABLED", "variants": {"on": true, "off": false}, "defaultVariant": "on"},
    }});
    let canonical = |document: Document| -> Vec<String> {
        assert_eq!(document.warnings, []);
        document.flags.into_values().map(|flag| flag.expect("the flag is good").canonical()).collect()
    };
    let from_yaml = parse(yaml, Format::Yaml).expect("the document is good");
    let place = from_yaml.flags["search"].as_ref().expect("good").place.clone().expect("it stands somewhere");
    assert_eq!((place.line, place.column, &*place.text), (13, 3, "  search:"));
    assert_eq!(canonical(from_yaml), canonical(parse(&json.to_string(), Format::Json).expect("good")));
}

#[test]
fn a_wrong_flag_is_told_with_place_and_fix() {
    let variants = r#""variants": {"on": true, "off": false}"#;
    for (flag, expected) in [
        (
            format!(r#"{{"state": "enabled", {variants}}}"#),
            "1: \"state\" flags.f.state: the state \"enabled\"; \"ENABLED\" or \"DISABLED\"; did you mean \"ENABLED\"?",
        ),
        (
            format!(r#"{{"state": true, {variants}}}"#),
            "1: \"state\" flags.f.state: a state that is true; \"ENABLED\" or \"DISABLED\"; did you mean \"ENABLED\"?",
        ),
        (format!("{{{variants}}}"), "1: \"f\" flags.f: the flag has no `state`; \"ENABLED\" or \"DISABLED\""),
        (
            r#"{"state": "ENABLED"}"#.to_owned(),
            "1: \"f\" flags.f: the flag has no `variants`; an object of at least one variant: {\"on\": true, \"off\": false}",
        ),
        (
            r#"{"state": "ENABLED", "variants": []}"#.to_owned(),
            "1: \"variants\" flags.f.variants: variants that are a list; an object of at least one variant: {\"on\": true, \"off\": false}",
        ),
        (
            r#"{"state": "ENABLED", "variants": {"": 1}}"#.to_owned(),
            "1: \"\" flags.f.variants.: a variant's name that is empty; 1 to 256 bytes, no control characters",
        ),
        (
            r#"{"state": "ENABLED", "variants": {"a\r\nX: y": 1}}"#.to_owned(),
            "1: \"a\\r\\nX: y\" flags.f.variants.a\\r\\nX: y: a variant's name with a control character: \"a\\r\\nX: y\"; \
             1 to 256 bytes, no control characters",
        ),
        (
            format!(r#"{{"state": "ENABLED", {variants}, "defaultVariant": "onn"}}"#),
            "1: \"defaultVariant\" flags.f.defaultVariant: the default variant \"onn\" does not exist; one of the variants: \"off\", \"on\"; \
             did you mean \"on\"?",
        ),
        (
            format!(r#"{{"state": "ENABLED", {variants}, "defaultVariant": true}}"#),
            "1: \"defaultVariant\" flags.f.defaultVariant: a default variant that is a boolean; the name of a variant, as a string; write \"true\"",
        ),
        (
            format!(
                r#"{{"state": "ENABLED", {variants}, "targeting":
            {{"if": [true, {{"fractionl": [["on", 1]]}}]}}}}"#
            ),
            "2: \"fractionl\" flags.f.targeting.if[1].fractionl: unknown operator \"fractionl\"; an operator of flagd's JSON Logic; \
             did you mean \"fractional\"?",
        ),
        (
            format!(r#"{{"state": "ENABLED", {variants}, "targeting": {{"startsWith": ["a", "b"]}}}}"#),
            "1: \"startsWith\" flags.f.targeting.startsWith: unknown operator \"startsWith\"; an operator of flagd's JSON Logic; \
             did you mean \"starts_with\"?",
        ),
        (
            format!(
                r#"{{"state": "ENABLED", {variants}, "targeting": {{"if": [{{"$ref": "nope"}}, "on"]}}}}"#
            ),
            "1: \"$ref\" flags.f.targeting.if[0].$ref: there is no evaluator \"nope\"; a name under `$evaluators`",
        ),
        (
            format!(
                r#"{{"state": "ENABLED", {variants}, "targeting": {{"fractional": [["on", -1], ["on", {{"frob": 1}}]]}}}}"#
            ),
            "1: \"frob\" flags.f.targeting.fractional[1][1].frob: unknown operator \"frob\"; \
             an operator of flagd's JSON Logic",
        ),
        ("5".to_owned(), "1: \"f\" flags.f: the flag is a number; an object"),
    ] {
        let document =
            parse(&format!(r#"{{"flags":{{"f":{flag}}}}}"#), Format::Json).expect("the document is usable");
        let problems = only(document).expect_err("the flag is wrong");
        assert_eq!(problems, [expected], "{flag}");
    }
}

#[test]
fn a_wrong_flag_leaves_the_others_alone() {
    let text = r#"{"flags": {"bad": {"state": "ON"}, "good": {"state": "ENABLED", "variants": {"on": 1}}}}"#;
    let document = parse(text, Format::Json).expect("the document is usable");
    let bad = document.flags["bad"].as_ref().expect_err("the flag is wrong");
    assert_eq!(bad.len(), 2, "all problems at once: {bad:?}");
    assert!(
        bad.iter()
            .all(|problem| problem.kind == ProblemKind::Definition && problem.severity == Severity::Error)
    );
    assert!(document.flags["good"].is_ok());
}

#[test]
fn problems_in_yaml_have_their_place_too() {
    let yaml = "flags:\n  f:\n    state: ENABLED\n    variants:\n      on: 1\n    targeting:\n      if:\n        - true\n        - {frob: 1}\n";
    let problems = only(parse(yaml, Format::Yaml).expect("usable")).expect_err("the flag is wrong");
    assert_eq!(
        problems,
        [
            "9: frob flags.f.targeting.if[1].frob: unknown operator \"frob\"; an operator of flagd's JSON Logic"
        ]
    );
}

#[test]
fn what_only_looks_wrong_is_a_warning() {
    let flag = |more: &str| {
        format!(r#"{{"flags":{{"f":{{"state":"ENABLED","variants":{{"on":true,"off":false}},{more}}}}}}}"#)
    };
    for (text, expected) in [
        (r#"{"flags": {"f": {"state": "ENABLED", "variants": {"on": 1}}, "f": {"state": "ENABLED", "variants": {"on": 1}}}}"#.to_owned(),
            "1: \"f\" flags.f: the flag \"f\" stands here more than once; the last one counts; each key once"),
        (r#"{"flags": {"f": {"state": "ENABLED", "variants": {"on": 1, "off": "x"}}}}"#.to_owned(),
            "1: \"variants\" flags.f.variants: variants of different types: a string, and a number; values of one type"),
        (r#"{"flags": {"f": {"state": "ENABLED", "variants": {"most": 9007199254740991, "less": -9007199254740992}}}}"#.to_owned(),
            "1: \"less\" flags.f.variants.less: the whole number -9007199254740992, which clients that read numbers as doubles round; \
             at most 9007199254740991 either way, or a string"),
        (flag(r#""metadata": {"a": []}"#),
            "1: \"a\" flags.f.metadata.a: metadata that is a list, left out; a boolean, a string or a number"),
        (flag(r#""targeting": {"if": [true, "onn"]}"#),
            "1: \"onn\" flags.f.targeting.if[1]: \"onn\" names no variant; the name of a variant, or null for the default; did you mean \"on\"?"),
        (flag(r#""targeting": {"fractional": [["on", 1], ["new", 1]]}"#),
            "1: \"new\" flags.f.targeting.fractional[1][0]: \"new\" names no variant; the name of a variant, or null for the default"),
        (flag(r#""targeting": {"fractional": [["on", 1.5]]}"#),
            "1: [ flags.f.targeting.fractional[0]: \"[\\\"on\\\",1.5]\" is no bucket, so nobody falls into any; \
             [variant] or [variant, weight], the weight a whole number"),
        (flag(r#""targeting": {"fractional": [{"var": "u"}, ["on", 1.5]]}"#),
            "1: [ flags.f.targeting.fractional[1]: \"[\\\"on\\\",1.5]\" is no bucket, so nobody falls into any; \
             [variant] or [variant, weight], the weight a whole number"),
        (flag(r#""targeting": {"fractional": [["onn", {"+": [1, 1]}], ["on", 1]]}"#),
            "1: \"onn\" flags.f.targeting.fractional[0][0]: \"onn\" names no variant; the name of a variant, or null for the default; did you mean \"on\"?"),
        (flag(r#""targeting": {"fractional": [["on", 0]]}"#),
            "1: \"fractional\" flags.f.targeting.fractional: the weights add up to 0, so nobody falls into any bucket; a sum from 1 to 2147483647"),
        (flag(r#""targeting": {"if": [{"!x": 1, "==": [1, 1]}, "on"]}"#),
            "1: { flags.f.targeting.if[0]: an object with 2 keys is a constant, so its \"==\" is never run; one operator an object"),
    ] {
        let document = parse(&text, Format::Json).expect("the document is usable");
        let warnings: Vec<_> = document.warnings.iter().map(told).collect();
        assert_eq!(warnings, [expected], "{text}");
        assert!(document.warnings.iter().all(|warning| warning.severity == Severity::Warning));
        assert!(only(document).is_ok(), "{text}");
    }
}

#[test]
fn a_document_that_is_no_document_is_refused_as_a_whole() {
    let many: String = (0..3).map(|n| format!(r#""f{n}": {{}},"#)).collect();
    let many = format!(r#"{{"flags": {{{}}}}}"#, many.trim_end_matches(','));
    for (text, format, expected) in [
        (
            "",
            Format::Json,
            "1:  document: the document is not usable JSON: EOF while parsing a value; a JSON document with the key `flags`",
        ),
        (
            "{\n  \"flags\": {},\n}",
            Format::Json,
            "3: } document: the document is not usable JSON: trailing comma; a JSON document with the key `flags`",
        ),
        (
            "{\"flags\": {\"ä\": x}}",
            Format::Json,
            "1: x document: the document is not usable JSON: expected value; a JSON document with the key `flags`",
        ),
        (
            "<html>",
            Format::Json,
            "1: < document: the document is not usable JSON: expected value; a JSON document with the key `flags`; \
             this looks like a web page: check what the source answers with",
        ),
        ("[]", Format::Json, "1: [ document: the document is a list; an object with the key `flags`"),
        ("", Format::Yaml, "1:  document: the document is null; an object with the key `flags`"),
        (
            "{\"flag\": {}}",
            Format::Json,
            "1: { document: the document has no `flags`; an object with the key `flags`; is this meant to be `flags`: \"flag\"?",
        ),
        (
            "{\"flags\": 5}",
            Format::Json,
            "1: \"flags\" flags: `flags` is a number; an object of flags by key, or a list of flags",
        ),
        (&many, Format::Json, "1: \"flags\" flags: the document has 3 flags; at most 2 (`limits.flags`)"),
        (
            "flags: {a: *nope}",
            Format::Yaml,
            "1: * document: no valid YAML: an alias of an anchor that is not defined above it; define it with `&name`, or quote a value that starts with `*`",
        ),
        (
            "flags:\n  a: 1\n  a: 2\n",
            Format::Yaml,
            "3: a flags.a: the key `a` stands twice; each key once; remove one of them; the first is in line 2",
        ),
        (
            "flags: {}\n---\nflags: {}\n",
            Format::Yaml,
            "2: --- document: a second document starts here; one document; remove `---` and what follows it",
        ),
        ("flags: {<<: {a: 1}}", Format::Yaml, "1: << document: a merge key, which is not supported"),
        ("flags: {a: .inf}", Format::Yaml, "1: .inf document: the number .inf, which JSON does not have"),
        (
            "flags: !custom {}",
            Format::Yaml,
            "1: !custom { document: the tag `!custom`; no tags; remove it; quote the value to make it text",
        ),
    ] {
        let limits = FlagLimits { flags: 2, ..FlagLimits::default() };
        let problems = Document::parse("flags", text, format, &limits).expect_err(text);
        assert_eq!(problems.iter().map(told).collect::<Vec<_>>(), [expected], "{text}");
        assert_eq!(problems[0].kind, ProblemKind::Document);
    }
    let limits = FlagLimits { document_bytes: 10, ..FlagLimits::default() };
    let problems = Document::parse("flags", r#"{"flags": {}}"#, Format::Json, &limits)
        .expect_err("it is over the limit");
    assert_eq!(
        told(&problems[0]),
        "nowhere document: the document has 13 bytes; at most 10 (`limits.document`)"
    );
}

#[test]
fn an_empty_set_of_flags_is_a_document() {
    assert!(parse(r#"{"flags": {}}"#, Format::Json).expect("it is fine").flags.is_empty());
}

#[test]
fn bombs_are_refused_by_name_and_do_no_harm() {
    let nested = |levels: usize| format!("{}1{}", r#"{"!":"#.repeat(levels), "}".repeat(levels));
    let doubling: String = (0..40)
        .map(|n| format!(r#""e{n}": {{"or": [{{"$ref": "e{}"}}, {{"$ref": "e{}"}}]}},"#, n + 1, n + 1))
        .collect();
    let flag =
        |rule: &str| format!(r#"{{"state": "ENABLED", "variants": {{"on": 1}}, "targeting": {rule}}}"#);
    let document = format!(
        r#"{{"$evaluators": {{{doubling} "e40": 1, "a": {{"$ref": "b"}}, "b": {{"!": {{"$ref": "a"}}}}}}, "flags": {{
            "good": {}, "deep": {}, "deeper": {}, "abyss": {}, "wide": {}, "doubling": {}, "circle": {}
        }}}}"#,
        flag(&nested(60)),
        flag(&nested(70)),
        flag(&nested(119)),
        flag(&nested(20_000)),
        flag(&format!("{{\"+\": [{}1]}}", "1,".repeat(20_000))),
        flag(r#"{"$ref": "e0"}"#),
        flag(r#"{"$ref": "a"}"#),
    );
    let document = parse(&document, Format::Json).expect("the document is usable");
    assert!(document.flags["good"].is_ok());
    for (key, why) in [
        ("deep", "the rule is nested more than 64 operators deep"),
        ("deeper", "the flag is nested more than 120 lists and objects deep"),
        ("abyss", "the flag is nested more than 120 lists and objects deep"),
        ("wide", "the rule has more than 20000 values with its `$ref`s put in"),
        ("doubling", "the rule has more than 20000 values with its `$ref`s put in"),
        ("circle", "evaluators refer to each other in a circle: \"a\" → \"b\" → \"a\""),
    ] {
        let problems = document.flags[key].as_ref().expect_err(key);
        assert_eq!(problems[0].found, why, "{key}");
    }
    let huge = format!(r#"{{"flags": {{"huge": [{}1]}}}}"#, "1,".repeat(50_000));
    let problems = only(parse(&huge, Format::Json).expect("usable")).expect_err("it is too large");
    assert_eq!(problems, ["1:  flags.huge: the flag is larger than 40000 values"]);
}

#[test]
fn yaml_bombs_are_refused() {
    let mut laughs = "a0: &a0 [x, x, x, x, x, x, x, x, x, x]\n".to_owned();
    for n in 1..9 {
        let aliases = vec![format!("*a{}", n - 1); 10].join(", ");
        laughs += &format!("a{n}: &a{n} [{aliases}]\n");
    }
    // The parser holds a whole flow collection before it tells of it.
    let large = format!("flags: [{}]", "a,".repeat(3 << 20));
    for bomb in
        [large, laughs, format!("flags: {}", "[".repeat(200)), format!("flags:\n{}", "- ".repeat(5_000))]
    {
        let problems = parse(&bomb, Format::Yaml).expect_err("it is refused");
        assert!(!problems.is_empty());
    }
}
