//! A folder with a configuration and flags, for the tests of this room.

use std::fs;
use std::path::PathBuf;
use std::sync::Arc;

use super::Keeper;
use crate::snapshot::Snapshot;

pub const CONFIG: &str = "
listeners: [{bind: 127.0.0.1:0}]
state_dir: state
flags:
  sources: [{file: flags.json}]
services:
  shop:
    default: stable
    versions: {stable: {endpoints: [127.0.0.1:1]}, canary: {endpoints: [127.0.0.1:2]}}
routes:
  - {name: shop, match: {path_prefix: /}, service: shop, version: {flag: shop-version}}
";

/// `shop-version` with the given generation in its metadata.
pub fn flags(generation: usize) -> String {
    format!(
        r#"{{"flags": {{"shop-version": {{"state": "ENABLED", "variants": {{"stable": "stable", "canary": "canary"}},
            "defaultVariant": "stable", "metadata": {{"generation": {generation}}}}}}}}}"#
    )
}

pub struct Folder(tempfile::TempDir);

impl Folder {
    pub fn new() -> Folder {
        let folder = Folder(tempfile::tempdir().unwrap());
        folder.write("flagway.yaml", CONFIG);
        folder.write("flags.json", &flags(0));
        folder
    }

    pub fn at(&self, name: &str) -> PathBuf {
        self.0.path().join(name)
    }

    pub fn write(&self, name: &str, text: &str) {
        fs::write(self.at(name), text).unwrap();
    }

    /// Writes a file beside, and renames it into place.
    pub fn replace(&self, name: &str, text: &str) {
        self.write(".new", text);
        fs::rename(self.at(".new"), self.at(name)).unwrap();
    }

    pub fn open(&self) -> (Keeper, Arc<Snapshot>) {
        Keeper::open(&self.at("flagway.yaml")).unwrap()
    }
}
