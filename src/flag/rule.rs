//! The compiled form of a targeting: what an evaluation walks instead of JSON.
//!
//! Names have become indexes, constants have become values, and a `fractional` with literal weights its table. Nothing
//! here depends on a request.

use serde_json::Value as Json;

use super::murmur3::Murmur3;
use super::{Slot, VariantId};
use crate::config::FractionalVersion;

/// One expression of a rule.
#[derive(Debug)]
pub enum Expr {
    Literal(Literal),
    /// A list with something to evaluate in it.
    List(Box<[Expr]>),
    Var(Lookup, Option<Box<Expr>>),
    /// Condition, result, condition, result, ..., else.
    If(Box<[Expr]>),
    And(Box<[Expr]>),
    Or(Box<[Expr]>),
    Call(Op, Box<[Expr]>),
    /// `in` with a long literal list of texts, sorted.
    Among(Box<Expr>, Box<[Box<str>]>),
    Missing(Missing),
    Each(Each, Box<Expr>, Box<Expr>),
    /// List, body, initial value.
    Reduce(Box<[Expr; 3]>),
    Fractional(Box<Fractional>),
}

impl Expr {
    /// Whether its value may be a list that the rule itself writes or makes. A `var` is taken to be none: no request has a list.
    pub fn may_be_list(&self) -> bool {
        match self {
            Expr::Literal(literal) => literal.json.is_array(),
            Expr::List(_) | Expr::Missing(_) | Expr::Reduce(_) | Expr::Call(Op::Merge, _) => true,
            Expr::Each(each, ..) => matches!(each, Each::Map | Each::Filter),
            Expr::If(args) | Expr::And(args) | Expr::Or(args) => args.iter().any(Expr::may_be_list),
            Expr::Var(_, default) => default.as_ref().is_some_and(|default| default.may_be_list()),
            Expr::Call(..) | Expr::Among(..) | Expr::Fractional(_) => false,
        }
    }
}

/// A constant, and what it means as the result of a rule.
#[derive(Debug)]
pub struct Literal {
    pub json: Json,
    pub answer: Answer,
}

/// What the result of a rule means.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Answer {
    /// It names a variant.
    Variant(VariantId),
    /// It is null: the default variant.
    Default,
    /// It names no variant.
    Unknown,
}

/// What a `var` reads.
#[derive(Debug)]
pub enum Lookup {
    Slot(Slot),
    TargetingKey,
    /// A constant of the flag.
    FlagKey,
    Timestamp,
    /// Nothing can be there: `$flagd.color`.
    Nothing,
    /// Any other path into the context as a whole: the empty path, `$flagd`.
    Whole(Box<str>),
    /// Inside `map`, `filter`, `all`, `some`, `none` and `reduce`: a path into the element.
    Local(Box<str>),
    /// The path is known only while the rule runs; the flag says whether it is inside a list's body.
    Computed(Box<Expr>, bool),
}

/// `missing` and `missing_some`.
#[derive(Debug)]
pub struct Missing {
    /// For `missing_some`: how many of the names suffice.
    pub need: Option<Box<Expr>>,
    /// Names known when the rule loads, with what they read; else the names are computed.
    pub names: MissingNames,
}

/// The names that `missing` looks for.
#[derive(Debug)]
pub enum MissingNames {
    Known(Box<[(Json, Lookup)]>),
    /// The arguments, and whether they stand inside a list's body.
    Computed(Box<[Expr]>, bool),
}

/// Operators that run a body on each item.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Each {
    Map,
    Filter,
    All,
    None,
    Some,
}

/// `fractional`.
#[derive(Debug)]
pub struct Fractional {
    pub version: FractionalVersion,
    /// What is split, when the rule says so; it may still turn out to be a bucket.
    pub unit: Option<Expr>,
    /// The hash of what stands before the targeting key in the implicit unit: the flag's key.
    pub prefix: Murmur3,
    pub split: Split,
}

/// How buckets are found.
#[derive(Debug)]
pub enum Split {
    /// Weights and variants are literals: the end of each bucket, counted from 0; the last one is the sum of weights.
    Fixed(Box<[(u32, Literal)]>),
    /// A literal makes it null whatever the rest says.
    Nothing,
    /// Computed with each evaluation; every bucket as an expression.
    Computed(Box<[Expr]>),
}

/// An operator that is a function of its arguments' values.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Op {
    Equal,
    StrictEqual,
    NotEqual,
    StrictNotEqual,
    Less,
    LessEqual,
    Greater,
    GreaterEqual,
    Not,
    Truthy,
    Max,
    Min,
    Add,
    Subtract,
    Multiply,
    Divide,
    Remainder,
    In,
    Cat,
    Substr,
    Merge,
    StartsWith,
    EndsWith,
    SemVer,
}

/// The operators that are functions, as they are written.
pub const OPS: [(&str, Op); 24] = [
    ("==", Op::Equal),
    ("===", Op::StrictEqual),
    ("!=", Op::NotEqual),
    ("!==", Op::StrictNotEqual),
    ("<", Op::Less),
    ("<=", Op::LessEqual),
    (">", Op::Greater),
    (">=", Op::GreaterEqual),
    ("!", Op::Not),
    ("!!", Op::Truthy),
    ("max", Op::Max),
    ("min", Op::Min),
    ("+", Op::Add),
    ("-", Op::Subtract),
    ("*", Op::Multiply),
    ("/", Op::Divide),
    ("%", Op::Remainder),
    ("in", Op::In),
    ("cat", Op::Cat),
    ("substr", Op::Substr),
    ("merge", Op::Merge),
    ("starts_with", Op::StartsWith),
    ("ends_with", Op::EndsWith),
    ("sem_ver", Op::SemVer),
];

/// The operators that decide themselves what of their arguments is evaluated.
pub const FORMS: [&str; 14] = [
    "var",
    "missing",
    "missing_some",
    "if",
    "?:",
    "or",
    "and",
    "map",
    "filter",
    "reduce",
    "all",
    "none",
    "some",
    "fractional",
];

impl Op {
    /// The operator of that name.
    pub fn named(name: &str) -> Option<Op> {
        OPS.iter().find(|(known, _)| *known == name).map(|(_, op)| *op)
    }

    /// As it is written in a rule.
    pub fn name(self) -> &'static str {
        OPS.iter().find(|(_, op)| *op == self).map_or("", |(name, _)| name)
    }
}

impl Each {
    /// The operator of that name.
    pub fn named(name: &str) -> Option<Each> {
        [Each::Map, Each::Filter, Each::All, Each::None, Each::Some]
            .into_iter()
            .find(|each| each.name() == name)
    }

    /// As it is written in a rule.
    pub fn name(self) -> &'static str {
        match self {
            Each::Map => "map",
            Each::Filter => "filter",
            Each::All => "all",
            Each::None => "none",
            Each::Some => "some",
        }
    }
}

/// Whether flagd's JSON Logic has an operator of that name.
pub fn is_operator(name: &str) -> bool {
    FORMS.contains(&name) || Op::named(name).is_some()
}
