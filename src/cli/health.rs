//! `flagway health`: asks a running gateway whether it is ready, so that an image needs no other client for its health check.

use std::path::{Path, PathBuf};
use std::time::Duration;

use clap::Args;

use super::client::{Call, Url};
use super::{DEFAULT_FILE, Failure, output};
use crate::config::Config;

/// Ask a running gateway whether it is ready, for health checks
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  flagway health                                        at the address in ./flagway.yaml, else 127.0.0.1:9902
  flagway health --url http://127.0.0.1:9902/healthz    alive, ready or not
  HEALTHCHECK CMD [\"flagway\", \"health\", \"-c\", \"/etc/flagway/flagway.yaml\"]

Exit codes: 0 ready; 1 not ready, or no answer within 2 s")]
pub struct Health {
    /// Where to ask
    #[arg(long, value_name = "URL", conflicts_with = "config")]
    pub url: Option<String>,
    /// Take the address from `probes.bind` in this configuration [default: flagway.yaml, if there is one]
    #[arg(short, long, value_name = "FILE")]
    pub config: Option<PathBuf>,
}

/// Where the probes are when nobody says otherwise.
const DEFAULT_URL: &str = "http://127.0.0.1:9902/readyz";
const LIMIT: Duration = Duration::from_secs(2);

impl Health {
    /// Asks, prints the answer's text.
    pub fn run(&self) -> Result<(), Failure> {
        let url = self.url()?;
        let answer = Url::parse(&url)?.send(&Call { method: "GET", ..Call::default() }, LIMIT)?;
        output::print(&format!("{}\n", answer.body.trim_end()));
        if answer.status == 200 { Ok(()) } else { Err(Failure::Told) }
    }

    fn url(&self) -> Result<String, Failure> {
        match (&self.url, &self.config) {
            (Some(url), _) => Ok(url.clone()),
            (None, Some(file)) => from_config(file),
            (None, None) if Path::new(DEFAULT_FILE).exists() => from_config(Path::new(DEFAULT_FILE)),
            (None, None) => Ok(DEFAULT_URL.to_owned()),
        }
    }
}

/// The address that a configuration gives the probes, as seen from this machine.
#[expect(clippy::disallowed_methods, reason = "a configuration is read here, with its environment")]
fn from_config(file: &Path) -> Result<String, Failure> {
    let name = file.display();
    let text = std::fs::read_to_string(file).map_err(|error| format!("{name} cannot be read: {error}"))?;
    let folder = file.parent().unwrap_or(Path::new(""));
    let environment = |name: &str| std::env::var(name).ok();
    let config = Config::parse(&name.to_string(), &text, folder, &environment).map_err(Failure::Problems)?;
    let Some(probes) = &config.probes else {
        return Err(Failure::Message(format!(
            "{name} has no `probes`; add `probes: {{bind: 127.0.0.1:9902}}`, or give --url"
        )));
    };
    let mut address = probes.bind;
    if address.ip().is_unspecified() {
        address.set_ip(if address.is_ipv4() {
            [127, 0, 0, 1].into()
        } else {
            std::net::Ipv6Addr::LOCALHOST.into()
        });
    }
    Ok(format!("http://{address}/readyz"))
}
