//! What `check` and `run` say to an operator, word for word, about what only shows when the parts are joined.

use crate::support::Setup;

const SERVICES: &str = "services:
  shop:
    default: stable
    versions:
      stable: {endpoints: ['127.0.0.1:9001']}
      canary: {endpoints: ['127.0.0.1:9002']}
";

/// The output of `check` on a configuration of two versions and these routes, with its exit code.
fn checked(routes: &str, flags: &str) -> String {
    let setup = Setup::new(&format!("{SERVICES}routes:\n{routes}")).file("flags.json", flags);
    let ran = setup.command(&["check"]);
    format!("{}exit code {}", ran.output(), ran.code.unwrap_or(-1))
}

#[test]
fn a_route_that_can_never_match() {
    insta::assert_snapshot!(checked(
        "  - name: all
    match: {host: shop.test, path_prefix: /checkout}
    service: shop
  - name: late
    match: {host: shop.test, path_prefix: /checkout/, headers: {x-beta: '1'}}
    service: shop
  - name: never
    match: {host: shop.test, path_prefix: /checkout}
    service: shop
",
        "{\"flags\": {}}"
    ));
}

#[test]
fn flags_and_versions_that_are_named_and_missing() {
    insta::assert_snapshot!(checked(
        "  - name: all
    match: {path_prefix: /}
    service: shop
    version: {flag: checkout-version}
    inject: [checkout-version, new-pricign]
",
        r#"{"flags": {
  "checkout-version": {
    "state": "ENABLED",
    "variants": {"stable": "stable", "next": "canray"},
    "defaultVariant": "stable"
  },
  "new-pricing": {"state": "ENABLED", "variants": {"on": true}, "defaultVariant": "on"}
}}
"#
    ));
}

#[test]
fn shadows_whose_flags_or_versions_are_missing() {
    insta::assert_snapshot!(checked(
        "  - name: all
    match: {path_prefix: /}
    service: shop
    shadows:
      - flag: copy
      - flag: sampel
        values: {true: canary, false: none}
",
        r#"{"flags": {
  "copy": {"state": "ENABLED", "variants": {"next": "canray", "off": "none"}, "defaultVariant": "off"},
  "sample": {"state": "ENABLED", "variants": {"on": true, "off": false}, "defaultVariant": "off"}
}}
"#
    ));
}

#[test]
fn flags_that_are_broken() {
    insta::assert_snapshot!(checked(
        "  - name: all
    match: {path_prefix: /}
    service: shop
    version: {flag: a}
",
        r#"{"flags": {
  "a": {"state": "enabled", "variants": {"stable": "stable"}, "defaultVariant": "stable"},
  "b": {"state": "ENABLED", "variants": {"on": true}, "defaultVariant": "off"},
  "c": {"state": "ENABLED", "variants": {"on": true},
    "targeting": {"if": [{"start_with": [{"var": "header.x-a"}, "1"]}, "on"]}},
  "d": {"state": "ENABLED", "variants": {"on": true}, "targeting": {"$ref": "beta"}},
  "e": {"state": "ENABLED", "variants": {"on": true}, "targeting": {"if": [{"var": "headr.x-a"}, "on"]}}
}}
"#
    ));
}

#[test]
fn a_document_that_is_no_json() {
    insta::assert_snapshot!(checked(
        "  - name: all
    match: {path_prefix: /}
    service: shop
",
        "{\"flags\": {\n  \"a\": {\"state\": \"ENABLED\",\n}}"
    ));
}
