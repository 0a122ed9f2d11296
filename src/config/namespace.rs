//! The decision namespace: the field names that only Flagway may speak.
//!
//! A name is folded before it is compared: what is no letter or digit counts as `-`, because servers behind (CGI, WSGI, PHP)
//! fold names so, and `x_flag_v` would reach them as `x-flag-v`.

use super::Injection;

/// Fields of Flagway's own that are no flags.
const OWN_PREFIX: &str = "x-flagway-";
/// The dictionary.
const DICTIONARY: &str = "flag-decisions";

impl Injection {
    /// The form of a name that decisions travel under: lower case, with `-` for everything that is not a letter or digit.
    pub fn fold(name: &str) -> String {
        let fold = |c: char| if c.is_ascii_alphanumeric() { c.to_ascii_lowercase() } else { '-' };
        name.chars().map(fold).collect()
    }

    /// Whether a header's name belongs to decisions: what arrives under it from outside is dropped. It allocates nothing: every
    /// field of every request is asked about.
    pub fn reserves(&self, header: &str) -> bool {
        starts_with(header, &self.prefix)
            || starts_with(header, OWN_PREFIX)
            || (header.len() == DICTIONARY.len() && starts_with(header, DICTIONARY))
    }
}

/// Whether servers behind may take a name for one that starts so; `folded` is folded, `name` not yet.
pub fn starts_with(name: &str, folded: &str) -> bool {
    let fold = |byte: u8| if byte.is_ascii_alphanumeric() { byte.to_ascii_lowercase() } else { b'-' };
    name.len() >= folded.len() && name.bytes().zip(folded.bytes()).all(|(byte, folded)| fold(byte) == folded)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn reserved(prefix: &str, name: &str) -> bool {
        Injection { prefix: prefix.to_owned(), ..Injection::default() }.reserves(name)
    }

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
        ];
        for (prefix, name, owned) in table {
            assert_eq!(reserved(prefix, name), owned, "{name} under {prefix}");
        }
    }

    proptest::proptest! {
        #[test]
        fn what_folds_to_an_injected_name_is_owned(name in "[a-zA-Z0-9._~!*'+|^`-]{1,30}") {
            let spelled = format!("x_FLAG.{name}");
            proptest::prop_assert!(reserved("x-flag-", &spelled));
            proptest::prop_assert!(reserved("x-flag-", &Injection::fold(&spelled)));
            let other = format!("y-{name}");
            proptest::prop_assert!(!reserved("x-flag-", &other));
        }
    }
}
