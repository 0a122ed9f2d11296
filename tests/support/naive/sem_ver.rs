//! `sem_ver`: Semantic Versioning 2 with flagd's leniency: a leading `v`, and versions of one or two parts. Parts beyond 64 bits are none.

use std::cmp::Ordering;

use super::value::Value;

/// `[version, operator, version]`; null for whatever is not that.
pub fn sem_ver(values: &[Value]) -> Value {
    let [a, Value::Text(operator), b] = values else { return Value::Null };
    let (Some(a), Some(b)) = (Version::read(&a.text()), Version::read(&b.text())) else { return Value::Null };
    let order = a.order(&b);
    Value::Bool(match operator.as_str() {
        "=" => order == Ordering::Equal,
        "!=" => order != Ordering::Equal,
        "<" => order == Ordering::Less,
        "<=" => order != Ordering::Greater,
        ">" => order == Ordering::Greater,
        ">=" => order != Ordering::Less,
        "^" => a.core[0] == b.core[0],
        "~" => a.core[..2] == b.core[..2],
        _ => return Value::Null,
    })
}

struct Version {
    /// Major, minor, patch.
    core: Vec<u64>,
    pre: Vec<String>,
}

impl Version {
    fn read(text: &str) -> Option<Version> {
        let text = text.strip_prefix(['v', 'V']).unwrap_or(text);
        let (text, build) = text.split_once('+').map_or((text, None), |(text, build)| (text, Some(build)));
        let (core, pre) = text.split_once('-').map_or((text, None), |(core, pre)| (core, Some(pre)));
        let number = |part: &str| (is_number(part) && !padded(part)).then(|| part.parse().ok()).flatten();
        let mut core: Vec<u64> = core.split('.').map(number).collect::<Option<_>>()?;
        let partial = core.len() < 3;
        if partial && (pre.is_some() || build.is_some()) {
            return None;
        }
        core.resize(core.len().max(3), 0);
        let pre: Vec<String> = pre.map(|pre| pre.split('.').map(str::to_owned).collect()).unwrap_or_default();
        let build: Vec<&str> = build.map(|build| build.split('.').collect()).unwrap_or_default();
        let good = core.len() == 3
            && pre.iter().all(|part| is_identifier(part) && !(is_number(part) && padded(part)))
            && build.iter().all(|part| is_identifier(part));
        good.then_some(Version { core, pre })
    }

    /// Build metadata does not count.
    fn order(&self, other: &Version) -> Ordering {
        self.core.cmp(&other.core).then_with(|| {
            match (self.pre.is_empty(), other.pre.is_empty()) {
                // A release comes after what led to it.
                (true, true) => Ordering::Equal,
                (true, false) => Ordering::Greater,
                (false, true) => Ordering::Less,
                (false, false) => {
                    let pairs = self.pre.iter().zip(&other.pre).map(|(a, b)| by_identifier(a, b));
                    pairs.fold(Ordering::Equal, Ordering::then).then(self.pre.len().cmp(&other.pre.len()))
                }
            }
        })
    }
}

fn is_number(text: &str) -> bool {
    !text.is_empty() && text.chars().all(|c| c.is_ascii_digit())
}

fn padded(text: &str) -> bool {
    text.len() > 1 && text.starts_with('0')
}

fn is_identifier(text: &str) -> bool {
    !text.is_empty() && text.chars().all(|c| c.is_ascii_alphanumeric() || c == '-')
}

fn by_number(a: &str, b: &str) -> Ordering {
    a.len().cmp(&b.len()).then_with(|| a.cmp(b))
}

fn by_identifier(a: &str, b: &str) -> Ordering {
    match (is_number(a), is_number(b)) {
        (true, true) => by_number(a, b),
        (true, false) => Ordering::Less,
        (false, true) => Ordering::Greater,
        (false, false) => a.cmp(b),
    }
}
