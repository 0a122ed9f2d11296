//! A document of flags: text in, definitions or problems out, flag by flag.
//!
//! One bad flag stops itself alone. The whole document is refused only when nothing of it can be used, or when it is over
//! a limit that keeps the process safe.

use std::collections::{BTreeMap, HashMap};
use std::path::Path;
use std::sync::Arc;

use serde_json::{Map, Value as Json};

use super::compile::Paths;
use super::definition::{Definition, Reader, kind, member, metadata};
use super::evaluators::Evaluators;
use super::fault::{Fault, did_you_mean, push_index, quoted};
use super::identity::{Identity, flag_set};
use super::locate::{Lines, Places};
use super::reading::{self, Reading, Unreadable};
use super::{FlagMap, Stated, yaml};
use crate::config::{FlagLimits, Place, Problem, ProblemKind, Severity};

/// JSON or YAML, told by the file's name.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Format {
    /// The format of flagd.
    Json,
    /// The same in YAML.
    Yaml,
}

impl Format {
    /// By extension: `.yaml` and `.yml` are YAML, everything else JSON.
    pub fn of(path: &Path) -> Format {
        let extension = path.extension().map(|extension| extension.to_ascii_lowercase());
        match extension {
            Some(extension) if extension == "yaml" || extension == "yml" => Format::Yaml,
            _ => Format::Json,
        }
    }
}

/// A parsed document.
#[derive(Debug, Clone)]
pub struct Document {
    /// In its order; a flag that does not compile is its problems, the first of which says why.
    pub flags: FlagMap<Result<Arc<Definition>, Vec<Problem>>>,
    /// What it says of all its flags. Each definition has it already; it is told of flags that are not there, too.
    pub metadata: BTreeMap<String, Json>,
    /// What is wrong without stopping anything (schema violations that flagd tolerates, duplicate keys).
    pub warnings: Vec<Problem>,
}

impl Document {
    /// Parses a whole document. `Err` when nothing of it can be used: no JSON or YAML, `flags` missing or of the wrong
    /// type, over a limit. `file` is only named in problems.
    pub fn parse(
        file: &str,
        text: &str,
        format: Format,
        limits: &FlagLimits,
    ) -> Result<Document, Vec<Problem>> {
        let text = text.strip_prefix('\u{feff}').unwrap_or(text);
        let source = Source { file: file.into(), text };
        if text.len() > limits.document_bytes {
            let found = format!("the document has {} bytes", text.len());
            let expected = format!("at most {} (`limits.document`)", limits.document_bytes);
            return Err(vec![problem(
                ProblemKind::Document,
                None,
                Fault::error("", found).expected(expected),
            )]);
        }
        let reading = match format {
            // Rules have their own, tighter limits; this keeps one flag from growing while it is read.
            Format::Json => reading::read(text, limits.values, limits.rule_nodes.saturating_mul(2).max(1000))
                .map_err(|error| source.unreadable(error))?,
            Format::Yaml => yaml::read(file, text, limits.values)?,
        };
        let root = root(&reading.json).map_err(|fault| source.refusal(&reading, fault))?;
        let count = root.flags.len();
        if count > limits.flags {
            let fault = Fault::error("flags", format!("the document has {count} flags"));
            return Err(source
                .refusal(&reading, fault.expected(format!("at most {} (`limits.flags`)", limits.flags))));
        }
        Ok(source.flags(root, &reading, limits))
    }
}

/// The parts of a document.
struct Root<'d> {
    /// Path, key and definition of each flag.
    flags: Vec<(String, &'d str, &'d Json)>,
    evaluators: Option<&'d Map<String, Json>>,
    metadata: BTreeMap<String, Json>,
    /// The flag set of all flags that name none.
    set: &'d str,
    faults: Vec<Fault>,
}

fn root(json: &Json) -> Result<Root<'_>, Fault> {
    let Json::Object(root) = json else {
        let found = format!("the document is {}", kind(json));
        return Err(Fault::error("", found).expected("an object with the key `flags`"));
    };
    let mut faults = Vec::new();
    let flags = match root.get("flags") {
        Some(Json::Object(flags)) => {
            flags.iter().map(|(key, flag)| (member("flags", key), key.as_str(), flag)).collect()
        }
        Some(Json::Array(flags)) => {
            flags.iter().enumerate().map(|(at, flag)| listed(at, flag)).collect::<Result<_, _>>()?
        }
        Some(other) => {
            let found = format!("`flags` is {}", kind(other));
            return Err(
                Fault::error("flags", found).expected("an object of flags by key, or a list of flags")
            );
        }
        None => {
            let fix = did_you_mean("flags", root.keys().map(String::as_str));
            return Err(Fault::error("", "the document has no `flags`")
                .expected("an object with the key `flags`")
                .maybe_fix(fix.map(|near| near.replace("did you mean", "is this meant to be `flags`:"))));
        }
    };
    let evaluators = match root.get("$evaluators") {
        None | Some(Json::Null) => None,
        Some(Json::Object(evaluators)) => Some(evaluators),
        Some(other) => {
            let found = format!("`$evaluators` is {}, left out", kind(other));
            faults.push(Fault::warning("$evaluators", found).expected("an object of rules by name"));
            None
        }
    };
    let metadata = metadata(root.get("metadata"), "metadata", &mut faults);
    Ok(Root { flags, evaluators, metadata, set: flag_set(root.get("metadata"), ""), faults })
}

/// A flag of a list. Without a key nobody can tell which flag's last good definition should go on: it stops the document.
fn listed(at: usize, flag: &Json) -> Result<(String, &str, &Json), Fault> {
    let mut path = "flags".to_owned();
    push_index(&mut path, at);
    match flag.get("key").and_then(Json::as_str) {
        Some(key) => Ok((path, key, flag)),
        None => {
            Err(Fault::error(path, "a flag of a list without a `key`")
                .expected("an object with the key `key`"))
        }
    }
}

/// The text that problems point into.
struct Source<'t> {
    file: Arc<str>,
    text: &'t str,
}

impl Source<'_> {
    fn flags(&self, root: Root, reading: &Reading, limits: &FlagLimits) -> Document {
        let none = Map::new();
        let mut warnings = root.faults;
        warnings.extend(reading.repeated.iter().map(|key| repeated(member("flags", key), key)));
        let mut reader = Reader {
            evaluators: Evaluators::new(root.evaluators.unwrap_or(&none), limits),
            metadata: root.metadata.clone(),
            paths: Paths::default(),
        };
        let listed: HashMap<&str, &str> = root
            .flags
            .iter()
            .filter(|(path, ..)| path.ends_with(']'))
            .map(|(path, key, _)| (&**path, *key))
            .collect();
        let mut read: FlagMap<(&str, Option<Definition>, Vec<Fault>)> = FlagMap::default();
        for (path, key, json) in &root.flags {
            let mut faults = Vec::new();
            let definition = match reading.oversized.get(path) {
                Some(over) => {
                    faults.push(Fault::error(&**path, format!("the flag is {over}")));
                    None
                }
                None => reader.read(key, json, path, &mut faults),
            };
            let (errors, mild): (Vec<_>, _) =
                faults.into_iter().partition(|fault| fault.severity == Severity::Error);
            warnings.extend(mild);
            let set = flag_set(json.get("metadata"), root.set);
            let identity = Identity { set: set.into(), key: Arc::from(*key) };
            if read.at(&identity).is_some() {
                warnings.push(repeated(path.clone(), key));
            }
            read.put(Stated { identity, source: Arc::default(), flag: (path, definition, errors) });
        }
        let paths = read.iter().map(|stated| &stated.flag);
        let paths =
            paths.flat_map(|(path, _, errors)| errors.iter().map(|fault| &*fault.path).chain([*path]));
        let paths = paths.chain(warnings.iter().map(|fault| &*fault.path));
        let places = Places::find(&self.file, self.text, reading.tree.as_ref(), paths);
        let problem = |fault: Fault| {
            let place = places.of(&fault.path);
            let path = by_key(&fault.path, &listed).unwrap_or(fault.path);
            problem(ProblemKind::Definition, place, Fault { path, ..fault })
        };
        let flags = read.into_iter().map(|(identity, (path, definition, errors))| match definition {
            Some(definition) => (identity, Ok(Arc::new(Definition { place: places.of(path), ..definition }))),
            None => (identity, Err(errors.into_iter().map(problem).collect())),
        });
        let warnings = warnings.into_iter().map(problem).collect();
        Document { flags: flags.collect(), metadata: root.metadata, warnings }
    }

    /// A fault of the document as a whole.
    fn refusal(&self, reading: &Reading, fault: Fault) -> Vec<Problem> {
        let places = Places::find(&self.file, self.text, reading.tree.as_ref(), [&fault.path]);
        let place =
            places.of(&fault.path).unwrap_or_else(|| Lines::new(&self.file, self.text).place(1, 1, 1));
        vec![problem(ProblemKind::Document, Some(place), fault)]
    }

    fn unreadable(&self, Unreadable { line, column, message }: Unreadable) -> Vec<Problem> {
        let html = self.text.trim_start().starts_with('<');
        let fix = html.then(|| "this looks like a web page: check what the source answers with".to_owned());
        let fault = Fault::error("", format!("the document is not usable JSON: {message}"))
            .expected("a JSON document with the key `flags`")
            .maybe_fix(fix);
        let place = Lines::new(&self.file, self.text).place_by_byte(line, column);
        vec![problem(ProblemKind::Document, Some(place), fault)]
    }
}

/// A path into a list of flags, with the flag's key in the place of its index: so it is looked for.
fn by_key(path: &str, listed: &HashMap<&str, &str>) -> Option<String> {
    let end = path.find(']')? + 1;
    listed.get(&path[..end]).map(|key| member("flags", key) + &path[end..])
}

fn repeated(path: String, key: &str) -> Fault {
    Fault::warning(path, format!("the flag {} stands here more than once; the last one counts", quoted(key)))
        .expected("each key once")
}

fn problem(kind: ProblemKind, place: Option<Place>, fault: Fault) -> Problem {
    let Fault { severity, path, found, expected, fix } = fault;
    let key = if path.is_empty() { "document".to_owned() } else { path };
    Problem { kind, severity, place, key, found, expected, fix }
}
