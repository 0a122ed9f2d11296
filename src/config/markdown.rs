//! The reference of `flagway.yaml`, made of the same tables that decode it.

use std::fmt::Write;

use super::decode::file::FILE;
use super::reference::{self, Object, Presence, Rule, Type, one_of};

/// `docs/config.md`.
pub fn markdown() -> String {
    let mut out = String::from(
        "# flagway.yaml\n\n\
         Made from the tables that decode the file. `flagway check` tells every mistake with its place and its likely fix; \
         `flagway schema config` prints a JSON schema for editors.\n",
    );
    // Writing to a String cannot fail.
    reference::visit(&FILE, &mut |object| {
        let _ = section(object, &mut out);
    });
    let _ = values(&mut out);
    out
}

/// What the words in the tables mean.
fn values(out: &mut String) -> std::fmt::Result {
    writeln!(out, "\n## Values\n\n| word | means |\n|---|---|")?;
    let words = [
        Type::Bool,
        Type::Duration { zero: true },
        Type::Size { min: 0, max: 1 << 30 },
        Type::Share,
        Type::Name,
        Type::Bind,
        Type::Address,
        Type::Host,
        Type::HostPattern,
        Type::Origin,
        Type::Network,
        Type::Path,
        Type::HttpPath,
        Type::Regex,
        Type::Method,
        Type::Status(&[]),
        Type::HeaderValue,
        Type::FieldPath,
        Type::Pointer,
        Type::CookieName,
        Type::Prefix,
        Type::Attribute,
        Type::Token,
        Type::Secret,
        Type::Value,
    ];
    for is in words {
        let word = is.label();
        // Bounds stand at each key.
        let (word, means) = (word.split(',').next().unwrap_or(&word), is.describe());
        let means = means.split(", from ").next().unwrap_or(&means).to_owned();
        writeln!(out, "| {word} | {means} |")?;
    }
    Ok(())
}

fn section(object: &Object, out: &mut String) -> std::fmt::Result {
    writeln!(out, "\n## {}\n\n{}\n", object.title, object.doc)?;
    for rule in object.rules {
        match rule {
            Rule::ExactlyOne(names) if names.len() > 1 => {
                writeln!(out, "Exactly one of {}.\n", one_of(names))?
            }
            Rule::ExactlyOne(_) => {}
            Rule::AtMostOne(names) => writeln!(out, "At most one of {}.\n", one_of(names))?,
            Rule::AtLeastOne(names) => writeln!(out, "At least one of {}.\n", one_of(names))?,
            Rule::Only(names, beside) => {
                let names = one_of(names).replace(" or ", " and ");
                writeln!(out, "Only beside {}: {names}.\n", one_of(beside))?
            }
        }
    }
    writeln!(out, "| key | value | default | |\n|---|---|---|---|")?;
    for key in object.keys {
        let default = match key.presence {
            Presence::Required => "required".to_owned(),
            Presence::Optional => String::new(),
            Presence::Default(text) => format!("`{text}`"),
        };
        writeln!(
            out,
            "| `{}` | {} | {default} | {} |",
            key.name,
            kind(&key.is),
            key.doc.replace('|', "\\|")
        )?;
    }
    Ok(())
}

/// A type, with links to the sections of its objects.
fn kind(is: &Type) -> String {
    match is {
        Type::Object(object) => format!("[{}](#{})", object.title, reference::anchor(object)),
        Type::List(inner) => format!("list of {}", kind(inner)),
        Type::OneOrMany(inner) => format!("{}, or a list of them", kind(inner)),
        Type::Map(name, inner) => format!("map: {} to {}", kind(name), kind(inner)),
        Type::Either(short, long) => format!("{} or {}", kind(short), kind(long)),
        other => other.label(),
    }
}
