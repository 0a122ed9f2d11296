//! The operators that are functions of values. None fails but over a limit: what makes no sense is null, false or no number.

mod arithmetic;
mod compare;
pub mod fractional;
mod list;
mod sem_ver;
mod text;

use super::meter::Meter;
use super::rule::Op;
use super::{Limit, Value};

/// Applies an operator to its evaluated arguments, which it may use up. That their texts are read is paid already.
pub fn apply<'a>(op: Op, args: &mut [Value<'a>], meter: &mut Meter) -> Result<Value<'a>, Limit> {
    Ok(match op {
        Op::Equal => compare::equal(args).into(),
        Op::NotEqual => (!compare::equal(args)).into(),
        Op::StrictEqual => compare::strictly(args).into(),
        Op::StrictNotEqual => (!compare::strictly(args)).into(),
        Op::Less => compare::ordered(args, |order| order.is_lt()).into(),
        Op::LessEqual => compare::ordered(args, |order| order.is_le()).into(),
        Op::Greater => compare::ordered(args, |order| order.is_gt()).into(),
        Op::GreaterEqual => compare::ordered(args, |order| order.is_ge()).into(),
        Op::Not => (!args.first().is_some_and(Value::truthy)).into(),
        Op::Truthy => args.first().is_some_and(Value::truthy).into(),
        Op::Max | Op::Min | Op::Add | Op::Subtract | Op::Multiply | Op::Divide | Op::Remainder => {
            arithmetic::apply(op, args).into()
        }
        Op::In => list::contains(args, meter)?.into(),
        Op::Merge => list::merge(args, meter)?,
        Op::Cat => text::cat(args, meter)?,
        Op::Substr => text::substr(args, meter)?,
        Op::StartsWith => text::edge(args, |text, edge| text.starts_with(edge)),
        Op::EndsWith => text::edge(args, |text, edge| text.ends_with(edge)),
        Op::SemVer => sem_ver::compare(args).into(),
    })
}

/// A condition on two texts, or on null in the place of one.
type OnTexts = fn(Option<&str>, Option<&str>) -> bool;

/// What an operator says of texts as a condition.
pub fn on_texts(op: Op) -> Option<OnTexts> {
    Some(match op {
        Op::Equal | Op::StrictEqual => |left, right| left == right,
        Op::NotEqual | Op::StrictNotEqual => |left, right| left != right,
        Op::In => |needle, text| needle.zip(text).is_some_and(|(needle, text)| list::within(needle, text)),
        Op::StartsWith => |text, edge| text.zip(edge).is_some_and(|(text, edge)| text.starts_with(edge)),
        Op::EndsWith => |text, edge| text.zip(edge).is_some_and(|(text, edge)| text.ends_with(edge)),
        _ => return None,
    })
}
