//! Which flags a caller asks for: flagd's selector, `key=value`.

use super::Flag;
use super::identity::FLAG_SET_ID;

/// The other key of a selector.
const SOURCE: &str = "source";

/// A parsed selector.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum Selector {
    /// Every flag.
    All,
    /// Flags of this flag set; the empty text selects flags of none.
    FlagSet(Box<str>),
    /// Flags that this source states, named as the configuration names it.
    Source(Box<str>),
}

impl Selector {
    /// Parses the value of `Flagd-Selector`: split at the first `=`, without one it names a source. `Err`: the key that is no selector's.
    pub fn parse(text: &str) -> Result<Selector, String> {
        match text.split_once('=') {
            None if text.is_empty() => Ok(Selector::All),
            None => Ok(Selector::Source(text.into())),
            Some((FLAG_SET_ID, id)) => Ok(Selector::FlagSet(id.into())),
            Some((SOURCE, source)) => Ok(Selector::Source(source.into())),
            Some((key, _)) => Err(key.to_owned()),
        }
    }

    /// Whether it selects a flag.
    pub fn selects(&self, flag: &Flag) -> bool {
        match self {
            Selector::All => true,
            Selector::FlagSet(id) => flag.set_id().unwrap_or_default() == &**id,
            Selector::Source(name) => flag.source() == &**name,
        }
    }

    /// What it adds to the metadata of an answer, so that a client sees what it was answered from.
    pub fn metadata(&self) -> Option<(&'static str, &str)> {
        let (key, value) = match self {
            Selector::All => return None,
            Selector::FlagSet(id) => (FLAG_SET_ID, id),
            Selector::Source(name) => (SOURCE, name),
        };
        (!value.is_empty()).then_some((key, value))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_selector_is_one_pair_split_at_the_first_equals_sign() {
        let set = |id: &str| Selector::FlagSet(id.into());
        let source = |name: &str| Selector::Source(name.into());
        for (text, expected, metadata) in [
            ("", Selector::All, None),
            ("flagSetId=shop", set("shop"), Some((FLAG_SET_ID, "shop"))),
            ("flagSetId=a=b", set("a=b"), Some((FLAG_SET_ID, "a=b"))),
            ("flagSetId=", set(""), None),
            ("source=flags.json", source("flags.json"), Some((SOURCE, "flags.json"))),
            ("../flags.json", source("../flags.json"), Some((SOURCE, "../flags.json"))),
            ("source=", source(""), None),
        ] {
            assert_eq!(Selector::parse(text), Ok(expected.clone()), "{text}");
            assert_eq!(expected.metadata(), metadata, "{text}");
        }
        for (text, key) in
            [("key=a", "key"), ("=a", ""), ("FlagSetId=a", "FlagSetId"), (" source=a", " source")]
        {
            assert_eq!(Selector::parse(text), Err(key.to_owned()), "{text}");
        }
    }
}
