//! The patch that would make a source say what runs, for the next merge request.
//!
//! A JSON document is edited as text, as little as possible: whoever reviews the patch sees what changed and nothing else, and
//! a shared rule behind a `$ref` stays where it still says the right thing. A YAML document is not edited: for it there is a
//! JSON Patch. What a patch yields was read back and decides as what runs, or there is no patch.

mod changes;
mod print;
mod text;

use serde_json::{Map, Value as Json};

use self::changes::{Op, Path, Step, changes};
use crate::config::tree::{self, Limits};
use crate::config::{FlagLimits, Problem, ProblemKind};
use crate::flag::identity::flag_set;
use crate::flag::{Definition, Document, Format};

/// What would make a document say what runs.
#[derive(Debug, Clone, PartialEq)]
pub enum Patch {
    /// It does so already.
    None,
    /// The document's new text.
    Text(String),
    /// Operations of a JSON Patch (RFC 6902) of the document; of several flags of one document, they may follow each other.
    Operations(Vec<Json>),
}

/// What makes a document say of a flag what runs; metadata that it has for all its flags may come along. `Err`: the document cannot be
/// read, or not be edited.
pub fn patch(
    file: &str,
    text: &str,
    format: Format,
    running: &Definition,
    limits: &FlagLimits,
) -> Result<Patch, Vec<Problem>> {
    let document = Document::parse(file, text, format, limits)?;
    let identity = running.identity();
    let source = document.flags.at(&identity).and_then(|flag| flag.as_ref().ok());
    let root = match format {
        Format::Json => serde_json::from_str(text.strip_prefix('\u{feff}').unwrap_or(text)).ok(),
        Format::Yaml => yaml(file, text, limits),
    };
    let cannot = |found: String| {
        let key = format!("flags.{}", running.key);
        vec![Problem::error(ProblemKind::Overlay, key, found).with_fix("edit the file by hand")]
    };
    let Some(root) = root else {
        return Err(cannot(format!("`{file}` has values that are nested too deeply to be edited")));
    };
    let ops = ops(&root, source.map(|source| &**source), running);
    if ops.is_empty() {
        return Ok(Patch::None);
    }
    let (patch, text) = match format {
        Format::Json => {
            let text = text::edit(text, &ops);
            (Patch::Text(text.clone()), text)
        }
        Format::Yaml => {
            let operations: Vec<_> = ops.iter().flat_map(Op::to_patch).collect();
            let mut changed = root;
            ops.into_iter().for_each(|op| op.apply(&mut changed));
            (Patch::Operations(operations), changed.to_string())
        }
    };
    let read = Document::parse(file, &text, Format::Json, limits)?;
    match read.flags.at(&identity) {
        Some(Ok(said)) if says(said, running) => Ok(patch),
        _ => Err(cannot(format!("`{file}` would not say what runs, even with this flag edited"))),
    }
}

/// Whether they decide alike, and the one has all metadata of the other.
fn says(said: &Definition, running: &Definition) -> bool {
    let metadata = running.metadata.clone();
    running.metadata.iter().all(|(key, value)| said.metadata.get(key) == Some(value))
        && Definition { metadata, ..said.clone() }.canonical() == running.canonical()
}

/// The difference of two texts of a file, as `patch -p0` and `git apply -p0` take it; empty when there is none.
pub fn unified(old: &str, new: &str, file: &str) -> String {
    similar::TextDiff::from_lines(old, new).unified_diff().context_radius(3).header(file, file).to_string()
}

/// The JSON of a YAML document that was read before.
fn yaml(file: &str, text: &str, limits: &FlagLimits) -> Option<Json> {
    let limits = Limits { bytes: limits.document_bytes, depth: 128, nodes: limits.values };
    let tree = tree::parse(file, text, ProblemKind::Document, &limits).ok()?;
    Some(tree::to_json(&tree.root))
}

/// What has to change in a document.
fn ops(root: &Json, source: Option<&Definition>, running: &Definition) -> Vec<Op> {
    let (key, set) = (&*running.key, running.identity().set);
    let inherited = flag_set(root.get("metadata"), "");
    let flags = Path::default().to("flags");
    let listed = root["flags"].as_array();
    let wanted = || {
        let mut wanted = running.to_json();
        if let (Some(_), Some(wanted)) = (listed, wanted.as_object_mut()) {
            wanted.insert("key".to_owned(), key.into());
        }
        wanted
    };
    let path = match listed {
        // The last one counts.
        Some(flags) => {
            let same = |flag: &Json| {
                flag["key"].as_str() == Some(key) && *flag_set(flag.get("metadata"), inherited) == *set
            };
            flags.iter().rposition(same).map(Step::Index)
        }
        None => root["flags"].get(key).map(|_| Step::Key(key.to_owned())),
    };
    match (path, source) {
        (None, _) => {
            let name = listed.is_none().then(|| key.to_owned());
            vec![Op::Members { path: flags, gone: Vec::new(), new: vec![(name, wanted())] }]
        }
        (Some(step), Some(source)) => {
            let path = flags.then(step);
            match path.of(root).and_then(Json::as_object) {
                Some(flag) => of_flag(path, flag, source, running),
                None => Vec::new(),
            }
        }
        // What is there is no flag.
        (Some(step), None) => vec![Op::Replace { path: flags.then(step), value: wanted() }],
    }
}

/// What has to change in a flag, member by member: what means the same may stay as it is written.
fn of_flag(path: Path, flag: &Map<String, Json>, source: &Definition, running: &Definition) -> Vec<Op> {
    let (now, wanted) = (source.to_json(), running.to_json());
    let (mut ops, mut gone, mut new) = (Vec::new(), Vec::new(), Vec::new());
    for member in ["state", "variants", "defaultVariant", "targeting"] {
        match (flag.get(member), &now[member], &wanted[member]) {
            (_, now, wanted) if now == wanted => {}
            (Some(_), _, Json::Null) => gone.push(member.to_owned()),
            (Some(written), now, wanted) => changes(&path.to(member), written, now, wanted, &mut ops),
            (None, _, wanted) => new.push((Some(member.to_owned()), wanted.clone())),
        }
    }
    let differs = |(key, value): &(&String, &Json)| source.metadata.get(*key) != Some(*value);
    let differing: Vec<_> = running.metadata.iter().filter(differs).collect();
    let superfluous =
        |key: &&String| source.metadata.contains_key(*key) && !running.metadata.contains_key(*key);
    match flag.get("metadata") {
        Some(written @ Json::Object(own)) => {
            let mut wanted = own.clone();
            wanted.retain(|key, _| !superfluous(&key));
            wanted.extend(differing.into_iter().map(|(key, value)| (key.clone(), value.clone())));
            changes(&path.to("metadata"), written, written, &Json::Object(wanted), &mut ops);
        }
        written if !differing.is_empty() => {
            let own = differing.into_iter().map(|(key, value)| (key.clone(), value.clone()));
            let own = Json::Object(own.collect());
            match written {
                Some(_) => ops.push(Op::Replace { path: path.to("metadata"), value: own }),
                None => new.push((Some("metadata".to_owned()), own)),
            }
        }
        _ => {}
    }
    if !gone.is_empty() || !new.is_empty() {
        ops.push(Op::Members { path, gone, new });
    }
    ops
}
