//! Rules and contexts that are mostly sensible: what makes no sense at all agrees too easily.

use proptest::collection::vec;
use proptest::prelude::*;
use proptest::sample::select;
use serde_json::{Map, Value as Json, json};

/// An operation.
fn op(name: &str, args: impl Into<Json>) -> Json {
    Json::Object(Map::from_iter([(name.to_owned(), args.into())]))
}

/// Numbers that sit on an edge, and others.
pub fn number() -> impl Strategy<Value = Json> {
    prop_oneof![
        4 => (-5..12_i64).prop_map(Json::from),
        1 => any::<i32>().prop_map(Json::from),
        1 => select(vec![i64::MIN, i64::MAX, -(1 << 53), (1 << 53) + 1, -1 - (1 << 53)]).prop_map(Json::from),
        1 => select(vec![u64::MAX, u64::MAX - 1, 1 << 63, (1 << 63) + 1, 2_147_483_647, 2_147_483_648]).prop_map(Json::from),
        1 => any::<f64>().prop_filter_map("finite", |real| real.is_finite().then(|| json!(real))),
        2 => select(vec![
            0.0, -0.0, 0.5, -1.5, 1.0, 0.1, 2.0, 1e-7, 1e-6, 123_456.789e-9, 1e20, 1e21, 1.5e300, -1e300, 5e-324,
            9_007_199_254_740_993.0, 18_446_744_073_709_551_616.0, -9_223_372_036_854_775_808.0, 1e19, 65504.0, 6e-8,
            3.402_823_466_385_288_6e38, 1.1,
        ]).prop_map(|real| json!(real)),
    ]
}

fn text() -> impl Strategy<Value = Json> {
    let known = select(vec![
        "on",
        "off",
        "",
        "1",
        "0",
        "true",
        "false",
        "null",
        " 2 ",
        "1.0",
        "1e3",
        "-7",
        "+3",
        ".5",
        "5.",
        "0x10",
        "9007199254740993",
        "18446744073709551615",
        "99999999999999999999",
        "1e999",
        "NaN",
        "Infinity",
        "10",
        "9",
        "é",
        "e\u{301}",
        "\u{1f600}x",
        "\u{ffff}",
        "hello",
        "ell",
        "a,b",
        "user-1",
        "\"",
        "\\",
        "flag",
    ]);
    prop_oneof![6 => known.prop_map(Json::from), 1 => "[a-c1-3. ]{0,6}".prop_map(Json::from)]
}

fn version() -> impl Strategy<Value = Json> {
    let written = select(vec![
        "1",
        "1.2",
        "1.2.3",
        "v1.2.3",
        "V2",
        "vv1",
        "1.10.0",
        "1.9.0",
        "2.0.0-rc.1",
        "2.0.0-rc.2",
        "2.0.0-rc.10",
        "2.0.0-rc",
        "2.0.0-1",
        "2.0.0",
        "2.0.0+b.1",
        "2.0.0-rc.1+b",
        "1.2-rc",
        "1.2+b",
        "01.2.3",
        "1.2.3-01",
        "1.2.3.4",
        "1.x",
        "",
        " 1.2.3",
        "1.2.3-",
        "1.2.3+",
        "1..3",
        "v",
        "1.2.3-a..b",
        "1.2.3-é",
        "18446744073709551616.0.0",
    ]);
    prop_oneof![6 => written.prop_map(Json::from), 1 => number(), 1 => Just(json!({"var": "version"}))]
}

pub fn path() -> impl Strategy<Value = Json> {
    let written = select(vec![
        "a",
        "b",
        "list",
        "list.0",
        "list.1.x",
        "text",
        "object",
        "object.x",
        "object.x.y",
        "object.",
        "targetingKey",
        "$flagd",
        "$flagd.flagKey",
        "$flagd.timestamp",
        "$flagd.color",
        "",
        ".",
        "a.",
        "missing",
        "current",
        "x",
        "y",
        "accumulator",
        "current.x",
        "accumulator.0",
        "bucket",
        "list.length",
        "text.0",
        "version",
        "number",
        "0",
        "1.0",
    ]);
    prop_oneof![12 => written.prop_map(Json::from), 1 => number(), 1 => Just(Json::Null), 1 => Just(json!([]))]
}

/// A value without a rule in it.
pub fn constant() -> impl Strategy<Value = Json> {
    let leaf = prop_oneof![4 => number(), 4 => text(), 1 => any::<bool>().prop_map(Json::from), 1 => Just(Json::Null)];
    leaf.prop_recursive(3, 20, 4, |inner| {
        prop_oneof![
            vec(inner.clone(), 0..4).prop_map(Json::Array),
            prop::collection::btree_map(select(vec!["x", "y", "0", "", "aa", "é"]), inner, 0..4).prop_map(
                |members| {
                    Json::Object(members.into_iter().map(|(name, value)| (name.to_owned(), value)).collect())
                }
            ),
        ]
    })
}

/// What a caller knows, with something at most paths that rules look at.
pub fn context() -> impl Strategy<Value = Json> {
    let key = prop_oneof![
        6 => "[a-z]{1,4}-[0-9]{1,6}".prop_map(Json::from),
        1 => select(vec!["é", "\u{1f600}"]).prop_map(Json::from),
        1 => select(vec![Json::Null, json!("")]),
    ];
    let bucket =
        (select(vec!["on", "off"]), -1..50_i64).prop_map(|(variant, weight)| json!([variant, weight]));
    let names = (vec(constant(), 0..4), version(), number(), text(), constant(), constant(), bucket);
    (key, names).prop_map(|(key, (list, version, number, text, a, object, bucket))| {
        let version = if version.is_object() { json!("1.2.3") } else { version };
        json!({
            "targetingKey": key, "list": list, "version": version, "number": number, "text": text, "a": a, "b": true,
            "object": {"x": object, "y": 1}, "bucket": bucket, "$flagd": "mine",
        })
    })
}

/// An expression, of any operator there is.
pub fn expression() -> impl Strategy<Value = Json> {
    let leaf = prop_oneof![
        3 => number(),
        3 => text(),
        1 => any::<bool>().prop_map(Json::from),
        1 => Just(Json::Null),
        1 => constant().prop_filter("no operation", |json| json.as_object().is_none_or(|members| members.len() != 1)),
        5 => path().prop_map(|path| op("var", path)),
        2 => fractional(prop_oneof![text(), Just(Json::Null)].boxed(), number().boxed()),
        2 => (version(), select(vec!["=", "!=", "<", "<=", ">", ">=", "^", "~", "=="]), version())
            .prop_map(|(a, operator, b)| json!({"sem_ver": [a, operator, b]})),
    ];
    leaf.prop_recursive(5, 48, 6, operation)
}

fn operation(inner: BoxedStrategy<Json>) -> impl Strategy<Value = Json> {
    let numeric = select(vec!["+", "-", "*", "/", "%", "max", "min"]);
    let compared = select(vec!["==", "===", "!=", "!==", ">", ">=", "<", "<="]);
    let each = select(vec!["map", "filter", "all", "none", "some"]);
    let affixes = select(vec!["starts_with", "ends_with", "in"]);
    let listed =
        prop_oneof![vec(inner.clone(), 0..4).prop_map(Json::Array), Just(op("var", "list")), inner.clone()];
    let named = |name: &'static str| move |args: Vec<Json>| op(name, args);
    prop_oneof![
        3 => (numeric, vec(inner.clone(), 0..4)).prop_map(|(name, args)| op(name, args)),
        3 => (compared, vec(inner.clone(), 2..4)).prop_map(|(name, args)| op(name, args)),
        3 => vec(inner.clone(), 0..6).prop_map(named("if")),
        1 => vec(inner.clone(), 2..4).prop_map(named("?:")),
        1 => vec(inner.clone(), 0..4).prop_map(named("and")),
        1 => vec(inner.clone(), 0..4).prop_map(named("or")),
        2 => (select(vec!["!", "!!"]), inner.clone()).prop_map(|(name, arg)| op(name, json!([arg]))),
        2 => (select(vec!["cat", "merge"]), vec(inner.clone(), 0..5)).prop_map(|(name, args)| op(name, args)),
        2 => (inner.clone(), inner.clone(), prop::option::of(inner.clone())).prop_map(|(source, start, length)| {
            op("substr", [source, start].into_iter().chain(length).collect::<Vec<_>>())
        }),
        1 => (text(), -4..8_i64, -4..8_i64).prop_map(|(source, start, length)| json!({"substr": [source, start, length]})),
        2 => (affixes, inner.clone(), inner.clone()).prop_map(|(name, a, b)| op(name, json!([a, b]))),
        1 => (inner.clone(), vec(text(), 7..12)).prop_map(|(needle, texts)| json!({"in": [needle, texts]})),
        1 => (path(), inner.clone()).prop_map(|(path, default)| json!({"var": [path, default]})),
        1 => inner.clone().prop_map(|path| op("var", json!([path]))),
        2 => (each, listed.clone(), inner.clone()).prop_map(|(name, list, body)| op(name, json!([list, body]))),
        2 => (listed, inner.clone(), inner.clone()).prop_map(|(list, body, first)| json!({"reduce": [list, body, first]})),
        1 => vec(prop_oneof![path(), inner.clone()], 0..4).prop_map(named("missing")),
        1 => (inner.clone(), vec(path(), 0..4)).prop_map(|(need, names)| json!({"missing_some": [need, names]})),
        3 => fractional(inner.clone(), prop_oneof![2 => number(), 1 => inner.clone()].boxed()),
        // Any operator with any arguments, listed or not.
        2 => (select(crate::naive::OPERATORS.to_vec()), vec(inner.clone(), 0..4)).prop_map(|(name, args)| op(name, args)),
        2 => (select(crate::naive::OPERATORS.to_vec()), inner.clone()).prop_map(|(name, arg)| op(name, arg)),
        1 => vec(inner, 0..4).prop_map(Json::Array),
    ]
}

/// With a unit or without, over buckets that are mostly ones.
fn fractional(inner: BoxedStrategy<Json>, weight: BoxedStrategy<Json>) -> impl Strategy<Value = Json> {
    let name = || select(vec!["on", "off", "1"]).prop_map(Json::from);
    let small = (-1..100_i64).prop_map(Json::from);
    let bucket = prop_oneof![
        8 => (name(), small).prop_map(|(name, weight)| json!([name, weight])),
        2 => name().prop_map(|name| json!([name])),
        1 => (inner.clone(), weight).prop_map(|(variant, weight)| json!([variant, weight])),
        1 => vec(inner.clone(), 0..4).prop_map(Json::Array),
        1 => Just(op("var", "bucket")),
    ];
    let unit = prop_oneof![
        2 => Just(None),
        2 => text().prop_map(Some),
        1 => constant().prop_filter("no list, no operation", |json| !json.is_array() && json.as_object().is_none_or(|m| m.len() != 1)).prop_map(Some),
        2 => path().prop_map(|path| Some(op("var", path))),
        1 => inner.prop_map(Some),
    ];
    (unit, vec(bucket, 1..4))
        .prop_map(|(unit, buckets)| op("fractional", unit.into_iter().chain(buckets).collect::<Vec<_>>()))
}
