//! An operator: reads and writes flags through the admin API on a connection that is kept, and listens to what happens.

use std::io::Write;
use std::net::TcpStream;

use serde_json::{Value, json};

use super::Fields;
use super::client::{Client, Response};
use super::gateway::Gateway;
use super::lines::Lines;
use super::wait::PATIENCE;

/// Someone at the admin API.
pub struct Operator {
    client: Client,
    token: Option<String>,
}

impl Gateway {
    /// Someone without a token.
    #[track_caller]
    pub fn operator(&self) -> Operator {
        Operator { client: Client::new(self.admin()), token: None }
    }

    /// Someone with a token.
    #[track_caller]
    pub fn operator_with(&self, token: &str) -> Operator {
        Operator { token: Some(token.to_owned()), ..self.operator() }
    }

    /// Listens to events from now on.
    #[track_caller]
    pub fn listen(&self) -> Events {
        let mut stream = TcpStream::connect(self.admin()).unwrap();
        stream.write_all(b"GET /api/v1/events HTTP/1.1\r\nhost: 127.0.0.1\r\n\r\n").unwrap();
        let events = Events(Lines::collect(stream));
        let head = events.0.find(0, PATIENCE, |line| !line.is_empty());
        assert_eq!(head.as_deref(), Some("HTTP/1.1 200 OK"));
        events
    }
}

impl Operator {
    /// `body` null: none.
    #[track_caller]
    pub fn ask(&mut self, method: &str, target: &str, lines: Fields<'_>, body: &Value) -> Response {
        let bearer = self.token.as_ref().map(|token| format!("Bearer {token}"));
        let mut request = self.client.request(method, target).host("127.0.0.1");
        for (name, value) in lines {
            request = request.header(name, value);
        }
        if let Some(bearer) = bearer {
            request = request.header("authorization", bearer);
        }
        if !body.is_null() {
            request = request.body(body.to_string());
        }
        request.send()
    }

    #[track_caller]
    pub fn get(&mut self, target: &str) -> Response {
        self.ask("GET", target, &[], &Value::Null)
    }

    /// What the API tells of a flag.
    #[track_caller]
    pub fn flag(&mut self, key: &str) -> Value {
        let response = self.get(&format!("/api/v1/flags/{key}"));
        assert_eq!(response.status, 200, "{}", response.text());
        response.json()
    }

    /// A flag's `ETag`, with its quotes.
    #[track_caller]
    pub fn etag(&mut self, key: &str) -> String {
        self.get(&format!("/api/v1/overlay/{key}")).header("etag").expect("an ETag")
    }

    /// A write, whatever the flag is now.
    #[track_caller]
    pub fn write(&mut self, key: &str, verb: &str, body: Value) -> Response {
        self.ask("POST", &format!("/api/v1/flags/{key}/{verb}"), &[("if-match", "*")], &body)
    }

    /// A write that is done.
    #[track_caller]
    pub fn does(&mut self, key: &str, verb: &str, body: Value) -> Value {
        let response = self.write(key, verb, body);
        assert_eq!(response.status, 200, "{verb} {key}: {}", response.text());
        response.json()
    }

    /// A write that is refused; what the operator is told.
    #[track_caller]
    pub fn is_refused(&mut self, key: &str, verb: &str, body: Value, status: u16) -> String {
        let response = self.write(key, verb, body);
        assert_eq!(response.status, status, "{verb} {key}: {}", response.text());
        assert_eq!(response.header("content-type").as_deref(), Some("application/problem+json"));
        response.json()["detail"].as_str().expect("a detail").to_owned()
    }

    #[track_caller]
    pub fn kill(&mut self, key: &str, variant: &str) -> Value {
        self.does(key, "kill", json!({ "variant": variant }))
    }

    /// What is on a flag by hand, each as its kind and who did it.
    #[track_caller]
    pub fn entries(&mut self, key: &str) -> Vec<Value> {
        let response = self.get(&format!("/api/v1/overlay/{key}"));
        assert_eq!(response.status, 200, "{}", response.text());
        response.json()["entries"].as_array().expect("entries").clone()
    }

    /// The kinds of what is on a flag by hand, in the order in which they apply.
    #[track_caller]
    pub fn kinds(&mut self, key: &str) -> Vec<String> {
        let kind = |entry: &Value| entry["kind"].as_str().expect("a kind").to_owned();
        self.entries(key).iter().map(kind).collect()
    }

    /// The audit, oldest first; `query` behind the `?`.
    #[track_caller]
    pub fn audit(&mut self, query: &str) -> Vec<Value> {
        let response = self.get(&format!("/api/v1/audit?{query}"));
        assert_eq!(response.status, 200, "{}", response.text());
        let mut records = response.json()["records"].as_array().expect("records").clone();
        records.reverse();
        records
    }
}

/// What the gateway tells whoever listens.
pub struct Events(Lines);

impl Events {
    /// The first event that `wanted` takes, awaited.
    #[track_caller]
    pub fn wait_for(&self, what: &str, wanted: impl Fn(&Value) -> bool) -> Value {
        let event = |line: &str| serde_json::from_str::<Value>(line.strip_prefix("data: ")?).ok();
        let line = self.0.find(0, PATIENCE, |line| event(line).is_some_and(|event| wanted(&event)));
        line.as_deref().and_then(event).unwrap_or_else(|| panic!("no event: {what}\n{}", self.0.text()))
    }
}
