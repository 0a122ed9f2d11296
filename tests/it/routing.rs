//! Which route takes a request, in which form its path is matched and forwarded, and what a route does besides forwarding.

use serde_json::json;

use crate::support::{Fields, Gateway, Response, Shop};

/// Routes that answer with their own names, from lines `name: match`.
fn naming(matches: &[(&str, &str)]) -> String {
    let route = |(name, wanted): &(&str, &str)| {
        format!("  - {{name: {name}, match: {{{wanted}}}, respond: {{body: {name}}}}}\n")
    };
    format!("routes:\n{}", matches.iter().map(route).collect::<String>())
}

fn gateway(matches: &[(&str, &str)]) -> Gateway {
    Gateway::start(&naming(matches), json!({}))
}

#[track_caller]
fn took(response: &Response, route: &str) {
    match route {
        "" => assert_eq!(response.status, 404, "{response:?}"),
        _ => assert_eq!((response.status, response.text()), (200, route.to_owned())),
    }
}

#[test]
fn hosts_match_exactly_or_by_suffix() {
    let gateway = gateway(&[
        ("exact", "host: shop.test"),
        ("suffix", "host: '*.shop.test'"),
        ("two", "host: [a.test, '*.b.test']"),
    ]);
    let table = [
        ("shop.test", "exact"),
        ("SHOP.Test:8080", "exact"),
        ("www.shop.test", "suffix"),
        ("a.b.shop.test", "suffix"),
        ("workshop.test", ""),
        ("shop.test.evil.test", ""),
        ("a.test", "two"),
        ("x.b.test", "two"),
        ("b.test", ""),
    ];
    for (host, route) in table {
        took(&gateway.client().get("/").host(host).send(), route);
    }
}

#[test]
fn paths_match_exactly_by_segments_or_by_pattern() {
    let gateway = gateway(&[
        ("exact", "path: /exact"),
        ("prefix", "path_prefix: /shop/cart"),
        ("slash", "path_prefix: /docs/"),
        ("regex", "path_regex: '/item/[0-9]+'"),
    ]);
    let table = [
        ("/exact", "exact"),
        ("/exact?a=b", "exact"),
        ("/exact/", ""),
        ("/exact/more", ""),
        ("/shop/cart", "prefix"),
        ("/shop/cart/", "prefix"),
        ("/shop/cart/7?x", "prefix"),
        ("/shop/cartography", ""),
        ("/shop", ""),
        ("/docs", "slash"),
        ("/docs/a", "slash"),
        ("/item/42", "regex"),
        ("/item/42/more", ""),
        ("/an/item/42", ""),
        ("/Exact", ""),
    ];
    for (path, route) in table {
        took(&gateway.get(path), route);
    }
}

#[test]
fn methods_headers_cookies_and_query_all_have_to_match() {
    let gateway = gateway(&[
        ("method", "path: /m, method: [PUT, DELETE]"),
        ("header", "path: /h, headers: {x-beta: 'yes', x-any: {present: true}}"),
        ("pattern", "path: /p, headers: {user-agent: {regex: 'curl/.*'}}"),
        ("cookie", "path: /c, cookies: {tier: gold}"),
        ("query", "path: /q, query: {page: {regex: '[0-9]+'}, q: a b}"),
    ]);
    took(&gateway.client().request("PUT", "/m").send(), "method");
    took(&gateway.get("/m"), "");
    took(&gateway.get_with("/h", &[("X-Beta", "yes"), ("x-any", "")]), "header");
    took(&gateway.get_with("/h", &[("x-beta", "yes")]), "");
    took(&gateway.get_with("/h", &[("x-beta", "Yes"), ("x-any", "1")]), "");
    took(&gateway.get_with("/p", &[("user-agent", "curl/8")]), "pattern");
    took(&gateway.get_with("/p", &[("user-agent", "not curl/8")]), "");
    took(&gateway.get_with("/c", &[("cookie", "a=b; tier=gold")]), "cookie");
    took(&gateway.get_with("/c", &[("cookie", "tier=tin; tier=gold")]), "");
    took(&gateway.get("/q?q=a+b&page=7"), "query");
    took(&gateway.get("/q?q=a%20b&page=7"), "query");
    took(&gateway.get("/q?q=a%20b&page=7b"), "");
}

#[test]
fn the_more_specific_route_wins_whatever_the_order_in_the_file() {
    let lines = [
        ("anything", ""),
        ("short", "path_prefix: /a"),
        ("long", "path_prefix: /a/b"),
        ("exact", "path: /a/b"),
        ("get", "path: /a/b, method: GET"),
        ("one", "path: /a/b, headers: {x-one: '1'}"),
        ("both", "path: /a/b, headers: {x-one: '1', x-two: '2'}"),
        ("asked", "path: /a/b, query: {q: '1'}"),
        ("suffix", "host: '*.test'"),
        ("longer", "host: '*.shop.test'"),
        ("host", "host: www.shop.test"),
    ];
    let requests: [(&str, &str, &str, Fields<'_>, &str); 11] = [
        ("POST", "none.org", "/x", &[], "anything"),
        ("POST", "none.org", "/a/x", &[], "short"),
        ("POST", "none.org", "/a/b/x", &[], "long"),
        ("POST", "none.org", "/a/b", &[], "exact"),
        ("GET", "none.org", "/a/b", &[("x-one", "1")], "get"),
        ("POST", "none.org", "/a/b?q=1", &[("x-one", "1")], "one"),
        ("POST", "none.org", "/a/b", &[("x-one", "1"), ("x-two", "2")], "both"),
        ("POST", "none.org", "/a/b?q=1", &[], "asked"),
        ("GET", "a.test", "/a/b", &[], "suffix"),
        ("GET", "a.shop.test", "/a/b", &[], "longer"),
        ("GET", "www.shop.test", "/a/b", &[], "host"),
    ];
    let mut reversed = lines;
    reversed.reverse();
    for order in [lines, reversed] {
        let gateway = gateway(&order);
        for (method, host, path, fields, route) in requests {
            let mut client = gateway.client();
            let request = client.request(method, path).host(host);
            let request = fields.iter().fold(request, |request, (name, value)| request.header(name, value));
            took(&request.send(), route);
        }
    }
}

#[test]
fn of_equal_routes_the_first_in_the_file_wins() {
    let gateway =
        gateway(&[("first", "path: /, headers: {x-a: '1'}"), ("second", "path: /, headers: {x-b: '1'}")]);
    took(&gateway.get_with("/", &[("x-b", "1"), ("x-a", "1")]), "first");
    took(&gateway.get_with("/", &[("x-b", "1")]), "second");
}

#[test]
fn without_a_route_the_gateway_answers_404_itself() {
    let gateway = gateway(&[("a", "path: /a")]);
    let response = gateway.get("/b");
    assert_eq!(response.status, 404);
    assert_eq!(response.header("content-type").map(|kind| kind.starts_with("text/plain")), Some(true));
    assert_eq!(response.text().trim().lines().count(), 1, "{}", response.text());
    let line = gateway.access("the 404", |line| line["status"] == 404);
    assert!(line["route"].is_null(), "{line}");
}

#[test]
fn paths_are_matched_and_forwarded_in_one_normal_form() {
    let shop = Shop::start();
    let routes = "routes:
  - {name: admin, match: {path_prefix: /admin}, respond: {status: 403}}
  - {name: all, match: {path_prefix: /}, service: shop}\n";
    let gateway = shop.gateway(routes, json!({}));
    let table = [
        ("/a//b", "/a/b"),
        ("/a/./b", "/a/b"),
        ("/a/../b", "/b"),
        ("/a/%2e%2E/b", "/b"),
        ("/a/b/..", "/a/"),
        ("/%61%7Eb", "/a~b"),
        ("/a%2Fb%5Cc", "/a%2Fb%5Cc"),
        ("/a%20b%C3%BC", "/a%20b%C3%BC"),
        ("/a//b?x=//../%41", "/a/b?x=//../%41"),
        ("/a?", "/a?"),
        ("/", "/"),
    ];
    for (sent, forwarded) in table {
        assert_eq!(gateway.get(sent).status, 200, "{sent}");
        assert_eq!(shop.stable.last().target(), forwarded, "{sent}");
    }
    for hidden in ["/%61dmin", "//admin", "/./admin/x", "/x/../admin", "/x/%2E%2e/%61dmin"] {
        assert_eq!(gateway.get(hidden).status, 403, "{hidden}");
    }
}

#[test]
fn a_path_that_climbs_out_or_is_malformed_is_400() {
    let shop = Shop::start();
    let gateway = shop.gateway("routes: [{name: all, match: {path_prefix: /}, service: shop}]\n", json!({}));
    for path in ["/..", "/../a", "/a/../../b", "/%2e%2e/a", "/a\\b", "/a/..\\b", "/a%zz", "/a%2"] {
        let response = gateway.get(path);
        assert_eq!(response.status, 400, "{path}");
        assert!(response.text().trim().lines().count() <= 1, "{}", response.text());
    }
    assert_eq!(shop.stable.count(), 0);
}

#[test]
fn paths_can_be_left_as_received_for_matching_and_forwarding() {
    let shop = Shop::start();
    let routes = "paths: as_received
routes:
  - {name: admin, match: {path_prefix: /admin}, respond: {status: 403}}
  - {name: all, match: {path_prefix: /}, service: shop}\n";
    let gateway = shop.gateway(routes, json!({}));
    for path in ["/a//b", "/a/./b", "/x/../admin", "/%61dmin", "//admin"] {
        assert_eq!(gateway.get(path).status, 200, "{path}");
        assert_eq!(shop.stable.last().target(), path);
    }
    assert_eq!(gateway.get("/admin/x").status, 403);
}

#[test]
fn redirects_are_made_of_the_parts_given() {
    let gateway = Gateway::start(
        "routes:
  - {name: safe, match: {path_prefix: /safe}, redirect: {scheme: https, status: 301}}
  - {name: moved, match: {path_prefix: /old}, redirect: {prefix: /new, status: 308}}
  - {name: away, match: {path: /away}, redirect: {scheme: https, host: new.test, port: 8443, path: /here}}\n",
        json!({}),
    );
    let table = [
        ("/safe/a?b=c", 301, "https://shop.test/safe/a?b=c"),
        ("/old/a?b=c", 308, "http://shop.test/new/a?b=c"),
        ("/old", 308, "http://shop.test/new"),
        ("/away?b=c", 302, "https://new.test:8443/here?b=c"),
    ];
    for (path, status, location) in table {
        let response = gateway.get(path);
        assert_eq!(
            (response.status, response.header("location").as_deref()),
            (status, Some(location)),
            "{path}"
        );
    }
}

#[test]
fn a_fixed_response_needs_no_upstream() {
    let gateway = Gateway::start(
        "routes:
  - name: closed
    respond: {status: 503, body: back soon, headers: {retry-after: '60', content-type: text/plain}}\n",
        json!({}),
    );
    let mut client = gateway.client();
    let response = client.get("/any").send();
    assert_eq!((response.status, response.text()), (503, "back soon".to_owned()));
    assert_eq!(response.header("retry-after").as_deref(), Some("60"));
    assert_eq!(response.header("content-type").as_deref(), Some("text/plain"));
    let posted = client.post("/any", "a body that nobody reads").send();
    assert_eq!(posted.status, 503);
    let head = client.request("HEAD", "/any").send();
    assert_eq!((head.status, head.text()), (503, String::new()));
}

#[test]
fn prefix_and_host_are_rewritten_on_the_way() {
    let shop = Shop::start();
    let gateway = shop.gateway(
        "routes:
  - {name: api, match: {path_prefix: /api}, service: shop, rewrite: {prefix: /v2, host: inner.test}}
  - {name: cut, match: {path_prefix: /cut/}, service: shop, rewrite: {prefix: /}}\n",
        json!({}),
    );
    for (sent, forwarded) in
        [("/api/x/y?q", "/v2/x/y?q"), ("/api", "/v2"), ("/api/", "/v2/"), ("/cut/a", "/a"), ("/cut", "/")]
    {
        assert_eq!(gateway.get(sent).status, 200, "{sent}");
        assert_eq!(shop.stable.last().target(), forwarded, "{sent}");
    }
    gateway.get("/api/x");
    let seen = shop.stable.last();
    assert_eq!(seen.header("host").as_deref(), Some("inner.test"));
    assert_eq!(seen.header("x-forwarded-host").as_deref(), Some("shop.test"));
}

#[test]
fn headers_are_removed_set_and_added_both_ways() {
    let shop = Shop::start();
    shop.stable.answer(|_| {
        crate::support::Answer::new(200, "")
            .header("server", "secret/1")
            .header("x-set", "theirs")
            .header("x-add", "theirs")
    });
    let edits = |side: &str| {
        format!("{side}_headers: {{remove: [x-gone, server], set: {{x-set: ours}}, add: {{x-add: ours}}}}")
    };
    let route = format!(
        "routes:\n  - {{name: all, match: {{path_prefix: /}}, service: shop, {}, {}}}\n",
        edits("request"),
        edits("response")
    );
    let gateway = shop.gateway(&route, json!({}));
    let sent = [
        ("X-Gone", "1"),
        ("x-gone", "2"),
        ("x-set", "a"),
        ("X-Set", "b"),
        ("x-add", "theirs"),
        ("x-kept", "1"),
    ];
    let response = gateway.get_with("/", &sent);
    let seen = shop.stable.only();
    assert_eq!(seen.all("x-gone"), [""; 0]);
    assert_eq!(seen.all("x-set"), ["ours"]);
    assert_eq!(seen.all("x-add"), ["theirs", "ours"]);
    assert_eq!(seen.all("x-kept"), ["1"]);
    assert_eq!(response.all("server"), [""; 0]);
    assert_eq!(response.all("x-set"), ["ours"]);
    assert_eq!(response.all("x-add"), ["theirs", "ours"]);
}
