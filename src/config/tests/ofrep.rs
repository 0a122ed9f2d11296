//! Routes that answer OpenFeature clients: what they take and what they refuse.

use super::*;
use crate::config::route::{Ofrep, Shown, Valueless};

/// The good file with one more route; `more` are its keys.
fn with(more: &str) -> String {
    format!("{GOOD}  - {{name: flags, {more}}}\n")
}

fn ofrep(keys: &str) -> Ofrep {
    let config = parsed(&with(&format!("match: {{path_prefix: /ofrep}}, ofrep: {{{keys}}}")));
    match config.routes.into_iter().next_back().map(|route| route.action) {
        Some(Action::Ofrep(ofrep)) => ofrep,
        other => panic!("{other:?}"),
    }
}

fn errors(more: &str) -> String {
    match parse(&with(more)) {
        Ok(config) => panic!("it parses: {config:#?}"),
        Err(problems) => render(&problems),
    }
}

#[test]
fn nothing_is_shown_by_default_and_everything_is_bounded() {
    let door = ofrep("");
    assert_eq!(door.flags, Shown::Only(Vec::new()));
    assert_eq!((door.keys.len(), door.origins.len(), door.enrich), (0, 0, true));
    assert_eq!((door.max_body, door.streams, door.valueless), (64 << 10, 10_000, Valueless::Omit));
    let rate = door.rate.expect("there is one");
    assert_eq!((rate.per_second.get(), rate.burst.get()), (50, 100));
    assert_eq!(
        ofrep("rate: {burst: 5}").rate.map(|rate| (rate.per_second.get(), rate.burst.get())),
        Some((50, 5))
    );
    assert_eq!(ofrep("rate: off").rate, None);
    assert_eq!(ofrep("flags: all").flags, Shown::All);
}

#[test]
fn a_door_that_shows_nothing_is_told() {
    let config = parsed(&with("ofrep: {}"));
    insta::assert_snapshot!("ofrep_shows_nothing", render(&config.warnings));
}

#[test]
fn errors_of_doors() {
    insta::assert_snapshot!("ofrep_exact_path", errors("match: {path: /flags}, ofrep: {flags: all}"));
    insta::assert_snapshot!(
        "ofrep_method",
        errors("match: {path_prefix: /ofrep, method: POST}, ofrep: {flags: all}")
    );
    insta::assert_snapshot!("ofrep_some_flags", errors("ofrep: {flags: some}"));
    insta::assert_snapshot!("ofrep_no_tokens", errors("ofrep: {flags: all, rate: {burst: 0}}"));
    insta::assert_snapshot!("ofrep_beside_service", errors("ofrep: {flags: all}, service: shop"));
    insta::assert_snapshot!("ofrep_caching", errors("ofrep: {flags: all}, caching: off"));
    let origins = [
        "*",
        "shop.test",
        "'null'",
        "https://Shop.test/",
        "https://shop.test:443",
        "https://shop.test/a",
        "ftp://a",
    ];
    insta::assert_snapshot!(
        "ofrep_origins",
        errors(&format!(
            "ofrep: {{flags: all, origins: ['{}']}}",
            origins.map(|o| o.trim_matches('\'').to_owned()).join("', '")
        ))
    );
}
