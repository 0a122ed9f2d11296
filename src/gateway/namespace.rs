//! The decision namespace: the field names that only Flagway may speak.
//!
//! A name is folded before it is compared: what is no letter or digit counts as `-`, because servers behind (CGI, WSGI, PHP)
//! fold names so, and `x_flag_v` would reach them as `x-flag-v`.

use http::HeaderName;

/// Fields of Flagway's own that are no flags.
const OWN_PREFIX: &[u8] = b"x-flagway-";
/// The dictionary.
const DICTIONARY: &[u8] = b"flag-decisions";

/// The field names of decisions, under the configured prefix.
#[derive(Debug)]
pub struct Namespace {
    /// Folded.
    prefix: Box<[u8]>,
}

impl Namespace {
    /// `prefix` as in `injection.prefix`.
    pub fn new(prefix: &str) -> Namespace {
        Namespace { prefix: prefix.bytes().map(fold).collect() }
    }

    /// Whether a field of this name is a decision's.
    pub fn owns(&self, name: &HeaderName) -> bool {
        let name = name.as_str().as_bytes();
        starts_with(name, &self.prefix)
            || starts_with(name, OWN_PREFIX)
            || (name.len() == DICTIONARY.len() && starts_with(name, DICTIONARY))
    }
}

/// `folded` is folded, `name` not yet.
fn starts_with(name: &[u8], folded: &[u8]) -> bool {
    name.len() >= folded.len() && name.iter().zip(folded).all(|(byte, folded)| fold(*byte) == *folded)
}

fn fold(byte: u8) -> u8 {
    if byte.is_ascii_alphanumeric() { byte.to_ascii_lowercase() } else { b'-' }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn any_spelling_that_folds_into_the_namespace_is_in_it() {
        let table = [
            ("x-flag-", "x-flag-a", true),
            ("x-flag-", "X-FLAG-A", true),
            ("x-flag-", "x_flag.a", true),
            ("x-flag-", "x~flag!a", true),
            ("x-flag-", "x-flag-", true),
            ("x-flag-", "x-flag", false),
            ("x-flag-", "x-flags", false),
            ("x-flag-", "xx-flag-a", false),
            ("x-flag-", "x-flagway-version", true),
            ("x-flag-", "X_Flagway.Anything", true),
            ("x-flag-", "x-flagways", false),
            ("x-flag-", "flag-decisions", true),
            ("x-flag-", "Flag_Decisions", true),
            ("x-flag-", "flag-decisions-", false),
            ("x-flag-", "flag-decision", false),
            ("x-exp-", "x_exp_a", true),
            ("x-exp-", "x-flag-a", false),
            ("x-exp-", "x-flagway-a", true),
            ("x.exp_", "x-exp-a", true),
        ];
        for (prefix, name, owned) in table {
            let name = HeaderName::from_bytes(name.as_bytes()).unwrap();
            assert_eq!(Namespace::new(prefix).owns(&name), owned, "{name} under {prefix}");
        }
    }

    proptest::proptest! {
        #[test]
        fn what_folds_to_an_injected_name_is_owned(name in "[a-zA-Z0-9._~!*'+|^`-]{1,30}") {
            let namespace = Namespace::new("x-flag-");
            let spelled = format!("x_FLAG.{name}");
            let header = HeaderName::from_bytes(spelled.as_bytes()).unwrap();
            proptest::prop_assert!(namespace.owns(&header));
            let free = HeaderName::from_bytes(format!("y-{name}").as_bytes()).unwrap();
            proptest::prop_assert!(!namespace.owns(&free));
        }
    }
}
