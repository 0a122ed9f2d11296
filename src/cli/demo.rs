//! `flagway demo`: a gateway, two versions of a service and, if asked, visitors, all in this process; no file needed.
//!
//! The gateway is the one that `run` starts, with the example of `conf/`, written to a folder where it can be edited. Only
//! the two versions and the visitors are make-believe.

pub mod cart;
pub mod files;
pub mod sample;
pub mod upstream;
pub mod view;
pub mod visitors;

use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use clap::Args;

use super::output::{FAINT, STRONG, paint};
use super::start::Origin;
use super::{Failure, Global, log, output, start};
use crate::gateway;
use files::{Example, Ports};
use upstream::Upstream;
use view::View;

/// Start a gateway, two versions of a service and, if asked, visitors; no file needed
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  flagway demo                            then try the commands that it prints
  flagway demo --traffic                  20 visitors' requests a second
  flagway demo --traffic 200 --dir try    with the files in ./try; edit try/flags.json and watch
  flagway demo --shadow                   the canary has a bug, and is found out before anybody sees it

Exit codes: 0 ended by Ctrl-C; 1 it could not start")]
pub struct Demo {
    /// Where the example is written [default: a new folder among the temporary ones]
    #[arg(long, value_name = "DIR")]
    pub dir: Option<PathBuf>,
    /// Port for traffic [default: 8080, or a free one if that is taken]
    #[arg(long, value_name = "PORT", value_parser = clap::value_parser!(u16).range(1..))]
    pub port: Option<u16>,
    /// Send visitors, this many requests a second
    #[arg(long, value_name = "N", num_args = 0..=1, default_missing_value = "20")]
    #[arg(value_parser = clap::value_parser!(u32).range(1..=5000))]
    pub traffic: Option<u32>,
    /// Send the canary copies of what the stable version serves, and compare their answers; sends visitors too
    #[arg(long)]
    pub shadow: bool,
}

/// Visitors' requests a second when nobody says otherwise.
const TRAFFIC: u32 = 20;

impl Demo {
    /// Runs until Ctrl-C.
    pub fn run(&self, global: &Global) -> Result<(), Failure> {
        let stable = Upstream::start("stable", self.shadow).map_err(not_started)?;
        let canary = Upstream::start("canary", self.shadow).map_err(not_started)?;
        let rate = self.traffic.or(self.shadow.then_some(TRAFFIC));
        let (ports, held) = Ports::find(self.port, stable.port, canary.port).map_err(not_started)?;
        let example = Example::write(self.dir.as_deref(), &ports, self.shadow)?;
        log::to_file(&example.log, global)?;
        // Its versions and visitors would not outlive it.
        let server = gateway::Server {
            upgrades: None,
            ..start::prepare(&example.config, Origin::default(), held.or_bind())?
        };
        let traffic = SocketAddr::from(([127, 0, 0, 1], ports.traffic));
        output::print(&welcome(&example, &ports, rate, self.shadow));
        let ended = Arc::new(AtomicBool::new(false));
        let view = View::new(&server, Arc::clone(&ended));
        let view = std::thread::spawn(move || view.run());
        if let Some(rate) = rate {
            visitors::send(traffic, rate, self.shadow, &ended);
        }
        let served = gateway::serve(server);
        ended.store(true, Ordering::Relaxed);
        view.thread().unpark();
        // A view that panicked has nothing more to show.
        let _ = view.join();
        let folder = example.folder.display();
        output::print(&format!("\nThe demo has ended. Its files are still in {folder}\n"));
        served.map_err(Failure::Message)
    }
}

fn not_started(error: std::io::Error) -> Failure {
    Failure::Message(format!("the demo cannot start: {error}"))
}

/// What can be seen and tried.
fn welcome(example: &Example, ports: &Ports, traffic: Option<u32>, shadow: bool) -> String {
    let Ports { traffic: door, admin, probes, stable, canary } = ports;
    let url = format!("http://127.0.0.1:{door}/checkout");
    let flags = example.flags.display();
    let tries = if shadow { shadow_tries(&url, *admin) } else { tries(&url, *admin) };
    let mut text = format!("{}\n\n", paint(STRONG, "Flagway demo"));
    let rows = [
        ("gateway", format!("http://127.0.0.1:{door}")),
        ("admin", format!("http://127.0.0.1:{admin}")),
        ("probes", format!("http://127.0.0.1:{probes}")),
        ("versions", format!("stable at 127.0.0.1:{stable}, canary at 127.0.0.1:{canary}")),
        ("folder", example.folder.display().to_string()),
    ];
    for (what, value) in rows {
        text.push_str(&format!("  {} {value}\n", paint(FAINT, format_args!("{what:<9}"))));
    }
    text.push_str(&format!("\n{}\n", paint(STRONG, "Try, in another terminal")));
    for (command, why) in tries {
        text.push_str(&format!("  {command}\n  {}\n", paint(FAINT, format_args!("  # {why}"))));
    }
    if shadow {
        text.push_str(&format!("\n{}\n", paint(STRONG, "Then switch the shadow off")));
        text.push_str(&format!(
            "  in {flags}\n  set the defaultVariant of checkout-shadow to \"none\": no more copies, at once\n"
        ));
    } else {
        text.push_str(&format!("\n{}\n", paint(STRONG, "Then change who goes where")));
        text.push_str(&format!("  in {flags} set the weights 10 and 90 to 60 and 40: it is live at once\n"));
        text.push_str(&format!(
            "  flagway explain --gateway http://127.0.0.1:{admin} -b uid=ann /checkout    tells why\n"
        ));
    }
    let traffic = match traffic {
        Some(rate) => format!("{rate} visitors' requests a second are on their way. Ctrl-C ends it."),
        None => "No visitors come by themselves: --traffic sends some. Ctrl-C ends it.".to_owned(),
    };
    text.push_str(&format!("\n{}\n\n", paint(FAINT, traffic)));
    text
}

/// Commands to try, each with what it shows.
type Tries = Vec<(String, &'static str)>;

fn tries(url: &str, admin: u16) -> Tries {
    vec![
        (format!("curl {url}"), "nobody in particular: the default version"),
        (format!("curl -H 'x-canary: always' {url}"), "asks for the canary"),
        (format!("curl -b uid=sue {url}"), "one of the 10 %, whenever she comes"),
        (format!("curl -H 'cf-ipcountry: DE' {url}"), "new pricing, by country"),
        (format!("curl http://127.0.0.1:{admin}/api/v1/snapshot"), "what is live"),
    ]
}

fn shadow_tries(url: &str, admin: u16) -> Tries {
    let cart = format!("{url}/carts/{}", cart::ODD);
    let gateway = format!("http://127.0.0.1:{admin}");
    vec![
        (format!("flagway shadow report --gateway {gateway} --watch"), "what the canary answers otherwise"),
        (format!("flagway shadow examples --gateway {gateway}"), "each as it was seen"),
        (format!("curl {cart}"), "a cart as the stable version answers it; the canary got a copy"),
        (format!("curl -H 'x-canary: always' {cart}"), "the canary: its total is a cent off"),
        (format!("flagway shadow reset checkout --gateway {gateway}"), "begins anew"),
    ]
}
