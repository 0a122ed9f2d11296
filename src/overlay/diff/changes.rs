//! What has to change in a value so that it says another: as few and as small operations as its shape allows.

use serde_json::{Value as Json, json};

/// One operation on a document.
#[derive(Debug, Clone, PartialEq)]
pub enum Op {
    /// Another value.
    Replace {
        /// Of the value.
        path: Path,
        value: Json,
    },
    /// Members that go and members that are new; at least one stays, unless nothing goes. New ones of a list have no name.
    Members {
        /// Of the object or list.
        path: Path,
        gone: Vec<String>,
        new: Vec<(Option<String>, Json)>,
    },
}

/// Steps from the document's root.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Path(pub Vec<Step>);

/// One step down.
#[derive(Debug, Clone, PartialEq)]
pub enum Step {
    Key(String),
    Index(usize),
}

/// What has to change so that what is written, which means `now` with its references put in, means what is wanted.
pub fn changes(path: &Path, written: &Json, now: &Json, wanted: &Json, ops: &mut Vec<Op>) {
    if now == wanted {
        return;
    }
    match (written, now, wanted) {
        (Json::Object(written), Json::Object(now), Json::Object(wanted))
            if written.keys().eq(now.keys()) && written.keys().any(|key| wanted.contains_key(key)) =>
        {
            let gone: Vec<_> = written.keys().filter(|key| !wanted.contains_key(*key)).cloned().collect();
            let mut new = Vec::new();
            for (key, wanted) in wanted {
                match written.get(key).zip(now.get(key)) {
                    Some((written, now)) => changes(&path.to(key), written, now, wanted, ops),
                    None => new.push((Some(key.clone()), wanted.clone())),
                }
            }
            if !gone.is_empty() || !new.is_empty() {
                ops.push(Op::Members { path: path.clone(), gone, new });
            }
        }
        (Json::Array(written), Json::Array(now), Json::Array(wanted))
            if written.len() == now.len() && now.len() == wanted.len() =>
        {
            for (at, ((written, now), wanted)) in written.iter().zip(now).zip(wanted).enumerate() {
                changes(&path.clone().then(Step::Index(at)), written, now, wanted, ops);
            }
        }
        _ => ops.push(Op::Replace { path: path.clone(), value: wanted.clone() }),
    }
}

impl Op {
    /// The same as operations of RFC 6902.
    pub fn to_patch(&self) -> Vec<Json> {
        match self {
            Op::Replace { path, value } => {
                vec![json!({"op": "replace", "path": path.pointer(), "value": value})]
            }
            Op::Members { path, gone, new } => {
                let gone = gone.iter().map(|key| json!({"op": "remove", "path": path.to(key).pointer()}));
                let new = new.iter().map(|(key, value)| {
                    let at = path.to(key.as_deref().unwrap_or("-"));
                    json!({"op": "add", "path": at.pointer(), "value": value})
                });
                gone.chain(new).collect()
            }
        }
    }

    /// Does it.
    pub fn apply(self, root: &mut Json) {
        match self {
            Op::Replace { path, value } => {
                if let Some(target) = root.pointer_mut(&path.pointer()) {
                    *target = value;
                }
            }
            Op::Members { path, gone, new } => match root.pointer_mut(&path.pointer()) {
                Some(Json::Object(map)) => {
                    gone.iter().for_each(|key| drop(map.remove(key)));
                    map.extend(new.into_iter().filter_map(|(key, value)| Some((key?, value))));
                }
                Some(Json::Array(items)) => items.extend(new.into_iter().map(|(_, value)| value)),
                _ => {}
            },
        }
    }
}

impl Path {
    /// One member further.
    pub fn to(&self, key: &str) -> Path {
        self.clone().then(Step::Key(key.to_owned()))
    }

    /// One step further.
    pub fn then(mut self, step: Step) -> Path {
        self.0.push(step);
        self
    }

    /// As RFC 6901 writes it.
    pub fn pointer(&self) -> String {
        let steps = self.0.iter().map(|step| match step {
            Step::Key(key) => format!("/{}", key.replace('~', "~0").replace('/', "~1")),
            Step::Index(index) => format!("/{index}"),
        });
        steps.collect()
    }

    /// The value there.
    pub fn of<'j>(&self, root: &'j Json) -> Option<&'j Json> {
        root.pointer(&self.pointer())
    }
}
