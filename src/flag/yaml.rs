//! YAML text to values, by the core schema of YAML 1.2: only `true` and `false` are booleans, `on` and `no` are texts.
//!
//! It refuses what JSON cannot say (`.inf`, tags, several documents), merge keys, and repeated keys. Aliases are copied
//! and counted, so that a few lines cannot become a million values.

use std::collections::{BTreeMap, HashMap};

use saphyr_parser::{Event, Parser, ScalarStyle, ScanError, Span};
use serde_json::{Map, Value as Json};

use super::fault::quoted;
use super::reading::{MAX_LEVELS, MAX_VALUES, Reading, Unreadable};

/// Longest document, in bytes. Inside brackets the parser remembers about a hundred times what it has read.
const MAX_BYTES: usize = 4 << 20;

/// Reads a YAML document.
pub fn read(text: &str) -> Result<Reading, Unreadable> {
    if text.len() > MAX_BYTES {
        let message =
            format!("{} bytes, and at most {MAX_BYTES} are read as YAML; JSON may be longer", text.len());
        return Err(Unreadable { line: 1, column: 1, message });
    }
    let mut builder = Builder::default();
    for event in Parser::new_from_str(text) {
        let (event, span) = event.map_err(|error| unreadable(&error))?;
        builder.take(event).map_err(|message| at(&span, message))?;
    }
    let json = builder.root.unwrap_or_default();
    Ok(Reading { json, repeated: Vec::new(), oversized: BTreeMap::new() })
}

fn unreadable(error: &ScanError) -> Unreadable {
    let marker = error.marker();
    Unreadable {
        line: marker.line() as u32,
        column: marker.col() as u32 + 1,
        message: error.info().to_owned(),
    }
}

fn at(span: &Span, message: String) -> Unreadable {
    Unreadable { line: span.start.line() as u32, column: span.start.col() as u32 + 1, message }
}

#[derive(Default)]
struct Builder {
    root: Option<Json>,
    open: Vec<Open>,
    /// Anchored values, with how many values they are.
    anchors: HashMap<usize, (Json, usize)>,
    values: usize,
}

/// A list or mapping that has not ended.
struct Open {
    /// The mapping's key whose value comes next.
    key: Option<String>,
    json: Json,
    anchor: usize,
    /// How many values there were before it.
    before: usize,
}

impl Builder {
    fn take(&mut self, event: Event) -> Result<(), String> {
        match event {
            Event::DocumentStart(_) if self.root.is_some() => return Err("a second document".to_owned()),
            Event::MappingStart(_, Some(tag)) | Event::SequenceStart(_, Some(tag)) => {
                return Err(format!("the tag {}", quoted(&tag.to_string())));
            }
            Event::MappingStart(anchor, _) => self.open(Json::Object(Map::new()), anchor)?,
            Event::SequenceStart(anchor, _) => self.open(Json::Array(Vec::new()), anchor)?,
            Event::MappingEnd | Event::SequenceEnd => {
                if let Some(open) = self.open.pop() {
                    let size = self.values - open.before;
                    self.put(open.json, open.anchor, size)?;
                }
            }
            Event::Scalar(text, style, anchor, tag) => {
                if let Some(open) = self.open.last_mut()
                    && let (Json::Object(map), None) = (&open.json, &open.key)
                {
                    match &*text {
                        "<<" => return Err("a merge key, which is not supported".to_owned()),
                        _ if map.contains_key(&*text) => {
                            return Err(format!("the key {} a second time", quoted(&text)));
                        }
                        _ => open.key = Some(text.into_owned()),
                    }
                    return Ok(());
                }
                let value = match tag {
                    Some(tag) if tag.is_yaml_core_schema() && tag.suffix == "str" => Json::from(&*text),
                    Some(tag) => return Err(format!("the tag {}", quoted(&tag.to_string()))),
                    None if style == ScalarStyle::Plain => plain(&text)?,
                    None => Json::from(&*text),
                };
                self.count(1)?;
                self.put(value, anchor, 1)?;
            }
            Event::Alias(anchor) => {
                let size = self.anchors.get(&anchor).ok_or("an alias inside the value it names")?.1;
                self.count(size)?;
                let copy = self.anchors.get(&anchor).map(|(json, _)| json.clone()).unwrap_or_default();
                self.put(copy, 0, size)?;
            }
            _ => {}
        }
        Ok(())
    }

    fn open(&mut self, json: Json, anchor: usize) -> Result<(), String> {
        if self.open.len() >= MAX_LEVELS {
            return Err(format!("nested more than {MAX_LEVELS} lists and mappings deep"));
        }
        let before = self.values;
        self.count(1)?;
        self.open.push(Open { key: None, json, anchor, before });
        Ok(())
    }

    fn count(&mut self, values: usize) -> Result<(), String> {
        self.values += values;
        if self.values > MAX_VALUES {
            Err(format!("more than {MAX_VALUES} values in one document"))
        } else {
            Ok(())
        }
    }

    fn put(&mut self, value: Json, anchor: usize, size: usize) -> Result<(), String> {
        if anchor > 0 {
            self.count(size)?;
            self.anchors.insert(anchor, (value.clone(), size));
        }
        match self.open.last_mut() {
            None => self.root = Some(value),
            Some(Open { json: Json::Array(list), .. }) => list.push(value),
            Some(Open { json: Json::Object(map), key, .. }) => {
                let key = key.take().ok_or("a key that is no text")?;
                map.insert(key, value);
            }
            Some(_) => {}
        }
        Ok(())
    }
}

/// A plain scalar by the core schema.
fn plain(text: &str) -> Result<Json, String> {
    let digits = text.strip_prefix(['+', '-']).unwrap_or(text);
    Ok(match text {
        "" | "~" | "null" | "Null" | "NULL" => Json::Null,
        "true" | "True" | "TRUE" => true.into(),
        "false" | "False" | "FALSE" => false.into(),
        _ if matches!(digits, ".inf" | ".Inf" | ".INF") || matches!(text, ".nan" | ".NaN" | ".NAN") => {
            return Err(format!("the number {text}, which JSON does not have"));
        }
        _ => number(text, digits).unwrap_or_else(|| text.into()),
    })
}

fn number(text: &str, digits: &str) -> Option<Json> {
    if let Some(hex) = text.strip_prefix("0x") {
        return u64::from_str_radix(hex, 16).ok().map(Json::from);
    }
    if let Some(octal) = text.strip_prefix("0o") {
        return u64::from_str_radix(octal, 8).ok().map(Json::from);
    }
    let decimal = digits.bytes().all(|byte| matches!(byte, b'0'..=b'9' | b'.' | b'e' | b'E' | b'+' | b'-'));
    if !decimal || !digits.bytes().any(|byte| byte.is_ascii_digit()) {
        return None;
    }
    let whole = text.parse::<i64>().map(Json::from).or_else(|_| text.parse::<u64>().map(Json::from));
    whole.ok().or_else(|| text.parse::<f64>().ok().filter(|number| number.is_finite()).map(Json::from))
}
