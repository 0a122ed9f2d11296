//! Which flags a caller asks for: flagd's selector, `key=value`.

use super::Flag;

/// A parsed selector.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum Selector {
    /// Every flag.
    All,
    /// Flags of this flag set; the empty text selects flags of none.
    FlagSet(Box<str>),
    /// Flags of this source.
    Source(Box<str>),
}

impl Selector {
    /// Parses the value of `Flagd-Selector`: split at the first `=`, without one it names a source. `Err`: the key that is no selector's.
    pub fn parse(text: &str) -> Result<Selector, String> {
        match text.split_once('=') {
            None if text.is_empty() => Ok(Selector::All),
            None => Ok(Selector::Source(text.into())),
            Some(("flagSetId", id)) => Ok(Selector::FlagSet(id.into())),
            Some(("source", source)) => Ok(Selector::Source(source.into())),
            Some((key, _)) => Err(key.to_owned()),
        }
    }

    /// Whether it selects a flag.
    pub fn selects(&self, flag: &Flag) -> bool {
        match self {
            Selector::All => true,
            Selector::FlagSet(id) => flag.set_id().unwrap_or_default() == &**id,
            Selector::Source(_) => todo!("a definition knows its source"),
        }
    }
}
