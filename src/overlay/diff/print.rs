//! JSON written as the document around it is written.

use serde_json::Value as Json;

/// Columns that a line may have before it is broken; a longer one that stood there already may stay as long.
const WIDTH: usize = 100;

/// How a document is laid out.
#[derive(Debug, Clone)]
pub struct Style {
    /// Ends a line.
    pub newline: &'static str,
    /// One level of indentation; none: the document is one line.
    pub unit: Option<String>,
    /// Blanks follow colons and commas.
    pub spaced: bool,
    /// Every object and list is broken, however short.
    pub expanded: bool,
}

impl Style {
    /// A value whose first line starts at a column, and whose line is indented so. `width` is as far as a line may go.
    pub fn print(&self, value: &Json, indent: &str, column: usize, width: usize) -> String {
        let line = self.line(value);
        let fits = !self.expanded && column + line.chars().count() <= width.max(WIDTH);
        let Some(unit) = self.unit.as_ref().filter(|_| !fits) else { return line };
        let deeper = format!("{indent}{unit}");
        let each = |name: Option<&str>, value: &Json| {
            let name = name.map(|name| self.name(name)).unwrap_or_default();
            let column = deeper.chars().count() + name.chars().count();
            format!("{}{deeper}{name}{}", self.newline, self.print(value, &deeper, column, width))
        };
        let (open, inner, close): (_, Vec<_>, _) = match value {
            Json::Object(map) if !map.is_empty() => {
                ('{', map.iter().map(|(name, value)| each(Some(name), value)).collect(), '}')
            }
            Json::Array(items) if !items.is_empty() => {
                ('[', items.iter().map(|item| each(None, item)).collect(), ']')
            }
            _ => return line,
        };
        format!("{open}{}{}{indent}{close}", inner.join(","), self.newline)
    }

    /// A member's name with its colon.
    pub fn name(&self, name: &str) -> String {
        format!("{}{}", Json::from(name), if self.spaced { ": " } else { ":" })
    }

    /// Between two members on one line.
    pub fn comma(&self) -> &'static str {
        if self.spaced { ", " } else { "," }
    }

    fn line(&self, value: &Json) -> String {
        match value {
            Json::Object(map) => {
                let members = map.iter().map(|(name, value)| self.name(name) + &self.line(value));
                format!("{{{}}}", members.collect::<Vec<_>>().join(self.comma()))
            }
            Json::Array(items) => {
                let items = items.iter().map(|item| self.line(item));
                format!("[{}]", items.collect::<Vec<_>>().join(self.comma()))
            }
            scalar => scalar.to_string(),
        }
    }
}
