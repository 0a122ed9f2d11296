//! What an operator sees: files that parse, and the exact text of every error.

use std::path::Path;

use super::*;

const SHOP: &str = include_str!("fixtures/shop.yaml");
const EVERY_KEY: &str = include_str!("fixtures/every_key.yaml");

fn environment(name: &str) -> Option<String> {
    match name {
        "ADMIN_TOKEN" => Some("a-very-secret-token".into()),
        "CANARY_PORT" => Some("9003".into()),
        _ => None,
    }
}

fn parse(text: &str) -> Result<Config, Vec<Problem>> {
    Config::parse("flagway.yaml", text, Path::new("/etc/shop"), &environment)
}

fn parsed(text: &str) -> Config {
    match parse(text) {
        Ok(config) => config,
        Err(problems) => panic!("{}", render(&problems)),
    }
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
