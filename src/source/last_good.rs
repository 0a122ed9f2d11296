//! The last good definitions of one source, flag by flag, and how those of all sources become one.
//!
//! Pure: documents go in, definitions stand. What is wrong with a document is told by whoever parsed it.

use std::sync::Arc;

use crate::flag::{Definitions, Document, Entry, Stated};

/// What a source says, where it said something usable last. Cheap to clone.
#[derive(Debug, Clone, Default)]
pub struct LastGood {
    entries: Arc<Definitions>,
}

impl LastGood {
    /// Takes a new document over: what it no longer has goes, what does not compile keeps its last good definition.
    ///
    /// From some usable flags to none is refused unless `allow_empty`: `Err` is how many would have gone.
    pub fn take(&mut self, document: &Document, allow_empty: bool) -> Result<(), usize> {
        let entries = document.flags.iter().map(|Stated { identity, flag, .. }| {
            let entry = match (flag, self.entries.at(identity)) {
                (Ok(definition), _) => Entry::Good(definition.clone()),
                (Err(_), Some(Entry::Good(before))) => Entry::Good(before.clone()),
                (Err(problems), _) => {
                    let why = problems.first().map_or("it does not compile", |problem| &problem.found);
                    Entry::Broken(Arc::from(why))
                }
            };
            (identity.clone(), entry)
        });
        let next = LastGood { entries: Arc::new(entries.collect()) };
        let (before, after) = (self.good(), next.good());
        if before > 0 && after == 0 && !allow_empty {
            return Err(before);
        }
        *self = next;
        Ok(())
    }

    /// The definitions and, for flags that never were good, why.
    pub fn entries(&self) -> &Definitions {
        &self.entries
    }

    /// Flags with a usable definition.
    pub fn good(&self) -> usize {
        self.entries.iter().filter(|stated| is_good(stated)).count()
    }
}

/// Joins sources, each with its name: later ones win, flag by flag, and within one what stands later. But a flag that never was good hides no
/// good one, neither of its own flag set nor of another.
pub fn merge<'a>(sources: impl Iterator<Item = (&'a Arc<str>, &'a LastGood)>) -> Definitions {
    let stated = sources.flat_map(|(name, good)| {
        good.entries.iter().map(|stated| Stated { source: name.clone(), ..stated.clone() })
    });
    let (good, broken): (Vec<_>, Vec<_>) = stated.partition(is_good);
    broken.into_iter().chain(good).collect()
}

fn is_good(stated: &Stated<Entry>) -> bool {
    matches!(stated.flag, Entry::Good(_))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::{Problem, ProblemKind};
    use crate::flag::{Definition, FlagMap, FlagState, Identity};
    use std::collections::BTreeMap;

    /// `a1 b! x.c2`: flag a with the value 1, a b that does not compile, c of the flag set x with the value 2.
    fn document(text: &str) -> Document {
        let flags = text.split_whitespace().map(|flag| {
            let (set, flag) = flag.split_once('.').unwrap_or(("", flag));
            let (key, value) = flag.split_at(1);
            let identity = Identity { set: set.into(), ..key.into() };
            let flag =
                if value == "!" { Err(vec![wrong(key)]) } else { Ok(definition(&identity, value).into()) };
            (identity, flag)
        });
        Document { flags: flags.collect(), metadata: BTreeMap::new(), warnings: Vec::new() }
    }

    fn definition(identity: &Identity, value: &str) -> Definition {
        Definition {
            key: identity.key.clone(),
            state: FlagState::Enabled,
            variants: vec![("v".into(), value.into())],
            default_variant: None,
            targeting: None,
            metadata: BTreeMap::new(),
            place: None,
        }
    }

    fn wrong(key: &str) -> Problem {
        Problem::error(ProblemKind::Definition, format!("flags.{key}"), "no variants")
    }

    /// The same notation, back; of one key, the one that counts is the last.
    fn told(entries: &Definitions) -> String {
        let flags = entries.iter().map(|Stated { identity: Identity { set, key }, flag, .. }| {
            let dot = if set.is_empty() { "" } else { "." };
            match flag {
                Entry::Good(definition) => {
                    format!("{set}{dot}{key}{}", definition.variants[0].1.as_str().unwrap_or_default())
                }
                Entry::Broken(why) => {
                    assert_eq!(&**why, "no variants");
                    format!("{set}{dot}{key}!")
                }
            }
        });
        flags.collect::<Vec<_>>().join(" ")
    }

    #[test]
    fn each_flag_keeps_its_own_last_good_definition() {
        let table = [
            ("", "a1 b1", "a1 b1", "a first document is taken"),
            ("a1 b1", "a2 b1", "a2 b1", "flags update"),
            ("a1 b1", "a2", "a2", "deleted flags go"),
            ("a1 b1", "a! b2", "a1 b2", "a broken one keeps what it was while others update"),
            ("", "a! b1", "a! b1", "one that never was good is broken"),
            ("a!", "a1", "a1", "and is mended"),
            ("a1 c1", "b! c1", "b! c1", "a deleted flag has no last good"),
            ("a1 b1", "a! b!", "a1 b1", "all broken is not none"),
            ("a1 x.a2", "a3 x.a2", "a3 x.a2", "equal keys live side by side"),
            ("a1 x.a2", "a! x.a!", "a1 x.a2", "each keeps its own"),
            ("a1 x.a2", "x.a3 a1", "x.a3 a1", "the last one counts"),
            ("a1 x.a2", "a1", "a1", "one of them goes"),
            ("a1 b1", "x.a! b1", "x.a! b1", "of another set it is another flag"),
            ("a!", "", "", "nothing good is lost with nothing good"),
        ];
        for (before, now, expected, what) in table {
            let mut good = LastGood::default();
            good.take(&document(before), false).unwrap();
            good.take(&document(now), false).unwrap();
            assert_eq!(told(good.entries()), expected, "{what}");
        }
    }

    #[test]
    fn a_definition_deleted_and_put_back_broken_is_not_revived() {
        let mut good = LastGood::default();
        for text in ["a1 b1", "b1", "a! b1"] {
            good.take(&document(text), false).unwrap();
        }
        assert_eq!(told(good.entries()), "a! b1");
    }

    #[test]
    fn from_some_flags_to_none_needs_to_be_allowed() {
        let mut good = LastGood::default();
        assert_eq!(good.take(&document(""), false), Ok(()));
        good.take(&document("a1 b1 c!"), false).unwrap();
        assert_eq!(good.take(&document(""), false), Err(2));
        assert_eq!(good.take(&document("d!"), false), Err(2), "nothing usable is none");
        assert_eq!(told(good.entries()), "a1 b1 c!");
        assert_eq!(good.take(&document(""), true), Ok(()));
        assert_eq!(told(good.entries()), "");
    }

    #[test]
    fn later_sources_win_flag_by_flag() {
        let table: [(&[&str], &str); 12] = [
            (&[], ""),
            (&["a1 b1", "b2 c2"], "a1 b2 c2"),
            (&["a1", "a2", "a3"], "a3"),
            (&["a1", "a!"], "a1"),
            (&["a!", "a1"], "a1"),
            (&["a!", "a!"], "a!"),
            (&["a1", "x.a2"], "a1 x.a2"),
            (&["x.a1", "a2"], "x.a1 a2"),
            (&["a1 x.a1", "a2"], "x.a1 a2"),
            (&["x.a1", "a!"], "a! x.a1"),
            (&["x.a1", "a!", "a2"], "x.a1 a2"),
            (&["x.a!", "a!", "x.a1"], "a! x.a1"),
        ];
        for (sources, expected) in table {
            let sources = sources.iter().map(|text| {
                let mut good = LastGood::default();
                good.take(&document(text), false).unwrap();
                (Arc::from(*text), good)
            });
            let sources: Vec<(Arc<str>, LastGood)> = sources.collect();
            let merged = merge(sources.iter().map(|(name, good)| (name, good)));
            assert_eq!(told(&merged), expected);
            for stated in merged.iter() {
                let told = told(&FlagMap::from_iter([stated.clone()]));
                assert!(stated.source.split(' ').any(|flag| flag == told), "{told} is of {}", stated.source);
            }
        }
    }
}
