//! What the TLS handshake of a connection told of its client: the attributes `tls.*`.
//!
//! It comes from the connection alone. No field of a request can say any of it.

use std::borrow::Cow;

use serde_json::{Value as Json, json};

use crate::flag::Value;

/// What is known since the handshake.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Secured {
    /// `1.2` or `1.3`
    pub version: &'static str,
    /// The name that the client asked for, in lower case.
    pub sni: Option<Box<str>>,
    /// Who the client is, if it showed a certificate; verified.
    pub client: Option<Identity>,
    /// Whether it was asked who it is.
    pub asked: bool,
}

/// What a client's certificate says.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Identity {
    /// As RFC 4514 writes it: `CN=ann,O=shop`.
    pub subject: Box<str>,
    /// Names, addresses, URIs and mail addresses, in the certificate's order.
    pub san: Vec<Box<str>>,
}

impl Secured {
    /// As an object with all that is known.
    pub fn whole(&self) -> Json {
        let mut whole = json!({"version": self.version});
        if let Some(sni) = &self.sni {
            whole["sni"] = json!(sni);
        }
        if let Some(Identity { subject, san }) = &self.client {
            whole["client"] = json!({"subject": subject, "san": san});
        }
        whole
    }
}

/// One of the attributes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fact {
    /// `tls.version`
    Version,
    /// `tls.sni`
    Sni,
    /// `tls.client.subject`
    Subject,
    /// `tls.client.san`
    San,
}

impl Fact {
    /// All of them, with the paths that a targeting reads them by.
    pub const ALL: [(&str, Fact); 4] = [
        ("tls.version", Fact::Version),
        ("tls.sni", Fact::Sni),
        ("tls.client.subject", Fact::Subject),
        ("tls.client.san", Fact::San),
    ];

    /// The one of that path.
    pub fn of(path: &str) -> Option<Fact> {
        Fact::ALL.into_iter().find(|(known, _)| *known == path).map(|(_, fact)| fact)
    }

    /// What it is on a connection; null in the clear, and where the client told nothing.
    pub fn read<'a>(self, secured: Option<&'a Secured>) -> Value<'a> {
        let text = |text: &'a str| Value::Text(Cow::Borrowed(text));
        let Some(secured) = secured else { return Value::Null };
        let client = secured.client.as_ref();
        match self {
            Fact::Version => text(secured.version),
            Fact::Sni => secured.sni.as_deref().map_or(Value::Null, text),
            Fact::Subject => client.map_or(Value::Null, |client| text(&client.subject)),
            // A list, so that `in` compares whole names.
            Fact::San => client.map_or(Value::Null, |client| {
                Value::List(client.san.iter().map(|name| text(name)).collect())
            }),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_fact_is_told_by_the_handshake_alone() {
        let client = Identity { subject: "CN=ann".into(), san: vec!["a.test".into(), "b.test".into()] };
        let secured =
            Secured { version: "1.3", sni: Some("shop.test".into()), client: Some(client), asked: true };
        let text = |text: &'static str| Value::Text(text.into());
        let table = [
            ("tls.version", text("1.3")),
            ("tls.sni", text("shop.test")),
            ("tls.client.subject", text("CN=ann")),
            ("tls.client.san", Value::List(vec![text("a.test"), text("b.test")])),
        ];
        let nobody = Secured { version: "1.2", ..Secured::default() };
        for (path, value) in table {
            let fact = Fact::of(path).unwrap();
            assert_eq!(fact.read(Some(&secured)), value, "{path}");
            assert_eq!(fact.read(None), Value::Null, "{path}");
            assert_eq!(fact.read(Some(&nobody)) == Value::Null, path != "tls.version", "{path}");
        }
        for path in ["tls", "tls.client", "tls.client.san.0", "tls.", "TLS.sni"] {
            assert_eq!(Fact::of(path), None, "{path}");
        }
        let whole = json!({
            "version": "1.3", "sni": "shop.test",
            "client": {"subject": "CN=ann", "san": ["a.test", "b.test"]},
        });
        assert_eq!(secured.whole(), whole);
        assert_eq!(nobody.whole(), json!({"version": "1.2"}));
    }
}
