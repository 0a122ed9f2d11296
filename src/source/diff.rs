//! What the files of sources would have to say, so that nothing need be done by hand any more: for the next merge request.

use std::sync::Arc;

use serde_json::Value as Json;

use super::hand::SourceDiff;
use super::standing::{SourceFile, Standing};
use crate::flag::{Definition, Entry, Format, Stated};
use crate::overlay::diff::{Patch, patch, unified};

impl Standing {
    /// One patch a file, in the order of the sources; before them each flag for which there is none.
    pub fn diff(&self) -> Vec<SourceDiff> {
        let (mut none, mut edits) = (Vec::new(), Vec::new());
        edits.resize_with(self.files.len(), Edits::default);
        let entries: Vec<_> = self.overlay.iter().collect();
        let keys = entries.chunk_by(|one, next| one.flag() == next.flag());
        for key in keys.filter_map(|entries| entries.first()).map(|entry| entry.flag()) {
            let mut refuse = |index: Option<usize>, why| {
                let file = index.map(|index| self.files[index].name.to_string());
                none.push(SourceDiff { flag: key.to_string(), file, form: "none".to_owned(), patch: why });
            };
            let stated = self.definitions.of(key);
            let (running, _) = self.overlay.apply_to_key(key, stated, &self.limits);
            if !running.last().is_some_and(|counts| matches!(counts.flag, Entry::Good(_))) {
                // Nothing runs because of an entry.
                let index = stated.last().and_then(|counts| self.file(&counts.source));
                refuse(index, "no entry applies, and there is no usable definition".to_owned());
            }
            // A kill may have changed flags of other sets, too.
            for Stated { source, flag, .. } in &running {
                let Entry::Good(running) = flag else { continue };
                let index = self.file(source);
                let done = match index {
                    Some(index) => edits[index].add(&self.files[index], running, self),
                    None => Err(format!(
                        "no source defines it; under `flags` of one of them it would be \"{key}\": {}",
                        running.to_json()
                    )),
                };
                done.unwrap_or_else(|why| refuse(index, why));
            }
        }
        none.extend(self.files.iter().zip(edits).filter_map(|(file, edits)| edits.diff(file)));
        none
    }

    /// The file of a source.
    fn file(&self, source: &str) -> Option<usize> {
        self.files.iter().position(|file| *file.name == *source)
    }
}

/// What becomes of one file, flag by flag.
#[derive(Debug, Default)]
struct Edits {
    flags: Vec<Arc<str>>,
    /// Its text so far.
    text: Option<String>,
    /// For what is not edited as text.
    operations: Vec<Json>,
}

impl Edits {
    /// Adds what makes the file say what runs of one more flag.
    fn add(&mut self, file: &SourceFile, running: &Definition, standing: &Standing) -> Result<(), String> {
        let read = file.text.as_ref().map_err(|why| format!("`{}`: {why}", file.name))?;
        let text = self.text.as_deref().unwrap_or(&read.text);
        let patch = patch(&file.name, text, Format::of(&file.path), running, &standing.limits);
        let patch = patch.map_err(|problems| {
            let told: Vec<_> = problems.iter().map(|problem| &*problem.found).collect();
            told.join("; ")
        })?;
        match patch {
            Patch::None => return Ok(()),
            Patch::Text(text) => self.text = Some(text),
            Patch::Operations(operations) => self.operations.extend(operations),
        }
        self.flags.push(running.key.clone());
        Ok(())
    }

    /// None: the file says it already.
    fn diff(self, file: &SourceFile) -> Option<SourceDiff> {
        let (form, patch) = match (&self.text, &file.text) {
            (Some(new), Ok(old)) => ("unified", unified(&old.text, new, &file.name)),
            _ if self.operations.is_empty() => return None,
            // Only of texts, numbers and lists of them: it is JSON.
            _ => ("json-patch", serde_json::to_string_pretty(&self.operations).unwrap_or_default()),
        };
        let flag = self.flags.join(", ");
        Some(SourceDiff { flag, file: Some(file.name.to_string()), form: form.to_owned(), patch })
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::super::last_good::{LastGood, merge};
    use super::super::sight::Text;
    use super::*;
    use crate::config::FlagLimits;
    use crate::flag::Document;
    use crate::overlay::Overlay;

    const SHOP: &str = r#"{"flags": {
  "price": {"state": "ENABLED", "variants": {"on": 1, "off": 0}, "defaultVariant": "off"},
  "search": {
    "state": "ENABLED",
    "variants": {"stable": "s", "canary": "c"},
    "defaultVariant": "stable",
    "targeting": {"fractional": [["canary", 1], ["stable", 99]]}
  }
}}
"#;
    const YAML: &str = "
flags:
  cart: {state: ENABLED, variants: {a: 1, b: 2}, defaultVariant: a}
  list: {state: ENABLED, variants: {a: 1, b: 2}, defaultVariant: a}
";

    /// What stands of these files, below entries that have these members.
    fn standing(files: &[(&str, &str)], entries: Json) -> Standing {
        let (files, said): (Vec<_>, Vec<_>) = files.iter().map(|(name, text)| file(name, text)).unzip();
        let entries = entries.as_array().unwrap().iter().map(|members| {
            let mut entry = json!({"by": "ann", "at": "2026-12-03T10:00:00Z"});
            entry.as_object_mut().unwrap().extend(members.as_object().unwrap().clone());
            serde_json::from_value(entry).unwrap()
        });
        Standing {
            definitions: Arc::new(merge(files.iter().map(|file| &file.name).zip(&said))),
            overlay: Arc::new(Overlay::from(entries.collect::<Vec<_>>())),
            limits: FlagLimits::default(),
            files,
        }
    }

    fn file(name: &str, text: &str) -> (SourceFile, LastGood) {
        let mut good = LastGood::default();
        let document = Document::parse(name, text, Format::of(name.as_ref()), &FlagLimits::default());
        if let Ok(document) = document {
            good.take(&document, true).unwrap();
        }
        (SourceFile { name: name.into(), path: name.into(), text: Ok(Text::new(text.to_owned())) }, good)
    }

    fn kill(flag: &str, variant: &str, value: u32) -> Json {
        json!({"flag": flag, "kind": "kill", "variant": variant, "value": value})
    }

    fn weight(flag: &str) -> Json {
        json!({"flag": flag, "kind": "weight", "shares": {"canary": "5%"}})
    }

    #[test]
    fn flags_of_one_file_are_in_one_patch() {
        let entries = json!([kill("price", "on", 1), weight("search")]);
        let [diff] = &standing(&[("conf/shop.json", SHOP)], entries).diff()[..] else { panic!("one file") };
        let told = (&*diff.flag, diff.file.as_deref(), &*diff.form);
        assert_eq!(told, ("price, search", Some("conf/shop.json"), "unified"));
        let changed: Vec<_> =
            diff.patch.lines().filter(|line| line.starts_with(['+', '-'])).map(str::trim_end).collect();
        assert_eq!(
            changed,
            [
                "--- conf/shop.json",
                "+++ conf/shop.json",
                r#"-  "price": {"state": "ENABLED", "variants": {"on": 1, "off": 0}, "defaultVariant": "off"},"#,
                r#"+  "price": {"state": "ENABLED", "variants": {"on": 1, "off": 0}, "defaultVariant": "on"},"#,
                r#"-    "targeting": {"fractional": [["canary", 1], ["stable", 99]]}"#,
                r#"+    "targeting": {"fractional": [["canary", 5], ["stable", 95]]}"#,
            ]
        );
    }

    #[test]
    fn yaml_has_operations_and_the_last_source_is_the_one() {
        let files = [("shop.json", SHOP), ("more.yaml", YAML), ("last.json", r#"{"flags": {"cart": {}}}"#)];
        let entries = json!([kill("cart", "b", 2), kill("list", "b", 2), weight("search")]);
        let diffs = standing(&files, entries).diff();
        let told: Vec<_> =
            diffs.iter().map(|diff| (&*diff.flag, diff.file.as_deref().unwrap(), &*diff.form)).collect();
        let expected = [("search", "shop.json", "unified"), ("cart, list", "more.yaml", "json-patch")];
        assert_eq!(told, expected, "one that never was good hides no good one");
        let operations: Json = serde_json::from_str(&diffs[1].patch).unwrap();
        let operation = |flag: &str| json!({"op": "replace", "path": format!("/flags/{flag}/defaultVariant"), "value": "b"});
        assert_eq!(operations, json!([operation("cart"), operation("list")]));
    }

    #[test]
    fn what_has_no_patch_is_told_with_why() {
        let set =
            json!({"flag": "new", "kind": "set", "definition": {"state": "ENABLED", "variants": {"a": 1}}});
        let pinned = json!({"flag": "price", "kind": "state", "state": "ENABLED"});
        let mut standing =
            standing(&[("shop.json", SHOP)], json!([set, pinned, weight("gone"), weight("search")]));
        let told = |standing: &Standing| -> Vec<(String, Option<String>, String)> {
            standing.diff().into_iter().map(|diff| (diff.flag, diff.file, diff.form)).collect()
        };
        let none =
            |flag: &str, file: Option<&str>| (flag.to_owned(), file.map(str::to_owned), "none".to_owned());
        let found = told(&standing);
        assert_eq!(found[..2], [none("gone", None), none("new", None)]);
        assert_eq!(
            found[2..].iter().map(|diff| &*diff.0).collect::<Vec<_>>(),
            ["search"],
            "not what is only pinned"
        );
        let [.., new, _] = &standing.diff()[..] else { panic!("three") };
        assert!(new.patch.ends_with(r#""new": {"state":"ENABLED","variants":{"a":1}}"#), "{}", new.patch);
        standing.files[0].text = Err("it cannot be read".to_owned());
        assert_eq!(told(&standing).last(), Some(&none("search", Some("shop.json"))));
    }
}
