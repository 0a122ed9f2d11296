//! The exact text of every error.

use super::*;

/// The text of what is wrong once one line of the good file is replaced.
fn errors_with(line: &str, by: &str) -> String {
    assert_eq!(GOOD.matches(line).count(), 1, "`{line}` is once in the good file");
    errors(&GOOD.replace(line, by))
}

fn errors_after(more: &str) -> String {
    errors(&format!("{GOOD}{more}"))
}

fn errors(text: &str) -> String {
    match parse(text) {
        Ok(config) => panic!("it parses: {config:#?}"),
        Err(problems) => render(&problems),
    }
}

#[test]
fn errors_of_the_text() {
    insta::assert_snapshot!("no_yaml_indentation", errors_with("    service: shop", "   service: shop"));
    insta::assert_snapshot!("no_yaml_colon", errors_with("    service: shop", "    service: shop: yes"));
    insta::assert_snapshot!("no_yaml_tab", errors_with("    service: shop", "\tservice: shop"));
    insta::assert_snapshot!("no_yaml_open_list", errors_with("[10.0.0.2:9001]", "[10.0.0.2:9001"));
    insta::assert_snapshot!("no_yaml_open_quote", errors_with("    service: shop", "    service: \"shop"));
    insta::assert_snapshot!(
        "no_yaml_variable_in_braces",
        errors_with("[10.0.0.2:9001]", "[10.0.0.2:${PORT}]")
    );
    insta::assert_snapshot!("second_document", errors_after("---\nlisteners: []\n"));
    insta::assert_snapshot!("empty_file", errors(""));
    insta::assert_snapshot!("a_list_instead", errors("- bind: 127.0.0.1:8080\n"));
    insta::assert_snapshot!(
        "repeated_key",
        errors_with("    service: shop", "    service: shop\n    service: shop")
    );
}

#[test]
fn errors_of_keys() {
    insta::assert_snapshot!(
        "unknown_key",
        errors_with("    service: shop", "    service: shop\n    rewrit: {host: a}")
    );
    insta::assert_snapshot!("unknown_key_like_nothing", errors_after("colour: red\n"));
    insta::assert_snapshot!("missing_key", errors_with("  - name: shop\n    match", "  - match"));
    insta::assert_snapshot!("missing_section", errors("routes: [{name: a, respond: {}}]\n"));
    insta::assert_snapshot!("later_source", errors_after("flags: {sources: [{etcd: {prefix: /flags/}}]}\n"));
    insta::assert_snapshot!("two_actions", errors_after("    respond: {status: 404}\n"));
    insta::assert_snapshot!("no_action", errors_with("    service: shop\n", ""));
    insta::assert_snapshot!(
        "two_paths",
        errors_with("{path_prefix: /shop}", "{path_prefix: /shop, path: /shop}")
    );
}

#[test]
fn errors_of_values() {
    insta::assert_snapshot!("wrong_type", errors_with("    service: shop", "    service: [shop, other]"));
    insta::assert_snapshot!("wrong_type_number", errors_with("    service: shop", "    service: 42"));
    insta::assert_snapshot!("wrong_type_nothing", errors_after("state_dir:\n"));
    insta::assert_snapshot!("wrong_type_word_for_boolean", errors_after("flags: {allow_empty: yes}\n"));
    insta::assert_snapshot!("bad_bind_port_only", errors_with("127.0.0.1:8080", "8080"));
    insta::assert_snapshot!("bad_bind_name", errors_with("127.0.0.1:8080", "localhost:8080"));
    insta::assert_snapshot!("bad_endpoint", errors_with("[10.0.0.2:9001]", "[\"http://10.0.0.2:9001/\"]"));
    insta::assert_snapshot!("bad_duration", errors_after("shutdown: {grace: 20 parsecs}\n"));
    insta::assert_snapshot!("bad_duration_without_unit", errors_after("shutdown: {grace: 20}\n"));
    insta::assert_snapshot!("delay_beyond_grace", errors_after("shutdown: {grace: 5s, delay: 6s}\n"));
    insta::assert_snapshot!("bad_size", errors_after("injection: {max_bytes: 4 cups}\n"));
    insta::assert_snapshot!("bad_network", errors_after("context: {trusted_proxies: [10.0.0.0/33]}\n"));
    insta::assert_snapshot!("bad_regex", errors_with("{path_prefix: /shop}", "{path_regex: '/(a|b'}"));
    insta::assert_snapshot!(
        "huge_regex",
        errors_with("{path_prefix: /shop}", "{path_regex: '(\\w{100}){100}'}")
    );
    insta::assert_snapshot!("bad_method", errors_with("{path_prefix: /shop}", "{method: get}"));
    insta::assert_snapshot!("bad_status", errors_after("  - {name: a, respond: {status: 99}}\n"));
    insta::assert_snapshot!(
        "bad_header_name",
        errors_after("    request_headers: {remove: [\"x debug\"]}\n")
    );
    insta::assert_snapshot!(
        "bad_header_value",
        errors_after("    request_headers: {set: {x-a: \"a\\nb\"}}\n")
    );
    insta::assert_snapshot!(
        "bad_host",
        errors_with("{path_prefix: /shop}", "{host: \"shop.example.org:80\"}")
    );
    insta::assert_snapshot!("bad_path", errors_with("{path_prefix: /shop}", "{path_prefix: shop}"));
    insta::assert_snapshot!(
        "path_never_normal",
        errors_with("{path_prefix: /shop}", "{path: /shop/../cart}")
    );
    insta::assert_snapshot!("bad_choice", errors_after("flags: {fractional: v4}\n"));
    insta::assert_snapshot!("bad_prefix", errors_after("injection: {prefix: X_Flag}\n"));
    insta::assert_snapshot!("greedy_prefix", errors_after("injection: {prefix: x-}\n"));
    insta::assert_snapshot!(
        "weight_zero",
        errors_with("[10.0.0.2:9001]", "[{address: \"10.0.0.2:9001\", weight: 0}]")
    );
}

#[test]
fn errors_of_references() {
    insta::assert_snapshot!("unknown_service", errors_with("    service: shop", "    service: shp"));
    insta::assert_snapshot!("unknown_default", errors_with("default: stable", "default: stabel"));
    insta::assert_snapshot!(
        "unknown_version",
        errors_with("{flag: shop-version}", "{flag: shop-version, values: {true: canari, false: v42}}")
    );
    insta::assert_snapshot!("repeated_route", errors_after("  - {name: shop, respond: {}}\n"));
    insta::assert_snapshot!(
        "repeated_endpoint",
        errors_with("[10.0.0.2:9001]", "[10.0.0.2:9001, 10.0.0.2:9001]")
    );
    insta::assert_snapshot!("no_endpoint", errors_with("[10.0.0.2:9001]", "[]"));
    insta::assert_snapshot!("taken_address", errors_after("probes: {bind: 127.0.0.1:8080}\n"));
    insta::assert_snapshot!("open_admin", errors_after("admin: {bind: 0.0.0.0:9901}\n"));
    insta::assert_snapshot!("weak_token", errors_after("admin: {bind: 0.0.0.0:9901, token: letmein}\n"));
    insta::assert_snapshot!(
        "certificate_without_key",
        errors_with(
            "  - bind: 127.0.0.1:8080",
            "  - bind: 127.0.0.1:8080\n    tls: {certificates: [{cert: a.pem}]}"
        )
    );
    insta::assert_snapshot!(
        "no_certificate",
        errors_with("  - bind: 127.0.0.1:8080", "  - bind: 127.0.0.1:8080\n    tls: {certificates: []}")
    );
    insta::assert_snapshot!(
        "rewrite_without_prefix",
        errors_with("{path_prefix: /shop}", "{path: /shop}\n    rewrite: {prefix: /}")
    );
    insta::assert_snapshot!(
        "reserved_header",
        errors_after("    request_headers: {set: {X_Flag_Beta: \"on\"}}\n")
    );
    insta::assert_snapshot!(
        "framing_header",
        errors_after("    request_headers: {set: {Content-Length: \"0\"}}\n")
    );
    insta::assert_snapshot!(
        "host_cookie_with_domain",
        errors_after("context: {targeting_key: [{visitor_cookie: {domain: example.org}}]}\n")
    );
    insta::assert_snapshot!(
        "built_in_attribute",
        errors_after("context: {attributes: {header.x-a: {header: x-a}}}\n")
    );
}

#[test]
fn errors_of_the_environment() {
    insta::assert_snapshot!("variable_not_set", errors_with("127.0.0.1:8080", "${ADDRESS}:8080"));
    insta::assert_snapshot!("variable_of_the_wrong_kind", errors_with("127.0.0.1:8080", "${ADMIN_TOKEN}"));
    insta::assert_snapshot!("variable_never_closed", errors_with("127.0.0.1:8080", "${ADDRESS"));
}

#[test]
fn all_errors_at_once() {
    insta::assert_snapshot!(errors(include_str!("../fixtures/many_errors.yaml")));
}

#[test]
fn warnings_of_what_never_counts() {
    let config = parsed(
        &format!(
            "{GOOD}context: {{targeting_key: [{{header: {{name: x-user, trusted: true}}}}]}}\n\
         injection: {{accept_from: trusted_proxies}}\n"
        )
        .replace("{flag: shop-version}", "{flag: shop-version}\n    inject: [a, b, a]"),
    );
    insta::assert_snapshot!(render(&config.warnings));
}

#[test]
fn errors_of_cookies_that_browsers_refuse() {
    insta::assert_snapshot!(errors_after(
        "context: {targeting_key: [{visitor_cookie: {same_site: none, partitioned: true}}]}\n"
    ));
}
