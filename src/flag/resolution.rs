//! The outcome of one flag for one context.

use super::{FlagId, VariantId};

/// What a flag resolved to. The value is the variant's, looked up in the [`super::Flag`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Resolution {
    pub flag: FlagId,
    /// None: no value; the caller's default serves.
    pub variant: Option<VariantId>,
    pub reason: Reason,
    /// Present exactly when the reason is `Error`.
    pub error: Option<ErrorCode>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Reason {
    Static,
    Default,
    TargetingMatch,
    Disabled,
    Error,
}

impl Reason {
    /// Every reason, in the order of its discriminant.
    pub const ALL: [Reason; 5] =
        [Reason::Static, Reason::Default, Reason::TargetingMatch, Reason::Disabled, Reason::Error];

    /// As OpenFeature writes it: `TARGETING_MATCH`.
    pub fn as_str(self) -> &'static str {
        match self {
            Reason::Static => "STATIC",
            Reason::Default => "DEFAULT",
            Reason::TargetingMatch => "TARGETING_MATCH",
            Reason::Disabled => "DISABLED",
            Reason::Error => "ERROR",
        }
    }

    /// As telemetry and the decision dictionary write it: `targeting_match`.
    pub fn label(self) -> &'static str {
        match self {
            Reason::Static => "static",
            Reason::Default => "default",
            Reason::TargetingMatch => "targeting_match",
            Reason::Disabled => "disabled",
            Reason::Error => "error",
        }
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum ErrorCode {
    FlagNotFound,
    ParseError,
    TypeMismatch,
    TargetingKeyMissing,
    InvalidContext,
    General,
}

impl ErrorCode {
    /// As OpenFeature writes it: `PARSE_ERROR`.
    pub fn as_str(self) -> &'static str {
        match self {
            ErrorCode::FlagNotFound => "FLAG_NOT_FOUND",
            ErrorCode::ParseError => "PARSE_ERROR",
            ErrorCode::TypeMismatch => "TYPE_MISMATCH",
            ErrorCode::TargetingKeyMissing => "TARGETING_KEY_MISSING",
            ErrorCode::InvalidContext => "INVALID_CONTEXT",
            ErrorCode::General => "GENERAL",
        }
    }
}
