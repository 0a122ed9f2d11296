//! Curl's words, as examples and the demo use them.

use super::client::{Client, Response};

/// What a curl command would send.
#[derive(Debug, PartialEq)]
pub struct Curl {
    method: String,
    host: String,
    target: String,
    lines: Vec<(String, String)>,
    body: Option<String>,
}

impl Curl {
    /// Reads a command's words, with or without the first one. A URL without a host goes to `localhost`.
    pub fn parse(words: &[String]) -> Result<Curl, String> {
        let (mut method, mut url, mut body, mut lines) = (None, None, None, Vec::new());
        let mut words = words.iter().skip_while(|word| *word == "curl");
        while let Some(word) = words.next() {
            let mut value = || words.next().cloned().ok_or(format!("{word} has no value"));
            match word.as_str() {
                "-X" => method = Some(value()?),
                "-b" => lines.push(("cookie".to_owned(), value()?)),
                "-A" => lines.push(("user-agent".to_owned(), value()?)),
                "-d" => body = Some(value()?),
                "-H" => {
                    let line = value()?;
                    let (name, value) = line.split_once(':').ok_or("a header has no colon")?;
                    lines.push((name.to_ascii_lowercase(), value.trim().to_owned()));
                }
                "-i" | "-s" | "-si" | "-is" => {}
                option if option.starts_with('-') => {
                    return Err(format!("the option {option} is not known here"));
                }
                other => url = Some(other.to_owned()),
            }
        }
        let url = url.ok_or("it has no path")?;
        let rest =
            url.strip_prefix("http://").map(|rest| rest.split_at(rest.find('/').unwrap_or(rest.len())));
        let (host, target) = rest.unwrap_or(("localhost", &url));
        let own = lines.iter().position(|(name, _)| name == "host").map(|at| lines.remove(at).1);
        Ok(Curl {
            method: method.unwrap_or_else(|| if body.is_some() { "POST" } else { "GET" }.to_owned()),
            host: own.unwrap_or_else(|| host.to_owned()),
            target: if target.is_empty() { "/".to_owned() } else { target.to_owned() },
            lines,
            body,
        })
    }

    /// Where a URL with an authority leads; `localhost` otherwise.
    pub fn host(&self) -> &str {
        &self.host
    }

    /// Sends it to wherever `client` is connected.
    pub fn send(&self, client: &mut Client) -> Result<Response, String> {
        let mut request = client.request(&self.method, &self.target).host(&self.host);
        for (name, value) in &self.lines {
            request = request.header(name, value);
        }
        if let Some(body) = &self.body {
            request = request.body(body);
        }
        request.try_send().map_err(|error| error.to_string())
    }
}

/// Splits a line at blanks outside of quotes, as a shell does.
pub fn words(line: &str) -> Vec<String> {
    let (mut words, mut word, mut quote) = (Vec::new(), None::<String>, None);
    for letter in line.chars() {
        match (quote, letter) {
            (Some(open), _) if letter == open => quote = None,
            (None, '\'' | '"') => {
                quote = Some(letter);
                word.get_or_insert_default();
            }
            (None, ' ') => words.extend(word.take()),
            _ => word.get_or_insert_default().push(letter),
        }
    }
    words.extend(word);
    words
}

#[test]
fn words_are_split_as_a_shell_splits_them_and_read_as_curl_reads_them() {
    let words =
        words(r#"curl -s -H 'x-a: b c' -b "uid=1; t=2" -X PUT http://a.test:80/b?c => version=x y='a b'"#);
    assert_eq!(words[words.len() - 3..], ["=>", "version=x", "y=a b"]);
    let curl = Curl::parse(&words[..words.len() - 3]).unwrap();
    let line = |name: &str, value: &str| (name.to_owned(), value.to_owned());
    assert_eq!((&*curl.method, &*curl.host, &*curl.target), ("PUT", "a.test:80", "/b?c"));
    assert_eq!(curl.lines, [line("x-a", "b c"), line("cookie", "uid=1; t=2")]);
    assert!(Curl::parse(&["--unknown".to_owned(), "/".to_owned()]).is_err());
}
