//! The outcome of one flag for one context.

use super::{FlagId, VariantId};

/// What a flag resolved to. The value is the variant's, looked up in the [`super::Flag`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Resolution {
    /// The flag that was asked.
    pub flag: FlagId,
    /// None: no value; the caller's default serves.
    pub variant: Option<VariantId>,
    /// Why it is that variant, or none.
    pub reason: Reason,
    /// Present exactly when the reason is `Error`.
    pub error: Option<ErrorCode>,
}

/// Why a flag resolved as it did.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Reason {
    /// There is no targeting: the default variant.
    Static,
    /// The targeting gave null, or there is neither targeting nor default variant.
    Default,
    /// The targeting named the variant.
    TargetingMatch,
    /// The flag is disabled: no variant.
    Disabled,
    /// An [`ErrorCode`] says what went wrong: no variant.
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

/// What went wrong, in OpenFeature's words.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum ErrorCode {
    /// No flag of that key.
    FlagNotFound,
    /// The definition cannot be used.
    ParseError,
    /// The value is of another type than the one asked for.
    TypeMismatch,
    /// The caller requires a targeting key and there is none.
    TargetingKeyMissing,
    /// The context is no object.
    InvalidContext,
    /// The rule named no variant.
    General,
    /// The evaluation went over a limit; in OpenFeature's words GENERAL, too.
    OverLimit(Limit),
}

/// What an evaluation may not use more of; both are keys of `flags.limits`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Limit {
    /// Expressions and items of lists.
    Steps,
    /// Text and lists that the rule made.
    Bytes,
}

impl Limit {
    /// Every limit, in the order of its discriminant.
    pub const ALL: [Limit; 2] = [Limit::Steps, Limit::Bytes];

    /// `steps` or `bytes`.
    pub fn as_str(self) -> &'static str {
        match self {
            Limit::Steps => "steps",
            Limit::Bytes => "bytes",
        }
    }
}

impl ErrorCode {
    /// The limit that the evaluation went over, if that is what went wrong.
    pub fn limit(self) -> Option<Limit> {
        match self {
            ErrorCode::OverLimit(limit) => Some(limit),
            _ => None,
        }
    }

    /// As OpenFeature writes it: `PARSE_ERROR`.
    pub fn as_str(self) -> &'static str {
        match self {
            ErrorCode::FlagNotFound => "FLAG_NOT_FOUND",
            ErrorCode::ParseError => "PARSE_ERROR",
            ErrorCode::TypeMismatch => "TYPE_MISMATCH",
            ErrorCode::TargetingKeyMissing => "TARGETING_KEY_MISSING",
            ErrorCode::InvalidContext => "INVALID_CONTEXT",
            ErrorCode::General | ErrorCode::OverLimit(_) => "GENERAL",
        }
    }
}
