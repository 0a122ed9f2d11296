//! The parts of answers, written when a snapshot is built: per flag its key, each of its values, its metadata.
//!
//! An answer is put together by copying; nothing is serialised while a client waits. All parts stand in one buffer, in the order in which
//! an answer has them.

use std::ops::Range;

use serde::Serialize;

use crate::flag::{ErrorCode, Flag, Limit, Reason, Resolution, VariantId};

/// The parts of many flags, by position.
#[derive(Debug, Default)]
pub struct Written {
    text: Vec<u8>,
    flags: Vec<FlagParts>,
}

#[derive(Debug)]
struct FlagParts {
    /// `,{"key":"banner",`
    head: Range<usize>,
    /// `,"variant":"on","value":true`, by [`VariantId`].
    variants: Box<[Range<usize>]>,
    /// `,"metadata":{..}}`, or `}`.
    tail: Range<usize>,
}

/// The parts of one flag's answer; joined they are an object, with a comma before it.
#[derive(Debug, Clone, Copy)]
pub struct Parts<'a>(pub [&'a [u8]; 4]);

impl Written {
    /// Writes the parts of one more flag.
    pub fn push(&mut self, flag: &Flag) {
        let head = self.piece(|text| {
            text.extend(br#",{"key":"#);
            write(text, &*flag.key);
            text.push(b',');
        });
        let variants = flag.variants().iter().map(|(name, value)| {
            self.piece(|text| {
                text.extend(br#","variant":"#);
                write(text, &**name);
                text.extend(br#","value":"#);
                write(text, value);
            })
        });
        let variants = variants.collect();
        let metadata = flag.definition.as_ref().map(|definition| &definition.metadata);
        let tail = self.piece(|text| {
            if let Some(metadata) = metadata.filter(|metadata| !metadata.is_empty()) {
                text.extend(br#","metadata":"#);
                write(text, metadata);
            }
            text.push(b'}');
        });
        self.flags.push(FlagParts { head, variants, tail });
    }

    /// What the flag at a position answers with.
    pub fn parts(&self, at: usize, resolution: &Resolution) -> Parts<'_> {
        let flag = &self.flags[at];
        let variant = |id: VariantId| flag.variants.get(id.0 as usize).map(|piece| &self.text[piece.clone()]);
        let variant = resolution.variant.and_then(variant).unwrap_or_default();
        Parts([&self.text[flag.head.clone()], why(resolution), variant, &self.text[flag.tail.clone()]])
    }

    /// The whole answer about these flags; `rest` stands behind the last one.
    pub fn list(&self, resolved: &[(usize, Resolution)], rest: &[u8]) -> Vec<u8> {
        const START: &[u8] = br#"{"flags":["#;
        let parts = || resolved.iter().map(|(at, resolution)| self.parts(*at, resolution));
        let length: usize = parts().map(|parts| parts.len()).sum();
        let mut list = Vec::with_capacity(START.len() + length + rest.len());
        list.extend(START);
        for (index, Parts([head, middle @ ..])) in parts().enumerate() {
            // The first has nothing to be parted from.
            list.extend(if index == 0 { &head[1..] } else { head });
            middle.iter().for_each(|part| list.extend(*part));
        }
        list.extend(rest);
        list
    }

    /// Everything that answers can be made of, in its parts.
    pub fn texts(&self) -> impl Iterator<Item = &[u8]> {
        let ranges = self
            .flags
            .iter()
            .flat_map(|flag| [&flag.head].into_iter().chain(&flag.variants).chain([&flag.tail]));
        ranges.map(|range| &self.text[range.clone()])
    }

    fn piece(&mut self, fill: impl FnOnce(&mut Vec<u8>)) -> Range<usize> {
        let start = self.text.len();
        fill(&mut self.text);
        start..self.text.len()
    }
}

impl Parts<'_> {
    fn len(&self) -> usize {
        self.0.iter().map(|part| part.len()).sum()
    }

    /// As one object, with room for so much more.
    pub fn object(&self, more: usize) -> Vec<u8> {
        let mut object = Vec::with_capacity(self.len() + more);
        let [head, middle @ ..] = self.0;
        object.extend(&head[1..]);
        middle.iter().for_each(|part| object.extend(*part));
        object
    }
}

/// Why it is this value, or what went wrong.
fn why(resolution: &Resolution) -> &'static [u8] {
    match resolution.error {
        Some(ErrorCode::OverLimit(Limit::Steps)) => {
            br#""errorCode":"GENERAL","errorDetails":"the evaluation went over a limit (limit: steps)""#
        }
        Some(ErrorCode::OverLimit(Limit::Bytes)) => {
            br#""errorCode":"GENERAL","errorDetails":"the evaluation went over a limit (limit: bytes)""#
        }
        Some(ErrorCode::ParseError) => {
            br#""errorCode":"PARSE_ERROR","errorDetails":"the flag has no usable definition""#
        }
        // What else an evaluation can end in; the other codes are answers to those who ask wrongly.
        Some(_) => br#""errorCode":"GENERAL","errorDetails":"the targeting named no variant""#,
        None => match resolution.reason {
            Reason::Static => br#""reason":"STATIC""#,
            Reason::Default => br#""reason":"DEFAULT""#,
            Reason::TargetingMatch => br#""reason":"TARGETING_MATCH""#,
            Reason::Disabled => br#""reason":"DISABLED""#,
            Reason::Error => br#""reason":"ERROR""#,
        },
    }
}

fn write(text: &mut Vec<u8>, json: &(impl Serialize + ?Sized)) {
    // Neither a JSON value nor writing to a Vec can fail.
    let _ = serde_json::to_writer(text, json);
}
