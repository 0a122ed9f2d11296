//! Who a flag is: its key, and the flag set that it stands in.

use std::fmt;
use std::sync::Arc;

use serde_json::Value as Json;

/// The metadata that names a flag set.
pub const FLAG_SET_ID: &str = "flagSetId";

/// Equal keys may stand side by side in different flag sets.
#[derive(Debug, Clone, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Identity {
    /// `flagSetId` of the metadata that holds for the flag; empty: it stands in none.
    pub set: Arc<str>,
    /// Its name.
    pub key: Arc<str>,
}

impl From<Arc<str>> for Identity {
    /// A flag of no set.
    fn from(key: Arc<str>) -> Identity {
        Identity { set: Arc::default(), key }
    }
}

impl From<&str> for Identity {
    /// A flag of no set.
    fn from(key: &str) -> Identity {
        Arc::<str>::from(key).into()
    }
}

impl fmt::Display for Identity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &*self.set {
            "" => write!(f, "`{}`", self.key),
            set => write!(f, "`{}` of the flag set `{}`", self.key, set.escape_debug()),
        }
    }
}

/// The flag set that metadata as it is written leads to: its own, or what is inherited from the document. It is known of flags that are
/// wrong, too, and agrees with the merged metadata of those that are not.
pub fn flag_set<'j>(own: Option<&'j Json>, inherited: &'j str) -> &'j str {
    match own.and_then(|own| own.get(FLAG_SET_ID)) {
        Some(Json::String(id)) => id,
        // It covers the inherited one, and names no set.
        Some(Json::Number(_) | Json::Bool(_)) => "",
        Some(Json::Null | Json::Array(_) | Json::Object(_)) | None => inherited,
    }
}
