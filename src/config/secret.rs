//! A secret of the operator: it can be used, and shows itself nowhere.

use std::fmt;

use super::Name;

/// At least 32 visible ASCII characters, written in the file or put in by the environment.
#[derive(Clone, PartialEq, Eq)]
pub struct Secret(Name);

impl Secret {
    /// Takes over a text that has been checked.
    pub(super) fn new(text: Name) -> Secret {
        Secret(text)
    }

    #[cfg(test)]
    pub(crate) fn for_tests(text: &str) -> Secret {
        Secret(text.into())
    }

    /// For whoever signs or verifies.
    pub fn as_bytes(&self) -> &[u8] {
        self.0.as_bytes()
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Secret(..)")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_does_not_show_itself() {
        let text = "0123456789abcdef0123456789abcdef";
        assert!(!format!("{:?}", Secret::new(text.into())).contains("0123"));
    }
}
