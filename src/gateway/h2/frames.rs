//! The frames of one HTTP/2 connection as they pass (RFC 9113, 4.1): how many of those that carry nothing, how many resets, and since when one
//! is under way.
//!
//! It reads heads of nine bytes and skips what follows: it decodes nothing, changes nothing and keeps nothing of a request. What the frames
//! mean is the h2 crate's to judge.

use std::time::Duration;

use tokio::time::Instant;

use crate::config::limits::H2Limits;
use crate::gateway::gate::refusal::Refusal;

/// What the client says before its first frame.
const PREFACE: u32 = 24;
/// What is counted is counted over so long a time.
const WINDOW: Duration = Duration::from_secs(30);
/// For so many bytes of bodies, in either direction, one more frame that carries nothing is due: windows are opened, round trips measured.
const BYTES_A_FRAME: u64 = 1 << 10;

const DATA: u8 = 0;
const HEADERS: u8 = 1;
const RST_STREAM: u8 = 3;
const CONTINUATION: u8 = 9;
const END_STREAM: u8 = 1;
const END_HEADERS: u8 = 4;

/// A connection under way.
#[derive(Debug)]
pub struct Frames {
    limits: H2Limits,
    at: At,
    /// Whether a list of fields goes on in the next frame.
    fields: bool,
    /// When the frame or the list of fields that is under way began.
    since: Option<Instant>,
    began: Instant,
    counts: Counts,
}

#[derive(Debug, Clone, Copy)]
enum At {
    /// In a frame's head; so much of it is there.
    Head { bytes: [u8; 9], have: usize },
    /// So much of a frame, or of the preface, is left.
    Inside { left: u32, data: bool },
}

/// Of the last [`WINDOW`].
#[derive(Debug, Default)]
struct Counts {
    /// Frames that carry nothing of a request.
    control: u64,
    resets: u64,
    opened: u64,
    bytes: u64,
}

impl Frames {
    /// A connection that begins now, with its preface.
    pub fn new(limits: H2Limits) -> Frames {
        let now = Instant::now();
        let at = At::Inside { left: PREFACE, data: false };
        Frames { limits, at, fields: false, since: Some(now), began: now, counts: Counts::default() }
    }

    /// Bytes that came. The refusal says that the client asks for work and not for answers.
    pub fn came(&mut self, mut bytes: &[u8]) -> Result<(), Refusal> {
        let now = Instant::now();
        while !bytes.is_empty() {
            bytes = match &mut self.at {
                At::Inside { left, data } => {
                    let here = (*left as usize).min(bytes.len());
                    *left -= here as u32;
                    if *data {
                        self.counts.bytes += here as u64;
                    }
                    &bytes[here..]
                }
                At::Head { bytes: head, have } => {
                    let here = (head.len() - *have).min(bytes.len());
                    head[*have..*have + here].copy_from_slice(&bytes[..here]);
                    *have += here;
                    if *have == head.len() {
                        let head = *head;
                        self.begin(head, now)?;
                    } else if !self.fields {
                        self.since.get_or_insert(now);
                    }
                    &bytes[here..]
                }
            };
            if matches!(self.at, At::Inside { left: 0, .. }) {
                self.at = At::Head { bytes: [0; 9], have: 0 };
                if !self.fields {
                    self.since = None;
                }
            }
        }
        Ok(())
    }

    /// Bytes that went to the client: it answers them by opening windows.
    pub fn went(&mut self, bytes: usize) {
        self.counts.bytes += bytes as u64;
    }

    /// Since when a frame, or a list of fields, has been under way. A body is paced elsewhere.
    pub fn since(&self) -> Option<Instant> {
        self.since.filter(|_| !matches!(self.at, At::Inside { data: true, .. }))
    }

    /// A frame's head is here.
    fn begin(&mut self, head: [u8; 9], now: Instant) -> Result<(), Refusal> {
        let [a, b, c, kind, flags, ..] = head;
        let left = u32::from_be_bytes([0, a, b, c]);
        self.at = At::Inside { left, data: kind == DATA };
        if matches!(kind, HEADERS | CONTINUATION) {
            self.fields = flags & END_HEADERS == 0;
        }
        self.since.get_or_insert(now);
        if now - self.began > WINDOW {
            (self.began, self.counts) = (now, Counts::default());
        }
        let counts = &mut self.counts;
        match kind {
            HEADERS => counts.opened += 1,
            RST_STREAM => counts.resets += 1,
            DATA if left > 0 || flags & END_STREAM != 0 => {}
            _ => counts.control += 1,
        }
        if counts.control > self.limits.control_frames + counts.bytes / BYTES_A_FRAME {
            return Err(Refusal::ControlFrames);
        }
        // A busy proxy may give up now and then; who gives up most of what it asks for wants the asking alone.
        if counts.resets > self.limits.resets && counts.resets * 2 > counts.opened {
            return Err(Refusal::Resets);
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const LIMITS: H2Limits = H2Limits { resets: 10, control_frames: 20, ..H2Limits::DEFAULT };
    const SETTINGS: u8 = 4;
    const WINDOW_UPDATE: u8 = 8;

    fn frame(kind: u8, flags: u8, payload: usize) -> Vec<u8> {
        let [_, a, b, c] = (payload as u32).to_be_bytes();
        let mut bytes = vec![a, b, c, kind, flags, 0, 0, 0, 1];
        bytes.resize(9 + payload, 0);
        bytes
    }

    fn begun() -> Frames {
        let mut frames = Frames::new(LIMITS);
        frames.came(b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n").unwrap();
        frames
    }

    fn many(frame: &[u8], count: usize) -> Result<(), Refusal> {
        let mut frames = begun();
        (0..count).try_for_each(|_| frames.came(frame))
    }

    #[tokio::test(start_paused = true)]
    async fn frames_that_carry_nothing_are_counted_against_what_is_carried() {
        for (kind, flags, payload) in [
            (SETTINGS, 0, 0),
            (SETTINGS, 1, 0),
            (6, 0, 8),
            (2, 0, 5),
            (WINDOW_UPDATE, 0, 4),
            (DATA, 0, 0),
            (99, 0, 3),
            (CONTINUATION, 0, 0),
        ] {
            let frame = frame(kind, flags, payload);
            assert_eq!((many(&frame, 20), many(&frame, 21)), (Ok(()), Err(Refusal::ControlFrames)), "{kind}");
        }
        assert_eq!(many(&frame(DATA, 0, 1), 10_000), Ok(()));
        assert_eq!(many(&frame(DATA, END_STREAM, 0), 10_000), Ok(()));
        assert_eq!(many(&[frame(DATA, 0, 1 << 10), frame(6, 0, 8)].concat(), 10_000), Ok(()));
        let mut frames = begun();
        frames.went(100 << 10);
        assert_eq!((0..120).try_for_each(|_| frames.came(&frame(WINDOW_UPDATE, 0, 4))), Ok(()));
        assert_eq!(frames.came(&frame(WINDOW_UPDATE, 0, 4)), Err(Refusal::ControlFrames));
    }

    #[tokio::test(start_paused = true)]
    async fn resets_end_a_connection_when_they_are_most_of_what_is_asked() {
        let (open, reset) = (frame(HEADERS, 5, 10), frame(RST_STREAM, 0, 4));
        let pair = [&*open, &reset].concat();
        assert_eq!((many(&pair, 10), many(&pair, 11)), (Ok(()), Err(Refusal::Resets)));
        assert_eq!(many(&[&*open, &open, &reset].concat(), 1000), Ok(()), "half of them are served");
        let mut frames = begun();
        (0..100).try_for_each(|_| frames.came(&open)).unwrap();
        tokio::time::advance(WINDOW * 2).await;
        assert_eq!(
            (0..11).try_for_each(|_| frames.came(&reset)),
            Err(Refusal::Resets),
            "late ones count as well"
        );
        let mut slow = begun();
        for _ in 0..100 {
            slow.came(&pair.repeat(5)).unwrap();
            tokio::time::advance(WINDOW).await;
        }
    }

    #[tokio::test(start_paused = true)]
    async fn what_is_under_way_began_with_its_first_byte() {
        let mut frames = Frames::new(LIMITS);
        let begin = Instant::now();
        assert_eq!(frames.since(), Some(begin), "the preface");
        frames.came(b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n").unwrap();
        assert_eq!(frames.since(), None);
        let mut later = begin;
        let open =
            [frame(HEADERS, 0, 3), frame(CONTINUATION, 0, 2), frame(CONTINUATION, END_HEADERS, 1)].concat();
        for (number, byte) in open.iter().enumerate() {
            if number == 0 {
                later = Instant::now();
            }
            frames.came(&[*byte]).unwrap();
            let expected = (number + 1 < open.len()).then_some(later);
            assert_eq!(frames.since(), expected, "{number}: a list of fields is one");
            tokio::time::advance(Duration::from_secs(1)).await;
        }
        frames.came(&frame(DATA, 0, 100)[..50]).unwrap();
        assert_eq!(frames.since(), None, "a body has a pace of its own");
    }

    proptest! {
        #[test]
        fn cuts_change_nothing(
            kinds in prop::collection::vec((0_u8..12, any::<u8>(), 0_usize..40), 0..40),
            cuts in prop::collection::vec(1_usize..50, 1..20),
        ) {
            let bytes: Vec<u8> = kinds.iter().flat_map(|(kind, flags, payload)| frame(*kind, *flags, *payload)).collect();
            let (mut whole, mut cut) = (begun(), begun());
            let expected = whole.came(&bytes);
            let (mut found, mut rest, mut cuts) = (Ok(()), &bytes[..], cuts.iter().cycle());
            while found.is_ok() && !rest.is_empty() {
                let at = cuts.next().map_or(1, |at| *at).min(rest.len());
                found = cut.came(&rest[..at]);
                rest = &rest[at..];
            }
            prop_assert_eq!(found, expected);
            prop_assert_eq!(cut.counts.resets, whole.counts.resets);
        }

        #[test]
        fn no_bytes_panic(bytes in prop::collection::vec(any::<u8>(), 0..2000)) {
            let _ = begun().came(&bytes);
        }
    }
}
