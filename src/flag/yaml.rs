//! A document of flags written in YAML: the configuration's own YAML tree, taken as JSON.
//!
//! It refuses what JSON cannot say (`.inf`, `.nan`, merge keys) and keys that stand twice, for the document as a whole.

use std::collections::BTreeMap;

use super::reading::{MAX_LEVELS, Reading};
use crate::config::tree::{self, Content, Limits, Node};
use crate::config::{Problem, ProblemKind};

/// The parser remembers about a hundred times of what stands inside brackets: JSON may be longer.
const MAX_BYTES: usize = 4 << 20;

/// Reads a YAML document of at most so many values.
pub fn read(file: &str, text: &str, values: usize) -> Result<Reading, Vec<Problem>> {
    let limits = Limits { bytes: MAX_BYTES, depth: MAX_LEVELS, nodes: values };
    let tree = tree::parse(file, text, ProblemKind::Document, &limits)
        .map_err(|problem| vec![Problem { key: "document".to_owned(), ..*problem }])?;
    let problems: Vec<Problem> = tree.duplicates.into_iter().chain(not_json(&tree.root)).collect();
    if !problems.is_empty() {
        return Err(problems);
    }
    let json = tree::to_json(&tree.root);
    Ok(Reading { json, repeated: Vec::new(), oversized: BTreeMap::new(), tree: Some(tree.root) })
}

/// What JSON has no word for.
fn not_json(node: &Node) -> Vec<Problem> {
    let problem = |node: &Node, found: String| {
        Problem::error(ProblemKind::Document, "document", found).at(node.place.clone())
    };
    match &node.content {
        Content::List(items) => items.iter().flat_map(not_json).collect(),
        Content::Map(entries) => {
            let merges = entries.iter().map(|entry| &entry.key).filter(|key| key.text() == "<<");
            let merges = merges.map(|key| problem(key, "a merge key, which is not supported".to_owned()));
            merges.chain(entries.iter().flat_map(|entry| not_json(&entry.value))).collect()
        }
        Content::Scalar(scalar) => {
            let digits = scalar.text.trim_start_matches(['+', '-']).to_ascii_lowercase();
            let missing = scalar.plain && matches!(&*digits, ".inf" | ".nan");
            let found = format!("the number {}, which JSON does not have", scalar.text);
            missing.then(|| problem(node, found)).into_iter().collect()
        }
    }
}
