//! What an operator says of shadows, and the exact text of what is wrong with it.

use http::Method;

use super::*;
use crate::config::field_path::FieldPath;
use crate::config::route::Forward;
use crate::config::service::{ServiceId, VersionId};
use crate::config::shadow::{Breaker, SafeWrites, ShadowRule, Share};

/// The good file, with more of its route.
fn with(more: &str) -> String {
    format!("{GOOD}    {more}\n")
}

fn shadows(more: &str) -> Vec<ShadowRule> {
    let config = parsed(&with(more));
    assert!(config.warnings.is_empty(), "{}", render(&config.warnings));
    forward(config).shadows
}

fn forward(config: Config) -> Forward {
    let Some(Action::Forward(forward)) = config.routes.into_iter().next().map(|route| route.action) else {
        panic!("it forwards")
    };
    forward
}

fn shadow(keys: &str) -> ShadowRule {
    shadows(&format!("shadows: [{{flag: x, {keys}}}]")).remove(0)
}

fn errors(more: &str) -> String {
    match parse(&with(more)) {
        Ok(config) => panic!("it parses: {config:#?}"),
        Err(problems) => render(&problems),
    }
}

fn errors_of(keys: &str) -> String {
    errors(&format!("shadows: [{{flag: x, {keys}}}]"))
}

fn warnings_of(keys: &str) -> String {
    render(&parsed(&with(&format!("shadows: [{{flag: x, {keys}}}]"))).warnings)
}

#[test]
fn a_flag_alone_copies_reads_and_compares_all_of_them() {
    let rule = shadow("");
    assert_eq!((&*rule.flag.key, rule.values.is_none(), rule.service), ("x", true, ServiceId(0)));
    assert_eq!((rule.methods, rule.writes), (vec![Method::GET, Method::HEAD, Method::OPTIONS], None));
    assert_eq!((rule.host, rule.credentials, rule.cookies), (None, true, true));
    assert_eq!((rule.timeout, rule.max_in_flight), (Duration::from_secs(5), 64));
    assert_eq!((rule.max_body, rule.max_answer), (256 << 10, 16 << 20));
    assert_eq!(rule.breaker, Breaker { failures: 5, rest: Duration::from_secs(10) });
    assert_eq!((rule.compare.sample, rule.compare.noise), (Share(1.0), Share(0.0)));
    assert_eq!(rule.compare.headers, ["content-type", "content-encoding", "location", "cache-control"]);
    assert_eq!((rule.compare.max_body, rule.compare.examples), (256 << 10, 3));
    assert_eq!(rule.compare.slower_by, Duration::from_millis(100));
    assert_eq!(rule.place.line, 14);
}

#[test]
fn the_word_none_means_no_copy_and_versions_are_the_shadows_service_s() {
    let values = |rule: ShadowRule| rule.values.expect("they are there");
    let own = values(shadow("values: {true: canary, false: none, \"none\": stable}"));
    assert_eq!(
        own,
        [(json!(true), Some(VersionId(1))), (json!(false), None), (json!("none"), Some(VersionId(0))),]
    );
    let text = with("shadows: [{flag: x, service: next, values: {a: v2, b: none}}]").replace(
        "services:\n",
        "services:\n  next: {default: v1, versions: {v1: {endpoints: [a:1]}, v2: {endpoints: [a:2]}}}\n",
    );
    let rule = forward(parsed(&text)).shadows.remove(0);
    assert_eq!(rule.service, ServiceId(0));
    assert_eq!(values(rule), [(json!("a"), Some(VersionId(1))), (json!("b"), None)]);
}

#[test]
fn shares_are_percentages() {
    for (text, share) in [("0%", 0.0), ("0.5%", 0.005), ("10%", 0.1), ("99.99%", 0.9999), ("100%", 1.0)] {
        assert_eq!(shadow(&format!("compare: {{sample: {text}}}")).compare.sample, Share(share), "{text}");
    }
    for wrong in ["100.1%", "-1%", "+1%", "%", ".5%", "5.%", "1e1%", "inf%", "NaN%", "10 %", "ten", "10"] {
        assert!(
            parse(&with(&format!("shadows: [{{flag: x, compare: {{sample: '{wrong}'}}}}]"))).is_err(),
            "{wrong}"
        );
    }
}

#[test]
fn what_makes_a_write_safe_is_one_of_two() {
    let keyed = shadow("writes: {keyed_by: Idempotency-Key}").writes;
    assert_eq!(keyed, Some(SafeWrites::KeyedBy("idempotency-key".parse().unwrap())));
    let dry = shadow("writes: {dry_run: {x-dry-run: \"1\"}}").writes;
    assert_eq!(dry, Some(SafeWrites::DryRun(vec![("x-dry-run".parse().unwrap(), "1".parse().unwrap())])));
    insta::assert_snapshot!("writes_of_no_kind", errors_of("writes: {}"));
    insta::assert_snapshot!("writes_of_both_kinds", errors_of("writes: {keyed_by: a, dry_run: {b: c}}"));
    insta::assert_snapshot!("writes_without_a_header", errors_of("writes: {dry_run: {}}"));
    insta::assert_snapshot!("writes_reserved", errors_of("writes: {keyed_by: x-flag-a}"));
    for edit in [
        "remove: [X-Dry]",
        "set: {x-dry: \"0\"}",
        "add: {x-dry: \"0\"}",
        "rename: {x-dry: x-a}",
        "rename: {x-a: x-dry}",
    ] {
        let text = errors_of(&format!("writes: {{dry_run: {{x-dry: \"1\"}}}}, request_headers: {{{edit}}}"));
        assert!(text.contains("the header `x-dry` is edited, but it is what makes a write safe"), "{text}");
    }
    insta::assert_snapshot!(
        "writes_undone",
        errors_of("writes: {keyed_by: a}, request_headers: {remove: [a]}")
    );
}

#[test]
fn fields_are_named_by_paths() {
    let rules = shadow(
        "compare: {ignore: [status, \"header:Date\", /a/*/b], arrays: {/items: id}, tolerance: {/price: 0.01, /n: 0}}",
    )
    .compare;
    let path = |text: &str| FieldPath::parse(text).expect("it is one");
    assert_eq!(rules.ignore, [path("status"), path("header:date"), path("/a/*/b")]);
    assert_eq!(rules.arrays, [(path("/items"), "id".into())]);
    assert_eq!(rules.tolerance, [(path("/price"), 0.01), (path("/n"), 0.0)]);
    insta::assert_snapshot!("path_without_slash", errors_of("compare: {ignore: [price]}"));
    insta::assert_snapshot!("path_of_dots", errors_of("compare: {redact: [\"$.items[*].price\"]}"));
    insta::assert_snapshot!("path_almost_a_word", errors_of("compare: {ignore: [Latency]}"));
    insta::assert_snapshot!("path_of_no_element", errors_of("compare: {arrays: {status: id}}"));
    insta::assert_snapshot!("path_of_no_number", errors_of("compare: {tolerance: {\"header:age\": 1}}"));
    insta::assert_snapshot!("tolerance_negative", errors_of("compare: {tolerance: {/price: -0.01}}"));
    insta::assert_snapshot!("tolerance_text", errors_of("compare: {tolerance: {/price: \"1%\"}}"));
    insta::assert_snapshot!("path_as_element_key", warnings_of("compare: {arrays: {/items: /id}}"));
}

#[test]
fn errors_of_shadows() {
    insta::assert_snapshot!("shadow_without_flag", errors("shadows: [{service: shop}]"));
    insta::assert_snapshot!("shadow_unknown_key", errors_of("timout: 1s"));
    insta::assert_snapshot!("shadow_unknown_version", errors_of("values: {a: canari, b: v42, c: nune}"));
    insta::assert_snapshot!("shadow_unknown_service", errors_of("service: shp, values: {a: v2}"));
    insta::assert_snapshot!("shadow_no_methods", errors_of("methods: []"));
    insta::assert_snapshot!("shadow_connect", errors_of("methods: [GET, CONNECT]"));
    insta::assert_snapshot!("shadow_share_without_sign", errors_of("compare: {sample: 10}"));
    insta::assert_snapshot!("shadow_share_too_large", errors_of("compare: {noise: 101%}"));
    insta::assert_snapshot!("shadow_bad_host", errors_of("host: \"http://next.internal\""));
    insta::assert_snapshot!("shadow_forged_mark", errors_of("request_headers: {set: {X-Flagway-Shadow: a}}"));
    insta::assert_snapshot!("shadow_host_as_header", errors_of("request_headers: {set: {host: a}}"));
    insta::assert_snapshot!(
        "shadow_twice",
        errors("shadows: [{flag: x}, {flag: y}, {flag: x, service: shop, methods: [GET]}]")
    );
    insta::assert_snapshot!(
        "limits_as_shadows",
        match parse(&format!("{GOOD}shadows: [{{flag: x}}]\n")) {
            Ok(config) => panic!("it parses: {config:#?}"),
            Err(problems) => render(&problems),
        }
    );
    let redirect = "listeners: [{bind: \"127.0.0.1:80\"}]\nroutes: [{name: a, redirect: {path: /b}, shadows: [{flag: x}]}]\n";
    let problems = parse(redirect).expect_err("it has no service");
    insta::assert_snapshot!("shadow_without_service", render(&problems));
}

#[test]
fn errors_of_renames() {
    insta::assert_snapshot!(
        "renamed_twice",
        errors("request_headers: {rename: {x-a: x-b, X-A: x-c, x-d: x-b, x-c: x-e}}")
    );
    insta::assert_snapshot!(
        "renamed_what_is_not_ours",
        errors(
            "response_headers: {rename: {x-flag-a: x-b, x-c: X_Flag_D, host: x-host, x-l: content-length}}"
        )
    );
}

#[test]
fn warnings_of_copies_that_never_are() {
    let narrowed = |keys: &str, methods: &str| {
        let text = with(&format!("shadows: [{{flag: x{keys}}}]"));
        render(&parsed(&text.replace("{path_prefix: /shop}", &format!("{{method: {methods}}}"))).warnings)
    };
    insta::assert_snapshot!("method_never_matched", narrowed(", methods: [GET, PUT]", "[GET, POST]"));
    insta::assert_snapshot!("nothing_copied", narrowed("", "[POST, PUT]"));
    assert_eq!(narrowed(", writes: {keyed_by: idempotency-key}", "POST"), "");
    assert_eq!(narrowed(", methods: [POST]", "POST"), "");
    assert_eq!(narrowed("", "[GET, POST]"), "");
    insta::assert_snapshot!("noise_of_nothing", warnings_of("compare: {sample: 0%, noise: 10%}"));
    let text = with("shadows: [{flag: x}]").replace("      canary:", "      none:");
    insta::assert_snapshot!("version_called_none", render(&parsed(&text).warnings));
}
