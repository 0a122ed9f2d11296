//! `~/.config/flagway/config.yaml`: which gateway commands ask, and the token that they show it.
//!
//! A file that others can read is no place for a token: it is refused. No value of it is ever printed.

use std::fs::File;
use std::io::Read;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

use super::Failure;
use super::client::Url;
use crate::config::tree::{self, Entry, Limits, Node};
use crate::config::{Place, Problem, ProblemKind, suggest};

/// What the file says.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Settings {
    /// The gateway's admin address.
    pub gateway: Option<String>,
    /// Of that gateway; without one, of any.
    pub token: Option<String>,
}

/// Bytes of a file that are read at most.
const LONGEST: u64 = 64 << 10;

const KEYS: [&str; 3] = ["gateway", "token", "token_file"];

/// Reads the file; none is none.
#[expect(clippy::disallowed_methods, reason = "a command reads its environment once, where it needs it")]
pub fn load() -> Result<Settings, Failure> {
    match place(|name| std::env::var(name).ok()) {
        Some(file) if file.exists() => read(&file),
        _ => Ok(Settings::default()),
    }
}

/// Where the file is looked for: a relative `XDG_CONFIG_HOME` counts as none, as its specification has it.
fn place(environment: impl Fn(&str) -> Option<String>) -> Option<PathBuf> {
    let absolute = |name: &str| environment(name).map(PathBuf::from).filter(|path| path.is_absolute());
    let config = absolute("XDG_CONFIG_HOME").or_else(|| Some(absolute("HOME")?.join(".config")))?;
    Some(config.join("flagway/config.yaml"))
}

fn read(file: &Path) -> Result<Settings, Failure> {
    let name = file.display().to_string();
    let (text, is_private) = text_of(file)?;
    let Written { gateway, token, token_file } = parse(&name, &text).map_err(Failure::Problems)?;
    if token.is_some() && !is_private {
        return Err(exposed(file));
    }
    let token = match token_file {
        None => token,
        Some(path) => {
            let path = file.parent().unwrap_or(Path::new("")).join(path);
            let (text, is_private) = text_of(&path)?;
            if !is_private {
                return Err(exposed(&path));
            }
            let token = text.trim();
            check_token(token).map_err(|found| format!("{}: {found}", path.display()))?;
            Some(token.to_owned())
        }
    };
    Ok(Settings { gateway, token })
}

/// A file's text, and whether nobody but its owner can read it.
fn text_of(file: &Path) -> Result<(String, bool), Failure> {
    let mut text = String::new();
    let mut read = || {
        let open = File::open(file)?;
        let mode = open.metadata()?.permissions().mode();
        open.take(LONGEST).read_to_string(&mut text)?;
        Ok::<_, std::io::Error>(mode & 0o077 == 0)
    };
    let is_private = read().map_err(|error| format!("{} cannot be read: {error}", file.display()))?;
    Ok((text, is_private))
}

fn exposed(file: &Path) -> Failure {
    let file = file.display();
    Failure::Message(format!("{file} holds a token and others can read it; run: chmod 600 {file}"))
}

#[derive(Debug, Default, PartialEq, Eq)]
struct Written {
    gateway: Option<String>,
    token: Option<String>,
    token_file: Option<String>,
}

fn parse(file: &str, text: &str) -> Result<Written, Vec<Problem>> {
    let tree = tree::parse(file, text, ProblemKind::Config, &Limits::CONFIG);
    let tree = tree.map_err(|problem| vec![without_excerpt(*problem)])?;
    let mut problems = tree.duplicates;
    let mut written = Written::default();
    match (tree.root.map(), tree.root.what()) {
        (Some(entries), _) => {
            for entry in entries {
                take(entry, &mut written).unwrap_or_else(|problem| problems.push(*problem));
            }
        }
        (None, "nothing") => {}
        (None, what) => {
            let found = format!("the file is {what}");
            problems.push(wrong(&tree.root, "", found).with_expected("keys such as `gateway` and `token`"));
        }
    }
    if let (Some(entry), Some(_)) = (tree.root.entry("token_file"), &written.token) {
        let found = "there is `token` beside `token_file`";
        problems.push(wrong(&entry.key, "token_file", found).with_fix("keep one of them"));
    }
    if problems.is_empty() { Ok(written) } else { Err(problems.into_iter().map(without_excerpt).collect()) }
}

fn take(entry: &Entry, written: &mut Written) -> Result<(), Box<Problem>> {
    let (key, node) = (entry.key.text(), &entry.value);
    match key {
        "gateway" => {
            let text = text(key, node)?;
            Url::parse(text).map_err(|found| wrong(node, key, found))?;
            written.gateway = Some(text.to_owned());
        }
        "token" => {
            let text = text(key, node)?;
            check_token(text).map_err(|found| wrong(node, key, found))?;
            written.token = Some(text.to_owned());
        }
        "token_file" => written.token_file = Some(text(key, node)?.to_owned()),
        other => {
            let problem = wrong(&entry.key, other, format!("`{other}` is no key of this file"));
            let problem = problem.with_expected("`gateway`, `token` or `token_file`");
            return Err(Box::new(match suggest(other, KEYS) {
                Some(meant) => problem.with_fix(format!("did you mean `{meant}`?")),
                None => problem,
            }));
        }
    }
    Ok(())
}

fn text<'a>(key: &str, node: &'a Node) -> Result<&'a str, Box<Problem>> {
    match node.scalar() {
        Some(scalar) if scalar.value().is_string() && !scalar.text.is_empty() => Ok(&scalar.text),
        Some(_) if matches!(node.what(), "a number" | "a boolean") => {
            let problem = wrong(node, key, format!("`{key}` is {}", node.what()));
            Err(Box::new(problem.with_expected("text").with_fix("put it in quotes")))
        }
        _ => {
            let what = if node.what() == "text" { "empty" } else { node.what() };
            Err(Box::new(wrong(node, key, format!("`{key}` is {what}")).with_expected("text")))
        }
    }
}

/// A token becomes part of a header's line.
pub fn check_token(token: &str) -> Result<(), String> {
    if !token.is_empty() && token.bytes().all(|byte| byte.is_ascii_graphic()) {
        return Ok(());
    }
    Err("the token is empty, or has a blank or another character that no token has".to_owned())
}

fn wrong(node: &Node, key: &str, found: impl Into<String>) -> Problem {
    Problem::error(ProblemKind::Config, key, found).at(node.place.clone())
}

/// The line may hold the token: its number is enough.
fn without_excerpt(problem: Problem) -> Problem {
    let place = problem.place.as_ref();
    let place = place.map(|place| Place::line_of(&place.file, place.line, place.column));
    Problem { place, ..problem }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_is_looked_for_where_settings_are_kept() {
        let looked = |xdg: Option<&str>, home: Option<&str>| {
            let found = place(|name| if name == "HOME" { home } else { xdg }.map(str::to_owned));
            found.map(|path| path.display().to_string())
        };
        let expected = |path: &str| Some(path.to_owned());
        assert_eq!(looked(Some("/x"), Some("/h")), expected("/x/flagway/config.yaml"));
        assert_eq!(looked(Some("x"), Some("/h")), expected("/h/.config/flagway/config.yaml"));
        assert_eq!(looked(Some(""), Some("/h")), expected("/h/.config/flagway/config.yaml"));
        assert_eq!(looked(None, None), None);
    }

    #[test]
    fn what_is_wrong_is_told_with_line_and_key_and_without_the_token() {
        let good = parse("c", "gateway: http://10.0.0.1:9901\ntoken: 'abc#1'\n").unwrap();
        assert_eq!(good.gateway.as_deref(), Some("http://10.0.0.1:9901"));
        assert_eq!(good.token.as_deref(), Some("abc#1"));
        assert_eq!(parse("c", "# nothing yet\n"), Ok(Written::default()));
        for (text, told) in [
            ("gatway: x\ntoken: s3cret\n", &["c:1:1", "`gatway` is no key", "did you mean `gateway`?"][..]),
            ("gateway: https://x\n", &["c:1:10", "no http:// address"]),
            ("\ntokn: s3cret\n", &["c:2:1", "did you mean `token`?"]),
            ("token: 123456\n", &["c:1:8", "`token` is a number", "put it in quotes"]),
            ("token: \"s3cret\\r\\nx: y\"\n", &["c:1:8", "the token"]),
            ("token: ''\n", &["`token` is empty"]),
            ("token: [s3cret]\n", &["`token` is a list"]),
            ("token: s3cret\ntoken_file: t\n", &["c:2:1", "keep one of them"]),
            ("token: s3cret\ntoken: s3cret\n", &["c:2:1", "token"]),
            ("- gateway\n", &["the file is a list"]),
            ("token: 's3cret\n", &["c:"]),
        ] {
            let problems = parse("c", text).expect_err(text);
            let shown: String = problems.iter().map(|problem| problem.render(false) + "\n").collect();
            for word in told {
                assert!(shown.contains(word), "{word} in:\n{shown}");
            }
            assert!(!shown.contains("s3cret") && !shown.contains("123456"), "{shown}");
        }
    }

    #[test]
    fn a_token_that_others_can_read_is_refused_with_the_way_out() {
        let home = tempfile::tempdir().unwrap();
        let file = home.path().join("config.yaml");
        let write = |path: &Path, text: &str, mode: u32| {
            std::fs::write(path, text).unwrap();
            std::fs::set_permissions(path, std::fs::Permissions::from_mode(mode)).unwrap();
        };
        write(&file, "gateway: http://a:1\n", 0o644);
        assert_eq!(read(&file).unwrap().gateway.as_deref(), Some("http://a:1"));
        write(&file, "token: abc\n", 0o640);
        let Err(Failure::Message(told)) = read(&file) else { panic!("it is refused") };
        assert!(told.ends_with(&format!("run: chmod 600 {}", file.display())), "{told}");
        write(&file, "token: abc\n", 0o600);
        assert_eq!(read(&file).unwrap().token.as_deref(), Some("abc"));
        write(&file, "token_file: token\n", 0o644);
        write(&home.path().join("token"), "abc\n", 0o644);
        assert!(matches!(read(&file), Err(Failure::Message(told)) if told.contains("chmod 600")));
        write(&home.path().join("token"), "abc\n", 0o400);
        assert_eq!(read(&file).unwrap().token.as_deref(), Some("abc"));
    }
}
