//! The documents say what is so: their commands run, and the metrics they list are those that there are.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use flagway::compare::{Dropped, Failed, Kind, Uncompared};
use serde_json::{Value, json};

use crate::support::{
    Answer, Authority, Client, DEAD, Recorded, Setup, Upstream, command, eventually, flagway, words,
};

fn document(name: &str) -> String {
    std::fs::read_to_string(root().join(name)).unwrap_or_else(|error| panic!("{name}: {error}"))
}

fn root() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR"))
}

/// A command of a document, and what the document says that it prints, if it does.
struct Shown {
    arguments: Vec<String>,
    prints: Option<String>,
}

/// Every line of a code block that calls `flagway`, without comments and redirections.
fn shown(text: &str) -> Vec<Shown> {
    let mut all = Vec::new();
    for block in text.split("```").skip(1).step_by(2) {
        let (kind, body) = block.split_once('\n').expect("a block has a first line");
        let lines = body.lines().filter_map(|line| match kind {
            "console" => line.strip_prefix("$ "),
            _ => Some(line),
        });
        for line in lines.filter_map(|line| line.strip_prefix("flagway ")) {
            let command = line.split(" #").next().unwrap_or(line).split(" > ").next().unwrap_or(line);
            let prints =
                (kind == "console").then(|| body.split_once('\n').map_or("", |(_, rest)| rest).to_owned());
            all.push(Shown { arguments: words(command.trim()), prints });
        }
    }
    all
}

/// A folder with the examples where the document has them, and the first of them as `./flagway.yaml`.
fn folder() -> tempfile::TempDir {
    let home = tempfile::tempdir().unwrap();
    copy(&root().join("conf"), &home.path().join("conf"));
    for name in ["flagway.yaml", "flags.json"] {
        std::fs::copy(root().join("conf").join(name), home.path().join(name)).unwrap();
    }
    std::fs::create_dir(home.path().join("state")).unwrap();
    std::fs::write(home.path().join("state/audit.jsonl"), audit()).unwrap();
    home
}

/// What the reference shows of an audit.
fn audit() -> String {
    let entry = |kind: &str, field: &str, value: Value| {
        let mut entry = json!({"flag": "checkout-version", "kind": kind, "by": "ann", "until": null});
        entry[field] = value;
        entry
    };
    let [one, five] = ["1%", "5%"].map(|share| entry("weight", "shares", json!({"canary": share})));
    let mut kill = entry("kill", "variant", json!("stable"));
    kill["until"] = json!("2026-12-03T12:02:58Z");
    let stale = "the flag was changed meanwhile: its ETag is \"8c1d\"; look at it and ask again";
    let records = [
        ("09:30:00.120", "bob", "weight", json!([one]), json!([five]), json!({"why": "looks good"})),
        ("10:02:58.004", "ann", "kill", json!([five]), json!([five, kill]), json!({"why": "5xx above 2 %"})),
        ("10:03:17.530", "bob", "weight", json!([five, kill]), Value::Null, json!({"problem": stale})),
        (
            "10:20:41.911",
            "ann",
            "release",
            json!([five, kill]),
            json!([five]),
            json!({"why": "fixed in 4.2.1"}),
        ),
    ];
    let lines = records.iter().zip(1..).map(|((time, by, action, before, after, more), seq)| {
        let refused = after.is_null();
        let mut record = json!({
            "seq": seq, "time": format!("2026-12-03T{time}Z"), "action": action, "flag": "checkout-version",
            "by": by, "role": "operator", "from": "10.0.0.7", "before": before, "after": after,
            "accepted": !refused, "status": if refused { 412 } else { 200 }});
        record.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        record.to_string() + "\n"
    });
    lines.collect()
}

fn copy(from: &Path, to: &Path) {
    std::fs::create_dir_all(to).unwrap();
    for entry in std::fs::read_dir(from).unwrap().map(Result::unwrap) {
        let to = to.join(entry.file_name());
        if entry.path().is_dir() {
            copy(&entry.path(), &to);
        } else {
            std::fs::copy(entry.path(), to).unwrap();
        }
    }
}

#[test]
fn every_command_of_the_reference_runs() {
    let home = folder();
    let all = shown(&document("docs/cli.md"));
    let commands: BTreeSet<&str> = all.iter().map(|shown| shown.arguments[0].as_str()).collect();
    let expected = [
        "audit",
        "check",
        "completions",
        "demo",
        "eval",
        "explain",
        "flags",
        "health",
        "run",
        "schema",
        "shadow",
        "status",
        "token",
        "upgrade",
    ];
    assert_eq!(commands.into_iter().collect::<Vec<_>>(), expected);
    for Shown { mut arguments, prints } in all {
        // What serves, or asks one who does, is tried elsewhere; here its options are read.
        let asks = arguments[0] == "audit" && !arguments.iter().any(|argument| argument == "--state-dir");
        let alone = !asks
            && !["run", "demo", "flags", "health", "shadow", "status", "upgrade"].contains(&&*arguments[0])
            && !arguments.iter().any(|argument| argument == "--gateway" || argument.starts_with("/etc/"));
        if !alone {
            arguments.push("--help".to_owned());
        }
        let arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
        let ran = flagway(home.path(), &arguments);
        assert_eq!(ran.code, Some(0), "{arguments:?}: {}", ran.output());
        if let Some(prints) = prints {
            assert_eq!(ran.stdout, prints, "{arguments:?}");
        }
    }
}

/// The guide's chapter about dark launches: from nothing to a verdict.
struct Chapter(String);

impl Chapter {
    fn read() -> Chapter {
        let guide = document("docs/guide.md");
        let (_, rest) = guide.split_once("\n## Dark launch").expect("the chapter");
        Chapter(rest.split("\n## ").next().unwrap_or(rest).to_owned())
    }

    /// Its blocks of that kind.
    fn blocks(&self, kind: &str) -> Vec<&str> {
        let blocks = self.0.split("```").skip(1).step_by(2);
        blocks.filter_map(|block| block.strip_prefix(kind)?.strip_prefix('\n')).collect()
    }

    /// The first file of each kind is complete, further ones are parts of it.
    fn config(&self) -> &str {
        self.blocks("yaml")[0]
    }

    fn flags(&self) -> &str {
        self.blocks("json")[0]
    }

    /// The configuration with a part in the place that its indentation says: of the shadow, or of the route.
    fn with(&self, part: &str) -> String {
        let indent = part.len() - part.trim_start().len();
        let key = &part[..part.find(':').expect("a key") + 1];
        let mut lines: Vec<&str> = self.config().lines().filter(|line| !line.starts_with(key)).collect();
        let at = match indent {
            8 => lines.len(),
            4 => lines.iter().position(|line| line.starts_with("    shadows:")).expect("the route's shadows"),
            _ => panic!("whose is this?\n{part}"),
        };
        lines.insert(at, part.trim_end());
        lines.join("\n") + "\n"
    }

    /// What it says that a command prints.
    fn prints(&self, command: &str) -> &str {
        let start = format!("$ {command}\n");
        self.blocks("console").iter().find_map(|block| block.strip_prefix(&start)).expect("the command")
    }

    /// The first words, in backticks, of the rows of all its tables.
    fn tokens(&self) -> BTreeSet<&str> {
        let rows = self.0.lines().filter_map(|line| line.strip_prefix("| ")?.split(" | ").next());
        rows.flat_map(|cell| cell.split('`').skip(1).step_by(2)).collect()
    }
}

#[test]
fn every_file_of_the_dark_launch_is_good() {
    let chapter = Chapter::read();
    let home = tempfile::tempdir().unwrap();
    let check = |config: &str, flags: &str| {
        std::fs::write(home.path().join("flagway.yaml"), config).unwrap();
        std::fs::write(home.path().join("flags.json"), flags).unwrap();
        let ran =
            command(home.path()).args(["check", "--strict"]).env("V2_TOKEN", "s3cret").output().unwrap();
        let printed = String::from_utf8_lossy(&ran.stdout).into_owned();
        assert!(ran.status.success(), "{config}\n{printed}{}", String::from_utf8_lossy(&ran.stderr));
        printed
    };
    assert_eq!(check(chapter.config(), chapter.flags()), chapter.prints("flagway check"));
    for flags in &chapter.blocks("json")[1..] {
        check(chapter.config(), flags);
    }
    let mut flags: Value = serde_json::from_str(chapter.flags()).unwrap();
    flags["flags"]["cart-version"] = flags["flags"]["cart-shadow"].clone();
    flags["flags"]["cart-version"]["variants"]["none"] = json!("stable");
    let parts = &chapter.blocks("yaml")[1..];
    assert!(parts.len() >= 5, "{} parts", parts.len());
    for part in parts {
        check(&chapter.with(part), &flags.to_string());
    }
}

/// Every tenth cart of the new version has another total. Both versions stamp their answers, no two alike.
fn cart(version: &'static str) -> Upstream {
    let upstream = Upstream::start(version);
    let is_new = version == "v2";
    let stamp = AtomicUsize::new(usize::from(is_new));
    upstream.answer(move |request: &Recorded| {
        let number: usize = request.target().rsplit('/').next().unwrap().parse().unwrap();
        let total = 10.5 + if is_new && number.is_multiple_of(10) { 0.01 } else { 0.0 };
        let body = json!({
            "generated_at": format!("12:00:00.{:04}", stamp.fetch_add(2, Ordering::Relaxed)),
            "items": [{"id": number, "note": "for Sue"}], "total": total,
        });
        let answer = Answer::new(200, body.to_string()).header("content-type", "application/json");
        if is_new { answer.after(Duration::from_millis(30)) } else { answer }
    });
    upstream
}

/// Figures are what they are in every run, and lines break where they have to.
fn without_figures(text: &str) -> Vec<String> {
    let figure = |c: char| c.is_ascii_digit();
    text.split_whitespace()
        .map(|word| match word.find(figure) {
            Some(_) => word.chars().filter(|c| !figure(*c) && !matches!(c, '.' | ',')).collect(),
            None => word.to_owned(),
        })
        .collect()
}

#[test]
fn the_dark_launch_leads_to_the_verdict_that_the_guide_shows() {
    let chapter = Chapter::read();
    let (stable, v2) = (cart("stable"), cart("v2"));
    // Whether a busy machine is slow is none of the guide's business.
    let mut config = chapter.config().replace("{noise: 100%}", "{noise: 100%, ignore: [latency]}");
    config.push_str("access_log: {to: 'off'}\n");
    for bind in ["0.0.0.0:8080", "0.0.0.0:9902", "127.0.0.1:9901"] {
        config = config.replace(bind, "'127.0.0.1:0'");
    }
    for (written, upstream) in [("10.0.0.1:9001", &stable), ("10.0.0.2:9001", &v2)] {
        config = config.replace(written, &upstream.address.to_string());
    }
    let widened = chapter.flags().replace("[\"v2\", 1], [\"none\", 99]", "[\"v2\", 100], [\"none\", 0]");
    assert_ne!(widened, chapter.flags());
    let gateway = Setup::new(&config).file("flags.json", &widened).start();
    let admin = format!("http://{}", gateway.admin());
    let run = |words: &[&str]| {
        let home = tempfile::tempdir().unwrap();
        flagway(home.path(), &[words, &["--gateway", &admin]].concat()).succeeded().stdout
    };
    let asked = |number: usize| {
        let mut client = Client::new(gateway.traffic());
        client.get(&format!("/cart/{number}")).header("cookie", format!("uid=user-{number}")).send()
    };
    for number in 0..CARTS {
        let answer = asked(number);
        assert_eq!((answer.status, answer.header("x-flagway-shadow")), (200, None));
        // As many are under way as the gateway takes; none is to be dropped here.
        eventually("its copy was sent", || v2.count() > number);
    }
    let compared = || gateway.api("/api/v1/shadows/cart").json()["shadows"][0]["compared"] == CARTS;
    eventually("all are compared", compared);

    let report = run(&["shadow", "report", "cart"]);
    assert_eq!(
        without_figures(&report),
        without_figures(chapter.prints("flagway shadow report cart")),
        "{report}"
    );
    let examples = run(&["shadow", "examples", "cart"]);
    let keys = |line: &str| -> Vec<String> {
        serde_json::from_str::<serde_json::Map<String, Value>>(line)
            .unwrap()
            .into_iter()
            .map(|(key, _)| key)
            .collect()
    };
    let shown = chapter.prints("flagway shadow examples cart");
    assert_eq!(keys(examples.lines().next().unwrap()), keys(shown.lines().next().unwrap()));
    assert_eq!(run(&["shadow", "reset", "cart"]), chapter.prints("flagway shadow reset cart"));
    assert_eq!(gateway.api("/api/v1/shadows/cart").json()["shadows"][0]["compared"], 0);

    // Off within a second. Copies keep their order: whoever was copied meanwhile would come before the last one.
    let publish = |flags: &str| {
        let before = gateway.revision();
        gateway.replace("flags.json", flags);
        eventually("other flags are live", || gateway.revision() != before);
    };
    publish(chapter.blocks("json").last().unwrap());
    (0..10).for_each(|number| assert_eq!(asked(number).status, 200));
    publish(&widened);
    assert_eq!(asked(CARTS).status, 200);
    assert_eq!(v2.wait_for(CARTS + 1).last().unwrap().target(), format!("/cart/{CARTS}"));
    assert_eq!(v2.count(), CARTS + 1);
}

const CARTS: usize = 200;

#[test]
fn the_readme_shows_a_part_of_the_guides_report() {
    let (readme, chapter) = (document("README.md"), Chapter::read());
    let (_, shown) = readme.split_once("$ flagway shadow report cart\n").expect("a report");
    let shown = shown.split("```").next().unwrap_or(shown);
    let report = chapter.prints("flagway shadow report cart");
    for part in shown.split("...\n").filter(|part| !part.is_empty()) {
        assert!(report.contains(part), "not in the guide:\n{part}");
    }
}

#[test]
fn the_guide_knows_every_word_of_a_report() {
    let chapter = Chapter::read();
    let known = chapter.tokens();
    let dropped = Dropped::ALL.iter().map(|why| why.label());
    let missing: Vec<&str> =
        dropped.chain(KINDS.iter().map(|kind| kind.label())).filter(|word| !known.contains(word)).collect();
    assert!(missing.is_empty(), "not in the chapter's tables: {missing:?}");
    let others =
        Failed::ALL.iter().map(|why| why.label()).chain(Uncompared::ALL.iter().map(|why| why.label()));
    for word in others {
        assert!(chapter.0.contains(&format!("`{word}`")), "not in the chapter: {word}");
    }
}

const KINDS: [Kind; 9] = [
    Kind::Changed,
    Kind::Format,
    Kind::Type,
    Kind::Missing,
    Kind::Added,
    Kind::Order,
    Kind::Shorter,
    Kind::Longer,
    Kind::Slower,
];

#[test]
fn the_guide_lists_the_metrics_that_there_are() {
    let guide = document("docs/guide.md");
    let listed: BTreeSet<&str> =
        guide.lines().filter_map(|line| line.strip_prefix("| `flagway_")?.split('`').next()).collect();
    let (stable, v2) = (Upstream::start("stable"), Upstream::start("v2"));
    // One flag that is evaluated, one that goes over its limit, one that is missing, and copies: one is dropped, one is compared.
    let config = format!(
        "listeners: [{{name: main, bind: '127.0.0.1:0'}}, {{name: safe, bind: '127.0.0.1:0', tls: {{certificates: [{{cert: s.pem, key: s.key}}]}}}}]
flags: {{sources: [{{file: flags.json}}], limits: {{steps: 100}}}}
services:
  shop: {{default: stable, versions: {{stable: {{endpoints: ['{}'], health: {{tcp: true}}}}, v2: {{endpoints: ['{}']}}}}}}
  dead: {{default: stable, versions: {{stable: {{endpoints: ['{DEAD}', '127.0.0.2:1']}}}}}}
  full: {{default: stable, versions: {{stable: {{endpoints: ['{DEAD}'], limits: {{requests: 0}}}}}}}}
routes: [{{name: dead, match: {{path: /dead}}, service: dead}}, {{name: full, match: {{path: /full}}, service: full}}, {{name: all, match: {{path_prefix: /}}, service: shop, version: {{flag: missing}}, inject: [w, l], shadows: [{{flag: s}}], rate_limit: {{per_second: 1000}}}}]
",
        stable.address, v2.address
    );
    let flag = |value: &str| json!({"state": "ENABLED", "variants": {"it": value}, "defaultVariant": "it"});
    let mut long = flag("on");
    long["targeting"] = json!({"some": [vec![1; 200], false]});
    let issued = Authority::new().issue(&["shop.test"]);
    let setup = Setup::new(&config).flags(json!({"w": flag("on"), "s": flag("v2"), "l": long}));
    let gateway = setup.file("s.pem", &issued.cert).file("s.key", &issued.key).start();
    assert_eq!(gateway.get("/").text(), "stable");
    assert!(Client::new(gateway.address("safe")).get("/").try_send().is_err(), "no TLS");
    assert_eq!(gateway.client().post("/", "").send().text(), "stable");
    let asked = Client::new(gateway.admin()).post("/ofrep/v1/evaluate/flags", "{}").host("localhost").send();
    assert_eq!(asked.status, 200);
    assert_eq!(gateway.client().get("/").header("content-length", "x").send().status, 400);
    assert_eq!((gateway.get("/dead").status, gateway.get("/full").status), (503, 503));
    stable
        .answer(|_| Answer::new(200, "").header("content-type", "application/grpc").header("grpc-status", 0));
    assert_eq!(gateway.get("/").status, 200);
    for metric in [
        "flagway_requests_total",
        "flagway_grpc_calls_total",
        "flagway_shadow_dropped_total",
        "flagway_shadow_comparisons_total",
        "flagway_handshakes_failed_total",
    ] {
        eventually(metric, || gateway.metrics().series(metric, &[]) > 0);
    }
    let text = gateway.probe("/metrics").text();
    let there: BTreeSet<&str> =
        text.lines().filter_map(|line| line.strip_prefix("# TYPE flagway_")?.split(' ').next()).collect();
    assert_eq!(listed, there);
    let is_name = |c: char| c.is_ascii_lowercase() || c == '_';
    for named in guide.match_indices("flagway_").map(|(at, prefix)| &guide[at + prefix.len()..]) {
        let name = &named[..named.find(|c| !is_name(c)).unwrap_or(named.len())];
        assert!(there.contains(name), "the guide names flagway_{name}");
    }
}
