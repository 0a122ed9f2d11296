//! W3C trace context: a valid `traceparent` is kept with its `tracestate`, else a trace is started. The gateway makes no span of its own: who
//! comes next continues the caller's.

use http::{HeaderMap, HeaderName, HeaderValue};
use pingora::http::RequestHeader;

use crate::config::shadow::Share;

const PARENT: HeaderName = HeaderName::from_static("traceparent");
const STATE: HeaderName = HeaderName::from_static("tracestate");

/// `00-<32 hex digits>-<16 hex digits>-<2 hex digits>`
const LENGTH: usize = 55;

/// The trace that a request is part of.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Trace {
    parent: HeaderValue,
    /// False: it was started here.
    kept: bool,
}

impl Trace {
    /// The trace of a request with these fields; `fresh` and `span` are random bits, for one that is started.
    pub fn of(received: &HeaderMap, fresh: u128, span: u64, sampled: Share) -> Trace {
        let mut lines = received.get_all(&PARENT).iter();
        let only = lines.next().filter(|_| lines.next().is_none());
        match only.and_then(kept) {
            Some(parent) => Trace { parent, kept: true },
            None => Trace { parent: started(fresh.max(1), span.max(1), sampled), kept: false },
        }
    }

    /// Its 32 hex digits.
    pub fn id(&self) -> &str {
        self.parent.to_str().ok().and_then(|text| text.get(3..35)).unwrap_or_default()
    }

    /// Tells it to an upstream.
    pub fn tell(&self, request: &mut RequestHeader) {
        let _ = request.insert_header("traceparent", self.parent.clone());
        if !self.kept {
            // It belongs to a trace that nobody can follow.
            request.remove_header(&STATE);
        }
    }
}

/// A valid one, as this version of the standard writes it. Of a later version the first four parts are read.
fn kept(line: &HeaderValue) -> Option<HeaderValue> {
    let text = line.as_bytes();
    if text.len() < LENGTH || [2, 35, 52].iter().any(|dash| text[*dash] != b'-') {
        return None;
    }
    let hex = |part: &[u8]| part.iter().all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f'));
    let some = |part: &[u8]| hex(part) && part.iter().any(|byte| *byte != b'0');
    let (version, trace, span, flags) = (&text[..2], &text[3..35], &text[36..52], &text[53..55]);
    if !(hex(version) && some(trace) && some(span) && hex(flags)) || version == b"ff" {
        return None;
    }
    match (version, text.get(LENGTH)) {
        (b"00", None) => Some(line.clone()),
        (b"00", Some(_)) => None,
        // What its other flags mean, nobody knows here.
        (_, None | Some(b'-')) => {
            let sampled = matches!(flags[1], b'1' | b'3' | b'5' | b'7' | b'9' | b'b' | b'd' | b'f');
            let mut text = text[..LENGTH].to_vec();
            text[..2].copy_from_slice(b"00");
            text[53..].copy_from_slice(if sampled { b"01" } else { b"00" });
            HeaderValue::from_bytes(&text).ok()
        }
        _ => None,
    }
}

/// Its id decides whether it is sampled, so that whoever knows the id and the share can tell.
fn started(id: u128, span: u64, sampled: Share) -> HeaderValue {
    let drawn = (id as u64) as f64 / u64::MAX as f64;
    let flag = u8::from(drawn < sampled.0 || sampled.0 >= 1.0);
    // Hex digits and dashes are valid in a field value.
    HeaderValue::try_from(format!("00-{id:032x}-{span:016x}-{flag:02x}"))
        .unwrap_or_else(|_| HeaderValue::from_static(""))
}

#[cfg(test)]
mod tests {
    use super::*;

    const TRACE: &str = "0af7651916cd43dd8448eb211c80319c";
    const SPAN: &str = "b7ad6b7169203331";

    fn trace(lines: &[&str]) -> Trace {
        let lines = lines.iter().map(|line| (PARENT, HeaderValue::from_str(line).unwrap()));
        Trace::of(&HeaderMap::from_iter(lines), 0x2a, 7, Share(1.0))
    }

    #[test]
    fn a_valid_one_is_kept_and_any_other_replaced() {
        let good = format!("00-{TRACE}-{SPAN}-01");
        let kept = |text: &str| {
            let trace = trace(&[text]);
            trace.kept.then(|| trace.parent.to_str().unwrap().to_owned())
        };
        assert_eq!(kept(&good), Some(good.clone()));
        assert_eq!(kept(&format!("00-{TRACE}-{SPAN}-00")), Some(format!("00-{TRACE}-{SPAN}-00")));
        assert_eq!(kept(&format!("cc-{TRACE}-{SPAN}-09-later")), Some(good.clone()));
        assert_eq!(kept(&format!("01-{TRACE}-{SPAN}-02")), Some(format!("00-{TRACE}-{SPAN}-00")));
        for bad in [
            "".to_owned(),
            good.to_uppercase(),
            format!("{good}-"),
            format!("{good}0"),
            format!("ff-{TRACE}-{SPAN}-01"),
            format!("01-{TRACE}-{SPAN}-01.x"),
            format!("0-{TRACE}-{SPAN}-01"),
            format!("00-{}-{SPAN}-01", "0".repeat(32)),
            format!("00-{TRACE}-{}-01", "0".repeat(16)),
            format!("00-{TRACE}-{SPAN}-0g"),
            format!("00-{TRACE}-{SPAN}-1"),
            format!("00_{TRACE}_{SPAN}_01"),
            format!("00-{}-{SPAN}-01", &TRACE[1..]),
            format!("{good},{good}"),
        ] {
            assert_eq!(kept(&bad), None, "{bad}");
        }
        assert!(!trace(&[&good, &good]).kept && !trace(&[]).kept);
    }

    #[test]
    fn a_started_one_is_valid_and_drops_the_state_of_another() {
        let started = trace(&[]);
        assert_eq!(started.parent, "00-0000000000000000000000000000002a-0000000000000007-01");
        assert_eq!(started.id(), "0000000000000000000000000000002a");
        assert!(kept(&started.parent).is_some());
        assert!(kept(&Trace::of(&HeaderMap::new(), 0, 0, Share(0.0)).parent).is_some(), "no id is all zeros");
        for (trace, left) in [(started, 0), (trace(&[&format!("00-{TRACE}-{SPAN}-01")]), 2)] {
            let mut request = RequestHeader::build("GET", b"/", None).unwrap();
            request.append_header("tracestate", "a=1").unwrap();
            request.append_header("tracestate", "b=2").unwrap();
            trace.tell(&mut request);
            assert_eq!(request.headers.get_all(&STATE).iter().count(), left);
            assert_eq!(request.headers.get(&PARENT), Some(&trace.parent));
        }
    }

    #[test]
    fn as_many_ask_to_be_recorded_as_configured() {
        let share = |share: f64| {
            let asks = |n: u128| {
                let id = n.wrapping_mul(0x9e37_79b9_7f4a_7c15_f39c_c060_5ced_c835) | 1;
                Trace::of(&HeaderMap::new(), id, 1, Share(share)).parent.as_bytes().ends_with(b"1")
            };
            (1..=10_000).filter(|n| asks(*n)).count()
        };
        assert_eq!((share(0.0), share(1.0)), (0, 10_000));
        assert!((900..1_100).contains(&share(0.1)), "{}", share(0.1));
    }
}
