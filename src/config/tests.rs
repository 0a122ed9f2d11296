//! What an operator sees: files that parse into what they say, and what holds for every file.

mod endpoints;
mod errors;
mod ofrep;
mod shadows;

use std::path::Path;
use std::time::Duration;

use proptest::prelude::*;
use serde_json::{Value, json};

use super::*;
use crate::config::route::Action;
use crate::config::service::{Outliers, Timeouts};

const SHOP: &str = include_str!("fixtures/shop.yaml");
const EVERY_KEY: &str = include_str!("fixtures/every_key.yaml");

/// A small file that is good.
const GOOD: &str = "\
listeners:
  - bind: 127.0.0.1:8080
services:
  shop:
    default: stable
    versions:
      stable: {endpoints: [10.0.0.1:9001]}
      canary: {endpoints: [10.0.0.2:9001]}
routes:
  - name: shop
    match: {path_prefix: /shop}
    service: shop
    version: {flag: shop-version}
";

const SECRET: &str = "a-very-secret-token";

fn environment(name: &str) -> Option<String> {
    match name {
        "ADMIN_TOKEN" => Some(SECRET.into()),
        "CANARY_PORT" => Some("9003".into()),
        "DIGITS" => Some("1234567890123456".into()),
        "EMPTY" => Some(String::new()),
        _ => None,
    }
}

fn parse(text: &str) -> Result<Config, Vec<Problem>> {
    Config::parse("flagway.yaml", text, Path::new("/etc/shop"), &environment)
}

fn parsed(text: &str) -> Config {
    parse(text).unwrap_or_else(|problems| panic!("{}", render(&problems)))
}

fn render(problems: &[Problem]) -> String {
    problems.iter().map(Problem::to_string).collect::<Vec<_>>().join("\n\n")
}

#[test]
fn the_example_parses() {
    let config = parsed(SHOP);
    assert!(config.warnings.is_empty(), "{}", render(&config.warnings));
    insta::assert_debug_snapshot!(config);
}

#[test]
fn every_key_parses() {
    insta::assert_debug_snapshot!(parsed(EVERY_KEY));
}

#[test]
fn what_is_left_out_is_the_default_of_its_type() {
    let config = parsed(GOOD);
    assert!(config.warnings.is_empty(), "{}", render(&config.warnings));
    assert_eq!(config.flags.limits, FlagLimits::default());
    assert_eq!(config.flags.fractional, FractionalVersion::default());
    assert_eq!(format!("{:?}", config.injection), format!("{:?}", Injection::default()));
    assert_eq!(config.shadows, ShadowLimits::default());
    assert_eq!(config.services[0].versions[0].timeouts, Timeouts::default());
    assert_eq!(config.services[0].versions[0].outliers, Some(Outliers::default()));
    assert_eq!((config.paths, config.threads), (Paths::Normalised, None));
    assert_eq!(config.access_log.to, LogTarget::Stdout);
    assert_eq!(config.shutdown, Shutdown { grace: Duration::from_secs(20), delay: Duration::from_secs(1) });
    assert_eq!(&*config.listeners[0].name, "127.0.0.1:8080");
}

/// Nothing reads the defaults of timeouts from their table: a version's are its service's.
#[test]
fn documented_timeouts_are_the_real_ones() {
    let documentation = markdown();
    let Timeouts { connect, first_byte, between, idle, total } = Timeouts::default();
    for (key, value) in
        [("connect", connect), ("first_byte", first_byte), ("between", between), ("idle", idle)]
    {
        let row = format!("| `{key}` | duration above zero | `{}s` |", value.as_secs());
        assert!(documentation.contains(&row), "{row}");
    }
    assert_eq!(total, None);
}

#[test]
fn the_environment_is_typed_where_it_stands() {
    let config = parsed(&format!(
        "{GOOD}admin: {{bind: \"127.0.0.1:${{CANARY_PORT}}\", token: \"${{DIGITS}}\"}}\n\
         threads: ${{THREADS:-3}}\n\
         metrics: {{max_series: \"${{CANARY_PORT}}\"}}\n\
         access_log: {{to: $$HOME/access.log}}\n"
    ));
    let admin = config.admin.expect("it is there");
    assert_eq!(admin.bind.port(), 9003);
    assert_eq!(admin.token.as_deref(), Some("1234567890123456"));
    assert_eq!((config.threads, config.metrics.max_series), (Some(3), 9003));
    assert_eq!(config.access_log.to, LogTarget::File("/etc/shop/$HOME/access.log".into()));
}

#[test]
fn values_of_the_environment_add_no_structure() {
    let sly = |_: &str| Some("x}\n    respond: {status: 200}".to_owned());
    let text = GOOD.replace("flag: shop-version", "flag: \"${FLAG}\"");
    let problems = Config::parse("f", &text, Path::new("/"), &sly).expect_err("no flag has a line break");
    assert_eq!(problems.len(), 1, "{}", render(&problems));
}

#[test]
fn no_message_shows_what_the_environment_holds() {
    // In turn, each value of the file comes from the environment.
    let whole = tree::parse("f", EVERY_KEY, ProblemKind::Config, &Limits::CONFIG).expect("it is YAML");
    let whole = tree::to_json(&whole.root);
    let mut problems = 0;
    for pointer in schema::pointers(&whole, "") {
        let mut text = whole.clone();
        *text.pointer_mut(&pointer).expect("it is there") = json!("${ADMIN_TOKEN}");
        for problem in parse(&text.to_string()).err().unwrap_or_default() {
            let shown = problem.render(true) + &format!("{problem:?}");
            assert!(!shown.contains(SECRET), "{shown}");
            problems += 1;
        }
    }
    assert!(problems > 50, "{problems} problems");
    assert!(!format!("{:?}", parsed(EVERY_KEY)).contains(SECRET));
}

#[test]
fn a_hash_is_of_what_a_file_says() {
    let hash = |text: &str| parsed(text).hash;
    let same = GOOD.replace("listeners:\n  - bind: 127.0.0.1:8080\n", "# a comment\n")
        + "listeners: [{bind: \"127.0.0.1:8080\"}]\n";
    assert_eq!(hash(GOOD), hash(&same));
    assert_ne!(hash(GOOD), hash(&GOOD.replace("8080", "8081")));
    assert_eq!(hash(&GOOD.replace("8080", "${CANARY_PORT}")), hash(&GOOD.replace("8080", "9003")));
    assert_eq!(hash(GOOD).len(), 12);
}

#[test]
fn values_keep_their_types() {
    let config = parsed(&GOOD.replace(
        "{flag: shop-version}",
        "{flag: shop-version, values: {true: canary, \"true\": stable, 1: canary, \"1\": stable, 1.5: canary, x: stable}}",
    ));
    let Action::Forward(forward) = &config.routes[0].action else { panic!("it forwards") };
    let values = forward.version.as_ref().and_then(|rule| rule.values.as_ref()).expect("they are there");
    let values: Vec<Value> = values.iter().map(|(value, _)| value.clone()).collect();
    assert_eq!(values, [json!(true), json!("true"), json!(1), json!("1"), json!(1.5), json!("x")]);
}

/// Any small tree: keys and words are often those of the file.
fn any_tree() -> impl Strategy<Value = Value> {
    let word = prop_oneof![
        Just("listeners"),
        Just("bind"),
        Just("routes"),
        Just("match"),
        Just("name"),
        Just("services"),
        Just("versions"),
        Just("default"),
        Just("endpoints"),
        Just("${X}"),
        Just("$"),
        Just("127.0.0.1:80"),
        Just("*."),
        Just("__Host-x"),
        Just("/a%"),
        Just("("),
        Just(""),
        Just("0s"),
        Just("header"),
        Just("true"),
        Just("\u{e9}"),
        Just("[::1]:1"),
    ];
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        any::<i64>().prop_map(Value::from),
        any::<f64>().prop_map(Value::from),
        word.clone().prop_map(Value::from),
        any::<String>().prop_map(Value::from),
    ];
    leaf.prop_recursive(4, 24, 4, move |inner| {
        prop_oneof![
            proptest::collection::vec(inner.clone(), 0..4).prop_map(Value::from),
            proptest::collection::vec((word.clone(), inner), 0..4).prop_map(|pairs| Value::Object(
                pairs.into_iter().map(|(key, value)| (key.into(), value)).collect()
            )),
        ]
    })
}

/// Whatever comes out: a configuration, or problems that can be shown.
fn is_answered(text: &str) {
    if let Err(problems) = parse(text) {
        assert!(problems.iter().any(|problem| problem.severity == Severity::Error), "{text}");
        assert!(!render(&problems).is_empty());
    }
}

proptest! {
    #[test]
    fn any_text_is_answered(text in any::<String>()) {
        is_answered(&text);
    }

    #[test]
    fn any_tree_is_answered(tree in any_tree()) {
        is_answered(&tree.to_string());
    }

    #[test]
    fn any_tree_inside_a_good_file_is_answered(tree in any_tree(), at in any::<prop::sample::Index>()) {
        let whole = tree::parse("f", EVERY_KEY, ProblemKind::Config, &Limits::CONFIG).expect("it is YAML");
        let mut whole = tree::to_json(&whole.root);
        let pointers = schema::pointers(&whole, "");
        // Of a leaf's path, any part.
        let leaf = at.get(&pointers);
        let cuts: Vec<usize> = leaf.match_indices('/').map(|(cut, _)| cut).skip(1).chain([leaf.len()]).collect();
        let cut = cuts[at.index(cuts.len())];
        *whole.pointer_mut(&leaf[..cut]).expect("it is there") = tree;
        is_answered(&whole.to_string());
    }

    #[test]
    fn any_mangled_line_is_answered(line in any::<prop::sample::Index>(), with in "[-a-z0-9:,{}\\[\\]&*!|>'\"%@#?~ \t$./]{0,12}") {
        let mut lines: Vec<&str> = EVERY_KEY.lines().collect();
        let line = line.index(lines.len());
        lines[line] = &with;
        is_answered(&lines.join("\n"));
    }
}
