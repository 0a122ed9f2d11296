//! `flagway explain`: why a request goes where it goes, from files or from a running gateway.

pub mod render;

use std::net::IpAddr;
use std::path::PathBuf;
use std::time::{SystemTime, UNIX_EPOCH};

use clap::Args;

use super::remote::Remote;
use super::{DEFAULT_FILE, Failure, output};
use crate::admin::explain::{At, Explanation, Request, explain};
use crate::gateway::keyring;
use crate::source;

/// Tell why a request goes where it goes
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  flagway explain /checkout
  flagway explain -H 'x-canary: always' -b 'uid=ann; beta=1' https://shop.example/checkout?step=2
  flagway explain --cert ann.pem https://shop.example/account
  flagway explain -c conf/examples/ramp.yaml --at 2026-12-24T12:00:00Z /search
  flagway explain --gateway http://127.0.0.1:9901 --token \"$TOKEN\" -X POST /checkout

Exit codes: 0 explained; 1 the files are wrong, or the gateway does not answer")]
pub struct Explain {
    /// A path with its query, or an absolute address
    #[arg(value_name = "URL")]
    pub url: String,
    /// The configuration file
    #[arg(short, long, value_name = "FILE", default_value = DEFAULT_FILE)]
    pub config: PathBuf,
    /// The method
    #[arg(short = 'X', long = "request", value_name = "METHOD", default_value = "GET")]
    pub method: String,
    /// A header field; may be repeated
    #[arg(short = 'H', long = "header", value_name = "NAME: VALUE", value_parser = header)]
    pub headers: Vec<(String, String)>,
    /// Cookies; may be repeated
    #[arg(short = 'b', long = "cookie", value_name = "NAME=VALUE; ..")]
    pub cookies: Vec<String>,
    /// Address of the socket's other end [default: 127.0.0.1]
    #[arg(long, value_name = "IP")]
    pub peer: Option<IpAddr>,
    /// Name of the listener that it comes through [default: the first that fits]
    #[arg(long, value_name = "NAME")]
    pub listener: Option<String>,
    /// The certificate that the client shows, PEM; taken for verified
    #[arg(short = 'E', long = "cert", value_name = "FILE")]
    pub cert: Option<PathBuf>,
    /// When it comes: Unix seconds or RFC 3339 [default: now]
    #[arg(long, value_name = "TIME", allow_hyphen_values = true, value_parser = at)]
    pub at: Option<At>,
    /// Ask a running gateway at its admin address, instead of the files
    #[arg(long, value_name = "URL", conflicts_with = "config")]
    pub gateway: Option<String>,
    /// The gateway's `admin.token`; of no use without --gateway
    #[arg(long, env = "FLAGWAY_TOKEN", hide_env_values = true)]
    pub token: Option<String>,
    /// Print JSON, as POST /api/v1/explain answers it
    #[arg(long)]
    pub json: bool,
}

impl Explain {
    /// Explains, prints.
    pub fn run(&self) -> Result<(), Failure> {
        let request = self.request()?;
        let explanation = match &self.gateway {
            Some(gateway) => self.ask(gateway, &request)?,
            None => self.offline(&request)?,
        };
        output::print(&match self.json {
            true => format!(
                "{}\n",
                serde_json::to_string_pretty(&explanation).map_err(|error| error.to_string())?
            ),
            false => render::render(&explanation),
        });
        Ok(())
    }

    fn request(&self) -> Result<Request, Failure> {
        let read = |file: &PathBuf| {
            std::fs::read_to_string(file).map_err(|error| format!("{}: {error}", file.display()))
        };
        let mut headers = self.headers.clone();
        if !self.cookies.is_empty() {
            headers.push(("cookie".to_owned(), self.cookies.join("; ")));
        }
        Ok(Request {
            method: self.method.clone(),
            url: self.url.clone(),
            headers,
            peer: self.peer,
            listener: self.listener.clone(),
            client_cert: self.cert.as_ref().map(read).transpose()?,
            at: self.at.clone(),
        })
    }

    fn offline(&self, request: &Request) -> Result<Explanation, Failure> {
        let checked = source::check(&self.config).map_err(Failure::Problems)?;
        let now = SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |since| since.as_secs() as i64);
        let (verifier, _) = keyring::once(&checked.config);
        Ok(explain(&checked.snapshot, verifier.as_ref(), request, now, rand::random())?)
    }

    fn ask(&self, gateway: &str, request: &Request) -> Result<Explanation, Failure> {
        let remote = Remote { gateway: Some(gateway.to_owned()), token: self.token.clone() };
        let body = serde_json::to_string(request).map_err(|error| error.to_string())?;
        remote.read(&remote.ask("POST", "/explain", &body)?, "an explanation")
    }
}

fn header(text: &str) -> Result<(String, String), String> {
    let (name, value) = text.split_once(':').ok_or("expected `name: value`")?;
    Ok((name.trim().to_owned(), value.trim().to_owned()))
}

fn at(text: &str) -> Result<At, String> {
    let at = text.parse().map_or_else(|_| At::Rfc3339(text.to_owned()), At::Unix);
    at.seconds().map(|_| at)
}

#[cfg(test)]
mod tests {
    use clap::Parser;

    use super::super::{Cli, Command};
    use super::*;

    #[test]
    fn arguments_are_like_curls() {
        let line = [
            "flagway",
            "explain",
            "-X",
            "POST",
            "-H",
            "x-a:b",
            "-H",
            "x-c: d:e ",
            "-b",
            "a=b; c=d",
            "-b",
            "e=f",
            "--at",
            "-5",
            "--peer",
            "10.0.0.1",
            "/x?y=z",
        ];
        let Command::Explain(explain) = Cli::try_parse_from(line).unwrap().command else {
            panic!("not explain")
        };
        let request = explain.request().unwrap();
        let header = |name: &str, value: &str| (name.to_owned(), value.to_owned());
        assert_eq!(
            request.headers,
            [header("x-a", "b"), header("x-c", "d:e"), header("cookie", "a=b; c=d; e=f")]
        );
        assert_eq!((&*request.method, &*request.url, request.at), ("POST", "/x?y=z", Some(At::Unix(-5))));
    }

    #[test]
    fn what_is_no_header_or_time_is_a_wrong_command_line() {
        for wrong in [["-H", "x-a"], ["--at", "tomorrow"], ["--peer", "localhost"]] {
            let line = [&["flagway", "explain", "/x"][..], &wrong].concat();
            assert_eq!(Cli::try_parse_from(line).unwrap_err().exit_code(), 2, "{wrong:?}");
        }
    }
}
