//! What header edits need of a request's or a response's head.
//!
//! Pingora keeps the spelling of names beside the map, so both heads are changed through their own methods only.

use http::{HeaderMap, HeaderName, HeaderValue};
use pingora::http::{RequestHeader, ResponseHeader};

use crate::config::Injection;
use crate::config::route::HeaderEdits;

/// A head whose fields can be changed.
pub trait Fields {
    /// The fields as they are.
    fn all(&self) -> &HeaderMap;
    /// Replaces every line of a name.
    fn set(&mut self, name: &HeaderName, value: HeaderValue);
    /// Appends a line.
    fn add(&mut self, name: &HeaderName, value: HeaderValue);
    /// Removes every line of a name.
    fn remove(&mut self, name: &HeaderName);

    /// Applies what an operator configured: rename, remove, set, add. The decision namespace is out of reach.
    fn edit(&mut self, edits: &HeaderEdits, injection: &Injection) {
        for (old, new) in &edits.rename {
            if !injection.reserves(old.as_str()) && !injection.reserves(new.as_str()) {
                self.rename(old, new);
            }
        }
        edits
            .remove
            .iter()
            .filter(|name| !injection.reserves(name.as_str()))
            .for_each(|name| self.remove(name));
        for (name, value) in edits.set.iter().filter(|(name, _)| !injection.reserves(name.as_str())) {
            self.set(name, value.clone());
        }
        for (name, value) in edits.add.iter().filter(|(name, _)| !injection.reserves(name.as_str())) {
            self.add(name, value.clone());
        }
    }

    /// Moves every line of the old name to the new one. What had the new name goes in any case: whoever trusts the new name as
    /// the old one's must not find there what a client sent under it.
    fn rename(&mut self, old: &HeaderName, new: &HeaderName) {
        let values: Vec<HeaderValue> = self.all().get_all(old).iter().cloned().collect();
        self.remove(old);
        self.remove(new);
        values.into_iter().for_each(|value| self.add(new, value));
    }

    /// Removes every field of the decision namespace.
    fn strip(&mut self, injection: &Injection) {
        if !self.all().keys().any(|name| injection.reserves(name.as_str())) {
            return;
        }
        let owned: Vec<HeaderName> =
            self.all().keys().filter(|name| injection.reserves(name.as_str())).cloned().collect();
        owned.iter().for_each(|name| self.remove(name));
    }
}

// Inserting fails only for names and values that do not parse; these are parsed already.
macro_rules! fields_of {
    ($head:ty) => {
        impl Fields for $head {
            fn all(&self) -> &HeaderMap {
                &self.headers
            }

            fn set(&mut self, name: &HeaderName, value: HeaderValue) {
                let _ = self.insert_header(name, value);
            }

            fn add(&mut self, name: &HeaderName, value: HeaderValue) {
                let _ = self.append_header(name, value);
            }

            fn remove(&mut self, name: &HeaderName) {
                self.remove_header(name);
            }
        }
    };
}

fields_of!(RequestHeader);
fields_of!(ResponseHeader);

#[cfg(test)]
mod tests {
    use super::*;

    fn name(text: &str) -> HeaderName {
        HeaderName::from_bytes(text.as_bytes()).unwrap()
    }

    fn value(text: &'static str) -> HeaderValue {
        HeaderValue::from_static(text)
    }

    fn lines(head: &impl Fields) -> Vec<(String, String)> {
        let line = |(name, value): (&HeaderName, &HeaderValue)| {
            (name.as_str().to_owned(), value.to_str().unwrap().to_owned())
        };
        head.all().iter().map(line).collect()
    }

    #[test]
    fn edits_remove_then_set_then_add_and_never_touch_decisions() {
        let mut head = ResponseHeader::build(200, None).unwrap();
        for (field, text) in [("server", "nginx"), ("x-a", "1"), ("x-a", "2"), ("x-flag-v", "stable")] {
            head.append_header(field, text).unwrap();
        }
        let edits = HeaderEdits {
            rename: Vec::new(),
            remove: vec![name("server"), name("x-flag-v")],
            set: vec![(name("x-a"), value("3")), (name("x-flag-v"), value("canary"))],
            add: vec![(name("x-a"), value("4")), (name("x_flag.other"), value("1"))],
        };
        head.edit(&edits, &Injection::default());
        let expected = [("x-a", "3"), ("x-a", "4"), ("x-flag-v", "stable")];
        let mut found = lines(&head);
        found.sort();
        assert_eq!(found, expected.map(|(name, value)| (name.to_owned(), value.to_owned())));
    }

    #[test]
    fn renaming_moves_every_line_and_leaves_none_that_had_the_new_name() {
        type Lines = &'static [(&'static str, &'static str)];
        let table: [(Lines, Lines); 4] = [
            (&[("x-old", "1"), ("x-old", "2")], &[("x-new", "1"), ("x-new", "2")]),
            (&[("x-old", "1"), ("x-new", "forged")], &[("x-new", "1")]),
            (&[("x-new", "forged")], &[]),
            (&[("x-flag-v", "stable"), ("x-other", "1")], &[("x-flag-v", "stable"), ("x-other", "1")]),
        ];
        let edits = HeaderEdits {
            rename: vec![
                (name("x-old"), name("x-new")),
                (name("x-flag-v"), name("x-mine")),
                (name("x-other"), name("x_flag_v")),
            ],
            ..HeaderEdits::default()
        };
        for (before, after) in table {
            let mut head = RequestHeader::build("GET", b"/", None).unwrap();
            for (field, text) in before {
                head.append_header(field.to_string(), *text).unwrap();
            }
            head.edit(&edits, &Injection::default());
            let mut found = lines(&head);
            found.sort();
            let expected = after.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned()));
            assert_eq!(found, expected.collect::<Vec<_>>(), "{before:?}");
        }
    }

    #[test]
    fn what_is_renamed_can_be_replaced_and_removed() {
        let mut head = RequestHeader::build("GET", b"/", None).unwrap();
        head.append_header("Authorization", "Bearer user").unwrap();
        head.append_header("x-trace", "1").unwrap();
        let edits = HeaderEdits {
            rename: vec![
                (name("authorization"), name("x-original-authorization")),
                (name("x-trace"), name("x-parent")),
            ],
            remove: vec![name("x-parent")],
            set: vec![(name("authorization"), value("Bearer shadow"))],
            add: Vec::new(),
        };
        head.edit(&edits, &Injection::default());
        let mut found = lines(&head);
        found.sort();
        let expected = [("authorization", "Bearer shadow"), ("x-original-authorization", "Bearer user")];
        assert_eq!(found, expected.map(|(name, value)| (name.to_owned(), value.to_owned())));
    }

    #[test]
    fn stripping_removes_every_line_in_the_namespace_and_nothing_else() {
        let mut head = RequestHeader::build("GET", b"/", None).unwrap();
        for field in
            ["X-Flag-V", "x_flag_v", "x-flag-v", "X-Flagway-Version", "flag.decisions", "x-flags", "host"]
        {
            head.append_header(field, "1").unwrap();
        }
        head.strip(&Injection::default());
        let mut left = lines(&head).into_iter().map(|(name, _)| name).collect::<Vec<_>>();
        left.sort();
        assert_eq!(left, ["host", "x-flags"]);
    }
}
