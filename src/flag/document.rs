//! A document of flags: text in, definitions or problems out, flag by flag.

use std::collections::BTreeMap;
use std::sync::Arc;

use super::Definition;
use crate::config::{FlagLimits, Problem};

/// JSON or YAML, told by the file's name.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Format {
    Json,
    Yaml,
}

impl Format {
    /// By extension: `.yaml` and `.yml` are YAML, everything else JSON.
    pub fn of(_path: &std::path::Path) -> Format {
        todo!()
    }
}

/// A parsed document.
#[derive(Debug, Clone)]
pub struct Document {
    /// By key; a flag that does not compile is its problems, the first of which says why.
    pub flags: BTreeMap<Arc<str>, Result<Arc<Definition>, Vec<Problem>>>,
    /// What is wrong without stopping anything (schema violations that flagd tolerates, duplicate keys).
    pub warnings: Vec<Problem>,
}

impl Document {
    /// Parses a whole document. `Err` when nothing of it can be used: no JSON or YAML, `flags` missing or of the wrong type, over a limit.
    pub fn parse(
        _file: &str,
        _text: &str,
        _format: Format,
        _limits: &FlagLimits,
    ) -> Result<Document, Vec<Problem>> {
        todo!()
    }
}
