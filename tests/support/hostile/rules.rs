//! Rules that are well-formed and mean harm; each with the evaluators that it refers to.

use serde_json::{Map, Value as Json, json};

use super::Dice;

type Rule = fn(&mut Dice) -> (Json, Json);

pub const KINDS: [(&str, Rule); 15] = [
    ("operators within operators", deep),
    ("lists within lists", nested_lists),
    ("a list of thousands", wide),
    ("a text that doubles", doubling_text),
    ("a list that doubles", doubling_list),
    ("a list that wraps itself", wrapping),
    ("loops within loops", loops),
    ("references that double", reference_bomb),
    ("references in a circle", reference_cycle),
    ("computed paths", computed_paths),
    ("a search that is long", searches),
    ("buckets by the thousand", buckets),
    ("versions without end", versions),
    ("the whole context, again and again", wholes),
    ("any operator with anything", anything),
];

const PLAIN: Json = Json::Null;

fn op(name: &str, args: Json) -> Json {
    Json::Object(Map::from_iter([(name.to_owned(), args)]))
}

fn list(dice: &mut Dice, most: usize) -> Json {
    match dice.roll() % 4 {
        0 => json!({"var": "list"}),
        1 => json!({"var": "texts"}),
        _ => (0..dice.size(1, most)).map(Json::from).collect(),
    }
}

fn deep(dice: &mut Dice) -> (Json, Json) {
    let name = *dice.pick(&[
        "!",
        "!!",
        "+",
        "cat",
        "if",
        "var",
        "and",
        "merge",
        "missing",
        "fractional",
        "substr",
        "max",
    ]);
    let depth = dice.size(1, 140);
    ((0..depth).fold(json!({"var": "list"}), |inner, _| op(name, json!([inner]))), PLAIN)
}

fn nested_lists(dice: &mut Dice) -> (Json, Json) {
    let depth = dice.size(1, 130);
    let lists = (0..depth).fold(json!({"var": "text"}), |inner, _| json!([inner, inner.is_array()]));
    let name = *dice.pick(&["cat", "in", "merge", "==", "!", "max"]);
    (op(name, json!([lists])), PLAIN)
}

fn wide(dice: &mut Dice) -> (Json, Json) {
    let name = *dice.pick(&[
        "cat",
        "merge",
        "+",
        "max",
        "and",
        "or",
        "if",
        "missing",
        "in",
        "<",
        "==",
        "sem_ver",
        "fractional",
        "reduce",
    ]);
    let leaf = dice
        .pick(&[json!({"var": "text"}), json!(0), json!("aaaa"), json!({"var": "list"}), json!([1])])
        .clone();
    (op(name, Json::Array(vec![leaf; dice.size(1, 4_000)])), PLAIN)
}

fn doubling_text(dice: &mut Dice) -> (Json, Json) {
    let copies = vec![json!({"var": "accumulator"}); dice.size(2, 20)];
    (json!({"reduce": [list(dice, 400), {"cat": copies}, {"var": "text"}]}), PLAIN)
}

fn doubling_list(dice: &mut Dice) -> (Json, Json) {
    let accumulator = json!({"var": "accumulator"});
    let body = match dice.roll() % 3 {
        0 => json!({"merge": [accumulator, accumulator, accumulator]}),
        1 => json!({"merge": [accumulator, {"map": [accumulator, [accumulator, {"var": ""}]]}]}),
        _ => json!({"filter": [{"merge": [accumulator, accumulator]}, true]}),
    };
    (json!({"cat": [{"reduce": [list(dice, 400), body, [1, "aaaaaaaa"]]}]}), PLAIN)
}

fn wrapping(dice: &mut Dice) -> (Json, Json) {
    let accumulator = json!({"var": "accumulator"});
    // Two wide, it must end where it is larger than any rule may be, or making it takes the memory.
    let (width, deepest) = if dice.size(1, 3) == 1 { (1, 30) } else { (2, 15) };
    let body = (0..dice.size(1, deepest)).fold(accumulator, |inner, _| Json::Array(vec![inner; width]));
    let name = *dice.pick(&["cat", "!", "in", "merge", "=="]);
    (op(name, json!([{"reduce": [list(dice, 2_000), body, [1]]}, 1])), PLAIN)
}

fn loops(dice: &mut Dice) -> (Json, Json) {
    let body = dice
        .pick(&[
            json!({"var": ""}),
            json!({"cat": ["x", {"var": ""}]}),
            json!({"fractional": [{"var": ""}, ["on", 1]]}),
        ])
        .clone();
    let loops = (0..dice.size(2, 12)).fold(body, |body, _| {
        let name = *dice.pick(&["map", "filter", "all", "some", "none", "reduce"]);
        op(name, json!([list(dice, 300), body, 0]))
    });
    (loops, PLAIN)
}

fn reference_bomb(dice: &mut Dice) -> (Json, Json) {
    let (levels, width) = (dice.size(2, 40), dice.size(2, 10));
    let level = |at: usize| {
        let below = if at == 0 { json!("x") } else { json!({"$ref": format!("e{}", at - 1)}) };
        (format!("e{at}"), json!({"cat": vec![below; width]}))
    };
    let evaluators: Map<String, Json> = (0..levels).map(level).collect();
    (json!({"$ref": format!("e{}", levels - 1)}), Json::Object(evaluators))
}

fn reference_cycle(dice: &mut Dice) -> (Json, Json) {
    let length = dice.size(1, 300);
    let link = |at: usize| {
        (format!("e{at}"), json!({"if": [{"$ref": format!("e{}", (at + 1) % length)}, {"$ref": "e0"}]}))
    };
    (json!({"$ref": "e0"}), (0..length).map(link).collect::<Map<_, _>>().into())
}

fn computed_paths(dice: &mut Dice) -> (Json, Json) {
    let path = match dice.roll() % 4 {
        0 => json!({"cat": [{"var": "text"}, ".", {"var": "text"}]}),
        1 => json!({"cat": vec!["a."; dice.size(1, 3_000)]}),
        2 => json!({"cat": ["deep", {"cat": vec![".a"; 100]}]}),
        _ => json!({"var": ["nothing", {"var": "text"}]}),
    };
    let read = match dice.roll() % 3 {
        0 => json!({"var": path}),
        1 => json!({"missing": {"merge": [path, {"var": "list"}, {"var": "texts"}]}}),
        _ => {
            json!({"missing_some": [{"var": "number"}, {"map": [{"var": "list"}, {"cat": [".", {"var": ""}]}]}]})
        }
    };
    (json!({"reduce": [list(dice, 500), {"var": [path, read]}, read]}), PLAIN)
}

fn searches(dice: &mut Dice) -> (Json, Json) {
    let text = json!({"var": "text"});
    let search = match dice.roll() % 5 {
        0 => json!({"in": [{"var": "needle"}, text]}),
        1 => json!({"in": [text, {"var": "texts"}]}),
        2 => json!({"==": [text, text]}),
        3 => json!({"substr": [text, -30_000, 29_999]}),
        _ => json!({"<": [text, text, text, text]}),
    };
    (
        Json::Object(Map::from_iter([(
            "or".to_owned(),
            vec![json!({"!": [{"!!": [search]}]}); dice.size(1, 2_000)].into(),
        )])),
        PLAIN,
    )
}

fn buckets(dice: &mut Dice) -> (Json, Json) {
    let weight = dice
        .pick(&[
            json!(1),
            json!(u64::MAX),
            json!(1e308),
            json!(-1),
            json!({"var": "number"}),
            json!({"var": "list"}),
        ])
        .clone();
    let bucket = json!([dice.pick(&["on", "off", "none"]), weight]);
    let mut args = vec![bucket; dice.size(1, 1_500)];
    args.insert(
        0,
        dice.pick(&[
            json!({"var": "deep"}),
            json!({"var": "text"}),
            json!({"var": "list"}),
            json!({"var": ""}),
        ])
        .clone(),
    );
    (json!({"fractional": args}), PLAIN)
}

fn versions(dice: &mut Dice) -> (Json, Json) {
    let long = match dice.roll() % 3 {
        0 => json!(format!("1.2.3-{}", "a.".repeat(dice.size(1, 3_000)))),
        1 => json!("9".repeat(dice.size(1, 9_000))),
        _ => json!({"var": "version"}),
    };
    let compared = json!({"sem_ver": [long, dice.pick(&["=", "<", "^", "~", "?"]), long]});
    (json!({"and": vec![json!({"!": [compared]}); dice.size(1, 60)]}), PLAIN)
}

fn wholes(dice: &mut Dice) -> (Json, Json) {
    let whole = json!({"cat": [{"var": *dice.pick(&["", "$flagd", "deep", "list", "texts"])}]});
    (json!({"and": vec![json!({"!!": [whole]}); dice.size(1, 1_500)]}), PLAIN)
}

fn anything(dice: &mut Dice) -> (Json, Json) {
    (tree(dice, 6), json!({"a": {"$ref": "b"}, "b": tree(dice, 3)}))
}

fn tree(dice: &mut Dice, depth: usize) -> Json {
    const NAMES: [&str; 41] = [
        "var",
        "missing",
        "missing_some",
        "if",
        "?:",
        "==",
        "===",
        "!=",
        "!==",
        "!",
        "!!",
        "or",
        "and",
        ">",
        ">=",
        "<",
        "<=",
        "max",
        "min",
        "+",
        "-",
        "*",
        "/",
        "%",
        "map",
        "filter",
        "reduce",
        "all",
        "none",
        "some",
        "merge",
        "in",
        "cat",
        "substr",
        "fractional",
        "starts_with",
        "ends_with",
        "sem_ver",
        "$ref",
        "log",
        "",
    ];
    let leaves = [
        json!({"var": "text"}),
        json!({"var": "list"}),
        json!({"var": ""}),
        json!({"var": "accumulator"}),
        json!(u64::MAX),
        json!(i64::MIN),
        json!(1e308),
        json!(5e-324),
        json!(-0.0),
        json!("\0"),
        json!("1e400"),
        json!({"$ref": "a"}),
        json!(null),
        json!({}),
        json!([]),
    ];
    if depth == 0 || dice.roll().is_multiple_of(4) {
        return dice.pick(&leaves).clone();
    }
    let known = if dice.roll().is_multiple_of(20) { NAMES.len() } else { NAMES.len() - 3 };
    let name = *dice.pick(&NAMES[..known]);
    op(name, (0..dice.roll() % 5).map(|_| tree(dice, depth - 1)).collect())
}
